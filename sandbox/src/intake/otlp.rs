//! OTLP as Sentry's spans and logs.

use crate::intake::answer::Form;
use crate::intake::ids;
use crate::intake::spans::RATE;
use crate::intake::strict;
use crate::intake::times;
use crate::intake::values::{self, Attributes};
use chrono::{DateTime, Utc};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, LogsData};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Link;
use opentelemetry_proto::tonic::trace::v1::{Span, TracesData};
use prost::Message;
use serde_json::{Map, Value, json};

/// The flags of a span say whether its parent is in another process, and that it is.
const REMOTE_KNOWN: u32 = 0x100;
const REMOTE: u32 = 0x200;

/// A request that cannot be read, by Relay's name of the reason and in more words.
pub(crate) type Unreadable = (&'static str, String);

/// The spans of a request, before any check of them. Their events are not kept: Sentry has no place for them.
pub(crate) fn spans(form: Form, body: &[u8]) -> Result<Vec<Value>, Unreadable> {
    let data: TracesData = message(form, body, "resourceSpans", serde_json::from_value)?;
    let mut spans = Vec::new();
    for of_resource in &data.resource_spans {
        for of_scope in &of_resource.scope_spans {
            let (resource, scope) = (of_resource.resource.as_ref(), of_scope.scope.as_ref());
            let all = of_scope.spans.iter();
            spans.extend(all.map(|one| span(one, resource, scope)));
        }
    }
    Ok(spans)
}

/// The logs of a request, before any check of them.
pub(crate) fn logs(form: Form, body: &[u8], now: DateTime<Utc>) -> Result<Vec<Value>, Unreadable> {
    let data: LogsData = message(form, body, "resourceLogs", serde_json::from_value)?;
    let mut logs = Vec::new();
    for of_resource in &data.resource_logs {
        for of_scope in &of_resource.scope_logs {
            let (resource, scope) = (of_resource.resource.as_ref(), of_scope.scope.as_ref());
            let all = of_scope.log_records.iter();
            logs.extend(all.map(|one| log(one, resource, scope, now)));
        }
    }
    Ok(logs)
}

/// `list` is the key of the resources in JSON, `read` what makes a message of JSON.
fn message<T: Message + Default>(
    form: Form,
    body: &[u8],
    list: &str,
    read: fn(Value) -> serde_json::Result<T>,
) -> Result<T, Unreadable> {
    if form == Form::OtlpProtobuf {
        return T::decode(body).map_err(|error| ("invalid_proto", error.to_string()));
    }
    let unreadable = |detail: String| ("invalid_json", detail);
    let request: Value =
        serde_json::from_slice(body).map_err(|error| unreadable(error.to_string()))?;
    strict::check(&request, list).map_err(unreadable)?;
    read(request).map_err(|error| unreadable(error.to_string()))
}

fn span(span: &Span, resource: Option<&Resource>, scope: Option<&InstrumentationScope>) -> Value {
    let mut attributes = Attributes::new();
    values::fill_origin(&mut attributes, resource, scope);
    values::put(&mut attributes, "sentry.origin", "auto.otlp.spans");
    values::fill(&mut attributes, "", &span.attributes);
    let name = Some(span.name.clone()).filter(|name| !name.is_empty());
    let name = name.or_else(|| inferred_name(span).map(str::to_owned));

    if !attributes.contains_key(RATE)
        && let Some(rate) = sample_rate(&span.trace_state)
    {
        values::put(&mut attributes, RATE, rate);
    }
    if let Some(status) = &span.status {
        let message = status.message.as_str();
        values::put(&mut attributes, "sentry.status.message", message);
    }
    if let Some(kind) = kind(span.kind) {
        values::put(&mut attributes, "sentry.kind", kind);
    }
    let remote = (span.flags & REMOTE_KNOWN != 0).then_some(span.flags & REMOTE != 0);
    if let Some(remote) = remote {
        values::put(&mut attributes, "sentry.is_remote", remote);
    }
    let id = ids::span(&ids::hex(&span.span_id));
    let parent = ids::span(&ids::hex(&span.parent_span_id));
    let segment = parent.is_none() || remote == Some(true);
    if segment && let Some(id) = &id {
        values::put(&mut attributes, "sentry.segment.id", id.as_str());
    }
    if segment && let Some(name) = &name {
        values::put(&mut attributes, "sentry.segment.name", name.as_str());
    }
    environment(&mut attributes);

    let failed = span.status.as_ref().is_some_and(|status| status.code == 2);
    let mut record = Map::new();
    record.insert("trace_id".to_owned(), trace_id(&span.trace_id).into());
    for (key, value) in [("span_id", id), ("parent_span_id", parent), ("name", name)] {
        if let Some(value) = value {
            record.insert(key.to_owned(), value.into());
        }
    }
    let status = if failed { "error" } else { "ok" };
    record.insert("status".to_owned(), status.into());
    record.insert("is_segment".to_owned(), segment.into());
    for (key, nanos) in [
        ("start_timestamp", span.start_time_unix_nano),
        ("end_timestamp", span.end_time_unix_nano),
    ] {
        record.insert(key.to_owned(), instant(nanos));
    }
    let links = span.links.iter().filter_map(link);
    record.insert("links".to_owned(), links.collect());
    record.insert("attributes".to_owned(), attributes.into());
    record.into()
}

/// What stands in for an empty name. Nothing else does.
fn inferred_name(span: &Span) -> Option<&'static str> {
    let attributes = span.attributes.iter();
    let mut known = attributes.filter(|one| one.value.as_ref().is_some_and(|v| v.value.is_some()));
    known.find_map(|attribute| match attribute.key.as_str() {
        key if key.starts_with("db") => Some("db"),
        "http.method" | "http.request.method" => Some(match span.kind {
            2 => "http.server",
            3 => "http.client",
            _ => "http",
        }),
        _ => None,
    })
}

