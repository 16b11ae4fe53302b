//! Messages of OTLP out of JSON, read leniently.
//!
//! Exporters do not write what the mapping of OTLP to JSON says: Python's 0.66b1 has `"NaN"` and `"Infinity"` for such doubles
//! and no defaults, JavaScript's 0.223.1 `null` for them and 64-bit integers as JSON numbers; others have names of enum values.
//! All of that is read here.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use serde_json::Value;

/// Names the field that cannot be read.
#[derive(Debug)]
pub struct Malformed(pub String);

pub type Read<T> = Result<T, Malformed>;

fn malformed<T>(name: &str, wanted: &str) -> Read<T> {
    Err(Malformed(format!("`{name}` must be {wanted}")))
}

/// The fields of an object, under their names in JSON or in protobuf.
#[derive(Clone, Copy)]
struct Object<'a>(&'a serde_json::Map<String, Value>);

impl<'a> Object<'a> {
    fn of(value: &'a Value, name: &str) -> Read<Self> {
        value
            .as_object()
            .map_or_else(|| malformed(name, "an object"), |object| Ok(Self(object)))
    }

    /// A field that is there and not null.
    fn get(self, name: &str) -> Option<&'a Value> {
        let found = self.0.get(name).or_else(|| self.0.get(&snake(name)));
        found.filter(|value| !value.is_null())
    }

    fn text(self, name: &str) -> Read<String> {
        match self.get(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => malformed(name, "a text"),
        }
    }

    fn whole<T: TryFrom<i128>>(self, name: &str) -> Read<Option<T>> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match whole(value).and_then(|number| T::try_from(number).ok()) {
            None => malformed(name, "a whole number"),
            number => Ok(number),
        }
    }

    fn id(self, name: &str) -> Read<Vec<u8>> {
        hex::decode(self.text(name)?).or_else(|_| malformed(name, "hexadecimal digits"))
    }

    fn list<T>(self, name: &str, read: impl Fn(&'a Value) -> Read<T>) -> Read<Vec<T>> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items.iter().map(read).collect(),
            Some(_) => malformed(name, "a list"),
        }
    }

    fn attributes(self) -> Read<Vec<KeyValue>> {
        self.list("attributes", pair)
    }

    fn count(self, name: &str) -> Read<u32> {
        Ok(self.whole(name)?.unwrap_or_default())
    }
}

/// `startTimeUnixNano` -> `start_time_unix_nano`.
fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// A number of up to 64 bits, also as text or with a point and zeros.
fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => {
            let exact = number.as_i128();
            #[expect(
                clippy::cast_possible_truncation,
                reason = "whole, and within the bounds"
            )]
            exact.or_else(|| {
                let float = number.as_f64()?;
                let fits = float.fract() == 0.0 && float.abs() <= 18_446_744_073_709_551_615.0;
                fits.then_some(float as i128)
            })
        }
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A double, also one that JSON has no number for.
fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        // "NaN", "Infinity" and "-Infinity" are read by Rust as by everybody.
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

pub fn resource(value: &Value) -> Read<Resource> {
    if value.is_null() {
        return Ok(Resource::default());
    }
    let object = Object::of(value, "resource")?;
    Ok(Resource {
        attributes: object.attributes()?,
        dropped_attributes_count: object.count("droppedAttributesCount")?,
        entity_refs: Vec::new(),
    })
}

pub fn scope(value: &Value) -> Read<Option<InstrumentationScope>> {
    if value.is_null() {
        return Ok(None);
    }
    let object = Object::of(value, "scope")?;
    Ok(Some(InstrumentationScope {
        name: object.text("name")?,
        version: object.text("version")?,
        attributes: object.attributes()?,
        dropped_attributes_count: object.count("droppedAttributesCount")?,
    }))
}

pub fn span(value: &Value) -> Read<Span> {
    let object = Object::of(value, "span")?;
    let kind = object.get("kind").map(|kind| {
        enumerated(kind, "kind", |name| {
            SpanKind::from_str_name(name).map(i32::from)
        })
    });
    Ok(Span {
        trace_id: object.id("traceId")?,
        span_id: object.id("spanId")?,
        trace_state: object.text("traceState")?,
        parent_span_id: object.id("parentSpanId")?,
        flags: object.count("flags")?,
        name: object.text("name")?,
        kind: kind.transpose()?.unwrap_or_default(),
        start_time_unix_nano: object.whole("startTimeUnixNano")?.unwrap_or_default(),
        end_time_unix_nano: object.whole("endTimeUnixNano")?.unwrap_or_default(),
        attributes: object.attributes()?,
        dropped_attributes_count: object.count("droppedAttributesCount")?,
        events: object.list("events", event)?,
        dropped_events_count: object.count("droppedEventsCount")?,
        links: object.list("links", link)?,
        dropped_links_count: object.count("droppedLinksCount")?,
        status: object.get("status").map(status).transpose()?,
    })
}

