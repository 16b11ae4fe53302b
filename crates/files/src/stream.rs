//! The files of one stream, while a run writes them.

use crate::atomic::Temporary;
use crate::column::Column;
use crate::error::{At, Error};
use crate::folder::RowFile;
use crate::row::{Layout, Row};
use crate::rows::Rows;
use std::fs;
use std::path::PathBuf;
use xxhash_rust::xxh3::xxh3_128;

/// A stream that a run writes.
#[derive(Debug, Clone)]
pub struct Stream {
    pub name: String,
    /// The JSON Schema of its records.
    pub schema: serde_json::Value,
    pub key_properties: Vec<String>,
    /// Of a full-table stream: the version of this run's rows.
    pub table_version: Option<i64>,
}

impl Stream {
    pub(crate) fn columns(&self) -> Vec<Column> {
        Column::all(&self.schema)
    }
}

/// The files of one stream, while a run writes them.
pub(crate) struct StreamFiles {
    pub layout: Layout,
    folder: PathBuf,
    open: Option<Open>,
    /// Whole files that do not have their names yet, and how many rows each has.
    unnamed: Vec<(Temporary, PathBuf, u64)>,
    /// What this run has written of a full-table stream.
    pub content: Content,
    pub counts: Counts,
}

/// What has become of rows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    /// New files.
    pub files: u64,
    /// Rows in these.
    pub rows: u64,
    /// Rows that older files have already.
    pub known: u64,
}

/// The file that rows go to.
struct Open {
    rows: Rows,
    temporary: Temporary,
    first: i64,
    last: i64,
    /// Rows.
    count: u64,
    /// JSON of its rows.
    bytes: u64,
}

/// What a set of rows holds, in whatever order they come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Content {
    rows: u64,
    sum: u128,
}

impl Content {
    fn add(&mut self, record: &[u8]) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(xxh3_128(record));
    }
}

impl std::fmt::Display for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{:032x}", self.rows, self.sum)
    }
}

impl StreamFiles {
    pub fn new(folder: PathBuf, layout: Layout) -> Self {
        Self {
            layout,
            folder,
            open: None,
            unnamed: Vec::new(),
            content: Content::default(),
            counts: Counts::default(),
        }
    }

    /// Appends a row. A file that has so many bytes of JSON by then is ended.
    pub fn append(&mut self, row: &Row<'_>, sequence: i64, most: u64) -> Result<(), Error> {
        if self.layout.is_versioned {
            self.content.add(row.text());
        }
        let open = match &mut self.open {
            Some(open) => open,
            none => {
                fs::create_dir_all(&self.folder).at(&self.folder)?;
                let temporary = Temporary::new(&self.folder, &sequence.to_string());
                none.insert(Open {
                    rows: Rows::create(temporary.path(), &self.layout)?,
                    temporary,
                    first: sequence,
                    last: sequence,
                    count: 0,
                    bytes: 0,
                })
            }
        };
        open.rows.append(row, sequence)?;
        open.last = sequence;
        open.count += 1;
        open.bytes += row.text().len() as u64;
        if open.bytes < most {
            return Ok(());
        }
        self.end_file()?;
        if self.layout.is_versioned {
            Ok(())
        } else {
            self.name()
        }
    }

    /// Whether rows wait for their file's name.
    pub fn is_waiting(&self) -> bool {
        self.open.is_some() || !self.unnamed.is_empty()
    }

    fn end_file(&mut self) -> Result<(), Error> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        open.rows.finish()?;
        let ending = self.layout.format.ending(self.layout.compression);
        let name = RowFile::name(open.first, open.last, ending);
        self.unnamed
            .push((open.temporary, self.folder.join(name), open.count));
        Ok(())
    }

    /// Gives whole files their names.
    fn name(&mut self) -> Result<(), Error> {
        for (temporary, path, count) in self.unnamed.drain(..) {
            temporary.rename(&path)?;
            self.counts.files += 1;
            self.counts.rows += count;
        }
        Ok(())
    }

    /// Ends the files, and gives them their names.
    pub fn commit(&mut self) -> Result<(), Error> {
        self.end_file()?;
        self.name()
    }

    /// Removes what has no name yet: the folder has the same rows already.
    pub fn discard(&mut self) {
        let open = self.open.take().map_or(0, |open| open.count);
        let unnamed = self.unnamed.drain(..).map(|(_, _, count)| count);
        self.counts.known += open + unnamed.sum::<u64>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Compression, Format};
    use tap_sentry_json::Document;

    fn files_after(rows: i64, most: u64, is_versioned: bool) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        let layout = Layout {
            stream: "s".to_owned(),
            keys: vec!["id".to_owned()],
            columns: Vec::new(),
            is_versioned,
            format: Format::Jsonl,
            compression: Compression::None,
        };
        let mut files = StreamFiles::new(folder.path().to_owned(), layout);
        let document = Document::parse(br#"{"id":"1"}"#, 1).expect("JSON");
        for sequence in 1..=rows {
            let row = Row {
                document: &document,
                record: document.root(),
                extracted_at: "2026-11-29T12:00:00Z",
                table_version: is_versioned.then_some(1),
            };
            files.append(&row, sequence, most).expect("it is written");
        }
        let entries = fs::read_dir(folder.path()).expect("a folder");
        let names = entries.map(|entry| entry.expect("a file").file_name());
        let names = names.map(|name| name.into_string().expect("UTF-8"));
        let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_ends_with_the_row_that_makes_it_large() {
        let name = |first, last| RowFile::name(first, last, "jsonl");
        assert_eq!(files_after(5, 20, false), [name(1, 2), name(3, 4)]);
        assert_eq!(files_after(5, 51, false), Vec::<String>::new());
    }

    #[test]
    fn a_list_that_is_read_whole_has_no_file_before_its_end() {
        assert_eq!(files_after(5, 20, true), Vec::<String>::new());
    }
}
