//! Attributes as JSON, as Sentry keeps them in data: nothing of them is lost.

use crate::attributes::{Attributes, value};
use crate::conventions::text::short;
use crate::conventions::unique::Unique;
use crate::json::{Object, Unwritten};
use base64::prelude::{BASE64_STANDARD, Engine};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use std::borrow::Cow;

/// Whole numbers beyond it are not exact in programs that read all numbers as 64-bit floats, as browsers do.
const EXACT: u64 = 1 << 53;

/// The longest text that is kept, in characters, and how many attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub text: usize,
    pub attributes: usize,
}

impl Limits {
    /// Everything is kept.
    pub const NONE: Self = Self {
        text: usize::MAX,
        attributes: usize::MAX,
    };
}

/// A value as JSON: whole numbers beyond 2^53, `NaN` and `Infinity` as text, bytes as base64.
#[derive(Debug, Clone, Copy)]
pub struct Json<'a> {
    pub value: &'a Value,
    pub limits: Limits,
}

impl<'a> Json<'a> {
    /// A value in full.
    pub const fn whole(value: &'a Value) -> Self {
        Self {
            value,
            limits: Limits::NONE,
        }
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::StringValue(text) => serializer.serialize_str(&short(text, self.limits.text)),
            Value::BoolValue(truth) => serializer.serialize_bool(*truth),
            Value::IntValue(number) if number.unsigned_abs() > EXACT => {
                serializer.collect_str(number)
            }
            Value::IntValue(number) => serializer.serialize_i64(*number),
            Value::DoubleValue(number) if number.is_finite() => serializer.serialize_f64(*number),
            Value::DoubleValue(number) => serializer.serialize_str(not_finite(*number)),
            Value::ArrayValue(array) => list(serializer, &array.values, self.limits),
            Value::KvlistValue(map) => Map::new(&map.values, self.limits).serialize(serializer),
            Value::BytesValue(bytes) => {
                let text = BASE64_STANDARD.encode(bytes);
                serializer.serialize_str(&short(&text, self.limits.text))
            }
            // An index into a table that only profiles have.
            Value::StringValueStrindex(index) => serializer.serialize_i32(*index),
        }
    }
}

fn not_finite(number: f64) -> &'static str {
    if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

fn list<S: Serializer>(
    serializer: S,
    values: &[AnyValue],
    limits: Limits,
) -> Result<S::Ok, S::Error> {
    let kept = values.get(..limits.attributes).unwrap_or(values);
    let mut items = serializer.serialize_seq(Some(kept.len()))?;
    for item in kept {
        items.serialize_element(&value(Some(item)).map(|value| Json { value, limits }))?;
    }
    items.end()
}

/// Attributes as a JSON object. One without a value is null; of two of one name the second gets a number.
#[derive(Debug, Clone, Copy)]
pub struct Map<'a> {
    pairs: &'a [KeyValue],
    limits: Limits,
}

impl<'a> Map<'a> {
    /// These, as far as the limits let them.
    pub const fn new(pairs: &'a [KeyValue], limits: Limits) -> Self {
        Self { pairs, limits }
    }

    /// All of these.
    pub const fn whole(attributes: Attributes<'a>) -> Self {
        Self::new(attributes.0, Limits::NONE)
    }

    /// Adds them to an object of serde's that is being written.
    pub fn entries<M: SerializeMap>(
        &self,
        prefix: &str,
        unique: &mut Unique<'a>,
        map: &mut M,
    ) -> Result<(), M::Error> {
        self.each(prefix, unique, |name, value| {
            map.serialize_entry(name, &value)
        })
    }

    /// Adds them to an object that is being written.
    pub fn members(
        &self,
        prefix: &str,
        unique: &mut Unique<'a>,
        object: &mut Object<'_>,
    ) -> Result<(), Unwritten> {
        self.each(prefix, unique, |name, value| match value {
            Some(Json {
                value: Value::StringValue(text),
                limits,
            }) => object.text(name, &short(text, limits.text)),
            other => object.value(name, &other),
        })
    }

    /// Each name, which is told from those before it, and value.
    fn each<E>(
        &self,
        prefix: &str,
        unique: &mut Unique<'a>,
        mut act: impl FnMut(&str, Option<Json<'a>>) -> Result<(), E>,
    ) -> Result<(), E> {
        for pair in self.pairs.iter().take(self.limits.attributes) {
            let name = if prefix.is_empty() {
                short(&pair.key, self.limits.text)
            } else {
                Cow::Owned(format!("{prefix}{}", short(&pair.key, self.limits.text)))
            };
            let value = value(pair.value.as_ref()).map(|value| Json {
                value,
                limits: self.limits,
            });
            act(&unique.take(name), value)?;
        }
        Ok(())
    }
}

impl Serialize for Map<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.entries("", &mut Unique::default(), &mut map)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::pair;
    use opentelemetry_proto::tonic::common::v1::ArrayValue;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(Value::IntValue(1 << 53), json!(9_007_199_254_740_992_i64))]
    #[case(Value::IntValue(-(1 << 53) - 1), json!("-9007199254740993"))]
    #[case(Value::IntValue(i64::MIN), json!("-9223372036854775808"))]
    #[case(Value::DoubleValue(1.5), json!(1.5))]
    #[case(Value::DoubleValue(f64::NAN), json!("NaN"))]
    #[case(Value::DoubleValue(f64::NEG_INFINITY), json!("-Infinity"))]
    #[case(Value::BytesValue(vec![0, 255]), json!("AP8="))]
    #[case(Value::BoolValue(true), json!(true))]
    fn a_value_is_what_json_can_hold(#[case] value: Value, #[case] json: serde_json::Value) {
        let made = serde_json::to_value(Json::whole(&value)).expect("JSON");
        assert_eq!(made, json);
    }

    #[test]
    fn arrays_and_maps_keep_what_is_in_them() {
        let array = Value::ArrayValue(ArrayValue {
            values: vec![
                AnyValue {
                    value: Some(Value::IntValue(1)),
                },
                AnyValue { value: None },
            ],
        });
        let pairs = [pair("a", array), pair("a", Value::BoolValue(false))];
        let made = serde_json::to_value(Map::whole(Attributes(&pairs))).expect("JSON");
        assert_eq!(made, json!({"a": [1, null], "a_2": false}));
    }
}
