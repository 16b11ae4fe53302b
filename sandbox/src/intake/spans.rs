//! Which spans of a container or of OTLP are kept, and what is done to them.

use crate::intake::ids;
use crate::intake::outcomes::Remark;
use crate::intake::times;
use crate::intake::values::{self, Attributes};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

/// The share of traces that the client has sent.
pub(crate) const RATE: &str = "sentry.client_sample_rate";

/// What a span or a log must have, or it is dropped.
const SPAN: [&str; 4] = ["trace_id", "name", "status", "span_id"];
const LOG: [&str; 4] = ["timestamp", "trace_id", "level", "body"];

/// The largest log, as Relay counts it: the bytes of its body, and of the names and values of its attributes.
const LARGEST_LOG: usize = 2 << 20;

/// When it came, and what the times are measured by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipt {
    pub now: DateTime<Utc>,
    pub retention: TimeDelta,
    /// When the client says that it sent it.
    pub sent_at: Option<DateTime<Utc>>,
}

/// One span or log: kept with what was done to it, or dropped for a reason in Relay's words and in more.
pub(crate) type Sifted = Result<(Value, Vec<Remark>), (&'static str, String)>;

/// Of two spans with one id, the first is dropped.
pub(crate) fn sift(spans: Vec<Value>, receipt: Receipt) -> Vec<Sifted> {
    let ids: Vec<Option<String>> = spans
        .iter()
        .map(|span| ids::span(span.get("span_id")?.as_str()?))
        .collect();
    let mut sifted = Vec::with_capacity(spans.len());
    let mut later: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    for (place, id) in ids.iter().enumerate() {
        if let Some(id) = id {
            later.insert(id, place);
        }
    }
    for (place, span) in spans.into_iter().enumerate() {
        sifted.push(match ids[place].as_deref() {
            None => Err(("invalid_span", "no valid span_id".to_owned())),
            Some(id) if later[id] != place => Err(("duplicate", format!("span_id {id} twice"))),
            Some(_) => one(span, receipt),
        });
    }
    sifted
}

fn one(span: Value, receipt: Receipt) -> Sifted {
    let keys = ["start_timestamp", "end_timestamp"];
    let (span, remarks) = in_time(span, &keys, receipt)?;
    let [start, end] = keys.map(|key| span.get(key).and_then(times::read));
    if start.is_none() || end.is_none() || start > end {
        return Err((
            "timestamp",
            "no start, no end, or an end before it".to_owned(),
        ));
    }
    let segment = span.pointer("/attributes/sentry.segment.id/value");
    let segment = segment.map(|id| id.as_str().and_then(ids::span));
    if segment == Some(None) {
        return Err((
            "invalid_span",
            "sentry.segment.id is no id of a span".to_owned(),
        ));
    }
    complete(span, &SPAN, remarks).map(|(span, remarks)| (completed(span), remarks))
}

/// With the attributes that every span has in the end.
fn completed(mut span: Value) -> Value {
    if let Some(attributes) = span.get_mut("attributes").and_then(Value::as_object_mut) {
        if !attributes.contains_key(RATE) {
            values::put(attributes, RATE, 1.0);
        }
        if !attributes.contains_key("sentry.op") {
            let op = op(attributes);
            values::put(attributes, "sentry.op", op);
        }
    }
    span
}

/// From the first of these attributes that is there, by its old or new name.
fn op(attributes: &Attributes) -> String {
    let has = |names: [&str; 2]| names.iter().any(|name| attributes.contains_key(*name));
    if has(["http.request.method", "http.method"]) {
        let op = match values::text(attributes, "sentry.kind") {
            Some("server") => "http.server",
            Some("client") => "http.client",
            _ => "http",
        };
        return op.to_owned();
    }
    if has(["db.system.name", "db.system"]) {
        return "db".to_owned();
    }
    if let Some(name) = values::text(attributes, "gen_ai.operation.name") {
        return format!("gen_ai.{name}");
    }
    if has(["rpc.service"; 2]) {
        return "rpc".to_owned();
    }
    if has(["messaging.system"; 2]) {
        return "message".to_owned();
    }
    let trigger = values::text(attributes, "faas.trigger");
    trigger.unwrap_or("default").to_owned()
}

/// A log, as [`sift`] treats a span.
pub(crate) fn log(log: Value, receipt: Receipt) -> Sifted {
    if log_size(&log) > LARGEST_LOG {
        return Err(("too_large:log", "more than 2 MiB".to_owned()));
    }
    let (mut log, mut remarks) = in_time(log, &["timestamp"], receipt)?;
    for (key, is_trace) in [("trace_id", true), ("span_id", false)] {
        let id = log.get(key).and_then(Value::as_str);
        let of = if is_trace { ids::trace } else { ids::span };
        if id.is_some_and(|id| of(id).is_none()) {
            remarks.push(Remark::new(key, "no id, dropped"));
            log[key] = Value::Null;
        }
    }
    if let Some(attributes) = log.get_mut("attributes").and_then(Value::as_object_mut) {
        attributes.retain(|key, attribute| {
            let kept = values::is_sound(attribute);
            if !kept {
                let path = format!("attributes.{key}");
                remarks.push(Remark::new(path, "not of its type, dropped"));
            }
            kept
        });
    }
    complete(log, &LOG, remarks)
}

fn log_size(log: &Value) -> usize {
    let text = |value: &Value| value.as_str().map_or(0, str::len);
    let attributes = log.get("attributes").and_then(Value::as_object);
    let attributes = attributes.into_iter().flatten();
    let attributes = attributes.map(|(key, one)| key.len() + values::size(&one["value"]));
    log.get("body").map_or(0, text) + attributes.sum::<usize>()
}

fn complete(record: Value, keys: &[&str], remarks: Vec<Remark>) -> Sifted {
    match keys
        .iter()
        .find(|key| record.get(**key).is_none_or(Value::is_null))
    {
        Some(key) => Err(("no_data", format!("no {key}"))),
        None => Ok((record, remarks)),
    }
}

/// Corrects the client's clock, pulls back what lies as far ahead as a clock must be off, and refuses what is too old; by the first of the keys.
fn in_time(mut record: Value, keys: &[&str], receipt: Receipt) -> Sifted {
    let Receipt { now, retention, .. } = receipt;
    let mut remarks = Vec::new();
    let at = record.get(keys[0]).and_then(times::read);
    let ahead = at.filter(|at| *at >= now + times::LEAST_DRIFT);
    let moved = match ahead {
        Some(at) => Some((now - at, "future_timestamp")),
        None => times::drift(receipt.sent_at, now).map(|by| (by, "clock_drift")),
    };
    if let Some((by, reason)) = moved {
        times::shift(&mut record, keys, by);
        remarks.push(Remark::new(keys[0], reason));
    }
    let at = record.get(keys[0]).and_then(times::read);
    if at.is_some_and(|at| at < now - retention) {
        return Err(("timestamp", "older than the retention".to_owned()));
    }
    Ok((record, remarks))
}
