//! Instants as settings, states and records hold them.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

/// As settings and states are written.
pub fn text(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}

pub fn instant(value: &Value) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(value.as_str().unwrap())
        .unwrap()
        .to_utc()
}
