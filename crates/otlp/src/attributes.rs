//! Attributes as OTLP has them: pairs of a name and a value of several types.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use std::borrow::Cow;

/// Attributes of a span, an event, a resource or a scope, in the order in which they came.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a>(pub &'a [KeyValue]);

impl<'a> Attributes<'a> {
    /// The value of the first of that name; none where it has no value.
    pub fn get(self, name: &str) -> Option<&'a Value> {
        self.0
            .iter()
            .find(|pair| pair.key == name)
            .and_then(|pair| value(pair.value.as_ref()))
    }

    /// The first of these names that has a text that is not empty.
    pub fn text(self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| match self.get(name) {
            Some(Value::StringValue(text)) if !text.is_empty() => Some(text.as_str()),
            _ => None,
        })
    }

    /// The first of these names that has a whole number, also where it is written as text.
    pub fn integer(self, names: &[&str]) -> Option<i64> {
        names.iter().find_map(|name| match self.get(name)? {
            Value::IntValue(number) => Some(*number),
            Value::StringValue(text) => text.parse().ok(),
            _ => None,
        })
    }

    /// Names and values, without those that have no value.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.0
            .iter()
            .filter_map(|pair| Some((pair.key.as_str(), value(pair.value.as_ref())?)))
    }
}

/// What is in a value, if anything.
pub fn value(value: Option<&AnyValue>) -> Option<&Value> {
    value.and_then(|value| value.value.as_ref())
}

/// A text, a truth value or a number as text, the latter in its shortest form; nothing for arrays, maps and bytes.
pub fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    Some(match value {
        Value::StringValue(text) => Cow::Borrowed(text.as_str()),
        Value::BoolValue(truth) => Cow::Borrowed(if *truth { "true" } else { "false" }),
        Value::IntValue(number) => Cow::Owned(number.to_string()),
        Value::DoubleValue(number) => Cow::Owned(number.to_string()),
        _ => return None,
    })
}
