//! Names of attributes, old and new: what is asked for by its new name is found under its old ones too.

use crate::attributes::Attributes;
use opentelemetry_proto::tonic::common::v1::any_value::Value;

/// An old name and the one that stands for it today. Source: the attribute metadata of sentry-conventions 0.29, where
/// an old name's replacement has the same meaning and unit.
pub const RENAMED: &[(&str, &str)] = &[
    ("code.filepath", "code.file.path"),
    ("code.lineno", "code.line.number"),
    ("db.name", "db.namespace"),
    ("db.operation", "db.operation.name"),
    ("db.sql.table", "db.collection.name"),
    ("db.statement", "db.query.text"),
    ("db.system", "db.system.name"),
    ("enduser.id", "user.id"),
    ("faas.execution", "faas.invocation_id"),
    ("http.client_ip", "client.address"),
    ("http.method", "http.request.method"),
    ("http.scheme", "url.scheme"),
    ("http.server_name", "server.address"),
    ("http.status_code", "http.response.status_code"),
    ("http.url", "url.full"),
    ("http.user_agent", "user_agent.original"),
    ("messaging.destination", "messaging.destination.name"),
    ("messaging.operation", "messaging.operation.name"),
    ("net.host.name", "server.address"),
    ("net.host.port", "server.port"),
    ("net.peer.ip", "network.peer.address"),
    ("rpc.system", "rpc.system.name"),
    ("server_name", "server.address"),
    ("url", "url.full"),
];

/// The value under a new name, else under the first of its old names.
pub fn get<'a>(attributes: Attributes<'a>, name: &str) -> Option<&'a Value> {
    spellings(name).find_map(|name| attributes.get(name))
}

/// A text that is not empty, under a new name or an old one.
pub fn text<'a>(attributes: Attributes<'a>, name: &str) -> Option<&'a str> {
    spellings(name).find_map(|name| attributes.text(&[name]))
}

/// A whole number, also where it is written as text, under a new name or an old one.
pub fn integer(attributes: Attributes<'_>, name: &str) -> Option<i64> {
    spellings(name).find_map(|name| attributes.integer(&[name]))
}

/// A name, then its old ones.
fn spellings(name: &str) -> impl Iterator<Item = &str> {
    let old = RENAMED.iter().filter(move |(_, new)| *new == name);
    std::iter::once(name).chain(old.map(|(old, _)| *old))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::attributes;

    #[test]
    fn the_new_name_wins() {
        let pairs = attributes(&[("http.method", "GET"), ("http.request.method", "POST")]);
        let found = text(Attributes(&pairs), "http.request.method");
        assert_eq!(found, Some("POST"));
    }

    #[test]
    fn an_old_name_is_found() {
        let pairs = attributes(&[("net.host.name", "shop"), ("http.status_code", "503")]);
        let pairs = Attributes(&pairs);
        assert_eq!(text(pairs, "server.address"), Some("shop"));
        assert_eq!(integer(pairs, "http.response.status_code"), Some(503));
        assert!(get(pairs, "db.query.text").is_none());
    }

    #[test]
    fn an_empty_new_name_does_not_hide_the_old() {
        let pairs = attributes(&[("db.query.text", ""), ("db.statement", "SELECT 1")]);
        assert_eq!(text(Attributes(&pairs), "db.query.text"), Some("SELECT 1"));
    }

    #[test]
    fn no_old_name_is_a_new_one_too() {
        for (old, _) in RENAMED {
            assert!(RENAMED.iter().all(|(_, new)| new != old), "{old}");
        }
    }
}
