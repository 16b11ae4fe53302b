//! A file that a run writes.

use super::arrays::Structs;
use super::encoder::{Batch, Encoder};
use crate::column::{Column, Kind};
use crate::error::{At, Error};
use crate::row::{EXTRACTED_AT, Layout, Row, SEQUENCE, added_columns};
use arrow_array::builder::{Int64Builder, TimestampMicrosecondBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use chrono::DateTime;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// JSON of rows that are made arrays at once, in bytes.
const BATCH: usize = 1 << 20;
/// Bytes of one page. They are copied several times on the way, for each column by itself, and should stay in a near cache.
const PAGE: usize = 256 << 10;
/// A dictionary beyond that is of values that hardly come again, in bytes.
const DICTIONARY: usize = 128 << 10;
/// The level of zstd: higher ones take half as long again for a few per cent.
const LEVEL: i32 = 1;

/// A file under construction.
pub struct ParquetFile {
    stream: String,
    path: PathBuf,
    /// `None`: it has failed.
    encoder: Option<Encoder>,
    schema: SchemaRef,
    rows: Structs,
    extracted_at: TimestampMicrosecondBuilder,
    sequence: Int64Builder,
    table_version: Option<Int64Builder>,
    /// The last of them, as text, and what it is: the rows of a page have the same.
    extracted: (String, i64),
    /// JSON of the rows that no batch has yet, in bytes.
    json: usize,
}

impl ParquetFile {
    pub fn create(path: &Path, layout: &Layout) -> Result<Self, Error> {
        let file = File::create_new(path).at(path)?;
        let rows = Structs::new(&layout.columns);
        let added = added_columns(layout.is_versioned);
        let fields = rows.fields().iter().cloned();
        let fields = fields.chain(added.iter().map(|column| Arc::new(column.field())));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let properties = properties(layout);
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties)).at(path)?;
        Ok(Self {
            stream: layout.stream.clone(),
            path: path.to_owned(),
            encoder: Some(Encoder::new(path, writer)),
            schema,
            rows,
            extracted_at: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            sequence: Int64Builder::new(),
            table_version: layout.is_versioned.then(Int64Builder::new),
            extracted: (String::new(), 0),
            json: 0,
        })
    }

    pub fn append(&mut self, row: &Row<'_>, sequence: i64) -> Result<(), Error> {
        // Of what fails no more is taken: some columns may be longer than others.
        let encoder = self.encoder()?;
        self.add(row, sequence)?;
        self.encoder = Some(if self.json >= BATCH {
            encoder.write(self.batch()?)?
        } else {
            encoder
        });
        Ok(())
    }

    fn add(&mut self, row: &Row<'_>, sequence: i64) -> Result<(), Error> {
        let misfit = |column: String, value: String| Error::Value {
            stream: self.stream.clone(),
            column,
            value,
        };
        if self.extracted.0 != row.extracted_at {
            let instant = DateTime::parse_from_rfc3339(row.extracted_at)
                .map_err(|_| misfit(EXTRACTED_AT.to_owned(), row.extracted_at.to_owned()))?;
            self.extracted = (row.extracted_at.to_owned(), instant.timestamp_micros());
        }
        self.rows
            .append(row.document, row.record)
            .map_err(|wrong| misfit(wrong.column, wrong.value))?;
        self.extracted_at.append_value(self.extracted.1);
        self.sequence.append_value(sequence);
        if let Some(versions) = &mut self.table_version {
            versions.append_option(row.table_version);
        }
        self.json += row.text().len();
        Ok(())
    }

    /// Takes the rows that are arrays by now.
    fn batch(&mut self) -> Result<Batch, Error> {
        let mut columns = self.rows.finish();
        columns.push(Arc::new(self.extracted_at.finish()) as ArrayRef);
        columns.push(Arc::new(self.sequence.finish()));
        if let Some(versions) = &mut self.table_version {
            columns.push(Arc::new(versions.finish()));
        }
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(parquet::errors::ParquetError::from)
            .at(&self.path)?;
        let json = std::mem::take(&mut self.json);
        Ok(Batch { rows, json })
    }

    pub fn finish(mut self) -> Result<(), Error> {
        let encoder = self.encoder()?;
        let last = (self.rows.len() > 0).then(|| self.batch()).transpose()?;
        encoder.finish(last)
    }

    fn encoder(&mut self) -> Result<Encoder, Error> {
        let encoder = self.encoder.take();
        encoder
            .ok_or_else(|| io::Error::other("it could not be written to before"))
            .at(&self.path)
    }
}

