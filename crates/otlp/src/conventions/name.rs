//! The name of a transaction, and where it comes from: Sentry groups by both.

use crate::attributes::Attributes;
use crate::conventions::text::{line, short};
use crate::conventions::{http, names, op};
use crate::seen::Seen;
use std::borrow::Cow;

/// Sentry cuts a name beyond so many characters (sentry-relay 0.10.1).
const LONGEST: usize = 200;

/// The name of a span that says nothing of itself.
const UNNAMED: &str = "unnamed span";

/// A name of a database span longer than that is not one, but its query.
const LONGEST_OF_DATABASE: usize = 100;

/// Names made of attributes, for spans without a name of their own: the first whose attributes are all there.
const MADE: &[(&str, &[&str])] = &[
    ("db", &["db.query.summary"]),
    ("db", &["db.operation.name", "db.collection.name"]),
    ("db", &["db.operation.name", "db.stored_procedure.name"]),
    ("db", &["db.operation.name", "db.namespace"]),
    ("db", &["db.operation.name"]),
    ("db", &["db.collection.name"]),
    ("db", &["db.stored_procedure.name"]),
    ("db", &["db.namespace"]),
    ("db", &["db.system.name"]),
    ("http", &["http.request.method", "http.route"]),
    ("http", &["http.request.method", "url.template"]),
    ("http.client", &["http.request.method", "url.domain"]),
    ("http.client", &["http.request.method", "server.address"]),
    ("http", &["http.request.method"]),
    ("rpc", &["rpc.service", "rpc.method"]),
    ("rpc", &["rpc.method"]),
    ("rpc", &["rpc.service"]),
    (
        "queue",
        &["messaging.operation.type", "messaging.destination.name"],
    ),
    (
        "queue",
        &["messaging.operation.name", "messaging.destination.name"],
    ),
    ("queue", &["messaging.destination.name"]),
    (
        "message",
        &["messaging.operation.name", "messaging.destination.name"],
    ),
    ("message", &["messaging.destination.name"]),
    ("gen_ai", &["gen_ai.operation.name", "gen_ai.agent.name"]),
    ("gen_ai", &["gen_ai.operation.name", "gen_ai.request.model"]),
    ("", &["faas.name"]),
    ("", &["code.function.name"]),
];

/// Where the name of a transaction with that op comes from, if its name is the span's.
const SOURCES: &[(&str, Source)] = &[
    ("db", Source::Task),
    ("message", Source::Task),
    ("queue", Source::Task),
    ("rpc", Source::Route),
];

/// Sentry's `transaction_info.source`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Component,
    Custom,
    Route,
    Task,
    Url,
    View,
}

impl Source {
    const ALL: [Self; 6] = [
        Self::Component,
        Self::Custom,
        Self::Route,
        Self::Task,
        Self::Url,
        Self::View,
    ];

    /// As Sentry writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::Custom => "custom",
            Self::Route => "route",
            Self::Task => "task",
            Self::Url => "url",
            Self::View => "view",
        }
    }
}

/// The name of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    pub text: String,
    pub source: Source,
}

/// The name of the transaction whose root has that op: what its SDK has set, else the route of a request, else the
/// span's own name without what would make each its own: queries of URLs and of databases.
pub fn name(seen: &Seen<'_>, op: &str) -> Name {
    let attributes = seen.attributes();
    let set = attributes.text(&["sentry.source"]);
    let set = set.and_then(|set| {
        Source::ALL
            .into_iter()
            .find(|source| source.as_str() == set)
    });
    let (text, source) = match attributes.text(&["sentry.custom_span_name"]) {
        Some(custom) => (Cow::Borrowed(custom), Source::Custom),
        None if set == Some(Source::Custom) => (span_name(seen, op), Source::Custom),
        None => made(seen, op),
    };
    let text = line(&text).map_or(Cow::Borrowed(UNNAMED), |text| {
        Cow::Owned(short(&text, LONGEST).into_owned())
    });
    Name {
        text: text.into_owned(),
        source: set.unwrap_or(source),
    }
}

