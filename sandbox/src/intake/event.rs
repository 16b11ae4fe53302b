//! What a server makes of an event or a transaction before it stores it.

use crate::intake::fields;
use crate::intake::ids;
use crate::intake::outcomes::Remark;
use crate::intake::spans::Receipt;
use crate::intake::times;
use chrono::TimeDelta;
use serde_json::{Map, Value, json};

/// The fields of a span in a transaction; all others are dropped.
const SPAN: [&str; 23] = [
    "timestamp",
    "start_timestamp",
    "exclusive_time",
    "op",
    "span_id",
    "parent_span_id",
    "trace_id",
    "segment_id",
    "is_segment",
    "is_remote",
    "status",
    "description",
    "tags",
    "origin",
    "profile_id",
    "data",
    "links",
    "sentry_tags",
    "received",
    "measurements",
    "platform",
    "was_transaction",
    "kind",
];

/// Longest op; longest type and value of an exception; most frames of one.
const OP: usize = 128;
const EXCEPTION_TYPE: usize = 256;
const EXCEPTION_VALUE: usize = 8_192;
const FRAMES: usize = 250;

/// Changes the payload as the server does. Each change that loses something leaves a remark.
pub(crate) fn normalise(event: &mut Value, transaction: bool, receipt: Receipt) -> Vec<Remark> {
    let mut remarks = Vec::new();
    into_time(event, transaction, receipt, &mut remarks);
    let Some(fields) = event.as_object_mut() else {
        return remarks;
    };
    names(fields, transaction, &mut remarks);
    if let Some(tags) = fields.get_mut("tags").filter(|tags| !tags.is_null()) {
        *tags = fields::tags("tags", tags, fields::event_tag, &mut remarks);
    }
    measurements(fields, &mut remarks);
    if let Some(trace) = fields
        .get_mut("contexts")
        .and_then(|contexts| contexts.get_mut("trace"))
        .and_then(Value::as_object_mut)
    {
        span(
            "contexts.trace",
            trace,
            transaction.then_some("unknown"),
            &mut remarks,
        );
    }
    let spans = fields.get_mut("spans").and_then(Value::as_array_mut);
    for (place, one) in spans.into_iter().flatten().enumerate() {
        if let Some(one) = one.as_object_mut() {
            let path = format!("spans.{place}");
            span(&path, one, None, &mut remarks);
            one.retain(|key, _| {
                let known = SPAN.contains(&key.as_str());
                if !known {
                    remarks.push(Remark::new(
                        format!("{path}.{key}"),
                        "unknown field, dropped",
                    ));
                }
                known
            });
        }
    }
    exceptions(fields, &mut remarks);
    remarks
}

/// First the client's clock is corrected; then the end must be neither too old nor ahead.
fn into_time(event: &mut Value, transaction: bool, receipt: Receipt, remarks: &mut Vec<Remark>) {
    let now = receipt.now;
    if let Some(by) = times::drift(receipt.sent_at, now) {
        shift(event, by);
        remarks.push(Remark::new("timestamp", "clock_drift"));
    }
    let Some(at) = event.get("timestamp").and_then(times::read) else {
        // A transaction stays without an end, and is refused for it.
        if let Some(event) = event.as_object_mut().filter(|_| !transaction) {
            event.entry("timestamp").or_insert(times::write(now));
        }
        return;
    };
    let reason = if at > now + times::MOST_AHEAD {
        "future_timestamp"
    } else if at < now - receipt.retention {
        "past_timestamp"
    } else {
        return;
    };
    shift(event, now - at);
    remarks.push(Remark::new("timestamp", reason));
}

fn shift(event: &mut Value, by: TimeDelta) {
    let keys = ["start_timestamp", "timestamp"];
    times::shift(event, &keys, by);
    let inner = ["/spans", "/breadcrumbs/values", "/breadcrumbs"];
    for list in inner {
        let list = event.pointer_mut(list).and_then(Value::as_array_mut);
        for one in list.into_iter().flatten() {
            times::shift(one, &keys, by);
        }
    }
}

