//! Modules: how targets of one kind are asked, under a name that scrapes choose.

use crate::duration::duration;
use crate::probe::prefix::{Prefix, User};
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tap_sentry_settings::problem::Problem;

/// The module of a scrape that names none.
pub const DEFAULT: &str = "sentry";

/// The one way to ask that there is.
pub const PROBER: &str = "http";

/// How targets of one kind are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// At most as long as this, whatever the scrape allows.
    pub timeout: Option<Duration>,
    pub prefix: Prefix,
    /// Sent with each request, the token among them.
    pub headers: HeaderMap,
    /// Statuses that are a success; empty: all from 200 to 299.
    pub valid_status_codes: BTreeSet<u16>,
}

impl Module {
    /// Whether a status is a success.
    pub fn accepts(&self, status: u16) -> bool {
        if self.valid_status_codes.is_empty() {
            (200..300).contains(&status)
        } else {
            self.valid_status_codes.contains(&status)
        }
    }

    /// What nothing may show: values of headers, and what stands in them behind a scheme such as `Bearer`.
    pub fn secrets(&self) -> Vec<SecretString> {
        let secret = self.headers.iter().filter(|(name, _)| *name != HOST);
        let texts = secret.filter_map(|(_, value)| value.to_str().ok());
        let parts = texts.flat_map(|text| {
            let behind = text.split_once(' ').map(|(_, rest)| rest.trim());
            [Some(text), behind].into_iter().flatten()
        });
        parts.map(SecretString::from).collect()
    }
}

/// Modules by their names.
pub type Modules = BTreeMap<String, Module>;

/// What was read of `modules`.
#[derive(Debug, Default)]
pub struct Reading {
    pub modules: Modules,
    /// What is wrong, by key.
    pub problems: Vec<Problem>,
    /// Keys that nobody knows.
    pub unknown: Vec<String>,
}

impl Reading {
    /// Reads the setting `modules`, and finds all mistakes in it.
    pub fn of(value: &Value) -> Self {
        const FORM: &str =
            "must be modules by their names, each with `prober`, `timeout` and `http`";
        let mut reading = Self::default();
        let Some(modules) = value.as_object().filter(|modules| !modules.is_empty()) else {
            reading.problem("modules", FORM);
            return reading;
        };
        for (name, value) in modules {
            let place = format!("modules.{name}");
            match value.as_object() {
                Some(members) => {
                    if let Some(module) = reading.module(&place, members) {
                        reading.modules.insert(name.clone(), module);
                    }
                }
                None => reading.problem(
                    &place,
                    "must be a module with `prober`, `timeout` and `http`",
                ),
            }
        }
        reading
    }

    fn module(&mut self, place: &str, members: &Map<String, Value>) -> Option<Module> {
        self.unknown(place, members, &["prober", "timeout", "http"]);
        if member(members, "prober").and_then(Value::as_str) != Some(PROBER) {
            let text = "must be http, which is the only prober there is";
            self.problem(&format!("{place}.prober"), text);
        }
        let timeout = member(members, "timeout").map(duration).transpose();
        let timeout = self.keep(&format!("{place}.timeout"), timeout);
        // As in Go, none is none.
        let timeout = timeout.flatten().filter(|timeout| !timeout.is_zero());
        let place = format!("{place}.http");
        let Some(http) = member(members, "http").and_then(Value::as_object) else {
            self.problem(&place, "is required, with a `prefix` and `headers`");
            return None;
        };
        self.unknown(&place, http, &["prefix", "headers", "valid_status_codes"]);
        let mut headers = HeaderMap::new();
        for (name, value) in self.map(&place, http, "headers") {
            let key = format!("{place}.headers.{name}");
            if let Some((name, value)) = self.keep(&key, header(&name, &value))
                && headers.insert(name, value).is_some()
            {
                self.problem(&key, "stands twice, in capitals and small letters");
            }
        }
        let codes = member(http, "valid_status_codes").map_or(Ok(BTreeSet::new()), codes);
        let codes = self.keep(&format!("{place}.valid_status_codes"), codes);
        let prefix = member(http, "prefix").and_then(Value::as_str);
        let prefix = prefix.ok_or("is required: the URL to which a target is added");
        let prefix = prefix.and_then(Prefix::parse);
        let (prefix, user) = self.keep(&format!("{place}.prefix"), prefix)?;
        if let Some(user) = user.filter(|_| !headers.contains_key(AUTHORIZATION)) {
            headers.insert(AUTHORIZATION, basic(&user));
        }
        Some(Module {
            timeout,
            prefix,
            headers,
            valid_status_codes: codes?,
        })
    }

