//! What is handed in at once, or with others of its kind.

use crate::delivery::budget::Slot;
use crate::delivery::limits::Category;
use crate::envelope::Item;
use crate::transactions::payload::Sampled;
use bytes::Bytes;
use std::sync::Arc;
use tokio::time::Instant;

/// A kind of payload. Each has a queue of its own, so that a limit on one does not hold up the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Spans as OTLP, several `ResourceSpans` in a request.
    Traces,
    /// An error event in an envelope.
    Error,
    /// A transaction with its spans, in an envelope.
    Transaction,
}

/// All of them.
pub const KINDS: [Kind; 3] = [Kind::Traces, Kind::Error, Kind::Transaction];

impl Kind {
    /// As it stands in the label `kind` and in log lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Error => "error",
            Self::Transaction => "transaction",
        }
    }

    /// Its place among [`KINDS`].
    pub fn place(self) -> usize {
        match self {
            Self::Traces => 0,
            Self::Error => 1,
            Self::Transaction => 2,
        }
    }

    /// A limit on one of them stops it. Since 25.8 Relay stops a transaction for a limit on spans, and the reverse.
    pub fn categories(self) -> &'static [Category] {
        match self {
            Self::Traces => &[Category::Span, Category::SpanIndexed],
            Self::Error => &[Category::Error],
            Self::Transaction => &[
                Category::Transaction,
                Category::TransactionIndexed,
                Category::Span,
                Category::SpanIndexed,
            ],
        }
    }

    /// In an envelope; none: it is OTLP.
    pub fn item(self) -> Option<Item> {
        match self {
            Self::Traces => None,
            Self::Error => Some(Item::Event),
            Self::Transaction => Some(Item::Transaction),
        }
    }
}

/// Something that waits to be sent.
#[derive(Debug, Clone)]
pub struct Payload {
    pub kind: Kind,
    /// Stays the same in every try, since Relay may have taken what it answers 429 to. Empty for OTLP.
    pub event_id: String,
    /// JSON of an event or a transaction; or fields `resource_spans` of an OTLP request, as many as there are.
    pub body: Bytes,
    /// Spans in it; 0 for an error.
    pub spans: u64,
    /// When it was taken.
    pub since: Instant,
    /// Not to be put together with others: with them it was too large.
    pub alone: bool,
    /// The trace's id, and what its envelope says where not all traces are kept.
    pub sampled: Option<Box<(String, Sampled)>>,
    /// The places of the requests that it came in.
    pub slots: Vec<Arc<Slot>>,
}

impl Payload {
    /// What it counts for in a queue: spans, or one event.
    pub fn items(&self) -> u64 {
        self.spans.max(1)
    }
}
