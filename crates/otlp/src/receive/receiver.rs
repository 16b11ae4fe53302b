//! What both protocols do with a body, once they have it.

use crate::delivery::exporter::{Admitted, Exporter, Made};
use crate::figures::Figures;
use crate::receive::answer::Rejected;
use crate::receive::apart::apart;
use crate::receive::body::Room;
use crate::receive::request::{Outline, Request, Unreadable};
use crate::rejection::Reason;
use crate::signal::Signal;
use crate::spool::Unkept;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;
use tap_sentry_serve::seldom::Seldom;

/// Clients are asked to come back after so many seconds. Most give up after ten in all.
pub const RETRY_AFTER: u32 = 2;

/// A body of 32 MiB could make terabytes of transactions, of which each has the attributes of its resource.
const MOST_AROUND: u64 = 256 << 20;

/// Why nothing of a request was taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Declined {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Small as it came, and not as it is written.
    #[error(
        "attributes of resources and scopes, which go out with each span, come to more than {} MiB: send fewer spans at once",
        MOST_AROUND >> 20
    )]
    TooLarge,
    #[error("the queue is full: Sentry takes less at the moment than comes in")]
    Full,
    /// No pipeline has it, or the servers of all exporters take none of it.
    #[error("{} are not taken here", .0.name())]
    NotTaken(Signal),
    /// It could not be made safe.
    #[error(transparent)]
    Unkept(#[from] Unkept),
    /// As after a reload of a file in which no pipeline has the receiver any more.
    #[error("no exporter takes what comes here at the moment")]
    NoExporter,
}

impl Declined {
    /// As it is counted: one of [`crate::figures::DECLINED`].
    const fn reason(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::TooLarge => "too_large",
            Self::Full | Self::Unkept(Unkept::Full) => "full",
            Self::Unkept(_) => "spool",
            Self::NotTaken(_) => "not_taken",
            Self::NoExporter => "no_exporter",
        }
    }
}

/// The exporters that a receiver feeds.
#[derive(Clone, Default)]
pub struct Feeds {
    pub traces: Vec<Arc<Exporter>>,
    pub logs: Vec<Arc<Exporter>>,
}

impl Feeds {
    fn of(&self, signal: Signal) -> &[Arc<Exporter>] {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Logs => &self.logs,
        }
    }
}

/// A request that has been read, and what each exporter has made of it.
struct Begun {
    signal: Signal,
    spans: u64,
    exporters: Vec<Arc<Exporter>>,
    admitted: Vec<Admitted>,
    made: Vec<Made>,
}

/// Where requests go. Clones share it.
#[derive(Clone)]
pub struct Receiver {
    /// Replaced when the configuration is.
    pub feeds: Arc<ArcSwap<Feeds>>,
    pub room: Room,
    pub figures: Figures,
    /// When each matter was said last.
    told: Arc<Mutex<HashMap<&'static str, Seldom>>>,
}

impl Receiver {
    /// `limit` bounds one body, in bytes.
    pub fn new(feeds: Arc<ArcSwap<Feeds>>, limit: usize, figures: Figures) -> Self {
        Self {
            feeds,
            room: Room::new(limit),
            figures,
            told: Arc::default(),
        }
    }

    /// Takes a request of so many bytes, and tells what of it is rejected.
    ///
    /// # Errors
    /// When nothing of it is taken, which is counted.
    pub async fn take(
        &self,
        bytes: usize,
        read: impl FnOnce() -> Result<(Request, Outline), Unreadable>,
    ) -> Result<Rejected, Declined> {
        let taken = match apart(bytes, || self.begin(read())).await {
            Ok(begun) => self.finish(begun).await,
            Err(declined) => Err(declined),
        };
        taken.inspect_err(|declined| match declined {
            // That has been said in words of its own.
            Declined::NotTaken(_) => self.figures.declined(declined.reason(), 1),
            _ => self.decline(declined.reason(), declined),
        })
    }

