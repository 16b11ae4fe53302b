//! An exception as one of Sentry's error events. The types are our own: those of sentry-types 0.49 have neither the links
//! between exceptions (`exception_id`, `parent_id`, `source`) nor borrowed texts.

use crate::attributes::{Attributes, scalar, value};
use crate::conventions::data::{Limits, Map};
use crate::conventions::environment::environment;
use crate::conventions::left_out::LeftOut;
use crate::conventions::name::name;
use crate::conventions::op::op;
use crate::conventions::platform::platform;
use crate::conventions::release::release;
use crate::conventions::request::{Request, request};
use crate::conventions::status::status;
use crate::conventions::tags::{ResourceTags, Tags, server_name, tags};
use crate::conventions::text::{cost, hex};
use crate::conventions::time::seconds;
use crate::conventions::user::{User, user};
use crate::envelope::{SDK, Sdk};
use crate::errors::exception::{Exceptions, Told};
use crate::errors::extra::Extra;
use crate::errors::stack;
use crate::seen::Seen;
use crate::terms::Terms;
use crate::transactions::fit::fit;
use crate::transactions::record::Parent;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::Event as SpanEvent;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use std::borrow::Cow;
use uuid::Uuid;

/// Attributes of an exception event that have a place of their own.
const KIND: &str = "exception.type";
const MESSAGE: &str = "exception.message";
const STACK: &str = "exception.stacktrace";
const ESCAPED: &str = "exception.escaped";

/// Sentry cuts a context of no type of its own at 8 KiB (sentry-relay 0.10.1); attributes may have so many bytes as JSON.
/// All of them are in the span's data.
const LARGEST: usize = 3_500;

/// Sentry's error event.
#[derive(Debug, Serialize)]
pub struct Event<'a> {
    /// 32 hexadecimal digits.
    pub event_id: String,
    /// Seconds since 1970.
    timestamp: f64,
    level: &'static str,
    platform: &'static str,
    exception: Exceptions<'a>,
    /// The name of the transaction; known where the span is its root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_name: Option<String>,
    contexts: Contexts<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Request>,
    tags: Tags<'a>,
    #[serde(skip_serializing_if = "Extra::is_empty")]
    extra: Extra,
    sdk: Sdk,
}

#[derive(Debug, Serialize)]
struct Contexts<'a> {
    trace: Trace<'a>,
    otel: Otel<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    otel_event: Option<OfEvent>,
}

#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "Sentry's names")]
struct Trace<'a> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    op: Cow<'a, str>,
    status: &'static str,
}

#[derive(Debug, Serialize)]
struct Otel<'a> {
    attributes: Part<'a>,
    resource: Option<&'a RawValue>,
}

/// What all errors have in common that come of a resource.
#[derive(Debug)]
pub struct OfResource {
    /// Its attributes, as a context of Sentry's holds them.
    context: Option<Box<RawValue>>,
    tags: ResourceTags,
}

impl OfResource {
    /// That of a resource.
    pub fn of(resource: Attributes<'_>) -> Self {
        Self {
            // What has texts as keys can be written.
            context: to_raw_value(&Part::of(Cow::Borrowed(resource.0))).ok(),
            tags: ResourceTags::of(resource),
        }
    }
}

#[derive(Debug, Serialize)]
struct OfEvent {
    attributes: Part<'static>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// An error event, and what tells whether it is another's double.
#[derive(Debug)]
pub struct Recorded<'a> {
    /// Empty where it is not told, as the message.
    pub kind: &'a str,
    pub message: &'a str,
    /// Nanoseconds since 1970.
    pub time: u64,
    pub event: Event<'a>,
}

impl<'a> Recorded<'a> {
    /// What a span recorded. What of it Sentry would not keep is handed to `tell`.
    pub fn of(
        seen: &Seen<'a>,
        of_resource: &'a OfResource,
        recorded: &'a SpanEvent,
        terms: &'a Terms,
        mut tell: impl FnMut(LeftOut),
    ) -> Self {
        let attributes = Attributes(&recorded.attributes);
        let told = Told {
            kind: kind(recorded),
            message: message(recorded),
            escaped: attributes.get(ESCAPED).and_then(truth),
        };
        let text = attributes.text(&[STACK]);
        let language = seen.resource.text(&["telemetry.sdk.language"]);
        let stack = text.and_then(|text| stack::parse(text, language));
        let time = match recorded.time_unix_nano {
            0 => seen.span.end_time_unix_nano,
            time => time,
        };
        let mut kept = |found: Result<_, LeftOut>| found.map_err(&mut tell).ok().flatten();
        let op = op(seen);
        let event = Event {
            event_id: Uuid::new_v4().simple().to_string(),
            timestamp: seconds(time),
            level: "error",
            platform: platform(seen.resource),
            transaction: is_root(seen.span).then(|| name(seen, &op).text),
            release: kept(release(seen, terms)),
            environment: kept(environment(seen, terms)),
            server_name: server_name(seen.resource),
            contexts: Contexts::of(seen, of_resource, recorded, op),
            user: user(seen),
            request: request(seen),
            tags: tags(seen, &of_resource.tags),
            extra: Extra::of(text, stack.as_ref()),
            exception: Exceptions::new(told, stack),
            sdk: SDK,
        };
        Self {
            kind: told.kind,
            message: told.message,
            time,
            event,
        }
    }
}

