//! Traces of one project that wait until they are complete.

use crate::attributes::Attributes;
use crate::delivery::budget::{Budget, Slot, Used};
use crate::spool::receipt::Receipt;
use crate::terms::Terms;
use crate::transactions::group::{Arrived, Bounds, Grouper};
use crate::transactions::origin::Origin;
use crate::transactions::payload::Ready;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// So many spans of a project wait for the rest of their traces; with more of them the oldest trace goes out as it is.
const SPANS: usize = 200_000;
/// And so many bytes.
const BYTES: usize = 128 << 20;

/// A grouper, and its place in the queue of the exporter.
pub struct Grouping(Mutex<(Grouper, Slot)>);

impl Grouping {
    /// `timeout` is how long a trace is waited for after its last span.
    pub fn new(timeout: Duration, budget: &Budget) -> Self {
        let bounds = Bounds {
            timeout,
            spans: SPANS,
            bytes: BYTES,
        };
        let slot = budget.hold(Used::default());
        Self(Mutex::new((Grouper::new(bounds), slot)))
    }

    /// What all spans of a resource have in common.
    pub fn origin(&self, resource: Attributes<'_>, terms: &Terms) -> Arc<Origin> {
        self.0.lock().0.origin(resource, terms)
    }

    /// Takes spans that came in those requests.
    pub fn add(&self, arrived: Vec<Arrived>, of: &[Arc<Receipt>]) -> Ready {
        let now = Instant::now().into_std();
        self.with(|grouper| {
            let mut ready = Ready::default();
            for span in arrived {
                ready.append(grouper.add(span, of, now));
            }
            ready
        })
    }

    /// What is complete.
    pub fn due(&self) -> Ready {
        self.with(|grouper| grouper.due(Instant::now().into_std()))
    }

    /// When it is worth to look what is complete.
    pub fn first_due(&self) -> Option<Instant> {
        let first = self.0.lock().0.first_due();
        first.map(Instant::from_std)
    }

    /// All that waits, complete or not.
    pub fn drain(&self) -> Ready {
        self.with(Grouper::drain)
    }

    /// How many spans wait.
    pub fn spans(&self) -> u64 {
        self.0.lock().0.spans() as u64
    }

    fn with(&self, act: impl FnOnce(&mut Grouper) -> Ready) -> Ready {
        let (grouper, slot) = &mut *self.0.lock();
        let ready = act(grouper);
        slot.set(Used {
            requests: 0,
            items: grouper.spans() as u64,
            bytes: grouper.bytes() as u64,
        });
        ready
    }
}
