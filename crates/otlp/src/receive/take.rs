//! What is handed over of a request: resources, scopes and spans, one after the other.

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;

/// A single span may have so many encoded bytes: Relay 26.9 takes no larger one.
pub const SPAN_LIMIT: usize = 10 << 20;

/// Why a span cannot be read where the request around it can.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    #[error("{0}")]
    Malformed(String),
    #[error("the span has more than {SPAN_LIMIT} bytes")]
    TooLarge,
}

/// Takes what is in a request, in its order: a resource, a scope of it, the spans of that scope, the next scope.
pub trait Take {
    fn resource(&mut self, resource: Resource, schema_url: String);
    fn scope(&mut self, scope: Option<InstrumentationScope>, schema_url: String);
    fn span(&mut self, span: Result<Span, SpanError>);
}
