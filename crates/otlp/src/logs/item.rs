//! A log as Sentry has it, one of many in a container: as Relay 26.9 makes it of OTLP, with what SDKs of Sentry's add.

use crate::attributes::{Attributes, value};
use crate::conventions::data::Json;
use crate::conventions::platform::platform;
use crate::conventions::tags::server_name;
use crate::conventions::text::hex;
use crate::conventions::time::seconds;
use crate::envelope::SDK;
use crate::logs::level::level;
use crate::logs::value::keepable;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What it came from.
const ORIGIN: &str = "auto.otlp.logs";

/// A log item. All but `span_id` is required: Relay drops an item without it, behind its 200.
#[derive(Debug, Serialize)]
pub struct Item<'a> {
    /// Seconds since 1970.
    timestamp: f64,
    trace_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<String>,
    level: &'static str,
    body: &'a str,
    /// The last of a name wins.
    attributes: BTreeMap<Cow<'a, str>, Typed<'a>>,
}

/// The value of an attribute. Relay drops an attribute whose type is not that of its value.
#[derive(Debug, Serialize)]
#[serde(tag = "type", content = "value", rename_all = "lowercase")]
enum Typed<'a> {
    String(Cow<'a, str>),
    Integer(i64),
    Double(f64),
    Boolean(bool),
}

impl<'a> From<&'a str> for Typed<'a> {
    fn from(text: &'a str) -> Self {
        Self::String(Cow::Borrowed(text))
    }
}

impl<'a> Item<'a> {
    /// That of a record that was checked and completed.
    pub fn new(
        log: &'a LogRecord,
        resource: Attributes<'a>,
        scope: Option<&'a InstrumentationScope>,
    ) -> Self {
        let body = match value(log.body.as_ref()) {
            Some(Value::StringValue(text)) => text,
            _ => "",
        };
        let trace_id = if log.trace_id.is_empty() {
            // Sentry wants one; Relay does the same with OTLP.
            Uuid::new_v4().simple().to_string()
        } else {
            hex(&log.trace_id)
        };
        Self {
            timestamp: seconds(log.time_unix_nano),
            trace_id,
            span_id: (!log.span_id.is_empty()).then(|| hex(&log.span_id)),
            level: level(log.severity_number, &log.severity_text),
            body,
            attributes: attributes(log, resource, scope),
        }
    }
}

fn attributes<'a>(
    log: &'a LogRecord,
    resource: Attributes<'a>,
    scope: Option<&'a InstrumentationScope>,
) -> BTreeMap<Cow<'a, str>, Typed<'a>> {
    let mut all: BTreeMap<Cow<'a, str>, Typed<'a>> = BTreeMap::new();
    for (name, value) in [
        ("sentry.origin", ORIGIN),
        ("sentry.sdk.name", SDK.name),
        ("sentry.sdk.version", SDK.version),
    ] {
        all.insert(name.into(), value.into());
    }
    if !log.event_name.is_empty() {
        all.insert("event.name".into(), log.event_name.as_str().into());
    }
    if resource.get("telemetry.sdk.language").is_some() {
        all.insert("sentry.platform".into(), platform(resource).into());
    }
    if let Some(name) = server_name(resource) {
        all.insert("server.address".into(), Typed::String(name.into()));
    }
    add(&mut all, "resource.", resource);
    if let Some(scope) = scope {
        add(&mut all, "instrumentation.", Attributes(&scope.attributes));
        let named = [
            ("instrumentation.name", scope.name.as_str()),
            ("instrumentation.version", scope.version.as_str()),
        ];
        for (name, value) in named.into_iter().filter(|(_, value)| !value.is_empty()) {
            all.insert(name.into(), value.into());
        }
    }
    add(&mut all, "", Attributes(&log.attributes));
    all
}

fn add<'a>(all: &mut BTreeMap<Cow<'a, str>, Typed<'a>>, prefix: &str, attributes: Attributes<'a>) {
    for (name, value) in attributes.iter() {
        let name = if prefix.is_empty() {
            Cow::Borrowed(name)
        } else {
            Cow::Owned(format!("{prefix}{name}"))
        };
        all.insert(name, typed(value));
    }
}

