//! What both protocols do with a body, once they have it.

use crate::delivery::exporter::Exporter;
use crate::figures::Figures;
use crate::receive::answer::Rejected;
use crate::receive::body::Room;
use crate::receive::request::{Outline, Request, Unreadable};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Clients are asked to come back after so many seconds. Most give up after ten in all.
pub const RETRY_AFTER: u32 = 2;

/// Of what is not taken there is a line in the log so often.
const TOLD: Duration = Duration::from_secs(60);

/// Why nothing of a request was taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Declined {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("the queue is full: Sentry takes less at the moment than comes in")]
    Full,
    /// As after a reload of a file in which no pipeline has the receiver any more.
    #[error("no exporter takes what comes here at the moment")]
    NoExporter,
}

impl Declined {
    /// As it is counted: one of [`crate::figures::DECLINED`].
    const fn reason(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Full => "full",
            Self::NoExporter => "no_exporter",
        }
    }
}

/// Where requests go. Clones share it.
#[derive(Clone)]
pub struct Receiver {
    /// Those that it feeds; replaced when the configuration is.
    pub exporters: Arc<ArcSwap<Vec<Arc<Exporter>>>>,
    pub room: Room,
    pub figures: Figures,
    told: Arc<Mutex<Option<Instant>>>,
}

impl Receiver {
    /// `limit` bounds one body, in bytes.
    pub fn new(
        exporters: Arc<ArcSwap<Vec<Arc<Exporter>>>>,
        limit: usize,
        figures: Figures,
    ) -> Self {
        Self {
            exporters,
            room: Room::new(limit),
            figures,
            told: Arc::default(),
        }
    }

    /// Takes a request that has been read, and tells what of it is rejected.
    ///
    /// # Errors
    /// When nothing of it is taken, which is counted.
    pub fn take(&self, read: Result<(Request, Outline), Unreadable>) -> Result<Rejected, Declined> {
        self.taken(read)
            .inspect_err(|declined| self.decline(declined.reason(), declined))
    }

    /// Counts a request of which nothing is taken, and says so.
    pub fn decline(&self, reason: &'static str, why: &impl Display) {
        self.figures.declined(reason, 1);
        if self.is_to_tell() {
            log::warn!(
                "requests are not taken: {why}; this is said once a minute at most, and counted in sentry_otlp_declined_requests_total"
            );
        }
    }

    fn taken(&self, read: Result<(Request, Outline), Unreadable>) -> Result<Rejected, Declined> {
        let (request, outline) = read?;
        // All of them take it, or none: a client sends the whole of it again.
        let exporters = self.exporters.load();
        if exporters.is_empty() {
            return Err(Declined::NoExporter);
        }
        let slots = exporters.iter().map(|to| to.reserve(outline));
        let slots: Option<Vec<_>> = slots.collect();
        let slots = slots.ok_or(Declined::Full)?;
        let rejected = exporters
            .iter()
            .zip(&slots)
            .map(|(exporter, slot)| exporter.take(&request, slot))
            // What one of them has rejected is no less so because another one has taken it.
            .max_by_key(Rejected::spans)
            .unwrap_or_default();
        let spans = outline.spans as u64;
        self.figures.received.inc_by(spans);
        let accepted = spans.saturating_sub(rejected.spans());
        self.figures.accepted.inc_by(accepted);
        if rejected.spans() > 0 && self.is_to_tell() {
            log::warn!(
                "spans are rejected: {rejected}; this is said once a minute at most, and counted in sentry_otlp_rejected_total"
            );
        }
        Ok(rejected)
    }

    /// Says that a signal comes that is not taken.
    pub fn tell_not_taken(&self) {
        if self.is_to_tell() {
            log::warn!(
                "a client sends metrics or logs, which are not taken: set OTEL_METRICS_EXPORTER=none and OTEL_LOGS_EXPORTER=none there"
            );
        }
    }

    /// Whether a minute has passed since something was said.
    fn is_to_tell(&self) -> bool {
        let mut told = self.told.lock();
        let now = Instant::now();
        let due = told.is_none_or(|at| now.duration_since(at) >= TOLD);
        if due {
            *told = Some(now);
        }
        due
    }
}
