//! A span as Sentry's JSON.

use crate::conventions::data::{Limits, Map};
use crate::conventions::description::description;
use crate::conventions::op::op;
use crate::conventions::status::status;
use crate::conventions::tags::kind;
use crate::conventions::text::{Hex, cost, short};
use crate::conventions::time::seconds;
use crate::conventions::unique::Unique;
use crate::json::{Object, Unwritten};
use crate::seen::Seen;
use crate::transactions::fit::fit_written;
use crate::transactions::keys;
use crate::transactions::links::Links;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde::{Serialize, Serializer};
use std::borrow::Cow;

/// Sentry's own word for spans that came by OTLP.
pub const ORIGIN: &str = "auto.otlp.spans";

/// The largest span, in bytes: as the root of a transaction it has to leave room for what else is in it.
const LARGEST: usize = 600_000;

/// The JSON of a span, and whether something of it had to be cut.
#[derive(Debug)]
pub struct Written {
    pub json: Box<[u8]>,
    /// How many bytes of it are the description, at most.
    pub described: usize,
    pub cut: bool,
}

/// A span as JSON of at most 600,000 bytes.
pub fn write(seen: &Seen<'_>) -> Result<Written, serde_json::Error> {
    let op = op(seen);
    let description = description(seen, &op);
    let ids = Ids::of(seen.span);
    let (json, limits) = fit_written(LARGEST, |limits, json| {
        write_in(Object::begin(json), seen, &ids, &op, &description, limits)
    })?;
    Ok(Written {
        json,
        described: cost(&short(&description, limits.text)),
        cut: limits != Limits::NONE,
    })
}

/// The ids of a span, of its trace and of its parent, if it has one, as hexadecimal digits.
struct Ids {
    trace: Hex<32>,
    span: Hex<16>,
    parent: Option<Hex<16>>,
}

impl Ids {
    fn of(span: &Span) -> Self {
        let has_parent = span.parent_span_id.iter().any(|byte| *byte != 0);
        Self {
            trace: Hex::of(&span.trace_id),
            span: Hex::of(&span.span_id),
            parent: has_parent.then(|| Hex::of(&span.parent_span_id)),
        }
    }
}

/// Fields are those of [`Item`](crate::transactions::read::Item).
fn write_in(
    mut object: Object<'_>,
    seen: &Seen<'_>,
    ids: &Ids,
    op: &str,
    description: &str,
    limits: Limits,
) -> Result<(), Unwritten> {
    let span = seen.span;
    let description = short(description, limits.text);
    object.text("trace_id", ids.trace.as_str())?;
    object.text("span_id", ids.span.as_str())?;
    if let Some(parent) = &ids.parent {
        object.text("parent_span_id", parent.as_str())?;
    }
    object.text("op", op)?;
    object.text("description", &description)?;
    object.text("status", status(seen))?;
    object.value("start_timestamp", &seconds(span.start_time_unix_nano))?;
    object.value("timestamp", &seconds(span.end_time_unix_nano))?;
    object.text("origin", ORIGIN)?;
    let has_name = description == span.name.trim();
    write_data(object.object("data")?, seen, has_name, limits)?;
    if let Some(links) = Links::of(&span.links, true, limits) {
        object.value("links", &links)?;
    }
    object.end()
}

/// All that a span says beside the fields that Sentry has: its attributes and what [`keys`] name. `has_name`: the description
/// is the span's name.
fn write_data(
    object: Object<'_>,
    seen: &Seen<'_>,
    has_name: bool,
    limits: Limits,
) -> Result<(), Unwritten> {
    let span = seen.span;
    let mut data = Data {
        object,
        unique: Unique::default(),
        limits,
    };
    data.text(keys::KIND, kind(span.kind()))?;
    if !has_name {
        data.text(keys::NAME, &span.name)?;
    }
    if let Some(status) = &span.status {
        data.text(keys::STATUS_CODE, code(status.code()))?;
        data.text(keys::STATUS_MESSAGE, &status.message)?;
    }
    data.text(keys::TRACE_STATE, &span.trace_state)?;
    data.count(keys::DROPPED_ATTRIBUTES, span.dropped_attributes_count)?;
    data.count(keys::DROPPED_EVENTS, span.dropped_events_count)?;
    data.count(keys::DROPPED_LINKS, span.dropped_links_count)?;
    if let Some(scope) = seen.scope {
        data.text(keys::SCOPE_NAME, &scope.name)?;
        data.text(keys::SCOPE_VERSION, &scope.version)?;
        let dropped = scope.dropped_attributes_count;
        data.count(keys::DROPPED_SCOPE_ATTRIBUTES, dropped)?;
        data.attributes(keys::SCOPE, &scope.attributes)?;
    }
    data.value(keys::EVENTS, Events::of(&span.events, limits))?;
    data.value(keys::INVALID_LINKS, Links::of(&span.links, false, limits))?;
    data.value(keys::TEXT_LIMIT, limited(limits.text))?;
    data.value(keys::COUNT_LIMIT, limited(limits.attributes))?;
    data.attributes("", &span.attributes)?;
    data.object.end()
}

