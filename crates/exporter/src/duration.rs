//! Lengths of time as settings write them: `60s`, `5m`, `1h30m`, or a number of seconds.

use serde_json::Value;
use std::time::Duration;

/// What is accepted, in words that fit behind the name of a setting.
const FORM: &str = "must be a length of time such as 60s, 5m or 1h30m, or a number of seconds";

/// Longer than any use of it, and short enough to be added to an instant.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// A length of time as a setting holds it.
///
/// # Errors
/// What is accepted, in words that fit behind the name of the setting.
pub fn duration(value: &Value) -> Result<Duration, &'static str> {
    let parsed = match value {
        Value::Number(number) => number.as_f64().and_then(seconds),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().and_then(seconds).or_else(|| parts(text))
        }
        _ => None,
    };
    parsed.filter(|length| *length <= LONGEST).ok_or(FORM)
}

fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number).ok()
}

/// Numbers with units, one after another.
fn parts(text: &str) -> Option<Duration> {
    let (mut rest, mut length) = (text, None);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, behind) = rest.split_at(digits);
        let letters = behind.find(|c: char| !c.is_ascii_alphabetic());
        let (unit, behind) = behind.split_at(letters.unwrap_or(behind.len()));
        let factor = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        let part = seconds(number.parse::<f64>().ok()? * factor)?;
        length = Some(length.unwrap_or(Duration::ZERO).checked_add(part)?);
        rest = behind;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!("60s"), 60.0)]
    #[case(json!("5m"), 300.0)]
    #[case(json!("1h30m"), 5_400.0)]
    #[case(json!("250ms"), 0.25)]
    #[case(json!("1d"), 86_400.0)]
    #[case(json!(" 90 "), 90.0)]
    #[case(json!(0), 0.0)]
    #[case(json!(1.5), 1.5)]
    fn a_length(#[case] value: Value, #[case] expected: f64) {
        assert_eq!(duration(&value), Ok(Duration::from_secs_f64(expected)));
    }

    #[rstest]
    #[case(json!(""))]
    #[case(json!("s"))]
    #[case(json!("5 minutes"))]
    #[case(json!("-5s"))]
    #[case(json!(-1))]
    #[case(json!("nan"))]
    #[case(json!("1e400"))]
    #[case(json!("10000d"))]
    #[case(json!("5m3"))]
    #[case(json!(true))]
    fn no_length(#[case] value: Value) {
        assert_eq!(duration(&value), Err(FORM));
    }
}
