//! What tests of records share.

use crate::record::lines::Batch;
use crate::record::notes::Notes;
use crate::record::projection::{Projection, RowError};
use crate::streams::find;
use serde_json::{Value, json};
use tap_sentry_api::request::INDEXED_DEPTH;
use tap_sentry_json::Document;
use tokio::time::Instant;

/// A row of `stream`, or what is cut out of one, as records of this schema, chosen by path.
pub fn write_row(
    stream: &str,
    properties: &Value,
    row: &str,
    selected: &dyn Fn(&[&str]) -> bool,
) -> (Result<(), RowError>, Batch) {
    let def = find(stream).expect("a stream");
    let projection = Projection::new(
        def,
        &json!({"type": "object", "properties": properties}),
        selected,
        false,
    );
    let frame = projection.frame(
        |name| (name == "organization_slug").then_some("acme"),
        "2026-01-01T00:00:00Z",
    );
    let mut batch = Batch::new(def, Instant::now());
    let document = Document::parse(row.as_bytes(), INDEXED_DEPTH).expect("JSON");
    let root = document.root();
    let result = match def.cut {
        Some(_) => projection.cut(&document, root, &frame, u32::MAX, &mut batch),
        None => projection.write(&document, root, &frame, &mut batch),
    };
    batch.keep(row.as_bytes().to_vec());
    (result, batch)
}

pub fn all(_: &[&str]) -> bool {
    true
}

pub fn record(batch: &Batch) -> Value {
    let message: Value = serde_json::from_slice(&batch.bytes()).expect("one line of JSON");
    message["record"].clone()
}

/// The value of a column of this type for this answer, as it is written, and what is noted of it.
pub fn written_as(property: &Value, value: &str) -> (String, Notes) {
    let (result, batch) = write_row(
        "teams",
        &json!({"id": {"type": "string"}, "v": property}),
        &format!(r#"{{"id":"1","v":{value}}}"#),
        &all,
    );
    assert_eq!(result, Ok(()));
    let line = String::from_utf8(batch.bytes()).expect("UTF-8");
    let start = line.find(r#""v":"#).expect("written") + 4;
    let end = line.find(r#"},"time_extracted""#).expect("a whole line");
    (line[start..end].to_owned(), batch.notes)
}

pub fn schema(kind: &str) -> Value {
    match kind {
        "date-time" => json!({"type": ["string", "null"], "format": "date-time"}),
        "declared object" => {
            json!({"type": ["object", "null"], "properties": {"a": {"type": ["integer", "null"]}}})
        }
        "list of integers" => {
            json!({"type": ["array", "null"], "items": {"type": ["integer", "null"]}})
        }
        kind => json!({"type": [kind, "null"]}),
    }
}
