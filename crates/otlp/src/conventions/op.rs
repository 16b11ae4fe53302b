//! What kind of work a span was: Sentry's `op`.

use crate::conventions::names;
use crate::conventions::text::short;
use crate::seen::Seen;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use std::borrow::Cow;

/// Sentry cuts an op beyond so many characters (sentry-relay 0.10.1).
const LONGEST: usize = 128;

/// The op of a span of which nothing is known; what Sentry itself would take.
pub const DEFAULT: &str = "default";

/// The op of a message that is sent; one of those that Sentry's view of queues shows.
pub const PUBLISH: &str = "queue.publish";

/// The op of a message that is worked on.
pub const PROCESS: &str = "queue.process";

/// What is made of an attribute.
#[derive(Debug, Clone, Copy)]
enum Made {
    /// By the kind of the span.
    Http,
    Always(&'static str),
    /// The value behind this text.
    Behind(&'static str),
}

/// The first attribute that is there decides, in the order in which Sentry's Relay 26.9 looks for them.
const RULES: &[(&str, Made)] = &[
    ("http.request.method", Made::Http),
    ("db.system.name", Made::Always("db")),
    ("gen_ai.operation.name", Made::Behind("gen_ai.")),
    ("rpc.service", Made::Always("rpc")),
    ("rpc.system.name", Made::Always("rpc")),
    ("messaging.system", Made::Always("message")),
    ("faas.trigger", Made::Behind("")),
];

/// The op of a span: what its SDK has set, else by its kind for messages, else by its attributes.
pub fn op<'a>(seen: &Seen<'a>) -> Cow<'a, str> {
    let attributes = seen.attributes();
    if let Some(set) = attributes.text(&["sentry.op"]) {
        return short(set, LONGEST);
    }
    match seen.span.kind() {
        SpanKind::Producer => return Cow::Borrowed(PUBLISH),
        SpanKind::Consumer => return Cow::Borrowed(PROCESS),
        _ => {}
    }
    let made = RULES
        .iter()
        .find_map(|(name, made)| Some((names::text(attributes, name)?, *made)));
    match made {
        Some((_, Made::Http)) => Cow::Borrowed(http(seen)),
        Some((_, Made::Always(op))) => Cow::Borrowed(op),
        Some((value, Made::Behind(""))) => short(value, LONGEST),
        Some((value, Made::Behind(prefix))) => {
            Cow::Owned(short(&format!("{prefix}{value}"), LONGEST).into_owned())
        }
        None => Cow::Borrowed(DEFAULT),
    }
}

fn http(seen: &Seen<'_>) -> &'static str {
    match seen.span.kind() {
        SpanKind::Client => "http.client",
        SpanKind::Server => "http.server",
        _ if seen.attributes().get("sentry.http.prefetch").is_some() => "http.prefetch",
        _ => "http",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::span;
    use rstest::rstest;

    #[rstest]
    #[case(SpanKind::Server, &[("http.method", "GET")], "http.server")]
    #[case(SpanKind::Client, &[("http.request.method", "GET")], "http.client")]
    #[case(SpanKind::Internal, &[("http.request.method", "GET")], "http")]
    #[case(SpanKind::Client, &[("db.system", "mysql")], "db")]
    #[case(SpanKind::Client, &[("http.request.method", "GET"), ("db.system.name", "elasticsearch")], "http.client")]
    #[case(SpanKind::Client, &[("gen_ai.operation.name", "chat")], "gen_ai.chat")]
    #[case(SpanKind::Server, &[("rpc.service", "Users")], "rpc")]
    #[case(SpanKind::Server, &[("rpc.system", "grpc")], "rpc")]
    #[case(SpanKind::Internal, &[("messaging.system", "kafka")], "message")]
    #[case(SpanKind::Producer, &[("messaging.system", "kafka")], "queue.publish")]
    #[case(SpanKind::Consumer, &[], "queue.process")]
    #[case(SpanKind::Consumer, &[("sentry.op", "queue.task")], "queue.task")]
    #[case(SpanKind::Server, &[("faas.trigger", "timer")], "timer")]
    #[case(SpanKind::Internal, &[], "default")]
    fn an_op_is_made_of_kind_and_attributes(
        #[case] kind: SpanKind,
        #[case] pairs: &[(&str, &str)],
        #[case] expected: &str,
    ) {
        let span = span("x", kind, pairs);
        assert_eq!(op(&Seen::alone(&span)), expected);
    }

    #[test]
    fn an_op_is_as_long_as_sentry_keeps_it() {
        let span = span("x", SpanKind::Internal, &[("sentry.op", &"x".repeat(200))]);
        assert_eq!(op(&Seen::alone(&span)).len(), 128);
    }
}
