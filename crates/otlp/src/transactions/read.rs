//! A span's JSON, read back: what was kept as a child becomes the root of a transaction.

use crate::attributes::Attributes;
use crate::conventions::tags::kind;
use crate::seen::Seen;
use crate::transactions::keys;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

const KINDS: [SpanKind; 5] = [
    SpanKind::Internal,
    SpanKind::Server,
    SpanKind::Client,
    SpanKind::Producer,
    SpanKind::Consumer,
];

/// A span of Sentry's as it was read: its data entry by entry, each as it was written.
#[derive(Debug, Deserialize)]
pub struct Item<'a> {
    #[serde(borrow)]
    pub trace_id: Cow<'a, str>,
    #[serde(borrow)]
    pub span_id: Cow<'a, str>,
    #[serde(borrow)]
    pub parent_span_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub op: Cow<'a, str>,
    #[serde(borrow)]
    pub description: Cow<'a, str>,
    #[serde(borrow)]
    pub status: Cow<'a, str>,
    /// Seconds since 1970.
    pub start_timestamp: f64,
    pub timestamp: f64,
    #[serde(borrow)]
    pub origin: Cow<'a, str>,
    #[serde(borrow)]
    pub data: Pairs<'a>,
    #[serde(borrow)]
    pub links: Option<&'a RawValue>,
}

/// The entries of an object, values as they are written.
#[derive(Debug, Default)]
pub struct Pairs<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

/// A key is borrowed only where it is told to.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Pairs<'de>;

            fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
                text.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut pairs = Vec::with_capacity(16);
                while let Some(Key(key)) = map.next_key()? {
                    pairs.push((key, map.next_value()?));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// A span as it was received, as far as names, tags, user and request need it.
#[derive(Debug)]
pub struct Restored {
    span: Span,
    scope: InstrumentationScope,
}

impl Restored {
    /// What an item was made of.
    pub fn of(item: &Item<'_>) -> Self {
        let found = |name| {
            let pair = item.data.0.iter().find(|(key, _)| key == name);
            pair.and_then(|(_, raw)| serde_json::from_str::<String>(raw.get()).ok())
        };
        let text = |name| found(name).unwrap_or_default();
        let word = text(keys::KIND);
        let kind = KINDS.into_iter().find(|known| kind(*known) == word);
        let code = match text(keys::STATUS_CODE).as_str() {
            "OK" => StatusCode::Ok,
            "ERROR" => StatusCode::Error,
            _ => StatusCode::Unset,
        };
        let attributes = item.data.0.iter().filter_map(|(key, raw)| {
            let value = AnyValue {
                value: Some(value(raw)?),
            };
            let is_own = !keys::OURS.contains(&&**key) && !key.starts_with(keys::SCOPE);
            is_own.then(|| KeyValue {
                key: key.clone().into_owned(),
                value: Some(value),
                ..KeyValue::default()
            })
        });
        let span = Span {
            name: found(keys::NAME).unwrap_or_else(|| item.description.clone().into_owned()),
            kind: kind.unwrap_or_default().into(),
            trace_state: text(keys::TRACE_STATE),
            status: Some(Status {
                message: text(keys::STATUS_MESSAGE),
                code: code.into(),
            }),
            attributes: attributes.collect(),
            ..Span::default()
        };
        let scope = InstrumentationScope {
            name: text(keys::SCOPE_NAME),
            version: text(keys::SCOPE_VERSION),
            ..InstrumentationScope::default()
        };
        Self { span, scope }
    }

    /// As it stood among what it came with.
    pub fn seen<'a>(&'a self, resource: &'a [KeyValue]) -> Seen<'a> {
        Seen {
            resource: Attributes(resource),
            scope: Some(&self.scope),
            span: &self.span,
        }
    }
}

/// Texts, truth values, numbers and arrays of them; nothing else is looked at in a root.
fn value(raw: &RawValue) -> Option<Value> {
    scalar(&serde_json::from_str(raw.get()).ok()?)
}

fn scalar(value: &serde_json::Value) -> Option<Value> {
    Some(match value {
        serde_json::Value::String(text) => Value::StringValue(text.clone()),
        serde_json::Value::Bool(truth) => Value::BoolValue(*truth),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => Value::IntValue(whole),
            None => Value::DoubleValue(number.as_f64()?),
        },
        serde_json::Value::Array(items) => {
            let value = |item| AnyValue {
                value: scalar(item),
            };
            Value::ArrayValue(ArrayValue {
                values: items.iter().map(value).collect(),
            })
        }
        serde_json::Value::Null | serde_json::Value::Object(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conventions::name::name;
    use crate::conventions::op::op;
    use crate::conventions::status::status;
    use crate::conventions::tags::{ResourceTags, tags};
    use crate::conventions::user::user;
    use crate::testing::{pair, span};
    use crate::transactions::span::write;
    use rstest::rstest;

    #[rstest]
    #[case(SpanKind::Server, "GET /a", &[("http.method", "GET"), ("http.route", "/a"), ("enduser.id", "7")])]
    #[case(SpanKind::Client, "SELECT", &[("db.system", "mysql"), ("db.statement", "SELECT \"1\"")])]
    #[case(SpanKind::Unspecified, "", &[("sentry.op", "x"), ("release", "1")])]
    fn what_was_written_means_the_same_when_read(
        #[case] kind: SpanKind,
        #[case] own: &str,
        #[case] pairs: &[(&str, &str)],
    ) {
        let mut span = span(own, kind, pairs);
        span.attributes.push(pair("n", Value::DoubleValue(2.0)));
        span.attributes.push(pair("i", Value::IntValue(i64::MAX)));
        span.status = Some(Status {
            code: 2,
            message: "cancelled".to_owned(),
        });
        let scope = InstrumentationScope {
            name: "lib".to_owned(),
            ..InstrumentationScope::default()
        };
        let seen = Seen {
            scope: Some(&scope),
            ..Seen::alone(&span)
        };
        let written = write(&seen).expect("JSON");
        let item: Item<'_> = serde_json::from_slice(&written.json).expect("JSON");
        let restored = Restored::of(&item);
        let read = restored.seen(&[]);
        assert_eq!(op(&read), op(&seen));
        assert_eq!(name(&read, &op(&read)), name(&seen, &op(&seen)));
        assert_eq!(status(&read), status(&seen));
        let none = ResourceTags::default();
        assert_eq!(tags(&read, &none), tags(&seen, &none));
        assert_eq!(user(&read), user(&seen));
        let json: serde_json::Value = serde_json::from_slice(&written.json).expect("JSON");
        let texts = [
            ("trace_id", &item.trace_id),
            ("span_id", &item.span_id),
            ("op", &item.op),
            ("description", &item.description),
            ("status", &item.status),
            ("origin", &item.origin),
        ];
        for (name, text) in texts {
            assert_eq!(json[name], **text);
        }
        assert_eq!(json["start_timestamp"], item.start_timestamp);
        assert_eq!(json["timestamp"], item.timestamp);
        assert_eq!(json.get("parent_span_id"), None);
        assert_eq!(item.parent_span_id, None);
        for (name, raw) in &item.data.0 {
            let value: serde_json::Value = serde_json::from_str(raw.get()).expect("JSON");
            assert_eq!(json["data"][&**name], value);
        }
        let data = json["data"].as_object().expect("an object");
        assert_eq!(item.data.0.len(), data.len());
    }
}
