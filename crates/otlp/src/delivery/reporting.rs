//! Errors of one project that wait for the same of other spans.

use crate::delivery::budget::{Budget, Slot, Used};
use crate::errors::event::Recorded;
use crate::errors::same::{Bounds, Exception, Place, Same};
use crate::json;
use crate::spool::receipt::{Receipt, Receipts};
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// So many bytes of errors of a project wait; with more of them the oldest goes out as it is.
const BYTES: usize = 32 << 20;
/// Of so many spans it is known whose children they are.
const SPANS: usize = 200_000;
/// So many errors that went out are remembered.
const REMEMBERED: usize = 50_000;

/// An error event, ready to go out.
#[derive(Debug)]
pub struct Report {
    /// 32 hexadecimal digits.
    pub event_id: String,
    pub json: Box<[u8]>,
    /// Of the requests that it came in.
    pub receipts: Receipts,
}

/// A span and what it recorded, as they are to be added.
#[derive(Debug)]
pub struct Reported {
    place: Place,
    /// When the span began, in nanoseconds since 1970.
    start: u64,
    thrown: Vec<Thrown>,
}

#[derive(Debug)]
struct Thrown {
    kind: String,
    message: String,
    time: u64,
    report: Report,
}

impl Reported {
    /// Bytes of the errors that come of it.
    pub fn size(&self) -> usize {
        let reports = self.thrown.iter().map(|one| one.report.json.len());
        size_of::<Self>() + reports.sum::<usize>()
    }

    /// Of a span, and how many exceptions could not be written.
    pub fn of(place: Place, span: &Span, recorded: Vec<Recorded<'_>>) -> (Self, usize) {
        let mut broken = 0;
        let mut thrown = Vec::with_capacity(recorded.len());
        for one in recorded {
            let Ok(json) = json::boxed(&one.event) else {
                broken += 1;
                continue;
            };
            thrown.push(Thrown {
                kind: one.kind.to_owned(),
                message: one.message.to_owned(),
                time: one.time,
                report: Report {
                    event_id: one.event.event_id,
                    json,
                    receipts: Vec::new(),
                },
            });
        }
        let start = span.start_time_unix_nano;
        let reported = Self {
            place,
            start,
            thrown,
        };
        (reported, broken)
    }
}

/// Errors that wait, and their place in the queue of the exporter.
pub struct Reporting(Mutex<(Same<Report>, Slot)>);

impl Reporting {
    /// `hold` is how long an error waits for the same of other spans.
    pub fn new(hold: Duration, budget: &Budget) -> Self {
        let bounds = Bounds {
            hold,
            bytes: BYTES,
            spans: SPANS,
            remembered: REMEMBERED,
        };
        let slot = budget.hold(Used::default());
        Self(Mutex::new((Same::new(bounds), slot)))
    }

    /// Tells of spans that came in those requests, and takes what they recorded.
    pub fn add(&self, reported: Vec<Reported>, of: &[Arc<Receipt>]) {
        let now = Instant::now().into_std();
        self.with(|same| {
            for of_span in reported {
                if of_span.thrown.is_empty() {
                    same.span(of_span.place, now);
                }
                for one in of_span.thrown {
                    let exception = Exception {
                        kind: &one.kind,
                        message: &one.message,
                        time: one.time,
                        start: of_span.start,
                    };
                    let mut report = one.report;
                    report.receipts = of.to_vec();
                    let bytes = report.json.len();
                    // A double is counted by itself.
                    same.add(of_span.place, exception, report, bytes, now);
                }
            }
        });
    }

    /// What has waited long enough.
    pub fn due(&self) -> Vec<Report> {
        self.with(|same| same.due(Instant::now().into_std()))
    }

    /// When it is worth to look what has waited long enough.
    pub fn first_due(&self) -> Option<Instant> {
        let first = self.0.lock().0.first_due();
        first.map(Instant::from_std)
    }

    /// All that waits.
    pub fn drain(&self) -> Vec<Report> {
        self.with(Same::drain)
    }

    /// How many errors wait.
    pub fn waiting(&self) -> u64 {
        self.0.lock().0.waiting() as u64
    }

    fn with<R>(&self, act: impl FnOnce(&mut Same<Report>) -> R) -> R {
        let (same, slot) = &mut *self.0.lock();
        let result = act(same);
        slot.set(Used {
            requests: 0,
            items: same.waiting() as u64,
            bytes: same.bytes() as u64,
        });
        result
    }
}
