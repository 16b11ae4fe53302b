//! Lengths of time as settings hold them: `60s`, `5m`, `1h30m`, or a number of seconds.

use serde_json::Value;
use std::time::Duration;
use tap_sentry_serve::duration::parse;

/// What is accepted, in words that fit behind the name of a setting.
const FORM: &str = "must be a length of time such as 60s, 5m or 1h30m, or a number of seconds";

/// Longer than any use of it, and short enough to be added to an instant.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// A length of time as a setting holds it.
///
/// # Errors
/// What is accepted, in words that fit behind the name of the setting.
pub fn duration(value: &Value) -> Result<Duration, &'static str> {
    let length = match value {
        Value::Number(number) => parse(&number.to_string()).ok(),
        Value::String(text) => parse(text.trim()).ok(),
        _ => None,
    };
    length.filter(|length| *length <= LONGEST).ok_or(FORM)
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
    #[case(json!("1d"))]
    #[case(json!("10000h"))]
    #[case(json!(true))]
    fn no_length(#[case] value: Value) {
        assert_eq!(duration(&value), Err(FORM));
    }
}
