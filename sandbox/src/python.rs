//! Numbers in texts as Python reads them, since it is Python that reads them at Sentry.

/// `int()`: blanks around it, a sign, and underscores between digits are no mistakes. Numbers beyond 64 bits are the
/// largest there are.
pub fn int(text: &str) -> Option<i64> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = bare(digits).filter(|digits| !digits.is_empty())?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse().unwrap_or(i64::MAX);
    Some(if negative { -number } else { number })
}

/// `float()`, with the same liberties.
pub fn float(text: &str) -> Option<f64> {
    bare(text.trim())?.parse().ok()
}

/// Without its underscores; `None` if one is not between two digits.
fn bare(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at))
            .is_some_and(u8::is_ascii_digit)
    };
    bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'_')
        .all(|(at, _)| digit(at.checked_sub(1)) && digit(Some(at + 1)))
        .then(|| text.replace('_', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        for (text, number) in [
            ("0_0_0", 0),
            ("1_795_174", 1_795_174),
            (" 7\n", 7),
            ("+7", 7),
            ("-1", -1),
            ("007", 7),
            ("99999999999999999999", i64::MAX),
        ] {
            assert_eq!(int(text), Some(number), "{text:?}");
        }
        for text in [
            "", "_1", "1_", "1__0", "1.0", "0x1", "1e3", "- 1", "--1", "one", "+_1",
        ] {
            assert_eq!(int(text), None, "{text:?}");
        }
    }

    #[test]
    fn floats() {
        for (text, number) in [
            ("1.5", 1.5),
            ("1_0.2_5", 10.25),
            (".5", 0.5),
            (" 5. ", 5.0),
            ("1.5e3", 1_500.0),
        ] {
            assert_eq!(float(text), Some(number), "{text:?}");
        }
        for text in ["", "1_.5", "1._5", "_1.5", "1.5.0", "1.5x"] {
            assert_eq!(float(text), None, "{text:?}");
        }
    }
}
