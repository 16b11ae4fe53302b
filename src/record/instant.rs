//! Instants as records hold them: UTC with `Z` and at most 6 digits of a second.

use chrono::DateTime;
use tap_sentry_api::time::{format_instant, parse_instant};

/// Whether the text is `YYYY-MM-DDTHH:MM:SS[.f{1,6}]Z` and an instant of the calendar.
pub fn is_plain_instant(text: &[u8]) -> bool {
    let [
        y1,
        y2,
        y3,
        y4,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        i1,
        i2,
        b':',
        s1,
        s2,
        rest @ ..,
    ] = text
    else {
        return false;
    };
    let digit = |d: &u8| {
        if d.is_ascii_digit() {
            u32::from(d - b'0')
        } else {
            u32::MAX / 1000
        }
    };
    let two = |a: &u8, b: &u8| digit(a) * 10 + digit(b);
    let fraction = match rest {
        [b'Z'] => true,
        [b'.', digits @ .., b'Z'] => {
            (1..=6).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    };
    let (year, month, day) = (two(y1, y2) * 100 + two(y3, y4), two(m1, m2), two(d1, d2));
    let date = (1..=12).contains(&month)
        && ((1..=28).contains(&day)
            || i32::try_from(year)
                .is_ok_and(|year| chrono::NaiveDate::from_ymd_opt(year, month, day).is_some()));
    fraction && year <= 9999 && date && two(h1, h2) <= 23 && two(i1, i2) <= 59 && two(s1, s2) <= 59
}

/// The instant in UTC with `Z` and at most 6 digits; the text may also be epoch seconds.
pub fn instant(text: &str) -> Option<String> {
    let parsed = parse_instant(text).ok().or_else(|| {
        let seconds: f64 = text
            .parse()
            .ok()
            .filter(|s: &f64| (0.0..=253_402_300_799.0).contains(s))?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "microseconds of four-digit years fit in 64 bits"
        )]
        DateTime::from_timestamp_micros((seconds * 1e6).round() as i64)
    })?;
    let text = format_instant(parsed);
    (text.len() <= "2026-01-31T00:00:00.000000Z".len() && !text.contains(":60")).then_some(text)
}
