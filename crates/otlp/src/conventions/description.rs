//! What a span did, in words: Sentry's `description`.

use crate::conventions::{http, name, names};
use crate::seen::Seen;
use std::borrow::Cow;

/// The description of a span with that op: what its SDK has set, the query of a database, the address of a request,
/// the destination of a message, else the span's name; never empty. It is as Sentry's Relay 26.9 makes it.
pub fn description<'a>(seen: &Seen<'a>, op: &str) -> Cow<'a, str> {
    let attributes = seen.attributes();
    if let Some(set) = attributes.text(&["sentry.description"]) {
        return Cow::Borrowed(set);
    }
    let made = match op {
        "http.client" => http::address(attributes).and_then(|url| request(seen, &url)),
        "http.server" => http::route(attributes)
            .or_else(|| http::path(attributes))
            .and_then(|target| request(seen, target)),
        _ if op == "db" || op.starts_with("db.") => {
            names::text(attributes, "db.query.text").map(Cow::Borrowed)
        }
        _ if op.starts_with("queue.") => {
            names::text(attributes, "messaging.destination.name").map(Cow::Borrowed)
        }
        _ => None,
    };
    made.unwrap_or_else(|| name::span_name(seen, op))
}

fn request<'a>(seen: &Seen<'a>, target: &str) -> Option<Cow<'a, str>> {
    let method = http::method(seen.attributes())?;
    Some(Cow::Owned([method, " ", target].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conventions::op::op;
    use crate::testing::span;
    use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
    use rstest::rstest;

    #[rstest]
    #[case(SpanKind::Client, "GET", &[("http.request.method", "GET"), ("url.full", "https://shop/a?b=c")], "GET https://shop/a")]
    #[case(SpanKind::Server, "GET /a", &[("http.method", "GET"), ("http.route", "/a")], "GET /a")]
    #[case(SpanKind::Server, "GET", &[("http.method", "GET"), ("http.target", "/a?b")], "GET /a")]
    #[case(SpanKind::Server, "handler", &[("http.method", "GET")], "handler")]
    #[case(SpanKind::Client, "SELECT", &[("db.system", "mysql"), ("db.statement", "SELECT 1")], "SELECT 1")]
    #[case(SpanKind::Client, "SELECT", &[("db.system", "mysql")], "SELECT")]
    #[case(SpanKind::Producer, "send orders", &[("messaging.destination", "orders")], "orders")]
    #[case(SpanKind::Internal, "", &[], "unnamed span")]
    #[case(SpanKind::Internal, "x", &[("sentry.description", "y")], "y")]
    fn a_description_says_what_was_done(
        #[case] kind: SpanKind,
        #[case] name: &str,
        #[case] pairs: &[(&str, &str)],
        #[case] expected: &str,
    ) {
        let span = span(name, kind, pairs);
        let seen = Seen::alone(&span);
        assert_eq!(description(&seen, &op(&seen)), expected);
    }
}