fn limited(limit: usize) -> Option<usize> {
    (limit < usize::MAX).then_some(limit)
}

/// As the specification of OpenTelemetry has it for exporters to other formats; unset is left out.
const fn code(code: StatusCode) -> &'static str {
    match code {
        StatusCode::Unset => "",
        StatusCode::Ok => "OK",
        StatusCode::Error => "ERROR",
    }
}

/// Data that is being written, with each name once; what is empty is left out.
struct Data<'a, 'o> {
    object: Object<'o>,
    unique: Unique<'a>,
    limits: Limits,
}

impl<'a> Data<'a, '_> {
    fn text(&mut self, key: &'static str, text: &str) -> Result<(), Unwritten> {
        let text = short(text, self.limits.text);
        if text.is_empty() {
            return Ok(());
        }
        self.object.text(&self.unique.take(key), &text)
    }

    fn count(&mut self, key: &'static str, count: u32) -> Result<(), Unwritten> {
        self.value(key, (count > 0).then_some(count))
    }

    fn value(&mut self, key: &'static str, value: Option<impl Serialize>) -> Result<(), Unwritten> {
        value.map_or(Ok(()), |value| {
            self.object.value(&self.unique.take(key), &value)
        })
    }

    fn attributes(&mut self, prefix: &str, pairs: &'a [KeyValue]) -> Result<(), Unwritten> {
        Map::new(pairs, self.limits).members(prefix, &mut self.unique, &mut self.object)
    }
}

/// Events of a span that are no exceptions.
struct Events<'a> {
    events: &'a [Event],
    limits: Limits,
}

impl<'a> Events<'a> {
    fn of(events: &'a [Event], limits: Limits) -> Option<Self> {
        let has_one = events.iter().any(|event| !is_exception(event));
        has_one.then_some(Self { events, limits })
    }
}

impl Serialize for Events<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kept = self.events.iter().filter(|event| !is_exception(event));
        serializer.collect_seq(kept.take(self.limits.attributes).map(|event| EventJson {
            name: short(&event.name, self.limits.text),
            timestamp: seconds(event.time_unix_nano),
            attributes: Map::new(&event.attributes, self.limits),
            dropped_attributes_count: event.dropped_attributes_count,
        }))
    }
}

#[derive(Serialize)]
struct EventJson<'a> {
    name: Cow<'a, str>,
    timestamp: f64,
    attributes: Map<'a>,
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

