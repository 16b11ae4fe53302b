//! Durations as people write them in flags and files.

use std::time::Duration;

/// The units, longest first, and their nanoseconds. Libraries that read such texts take spaces, signs and words too.
const UNITS: [(&str, u128); 4] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no duration; write for example `250ms`, `60s`, `5m`, `1h30m`, or a number of seconds"
)]
pub struct DurationError(String);

/// Reads `250ms`, `60s`, `1.5s`, `5m`, `1h30m`, or a number of seconds. Units stand from the longest to the shortest.
///
/// # Errors
/// For anything else, more than 2^64 - 1 nanoseconds (584 years) too.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let error = || DurationError(text.escape_debug().take(40).collect());
    let nanoseconds = nanoseconds(text).ok_or_else(error)?;
    Ok(Duration::from_nanos(
        u64::try_from(nanoseconds).map_err(|_| error())?,
    ))
}

fn nanoseconds(text: &str) -> Option<u128> {
    let split = |text: &str, number: bool| {
        let end = text.find(|c: char| (c.is_ascii_digit() || c == '.') != number);
        end.unwrap_or(text.len())
    };
    let (mut sum, mut rest, mut units) = (0_u128, text, &UNITS[..]);
    loop {
        let (number, after) = rest.split_at(split(rest, true));
        let (unit, after) = after.split_at(split(after, false));
        let nanoseconds = if unit.is_empty() && rest == text {
            UNITS[2].1
        } else {
            let place = units.iter().position(|(name, _)| *name == unit)?;
            let (_, nanoseconds) = units[place];
            units = &units[place + 1..];
            nanoseconds
        };
        sum = sum.checked_add(times(number, nanoseconds)?)?;
        rest = after;
        if rest.is_empty() {
            return Some(sum);
        }
    }
}

/// A number like `1` or `1.5`, as so many units; beyond nanoseconds digits do not count.
fn times(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (number, ""),
    };
    let mut sum = whole.parse::<u128>().ok()?.checked_mul(unit)?;
    let mut part = unit;
    for digit in fraction.chars() {
        part /= 10;
        sum = sum.checked_add(part * u128::from(digit.to_digit(10)?))?;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("250ms", 250)]
    #[case("60s", 60_000)]
    #[case("5m", 300_000)]
    #[case("2h", 7_200_000)]
    #[case("1h30m", 5_400_000)]
    #[case("1h0m1s5ms", 3_601_005)]
    #[case("1.5s", 1_500)]
    #[case("0", 0)]
    #[case("0s", 0)]
    #[case("60", 60_000)]
    #[case("0.25", 250)]
    #[case("1.5h", 5_400_000)]
    #[case("1m0.5s", 60_500)]
    #[case("0.0010000000000001", 1)]
    fn a_duration_is_read(#[case] text: &str, #[case] milliseconds: u64) {
        assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)));
    }

    #[rstest]
    #[case::nothing("")]
    #[case::a_unit_alone("s")]
    #[case::a_dot(".")]
    #[case::a_word("soon")]
    #[case::a_long_unit("5 minutes")]
    #[case::a_unit_spelt_out("5min")]
    #[case::a_day("1d")]
    #[case::a_year("1y")]
    #[case::another_case("5M")]
    #[case::microseconds("5us")]
    #[case::a_space("5 m")]
    #[case::a_space_between("1h 30m")]
    #[case::around(" 5m ")]
    #[case::below_zero("-5s")]
    #[case::signed("+5s")]
    #[case::an_exponent("1e3")]
    #[case::an_exponent_and_a_unit("1e3s")]
    #[case::endless("inf")]
    #[case::no_number("NaN")]
    #[case::two_dots("1.5.0s")]
    #[case::a_dot_without_a_digit_before(".5s")]
    #[case::a_dot_without_a_digit_behind("5.s")]
    #[case::a_number_behind_a_unit("1h30")]
    #[case::units_turned_round("30m1h")]
    #[case::a_unit_twice("1m1m")]
    #[case::a_comma("1,5s")]
    #[case::a_digit_of_another_script("٣s")]
    #[case::quoted("\"5s\"")]
    #[case::too_long("99999999999999999999h")]
    #[case::far_too_long("999999999999999999999999999999999999999999h")]
    #[case::a_line("5s\n")]
    fn anything_else_is_refused(#[case] text: &str) {
        let error = parse(text).expect_err("no duration").to_string();
        assert!(error.contains("is no duration; write"), "{error}");
    }
}
