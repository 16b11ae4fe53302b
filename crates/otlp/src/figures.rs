//! The program's own figures.

use crate::check::{MENDED, Mended};
use crate::delivery::payload::{KINDS, Kind};
use crate::rejection::{REASONS, Reason, WHATS, What};
use crate::signal::{SIGNALS, Signal};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// Upper bounds of the buckets of durations, in seconds.
const SECONDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfBoth {
    kind: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfValue {
    value: &'static str,
}

/// Values that may be left out.
const VALUES: [&str; 2] = ["release", "environment"];

/// Why nothing of a request is taken.
pub const DECLINED: [&str; 9] = [
    "full",
    "spool",
    "not_taken",
    "no_exporter",
    "unreadable",
    "no_room",
    "too_large",
    "late",
    "broken",
];

type Durations = Family<OfKind, Histogram, fn() -> Histogram>;

/// Counters that never fall. Clones count the same.
#[derive(Debug, Clone)]
pub struct Figures {
    received: Family<OfKind, Counter>,
    accepted: Family<OfKind, Counter>,
    declined: Family<OfReason, Counter>,
    repeated: Counter,
    cut: Counter,
    rejected: Family<OfBoth, Counter>,
    mended: Family<OfReason, Counter>,
    left_out: Family<OfValue, Counter>,
    sent: Family<OfKind, Counter>,
    retried: Family<OfKind, Counter>,
    durations: Durations,
}

impl Default for Figures {
    fn default() -> Self {
        let figures = Self {
            received: Family::default(),
            accepted: Family::default(),
            declined: Family::default(),
            repeated: Counter::default(),
            cut: Counter::default(),
            rejected: Family::default(),
            mended: Family::default(),
            left_out: Family::default(),
            sent: Family::default(),
            retried: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(SECONDS)),
        };
        // A series that begins with its first event hides that event from `increase`.
        for reason in REASONS {
            for what in WHATS {
                figures.rejected(what, *reason, 0);
            }
        }
        for (_, signal) in SIGNALS {
            figures.received(signal, 0);
            figures.accepted(signal, 0);
        }
        for reason in DECLINED {
            figures.declined(reason, 0);
        }
        for what in MENDED {
            figures.mended(*what, 0);
        }
        for value in VALUES {
            figures.left_out(value, 0);
        }
        for kind in KINDS {
            figures.sent(kind, 0);
            figures.retried(kind, 0);
        }
        figures
    }
}

impl Figures {
    /// Requests of which nothing was taken: one of [`DECLINED`].
    pub fn declined(&self, reason: &'static str, how_many: u64) {
        self.declined
            .get_or_create(&OfReason { reason })
            .inc_by(how_many);
    }

    /// What came, well or not.
    pub fn received(&self, signal: Signal, how_many: u64) {
        let kind = What::of(signal).name();
        let received = self.received.get_or_create(&OfKind { kind });
        received.inc_by(how_many);
    }

    /// What was acknowledged.
    pub fn accepted(&self, signal: Signal, how_many: u64) {
        let kind = What::of(signal).name();
        let accepted = self.accepted.get_or_create(&OfKind { kind });
        accepted.inc_by(how_many);
    }

    /// What does not reach Sentry.
    pub fn rejected(&self, what: What, reason: Reason, how_many: u64) {
        let (kind, reason) = (what.name(), reason.name());
        let rejected = self.rejected.get_or_create(&OfBoth { kind, reason });
        rejected.inc_by(how_many);
    }

    /// Spans or log records that were changed to be taken.
    pub fn mended(&self, what: Mended, how_many: u64) {
        let reason = what.name();
        self.mended
            .get_or_create(&OfReason { reason })
            .inc_by(how_many);
    }

    /// Spans or log records whose release or environment was left out, since Sentry would not keep it.
    pub fn left_out(&self, value: &'static str, how_many: u64) {
        self.left_out
            .get_or_create(&OfValue { value })
            .inc_by(how_many);
    }

    /// Spans that came more than once, and go out once.
    pub fn repeated(&self, how_many: u64) {
        self.repeated.inc_by(how_many);
    }

    /// Spans that were cut because Sentry takes none of their size.
    pub fn cut(&self, how_many: u64) {
        self.cut.inc_by(how_many);
    }

    /// Delivered: spans of `traces`, log records of `log`, events and transactions of the other kinds.
    pub fn sent(&self, kind: Kind, how_many: u64) {
        let kind = kind.name();
        self.sent.get_or_create(&OfKind { kind }).inc_by(how_many);
    }

    /// Requests that were sent once more.
    pub fn retried(&self, kind: Kind, how_many: u64) {
        let kind = kind.name();
        self.retried
            .get_or_create(&OfKind { kind })
            .inc_by(how_many);
    }

    /// A request to Sentry that was answered, or failed, after so many seconds.
    pub fn took(&self, kind: Kind, seconds: f64) {
        let kind = kind.name();
        self.durations
            .get_or_create(&OfKind { kind })
            .observe(seconds);
    }

    /// Under their names, of which the registry's prefix is a part.
    pub fn register(&self, registry: &mut Registry) {
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Which program this is", version);
        registry.register(
            "received",
            "What came in requests that were taken, well-formed or not, by kind",
            self.received.clone(),
        );
        registry.register(
            "declined_requests",
            "Requests of which nothing was taken, so that the client has to send them again or loses them, by reason",
            self.declined.clone(),
        );
        registry.register(
            "accepted",
            "What was acknowledged to clients, by kind",
            self.accepted.clone(),
        );
        registry.register(
            "rejected",
            "What does not reach Sentry, by kind and reason",
            self.rejected.clone(),
        );
        registry.register(
            "mended",
            "Spans and log records that were changed so that Sentry takes them, by what was wrong",
            self.mended.clone(),
        );
        registry.register(
            "left_out",
            "Spans and log records whose release or environment was left out, since Sentry would not keep it",
            self.left_out.clone(),
        );
        registry.register(
            "repeated",
            "Spans that clients sent more than once, and that went out once",
            self.repeated.clone(),
        );
        registry.register(
            "cut",
            "Spans that were cut because Sentry takes none of their size",
            self.cut.clone(),
        );
        registry.register(
            "sent",
            "What Sentry has taken: spans as OTLP (traces), error events (error), transactions (transaction), log records (log)",
            self.sent.clone(),
        );
        registry.register(
            "retried",
            "Requests to Sentry that were sent once more, by what was in them",
            self.retried.clone(),
        );
        registry.register(
            "request_duration_seconds",
            "Time until Sentry answered a request, by what was in it",
            self.durations.clone(),
        );
    }
}
