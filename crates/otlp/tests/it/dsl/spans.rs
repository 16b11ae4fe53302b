//! Spans as clients send them.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

const STACK: &str = "Traceback (most recent call last):\n  File \"/srv/shop/orders.py\", line 3, in order\n    fail()\nValueError: no such order\n";

/// The span, with an exception recorded half a second after its start.
pub fn failed(mut span: Span, message: &str) -> Span {
    span.events.push(Event {
        time_unix_nano: span.start_time_unix_nano + 500_000_000,
        name: "exception".to_owned(),
        attributes: vec![
            text("exception.type", "ValueError"),
            text("exception.message", message),
            text("exception.stacktrace", STACK),
        ],
        ..Event::default()
    });
    span
}

/// An attribute that is a text.
pub fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

/// Now, in nanoseconds since 1970.
pub fn now() -> u64 {
    let now = chrono::Utc::now().timestamp_nanos_opt();
    u64::try_from(now.expect("a time")).expect("after 1970")
}

/// A span of a second that ended a minute ago. `parent` 0: it is a root.
pub fn span(trace: u8, id: u8, parent: u8) -> Span {
    let parent_span_id = if parent == 0 { vec![] } else { vec![parent; 8] };
    Span {
        trace_id: vec![trace; 16],
        span_id: vec![id; 8],
        parent_span_id,
        flags: 0x100,
        name: format!("span {id}"),
        start_time_unix_nano: now() - 61_000_000_000,
        end_time_unix_nano: now() - 60_000_000_000,
        ..Span::default()
    }
}

/// A request of one resource.
pub fn of_resource(attributes: &[(&str, &str)], spans: Vec<Span>) -> ResourceSpans {
    ResourceSpans {
        resource: Some(Resource {
            attributes: attributes
                .iter()
                .map(|(key, value)| text(key, value))
                .collect(),
            ..Resource::default()
        }),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope {
                name: "library".to_owned(),
                version: "0.1".to_owned(),
                ..InstrumentationScope::default()
            }),
            spans,
            ..ScopeSpans::default()
        }],
        ..ResourceSpans::default()
    }
}

/// The body of a request.
pub fn body(resource_spans: Vec<ResourceSpans>) -> Vec<u8> {
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// The body of a request of one service.
pub fn spans(spans: Vec<Span>) -> Vec<u8> {
    body(vec![of_resource(&[("service.name", "shop")], spans)])
}
