//! The envelope, in which events, transactions and log items travel.

use crate::client::{Body, bare};
use bytes::{Buf, Bytes};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::Value;

/// Sentry's `sdk`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Sdk {
    pub name: &'static str,
    pub version: &'static str,
}

/// As which the program hands in.
pub const SDK: Sdk = Sdk {
    name: "sentry.otlp",
    version: env!("CARGO_PKG_VERSION"),
};

/// What an item of an envelope is. An envelope holds one of them: Relay 26.9 answers 413 to two events or two transactions,
/// however small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Item {
    Event,
    Transaction,
}

impl Item {
    fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Transaction => "transaction",
        }
    }
}

/// The first line of an envelope.
#[derive(Serialize)]
struct Header<'a> {
    /// The moment of sending: Relay shifts all times of an envelope whose `sent_at` is off by 55 minutes or more, so that it
    /// must not be kept with the data.
    sent_at: String,
    sdk: Sdk,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Value>,
}

/// What stands before an item.
#[derive(Serialize)]
struct ItemHeader {
    r#type: &'static str,
    length: usize,
    #[serde(flatten)]
    container: Option<Container>,
}

/// Of an item that holds several.
#[derive(Serialize)]
struct Container {
    item_count: u64,
    content_type: &'static str,
}

/// The lines before an item have less, unless the sampling context has long names.
const HEADERS: usize = 512;

/// An envelope with one item. `trace` is the sampling context, where there is one.
pub fn envelope(
    item: Item,
    event_id: &str,
    payload: Bytes,
    trace: Option<Value>,
    sent_at: DateTime<Utc>,
) -> Body {
    let header = Header {
        event_id: Some(event_id),
        trace,
        ..Header::new(sent_at)
    };
    let item = ItemHeader {
        r#type: item.name(),
        length: payload.len(),
        container: None,
    };
    let begun = Bytes::from(begun(&header, &item, 0));
    begun.chain(payload).chain(Bytes::from_static(b"\n"))
}

/// An envelope with a container of log items, whose JSON stands on a line each. `count` must be exact: else Relay 26.9 drops
/// them behind its 200.
pub fn logs(items: &[u8], count: u64, sent_at: DateTime<Utc>) -> Body {
    // Without this version Relay 26.9 gives each log the user agent of the request.
    const BEGIN: &[u8] = b"{\"version\":2,\"items\":[";
    const END: &[u8] = b"]}";
    let items = items.strip_suffix(b"\n").unwrap_or(items);
    let item = ItemHeader {
        r#type: "log",
        length: BEGIN.len() + items.len() + END.len(),
        container: Some(Container {
            item_count: count,
            content_type: "application/vnd.sentry.items.log+json",
        }),
    };
    // No line feed stands in JSON but between its parts.
    let items = items.iter().map(|byte| match byte {
        b'\n' => b',',
        other => *other,
    });
    let mut envelope = begun(&Header::new(sent_at), &item, item.length);
    envelope.extend_from_slice(BEGIN);
    envelope.extend(items);
    envelope.extend_from_slice(END);
    envelope.push(b'\n');
    bare(envelope.into())
}

impl Header<'_> {
    fn new(sent_at: DateTime<Utc>) -> Self {
        Self {
            sent_at: sent_at.to_rfc3339_opts(SecondsFormat::Millis, true),
            sdk: SDK,
            event_id: None,
            trace: None,
        }
    }
}

/// The lines that stand before an item, with room behind them.
fn begun(header: &Header<'_>, item: &ItemHeader, room: usize) -> Vec<u8> {
    let mut envelope = Vec::with_capacity(HEADERS + room);
    // Writing to memory does not fail, and there is nothing in it that JSON could not hold.
    let _ = serde_json::to_writer(&mut envelope, header);
    envelope.push(b'\n');
    let _ = serde_json::to_writer(&mut envelope, item);
    envelope.push(b'\n');
    envelope
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(mut envelope: Body) -> String {
        let bytes = envelope.copy_to_bytes(envelope.remaining());
        String::from_utf8(bytes.into()).expect("text")
    }

    #[test]
    fn three_lines() {
        let at = DateTime::from_timestamp(1_800_000_000, 5_000_000).expect("an instant");
        let text = text(envelope(
            Item::Event,
            "0a",
            Bytes::from_static(b"{}"),
            Some(json!({"a": 1})),
            at,
        ));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1..], [r#"{"type":"event","length":2}"#, "{}"]);
        let header: Value = serde_json::from_str(lines[0]).expect("JSON");
        let expected = json!({
            "sent_at": "2027-01-15T08:00:00.005Z", "sdk": SDK,
            "event_id": "0a", "trace": {"a": 1}
        });
        assert_eq!(header, expected);
    }

    #[test]
    fn log_items_stand_in_a_list() {
        let at = DateTime::from_timestamp(1_800_000_000, 0).expect("an instant");
        let text = text(logs(b"{\"a\":1}\n{\"b\":\"x\\ny\"}\n", 2, at));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[2], r#"{"version":2,"items":[{"a":1},{"b":"x\ny"}]}"#);
        let item: Value = serde_json::from_str(lines[1]).expect("JSON");
        assert_eq!(
            (&item["item_count"], &item["length"]),
            (&json!(2), &json!(lines[2].len()))
        );
    }
}
