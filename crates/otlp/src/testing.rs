//! What unit tests are written with: spans, attributes, and figures as a text.

use crate::figures::Figures;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// Figures as Prometheus reads them.
pub fn metrics(figures: &Figures) -> String {
    let (mut registry, mut text) = (Registry::default(), String::new());
    figures.register(&mut registry);
    encode(&mut text, &registry).expect("metrics");
    text
}

/// An attribute.
pub fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// Attributes that are texts.
pub fn attributes(pairs: &[(&str, &str)]) -> Vec<KeyValue> {
    let text = |(key, value): &(&str, &str)| pair(key, Value::StringValue((*value).to_owned()));
    pairs.iter().map(text).collect()
}

/// A span of a second that has attributes that are texts.
pub fn span(name: &str, kind: SpanKind, pairs: &[(&str, &str)]) -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: name.to_owned(),
        kind: kind.into(),
        start_time_unix_nano: 1_795_911_870_000_000_000,
        end_time_unix_nano: 1_795_911_871_000_000_000,
        attributes: attributes(pairs),
        ..Span::default()
    }
}
