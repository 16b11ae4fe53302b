//! What becomes of each thing that waits for a project: sent until Sentry has it, or given up with a word.

use crate::delivery::grouping::Grouping;
use crate::delivery::intake::Intake;
use crate::delivery::logs::{Question, Takes};
use crate::delivery::mode::Mode;
use crate::delivery::payload::{KINDS, Kind, Payload, TOGETHER_LOG_ITEMS};
use crate::delivery::project::{Project, State};
use crate::delivery::regroup::Regroup;
use crate::delivery::reporting::Reporting;
use crate::delivery::sender::{Outcome, hand_in};
use crate::delivery::spans::halves;
use crate::logs::items;
use crate::receive::request::Request;
use crate::rejection::{Reason, What};
use crate::seen::Seen;
use crate::signal::Signal;
use crate::transactions::group::Arrived;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until};

/// It is looked no more often whether traces are complete. What was due in between leaves at once, and what is received
/// meanwhile waits behind it.
const SHORTEST: Duration = Duration::from_millis(20);

/// And no less often: what comes may be due before what was there.
const LONGEST: Duration = Duration::from_millis(200);

/// What waits for a key that is refused, or for a project that is not there, is given up after so long.
const GIVEN_UP: Duration = Duration::from_secs(60 * 60);

/// Where a payload is handed in.
enum Place {
    Here(Arc<Intake>, Mode),
    There(Arc<Project>),
    /// It has waited for too long for a key that Sentry takes, or for the project.
    Nowhere(Reason, &'static str),
    /// In another form.
    Otherwise,
    /// The server takes none of its kind.
    Untaken,
}

impl Project {
    /// Sends what comes, until it is dropped.
    pub async fn run(self: Arc<Self>) {
        // Only what has something to do is looked at.
        let lines = KINDS.map(|kind| self.line(kind).boxed());
        let mut parts = FuturesUnordered::from_iter(lines);
        parts.extend([self.keep().boxed(), self.tick().boxed()]);
        while parts.next().await.is_some() {}
    }

    /// Sends traces when they are complete, and errors with them.
    async fn tick(&self) {
        loop {
            let first = [self.grouping.first_due(), self.reporting.first_due()];
            let first = first.into_iter().flatten().min();
            let wait = first.map_or(LONGEST, |first| first - Instant::now());
            sleep(wait.clamp(SHORTEST, LONGEST)).await;
            while self.send_from(Grouping::due) {
                // Others have their turn.
                yield_now().await;
            }
            self.send_errors_from(Reporting::due);
        }
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
                    return self.lost(payload, Reason::Expired, "Sentry limits it");
                }
                sleep_until(until).await;
                continue;
            }
            let intake = match self.place(&payload).await {
                Place::Here(intake, _) => intake,
                Place::Otherwise if kind == Kind::Logs => return self.itemise(payload),
                Place::Otherwise => return self.regroup(payload),
                Place::Untaken => {
                    return self.lost(payload, Reason::NotTaken, "the server takes no logs");
                }
                Place::There(default) => {
                    let _moving = self.shared.moving.lock();
                    self.leave(payload.items());
                    return default.push(payload);
                }
                Place::Nowhere(reason, why) => return self.lost(payload, reason, why),
            };
            if self.is_over(&payload, Instant::now()) {
                return self.lost(payload, Reason::Expired, "Sentry cannot be reached");
            }
            // Closed only when the program ends.
            let permit = self.shared.permits.acquire().await;
            let sending = self.shared.begin().await;
            let outcome = self.try_once(&intake, &payload).await;
            drop(permit);
            let why = match outcome {
                Outcome::Delivered => return self.delivered(payload),
                Outcome::TooLarge => return self.too_large(payload),
                Outcome::Refused(why) => return self.lost(payload, Reason::Refused, &why),
                // What the limits say is waited for.
                Outcome::Limited => {
                    self.shared.figures.retried(kind, 1);
                    continue;
                }
                Outcome::Unauthorized(why) => {
                    self.refused(&why);
                    self.ask_again.notify_one();
                    if payload.since.elapsed() > GIVEN_UP {
                        return self.lost(payload, Reason::Refused, &why);
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
            drop(sending);
            failures += 1;
            if !self.shared.retry.enabled {
                return self.lost(payload, Reason::Expired, &why);
            }
            let wait = self.shared.retry.wait(failures, fastrand::f64());
            let (exporter, project) = (&self.shared.name, &self.label);
            log::warn!(exporter, project, kind = kind.name(); "sending failed and is tried again in {:.1} s: {why}", wait.as_secs_f64());
            self.shared.figures.retried(kind, 1);
            sleep(wait).await;
        }
    }

    /// Spans that were taken before it was known that the server wants transactions.
    fn regroup(&self, payload: Payload) {
        let mut all = Vec::new();
        let group = |seen: &Seen<'_>| match Arrived::of(seen, self.origin(seen.resource)) {
            Ok(arrived) => all.push(arrived),
            Err(broken) => self.unwritten(&broken),
        };
        let mut regroup = Regroup::new(group);
        Request::written(Signal::Traces, payload.body.clone()).visit(&mut regroup);
        let (seen, too_old) = (regroup.seen, regroup.too_old);
        self.group(all, &payload.receipts);
        if too_old > 0 {
            self.too_old(too_old);
        }
        self.broken(&payload, seen);
        self.ended(payload);
    }