/// What has no type in Sentry is a text, arrays and maps as JSON.
fn typed(value: &Value) -> Typed<'_> {
    match value {
        Value::StringValue(text) => text.as_str().into(),
        Value::BoolValue(truth) => Typed::Boolean(*truth),
        Value::IntValue(number) => Typed::Integer(*number),
        Value::DoubleValue(number) if number.is_finite() => Typed::Double(*number),
        Value::ArrayValue(_) => {
            let json = serde_json::to_string(&Json::whole(value));
            Typed::String(json.unwrap_or_default().into())
        }
        other => match keepable(other.clone()) {
            Value::StringValue(text) => Typed::String(text.into()),
            // An index into a table that only profiles have.
            other => Typed::String(format!("{other:?}").into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{attributes as texts, pair};
    use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue};
    use serde_json::json;

    fn log() -> LogRecord {
        LogRecord {
            time_unix_nano: 1_795_911_870_123_456_789,
            severity_number: 17,
            body: Some(AnyValue {
                value: Some(Value::StringValue("sold out".to_owned())),
            }),
            trace_id: vec![10; 16],
            span_id: vec![11; 8],
            ..LogRecord::default()
        }
    }

    fn made(
        log: &LogRecord,
        resource: &[(&str, &str)],
        scope: Option<&InstrumentationScope>,
    ) -> serde_json::Value {
        let resource = texts(resource);
        let item = Item::new(log, Attributes(&resource), scope);
        serde_json::to_value(item).expect("JSON")
    }

    #[test]
    fn it_is_as_sentry_wants_it() {
        let item = made(&log(), &[], None);
        let text = |value: &str| json!({"type": "string", "value": value});
        let expected = json!({
            "timestamp": 1_795_911_870.123_457,
            "trace_id": "0a".repeat(16),
            "span_id": "0b".repeat(8),
            "level": "error",
            "body": "sold out",
            "attributes": {
                "sentry.origin": text(ORIGIN), "sentry.sdk.name": text(SDK.name), "sentry.sdk.version": text(SDK.version),
            },
        });
        assert_eq!(item, expected);
    }

    #[test]
    fn attributes_have_types() {
        let mut log = log();
        let array = ArrayValue {
            values: vec![AnyValue {
                value: Some(Value::IntValue(1)),
            }],
        };
        log.attributes = vec![
            pair("whole", Value::IntValue(i64::MAX)),
            pair("double", Value::DoubleValue(2.0)),
            pair("nan", Value::DoubleValue(f64::NAN)),
            pair("truth", Value::BoolValue(false)),
            pair("array", Value::ArrayValue(array)),
            pair("bytes", Value::BytesValue(vec![255])),
        ];
        let item = made(&log, &[], None);
        for (name, expected) in [
            ("whole", json!({"type": "integer", "value": i64::MAX})),
            ("double", json!({"type": "double", "value": 2.0})),
            ("nan", json!({"type": "string", "value": "NaN"})),
            ("truth", json!({"type": "boolean", "value": false})),
            ("array", json!({"type": "string", "value": "[1]"})),
            ("bytes", json!({"type": "string", "value": "/w=="})),
        ] {
            assert_eq!(item["attributes"][name], expected, "{name}");
        }
    }

    #[test]
    fn resource_and_scope_stand_under_prefixes_and_the_record_wins() {
        let scope = InstrumentationScope {
            name: "library".to_owned(),
            attributes: texts(&[("name", "other"), ("a", "b")]),
            ..InstrumentationScope::default()
        };
        let mut log = log();
        log.event_name = "shop.sold".to_owned();
        log.attributes = texts(&[("resource.service.name", "own")]);
        let resource = [
            ("service.name", "shop"),
            ("host.name", "web-1"),
            ("telemetry.sdk.language", "dotnet"),
        ];
        let item = made(&log, &resource, Some(&scope));
        let value = |name: &str| item["attributes"][name]["value"].clone();
        for (name, expected) in [
            ("resource.service.name", json!("own")),
            ("resource.host.name", json!("web-1")),
            ("server.address", json!("web-1")),
            ("sentry.platform", json!("csharp")),
            ("instrumentation.name", json!("library")),
            ("instrumentation.a", json!("b")),
            ("event.name", json!("shop.sold")),
            ("instrumentation.version", json!(null)),
        ] {
            assert_eq!(value(name), expected, "{name}");
        }
    }

    #[test]
    fn a_record_of_no_trace_gets_one_of_its_own() {
        let mut log = log();
        log.trace_id.clear();
        log.span_id.clear();
        let items = [made(&log, &[], None), made(&log, &[], None)];
        let [first, second] = items.each_ref().map(|item| item["trace_id"].as_str());
        assert_eq!(first.map(str::len), Some(32));
        assert_ne!(first, second);
        assert_eq!(items[0].get("span_id"), None);
    }
}
