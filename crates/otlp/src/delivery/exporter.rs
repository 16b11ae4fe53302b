//! One exporter of the configuration: what it takes of a request, and what becomes of it.

use crate::delivery::budget::Slot;
use crate::delivery::checking::Checked;
use crate::delivery::handed::Handed;
use crate::delivery::keeping::{Keeping, ToKeep};
use crate::delivery::project::Project;
use crate::delivery::reading::{Reading, Readings};
use crate::delivery::reporting::Reported;
use crate::delivery::route::Route;
use crate::delivery::shared::Shared;
use crate::delivery::taking::{Taken, Taking};
use crate::privacy::Privacy;
use crate::receive::apart::apart;
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
use tap_sentry_serve::caught::caught;
use tap_sentry_serve::seldom::Seldom;
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
    /// What has been acknowledged and is read again.
    pub readings: Readings,
    /// Says that something is rejected that was acknowledged.
    pub said: Seldom,
}

/// Leave to take a request; with a spool there may be no place in memory, and it waits on the disk.
pub struct Admitted(Option<Arc<Slot>>);

/// What has been made of a request. Nothing of it goes on yet, or is counted.
pub enum Made {
    /// It goes out as it is.
    Taken(Taken),
    /// It has to be on the disk, and is read again from there.
    ToKeep(ToKeep),
}

impl Made {
    pub const fn checked(&self) -> &Checked {
        match self {
            Self::Taken(taken) => &taken.checked,
            Self::ToKeep(to_keep) => &to_keep.checked,
        }
    }
}

/// A request that is safe.
pub struct Safe {
    checked: Checked,
    /// Spans that are not kept.
    told: Vec<(Arc<Project>, Vec<Reported>)>,
    goes: Goes,
}

/// How it goes on.
enum Goes {
    /// It is in memory alone.
    Over(Handed, Option<Arc<Slot>>),
    /// It is on the disk, and is read again at once.
    Again {
        next: Next,
        body: Bytes,
        receipt: Arc<Receipt>,
        place: Option<(Arc<Slot>, Reading)>,
    },
    /// It waits on the disk for its turn; or there is nothing of it.
    Later,
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
    pub fn take(&self, request: &Request, outline: Outline, admitted: &Admitted) -> Made {
        if self.spool.is_some() {
            let (route, shared) = (&self.route, &self.shared);
            let bytes = outline.bytes;
            let mut keeping = Keeping::new(route, shared, &self.privacy, request.signal, bytes);
            request.visit(&mut keeping);
            return Made::ToKeep(keeping.to_keep());
        }
        let Admitted(slot) = admitted;
        Made::Taken(self.taken(request, slot.as_deref()))
    }

    fn taken(&self, request: &Request, slot: Option<&Slot>) -> Taken {
        let (route, shared) = (&self.route, &self.shared);
        let room = slot.map_or(0, Slot::bytes);
        let mut taking = Taking::new(route, shared, &self.privacy, request.signal, room);
        request.visit(&mut taking);
        taking.taken()
    }

    /// Makes a request safe.
    ///
    /// # Errors
    /// When it cannot be: nothing of it goes on.
    pub async fn keep(&self, admitted: Admitted, made: Made) -> Result<Safe, Unkept> {
        let Admitted(slot) = admitted;
        let ToKeep {
            checked,
            told,
            body,
            records,
        } = match made {
            Made::ToKeep(to_keep) => to_keep,
            Made::Taken(Taken { checked, handed }) => {
                return Ok(Safe {
                    checked,
                    told: Vec::new(),
                    goes: Goes::Over(handed, slot),
                });
            }
        };
        let goes = match &self.spool {
            Some(spool) if records > 0 => {
                let kept = Kept {
                    signal: checked.signal,
                    at: nanoseconds(Utc::now()),
                    records,
                    bytes: body.len() as u64,
                };
                let place = slot.and_then(|slot| Some((slot, self.readings.reserve(body.len())?)));
                let appended = spool.append(kept, body.clone(), place.is_some());
                match appended.await? {
                    Appended::Now(receipt) => Goes::Again {
                        next: Next {
                            id: receipt.id(),
                            kept,
                        },
                        body,
                        receipt,
                        place,
                    },
                    Appended::Later => Goes::Later,
                }
            }
            _ => Goes::Later,
        };
        Ok(Safe {
            checked,
            told,
            goes,
        })
    }