    fn map(&mut self, place: &str, members: &Map<String, Value>, key: &str) -> Map<String, Value> {
        match member(members, key) {
            None => Map::new(),
            Some(Value::Object(map)) => map.clone(),
            Some(_) => {
                self.problem(&format!("{place}.{key}"), "must be names with values");
                Map::new()
            }
        }
    }

    fn unknown(&mut self, place: &str, members: &Map<String, Value>, known: &[&str]) {
        let keys = members.keys().filter(|key| !known.contains(&key.as_str()));
        self.unknown
            .extend(keys.map(|key| format!("{place}.{key}")));
    }

    fn keep<T>(&mut self, key: &str, result: Result<T, &'static str>) -> Option<T> {
        result.map_err(|text| self.problem(key, text)).ok()
    }

    fn problem(&mut self, key: &str, text: &str) {
        self.problems.push(Problem::new(key, text));
    }
}

/// Takes what nobody knows out of a file of `modules` that has nothing of ours beside them: programs that read such files
/// passed it over. Returns its keys.
pub fn strangers(members: &mut Map<String, Value>, is_ours: impl Fn(&str) -> bool) -> Vec<String> {
    let others = members.keys().filter(|key| *key != "modules");
    if member(members, "modules").is_none() || others.clone().any(|key| is_ours(key)) {
        return Vec::new();
    }
    let others: Vec<String> = others.cloned().collect();
    members.retain(|key, _| key == "modules");
    others
}

/// A member that has a value.
fn member<'a>(members: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    members.get(key).filter(|value| !value.is_null())
}

fn header(name: &str, value: &Value) -> Result<(HeaderName, HeaderValue), &'static str> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        _ => return Err("must be a text"),
    };
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "is no name of a header")?;
    if name == HOST && text.parse::<Authority>().is_err() {
        return Err("must be a host, or a host and a port");
    }
    if HOP_BY_HOP.contains(&name.as_str()) {
        return Err("is a header of the connection, which is set by itself; remove it");
    }
    let value = HeaderValue::from_str(&text);
    let mut value =
        value.map_err(|_| "contains characters that are not allowed in an HTTP header")?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// Headers that would spoil the request.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "content-length",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn codes(value: &Value) -> Result<BTreeSet<u16>, &'static str> {
    let codes = value.as_array().map(|codes| codes.iter());
    let code = |code: &Value| {
        let code = u16::try_from(code.as_u64()?).ok()?;
        (100..600).contains(&code).then_some(code)
    };
    let codes = codes.and_then(|codes| codes.map(code).collect());
    codes.ok_or("must be a list of HTTP statuses, such as [200]")
}

