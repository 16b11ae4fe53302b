//! One project of Sentry, and everything that is on its way to it.

use crate::conventions::left_out::LeftOut;
use crate::delivery::budget::{Budget, Used};
use crate::delivery::grouping::Grouping;
use crate::delivery::intake::Intake;
use crate::delivery::limits::Limits;
use crate::delivery::logs::{Asked, Question, Takes};
use crate::delivery::lookup::Found;
use crate::delivery::mode::{self, Answer, Mode, Wanted};
use crate::delivery::payload::{KINDS, Kind, Payload, TOGETHER_LOG_ITEMS};
use crate::delivery::queue::Queue;
use crate::delivery::regroup::Regroup;
use crate::delivery::reporting::{Report, Reporting};
use crate::delivery::retry::Retry;
use crate::delivery::sender::{Outcome, hand_in};
use crate::delivery::source::Source;
use crate::delivery::spans::halves;
use crate::errors::events_of;
use crate::figures::Figures;
use crate::logs::items;
use crate::receive::request::Request;
use crate::rejection::{Reason, What};
use crate::seen::Seen;
use crate::signal::Signal;
use crate::terms::Terms;
use crate::told::Told;
use crate::transactions::payload::Ready;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::yield_now;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

/// A project is asked again how it takes spans after so long.
const ASKED_AGAIN: Duration = Duration::from_secs(24 * 60 * 60);

/// How often it is looked whether traces are complete.
const TICK: Duration = Duration::from_millis(200);

/// A key that is refused is tried again after so long.
const REFUSED_AGAIN: Duration = Duration::from_secs(60);

/// A key that could not be looked up is tried again after so long.
const LOOKED_UP_AGAIN: Duration = Duration::from_secs(10);

/// A project that is not there may be created meanwhile: it is looked for again after so long.
const NO_PROJECT_AGAIN: Duration = Duration::from_secs(5 * 60);

/// What waits for a key that is refused is given up after so long.
const REFUSED_AGE: Duration = Duration::from_secs(60 * 60);

/// What all projects of an exporter have in common.
#[derive(Debug)]
pub struct Shared {
    /// Of the exporter, for log lines.
    pub name: String,
    pub client: reqwest::Client,
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
}

impl Shared {
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

/// Whether and how data can be handed in.
#[derive(Clone)]
pub enum State {
    /// The key is looked up, or the server is asked how it takes spans.
    Starting,
    Ready(Arc<Intake>, Mode),
    /// The key was refused.
    Refused,
    /// There is no such project: what is for it goes to the default one.
    Elsewhere(Arc<Project>),
}

/// Where a payload is handed in.
enum Place {
    Here(Arc<Intake>, Mode),
    There(Arc<Project>),
    /// The key has been refused for too long.
    Nowhere,
    /// In another form.
    Otherwise,
    /// The server takes none of its kind.
    Untaken,
}

/// A project. Its tasks end when they are dropped.
pub struct Project {
    /// Its slug; or the id that the DSN has.
    pub label: String,
    source: Source,
    /// Takes what is for a project that is not there.
    default: Option<Arc<Project>>,
    shared: Arc<Shared>,
    queue: Queue,
    grouping: Grouping,
    reporting: Reporting,
    limits: Mutex<Limits>,
    state: watch::Sender<State>,
    asked: Asked,
    ask_again: Notify,
    /// Spans, log records and events that were taken and have not come to an end.
    pending: AtomicU64,
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
            State::Starting | State::Refused => match self.shared.wanted {
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

    /// Takes a span that goes out as part of a transaction.
    pub fn group(&self, seen: &Seen<'_>) {
        if let State::Elsewhere(default) = &*self.state.borrow() {
            return default.group(seen);
        }
        let _moving = self.shared.moving.lock();
        let ready = self.grouping.add(seen, &self.shared.terms);
        self.send(ready);
    }

    /// Takes the exceptions that a span recorded, which become errors.
    pub fn report(&self, seen: &Seen<'_>) {
        if let State::Elsewhere(default) = &*self.state.borrow() {
            return default.report(seen);
        }
        let found = events_of(seen, &self.shared.terms);
        for left_out in found.left_out {
            self.shared.left_out(left_out);
        }
        let broken = self.reporting.add(seen.span, found.recorded) + found.nameless;
        let figures = &self.shared.figures;
        figures.rejected(What::Error, Reason::Malformed, broken as u64);
        figures.rejected(What::Error, Reason::TooLarge, found.too_many as u64);
    }

    /// Sends all that waits for more of its kind: the program ends.
    pub fn flush(&self) {
        while self.send_from(Grouping::drain) {}
        self.send_errors_from(Reporting::drain);
    }

    /// Sends transactions that are ready. Whether more of them are.
    fn send_from(&self, ready: impl FnOnce(&Grouping) -> Ready) -> bool {
        let _moving = self.shared.moving.lock();
        let ready = ready(&self.grouping);
        let more = ready.more;
        self.send(ready);
        more
    }

    fn send_errors_from(&self, ready: impl FnOnce(&Reporting) -> Vec<Report>) {
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
            });
        }
        shared.figures.repeated(ready.repeated as u64);
        for broken in ready.broken {
            let (exporter, project) = (&shared.name, &self.label);
            log::error!(exporter, project; "{broken}: {}", broken.source);
            shared
                .figures
                .rejected(What::Span, Reason::Malformed, broken.spans as u64);
        }
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