    /// Lets a request go on, unless it waits for its turn. What is on the disk does so on the runtime that calls, behind the
    /// answer to the client.
    pub fn go_on(self: &Arc<Self>, safe: Safe) {
        safe.checked.count(&self.shared.figures);
        for (project, told) in safe.told {
            project.report(told, &[]);
        }
        match safe.goes {
            Goes::Over(handed, slot) => handed.over(&self.shared, slot, None),
            Goes::Again {
                next,
                body,
                receipt,
                place,
            } => {
                let (slot, mut reading) = place.unzip();
                if let Some(reading) = &mut reading {
                    reading.acknowledged(next.kept.records);
                }
                let exporter = Arc::clone(self);
                tokio::spawn(async move {
                    // Never closed.
                    let _turn = exporter.readings.turn.acquire().await;
                    exporter.shared.budget.settled(slot.as_deref()).await;
                    exporter.resume(&next, body, slot, || Some(receipt)).await;
                    drop(reading);
                });
            }
            Goes::Later => {}
        }
    }

    /// Makes what goes out of a request that is on the disk, and was acknowledged. `receipt` is asked for it when that begins, and
    /// nothing is awaited any more; without one nothing is made.
    pub async fn resume(
        &self,
        next: &Next,
        body: Bytes,
        slot: Option<Arc<Slot>>,
        receipt: impl FnOnce() -> Option<Arc<Receipt>>,
    ) {
        apart(body.len(), || {
            let Some(receipt) = receipt() else {
                return;
            };
            let made = Arc::clone(&receipt);
            self.survive(next, || self.make(next, body, slot, made));
        })
        .await;
    }

    /// Counts a request as lost that ends in a panic: it would do so after each start, and nothing would come of what is
    /// behind it.
    fn survive(&self, next: &Next, make: impl FnOnce()) {
        if let Err(why) = caught(make) {
            self.lost(next, next.kept.records, &why);
        }
    }

    fn make(&self, next: &Next, body: Bytes, slot: Option<Arc<Slot>>, receipt: Arc<Receipt>) {
        let request = Request::written(next.kept.signal, body);
        let Taken {
            checked,
            mut handed,
        } = self.taken(&request, slot.as_deref());
        checked.count_rejected(&self.shared.figures);
        let unread = next.kept.records.saturating_sub(checked.seen);
        if unread > 0 {
            self.lost(next, unread, &"what the spool has of it is damaged");
        }
        let age = nanoseconds(Utc::now()).saturating_sub(next.kept.at);
        let since = Instant::now().checked_sub(Duration::from_nanos(age));
        handed.since = since.unwrap_or(handed.since);
        let rejected = &checked.rejected;
        if rejected.spans() > 0 && self.said.is_due() {
            let exporter = &self.shared.name;
            log::error!(exporter; "lost, though they had been acknowledged: {rejected}; this is said once a minute at most, and counted in sentry_otlp_rejected_total");
        }
        handed.over(&self.shared, slot, Some(receipt));
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
        // Before the projects: what is handed over meanwhile is with them.
        let reading = self.readings.records();
        // Nothing is between two places meanwhile.
        let moving = self.shared.moving.lock();
        let projects = self.route.projects();
        let pending: u64 = projects.iter().map(|project| project.pending()).sum();
        drop(moving);
        let feeds = self.feeding.lock().is_some();
        let spool = self.spool.as_ref().filter(|_| feeds);
        reading + pending + spool.map_or(0, |spool| spool.requests().1)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::Bridge;
    use crate::config::Config;
    use crate::config::exporter::Spool as SpoolConfig;
    use crate::figures::Figures;
    use crate::signal::Signal;
    use crate::testing::metrics;
    use std::path::Path;

    #[tokio::test]
    async fn what_ends_in_a_panic_is_lost_with_a_word_and_leaves_the_disk() {
        let file = "exporters: {sentry: {dsn: 'http://key@127.0.0.1:9/42', mode: otlp}}";
        let config = Config::parse(file, Path::new("otlp.yml"), &|_| None);
        let figures = Figures::default();
        let bridge = Bridge::new(&config.expect("a configuration"), &figures).expect("a bridge");
        let exporter = Arc::clone(&bridge.all()[0]);
        let folder = tempfile::tempdir().expect("a folder");
        let spool = Spool::open(&SpoolConfig {
            folder: folder.path().to_owned(),
            size: 1 << 20,
        });
        let spool = spool.expect("a spool");
        let body = Bytes::from_static(b"a");
        let kept = Kept {
            signal: Signal::Traces,
            at: 0,
            records: 2,
            bytes: 1,
        };
        let appended = spool.append(kept, body, true).await;
        let Ok(Appended::Now(receipt)) = appended else {
            panic!("{appended:?}");
        };
        let id = receipt.id();
        let made = Arc::clone(&receipt);
        exporter.survive(&Next { id, kept }, || {
            let _made = made;
            panic!("a mistake");
        });
        assert_eq!(spool.requests().0, 1);
        drop(receipt);
        assert_eq!(spool.close(), 0);
        let text = metrics(&figures);
        let series = "rejected_total{kind=\"span\",reason=\"malformed\"} 2\n";
        assert!(text.contains(series), "{text}");
    }
}