/// Statistics on what one looks for, keys and times; dictionaries where values come again, which JSON and times of rows do not.
pub fn properties(layout: &Layout) -> WriterProperties {
    let added = added_columns(layout.is_versioned);
    let level = ZstdLevel::try_new(LEVEL).expect("zstd has that level");
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_data_page_size_limit(PAGE)
        .set_dictionary_page_size_limit(DICTIONARY)
        // It serves statistics of pages, of which there are none.
        .set_offset_index_disabled(true)
        .set_statistics_enabled(EnabledStatistics::None);
    for column in layout.columns.iter().chain(&added) {
        let path = || ColumnPath::from(column.name.as_str());
        if column.kind == Kind::Instant
            || column.name == SEQUENCE
            || layout.keys.contains(&column.name)
        {
            properties = properties.set_column_statistics_enabled(path(), EnabledStatistics::Chunk);
        }
        if column.name == SEQUENCE || layout.keys.contains(&column.name) {
            properties = properties.set_column_dictionary_enabled(path(), false);
        }
        if column.name == EXTRACTED_AT {
            continue;
        }
        for path in unlike(column, &mut vec![column.name.clone()]) {
            properties = properties.set_column_dictionary_enabled(path, false);
        }
    }
    properties.build()
}

/// The leaves whose values seldom come again.
fn unlike(column: &Column, path: &mut Vec<String>) -> Vec<ColumnPath> {
    fn below(kind: &Kind, path: &mut Vec<String>, found: &mut Vec<ColumnPath>) {
        match kind {
            Kind::Json | Kind::Instant => found.push(ColumnPath::new(path.clone())),
            Kind::Struct(members) => {
                for member in members {
                    path.push(member.name.clone());
                    below(&member.kind, path, found);
                    path.pop();
                }
            }
            Kind::List(items) => {
                path.extend(["list".to_owned(), "element".to_owned()]);
                below(items, path, found);
                path.truncate(path.len() - 2);
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    below(&column.kind, path, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Compression, Format};
    use serde_json::json;
    use tap_sentry_json::Document;

    #[test]
    fn nothing_is_made_of_a_file_that_has_failed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("f.parquet");
        let schema = json!({"properties": {"a": {"type": "string"}, "b": {"type": "string"}}});
        let layout = Layout {
            stream: "s".to_owned(),
            columns: Column::all(&schema),
            keys: Vec::new(),
            format: Format::Parquet,
            compression: Compression::None,
            is_versioned: false,
        };
        let mut file = ParquetFile::create(&path, &layout).expect("a file");
        let mut append = |record: &str| {
            let document = Document::parse(record.as_bytes(), 4).expect("JSON");
            file.append(&Row::of(&document), 1)
                .map_err(|error| error.to_string())
        };
        append(r#"{"a":"1","b":"2"}"#).expect("a row");
        let misfit = append(r#"{"a":"1","b":[]}"#).expect_err("no text");
        assert_eq!(misfit, "s: column `b` cannot hold []");
        let further = append(r#"{"a":"1","b":"2"}"#).expect_err("it has failed");
        assert!(further.contains("f.parquet"), "{further}");
        let end = file.finish().expect_err("it has failed").to_string();
        assert!(end.contains("f.parquet"), "{end}");
    }
}
