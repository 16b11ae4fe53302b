//! Values of OTLP as attributes: a type and a value each.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::{Map, Value, json};

/// Attributes by name, as a span or a log of Sentry has them.
pub(crate) type Attributes = Map<String, Value>;

/// Adds an attribute of a server's own.
pub(crate) fn put(attributes: &mut Attributes, key: &str, value: impl Into<Value>) {
    let value = value.into();
    let kind = match &value {
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "double",
        Value::Number(_) => "integer",
        Value::Array(_) => "array",
        _ => "string",
    };
    attributes.insert(key.to_owned(), json!({"type": kind, "value": value}));
}

/// Whether the value of an attribute is of the type that it says; of an array all are of one kind. Relay drops it else.
pub(crate) fn is_sound(attribute: &Value) -> bool {
    let value = &attribute["value"];
    match attribute["type"].as_str() {
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64(),
        Some("double") => value.is_number(),
        Some("array") => value
            .as_array()
            .is_some_and(|values| is_of_one_kind(values)),
        _ => false,
    }
}

fn is_of_one_kind(values: &[Value]) -> bool {
    let kinds: [fn(&Value) -> bool; 3] = [Value::is_string, Value::is_boolean, Value::is_number];
    kinds
        .iter()
        .any(|kind| values.iter().all(|value| value.is_null() || kind(value)))
}

/// How many bytes a value counts as.
pub(crate) fn size(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 8,
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(size).sum(),
        Value::Object(fields) => fields.values().map(size).sum(),
    }
}

/// The value of an attribute that is text.
pub(crate) fn text<'a>(attributes: &'a Attributes, key: &str) -> Option<&'a str> {
    attributes.get(key)?.get("value")?.as_str()
}

/// Those of a span, a log or a link; the last of a name wins, values that cannot be kept are left out.
pub(crate) fn fill(attributes: &mut Attributes, prefix: &str, from: &[KeyValue]) {
    for KeyValue { key, value, .. } in from {
        if let Some(value) = value.as_ref().and_then(attribute) {
            attributes.insert(format!("{prefix}{key}"), value);
        }
    }
}

/// Those of the resource and of the scope, under prefixes.
pub(crate) fn fill_origin(
    attributes: &mut Attributes,
    resource: Option<&Resource>,
    scope: Option<&InstrumentationScope>,
) {
    if let Some(resource) = resource {
        fill(attributes, "resource.", &resource.attributes);
        if let Some(platform) = platform(resource) {
            put(attributes, "sentry.platform", platform);
        }
    }
    if let Some(scope) = scope {
        fill(attributes, "instrumentation.", &scope.attributes);
        put(attributes, "instrumentation.name", scope.name.as_str());
        put(
            attributes,
            "instrumentation.version",
            scope.version.as_str(),
        );
    }
}

/// `telemetry.sdk.language` in Sentry's names.
fn platform(resource: &Resource) -> Option<&str> {
    let mut attributes = resource.attributes.iter();
    let language = attributes.find(|one| one.key == "telemetry.sdk.language")?;
    let Some(Any::StringValue(language)) = &language.value.as_ref()?.value else {
        return None;
    };
    Some(match language.as_str() {
        "dotnet" => "csharp",
        "nodejs" => "node",
        "js" | "webjs" => "javascript",
        other => other,
    })
}

/// `None` where nothing is kept: no value, or bytes that are no text. A double that is no number becomes `null`.
fn attribute(value: &AnyValue) -> Option<Value> {
    let value = value.value.as_ref()?;
    let (kind, value) = match value {
        Any::StringValue(_) | Any::BytesValue(_) => ("string", scalar(value)?),
        Any::BoolValue(_) => ("boolean", scalar(value)?),
        Any::IntValue(_) => ("integer", scalar(value)?),
        Any::DoubleValue(_) => ("double", scalar(value)?),
        Any::ArrayValue(array) => ("array", Value::Array(list(array))),
        Any::KvlistValue(map) => ("string", Value::from(object(map).to_string())),
        Any::StringValueStrindex(_) => return None,
    };
    Some(json!({"type": kind, "value": value}))
}

/// A log's body, which is text.
pub(crate) fn body(value: &AnyValue) -> Option<String> {
    match value.value.as_ref()? {
        Any::ArrayValue(array) => Some(Value::Array(list(array)).to_string()),
        Any::KvlistValue(map) => Some(object(map).to_string()),
        value => match scalar(value)? {
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        },
    }
}

fn scalar(value: &Any) -> Option<Value> {
    Some(match value {
        Any::StringValue(text) => json!(text),
        Any::BoolValue(yes) => json!(yes),
        Any::IntValue(number) => json!(number),
        Any::DoubleValue(number) => json!(number),
        Any::BytesValue(bytes) => json!(str::from_utf8(bytes).ok()?),
        Any::ArrayValue(_) | Any::KvlistValue(_) | Any::StringValueStrindex(_) => return None,
    })
}

/// Without what is nested in it.
fn list(array: &ArrayValue) -> Vec<Value> {
    let values = array.values.iter();
    values
        .filter_map(|one| scalar(one.value.as_ref()?))
        .collect()
}

fn object(map: &KeyValueList) -> Value {
    let fields = map.values.iter().filter_map(|field| {
        let value = field.value.as_ref()?.value.as_ref()?;
        Some((field.key.clone(), scalar(value)?))
    });
    Value::Object(fields.collect())
}