pub fn log(value: &Value) -> Read<LogRecord> {
    let object = Object::of(value, "log record")?;
    let severity = object.get("severityNumber").map(|number| {
        enumerated(number, "severityNumber", |name| {
            SeverityNumber::from_str_name(name).map(i32::from)
        })
    });
    Ok(LogRecord {
        time_unix_nano: object.whole("timeUnixNano")?.unwrap_or_default(),
        observed_time_unix_nano: object.whole("observedTimeUnixNano")?.unwrap_or_default(),
        severity_number: severity.transpose()?.unwrap_or_default(),
        severity_text: object.text("severityText")?,
        body: object.get("body").map(any).transpose()?,
        attributes: object.attributes()?,
        dropped_attributes_count: object.count("droppedAttributesCount")?,
        flags: object.count("flags")?,
        trace_id: object.id("traceId")?,
        span_id: object.id("spanId")?,
        event_name: object.text("eventName")?,
    })
}

fn event(value: &Value) -> Read<Event> {
    let object = Object::of(value, "event")?;
    Ok(Event {
        time_unix_nano: object.whole("timeUnixNano")?.unwrap_or_default(),
        name: object.text("name")?,
        attributes: object.attributes()?,
        dropped_attributes_count: object.count("droppedAttributesCount")?,
    })
}

fn link(value: &Value) -> Read<Link> {
    let object = Object::of(value, "link")?;
    Ok(Link {
        trace_id: object.id("traceId")?,
        span_id: object.id("spanId")?,
        trace_state: object.text("traceState")?,
        attributes: object.attributes()?,
        dropped_attributes_count: object.count("droppedAttributesCount")?,
        flags: object.count("flags")?,
    })
}

fn status(value: &Value) -> Read<Status> {
    let object = Object::of(value, "status")?;
    let code = object.get("code").map(|code| {
        enumerated(code, "code", |name| {
            StatusCode::from_str_name(name).map(i32::from)
        })
    });
    Ok(Status {
        message: object.text("message")?,
        code: code.transpose()?.unwrap_or_default(),
    })
}

/// A number, or the name that protobuf has for it.
fn enumerated(value: &Value, field: &str, named: impl Fn(&str) -> Option<i32>) -> Read<i32> {
    let name = value.as_str().and_then(named);
    let number = || whole(value).and_then(|number| i32::try_from(number).ok());
    name.or_else(number)
        .map_or_else(|| malformed(field, "a number or a name of OTLP"), Ok)
}

fn pair(value: &Value) -> Read<KeyValue> {
    let object = Object::of(value, "attribute")?;
    Ok(KeyValue {
        key: object.text("key")?,
        value: object.get("value").map(any).transpose()?,
        ..KeyValue::default()
    })
}

/// A value of an attribute. One of a kind that nobody knows has no value, as protobuf has it.
fn any(value: &Value) -> Read<AnyValue> {
    let object = Object::of(value, "value")?;
    let read = if let Some(text) = object.get("stringValue") {
        Some(Any::StringValue(match text {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }))
    } else if let Some(truth) = object.get("boolValue") {
        match truth {
            Value::Bool(truth) => Some(Any::BoolValue(*truth)),
            _ => return malformed("boolValue", "true or false"),
        }
    } else if let Some(number) = object.get("intValue") {
        Some(integer(number)?)
    } else if let Some(number) = object.get("doubleValue") {
        match double(number) {
            Some(number) => Some(Any::DoubleValue(number)),
            None => return malformed("doubleValue", "a number"),
        }
    } else if let Some(array) = object.get("arrayValue") {
        let values = Object::of(array, "arrayValue")?.list("values", |value| {
            if value.is_null() {
                Ok(AnyValue::default())
            } else {
                any(value)
            }
        })?;
        Some(Any::ArrayValue(ArrayValue { values }))
    } else if let Some(map) = object.get("kvlistValue") {
        let values = Object::of(map, "kvlistValue")?.list("values", pair)?;
        Some(Any::KvlistValue(KeyValueList { values }))
    } else if let Some(bytes) = object.get("bytesValue") {
        Some(Any::BytesValue(base64(bytes)?))
    } else {
        None
    };
    Ok(AnyValue { value: read })
}

/// An integer; one that has a fraction, or is beyond 64 bits, is kept as a double.
fn integer(value: &Value) -> Read<Any> {
    let exact = whole(value).and_then(|number| i64::try_from(number).ok());
    match exact {
        Some(number) => Ok(Any::IntValue(number)),
        None => double(value).map_or_else(
            || malformed("intValue", "a whole number"),
            |number| Ok(Any::DoubleValue(number)),
        ),
    }
}

