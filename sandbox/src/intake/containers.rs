//! Containers: one item of an envelope that holds many spans or logs.

use crate::intake::framing::{Envelope, Item};
use crate::intake::ids;
use serde_json::Value;

/// Why a container is dropped whole: Relay's name of the reason, how many it counts, and in more words.
pub(crate) type Spoiled = (&'static str, u64, String);

/// What it holds, as many as it says.
pub(crate) fn items(item: &Item) -> Result<Vec<Value>, Spoiled> {
    let said = item.count();
    let spoiled = |detail: &str| {
        let said = said.and_then(|said| u64::try_from(said).ok());
        ("invalid_json", said.unwrap_or(1), detail.to_owned())
    };
    let payload: Result<Value, _> = serde_json::from_slice(&item.payload);
    let mut payload = payload.map_err(|error| spoiled(&error.to_string()))?;
    let items = payload.get_mut("items").map(Value::take);
    let Some(Value::Array(items)) = items else {
        return Err(spoiled("no list of items"));
    };
    if said == Some(items.len()) {
        Ok(items)
    } else {
        Err(spoiled("item_count is not the number of items"))
    }
}

/// The spans of a container. They are of one trace, which the envelope names.
pub(crate) fn spans(item: &Item, envelope: &Envelope) -> Result<Vec<Value>, Spoiled> {
    let spans = items(item)?;
    let count = spans.len() as u64;
    let trace = envelope.trace.as_ref();
    let trace = trace.and_then(|trace| ids::trace(trace.get("trace_id")?.as_str()?));
    let Some(trace) = trace else {
        let detail = "the envelope names no trace".to_owned();
        return Err(("missing_dsc", count, detail));
    };
    let of = |span: &Value| ids::trace(span.get("trace_id")?.as_str()?);
    if spans.iter().all(|span| of(span).as_ref() == Some(&trace)) {
        Ok(spans)
    } else {
        let detail = "a span of another trace than the envelope's".to_owned();
        Err(("invalid_dsc", count, detail))
    }
}