/// What a user and a password in a URL mean.
fn basic(user: &User) -> HeaderValue {
    let pair = STANDARD.encode(format!("{}:{}", user.name, user.password));
    let value = HeaderValue::from_str(&format!("Basic {pair}"));
    // Base64 has no letters that a header cannot carry.
    let mut value = value.unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use secrecy::ExposeSecret;
    use serde_json::json;

    fn documented() -> Value {
        json!({"sentry": {
            "prober": "http", "timeout": "5s",
            "http": {
                "prefix": "https://sentry.example.com/api/0/projects/",
                "headers": {"Authorization": "Bearer sntryu_0123456789", "Host": "sentry.example.com"},
                "valid_status_codes": [200, 404],
            },
        }})
    }

    fn module(value: &Value) -> Module {
        let reading = Reading::of(value);
        assert!(reading.problems.is_empty(), "{:?}", reading.problems);
        reading.modules["sentry"].clone()
    }

    #[test]
    fn a_module_as_it_was_documented() {
        let module = module(&documented());
        assert_eq!(module.timeout, Some(Duration::from_secs(5)));
        assert_eq!(module.headers[AUTHORIZATION], "Bearer sntryu_0123456789");
        assert!(module.accepts(404) && !module.accepts(201));
        assert!(!format!("{module:?}").contains("sntryu_0123456789"));
        let secrets = module.secrets();
        let secrets: Vec<&str> = secrets.iter().map(ExposeSecret::expose_secret).collect();
        assert_eq!(secrets, ["Bearer sntryu_0123456789", "sntryu_0123456789"]);
    }

    #[test]
    fn all_but_the_prefix_may_be_left_out() {
        let module = module(&json!({"sentry": {
            "prober": "http", "timeout": null, "http": {"prefix": "https://sentry.io/api/0/projects"},
        }}));
        assert_eq!(module.timeout, None);
        assert!(module.headers.is_empty());
        assert!(module.accepts(204) && !module.accepts(304));
    }

    #[test]
    fn a_user_in_the_prefix_is_a_header() {
        let mut value = documented();
        value["sentry"]["http"]["prefix"] = json!("https://key:@sentry.io/api/0/projects/");
        let with = module(&value);
        assert_eq!(with.headers[AUTHORIZATION], "Bearer sntryu_0123456789");
        value["sentry"]["http"]["headers"] = json!({});
        assert_eq!(module(&value).headers[AUTHORIZATION], "Basic a2V5Og==");
    }

    #[rstest]
    #[case("/sentry/prober", json!("icmp"), "modules.sentry.prober")]
    #[case("/sentry/prober", json!(null), "modules.sentry.prober")]
    #[case("/sentry/timeout", json!("soon"), "modules.sentry.timeout")]
    #[case("/sentry/timeout", json!("-5s"), "modules.sentry.timeout")]
    #[case("/sentry/http", json!(null), "modules.sentry.http")]
    #[case("/sentry/http", json!([]), "modules.sentry.http")]
    #[case("/sentry/http/prefix", json!(null), "modules.sentry.http.prefix")]
    #[case("/sentry/http/prefix", json!("nowhere"), "modules.sentry.http.prefix")]
    #[case("/sentry/http/headers", json!("Authorization: x"), "modules.sentry.http.headers")]
    #[case("/sentry/http/headers/Authorization", json!("a\nb"), "modules.sentry.http.headers.Authorization")]
    #[case("/sentry/http/headers/Authorization", json!(["a"]), "modules.sentry.http.headers.Authorization")]
    #[case("/sentry/http/headers/Host", json!("a b"), "modules.sentry.http.headers.Host")]
    #[case("/sentry/http/headers", json!({"a b": "c"}), "modules.sentry.http.headers.a b")]
    #[case("/sentry/http/headers", json!({"X": "c", "x": "d"}), "modules.sentry.http.headers.x")]
    #[case("/sentry/http/headers", json!({"Content-Length": 5}), "modules.sentry.http.headers.Content-Length")]
    #[case("/sentry/http/valid_status_codes", json!([2000]), "modules.sentry.http.valid_status_codes")]
    #[case("/sentry/http/valid_status_codes", json!(["200"]), "modules.sentry.http.valid_status_codes")]
    #[case("/sentry/http/valid_status_codes", json!(200), "modules.sentry.http.valid_status_codes")]
    #[case("/sentry", json!("http"), "modules.sentry")]
    fn a_mistake_is_told_by_its_key(#[case] at: &str, #[case] value: Value, #[case] key: &str) {
        let mut modules = documented();
        *modules.pointer_mut(at).expect("a place") = value;
        let reading = Reading::of(&modules);
        let keys: Vec<&str> = reading
            .problems
            .iter()
            .map(|problem| problem.key.as_str())
            .collect();
        assert_eq!(keys, [key]);
        assert!(!format!("{:?}", reading.problems).contains("sntryu"));
    }

    #[rstest]
    #[case(json!({}))]
    #[case(json!([]))]
    #[case(json!("sentry"))]
    fn no_modules(#[case] value: Value) {
        assert_eq!(Reading::of(&value).problems[0].key, "modules");
    }

    #[rstest]
    #[case(json!({"modules": {}, "colour": 1, "shape": null}), &["colour", "shape"])]
    #[case(json!({"modules": {}}), &[])]
    #[case(json!({"modules": {}, "colour": 1, "organization": "acme"}), &[])]
    #[case(json!({"modules": null, "colour": 1}), &[])]
    #[case(json!({"colour": 1}), &[])]
    fn what_nobody_knows_beside_modules(#[case] file: Value, #[case] expected: &[&str]) {
        let mut members = file.as_object().expect("an object").clone();
        let before = members.len();
        assert_eq!(
            strangers(&mut members, |key| key == "organization"),
            expected
        );
        assert_eq!(members.len(), before - expected.len());
    }

    #[test]
    fn keys_that_nobody_knows_are_named() {
        let mut modules = documented();
        modules["sentry"]["colour"] = json!("red");
        modules["sentry"]["http"]["metod"] = json!("GET");
        let reading = Reading::of(&modules);
        assert_eq!(
            reading.unknown,
            ["modules.sentry.colour", "modules.sentry.http.metod"]
        );
        assert!(reading.problems.is_empty());
    }
}
