//! What all projects of an exporter have in common.

use crate::client::Client;
use crate::conventions::left_out::LeftOut;
use crate::delivery::budget::Budget;
use crate::delivery::mode::Wanted;
use crate::delivery::retry::Retry;
use crate::figures::Figures;
use crate::terms::Terms;
use crate::told::Told;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

#[derive(Debug)]
pub struct Shared {
    /// Of the exporter, for log lines.
    pub name: String,
    pub client: Client,
    pub wanted: Wanted,
    pub retry: Retry,
    /// Requests to Sentry at the same time.
    pub permits: Semaphore,
    pub consumers: usize,
    pub terms: Terms,
    /// How long a trace is waited for after its last span.
    pub trace_timeout: Duration,
    pub budget: Budget,
    pub figures: Figures,
    /// Releases and environments that Sentry would not keep.
    pub told: Told<LeftOut>,
    /// Held while something goes from one place where it counts as pending to another.
    pub moving: Mutex<()>,
    /// Requests to Sentry that wait for their answer.
    pub sending: AtomicU64,
    /// No further one begins: what is left stays in the spool.
    pub is_halted: AtomicBool,
}

/// A request to Sentry, until what its answer means has been done.
#[derive(Debug)]
pub struct Sending<'a>(&'a AtomicU64);

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    /// Begins a request; never, after [`Shared::halt`].
    pub async fn begin(&self) -> Sending<'_> {
        self.sending.fetch_add(1, Ordering::SeqCst);
        let sending = Sending(&self.sending);
        // Whoever halts looks at the number afterwards.
        if self.is_halted.load(Ordering::SeqCst) {
            drop(sending);
            return std::future::pending().await;
        }
        sending
    }

    /// Whether a request waits for its answer.
    pub fn is_sending(&self) -> bool {
        self.sending.load(Ordering::SeqCst) > 0
    }

    /// Lets no further request begin.
    pub fn halt(&self) {
        self.is_halted.store(true, Ordering::SeqCst);
    }

    /// Counts what is left out of spans and log records, and says it once.
    pub fn left_out(&self, left_out: LeftOut) {
        self.figures.left_out(left_out.what, 1);
        let text = left_out.to_string();
        if self.told.is_new(left_out) {
            let exporter = &self.name;
            log::warn!(exporter; "{text}; this is said once, and counted in sentry_otlp_left_out_total");
        }
    }
}
