//! Names under which data holds what is no attribute of a span. Those of `otel.` and `w3c.` are what the specification
//! of OpenTelemetry gives to exporters whose format lacks the field, where it gives one.

pub const KIND: &str = "sentry.kind";
pub const DESCRIPTION: &str = "sentry.description";
/// The span's own name, where the description is another.
pub const NAME: &str = "otel.span.name";
pub const STATUS_CODE: &str = "otel.status_code";
pub const STATUS_MESSAGE: &str = "otel.status_description";
pub const TRACE_STATE: &str = "w3c.tracestate";
pub const SCOPE_NAME: &str = "otel.scope.name";
pub const SCOPE_VERSION: &str = "otel.scope.version";
pub const DROPPED_ATTRIBUTES: &str = "otel.dropped_attributes_count";
pub const DROPPED_EVENTS: &str = "otel.dropped_events_count";
pub const DROPPED_LINKS: &str = "otel.dropped_links_count";
pub const DROPPED_SCOPE_ATTRIBUTES: &str = "otel.scope.dropped_attributes_count";
/// Those that are no exceptions; exceptions are events of Sentry's.
pub const EVENTS: &str = "otel.events";
/// Links without a valid id, which Sentry would refuse.
pub const INVALID_LINKS: &str = "otel.invalid_links";
/// The longest text, in characters, of a span that was too large.
pub const TEXT_LIMIT: &str = "sentry_otlp.text_limit";
/// So many attributes, events and links at most were kept of a span that was too large.
pub const COUNT_LIMIT: &str = "sentry_otlp.count_limit";
/// A transaction whose root has a parent that went out in another one; as Sentry's SDK for JavaScript has it.
pub const PARENT_SENT: &str = "sentry.parent_span_already_sent";
/// A transaction whose root has a parent that never came.
pub const PARENT_MISSING: &str = "sentry_otlp.parent_span_missing";

/// What stands before a scope's own attributes.
pub const SCOPE: &str = "otel.scope.";
/// What stands before a resource's attributes; as in what Sentry's own intake of OTLP stores.
pub const RESOURCE: &str = "resource.";

/// All that are written beside a span's attributes.
pub const OURS: &[&str] = &[
    KIND,
    NAME,
    STATUS_CODE,
    STATUS_MESSAGE,
    TRACE_STATE,
    SCOPE_NAME,
    SCOPE_VERSION,
    DROPPED_ATTRIBUTES,
    DROPPED_EVENTS,
    DROPPED_LINKS,
    DROPPED_SCOPE_ATTRIBUTES,
    EVENTS,
    INVALID_LINKS,
    TEXT_LIMIT,
    COUNT_LIMIT,
];