/// The type of an exception; empty where it is not told.
pub fn kind(recorded: &SpanEvent) -> &str {
    let kind = Attributes(&recorded.attributes).text(&[KIND]);
    kind.unwrap_or_default()
}

/// Its message; empty where it is not told.
pub fn message(recorded: &SpanEvent) -> &str {
    let message = Attributes(&recorded.attributes).text(&[MESSAGE]);
    message.unwrap_or_default()
}

/// Whether a span is the root of its part of the trace, as far as it tells.
fn is_root(span: &Span) -> bool {
    match Parent::of(span) {
        Parent::None | Parent::Remote => true,
        Parent::Local(_) => false,
        Parent::Untold { serves, .. } => serves,
    }
}

/// A truth value; Python's SDK sends `True` and `False` as text.
fn truth(value: &Value) -> Option<bool> {
    let text = scalar(value)?;
    ["true", "false"]
        .into_iter()
        .find(|word| text.eq_ignore_ascii_case(word))
        .map(|word| word == "true")
}

impl<'a> Contexts<'a> {
    fn of(
        seen: &Seen<'a>,
        of_resource: &'a OfResource,
        recorded: &SpanEvent,
        op: Cow<'a, str>,
    ) -> Self {
        let span = seen.span;
        let has_parent = span.parent_span_id.iter().any(|byte| *byte != 0);
        Self {
            trace: Trace {
                trace_id: hex(&span.trace_id),
                span_id: hex(&span.span_id),
                parent_span_id: has_parent.then(|| hex(&span.parent_span_id)),
                op,
                status: status(seen),
            },
            otel: Otel {
                attributes: Part::of(Cow::Borrowed(&span.attributes)),
                resource: of_resource.context.as_deref(),
            },
            otel_event: further(recorded),
        }
    }
}

/// The attributes of an exception event that have no place of their own, if any.
fn further(recorded: &SpanEvent) -> Option<OfEvent> {
    let own = |pair: &&KeyValue| ![KIND, MESSAGE, STACK, ESCAPED].contains(&pair.key.as_str());
    let others: Vec<_> = recorded.attributes.iter().filter(own).cloned().collect();
    let dropped = recorded.dropped_attributes_count;
    (!others.is_empty() || dropped > 0).then(|| OfEvent {
        attributes: Part::of(Cow::Owned(others)),
        dropped_attributes_count: dropped,
    })
}

/// Attributes, as many and as long as a context of Sentry's holds.
#[derive(Debug)]
struct Part<'a> {
    attributes: Cow<'a, [KeyValue]>,
    limits: Limits,
}

impl<'a> Part<'a> {
    fn of(attributes: Cow<'a, [KeyValue]>) -> Self {
        if is_small(&attributes) {
            let limits = Limits::NONE;
            return Self { attributes, limits };
        }
        let fitting = fit(LARGEST, |limits| Map::new(&attributes, limits));
        let limits = fitting.map_or(Limits::NONE, |(_, limits)| limits);
        Self { attributes, limits }
    }
}

/// Whether it is seen at a glance that attributes have no more bytes than they may.
fn is_small(attributes: &[KeyValue]) -> bool {
    let bytes = attributes.iter().map(|pair| {
        let value = value(pair.value.as_ref()).map(|value| Some(cost(&scalar(value)?)));
        // Quotes, a colon, a comma, and a number behind a name that came before.
        Some(cost(&pair.key) + value.unwrap_or(Some(4))? + 16)
    });
    let all = bytes.sum::<Option<usize>>();
    all.is_some_and(|all| all < LARGEST)
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Map::new(&self.attributes, self.limits).serialize(serializer)
    }
}

#[cfg(test)]
mod tests;
