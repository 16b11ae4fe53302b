//! Instants in payloads: seconds with a fraction, or RFC 3339; and how they are moved.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde_json::Value;

/// Clocks that differ by less are not corrected.
pub(crate) const LEAST_DRIFT: TimeDelta = TimeDelta::minutes(55);
/// What lies further ahead is pulled back to now.
pub(crate) const MOST_AHEAD: TimeDelta = TimeDelta::seconds(60);

/// Reads an instant; what is neither form is none.
pub(crate) fn read(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::Number(number) => {
            let micros = number.as_f64()? * 1e6;
            // Beyond this no calendar goes.
            if !(0.0..8e18).contains(&micros) {
                return None;
            }
            #[expect(
                clippy::cast_possible_truncation,
                reason = "in the range of i64, see above"
            )]
            DateTime::from_timestamp_micros(micros.round() as i64)
        }
        Value::String(text) => match DateTime::parse_from_rfc3339(text) {
            Ok(instant) => Some(instant.to_utc()),
            // Without a zone it is UTC.
            Err(_) => NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
                .ok()
                .map(|instant| instant.and_utc()),
        },
        _ => None,
    }
}

/// Seconds since the epoch, to the microsecond: what is stored.
pub(crate) fn write(instant: DateTime<Utc>) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "exact up to the year 2255")]
    let seconds = instant.timestamp_micros() as f64 / 1e6;
    Value::from(seconds)
}

/// Moves the instants at some keys of an object.
pub(crate) fn shift(record: &mut Value, keys: &[&str], by: TimeDelta) {
    let Some(record) = record.as_object_mut() else {
        return;
    };
    for key in keys {
        if let Some(value) = record.get_mut(*key)
            && let Some(moved) = read(value).and_then(|instant| instant.checked_add_signed(by))
        {
            *value = write(moved);
        }
    }
}

/// How far the client's clock is off, if that is corrected.
pub(crate) fn drift(sent_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<TimeDelta> {
    let drift = now - sent_at?;
    (drift.abs() >= LEAST_DRIFT).then_some(drift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_forms_are_read_to_the_microsecond() {
        let expected = DateTime::from_timestamp_micros(1_790_000_000_123_456);
        for value in [
            json!(1_790_000_000.123_456),
            json!("2026-09-21T14:13:20.123456Z"),
            json!("2026-09-21T14:13:20.123456"),
            json!("2026-09-21T16:13:20.123456+02:00"),
        ] {
            assert_eq!(read(&value), expected, "{value}");
        }
        for value in [json!(null), json!("x"), json!(-1), json!(1e300), json!([])] {
            assert_eq!(read(&value), None, "{value}");
        }
        assert_eq!(expected.map(write), Some(json!(1_790_000_000.123_456)));
    }
}
