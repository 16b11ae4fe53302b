//! The envelope, in which events and transactions travel.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

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
    let sdk = json!({"name": "sentry.otlp", "version": env!("CARGO_PKG_VERSION")});
    let sent_at = sent_at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let mut header = json!({"event_id": event_id, "sent_at": sent_at, "sdk": sdk});
    if let Some(trace) = trace {
        header["trace"] = trace;
    }
    let header = header.to_string();
    let item = json!({"type": item.name(), "length": payload.len()}).to_string();
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
        assert!(lines[0].ends_with(r#","trace":{"a":1}}"#), "{}", lines[0]);
        assert!(lines[0].starts_with(
            r#"{"event_id":"0a","sent_at":"2027-01-15T08:00:00.005Z","sdk":{"name":"sentry.otlp""#
        ));
    }
}