    /// Log records that go out in envelopes.
    fn itemise(&self, payload: Payload) {
        let bounds = items::Bounds {
            items: TOGETHER_LOG_ITEMS.items,
            bytes: TOGETHER_LOG_ITEMS.bytes,
        };
        let _moving = self.shared.moving.lock();
        let items = items::items(payload.body.clone(), bounds);
        self.broken(&payload, items.iter().map(|(_, count)| count).sum());
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
        loop {
            let known = states.borrow_and_update().clone();
            let (reason, why, end) = match known {
                State::Ready(intake, mode) => return Place::Here(intake, mode),
                State::Elsewhere(default) => return Place::There(default),
                State::Refused => {
                    let end = payload.since.checked_add(GIVEN_UP);
                    (Reason::Refused, "the key is refused", end)
                }
                State::NotThere(absence) => {
                    let age = self.shared.retry.most_elapsed.unwrap_or(GIVEN_UP);
                    let end = absence.end(payload.since, age);
                    let (reason, why) = (Reason::NoProject, "there is no such project");
                    if end.is_some_and(|end| absence.looked >= end) {
                        return Place::Nowhere(reason, why);
                    }
                    (reason, why, end)
                }
                // Not known is no refusal: it goes on waiting.
                State::Starting => (Reason::Refused, "the program ends", None),
            };
            let changed = tokio::select! {
                changed = states.changed() => changed,
                () = sleep_until(end.unwrap_or(payload.since)), if end.is_some() => {
                    if reason != Reason::NoProject {
                        return Place::Nowhere(reason, why);
                    }
                    // It may have been created since it was looked for.
                    self.ask_again.notify_one();
                    states.changed().await
                }
            };
            if changed.is_err() {
                return Place::Nowhere(reason, why);
            }
        }
    }

    /// Whether a payload is given up before `at`.
    fn is_over(&self, payload: &Payload, at: Instant) -> bool {
        let most = self.shared.retry.most_elapsed;
        most.is_some_and(|most| at.duration_since(payload.since) > most)
    }

    fn delivered(&self, payload: Payload) {
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

    fn lost(&self, payload: Payload, reason: Reason, why: &str) {
        let (exporter, project, items) = (&self.shared.name, &self.label, payload.items());
        log::error!(exporter, project, kind = payload.kind.name(), items, reason = reason.name(); "lost: {why}");
        let what = payload.kind.what();
        self.shared.figures.rejected(what, reason, items);
        self.ended(payload);
    }

    /// What came with it leaves the disk, and memory, before it is said to have come to an end.
    fn ended(&self, payload: Payload) {
        let items = payload.items();
        drop(payload);
        self.leave(items);
    }

    fn leave(&self, items: u64) {
        self.pending.fetch_sub(items, Ordering::Relaxed);
    }

    /// Two halves take the place of what is too large.
    fn too_large(&self, payload: Payload) {
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
