//! The HTTP request that a span served.

use crate::attributes::scalar;
use crate::conventions::http;
use crate::conventions::names;
use crate::conventions::text::{short, short_line};
use crate::seen::Seen;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde::Serialize;

/// Sentry cuts an address beyond so many characters, and a query (sentry-relay 0.10.1).
const LONGEST_URL: usize = 256;
const LONGEST_QUERY: usize = 1024;

/// Sentry cuts what all headers have together at 8 KiB; in characters.
const LONGEST_HEADER: usize = 1000;
const MOST_HEADERS: usize = 6000;

/// What stands before the name of a header.
const HEADER: &str = "http.request.header.";

/// Sentry's `request`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Request {
    /// Without its query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_string: Option<String>,
    /// Names and values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
}

/// The request that a span served, if it served one.
pub fn request(seen: &Seen<'_>) -> Option<Request> {
    if seen.span.kind() != SpanKind::Server {
        return None;
    }
    let attributes = seen.attributes();
    let request = Request {
        url: http::address(attributes).and_then(|url| short_line(&url, LONGEST_URL)),
        method: http::method(attributes)
            .filter(|method| is_method(method))
            .map(str::to_owned),
        query_string: http::query(attributes).and_then(|query| short_line(query, LONGEST_QUERY)),
        headers: headers(seen),
    };
    (request != Request::default()).then_some(request)
}

/// Sentry turns every other method into null (sentry-relay 0.10.1).
fn is_method(method: &str) -> bool {
    let allowed = |found: u8| found.is_ascii_alphabetic() || found == b'-' || found == b'_';
    (3..=32).contains(&method.len()) && method.bytes().all(allowed)
}

fn headers(seen: &Seen<'_>) -> Vec<(String, String)> {
    let attributes = seen.attributes();
    let agent = names::text(attributes, "user_agent.original");
    let agent = agent.map(|agent| ("User-Agent".to_owned(), agent.to_owned()));
    let given = attributes.iter().filter_map(|(key, value)| {
        let name = key.strip_prefix(HEADER).filter(|name| !name.is_empty())?;
        Some((name.replace('_', "-"), joined(value)?))
    });
    let has_agent = agent.is_some();
    let given = given.filter(|(name, _)| !(has_agent && name.eq_ignore_ascii_case("user-agent")));
    let mut room = MOST_HEADERS;
    let kept = agent.into_iter().chain(given).map_while(|(name, value)| {
        let value = short(&value, LONGEST_HEADER).into_owned();
        room = room.checked_sub(name.len() + value.len())?;
        Some((name, value))
    });
    kept.collect()
}

/// The values of a header, which come as an array.
fn joined(value: &Value) -> Option<String> {
    let Value::ArrayValue(array) = value else {
        return scalar(value).map(std::borrow::Cow::into_owned);
    };
    let texts = array
        .values
        .iter()
        .filter_map(|value| scalar(value.value.as_ref()?));
    Some(texts.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::span;

    #[test]
    fn a_request_is_what_was_served() {
        let pairs = [
            ("http.request.method", "GET"),
            ("url.full", "https://shop/a?b=c"),
            ("user_agent.original", "curl/8"),
            ("http.request.header.user_agent", "curl/8"),
            ("http.request.header.accept", "*/*"),
        ];
        let made = request(&Seen::alone(&span("x", SpanKind::Server, &pairs)));
        let expected = serde_json::json!({
            "url": "https://shop/a",
            "method": "GET",
            "query_string": "b=c",
            "headers": [["User-Agent", "curl/8"], ["accept", "*/*"]],
        });
        assert_eq!(serde_json::to_value(made).expect("JSON"), expected);
    }

    #[test]
    fn what_a_client_asked_for_is_not_what_was_served() {
        let pairs = [
            ("http.request.method", "GET"),
            ("url.full", "https://shop/a"),
        ];
        assert_eq!(
            request(&Seen::alone(&span("x", SpanKind::Client, &pairs))),
            None
        );
    }

    #[test]
    fn what_is_no_method_is_left_out() {
        let pairs = [("http.request.method", "A B")];
        assert_eq!(
            request(&Seen::alone(&span("x", SpanKind::Server, &pairs))),
            None
        );
    }

    #[test]
    fn headers_are_bounded() {
        let keys: Vec<String> = (0..100)
            .map(|number| format!("{HEADER}k{number}"))
            .collect();
        let value = "x".repeat(2000);
        let pairs: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), &*value)).collect();
        let made = request(&Seen::alone(&span("x", SpanKind::Server, &pairs))).expect("a request");
        assert_eq!(made.headers.len(), 5);
        assert!(
            made.headers
                .iter()
                .all(|(_, value)| value.chars().count() == 1000)
        );
    }
}
