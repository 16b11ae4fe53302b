//! Texts from outside, made fit for a message.

use std::borrow::Cow;

/// A name from a file or an answer may hold line breaks, or what moves a terminal's cursor.
pub fn one_line(text: &str) -> Cow<'_, str> {
    let plain = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    if text.contains(char::is_control) {
        text.chars().map(plain).collect()
    } else {
        Cow::Borrowed(text)
    }
}

/// A text that came from outside, for a message: on one line and not endless.
pub fn brief(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => one_line(&text[..end]).into_owned() + "…",
        None => one_line(text).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_on_one_line_and_not_endless() {
        assert_eq!(one_line("a\n\u{1b}[31mb"), "a\\n\\u{1b}[31mb");
        assert_eq!(brief("short"), "short");
        let long = brief(&"é".repeat(300));
        assert_eq!(long.chars().count(), 201);
        assert!(long.ends_with('…'));
    }
}
