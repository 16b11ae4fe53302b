//! Texts as long as Sentry keeps them, and of one line where it wants that.

use std::borrow::Cow;

/// What stands where a text was cut; Sentry's own mark.
const CUT: &str = "...";

/// A text of at most so many characters, the mark of the cut among them.
pub fn short(text: &str, most: usize) -> Cow<'_, str> {
    // A character has a byte at least.
    if text.len() <= most || text.chars().nth(most).is_none() {
        return Cow::Borrowed(text);
    }
    let kept = most.saturating_sub(CUT.len());
    let end = text
        .char_indices()
        .nth(kept)
        .map_or(text.len(), |(at, _)| at);
    Cow::Owned(format!("{}{CUT}", &text[..end]))
}

/// A text without blanks around it, line ends within it turned into spaces; none where nothing is left.
pub fn line(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    if text.is_empty() {
        None
    } else if text.bytes().any(|byte| matches!(byte, b'\n' | b'\r')) {
        Some(Cow::Owned(text.replace(['\n', '\r'], " ")))
    } else {
        Some(Cow::Borrowed(text))
    }
}

/// A line of at most so many characters.
pub fn short_line(text: &str, most: usize) -> Option<String> {
    line(text).map(|text| short(&text, most).into_owned())
}

/// How many bytes a text has as JSON, at most.
pub fn cost(text: &str) -> usize {
    let of_byte = |byte| match byte {
        b'"' | b'\\' => 2,
        ..=0x1f => 6,
        _ => 1,
    };
    text.bytes().map(of_byte).sum()
}

/// Bytes as hexadecimal digits. `hex::encode` makes them character by character, which takes several times as long.
pub fn hex(bytes: &[u8]) -> String {
    let mut digits = vec![0; 2 * bytes.len()];
    // It fails where there is another number of digits.
    let _ = hex::encode_to_slice(bytes, &mut digits);
    String::from_utf8(digits).unwrap_or_default()
}

/// An id as so many hexadecimal digits, without memory of its own on the heap.
#[derive(Debug, Clone, Copy)]
pub struct Hex<const DIGITS: usize>([u8; DIGITS]);

impl<const DIGITS: usize> Hex<DIGITS> {
    /// An id of half as many bytes; zeros for one of another length.
    pub fn of(id: &[u8]) -> Self {
        let mut digits = [b'0'; DIGITS];
        // It fails where there is another number of digits.
        let _ = hex::encode_to_slice(id, &mut digits);
        Self(digits)
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("abcdef", 6, "abcdef")]
    #[case("abcdefg", 6, "abc...")]
    #[case("äöüäöü", 6, "äöüäöü")]
    #[case("äöüäöüä", 6, "äöü...")]
    #[case("abc", 0, "...")]
    fn a_text_is_cut_between_characters(
        #[case] text: &str,
        #[case] most: usize,
        #[case] cut: &str,
    ) {
        assert_eq!(short(text, most), cut);
    }

    #[test]
    fn digits_are_those_of_hex() {
        let bytes: Vec<u8> = (0..=u8::MAX).collect();
        assert_eq!(hex(&bytes), hex::encode(&bytes));
        assert_eq!(hex(&[]), "");
        assert_eq!(Hex::<16>::of(&bytes[8..16]).as_str(), "08090a0b0c0d0e0f");
        assert_eq!(Hex::<4>::of(&bytes).as_str(), "0000");
    }

    #[rstest]
    #[case(" a\nb\r\nc ", Some("a b  c"))]
    #[case("a", Some("a"))]
    #[case(" \n", None)]
    fn a_line_has_no_line_ends(#[case] text: &str, #[case] one: Option<&str>) {
        assert_eq!(line(text).as_deref(), one);
    }
}