/// The name of a span as it came; one made of its attributes or its op if it has none.
pub fn span_name<'a>(seen: &Seen<'a>, op: &str) -> Cow<'a, str> {
    let own = seen.span.name.trim();
    if own.is_empty() {
        from_attributes(seen.attributes(), op).unwrap_or_else(|| nothing_but(op))
    } else {
        Cow::Borrowed(own)
    }
}

fn made<'a>(seen: &Seen<'a>, op: &str) -> (Cow<'a, str>, Source) {
    if is(op, "http") {
        return of_request(seen, op);
    }
    let text = if is(op, "db") && is_query(seen) {
        from_attributes(seen.attributes(), op).unwrap_or(Cow::Borrowed("Database operation"))
    } else {
        of_url(span_name(seen, op))
    };
    let source = SOURCES.iter().find(|(family, _)| is(op, family));
    (text, source.map_or(Source::Custom, |(_, source)| *source))
}

/// Method and route; method and path only where the span's own name is no more than the method.
fn of_request<'a>(seen: &Seen<'a>, op: &str) -> (Cow<'a, str>, Source) {
    let attributes = seen.attributes();
    let own = seen.span.name.trim();
    let method = http::method(attributes).unwrap_or_default();
    let is_bare = ["", method, "HTTP"].contains(&own) || own.strip_prefix("HTTP ") == Some(method);
    if let Some(route) = http::route(attributes) {
        return (behind(method, route), Source::Route);
    }
    let path = http::path(attributes).filter(|_| op != "http.client");
    match path {
        Some(path) if is_bare => (behind(method, path), source_of(path)),
        _ if is_bare => (span_name_of_request(seen, op), Source::Custom),
        Some(path) if own.contains(path) => (of_url(Cow::Borrowed(own)), source_of(path)),
        _ => (of_url(Cow::Borrowed(own)), Source::Custom),
    }
}

/// A path that is the root is its own route.
fn source_of(path: &str) -> Source {
    if path == "/" {
        Source::Route
    } else {
        Source::Url
    }
}

fn span_name_of_request<'a>(seen: &Seen<'a>, op: &str) -> Cow<'a, str> {
    from_attributes(seen.attributes(), op).unwrap_or_else(|| span_name(seen, op))
}

/// A method before a target, unless the target has it already.
fn behind<'a>(method: &str, target: &'a str) -> Cow<'a, str> {
    let has_method = target
        .strip_prefix(method)
        .is_some_and(|rest| rest.starts_with(' '));
    if method.is_empty() || has_method {
        Cow::Borrowed(target)
    } else {
        Cow::Owned(format!("{method} {target}"))
    }
}

/// A name without the query of a URL or path in it.
fn of_url(name: Cow<'_, str>) -> Cow<'_, str> {
    let is_address = |word: &str| word.contains('/') && word.contains('?');
    if !name.split(' ').any(is_address) {
        return name;
    }
    let bare = |word| {
        if is_address(word) {
            http::without_query(word)
        } else {
            word
        }
    };
    let words: Vec<&str> = name.split(' ').map(bare).collect();
    Cow::Owned(words.join(" "))
}

/// Whether the name of a span of a database is its query.
fn is_query(seen: &Seen<'_>) -> bool {
    let name = seen.span.name.trim();
    let query = names::text(seen.attributes(), "db.query.text").map(str::trim);
    // A query of one word, such as PING, is a good name.
    let is_long = name.contains(' ') || name.contains('\n');
    let is_text = query.is_some_and(|query| query.starts_with(name)) && is_long;
    is_text || name.contains('\n') || name.len() > LONGEST_OF_DATABASE
}

fn from_attributes<'a>(attributes: Attributes<'a>, op: &str) -> Option<Cow<'a, str>> {
    MADE.iter()
        .filter(|(family, _)| family.is_empty() || is(op, family))
        .find_map(|(_, parts)| {
            let texts: Option<Vec<&str>> = parts
                .iter()
                .map(|part| names::text(attributes, part))
                .collect();
            texts.map(|texts| Cow::Owned(texts.join(" ")))
        })
}

