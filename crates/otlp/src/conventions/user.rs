//! Who a span was made for.

use crate::conventions::names;
use crate::conventions::text::short_line;
use crate::seen::Seen;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde::Serialize;
use std::net::IpAddr;

/// Sentry cuts beyond so many characters (sentry-relay 0.10.1); an email address at the second.
const LONGEST: usize = 128;
const LONGEST_EMAIL: usize = 75;

/// Sentry's `user`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct User {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<IpAddr>,
}

/// The user that the attributes of a span tell of. The client's address is the user's where the span served a request.
pub fn user(seen: &Seen<'_>) -> Option<User> {
    let attributes = seen.attributes();
    let text = |name, most| names::text(attributes, name).and_then(|text| short_line(text, most));
    let served = seen.span.kind() == SpanKind::Server;
    let client = names::text(attributes, "client.address").filter(|_| served);
    let address = attributes.text(&["user.ip_address"]).or(client);
    let user = User {
        id: text("user.id", LONGEST),
        email: text("user.email", LONGEST_EMAIL),
        username: text("user.name", LONGEST),
        name: text("user.full_name", LONGEST),
        // What is no address, such as the name of a computer, Sentry would refuse.
        ip_address: address.and_then(|address| address.trim().parse().ok()),
    };
    (user != User::default()).then_some(user)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::span;

    #[test]
    fn a_user_is_what_attributes_tell() {
        let pairs = [
            ("enduser.id", "7"),
            ("user.email", "a@example.com"),
            ("user.name", "ann"),
            ("http.client_ip", "2001:db8::1"),
        ];
        let span = span("x", SpanKind::Server, &pairs);
        let expected = User {
            id: Some("7".to_owned()),
            email: Some("a@example.com".to_owned()),
            username: Some("ann".to_owned()),
            name: None,
            ip_address: Some("2001:db8::1".parse().expect("an address")),
        };
        assert_eq!(user(&Seen::alone(&span)), Some(expected));
    }

    #[test]
    fn the_client_of_a_client_is_no_user() {
        let pairs = [("client.address", "192.0.2.1")];
        assert_eq!(
            user(&Seen::alone(&span("x", SpanKind::Client, &pairs))),
            None
        );
    }

    #[test]
    fn what_is_no_address_is_left_out() {
        let pairs = [("client.address", "localhost"), ("user.id", "\n")];
        assert_eq!(
            user(&Seen::alone(&span("x", SpanKind::Server, &pairs))),
            None
        );
    }
}