/// Whether an event of a span is an exception that says what it is: it becomes an event of Sentry's.
pub fn is_exception(event: &Event) -> bool {
    let attributes = crate::attributes::Attributes(&event.attributes);
    let says = || attributes.text(&["exception.type", "exception.message"]);
    event.name == "exception" && says().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{attributes, pair, span};
    use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
    use opentelemetry_proto::tonic::trace::v1::{Span, Status};
    use serde_json::json;

    fn json_of(seen: &Seen<'_>) -> serde_json::Value {
        let written = write(seen).expect("JSON");
        serde_json::from_slice(&written.json).expect("JSON")
    }

    fn event(name: &str, pairs: &[(&str, &str)]) -> Event {
        Event {
            time_unix_nano: 1_795_911_870_500_000_000,
            name: name.to_owned(),
            attributes: attributes(pairs),
            dropped_attributes_count: 0,
        }
    }

    #[test]
    fn a_span_keeps_all_that_it_has() {
        let pairs = [
            ("db.system", "mysql"),
            ("db.statement", "SELECT 1"),
            ("otel.scope.name", "x"),
        ];
        let span = Span {
            parent_span_id: vec![3; 8],
            trace_state: "a=b".to_owned(),
            dropped_events_count: 4,
            events: vec![
                event("retry", &[("n", "1")]),
                event("exception", &[("exception.type", "E")]),
                event("exception", &[]),
            ],
            links: vec![
                Link {
                    trace_id: vec![4; 16],
                    span_id: vec![5; 8],
                    ..Link::default()
                },
                Link::default(),
            ],
            status: Some(Status {
                code: 2,
                message: "no".to_owned(),
            }),
            ..span("SELECT", SpanKind::Client, &pairs)
        };
        let scope = InstrumentationScope {
            name: "lib".to_owned(),
            version: "1".to_owned(),
            attributes: attributes(&[("s", "t")]),
            dropped_attributes_count: 0,
        };
        let seen = Seen {
            scope: Some(&scope),
            ..Seen::alone(&span)
        };
        let (link, unknown) = ("04".repeat(16), "");
        let expected = json!({
            "trace_id": "01010101010101010101010101010101",
            "span_id": "0202020202020202",
            "parent_span_id": "0303030303030303",
            "op": "db",
            "description": "SELECT 1",
            "status": "internal_error",
            "start_timestamp": 1_795_911_870.0,
            "timestamp": 1_795_911_871.0,
            "origin": "auto.otlp.spans",
            "data": {
                "sentry.kind": "client",
                "otel.span.name": "SELECT",
                "otel.status_code": "ERROR",
                "otel.status_description": "no",
                "w3c.tracestate": "a=b",
                "otel.dropped_events_count": 4,
                "otel.scope.name": "lib",
                "otel.scope.version": "1",
                "otel.scope.s": "t",
                "otel.events": [
                    {"name": "retry", "timestamp": 1_795_911_870.5, "attributes": {"n": "1"}},
                    {"name": "exception", "timestamp": 1_795_911_870.5, "attributes": {}},
                ],
                "otel.invalid_links": [
                    {"trace_id": unknown, "span_id": unknown, "sampled": false, "attributes": {}},
                ],
                "db.system": "mysql",
                "db.statement": "SELECT 1",
                "otel.scope.name_2": "x",
            },
            "links": [
                {"trace_id": link, "span_id": "0505050505050505", "sampled": false, "attributes": {}},
            ],
        });
        assert_eq!(json_of(&seen), expected);
    }

    #[test]
    fn a_bare_span_is_short() {
        let span = span("work", SpanKind::Unspecified, &[]);
        let made = json_of(&Seen::alone(&span));
        assert_eq!(made["data"], json!({}));
        assert_eq!(made["description"], "work");
        assert!(made.get("parent_span_id").is_none() && made.get("links").is_none());
    }

    #[test]
    fn a_span_that_is_too_large_is_cut_and_says_so() {
        let mut span = span("work", SpanKind::Internal, &[("small", "whole")]);
        let large = |key| pair(key, Value::StringValue("ä".repeat(500_000)));
        span.attributes.extend([large("a"), large("b")]);
        let written = write(&Seen::alone(&span)).expect("JSON");
        assert!(written.cut && written.json.len() <= LARGEST);
        let made = json_of(&Seen::alone(&span));
        assert_eq!(made["data"]["small"], "whole");
        assert_eq!(made["data"]["sentry_otlp.text_limit"], 50_000);
    }

    #[test]
    fn many_attributes_are_bounded() {
        let keys: Vec<String> = (0..40_000).map(|number| number.to_string()).collect();
        let pairs: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "value")).collect();
        let span = span("work", SpanKind::Internal, &pairs);
        let made = json_of(&Seen::alone(&span));
        assert_eq!(made["data"]["sentry_otlp.count_limit"], 1_000);
    }

    #[test]
    fn every_name_that_is_ours_is_known_as_such() {
        for key in [keys::KIND, keys::NAME, keys::EVENTS, keys::COUNT_LIMIT] {
            assert!(keys::OURS.contains(&key), "{key}");
        }
    }
}
