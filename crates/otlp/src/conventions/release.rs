//! The release that a span or log record belongs to.

use crate::attributes::Attributes;
use crate::conventions::left_out::{LeftOut, Rule};
use crate::seen::Seen;
use crate::terms::Terms;

const RULE: Rule = Rule {
    what: "release",
    longest: 200,
    reserved: &[".", "..", "latest"],
};

/// What the span's SDK has set, else the first of the attributes that the settings name; none where nothing is set.
pub fn release<'a>(seen: &Seen<'a>, terms: &Terms) -> Result<Option<&'a str>, LeftOut> {
    release_of(seen.attributes(), seen.resource, terms)
}

/// The same of what has such attributes of its own.
pub fn release_of<'a>(
    own: Attributes<'a>,
    resource: Attributes<'a>,
    terms: &Terms,
) -> Result<Option<&'a str>, LeftOut> {
    let set = own.text(&["sentry.release"]);
    let named = || {
        let names = terms.release_from.iter();
        names
            .map(|name| resource.text(&[name]))
            .find_map(|text| text)
    };
    RULE.check(set.or_else(named))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conventions::left_out::Why;
    use crate::testing::{attributes, span};
    use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
    use rstest::rstest;

    #[rstest]
    #[case("shop@1.0 ", Ok("shop@1.0"))]
    #[case("unknown", Ok("unknown"))]
    #[case("feature/x", Err(Why::Character('/')))]
    #[case("a\nb", Err(Why::Character('\n')))]
    #[case("Latest", Err(Why::Reserved))]
    #[case("..", Err(Why::Reserved))]
    fn a_release_is_what_sentry_keeps(#[case] value: &str, #[case] expected: Result<&str, Why>) {
        let resource = attributes(&[("service.version", value)]);
        let span = span("x", SpanKind::Server, &[]);
        let seen = Seen {
            resource: Attributes(&resource),
            ..Seen::alone(&span)
        };
        let found = release(&seen, &Terms::default());
        assert_eq!(found.map_err(|left_out| left_out.why), expected.map(Some));
    }

    #[test]
    fn what_the_sdk_has_set_wins() {
        let resource = attributes(&[("service.version", "1"), ("git.sha", "abc")]);
        let plain = span("x", SpanKind::Server, &[]);
        let set = span("x", SpanKind::Server, &[("sentry.release", "2")]);
        let terms = Terms {
            release_from: vec!["git.sha".to_owned(), "service.version".to_owned()],
            ..Terms::default()
        };
        let found = |span| {
            let resource = Attributes(&resource);
            release(
                &Seen {
                    resource,
                    ..Seen::alone(span)
                },
                &terms,
            )
        };
        assert_eq!(found(&plain), Ok(Some("abc")));
        assert_eq!(found(&set), Ok(Some("2")));
    }

    #[test]
    fn why_it_is_left_out_can_be_read() {
        let left_out = RULE.check(Some("a/b")).expect_err("left out");
        assert_eq!(
            left_out.to_string(),
            "the release \"a/b\" is left out, Sentry would not keep it: it has '/' in it"
        );
    }
}
