//! The environment that a span or log record belongs to.

use crate::attributes::Attributes;
use crate::conventions::left_out::{LeftOut, Rule};
use crate::seen::Seen;
use crate::terms::Terms;

const RULE: Rule = Rule {
    what: "environment",
    longest: 64,
    reserved: &[".", "..", "none"],
};

/// The one of the settings, else what the span's SDK has set, else the resource's; none where nothing is set.
pub fn environment<'a>(seen: &Seen<'a>, terms: &'a Terms) -> Result<Option<&'a str>, LeftOut> {
    environment_of(seen.attributes(), seen.resource, terms)
}

/// The same of what has such attributes of its own.
pub fn environment_of<'a>(
    own: Attributes<'a>,
    resource: Attributes<'a>,
    terms: &'a Terms,
) -> Result<Option<&'a str>, LeftOut> {
    let set = || own.text(&["sentry.environment"]);
    let of_resource = || {
        let names = ["deployment.environment.name", "deployment.environment"];
        resource.text(&names)
    };
    RULE.check(
        terms
            .environment
            .as_deref()
            .or_else(set)
            .or_else(of_resource),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conventions::left_out::Why;
    use crate::testing::{attributes, span};
    use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
    use rstest::rstest;

    #[rstest]
    #[case("production", Ok("production"))]
    #[case("two words", Ok("two words"))]
    #[case("None", Err(Why::Reserved))]
    #[case("..", Err(Why::Reserved))]
    #[case("a/b", Err(Why::Character('/')))]
    #[case("a\\b", Err(Why::Character('\\')))]
    #[case("a\u{7f}b", Err(Why::Character('\u{7f}')))]
    #[case(&"ä".repeat(33), Err(Why::TooLong { most: 64 }))]
    #[case(&"x".repeat(65), Err(Why::TooLong { most: 64 }))]
    fn an_environment_is_what_sentry_keeps(
        #[case] value: &str,
        #[case] expected: Result<&str, Why>,
    ) {
        let resource = attributes(&[("deployment.environment", value)]);
        let span = span("x", SpanKind::Server, &[]);
        let seen = Seen {
            resource: Attributes(&resource),
            ..Seen::alone(&span)
        };
        let terms = Terms::default();
        let found = environment(&seen, &terms).map_err(|left_out| left_out.why);
        assert_eq!(found, expected.map(Some));
    }

    #[test]
    fn the_setting_wins() {
        let terms = Terms {
            environment: Some("ours".to_owned()),
            ..Terms::default()
        };
        let span = span("x", SpanKind::Server, &[("sentry.environment", "theirs")]);
        let seen = Seen::alone(&span);
        assert_eq!(environment(&seen, &terms), Ok(Some("ours")));
        assert_eq!(environment(&seen, &Terms::default()), Ok(Some("theirs")));
    }
}
