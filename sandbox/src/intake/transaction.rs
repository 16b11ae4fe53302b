//! Why a transaction is refused, whole, after the client was told that it is taken.

use crate::intake::ids;
use crate::intake::times;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

/// A transaction that began earlier is refused.
const OLDEST: TimeDelta = TimeDelta::days(5);

/// What is wrong with it, if anything. Spans without an end get the transaction's, and those out of the time in which
/// transactions are taken get its times.
pub(crate) fn check(event: &mut Value, now: DateTime<Utc>) -> Result<(), &'static str> {
    let at = |key: &str| event.get(key).and_then(times::read);
    let start = at("start_timestamp").ok_or("no start_timestamp")?;
    let end = at("timestamp").ok_or("no timestamp")?;
    if end < start {
        return Err("its end is before its start");
    }
    let window = Window { start, end, now };
    if !window.holds(start) {
        return Err("its start is more than 5 days ago, or ahead");
    }
    if !window.holds(end) {
        return Err("its end is ahead");
    }
    let trace = event.pointer("/contexts/trace").and_then(Value::as_object);
    let trace = trace.ok_or("no trace context")?;
    has_ids(trace)?;
    match event.get_mut("spans") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(spans)) => spans.iter_mut().try_for_each(|one| window.span(one)),
        // What is no list is none.
        Some(other) => {
            *other = Value::Null;
            Ok(())
        }
    }
}

struct Window {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl Window {
    fn holds(&self, at: DateTime<Utc>) -> bool {
        at >= self.now - OLDEST && at <= self.now + times::MOST_AHEAD
    }

    fn span(&self, span: &mut Value) -> Result<(), &'static str> {
        let span = span.as_object_mut().ok_or("a span is no object")?;
        let known = |span: &Map<String, Value>, key: &str| span.get(key).and_then(times::read);
        if known(span, "timestamp").is_none() {
            span.insert("timestamp".to_owned(), times::write(self.end));
            span.insert("status".to_owned(), "deadline_exceeded".into());
        }
        for (key, instead) in [("start_timestamp", self.start), ("timestamp", self.end)] {
            let at = known(span, key).ok_or("a span has no start")?;
            if !self.holds(at) {
                span.insert(key.to_owned(), times::write(instead));
            }
        }
        if known(span, "timestamp") < known(span, "start_timestamp") {
            return Err("a span ends before it starts");
        }
        has_ids(span).map_err(|_| "a span has no valid trace_id or span_id")
    }
}

fn has_ids(record: &Map<String, Value>) -> Result<(), &'static str> {
    let text = |key: &str| record.get(key).and_then(Value::as_str);
    text("trace_id")
        .and_then(ids::trace)
        .ok_or("no valid trace_id")?;
    text("span_id")
        .and_then(ids::span)
        .ok_or("no valid span_id")?;
    Ok(())
}

/// How many spans it counts as: itself, and those in it.
pub(crate) fn spans(event: &Value) -> u64 {
    let inner = event.get("spans").and_then(Value::as_array);
    1 + inner.map_or(0, |spans| spans.len() as u64)
}