fn nothing_but(op: &str) -> Cow<'static, str> {
    if op.trim().is_empty() || op == op::DEFAULT {
        Cow::Borrowed(UNNAMED)
    } else {
        Cow::Owned(op.to_owned())
    }
}

/// Whether an op is of a family: `http.client` is of `http`.
fn is(op: &str, family: &str) -> bool {
    op.strip_prefix(family)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::span;
    use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
    use rstest::rstest;

    const GET: (&str, &str) = ("http.request.method", "GET");
    const SQL: (&str, &str) = ("db.query.text", "SELECT * FROM users");
    const DB: (&str, &str) = ("db.system", "mysql");

    #[rstest]
    #[case(SpanKind::Server, "GET /users", &[GET, ("http.route", "/users")], "GET /users", Source::Route)]
    #[case(SpanKind::Server, "GET", &[GET, ("http.route", "GET /users")], "GET /users", Source::Route)]
    #[case(SpanKind::Server, "GET", &[GET, ("url.path", "/users/1")], "GET /users/1", Source::Url)]
    #[case(SpanKind::Server, "GET", &[GET, ("url.path", "/")], "GET /", Source::Route)]
    #[case(SpanKind::Server, "GET /users/1?a=b", &[GET, ("http.target", "/users/1?a=b")], "GET /users/1", Source::Url)]
    #[case(SpanKind::Server, "Users.index", &[GET, ("http.target", "/users")], "Users.index", Source::Custom)]
    #[case(SpanKind::Client, "GET", &[GET, ("url.full", "https://shop/1?a=b"), ("server.address", "shop")], "GET shop", Source::Custom)]
    #[case(SpanKind::Client, "GET https://shop/1?a=b", &[GET], "GET https://shop/1", Source::Custom)]
    #[case(SpanKind::Server, "", &[GET], "GET", Source::Custom)]
    #[case(SpanKind::Client, "SELECT * FROM users", &[DB, SQL], "mysql", Source::Task)]
    #[case(SpanKind::Client, "SELECT * FROM us", &[DB, SQL, ("db.operation", "SELECT"), ("db.sql.table", "users")], "SELECT users", Source::Task)]
    #[case(SpanKind::Client, "SELECT users", &[DB, SQL], "SELECT users", Source::Task)]
    #[case(SpanKind::Client, "SELECT", &[DB, SQL], "SELECT", Source::Task)]
    #[case(SpanKind::Consumer, "orders process", &[], "orders process", Source::Task)]
    #[case(SpanKind::Consumer, "", &[("messaging.destination", "orders")], "orders", Source::Task)]
    #[case(SpanKind::Consumer, "", &[], "queue.process", Source::Task)]
    #[case(SpanKind::Server, "shop.Users/Get", &[("rpc.service", "shop.Users")], "shop.Users/Get", Source::Route)]
    #[case(SpanKind::Internal, "nightly\njob", &[], "nightly job", Source::Custom)]
    #[case(SpanKind::Internal, " ", &[], "unnamed span", Source::Custom)]
    #[case(SpanKind::Internal, "x", &[("sentry.custom_span_name", "y")], "y", Source::Custom)]
    #[case(SpanKind::Server, "mine", &[GET, ("http.route", "/a"), ("sentry.source", "custom")], "mine", Source::Custom)]
    #[case(SpanKind::Internal, "List", &[("sentry.source", "view")], "List", Source::View)]
    #[case(SpanKind::Internal, "What is/was this?", &[], "What is/was this?", Source::Custom)]
    fn a_name_groups_what_is_alike(
        #[case] kind: SpanKind,
        #[case] own: &str,
        #[case] pairs: &[(&str, &str)],
        #[case] text: &str,
        #[case] source: Source,
    ) {
        let span = span(own, kind, pairs);
        let seen = Seen::alone(&span);
        let made = name(&seen, &op::op(&seen));
        assert_eq!((made.text.as_str(), made.source), (text, source));
    }

    #[test]
    fn a_name_is_as_long_as_sentry_keeps_it() {
        let span = span(&"ä".repeat(300), SpanKind::Internal, &[]);
        assert_eq!(
            name(&Seen::alone(&span), "default").text.chars().count(),
            200
        );
    }
}
