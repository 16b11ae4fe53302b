//! Halves of characters in JSON. JavaScript's SDK cuts texts between the two halves of an emoji, and JSON has an escape for a
//! half, which is no text: for one such attribute the whole span would be lost.

use serde_json::Value;

/// In the place of a half, as everywhere.
const REPLACEMENT: &str = "fffd";

/// Reads a text of JSON, in which halves of characters become U+FFFD.
///
/// # Errors
/// When it is no JSON even so.
pub fn parse(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text).or_else(|error| match mended(text) {
        Some(mended) => serde_json::from_str(&mended),
        None => Err(error),
    })
}

/// The text with replacements for halves; none: it has no such.
fn mended(text: &str) -> Option<String> {
    let mut mended = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = text[at..].find('\\') {
        let escape = at + found;
        at = match unit(text, escape) {
            Some(0xd800..=0xdbff) if matches!(unit(text, escape + 6), Some(0xdc00..=0xdfff)) => {
                escape + 12
            }
            Some(0xd800..=0xdfff) => {
                mended.push_str(&text[copied..escape + 2]);
                mended.push_str(REPLACEMENT);
                copied = escape + 6;
                copied
            }
            Some(_) => escape + 6,
            // Another escape, of one character; what is none is found by the parser.
            None => escape + 1 + text[escape + 1..].chars().next().map_or(0, char::len_utf8),
        };
    }
    (copied > 0).then(|| mended + &text[copied..])
}

/// The number of the escape `\uXXXX` that begins there, if one does.
fn unit(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case::first(r#""a\ud83d""#, "a\u{fffd}")]
    #[case::second(r#""\uDE00b""#, "\u{fffd}b")]
    #[case::both(r#""\ud83d\ude00\ud83d""#, "😀\u{fffd}")]
    #[case::wrong_order(r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}")]
    #[case::an_escaped_backslash(r#""\\ud83d \ud83d""#, "\\ud83d \u{fffd}")]
    #[case::beside_others(r#""\n\ud83dä\t""#, "\n\u{fffd}ä\t")]
    fn halves_are_replaced(#[case] json: &str, #[case] text: &str) {
        assert_eq!(parse(json).expect("JSON"), text);
    }

    #[rstest]
    #[case(r#""\ud83d"#)]
    #[case(r#""\ud8""#)]
    #[case(r#""\+d83""#)]
    #[case(r#""\"#)]
    #[case(r#""\ä\ud83d""#)]
    fn what_is_no_json_is_none(#[case] text: &str) {
        parse(text).expect_err("no JSON");
    }

    proptest! {
        #[test]
        fn any_halves_are_read_as_everybody_reads_them(units in vec(prop_oneof![
            any::<u16>(), 0xd7f0_u16..0xe010, 0xd800_u16..0xe000,
        ], 0..12)) {
            let escapes = units.iter().map(|unit| format!("\\u{unit:04x}"));
            let json = escapes.collect::<Vec<_>>().concat();
            let read = parse(&format!("\"{json}\"")).expect("JSON");
            prop_assert_eq!(read, String::from_utf16_lossy(&units));
        }

        #[test]
        fn any_text_does_no_harm(text in "[\\\\ud8cE0\"äx]{0,40}") {
            let _ = (parse(&text), mended(&text));
        }
    }
}
