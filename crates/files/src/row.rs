//! A row, what is added to it, and what a file of rows looks like.

use crate::column::{Column, Kind};
use crate::format::{Compression, Format};
use std::borrow::Cow;
use tap_sentry_json::{Document, Value};
use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

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

#[cfg(test)]
impl<'a> Row<'a> {
    /// The document as a record, of no full-table stream.
    pub(crate) fn of(document: &'a Document<'a>) -> Self {
        Self {
            document,
            record: document.root(),
            extracted_at: "2026-11-28T00:00:00Z",
            table_version: None,
        }
    }
}

impl Row<'_> {
    /// The record as it is written.
    pub(crate) fn text(&self) -> &[u8] {
        self.document.text(self.record)
    }

    /// The identity of its stream and key. A part that it lacks is as one that is null.
    pub(crate) fn key(&self, layout: &Layout) -> u128 {
        let mut identity = xxh3_128(layout.stream.as_bytes());
        let mut missing = layout.keys.len();
        // On the stack where it fits: memory of its own for each row is felt.
        let (mut few, mut many) = ([false; 8], Vec::new());
        let seen = if let Some(few) = few.get_mut(..missing) {
            few
        } else {
            many.resize(missing, false);
            &mut many[..]
        };
        let part_of = |name: &[u8]| layout.keys.iter().position(|key| key.as_bytes() == name);
        for (name, value) in self.document.members(self.record) {
            let part = part_of(name).or_else(|| match plain(name) {
                Cow::Borrowed(_) => None,
                Cow::Owned(name) => part_of(&name),
            });
            let Some(part) = part.filter(|part| !std::mem::replace(&mut seen[*part], true)) else {
                continue;
            };
            if self.document.byte(value) != b'n' {
                let text = self.document.text(value);
                // The sum does not depend on the order in which the parts come.
                identity = identity.wrapping_add(xxh3_128_with_seed(text, part as u64));
            }
            missing -= 1;
            if missing == 0 {
                break;
            }
        }
        identity
    }
}

/// The key of a member without escapes: a field of a user's own may have quotes in its name.
pub(crate) fn plain(key: &[u8]) -> Cow<'_, [u8]> {
    if !key.contains(&b'\\') {
        return Cow::Borrowed(key);
    }
    let name: Result<String, _> = serde_json::from_slice(&[b"\"", key, b"\""].concat());
    name.map_or(Cow::Borrowed(key), |name| Cow::Owned(name.into_bytes()))
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
    #[cfg_attr(
        not(feature = "parquet"),
        expect(dead_code, reason = "JSON has no columns")
    )]
    pub columns: Vec<Column>,
    pub is_versioned: bool,
    pub format: Format,
    pub compression: Compression,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(stream: &str, record: &str) -> u128 {
        let document = Document::parse(record.as_bytes(), 1).expect("JSON");
        Row::of(&document).key(&Layout {
            stream: stream.to_owned(),
            keys: vec!["a".to_owned(), "b".to_owned()],
            columns: Vec::new(),
            is_versioned: false,
            format: Format::Jsonl,
            compression: Compression::None,
        })
    }

    #[test]
    fn a_key_is_of_its_stream_and_all_its_parts_and_of_nothing_else() {
        let own = key("s", r#"{"x":0,"a":"1","b":"2"}"#);
        assert_eq!(own, key("s", r#"{"b":"2","a":"1","x":1}"#));
        assert_eq!(own, key("s", r#"{"\u0061":"1","b":"2"}"#));
        assert_eq!(own, key("s", r#"{"a":"1","a":"3","b":"2"}"#));
        for other in [
            r#"{"a":"2","b":"1"}"#,
            r#"{"a":"1","b":"3"}"#,
            r#"{"a":"1","b":2}"#,
            r#"{"a":"1"}"#,
            "{}",
        ] {
            assert_ne!(own, key("s", other), "{other}");
        }
        assert_ne!(own, key("t", r#"{"a":"1","b":"2"}"#));
        let null = r#"{"a":"1","b":null}"#;
        assert_eq!(key("s", null), key("s", r#"{"a":"1"}"#));
    }
}
