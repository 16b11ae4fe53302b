//! The messages of a run as files of a folder: what the records hold goes to `crates/files`, row by row.

use crate::record::lines::Batch;
use crate::singer::message::StreamHeader;
use crate::singer::output::Output;
use serde_json::Value;
use tap_sentry_files::{Error, Row, Writer};
use tap_sentry_json::Document;

/// How deep lines are looked into: the message, the record, its objects and theirs.
const INDEXED_DEPTH: usize = 4;
/// A buffer that has grown beyond that for one answer is not kept.
const BUFFER: usize = 4 << 20;

/// Writes the records of a run to the files of a folder.
pub struct Files {
    writer: Writer,
    lines: Vec<u8>,
    /// The stream of the last line, and its number.
    last: (Vec<u8>, usize),
}

impl Files {
    /// By a writer that knows all streams of the run.
    pub fn new(writer: Writer) -> Self {
        Self {
            writer,
            lines: Vec::new(),
            last: (Vec::new(), 0),
        }
    }

    fn number(&self, stream: &str) -> usize {
        self.writer.stream(stream).expect("the writer knows it")
    }
}

impl Output for Files {
    type Error = Error;

    fn begin(&mut self, _: &[StreamHeader]) -> Result<(), Error> {
        Ok(())
    }

    fn records(&mut self, batch: &Batch, from: usize, to: usize) -> Result<(), Error> {
        self.lines.clear();
        self.lines.shrink_to(BUFFER);
        batch
            .write(from, to, &mut self.lines)
            .expect("memory can be written to");
        // What they are made of was checked when it came, or is ours.
        let doc = Document::of_lines(&self.lines, INDEXED_DEPTH)
            .map_err(|_| Error::TooLong(self.lines.len()))?;
        for line in doc.lines() {
            let (mut record, mut extracted_at, mut table_version) = (None, "", None);
            for (key, value) in doc.members(line) {
                let text = doc.text(value);
                match key {
                    b"stream" if self.last.0 != text => {
                        let name: String = serde_json::from_slice(text).expect("a name is text");
                        self.last = (text.to_owned(), self.number(&name));
                    }
                    b"record" => record = Some(value),
                    b"time_extracted" => extracted_at = utf8(text).trim_matches('"'),
                    b"version" => table_version = utf8(text).parse().ok(),
                    _ => {}
                }
            }
            let row = Row {
                document: &doc,
                record: record.expect("a RECORD has one"),
                extracted_at,
                table_version,
            };
            self.writer.append(self.last.1, &row)?;
        }
        Ok(())
    }

    fn whole(&mut self, stream: &StreamHeader) -> Result<bool, Error> {
        self.writer.whole(self.number(&stream.schema.stream))?;
        Ok(false)
    }

    fn state(&mut self, state: Value) -> Result<usize, Error> {
        let mut text = serde_json::to_vec(&state).expect("a state is JSON");
        text.push(b'\n');
        self.writer.commit(&text)?;
        Ok(text.len())
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        self.writer.finish()
    }
}

fn utf8(text: &[u8]) -> &str {
    str::from_utf8(text).expect("JSON is UTF-8")
}