    /// Sends what comes, until it is dropped.
    pub async fn run(self: Arc<Self>) {
        let lines = KINDS.map(|kind| self.line(kind));
        tokio::join!(self.keep(), self.tick(), futures::future::join_all(lines));
    }

    /// Sends traces when they are complete, and errors with them.
    async fn tick(&self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            while self.send_from(Grouping::due) {
                // Others have their turn.
                yield_now().await;
            }
            self.send_errors_from(Reporting::due);
        }
    }

    /// Keeps the state true.
    async fn keep(&self) {
        loop {
            let again = match self.source.intake().await {
                Found::Intake(intake) => self.ask(&intake).await,
                Found::NoProject => self.not_there(),
                Found::Nothing(why) => {
                    let (exporter, project) = (&self.shared.name, &self.label);
                    log::error!(exporter, project; "no key for the project, and what is received waits: {why}");
                    LOOKED_UP_AGAIN
                }
            };
            tokio::select! {
                () = sleep(again) => {}
                () = self.ask_again.notified() => {}
            }
        }
    }

    /// Asks how spans are taken. After what time to ask again.
    async fn ask(&self, intake: &Arc<Intake>) -> Duration {
        let shared = &self.shared;
        let (exporter, project) = (&shared.name, &self.label);
        let mut failures = 0;
        loop {
            let answer = match shared.wanted {
                Wanted::Auto => mode::ask(&shared.client, intake).await,
                Wanted::Otlp => Answer::Mode(Mode::Otlp, "the setting says so".to_owned()),
                Wanted::Transactions => {
                    Answer::Mode(Mode::Transactions, "the setting says so".to_owned())
                }
            };
            match answer {
                Answer::Mode(mode, why) => {
                    let known = self.state.borrow().clone();
                    if !matches!(known, State::Ready(_, known) if known == mode) {
                        log::info!(exporter, project, mode = mode.name(); "spans are sent as {}: {why}", mode.name());
                    }
                    self.state
                        .send_replace(State::Ready(Arc::clone(intake), mode));
                    return ASKED_AGAIN;
                }
                Answer::Refused(why) => {
                    self.refused(&why);
                    return REFUSED_AGAIN;
                }
                Answer::Nothing(why) => {
                    failures += 1;
                    log::warn!(exporter, project; "it is not known yet how spans are taken, and what is received waits: {why}");
                    sleep(shared.retry.wait(failures, fastrand::f64())).await;
                }
            }
        }
    }

    /// After what time to look again.
    fn not_there(&self) -> Duration {
        let (exporter, project) = (&self.shared.name, &self.label);
        if let Some(default) = &self.default {
            log::warn!(exporter, project; "there is no such project: what is for it goes to {}", default.label);
            self.state
                .send_replace(State::Elsewhere(Arc::clone(default)));
        } else {
            log::error!(exporter, project; "there is no such project, and what is received for it waits: create it, or name `routing.default_project`");
        }
        NO_PROJECT_AGAIN
    }

    fn refused(&self, why: &str) {
        self.source.forget();
        let (exporter, project) = (&self.shared.name, &self.label);
        log::error!(exporter, project; "Sentry refuses the key ({why}); what is received waits, and is given up after an hour: check the DSN or the token");
        self.state.send_replace(State::Refused);
    }

    /// Sends what comes of one kind.
    async fn line(&self, kind: Kind) {
        let mut sending = FuturesUnordered::new();
        loop {
            tokio::select! {
                payload = self.queue.next(kind), if sending.len() < self.shared.consumers => {
                    sending.push(self.deliver(payload));
                }
                Some(()) = sending.next(), if !sending.is_empty() => {}
            }
        }
    }

    /// Sends a payload until it is delivered or given up.
    async fn deliver(&self, payload: Payload) {
        let kind = payload.kind;
        let mut failures = 0;
        loop {
            let limited = self.limits.lock().until(kind.categories(), Instant::now());
            if let Some(until) = limited {
                if self.is_over(&payload, until) {
                    return self.lost(&payload, Reason::Expired, "Sentry limits it");
                }
                sleep_until(until).await;
                continue;
            }
            let intake = match self.place(&payload).await {
                Place::Here(intake, _) => intake,
                Place::Otherwise if kind == Kind::Logs => return self.itemise(&payload),
                Place::Otherwise => return self.regroup(&payload),
                Place::Untaken => {
                    return self.lost(&payload, Reason::NotTaken, "the server takes no logs");
                }
                Place::There(default) => {
                    let _moving = self.shared.moving.lock();
                    self.ended(&payload);
                    return default.push(payload);
                }
                Place::Nowhere => {
                    return self.lost(&payload, Reason::Refused, "the key is refused");
                }
            };
            if self.is_over(&payload, Instant::now()) {
                return self.lost(&payload, Reason::Expired, "Sentry cannot be reached");
            }
            let outcome = self.try_once(&intake, &payload).await;
            let why = match outcome {
                Outcome::Delivered => return self.delivered(&payload),
                Outcome::TooLarge => return self.too_large(&payload),
                Outcome::Refused(why) => return self.lost(&payload, Reason::Refused, &why),
                // What the limits say is waited for.
                Outcome::Limited => {
                    self.shared.figures.retried(kind, 1);
                    continue;
                }
                Outcome::Unauthorized(why) => {
                    self.refused(&why);
                    self.ask_again.notify_one();
                    if payload.since.elapsed() > REFUSED_AGE {
                        return self.lost(&payload, Reason::Refused, &why);
                    }
                    why
                }
                Outcome::NotThere => {
                    self.ask_again.notify_one();
                    self.asked.forget();
                    "the server has no such intake (404)".to_owned()
                }
                Outcome::Passing(why) => why,
            };
            failures += 1;
            if !self.shared.retry.enabled {
                return self.lost(&payload, Reason::Expired, &why);
            }
            let wait = self.shared.retry.wait(failures, fastrand::f64());
            let (exporter, project) = (&self.shared.name, &self.label);
            log::warn!(exporter, project, kind = kind.name(); "sending failed and is tried again in {:.1} s: {why}", wait.as_secs_f64());
            self.shared.figures.retried(kind, 1);
            sleep(wait).await;
        }
    }

    /// Spans that were taken before it was known that the server wants transactions.
    fn regroup(&self, payload: &Payload) {
        let mut regroup = Regroup::new(|seen: &Seen<'_>| self.group(seen));
        Request::written(Signal::Traces, payload.body.clone()).visit(&mut regroup);
        if regroup.too_old > 0 {
            self.too_old(regroup.too_old);
        }
        self.broken(payload, regroup.seen);
        self.ended(payload);
    }

    /// Log records that go out in envelopes.
    fn itemise(&self, payload: &Payload) {
        let bounds = items::Bounds {
            items: TOGETHER_LOG_ITEMS.items,
            bytes: TOGETHER_LOG_ITEMS.bytes,
        };
        let _moving = self.shared.moving.lock();
        let items = items::items(payload.body.clone(), bounds);
        self.broken(payload, items.iter().map(|(_, count)| count).sum());
        for (body, spans) in items {
            self.push(Payload {
                kind: Kind::LogItems,
                body,
                spans,
                ..payload.clone()
            });
        }
        self.ended(payload);
    }

    async fn try_once(&self, intake: &Intake, payload: &Payload) -> Outcome {
        let shared = &self.shared;
        // Closed only when the program ends.
        let _permit = shared.permits.acquire().await;
        let began = Instant::now();
        let outcome = hand_in(&shared.client, intake, payload, &self.limits).await;
        let seconds = began.elapsed().as_secs_f64();
        shared.figures.took(payload.kind, seconds);
        outcome
    }

    /// Where and how a payload is handed in, once that is known.
    async fn place(&self, payload: &Payload) -> Place {
        loop {
            match (self.ready(payload).await, payload.kind) {
                (Place::Here(_, Mode::Transactions), Kind::Traces) => return Place::Otherwise,
                (Place::Here(intake, mode), Kind::Logs) => match self.ask_of_logs(&intake).await {
                    Some(Takes::Otlp) => return Place::Here(intake, mode),
                    Some(Takes::Items) => return Place::Otherwise,
                    Some(Takes::Nothing) => return Place::Untaken,
                    // The key is refused, and that is known now.
                    None => {}
                },
                (place, _) => return place,
            }
        }
    }

    /// How logs are taken; the first who has some asks. None: the key is refused.
    async fn ask_of_logs(&self, intake: &Intake) -> Option<Takes> {
        let shared = &self.shared;
        let question = Question {
            client: &shared.client,
            intake,
            wanted: shared.wanted,
            retry: &shared.retry,
            exporter: &shared.name,
            project: &self.label,
        };
        match self.asked.takes(&question).await {
            Ok(takes) => Some(takes),
            Err(why) => {
                self.refused(&why);
                self.ask_again.notify_one();
                None
            }
        }
    }

    /// Where a payload is handed in, once that is known.
    async fn ready(&self, payload: &Payload) -> Place {
        let mut states = self.state.subscribe();
        let is_old = payload.since + REFUSED_AGE;
        loop {
            let refused = match &*states.borrow_and_update() {
                State::Ready(intake, mode) => return Place::Here(Arc::clone(intake), *mode),
                State::Elsewhere(default) => return Place::There(Arc::clone(default)),
                State::Refused => true,
                State::Starting => false,
            };
            // Not known is no refusal: it goes on waiting.
            let changed = tokio::select! {
                changed = states.changed() => changed,
                () = sleep_until(is_old), if refused => return Place::Nowhere,
            };
            if changed.is_err() {
                return Place::Nowhere;
            }
        }
    }

    /// Whether a payload is given up before `at`.
    fn is_over(&self, payload: &Payload, at: Instant) -> bool {
        let most = self.shared.retry.most_elapsed;
        most.is_some_and(|most| at.duration_since(payload.since) > most)
    }

    fn delivered(&self, payload: &Payload) {
        self.shared.figures.sent(payload.kind, payload.sent());
        self.ended(payload);
    }

    /// Spans that are too old for transactions, and were not for OTLP.
    fn too_old(&self, spans: u64) {
        let (exporter, project) = (&self.shared.name, &self.label);
        log::error!(exporter, project, spans; "lost: they started more than 5 days ago, which is too old for transactions");
        self.shared
            .figures
            .rejected(What::Span, Reason::TooOld, spans);
    }

    /// Counts what was written here and could not be read again, which is a mistake of the program's.
    fn broken(&self, payload: &Payload, read: u64) {
        let broken = payload.spans.saturating_sub(read);
        if broken > 0 {
            let (exporter, project) = (&self.shared.name, &self.label);
            log::error!(exporter, project, kind = payload.kind.name(), items = broken; "lost: what was written cannot be read again");
            let what = payload.kind.what();
            self.shared
                .figures
                .rejected(what, Reason::Malformed, broken);
        }
    }

    fn lost(&self, payload: &Payload, reason: Reason, why: &str) {
        let (exporter, project, items) = (&self.shared.name, &self.label, payload.items());
        log::error!(exporter, project, kind = payload.kind.name(), items, reason = reason.name(); "lost: {why}");
        let what = payload.kind.what();
        self.shared.figures.rejected(what, reason, items);
        self.ended(payload);
    }

    fn ended(&self, payload: &Payload) {
        self.pending.fetch_sub(payload.items(), Ordering::Relaxed);
    }

    /// Two halves take the place of what is too large.
    fn too_large(&self, payload: &Payload) {
        let (body, count) = (&payload.body, payload.spans);
        let halves = match payload.kind {
            Kind::Traces => halves(Signal::Traces, body, count),
            Kind::Logs => halves(Signal::Logs, body, count),
            Kind::LogItems => items::halves(body, count),
            Kind::Error | Kind::Transaction => None,
        };
        let Some(halves) = halves else {
            return self.lost(
                payload,
                Reason::TooLarge,
                "Sentry takes nothing of that size (413)",
            );
        };
        for (body, spans) in halves.into_iter().rev() {
            self.queue.push_front(Payload {
                alone: true,
                body,
                spans,
                ..payload.clone()
            });
        }
    }
}
