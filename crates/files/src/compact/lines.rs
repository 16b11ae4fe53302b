//! JSON lines, as compaction reads and writes them.

use super::mark::Mark;
use crate::error::{At, Error};
use crate::format::Compression;
use crate::jsonl::{self, JsonlFile};
use crate::row::{Layout, Row, SEQUENCE, TABLE_VERSION};
use std::fs;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use tap_sentry_json::Document;

/// Bytes of lines that are read at once.
const CHUNK: usize = 1 << 20;

/// The lines of a file, some at a time.
pub fn read(
    path: &Path,
) -> Result<impl Iterator<Item = Result<Vec<Vec<u8>>, Error>> + use<>, Error> {
    let mut reader = jsonl::read(path).at(path)?;
    let path = path.to_owned();
    Ok(std::iter::from_fn(move || {
        let (mut lines, mut bytes) = (Vec::new(), 0);
        while bytes < CHUNK {
            let mut line = Vec::new();
            match reader.read_until(b'\n', &mut line).at(&path) {
                Ok(0) => break,
                Ok(read) => bytes += read,
                Err(error) => return Some(Err(error)),
            }
            line.pop_if(|last| *last == b'\n');
            lines.push(line);
        }
        (!lines.is_empty()).then_some(Ok(lines))
    }))
}

pub fn marks(lines: &[Vec<u8>], layout: &Layout, path: &Path) -> Result<Vec<Mark>, Error> {
    let each = lines.iter().map(|line| {
        let doc = Document::parse(line, 1).ok()?;
        let row = Row {
            document: &doc,
            record: doc.root(),
            extracted_at: "",
            table_version: None,
        };
        Some(Mark {
            key: row.key(layout),
            sequence: integer(&doc, SEQUENCE)?,
            table_version: integer(&doc, TABLE_VERSION),
        })
    });
    each.collect::<Option<_>>().ok_or_else(|| no_row(path))
}

pub fn sequences(lines: &[Vec<u8>], path: &Path) -> Result<Vec<i64>, Error> {
    let each = lines
        .iter()
        .map(|line| integer(&Document::parse(line, 1).ok()?, SEQUENCE));
    each.collect::<Option<_>>().ok_or_else(|| no_row(path))
}

fn integer(doc: &Document<'_>, name: &str) -> Option<i64> {
    let value = doc.lookup(doc.root(), &[name])?;
    str::from_utf8(doc.text(value)).ok()?.parse().ok()
}

fn no_row(path: &Path) -> Error {
    Error::Unusable {
        path: path.to_owned(),
        problem: format!("a line is no JSON object with `{SEQUENCE}`; move the file elsewhere"),
    }
}

/// A new file of lines that are kept.
pub struct LineCopy {
    path: PathBuf,
    file: JsonlFile,
}

impl LineCopy {
    pub fn create(path: &Path, compression: Compression) -> Result<Self, Error> {
        Ok(Self {
            path: path.to_owned(),
            file: JsonlFile::create(path, compression)?,
        })
    }

    pub fn append(&mut self, lines: &[Vec<u8>], keep: &[bool]) -> Result<(), Error> {
        for (line, _) in lines.iter().zip(keep).filter(|(_, keep)| **keep) {
            self.file.append_line(line)?;
        }
        Ok(())
    }

    pub fn size(&self) -> Result<u64, Error> {
        Ok(fs::metadata(&self.path).at(&self.path)?.len())
    }

    pub fn finish(self) -> Result<(), Error> {
        self.file.finish()
    }
}
