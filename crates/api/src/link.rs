//! Cursors and the `Link` header.

/// An opaque position in a list. Sent back as it came, only percent-encoded: some paginators' cursors are base64.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cursor(pub String);

impl Cursor {
    /// The query that asks for what is there.
    pub fn query(&self) -> (&'static str, String) {
        ("cursor", self.0.clone())
    }

    /// The place one row further on than `at`, or than the list's begin, where the list is read row by row. The middle
    /// of a cursor's three numbers counts rows, after the key or score that the first names; or, `by_page`, pages of as
    /// many rows as the first says (sentry/api/paginator.py). `None`: a cursor of another kind.
    pub fn after_one_row(at: Option<&Self>, by_page: bool) -> Option<Self> {
        let Some(Self(at)) = at else {
            return Some(Self(format!("{}:1:0", u8::from(by_page))));
        };
        let mut parts = at.rsplitn(3, ':');
        let (previous, offset, value) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self(format!(
            "{value}:{}:{previous}",
            offset.parse::<u64>().ok()?.checked_add(1)?
        )))
    }
}

/// What follows a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    Page(Cursor),
    Nothing,
}

/// What the header says of the next page, if anything.
///
/// Sentry always names both neighbours, `previous` first, each with `results="true"` or `"false"`. Only the `cursor`
/// attribute of `rel="next"` with `results="true"` is taken: the URL beside it is built from the server's own idea of
/// its address, which may be another host, and its query is not encoded.
/// (<https://docs.sentry.io/api/pagination/>; `sentry/api/base.py`, `build_cursor_link`)
pub fn next_page(link: &str) -> Option<Next> {
    links(link).find_map(|attributes| {
        let get = |name| {
            attributes
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| *value)
        };
        match (get("rel")?, get("results")?) {
            ("next", "true") => get("cursor")
                .filter(|cursor| !cursor.is_empty())
                .map(|cursor| Next::Page(Cursor(cursor.to_owned()))),
            ("next", "false") => Some(Next::Nothing),
            _ => None,
        }
    })
}

/// The attributes of each `<url>; key="value"; ...` of the header. Commas and semicolons inside the URL or inside
/// quotes do not separate.
fn links(header: &str) -> impl Iterator<Item = Vec<(&str, &str)>> {
    let mut rest = header;
    std::iter::from_fn(move || {
        let (_, after_url) = rest.split_once('<')?.1.split_once('>')?;
        rest = after_url;
        let mut attributes = Vec::new();
        while let Some(attribute) = rest.trim_start().strip_prefix(';') {
            let Some((key, value)) = attribute.split_once('=') else {
                break;
            };
            let value = value.trim_start();
            let (value, after) = match value.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => value.split_at(value.find([';', ',']).unwrap_or(value.len())),
            };
            attributes.push((key.trim(), value.trim_end()));
            rest = after;
        }
        Some(attributes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case::more(r#"<https://sentry.io/api/0/x/?&cursor=0:0:1>; rel="previous"; results="false"; cursor="0:0:1", <https://sentry.io/api/0/x/?&cursor=0:100:0>; rel="next"; results="true"; cursor="0:100:0""#, page("0:100:0"))]
    #[case::last(r#"<https://a/?&cursor=0:0:1>; rel="previous"; results="true"; cursor="0:0:1", <https://a/?&cursor=0:100:0>; rel="next"; results="false"; cursor="0:100:0""#, Some(Next::Nothing))]
    #[case::comma_and_semicolon_in_the_url(r#"<https://a/?q=a,b;c&cursor=1>; rel="previous"; results="true"; cursor="1", <https://a/?q=a,b;c>; rel="next"; results="true"; cursor="Zm9v+/==:0:0""#, page("Zm9v+/==:0:0"))]
    #[case::unquoted("<u>; rel=next; results=true; cursor=1:2:0", page("1:2:0"))]
    #[case::other_order(r#"<u>; cursor="c"; results="true"; rel="next""#, page("c"))]
    #[case::empty_cursor(r#"<u>; rel="next"; results="true"; cursor="""#, None)]
    #[case::nothing("", None)]
    #[case::cut(r#"<u>; rel="next"; results="true"; cursor="#, None)]
    #[case::no_results(r#"<u>; rel="next"; cursor="1:0:0""#, None)]
    #[case::previous_only(r#"<u>; rel="previous"; results="false"; cursor="1:0:1""#, None)]
    fn what_a_header_says_of_the_next_page(#[case] header: &str, #[case] expected: Option<Next>) {
        assert_eq!(next_page(header), expected);
    }

    #[rstest]
    #[case::the_begin_of_rows(None, false, Some("0:1:0"))]
    #[case::the_begin_of_pages(None, true, Some("1:1:0"))]
    #[case::rows(Some("0:99:0"), false, Some("0:100:0"))]
    #[case::rows_of_one_score(Some("1795174368000:0:0"), false, Some("1795174368000:1:0"))]
    #[case::pages(Some("1:7:0"), true, Some("1:8:0"))]
    #[case::of_another_kind(Some("Zm9v"), false, None)]
    #[case::that_counts_nothing(Some("a:b:0"), false, None)]
    fn one_row_further_on(
        #[case] at: Option<&str>,
        #[case] by_page: bool,
        #[case] expected: Option<&str>,
    ) {
        let at = at.map(|at| Cursor(at.to_owned()));
        assert_eq!(
            Cursor::after_one_row(at.as_ref(), by_page),
            expected.map(|next| Cursor(next.to_owned()))
        );
    }

    #[expect(clippy::unnecessary_wraps, reason = "what a case expects")]
    fn page(cursor: &str) -> Option<Next> {
        Some(Next::Page(Cursor(cursor.to_owned())))
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_a_panic(header in r#"[<>;,="a-z0-9: ]{0,80}"#) {
            let _ = next_page(&header);
        }
    }
}