fn environment(attributes: &mut Attributes) {
    if attributes.contains_key("sentry.environment") {
        return;
    }
    let names = [
        "resource.deployment.environment",
        "resource.deployment.environment.name",
    ];
    let found = names.iter().find_map(|name| values::text(attributes, name));
    if let Some(found) = found.map(str::to_owned) {
        values::put(attributes, "sentry.environment", found);
    }
}

fn kind(kind: i32) -> Option<&'static str> {
    let names = ["internal", "server", "client", "producer", "consumer"];
    let place = usize::try_from(kind).ok()?.checked_sub(1)?;
    names.get(place).copied()
}

/// `ot=th:…` in a trace state: one threshold, of at most 14 lower-case digits.
fn sample_rate(trace_state: &str) -> Option<f64> {
    let mut members = trace_state.split(',').map(str::trim);
    let ot = members.find_map(|member| member.strip_prefix("ot="))?;
    let mut thresholds = ot.split(';').filter_map(|pair| pair.strip_prefix("th:"));
    let (digits, None) = (thresholds.next()?, thresholds.next()) else {
        return None;
    };
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if digits.is_empty() || digits.len() > 14 || !digits.bytes().all(lower) {
        return None;
    }
    let threshold = u64::from_str_radix(&format!("{digits:0<14}"), 16).ok()?;
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more")]
    let rate = ((1_u64 << 56) - threshold) as f64 / (1_u64 << 56) as f64;
    Some(rate)
}

/// A link to no span is left out.
fn link(link: &Link) -> Option<Value> {
    let mut attributes = Attributes::new();
    values::fill(&mut attributes, "", &link.attributes);
    Some(json!({
        "trace_id": trace_id(&link.trace_id),
        "span_id": ids::span(&ids::hex(&link.span_id))?,
        "sampled": link.flags & 1 != 0,
        "attributes": attributes,
    }))
}

/// Another one where there is none.
fn trace_id(bytes: &[u8]) -> String {
    ids::trace(&ids::hex(bytes)).unwrap_or_else(ids::random)
}

fn instant(nanos: u64) -> Value {
    let instant = i64::try_from(nanos)
        .ok()
        .map(DateTime::from_timestamp_nanos);
    instant.map_or(Value::Null, times::write)
}

fn log(
    log: &LogRecord,
    resource: Option<&Resource>,
    scope: Option<&InstrumentationScope>,
    now: DateTime<Utc>,
) -> Value {
    let mut attributes = Attributes::new();
    values::put(&mut attributes, "sentry.origin", "auto.otlp.logs");
    if !log.event_name.is_empty() {
        values::put(&mut attributes, "event.name", log.event_name.as_str());
    }
    values::fill_origin(&mut attributes, resource, scope);
    values::fill(&mut attributes, "", &log.attributes);
    let at = [log.time_unix_nano, log.observed_time_unix_nano];
    let at = at.into_iter().find(|nanos| *nanos > 0);
    let mut record = json!({
        "timestamp": at.map_or_else(|| times::write(now), instant),
        "trace_id": trace_id(&log.trace_id),
        "level": level(log.severity_number, &log.severity_text),
        "attributes": attributes,
    });
    if let Some(id) = ids::span(&ids::hex(&log.span_id)) {
        record["span_id"] = id.into();
    }
    if let Some(body) = log.body.as_ref().and_then(values::body) {
        record["body"] = body.into();
    }
    record
}

/// By the number, four for each level; by the text only where the number says nothing.
fn level(number: i32, text: &str) -> &'static str {
    const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];
    let place = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
    if let Some(level) = place.and_then(|place| LEVELS.get(place / 4)) {
        return level;
    }
    match text.to_lowercase().as_str() {
        "warning" => "warn",
        text => LEVELS
            .into_iter()
            .find(|level| *level == text)
            .unwrap_or("info"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_rate_is_that_of_the_trace_state() {
        assert_eq!(sample_rate("v=w,ot=th:8"), Some(0.5));
        assert_eq!(sample_rate("ot=rv:1;th:c"), Some(0.25));
        assert_eq!(sample_rate("ot=th:0"), Some(1.0));
        for state in [
            "",
            "ot=th:",
            "ot=th:C",
            "ot=th:8;th:8",
            "ot=th:123456789012345",
        ] {
            assert_eq!(sample_rate(state), None, "{state}");
        }
    }
}
