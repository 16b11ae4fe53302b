//! What goes out: transactions that are ready, and what became of the rest.

use crate::conventions::left_out::LeftOut;
use crate::spool::receipt::Receipts;

/// No further trace is made ready in one go beyond so many bytes.
const PORTION: usize = 4 << 20;

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
    /// Where not all traces like it were kept: what the header of its envelope has to say.
    pub sampled: Option<Sampled>,
    /// Of the requests that the spans of its trace came in.
    pub receipts: Receipts,
}

/// What `trace`, in the header of an envelope, says beside the trace and the key. Relay 26.9 takes the share from there
/// alone, and overwrites what the transaction says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// The share of traces that was kept, above 0 and below 1.
    pub rate: f64,
    pub transaction: String,
    pub release: Option<String>,
    pub environment: Option<String>,
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
    /// Something else is ready as well, and was left for the next time so that memory stays bounded: ask again.
    pub more: bool,
    bytes: usize,
}

impl Ready {
    /// Adds a transaction.
    pub fn push(&mut self, payload: Payload) {
        self.bytes += payload.json.len();
        self.payloads.push(payload);
    }

    /// Adds what is ready beside it.
    pub fn append(&mut self, mut other: Self) {
        self.payloads.append(&mut other.payloads);
        self.repeated += other.repeated;
        self.broken.append(&mut other.broken);
        self.more |= other.more;
        self.bytes += other.bytes;
    }

    /// Whether it is enough for one time.
    pub const fn is_enough(&self) -> bool {
        self.bytes >= PORTION
    }
}
