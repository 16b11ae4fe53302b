//! What is handed over of a request: resources, scopes and spans or log records, one after the other.

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;

/// A single span may have so many encoded bytes: Relay 26.9 takes no larger one.
pub const SPAN_LIMIT: usize = 10 << 20;

/// And a single log record: Relay 26.9 takes 2 MiB of one, in which the attributes of its resource and scope count too, and
/// earlier ones 1 MiB; all drop a larger one behind their 200.
pub const LOG_LIMIT: usize = 1 << 20;

/// A resource or a scope may have so many encoded bytes: it is written with each of its spans.
pub const AROUND_LIMIT: usize = 1 << 20;

/// Why a span or log record cannot be read where the request around it can.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("{0}")]
    Malformed(String),
    #[error("it has more than {0} bytes")]
    TooLarge(usize),
    #[error(
        "it has more than {} attributes, events, links and values in lists",
        crate::receive::crowd::MOST
    )]
    TooMany,
}

/// Takes what is in a request, in its order: a resource, a scope of it, the spans or log records of that scope, the next scope.
pub trait Take {
    fn resource(&mut self, resource: Resource, schema_url: String);
    fn scope(&mut self, scope: Option<InstrumentationScope>, schema_url: String);
    /// With the protobuf that it was decoded from, where it came so.
    fn span(&mut self, span: Result<Span, RecordError>, came: Option<&[u8]>);
    fn log(&mut self, log: Result<LogRecord, RecordError>);
}
