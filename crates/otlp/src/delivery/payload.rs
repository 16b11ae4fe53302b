//! What is handed in at once, or with others of its kind.

use crate::delivery::budget::Slot;
use crate::delivery::limits::Category;
use crate::rejection::What;
use crate::signal::Signal;
use crate::spool::receipt::Receipts;
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
    /// Log records as OTLP, several `ResourceLogs` in a request.
    Logs,
    /// Log records as Sentry's log items, several in a container in an envelope.
    LogItems,
}

/// All of them.
pub const KINDS: [Kind; 5] = [
    Kind::Traces,
    Kind::Error,
    Kind::Transaction,
    Kind::Logs,
    Kind::LogItems,
];

/// How much of a kind is sent at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Together {
    pub bytes: usize,
    /// Spans or log records.
    pub items: u64,
}

/// As OTLP: a third of what Relay takes at once, and as many as the collector puts together.
pub const TOGETHER: Together = Together {
    bytes: 4 << 20,
    items: 8192,
};

/// As Sentry's SDKs put log items together.
pub const TOGETHER_LOG_ITEMS: Together = Together {
    bytes: 4 << 20,
    items: 100,
};

impl Kind {
    /// As it stands in the label `kind` and in log lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Error => "error",
            Self::Transaction => "transaction",
            Self::Logs | Self::LogItems => "log",
        }
    }

    /// Its place among [`KINDS`].
    pub fn place(self) -> usize {
        match self {
            Self::Traces => 0,
            Self::Error => 1,
            Self::Transaction => 2,
            Self::Logs => 3,
            Self::LogItems => 4,
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
            Self::Logs | Self::LogItems => &[Category::LogItem, Category::LogByte],
        }
    }

    /// What a signal is as OTLP.
    pub fn of(signal: Signal) -> Self {
        match signal {
            Signal::Traces => Self::Traces,
            Signal::Logs => Self::Logs,
        }
    }

    /// What it counts as when it is lost.
    pub fn what(self) -> What {
        match self {
            Self::Traces | Self::Transaction => What::Span,
            Self::Error => What::Error,
            Self::Logs | Self::LogItems => What::Log,
        }
    }

    /// How much that waits is put together; none: each goes by itself.
    pub fn together(self) -> Option<Together> {
        match self {
            Self::Traces | Self::Logs => Some(TOGETHER),
            Self::LogItems => Some(TOGETHER_LOG_ITEMS),
            Self::Error | Self::Transaction => None,
        }
    }
}

/// Something that waits to be sent.
#[derive(Debug, Clone)]
pub struct Payload {
    pub kind: Kind,
    /// Stays the same in every try, since Relay may have taken what it answers 429 to. Empty for OTLP.
    pub event_id: String,
    /// JSON of an event or a transaction; a line of JSON for each log item; or fields `resource_spans` or `resource_logs` of an
    /// OTLP request, as many as there are.
    pub body: Bytes,
    /// Spans or log records in it; 0 for an error.
    pub spans: u64,
    /// When it was taken.
    pub since: Instant,
    /// Not to be put together with others: with them it was too large.
    pub alone: bool,
    /// The trace's id, and what its envelope says where not all traces are kept.
    pub sampled: Option<Box<(String, Sampled)>>,
    /// The places of the requests that it came in.
    pub slots: Vec<Arc<Slot>>,
    /// Of the requests that it came in, where they are on the disk.
    pub receipts: Receipts,
}

impl Payload {
    /// What it counts for in a queue: spans, log records, or one event.
    pub fn items(&self) -> u64 {
        self.spans.max(1)
    }

    /// What Sentry has taken with it: spans, log records, or one event or transaction.
    pub fn sent(&self) -> u64 {
        match self.kind {
            Kind::Transaction => 1,
            _ => self.items(),
        }
    }
}