    /// Counts a request of which nothing is taken, and says so.
    pub fn decline(&self, reason: &'static str, why: &impl Display) {
        self.figures.declined(reason, 1);
        if self.is_to_tell(reason) {
            log::warn!(
                "requests are not taken: {why}; this is said once a minute at most, and counted in sentry_otlp_declined_requests_total"
            );
        }
    }

    /// What can be done without waiting.
    fn begin(&self, read: Result<(Request, Outline), Unreadable>) -> Result<Begun, Declined> {
        let (request, outline) = read?;
        if outline.around > MOST_AROUND {
            return Err(Declined::TooLarge);
        }
        // All of them take it, or none: a client sends the whole of it again.
        let feeds = self.feeds.load();
        let signal = request.signal;
        let exporters = feeds.of(signal).to_vec();
        if exporters.is_empty() {
            return Err(self.without_exporter(&feeds, signal));
        }
        let admitted = exporters.iter().map(|to| to.admit(outline));
        let admitted: Option<Vec<_>> = admitted.collect();
        let admitted = admitted.ok_or(Declined::Full)?;
        let made = exporters.iter().zip(&admitted);
        let made = made.map(|(to, admitted)| to.take(&request, outline, admitted));
        let made: Vec<_> = made.collect();
        let spans = outline.spans as u64;
        let mut checked = made.iter().map(Made::checked);
        if spans > 0 && checked.all(|found| found.rejected.for_reason(Reason::NotTaken) == spans) {
            self.figures.received(signal, spans);
            for made in &made {
                made.checked().count(&self.figures);
            }
            self.tell_not_taken(signal);
            return Err(Declined::NotTaken(signal));
        }
        Ok(Begun {
            signal,
            spans,
            exporters,
            admitted,
            made,
        })
    }

    /// Makes a request safe, and lets it go on.
    async fn finish(&self, begun: Begun) -> Result<Rejected, Declined> {
        let Begun {
            signal,
            spans,
            exporters,
            admitted,
            made,
        } = begun;
        let rejected = made.iter().map(|made| made.checked().rejected.clone());
        let rejected: Vec<_> = rejected.collect();
        let kept = exporters.iter().zip(admitted.into_iter().zip(made));
        let kept = kept.map(|(to, (admitted, made))| to.keep(admitted, made));
        // Nothing goes on before all of it is safe.
        let kept = futures::future::try_join_all(kept).await?;
        for (to, safe) in exporters.iter().zip(kept) {
            to.go_on(safe);
        }
        self.figures.received(signal, spans);
        let rejected = rejected
            .into_iter()
            // What one of them has rejected is no less so because another one has taken it.
            .max_by_key(Rejected::spans)
            .unwrap_or_default();
        let accepted = spans.saturating_sub(rejected.spans());
        self.figures.accepted(signal, accepted);
        let several = signal.names().several;
        if rejected.spans() > 0 && self.is_to_tell(several) {
            log::warn!(
                "{several} are rejected: {rejected}; this is said once a minute at most, and counted in sentry_otlp_rejected_total"
            );
        }
        Ok(rejected)
    }

    /// Why there is nowhere to go for a signal.
    fn without_exporter(&self, feeds: &Feeds, signal: Signal) -> Declined {
        if feeds.traces.is_empty() && feeds.logs.is_empty() {
            return Declined::NoExporter;
        }
        self.tell_not_taken(signal);
        Declined::NotTaken(signal)
    }

    /// Says that a signal comes that is not taken.
    fn tell_not_taken(&self, signal: Signal) {
        let (name, exporter) = (signal.name(), signal.names().exporter);
        if self.is_to_tell(name) {
            log::warn!(
                "a client sends {name}, which no pipeline takes, or the server does not: set {exporter}=none there"
            );
        }
    }

    /// Says that metrics come; and what clients are told of it.
    pub fn tell_metrics(&self) -> &'static str {
        if self.is_to_tell("metrics") {
            log::warn!(
                "a client sends metrics, which are not taken: set OTEL_METRICS_EXPORTER=none there"
            );
        }
        "metrics are not taken here"
    }

    /// Whether a matter is to be said.
    fn is_to_tell(&self, matter: &'static str) -> bool {
        self.told.lock().entry(matter).or_default().is_due()
    }
}
