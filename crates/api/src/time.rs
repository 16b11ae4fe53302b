//! Instants as settings, states and Sentry's answers write them.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, SecondsFormat, Utc};

/// RFC 3339, or a date or time without an offset, which is UTC.
///
/// # Errors
/// What is accepted, in words that fit behind the name of a setting.
pub fn parse_instant(text: &str) -> Result<DateTime<Utc>, &'static str> {
    // Of years that RFC 3339 can express: at the ends of what the library can, a look-back has no place.
    parse(text.trim())
        .filter(|instant| (0..=9999).contains(&instant.year()))
        .ok_or(
            "must be an RFC 3339 time such as 2026-01-31T00:00:00Z, or a date such as 2026-01-31",
        )
}

fn parse(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.with_timezone(&Utc));
    }
    for format in [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
    ] {
        if let Ok(naive) = NaiveDateTime::parse_from_str(text, format) {
            return Some(naive.and_utc());
        }
    }
    for format in ["%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M:%S%.f%z"] {
        if let Ok(instant) = DateTime::parse_from_str(text, format) {
            return Some(instant.with_timezone(&Utc));
        }
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .map(|date| date.and_time(chrono::NaiveTime::MIN).and_utc())
}

/// UTC with `Z`: whole seconds, or milli- or microseconds where there are any.
pub fn format_instant(instant: DateTime<Utc>) -> String {
    let format = match instant.timestamp_subsec_micros() {
        0 => SecondsFormat::Secs,
        micros if micros % 1000 == 0 => SecondsFormat::Millis,
        _ => SecondsFormat::Micros,
    };
    instant.to_rfc3339_opts(format, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("2026-01-31", "2026-01-31T00:00:00Z")]
    #[case("2026-01-31T10:20:30Z", "2026-01-31T10:20:30Z")]
    #[case("2026-01-31T10:20:30.5+02:00", "2026-01-31T08:20:30.500Z")]
    #[case("2026-01-31T10:20:30.123456789Z", "2026-01-31T10:20:30.123456Z")]
    #[case("2026-01-31 10:20:30", "2026-01-31T10:20:30Z")]
    fn an_instant(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(
            parse_instant(text).map(format_instant).as_deref(),
            Ok(expected)
        );
    }

    #[rstest]
    #[case("yesterday")]
    #[case("2026-13-01")]
    #[case("-262143-01-01")]
    #[case("+262142-12-31")]
    #[case("0000-01-01T00:00:00+01:00")]
    #[case("")]
    fn not_an_instant(#[case] text: &str) {
        assert!(parse_instant(text).is_err());
    }
}
