//! Values as texts, where Sentry would lose something of them.

use crate::attributes::value as inner;
use crate::conventions::data::Json;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;

/// What Sentry keeps of an array: one kind of values (Relay 26.9 drops an attribute that has several).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plain {
    Text,
    Truth,
    Number,
}

/// A text as it is, all else as JSON; bytes that are no text as base64.
pub fn text(value: Value) -> String {
    match value {
        Value::StringValue(text) => text,
        Value::BytesValue(bytes) => String::from_utf8(bytes)
            .unwrap_or_else(|no_text| plain(&Value::BytesValue(no_text.into_bytes()))),
        value => {
            // Nothing in a value keeps it from being JSON.
            serde_json::to_string(&Json::whole(&value)).unwrap_or_default()
        }
    }
}

/// The JSON of a value that is a text there, without its quotes.
fn plain(value: &Value) -> String {
    let json = serde_json::to_value(Json::whole(value)).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

/// What is lost in Sentry becomes a text: maps and arrays with more than plain values of one kind, bytes that are no text,
/// doubles that are no numbers (Relay 26.9 keeps null for them).
pub fn keepable(value: Value) -> Value {
    match value {
        Value::DoubleValue(number) if !number.is_finite() => Value::StringValue(plain(&value)),
        Value::ArrayValue(array) if is_plain(&array.values) => Value::ArrayValue(array),
        Value::KvlistValue(_) | Value::BytesValue(_) | Value::ArrayValue(_) => {
            Value::StringValue(text(value))
        }
        value => value,
    }
}

fn is_plain(values: &[AnyValue]) -> bool {
    let kinds = values.iter().map(|value| kind(inner(Some(value))?));
    let mut first = None;
    kinds
        .into_iter()
        .all(|kind| kind.is_some() && *first.get_or_insert(kind) == kind)
}

fn kind(value: &Value) -> Option<Plain> {
    match value {
        Value::StringValue(_) => Some(Plain::Text),
        Value::BoolValue(_) => Some(Plain::Truth),
        Value::IntValue(_) => Some(Plain::Number),
        Value::DoubleValue(number) if number.is_finite() => Some(Plain::Number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::pair;
    use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValueList};
    use rstest::rstest;

    fn array(values: Vec<Value>) -> Value {
        let values = values
            .into_iter()
            .map(|value| AnyValue { value: Some(value) });
        Value::ArrayValue(ArrayValue {
            values: values.collect(),
        })
    }

    fn map(key: &str, value: Value) -> Value {
        Value::KvlistValue(KeyValueList {
            values: vec![pair(key, value)],
        })
    }

    #[rstest]
    #[case::text(Value::StringValue("a \"b\"".to_owned()), "a \"b\"")]
    #[case::whole(Value::IntValue(-7), "-7")]
    #[case::truth(Value::BoolValue(true), "true")]
    #[case::bytes_of_text(Value::BytesValue(b"abc".to_vec()), "abc")]
    #[case::bytes(Value::BytesValue(vec![0, 255]), "AP8=")]
    #[case::nested(map("a", map("b", Value::IntValue(1))), r#"{"a":{"b":1}}"#)]
    #[case::array(array(vec![Value::IntValue(1), array(vec![])]), "[1,[]]")]
    fn a_body_is_a_text(#[case] value: Value, #[case] expected: &str) {
        assert_eq!(text(value), expected);
    }

    #[rstest]
    #[case::text(Value::StringValue("a".to_owned()), None)]
    #[case::whole(Value::IntValue(1), None)]
    #[case::no_number(Value::DoubleValue(f64::NEG_INFINITY), Some("-Infinity"))]
    #[case::one_kind(array(vec![Value::IntValue(1), Value::DoubleValue(2.5)]), None)]
    #[case::empty(array(vec![]), None)]
    #[case::two_kinds(array(vec![Value::IntValue(1), Value::BoolValue(true)]), Some("[1,true]"))]
    #[case::nested(array(vec![map("a", Value::IntValue(1))]), Some(r#"[{"a":1}]"#))]
    #[case::map(map("a", Value::IntValue(1)), Some(r#"{"a":1}"#))]
    fn what_would_be_lost_is_a_text(#[case] value: Value, #[case] expected: Option<&str>) {
        let kept = keepable(value.clone());
        let expected = expected.map(|text| Value::StringValue(text.to_owned()));
        assert_eq!(kept, expected.unwrap_or(value));
    }
}
