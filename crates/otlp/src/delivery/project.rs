//! One project of Sentry, and everything that is on its way to it.

use crate::attributes::Attributes;
use crate::delivery::absence::Absence;
use crate::delivery::budget::Used;
use crate::delivery::grouping::Grouping;
use crate::delivery::intake::Intake;
use crate::delivery::limits::Limits;
use crate::delivery::logs::{Asked, Takes};
use crate::delivery::mode::{Mode, Wanted};
use crate::delivery::payload::{Kind, Payload};
use crate::delivery::queue::Queue;
use crate::delivery::reporting::{Report, Reported, Reporting};
use crate::delivery::shared::Shared;
use crate::delivery::source::Source;
use crate::rejection::{Reason, What};
use crate::spool::receipt::Receipt;
use crate::transactions::group::Arrived;
use crate::transactions::origin::Origin;
use crate::transactions::payload::{Broken, Ready};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

#[derive(Clone)]
pub enum State {
    /// The key is looked up, or the server is asked how it takes spans.
    Starting,
    Ready(Arc<Intake>, Mode),
    /// The key was refused.
    Refused,
    /// There is no such project, and no default one.
    NotThere(Absence),
    /// There is no such project: what is for it goes to the default one.
    Elsewhere(Arc<Project>),
}

/// A project. Its tasks end when they are dropped.
pub struct Project {
    /// Its slug; or the id that the DSN has.
    pub label: String,
    pub source: Source,
    /// Takes what is for a project that is not there.
    pub default: Option<Arc<Project>>,
    pub shared: Arc<Shared>,
    pub queue: Queue,
    pub grouping: Grouping,
    pub reporting: Reporting,
    pub limits: Mutex<Limits>,
    pub state: watch::Sender<State>,
    pub asked: Asked,
    pub ask_again: Notify,
    /// Spans, log records and events that were taken and have not come to an end.
    pub pending: AtomicU64,
}

impl Project {
    /// `default` takes what is for a project that is not there.
    pub fn new(
        label: String,
        source: Source,
        default: Option<Arc<Project>>,
        shared: Arc<Shared>,
    ) -> Arc<Self> {
        Arc::new(Self {
            label,
            source,
            default,
            grouping: Grouping::new(shared.trace_timeout, &shared.budget),
            reporting: Reporting::new(shared.trace_timeout, &shared.budget),
            shared,
            queue: Queue::default(),
            limits: Mutex::default(),
            state: watch::Sender::new(State::Starting),
            asked: Asked::default(),
            ask_again: Notify::new(),
            pending: AtomicU64::new(0),
        })
    }

    /// How spans are taken, if that is known yet.
    pub fn mode(&self) -> Option<Mode> {
        match &*self.state.borrow() {
            State::Ready(_, mode) => Some(*mode),
            State::Elsewhere(default) => default.mode(),
            State::Starting | State::Refused | State::NotThere(_) => match self.shared.wanted {
                Wanted::Auto => None,
                Wanted::Otlp => Some(Mode::Otlp),
                Wanted::Transactions => Some(Mode::Transactions),
            },
        }
    }

    /// How logs are taken, if that is known.
    pub fn takes_logs(&self) -> Option<Takes> {
        match &*self.state.borrow() {
            State::Elsewhere(default) => default.takes_logs(),
            _ => self.asked.known(),
        }
    }

    /// To be sent, in its turn.
    pub fn push(&self, payload: Payload) {
        if let State::Elsewhere(default) = &*self.state.borrow() {
            return default.push(payload);
        }
        self.pending.fetch_add(payload.items(), Ordering::Relaxed);
        self.queue.push(payload);
    }

    /// What all spans of a resource have in common that go out as parts of transactions.
    pub fn origin(&self, resource: Attributes<'_>) -> Arc<Origin> {
        self.grouping.origin(resource, &self.shared.terms)
    }

    /// Takes spans that came in those requests until their traces are complete.
    pub fn group(&self, arrived: Vec<Arrived>, of: &[Arc<Receipt>]) {
        if arrived.is_empty() {
            return;
        }
        if let State::Elsewhere(default) = &*self.state.borrow() {
            return default.group(arrived, of);
        }
        let _moving = self.shared.moving.lock();
        let ready = self.grouping.add(arrived, of);
        self.send(ready);
    }

    /// Takes the exceptions that spans recorded, which become errors.
    pub fn report(&self, reported: Vec<Reported>, of: &[Arc<Receipt>]) {
        if reported.is_empty() {
            return;
        }
        if let State::Elsewhere(default) = &*self.state.borrow() {
            return default.report(reported, of);
        }
        self.reporting.add(reported, of);
    }

    /// Sends all that waits for more of its kind: the program ends.
    pub fn flush(&self) {
        while self.send_from(Grouping::drain) {}
        self.send_errors_from(Reporting::drain);
    }

    /// Sends transactions that are ready. Whether more of them are.
    pub fn send_from(&self, ready: impl FnOnce(&Grouping) -> Ready) -> bool {
        let _moving = self.shared.moving.lock();
        let ready = ready(&self.grouping);
        let more = ready.more;
        self.send(ready);
        more
    }

    /// Sends errors that are ready.
    pub fn send_errors_from(&self, ready: impl FnOnce(&Reporting) -> Vec<Report>) {
        let _moving = self.shared.moving.lock();
        self.send_errors(ready(&self.reporting));
    }

    /// Errors that are ready.
    fn send_errors(&self, reports: Vec<Report>) {
        for report in reports {
            let slot = self.shared.budget.hold(Used {
                requests: 0,
                items: 1,
                bytes: report.json.len() as u64,
            });
            self.push(Payload {
                kind: Kind::Error,
                alone: false,
                sampled: None,
                event_id: report.event_id,
                body: report.json.into(),
                spans: 0,
                since: Instant::now(),
                slots: vec![Arc::new(slot)],
                receipts: report.receipts,
            });
        }
    }

    /// Transactions that are ready.
    fn send(&self, ready: Ready) {
        let shared = &self.shared;
        for payload in ready.payloads {
            for left_out in payload.left_out {
                shared.left_out(left_out);
            }
            let spans = payload.spans as u64;
            let sampled = payload.sampled.map(|sampled| (payload.trace_id, sampled));
            shared.figures.cut(payload.cut as u64);
            let slot = shared.budget.hold(Used {
                requests: 1,
                items: spans,
                bytes: payload.json.len() as u64,
            });
            self.push(Payload {
                kind: Kind::Transaction,
                alone: false,
                sampled: sampled.map(Box::new),
                event_id: payload.event_id,
                body: payload.json.into(),
                spans,
                since: Instant::now(),
                slots: vec![Arc::new(slot)],
                receipts: payload.receipts,
            });
        }
        shared.figures.repeated(ready.repeated as u64);
        for broken in ready.broken {
            self.unwritten(&broken);
        }
    }

    /// Counts spans that cannot be written.
    pub fn unwritten(&self, broken: &Broken) {
        let (exporter, project) = (&self.shared.name, &self.label);
        log::error!(exporter, project; "{broken}: {}", broken.source);
        let (figures, spans) = (&self.shared.figures, broken.spans as u64);
        figures.rejected(What::Span, Reason::Malformed, spans);
    }

    /// Spans, log records and events that have not come to an end.
    pub fn pending(&self) -> u64 {
        let waiting = self.grouping.spans() + self.reporting.waiting();
        self.pending.load(Ordering::Relaxed) + waiting
    }

    /// Since when the oldest in the queue waits.
    pub fn oldest(&self) -> Option<Instant> {
        self.queue.oldest()
    }
}
