//! Pages for people, where JSON was asked for.

use crate::text::brief;

/// A title is looked for no further into a page.
pub const HEAD: usize = 64 << 10;

/// A page for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Html {
    pub title: Option<String>,
}

impl std::fmt::Display for Html {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.title {
            Some(title) => write!(f, "an HTML page with the title \u{201c}{title}\u{201d}"),
            None => f.write_str("an HTML page"),
        }
    }
}

/// What a body is that is an HTML page.
pub fn page(body: &[u8]) -> Option<Html> {
    let body = body
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(body)
        .trim_ascii_start();
    if !body.starts_with(b"<") {
        return None;
    }
    let head = String::from_utf8_lossy(&body[..body.len().min(HEAD)]);
    // Of the same length, so that what is found in one can be cut out of the other.
    let lower = head.to_ascii_lowercase();
    if ![
        "<!doctype html",
        "<html",
        "<head",
        "<title",
        "<body",
        "<script",
    ]
    .iter()
    .any(|tag| lower.contains(tag))
    {
        return None;
    }
    let title = lower.find("<title").and_then(|tag| {
        let begin = tag + lower[tag..].find('>')? + 1;
        let end = begin
            + lower[begin..]
                .find("</title")
                .or_else(|| lower[begin..].find('<'))?;
        let title = head[begin..end]
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        (!title.is_empty()).then(|| brief(&title))
    });
    Some(Html { title })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("<!DOCTYPE html><html><head><title>Sign in</title>", Some("Sign in"))]
    #[case(
        "\u{feff}\n <html lang=\"en\"><Title>\n a &amp;\tb\n</Title>",
        Some("a &amp; b")
    )]
    #[case("<!-- by hand --><title>cut off<body>", Some("cut off"))]
    #[case("<html><title></title><p>hello", None)]
    #[case("<html><title>never ends", None)]
    #[case("<html><title", None)]
    #[case("<html>İ<title>\u{1b}[31mred</title>", Some("\\u{1b}[31mred"))]
    fn a_page_is_named_by_its_title(#[case] body: &str, #[case] title: Option<&str>) {
        assert_eq!(
            page(body.as_bytes()),
            Some(Html {
                title: title.map(str::to_owned)
            })
        );
    }

    #[rstest]
    #[case("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>")]
    #[case("[\"<title>no</title>\"]")]
    #[case("<")]
    #[case("")]
    fn what_is_no_page_is_not_taken_for_one(#[case] body: &str) {
        assert_eq!(page(body.as_bytes()), None);
    }
}
