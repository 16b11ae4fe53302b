//! One exporter of the configuration: what it takes of a request, and what becomes of it.

use crate::delivery::budget::Slot;
use crate::delivery::route::Route;
use crate::delivery::shared::Shared;
use crate::delivery::taking::{Taken, Taking};
use crate::privacy::Privacy;
use crate::receive::request::{Outline, Request};
use crate::rejection::{Reason, What};
use crate::spool::receipt::Receipt;
use crate::spool::store::Kept;
use crate::spool::{Appended, Next, Spool, Unkept};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// An exporter, shared by all receivers that feed it.
pub struct Exporter {
    pub privacy: Privacy,
    pub route: Route,
    pub shared: Arc<Shared>,
    /// Without one, what is acknowledged is in memory alone.
    pub spool: Option<Arc<Spool>>,
    /// The task that takes what waits in the spool.
    pub feeding: Mutex<Option<AbortHandle>>,
}

/// Leave to take a request; with a spool there may be no place in memory, and it waits on the disk.
pub struct Admitted(Option<Arc<Slot>>);

/// A request that is safe.
pub struct Safe {
    taken: Taken,
    slot: Option<Arc<Slot>>,
    receipt: Option<Arc<Receipt>>,
    /// It waits on the disk for its turn.
    waits: bool,
}

impl Exporter {
    /// Leave to take a request; none: it has to be sent again later.
    pub fn admit(&self, outline: Outline) -> Option<Admitted> {
        let slot = self.shared.budget.reserve(outline);
        match &self.spool {
            None => slot.map(|slot| Admitted(Some(slot))),
            Some(spool) => spool.has_room(outline.bytes).then_some(Admitted(slot)),
        }
    }

    /// Reads what is in a request, and tells what is not taken. Nothing goes on yet, or is counted.
    pub fn take(&self, request: &Request, admitted: &Admitted) -> Taken {
        let Admitted(slot) = admitted;
        self.taken(request, slot.as_deref(), self.spool.is_some())
    }

    fn taken(&self, request: &Request, slot: Option<&Slot>, keeps: bool) -> Taken {
        let (route, shared) = (&self.route, &self.shared);
        let room = slot.map_or(0, Slot::bytes);
        let mut taking = Taking::new(route, shared, &self.privacy, request.signal, room, keeps);
        request.visit(&mut taking);
        taking.taken()
    }

    /// Makes a request safe.
    ///
    /// # Errors
    /// When it cannot be: nothing of it goes on.
    pub async fn keep(&self, admitted: Admitted, mut taken: Taken) -> Result<Safe, Unkept> {
        let Admitted(slot) = admitted;
        let (body, records) = std::mem::take(&mut taken.kept);
        let mut waits = false;
        let receipt = match &self.spool {
            Some(spool) if records > 0 => {
                let outline = Kept {
                    signal: taken.signal,
                    at: nanoseconds(Utc::now()),
                    records,
                    bytes: body.len() as u64,
                };
                match spool.append(outline, body, slot.is_some()).await? {
                    Appended::Now(receipt) => Some(receipt),
                    Appended::Later => {
                        waits = true;
                        None
                    }
                }
            }
            _ => None,
        };
        Ok(Safe {
            taken,
            slot,
            receipt,
            waits,
        })
    }

    /// Lets a request go on, unless it waits for its turn.
    pub fn go_on(&self, safe: Safe) {
        safe.taken.count(&self.shared.figures);
        if !safe.waits {
            let handed = safe.taken.handed;
            handed.over(&self.shared, safe.slot, safe.receipt);
        }
    }

    /// Takes a request that was acknowledged before and waited on the disk.
    pub fn resume(&self, next: &Next, body: Bytes, slot: Arc<Slot>, receipt: Arc<Receipt>) {
        let mut taken = self.taken(
            &Request::written(next.kept.signal, body),
            Some(&slot),
            false,
        );
        taken.count(&self.shared.figures);
        let unread = next.kept.records.saturating_sub(taken.seen);
        if unread > 0 {
            self.lost(next, unread, &"what the spool has of it is damaged");
        }
        let age = nanoseconds(Utc::now()).saturating_sub(next.kept.at);
        let since = Instant::now().checked_sub(Duration::from_nanos(age));
        taken.handed.since = since.unwrap_or(taken.handed.since);
        if taken.rejected.spans() > 0 {
            let (exporter, rejected) = (&self.shared.name, &taken.rejected);
            log::error!(exporter; "lost, though they had been acknowledged: {rejected}");
        }
        taken.handed.over(&self.shared, Some(slot), Some(receipt));
    }

    /// Counts records of a request that was acknowledged and cannot be read again.
    pub fn lost(&self, next: &Next, records: u64, why: &dyn Display) {
        let (exporter, signal, request) = (&self.shared.name, next.kept.signal.name(), next.id);
        log::error!(exporter, signal, request, records, reason = Reason::Malformed.name(); "lost, though they had been acknowledged: {why}");
        let what = What::of(next.kept.signal);
        self.shared
            .figures
            .rejected(what, Reason::Malformed, records);
    }

    /// Sends everything that waits for more of its kind.
    pub fn flush(&self) {
        for project in self.route.projects() {
            project.flush();
        }
    }

    /// Lets nothing more begin: what is left stays in the spool.
    pub fn halt(&self) {
        self.stop_feeding();
        self.shared.halt();
    }

    /// Takes nothing more out of the spool.
    pub fn stop_feeding(&self) {
        if let Some(feeding) = self.feeding.lock().take() {
            feeding.abort();
        }
    }

    /// Spans, log records and events that have not come to an end; of what waits on the disk alone, requests.
    pub fn pending(&self) -> u64 {
        // Nothing is between two places meanwhile.
        let moving = self.shared.moving.lock();
        let projects = self.route.projects();
        let pending: u64 = projects.iter().map(|project| project.pending()).sum();
        drop(moving);
        let feeds = self.feeding.lock().is_some();
        let spool = self.spool.as_ref().filter(|_| feeds);
        pending + spool.map_or(0, |spool| spool.requests().1)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.stop_feeding();
    }
}

/// Since 1970.
fn nanoseconds(time: DateTime<Utc>) -> u64 {
    let nanoseconds = time.timestamp_nanos_opt().unwrap_or_default();
    u64::try_from(nanoseconds).unwrap_or_default()
}