fn base64(value: &Value) -> Read<Vec<u8>> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let decoded = value.as_str().and_then(|text| STANDARD.decode(text).ok());
    decoded.map_or_else(|| malformed("bytesValue", "base64"), Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn value(text: &str) -> Option<Any> {
        let value: Value = serde_json::from_str(text).expect("JSON");
        any(&value).expect("a value").value
    }

    #[rstest]
    #[case::text(r#"{"stringValue":"a"}"#, Some(Any::StringValue("a".into())))]
    #[case::python_not_a_number(
        r#"{"doubleValue":"Infinity"}"#,
        Some(Any::DoubleValue(f64::INFINITY))
    )]
    #[case::javascript_not_a_number(r#"{"doubleValue":null}"#, None)]
    #[case::no_point(r#"{"doubleValue":2}"#, Some(Any::DoubleValue(2.0)))]
    #[case::integer_as_text(
        r#"{"intValue":"9007199254740993"}"#,
        Some(Any::IntValue(9_007_199_254_740_993))
    )]
    #[case::integer_as_number(r#"{"intValue":7}"#, Some(Any::IntValue(7)))]
    #[case::integer_with_a_point(r#"{"intValue":5.0}"#, Some(Any::IntValue(5)))]
    #[case::beyond_64_bits(r#"{"intValue":1e30}"#, Some(Any::DoubleValue(1e30)))]
    #[case::nothing("{}", None)]
    #[case::unknown(r#"{"colourValue":"red"}"#, None)]
    #[case::empty_array(r#"{"arrayValue":{}}"#, Some(Any::ArrayValue(ArrayValue::default())))]
    #[case::bytes(r#"{"bytesValue":"AAE="}"#, Some(Any::BytesValue(vec![0, 1])))]
    fn values_are_read_as_exporters_write_them(#[case] text: &str, #[case] expected: Option<Any>) {
        assert_eq!(value(text), expected);
    }

    #[test]
    fn not_a_number_is_a_double() {
        let read = value(r#"{"doubleValue":"NaN"}"#);
        assert!(matches!(read, Some(Any::DoubleValue(number)) if number.is_nan()));
    }

    #[rstest]
    #[case::number(json!({"severityNumber": 17}), 17)]
    #[case::name(json!({"severityNumber": "SEVERITY_NUMBER_ERROR"}), 17)]
    #[case::none(json!({"severityNumber": null}), 0)]
    fn severities_are_numbers_or_names(#[case] value: Value, #[case] expected: i32) {
        assert_eq!(log(&value).expect("a log").severity_number, expected);
    }

    #[test]
    fn a_log_record_is_read_whole() {
        let read = log(&json!({
            "timeUnixNano": "5", "observed_time_unix_nano": 6, "severityText": "WARN", "traceId": "0A", "spanId": "0b",
            "body": {"stringValue": "text"}, "attributes": [{"key": "a", "value": {"intValue": "1"}}], "flags": 1,
            "droppedAttributesCount": 2, "eventName": "sold"
        }));
        let expected = LogRecord {
            time_unix_nano: 5,
            observed_time_unix_nano: 6,
            severity_text: "WARN".to_owned(),
            body: Some(AnyValue {
                value: Some(Any::StringValue("text".to_owned())),
            }),
            attributes: vec![crate::testing::pair("a", Any::IntValue(1))],
            dropped_attributes_count: 2,
            flags: 1,
            trace_id: vec![10],
            span_id: vec![11],
            event_name: "sold".to_owned(),
            ..LogRecord::default()
        };
        assert_eq!(read.expect("a log"), expected);
    }

    #[rstest]
    #[case::number(json!(2), 2)]
    #[case::name(json!("SPAN_KIND_SERVER"), 2)]
    #[case::number_as_text(json!("2"), 2)]
    fn kinds_are_numbers_or_names(#[case] kind: Value, #[case] expected: i32) {
        let read = span(&json!({"kind": kind})).expect("a span");
        assert_eq!(read.kind, expected);
    }

    #[test]
    fn defaults_and_nulls_are_the_same() {
        let bare = span(&json!({"name": "a"})).expect("a span");
        let nulls = json!({
            "name": "a", "attributes": null, "events": null, "links": null, "kind": null, "traceState": null,
            "droppedAttributesCount": null, "status": null, "parentSpanId": null
        });
        assert_eq!(span(&nulls).expect("a span"), bare);
    }

    #[rstest]
    #[case::id(json!({"traceId": "zz"}), "`traceId` must be hexadecimal digits")]
    #[case::time(json!({"startTimeUnixNano": "noon"}), "`startTimeUnixNano` must be a whole number")]
    #[case::below_zero(json!({"startTimeUnixNano": -1}), "`startTimeUnixNano` must be a whole number")]
    #[case::list(json!({"events": {}}), "`events` must be a list")]
    fn what_cannot_be_read_is_named(#[case] value: Value, #[case] text: &str) {
        assert_eq!(
            span(&value).err().map(|error| error.0).as_deref(),
            Some(text)
        );
    }

    #[test]
    fn names_of_protobuf_are_read_too() {
        let read = span(&json!({"trace_id": "0a", "start_time_unix_nano": 5})).expect("a span");
        assert_eq!((read.trace_id, read.start_time_unix_nano), (vec![10], 5));
    }
}
