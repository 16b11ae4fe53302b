//! What goes out: transactions that are ready, and what became of the rest.

use crate::conventions::left_out::LeftOut;

/// A transaction as the item of an envelope.
#[derive(Debug)]
pub struct Payload {
    /// 32 hexadecimal digits; the same however often it is sent.
    pub event_id: String,
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// The event; below 1 MiB.
    pub json: Vec<u8>,
    /// How many spans are in it, its root among them.
    pub spans: usize,
    /// How many of them had to be cut because they were too large.
    pub cut: usize,
    /// What of it Sentry would not have kept.
    pub left_out: Vec<LeftOut>,
}

/// Spans of which no transaction could be made; said and counted.
#[derive(Debug, thiserror::Error)]
#[error("{spans} spans of the trace {trace_id} are lost: they could not be written as JSON")]
pub struct Broken {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    pub spans: usize,
    pub source: serde_json::Error,
}

/// What is ready to go out.
#[derive(Debug, Default)]
pub struct Ready {
    pub payloads: Vec<Payload>,
    /// Spans that came twice, as after a lost answer, and go out once.
    pub repeated: usize,
    /// Not known to happen: what is written has names that are texts and numbers that are finite.
    pub broken: Vec<Broken>,
}
