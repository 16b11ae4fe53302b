//! The envelope, in which events, transactions and log items travel.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

/// As which SDK the program hands in.
pub const SDK: &str = "sentry.otlp";
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

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

/// An envelope with one item. `trace` is the sampling context, where there is one. `sent_at` is the moment of sending: Relay shifts all times of an envelope whose `sent_at` is off
/// by 55 minutes or more, so that it must not be kept with the data.
pub fn envelope(
    item: Item,
    event_id: &str,
    payload: &[u8],
    trace: Option<Value>,
    sent_at: DateTime<Utc>,
) -> Bytes {
    let mut header = header(sent_at);
    header["event_id"] = json!(event_id);
    if let Some(trace) = trace {
        header["trace"] = trace;
    }
    let item = json!({"type": item.name(), "length": payload.len()});
    lines(&header, &item, payload)
}

/// An envelope with a container of log items, whose JSON stands on a line each. `count` must be exact: else Relay 26.9 drops
/// them behind its 200.
pub fn logs(items: &[u8], count: u64, sent_at: DateTime<Utc>) -> Bytes {
    // Without this version Relay 26.9 gives each log the user agent of the request.
    const BEGIN: &[u8] = b"{\"version\":2,\"items\":[";
    let items = items.strip_suffix(b"\n").unwrap_or(items);
    let mut payload = Vec::with_capacity(BEGIN.len() + items.len() + 2);
    payload.extend_from_slice(BEGIN);
    // No line feed stands in JSON but between its parts.
    payload.extend(items.iter().map(|byte| match byte {
        b'\n' => b',',
        other => *other,
    }));
    payload.extend_from_slice(b"]}");
    let item = json!({
        "type": "log",
        "item_count": count,
        "content_type": "application/vnd.sentry.items.log+json",
        "length": payload.len(),
    });
    lines(&header(sent_at), &item, &payload)
}

fn header(sent_at: DateTime<Utc>) -> Value {
    let sent_at = sent_at.to_rfc3339_opts(SecondsFormat::Millis, true);
    json!({"sent_at": sent_at, "sdk": {"name": SDK, "version": VERSION}})
}

fn lines(header: &Value, item: &Value, payload: &[u8]) -> Bytes {
    let (header, item) = (header.to_string(), item.to_string());
    let mut envelope = Vec::with_capacity(header.len() + item.len() + payload.len() + 3);
    for line in [header.as_bytes(), item.as_bytes(), payload] {
        envelope.extend_from_slice(line);
        envelope.push(b'\n');
    }
    envelope.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_lines() {
        let at = DateTime::from_timestamp(1_800_000_000, 5_000_000).expect("an instant");
        let written = envelope(Item::Event, "0a", b"{}", Some(json!({"a": 1})), at);
        let text = String::from_utf8(written.to_vec()).expect("text");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1..], [r#"{"type":"event","length":2}"#, "{}"]);
        let header: Value = serde_json::from_str(lines[0]).expect("JSON");
        let expected = json!({
            "sent_at": "2027-01-15T08:00:00.005Z", "sdk": {"name": SDK, "version": VERSION},
            "event_id": "0a", "trace": {"a": 1}
        });
        assert_eq!(header, expected);
    }

    #[test]
    fn log_items_stand_in_a_list() {
        let at = DateTime::from_timestamp(1_800_000_000, 0).expect("an instant");
        let written = logs(b"{\"a\":1}\n{\"b\":\"x\\ny\"}\n", 2, at);
        let text = String::from_utf8(written.to_vec()).expect("text");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[2], r#"{"version":2,"items":[{"a":1},{"b":"x\ny"}]}"#);
        let item: Value = serde_json::from_str(lines[1]).expect("JSON");
        assert_eq!(
            (&item["item_count"], &item["length"]),
            (&json!(2), &json!(lines[2].len()))
        );
    }
}
