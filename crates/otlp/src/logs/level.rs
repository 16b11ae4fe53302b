//! The level of a log, of which Sentry has six.

/// From the lowest; OpenTelemetry has four numbers for each.
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];

/// What texts of other systems mean; Relay 26.9 reads the first two as these, and all others that are no levels as `info`.
const OTHERS: &[(&str, &str)] = &[
    ("information", "info"),
    ("warning", "warn"),
    ("verbose", "trace"),
    ("notice", "info"),
    ("err", "error"),
    ("severe", "error"),
    ("critical", "fatal"),
    ("alert", "fatal"),
    ("emergency", "fatal"),
    ("panic", "fatal"),
];

/// The level of a severity, by its number, or by its text where the number says nothing.
pub fn level(number: i32, text: &str) -> &'static str {
    let place = usize::try_from(number.saturating_sub(1))
        .ok()
        .map(|from_0| from_0 / 4);
    let by_number = place.and_then(|place| LEVELS.get(place));
    by_number
        .copied()
        .or_else(|| by_text(text))
        .unwrap_or("info")
}

/// The severity number of a text, the first of its level.
pub fn number(text: &str) -> Option<i32> {
    let level = by_text(text)?;
    let place = LEVELS.iter().position(|known| *known == level)?;
    i32::try_from(place * 4 + 1).ok()
}

fn by_text(text: &str) -> Option<&'static str> {
    let text = text.trim();
    let known = LEVELS.iter().map(|level| (*level, *level));
    let mut known = known.chain(OTHERS.iter().copied());
    known
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
        .map(|(_, level)| level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::first(1, "", "trace")]
    #[case::fourth(4, "", "trace")]
    #[case::number_wins(12, "ERROR", "info")]
    #[case::last(24, "", "fatal")]
    #[case::beyond(25, "warning", "warn")]
    #[case::below(-1, "Debug", "debug")]
    #[case::lowest(i32::MIN, "", "info")]
    #[case::text(0, "CRITICAL", "fatal")]
    #[case::unknown(0, "loud", "info")]
    fn numbers_and_texts_are_levels(
        #[case] number: i32,
        #[case] text: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(level(number, text), expected);
    }

    #[rstest]
    #[case("Critical", Some(21))]
    #[case("trace", Some(1))]
    #[case("loud", None)]
    fn a_text_has_a_number(#[case] text: &str, #[case] expected: Option<i32>) {
        assert_eq!(number(text), expected);
    }
}