/// The fields that name something.
fn names(event: &mut Map<String, Value>, transaction: bool, remarks: &mut Vec<Remark>) {
    for (key, stands) in [
        ("release", fields::release_stands as fn(&str) -> bool),
        ("environment", fields::environment_stands),
    ] {
        let value = event.get_mut(key).filter(|value| !value.is_null());
        if let Some(value) = value
            && !value.as_str().is_some_and(stands)
        {
            *value = Value::Null;
            remarks.push(Remark::new(key, "invalid_data"));
        }
    }
    if !transaction {
        event.entry("level").or_insert_with(|| "error".into());
        event.entry("platform").or_insert_with(|| "other".into());
    }
    let platform = event.get("platform").and_then(Value::as_str);
    if platform.is_some_and(|name| !fields::PLATFORMS.contains(&name)) {
        event.insert("platform".to_owned(), "other".into());
        remarks.push(Remark::new("platform", "unknown, stored as other"));
    }
    if transaction {
        event.insert("level".to_owned(), "info".into());
    } else if let Some(level) = event.get_mut("level").filter(|level| !level.is_null()) {
        let known = fields::level(level);
        if known.is_none() {
            remarks.push(Remark::new("level", "invalid_data"));
        }
        *level = known.unwrap_or("error").into();
    }
    let name = event.get("transaction").and_then(Value::as_str);
    let name = name.filter(|name| !name.is_empty());
    if let Some(shorter) = name.and_then(|name| fields::cut(name, fields::SHORT)) {
        remarks.push(Remark::new("transaction", "!limit"));
        event.insert("transaction".to_owned(), shorter.into());
    } else if name.is_none() && transaction {
        remarks.push(Remark::new("transaction", "no name"));
        event.insert("transaction".to_owned(), "<unlabeled transaction>".into());
    }
}

/// What a span has in common with a trace context; `unknown` is the status that stands for none.
fn span(
    path: &str,
    span: &mut Map<String, Value>,
    unknown: Option<&str>,
    remarks: &mut Vec<Remark>,
) {
    let at = |key: &str| format!("{path}.{key}");
    // Malformed ones stay: they are refused.
    if let Some(id) = span.get_mut("trace_id")
        && let Some(text) = id.as_str().and_then(ids::event)
    {
        let known = ids::trace(&text);
        if known.is_none() {
            remarks.push(Remark::new(at("trace_id"), "nil_trace_id"));
        }
        *id = known.unwrap_or_else(ids::random).into();
    }
    if let Some(parent) = span.get_mut("parent_span_id").filter(|id| !id.is_null()) {
        let known = parent.as_str().and_then(ids::span);
        if known.is_none() {
            remarks.push(Remark::new(at("parent_span_id"), "invalid_data"));
        }
        *parent = known.map_or(Value::Null, Value::from);
    }
    let status = span.get("status").filter(|status| !status.is_null());
    let known = status.and_then(fields::status);
    if status.is_some() && known.is_none() {
        remarks.push(Remark::new(at("status"), "invalid_data"));
    }
    if let Some(known) = known.or(unknown) {
        span.insert("status".to_owned(), known.into());
    } else if status.is_some() {
        span.insert("status".to_owned(), Value::Null);
    }
    match span.get("op").and_then(Value::as_str) {
        None | Some("") => {
            span.insert("op".to_owned(), "default".into());
        }
        Some(op) => {
            if let Some(shorter) = fields::cut(op, OP) {
                remarks.push(Remark::new(at("op"), "!limit"));
                span.insert("op".to_owned(), shorter.into());
            }
        }
    }
    if let Some(tags) = span.get_mut("tags").filter(|tags| !tags.is_null()) {
        *tags = fields::tags(&at("tags"), tags, fields::span_tag, remarks);
    }
}

