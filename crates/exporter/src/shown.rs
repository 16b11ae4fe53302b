//! Settings as a page may show them: without secrets.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use tap_sentry_serve::log::without_secrets;
use url::Url;

/// One setting in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub name: String,
    /// `None`: not set.
    pub value: Option<String>,
    pub is_default: bool,
}

/// Settings that are in use from the start to the end, whatever is read meanwhile.
const OF_START: [&str; 10] = [
    "dialect",
    "basic_auth",
    "basic_auth_user",
    "basic_auth_pass",
    "listen_address",
    "telemetry_path",
    "web_config_file",
    "enable_lifecycle",
    "log_level",
    "log_format",
];

impl Shown {
    /// Those that have been read anew, but for settings that only a restart changes.
    pub fn with_those_of_start(anew: Vec<Self>, before: &[Self]) -> Vec<Self> {
        let of_start = |one: &Self| OF_START.contains(&one.name.as_str());
        let merged = anew.into_iter().map(|one| {
            let same = |old: &&Self| of_start(&one) && old.name == one.name;
            before.iter().find(same).cloned().unwrap_or(one)
        });
        merged.collect()
    }
}

/// Stands in the place of what is not shown.
const HIDDEN: &str = "[not shown]";

/// Settings whose values travel in headers.
const HEADER_VALUES: [&str; 1] = ["user_agent"];

/// The settings of a schema with their values, those of `servers` with `server_schema`. `set` are the names of those that
/// somebody has set.
pub fn shown(
    values: &Map<String, Value>,
    set: &BTreeSet<String>,
    schema: &Value,
    server_schema: &Value,
) -> Vec<Shown> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let shown = properties.map(|(name, property)| {
        let value = values.get(name).filter(|value| !value.is_null());
        let value = value.map(|value| match (name.as_str(), value) {
            ("servers", Value::Array(entries)) => {
                let entries = entries.iter().map(|entry| server(entry, server_schema));
                Value::Array(entries.collect())
            }
            _ => safe(name, property, value),
        });
        let default = property
            .get("default")
            .map(|value| safe(name, property, value));
        let value = value.or(default);
        Shown {
            name: name.clone(),
            is_default: value.is_some() && !set.contains(name),
            value: value.as_ref().map(text),
        }
    });
    shown.collect()
}

fn server(entry: &Value, schema: &Value) -> Value {
    let Value::Object(members) = entry else {
        return json!(HIDDEN);
    };
    let safe = members.iter().map(|(name, value)| {
        // A name that the schema does not have is no setting, and may be a secret's.
        let value = schema["properties"]
            .get(name)
            .map_or_else(|| json!(HIDDEN), |property| safe(name, property, value));
        (name.clone(), value)
    });
    Value::Object(safe.collect())
}

/// A value that may be shown.
fn safe(name: &str, property: &Value, value: &Value) -> Value {
    if property.get("secret").is_some() || HEADER_VALUES.contains(&name) {
        json!(HIDDEN)
    } else {
        without_private_parts(value)
    }
}

/// A value without what headers say, and without users and queries of addresses.
fn without_private_parts(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| {
                let value = match value {
                    Value::Object(headers) if name == "headers" => {
                        let hidden = headers.keys().map(|name| (name.clone(), json!(HIDDEN)));
                        Value::Object(hidden.collect())
                    }
                    _ if name == "headers" => json!(HIDDEN),
                    value => without_private_parts(value),
                };
                (name.clone(), value)
            });
            Value::Object(members.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_private_parts).collect()),
        Value::String(text) => json!(address(text)),
        other => other.clone(),
    }
}

/// A text; if it is an address, without its user, query and fragment.
fn address(text: &str) -> String {
    let Some(mut url) = Url::parse(text.trim()).ok().filter(Url::has_host) else {
        // What looks like one but is none may hold a password all the same.
        return if text.contains("://") || text.contains('@') {
            HIDDEN.to_owned()
        } else {
            text.to_owned()
        };
    };
    let has_user = !url.username().is_empty() || url.password().is_some();
    if !has_user && url.query().is_none() && url.fragment().is_none() {
        return text.to_owned();
    }
    url.set_query(None);
    url.set_fragment(None);
    if url.set_username("").is_err() || url.set_password(None).is_err() {
        return HIDDEN.to_owned();
    }
    url.into()
}

fn text(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Object(_) => format!("{value:#}"),
        Value::Array(items) if items.iter().any(Value::is_object) => format!("{value:#}"),
        other => other.to_string(),
    };
    without_secrets(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::config::{schema, server_schema};
    use rstest::rstest;

    fn page(values: &Value) -> Vec<Shown> {
        let values = values.as_object().expect("an object");
        let set = values.keys().cloned().collect();
        shown(values, &set, &schema(), &server_schema())
    }

    fn value<'s>(page: &'s [Shown], name: &str) -> Option<&'s str> {
        let one = page.iter().find(|one| one.name == name);
        one.expect("a setting").value.as_deref()
    }

    #[test]
    fn values_defaults_and_what_is_not_set() {
        let page = page(&json!({"organization": ["a", "b"], "min_age": 0}));
        assert_eq!(value(&page, "organization"), Some("[\"a\",\"b\"]"));
        assert_eq!(value(&page, "min_age"), Some("0"));
        assert_eq!(value(&page, "max_age"), Some("15m"));
        assert_eq!(value(&page, "web_config_file"), None);
        let is_default = |name: &str| page.iter().any(|one| one.name == name && one.is_default);
        assert!(is_default("max_age") && !is_default("min_age"));
    }

    #[test]
    fn no_secret_is_shown() {
        let page = page(&json!({
            "api_token": "hush1", "proxy_url": "http://a:hush2@b", "pushgateway_passhush": "hush3",
            "user_agent": "hush4", "api_token_file": "/etc/token",
            "servers": [{"name": "eu", "api_token": "hush5", "organization": "acme", "user_agent": "hush6", "pass": "hush7"}, "hush8"],
        }));
        let text = format!("{page:?}");
        assert!(!text.contains("hush"), "{text}");
        assert!(
            text.contains("acme") && text.contains("/etc/token"),
            "{text}"
        );
    }

    #[rstest]
    #[case("https://sentry.io/api/0/", "https://sentry.io/api/0/")]
    #[case(
        "https://olive:word@sentry.io/x?token=word#word",
        "https://sentry.io/x"
    )]
    #[case("http://olive@sentry.io", "http://sentry.io/")]
    #[case("http://olive:wo rd@[sentry", HIDDEN)]
    #[case("olive:word@sentry.io/x", HIDDEN)]
    #[case("127.0.0.1:9790", "127.0.0.1:9790")]
    #[case("a text?", "a text?")]
    fn addresses_without_users_and_queries(#[case] text: &str, #[case] read: &str) {
        assert_eq!(address(text), read);
    }

    #[test]
    fn headers_keep_their_names() {
        let modules = json!({"sentry": {"http": {
            "prefix": "https://u:word@sentry.io/api/0/projects/?a=word",
            "headers": {"Authorization": "Bearer word", "Host": "word"},
        }, "other": {"headers": ["word"]}}});
        let safe = without_private_parts(&modules);
        let text = safe.to_string();
        assert!(!text.contains("word"), "{text}");
        assert_eq!(safe["sentry"]["http"]["headers"]["Authorization"], HIDDEN);
        let prefix = &safe["sentry"]["http"]["prefix"];
        assert_eq!(prefix, "https://sentry.io/api/0/projects/");
    }
}
