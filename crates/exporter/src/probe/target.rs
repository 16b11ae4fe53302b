//! What a probe is asked about. It is a stranger's text that becomes part of a path, beside which our token travels.

/// No name of Sentry's is longer.
const LONGEST: usize = 100;

/// One or two names of organizations or projects: slugs, or ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    One(String),
    Two(String, String),
}

impl Target {
    /// Reads `NAME` or `NAME/NAME`.
    ///
    /// # Errors
    /// For all else: it may lead to another place or server.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let target = match text.split_once('/') {
            None => Self::One(text.to_owned()),
            Some((first, second)) => Self::Two(first.to_owned(), second.to_owned()),
        };
        let sound = match &target {
            Self::One(name) => is_name(name),
            Self::Two(first, second) => is_name(first) && is_name(second),
        };
        if sound {
            Ok(target)
        } else {
            Err("Target must be a slug, or two of them as organization/project")
        }
    }
}

/// Whether a text can be a slug or an id, and nothing else.
pub fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let dots = text.bytes().all(|byte| byte == b'.');
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(plain) && !dots
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("acme", "acme", None)]
    #[case("acme/web-app_2", "acme", Some("web-app_2"))]
    #[case("4500000000000001/7", "4500000000000001", Some("7"))]
    #[case("Acme.v1", "Acme.v1", None)]
    fn one_name_or_two(#[case] text: &str, #[case] first: &str, #[case] second: Option<&str>) {
        let expected = match second {
            None => Target::One(first.to_owned()),
            Some(second) => Target::Two(first.to_owned(), second.to_owned()),
        };
        assert_eq!(Target::parse(text), Ok(expected));
    }

    #[rstest]
    #[case::nothing("")]
    #[case::a_slash("/")]
    #[case::a_slash_before("/acme")]
    #[case::a_slash_behind("acme/")]
    #[case::two_slashes("acme//api")]
    #[case::three_names("acme/api/issues")]
    #[case::above("..")]
    #[case::above_below("acme/..")]
    #[case::above_first("../api")]
    #[case::here(".")]
    #[case::a_query("acme?x=1")]
    #[case::a_fragment("acme#x")]
    #[case::escaped("acme%2F..")]
    #[case::another_server("//evil.example")]
    #[case::a_url("https://evil.example")]
    #[case::a_user("acme@evil.example")]
    #[case::a_port("acme:80")]
    #[case::a_backslash("acme\\api")]
    #[case::a_space("acme api")]
    #[case::a_line("acme\nHost: x")]
    #[case::another_script("äcme")]
    #[case::a_lookalike("acme\u{2215}api")]
    #[case::what_was_no_text("acme\u{fffd}")]
    fn all_else_is_refused(#[case] text: &str) {
        assert!(Target::parse(text).is_err());
    }

    #[test]
    fn a_name_has_an_end() {
        assert!(Target::parse(&"a".repeat(100)).is_ok());
        assert!(Target::parse(&"a".repeat(101)).is_err());
    }
}
