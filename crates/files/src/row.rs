//! A row, what is added to it, and what a file of rows looks like.

use crate::column::{Column, Kind};
use crate::format::{Compression, Format};
use tap_sentry_json::{Document, Value};
use xxhash_rust::xxh3::Xxh3;

/// When Sentry was asked for the row.
pub const EXTRACTED_AT: &str = "_sdc_extracted_at";
/// A number that no other row of the folder has, greater than those of the rows before.
pub const SEQUENCE: &str = "_sdc_sequence";
/// Of a full-table stream: which reading of the whole list the row is of.
pub const TABLE_VERSION: &str = "_sdc_table_version";

/// A row, as it stands in a checked document.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    pub document: &'a Document<'a>,
    pub record: Value,
    /// When Sentry was asked, in RFC 3339.
    pub extracted_at: &'a str,
    /// Of full-table streams.
    pub table_version: Option<i64>,
}

impl Row<'_> {
    /// The record as it is written.
    pub(crate) fn text(&self) -> &[u8] {
        self.document.text(self.record)
    }

    /// The identity of its stream and key.
    pub(crate) fn key(&self, layout: &Layout) -> u128 {
        let mut digest = Xxh3::new();
        digest.update(layout.stream.as_bytes());
        for key in &layout.keys {
            digest.update(b",");
            let value = self.document.lookup(self.record, &[key]);
            digest.update(value.map_or(b"null", |value| self.document.text(value)));
        }
        digest.digest128()
    }
}

/// What is written beside the record's own columns.
pub(crate) fn added_columns(is_versioned: bool) -> Vec<Column> {
    let mut columns = vec![
        Column::new(EXTRACTED_AT, Kind::Instant),
        Column::new(SEQUENCE, Kind::Integer),
    ];
    columns.extend(is_versioned.then(|| Column::new(TABLE_VERSION, Kind::Integer)));
    columns
}

/// Whether a column is one that is added.
pub(crate) fn is_added(name: &str) -> bool {
    [EXTRACTED_AT, SEQUENCE, TABLE_VERSION].contains(&name)
}

/// What a file of rows looks like.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub stream: String,
    pub keys: Vec<String>,
    /// The record's own columns.
    pub columns: Vec<Column>,
    pub is_versioned: bool,
    pub format: Format,
    pub compression: Compression,
}