/// A measurement is a value with a unit, under a name without blanks.
fn measurements(event: &mut Map<String, Value>, remarks: &mut Vec<Remark>) {
    let measurements = event.get_mut("measurements").and_then(Value::as_object_mut);
    if let Some(measurements) = measurements {
        measurements.retain(|name, value| {
            let stands = !name.contains(' ') && value.get("value").is_some_and(Value::is_number);
            if !stands {
                remarks.push(Remark::new(format!("measurements.{name}"), "invalid_data"));
            }
            stands
        });
    }
}

fn exceptions(event: &mut Map<String, Value>, remarks: &mut Vec<Remark>) {
    let values = event.get_mut("exception");
    let values = values.and_then(|exception| match exception {
        Value::Array(values) => Some(values),
        other => other.get_mut("values").and_then(Value::as_array_mut),
    });
    for (place, one) in values.into_iter().flatten().enumerate() {
        let path = format!("exception.{place}");
        let has = |key: &str| one.get(key).is_some_and(|value| !value.is_null());
        if !has("type") && !has("value") {
            remarks.push(Remark::new(path, "missing_attribute"));
            *one = Value::Null;
            continue;
        }
        for (key, most) in [("type", EXCEPTION_TYPE), ("value", EXCEPTION_VALUE)] {
            let text = one.get(key).and_then(Value::as_str);
            if let Some(shorter) = text.and_then(|text| fields::cut(text, most)) {
                remarks.push(Remark::new(format!("{path}.{key}"), "!limit"));
                one[key] = shorter.into();
            }
        }
        let frames = one.pointer_mut("/stacktrace/frames");
        if let Some(frames) = frames.and_then(Value::as_array_mut)
            && frames.len() > FRAMES
        {
            // The first 50 and the last 200 are kept.
            frames.drain(50..frames.len() - 200);
            remarks.push(Remark::new(format!("{path}.stacktrace.frames"), "!limit"));
        }
    }
}

/// A transaction's spans count as many bytes as are kept of them.
const SPANS: usize = 819_200;
/// What is added to each span while it is read, beside what [`added`] counts.
const ADDED: usize = 133;

/// Cuts the spans at the end where they are too large, and says how many are lost. What the server itself has added
/// to each of them counts: the transaction's name twice, its release, environment and user, and the description of a
/// query or a request once more. Fitted to what Relay 26.9 kept, within 4 %; of a description that is no query and no
/// address Relay adds less, so that more is cut here.
pub(crate) fn cut_spans(event: &mut Value, remarks: &mut Vec<Remark>) -> u64 {
    let each = ADDED + added(event);
    let Some(spans) = event.get_mut("spans").and_then(Value::as_array_mut) else {
        return 0;
    };
    let (mut size, all) = (0, spans.len());
    let kept = spans.iter().take_while(|span| {
        size += span.to_string().len() + each + described(span);
        size <= SPANS
    });
    let kept = kept.count();
    if kept == all {
        return 0;
    }
    spans.truncate(kept);
    let reason = format!("too large: {kept} of {all} kept");
    remarks.push(Remark::new("spans", reason));
    event["_meta"] = json!({"spans": {"": {"len": all}}});
    (all - kept) as u64
}

fn text(record: &Value, key: &str) -> usize {
    record.get(key).and_then(Value::as_str).map_or(0, str::len)
}

fn added(event: &Value) -> usize {
    let tag = |key: &str| match text(event, key) {
        0 => 0,
        length => length + 4,
    };
    let user = event.get("user").filter(|user| !user.is_null());
    let user = user.map_or(0, |user| user.to_string().len() + text(user, "id"));
    2 * text(event, "transaction") + tag("release") + tag("environment") + user
}

fn described(span: &Value) -> usize {
    let op = span.get("op").and_then(Value::as_str).unwrap_or_default();
    if op.starts_with("db") || op.starts_with("http") {
        // Beside it, what it is about.
        14 + text(span, "description")
    } else {
        0
    }
}
