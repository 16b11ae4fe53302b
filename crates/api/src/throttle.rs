//! The rate budget of each endpoint class, learned from the answers.
//!
//! Sentry counts requests per caller and endpoint class in fixed windows, beside a limit on requests in flight, and
//! says both in `X-Sentry-Rate-Limit-*` headers. [`Budget`] is the pure arithmetic of one class; [`Throttle`] makes
//! requests wait for it. Classes wait apart from each other, so a slow one never idles the others.

use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::endpoint::Class;

/// What one answer says about its class. `None` where a header is absent or the text `None`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct RateHeaders {
    /// Requests a window.
    pub limit: Option<u32>,
    /// Requests left in the current window.
    pub remaining: Option<u32>,
    /// Time until the current window ends.
    pub reset_in: Option<Duration>,
    /// Requests in flight.
    pub concurrent_limit: Option<u32>,
}

impl RateHeaders {
    pub fn absent(&self) -> bool {
        *self == Self::default()
    }
}

/// How much of the stated rate is asked for: the rest absorbs the network's jitter, which may push a request that
/// was sent in one of the server's windows into the next.
const SHARE: f64 = 0.96;

/// The state of one class: a pure function of the answers seen and the instants given.
#[derive(Debug)]
pub struct Budget {
    limit: Option<u32>,
    window: Duration,
    concurrent: u32,
    in_flight: u32,
    /// When the next request may go, so that the allowance is spread over its window.
    next: Option<Instant>,
    /// No request before this: the allowance of the current window is used up.
    closed_until: Option<Instant>,
    /// Whether the answers of the class state limits; `None` before the first.
    is_limited: Option<bool>,
}

impl Budget {
    pub fn new(class: Class) -> Self {
        let (limit, window, concurrent) = class.documented();
        Self {
            limit: Some(limit),
            window,
            concurrent,
            in_flight: 0,
            next: None,
            closed_until: None,
            is_limited: None,
        }
    }

    /// A user's cap of `rate` requests a second, in no window of a server.
    pub fn cap(rate: f64) -> Self {
        Self {
            limit: Some(1),
            window: Duration::from_secs_f64(SHARE / rate),
            concurrent: u32::MAX,
            in_flight: 0,
            next: None,
            closed_until: None,
            is_limited: None,
        }
    }

    /// Requests a second, where limited, and requests in flight.
    pub fn rate(&self) -> (Option<f64>, u32) {
        (
            self.limit
                .map(|limit| f64::from(limit) * SHARE / self.window.as_secs_f64()),
            self.concurrent,
        )
    }

    /// `None`: a request may go now. `Some(instant)`: not before it. Requests that wait for others to end are told
    /// a far instant and woken by [`Budget::ended`].
    pub fn wait_until(&self, now: Instant) -> Option<Instant> {
        if self.in_flight >= self.concurrent {
            return Some(now + Duration::from_secs(3600));
        }
        let next = self.limit.and(self.next);
        [self.closed_until, next]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .max()
    }

    /// For how long no request may go, since the server has said so.
    pub fn closed_for(&self, now: Instant) -> Option<Duration> {
        let until = self.closed_until?;
        until.checked_duration_since(now)
    }

    /// A request goes now.
    pub fn begun(&mut self, now: Instant) {
        self.in_flight += 1;
        let Some(limit) = self.limit else { return };
        let interval = self.window.div_f64(f64::from(limit.max(1)) * SHARE);
        // A late wake-up may be caught up by one interval, never by more: no bursts.
        let due = self.next.map_or(now, |next| {
            next.max(now.checked_sub(interval).unwrap_or(now))
        });
        self.next = Some(due + interval);
    }

    /// A request has ended, with these headers.
    pub fn ended(&mut self, now: Instant, headers: Option<RateHeaders>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let Some(headers) = headers else { return };
        self.is_limited = Some(!headers.absent());
        if headers.absent() {
            // A self-hosted Sentry limits nothing and says nothing.
            self.limit = None;
            self.concurrent = u32::MAX;
            self.closed_until = None;
            return;
        }
        if let Some(limit) = headers.limit.filter(|limit| *limit > 0) {
            if self.limit != Some(limit) {
                self.next = None;
            }
            self.limit = Some(limit);
        }
        if let Some(concurrent) = headers.concurrent_limit.filter(|limit| *limit > 0) {
            self.concurrent = concurrent;
        }
        if let Some(reset_in) = headers.reset_in {
            // Only the documented windows are known; a reset further away than that shows a longer one.
            if reset_in > self.window + Duration::from_secs(1) {
                self.window = reset_in.min(Duration::from_secs(3600));
            }
            if headers.remaining == Some(0) {
                self.closed_until = self.closed_until.max(Some(now + reset_in));
            }
        }
    }

    /// The class refused a request: none other goes before `until`.
    pub fn refused(&mut self, until: Instant) {
        self.closed_until = self.closed_until.max(Some(until));
    }
}

#[derive(Debug)]
struct Gate {
    budget: Mutex<Budget>,
    /// One request of the class at a time looks at the budget, in the order in which they came.
    turn: tokio::sync::Mutex<()>,
    changed: Notify,
}

impl Gate {
    fn new(budget: Budget) -> Self {
        Self {
            budget: Mutex::new(budget),
            turn: tokio::sync::Mutex::new(()),
            changed: Notify::new(),
        }
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock()
    }

    /// Returns once a request could go; the time waited is returned.
    ///
    /// # Errors
    /// When the class is closed for longer than `longest`.
    async fn open(&self, longest: Option<Duration>) -> Result<Duration, Closed> {
        let started = Instant::now();
        loop {
            let changed = self.changed.notified();
            let now = Instant::now();
            let (until, closed_for) = {
                let budget = self.budget();
                (budget.wait_until(now), budget.closed_for(now))
            };
            let Some(until) = until else {
                return Ok(started.elapsed());
            };
            if let Some(closed_for) = closed_for
                && longest.is_some_and(|longest| closed_for > longest)
            {
                return Err(Closed(closed_for));
            }
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                () = changed => {}
            }
        }
    }
}

/// No request of the class may go for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed(pub Duration);

/// Lets requests through as their class, the user's cap and the number in flight allow.
#[derive(Debug)]
pub struct Throttle {
    gates: Vec<(Class, Arc<Gate>)>,
    cap: Option<Gate>,
    in_flight: Arc<Semaphore>,
    concurrency: usize,
}

/// The right to have one request in flight; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    gate: Arc<Gate>,
    headers: Option<RateHeaders>,
    /// How long the request waited for its class or the user's cap.
    pub waited: Duration,
    _in_flight: OwnedSemaphorePermit,
}

impl Permit {
    /// What the answer said of its class; without it the budget learns nothing from this request.
    pub fn learn(&mut self, headers: RateHeaders) {
        self.headers = Some(headers);
    }

    /// The class refused the request and is closed for `wait`.
    pub fn refused(&self, wait: Duration) {
        self.gate.budget().refused(Instant::now() + wait);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.budget().ended(Instant::now(), self.headers);
        self.gate.changed.notify_waiters();
    }
}

impl Throttle {
    /// At most `concurrency` requests in flight, and at most `rate_limit` a second where given.
    pub fn new(concurrency: usize, rate_limit: Option<f64>) -> Self {
        Self {
            gates: Class::ALL
                .iter()
                .map(|class| (*class, Arc::new(Gate::new(Budget::new(*class)))))
                .collect(),
            cap: rate_limit.map(|rate| Gate::new(Budget::cap(rate))),
            in_flight: Arc::new(Semaphore::new(concurrency)),
            concurrency,
        }
    }

    /// About how long so many requests of a class take, each of them `latency`. Seconds. A class that has not answered yet
    /// is taken for unlimited where those that have state no limits; its first request still goes as documented.
    pub fn estimate(&self, class: Class, requests: u64, latency: Duration) -> f64 {
        let is_limited = self.gate(class).budget().is_limited;
        let (rate, concurrent) = if is_limited.is_none() && self.is_unlimited() {
            (None, u32::MAX)
        } else {
            self.gate(class).budget().rate()
        };
        let at_once = usize::try_from(concurrent)
            .unwrap_or(usize::MAX)
            .min(self.concurrency)
            .max(1);
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let (requests, at_once) = (requests as f64, at_once as f64);
        (requests * latency.as_secs_f64() / at_once).max(rate.map_or(0.0, |rate| requests / rate))
    }

    /// Whether classes have answered, and none of them with limits.
    fn is_unlimited(&self) -> bool {
        let gates = self.gates.iter();
        let heard = gates.filter_map(|(_, gate)| gate.budget().is_limited);
        heard.max() == Some(false)
    }

    fn gate(&self, class: Class) -> &Arc<Gate> {
        self.gates
            .iter()
            .find(|(c, _)| *c == class)
            .map(|(_, gate)| gate)
            .expect("a gate for each class")
    }

    /// `memory` is for what the answer will hold. It is taken when the class lets the request go and no earlier: what
    /// waits for a slow class must take none from the others.
    ///
    /// # Errors
    /// When the class is closed for longer than `longest`, where given.
    pub async fn permit<R, F: Future<Output = R>>(
        &self,
        class: Class,
        longest: Option<Duration>,
        memory: impl Fn() -> F,
    ) -> Result<(Permit, R), Closed> {
        let gate = Arc::clone(self.gate(class));
        let _turn = gate.turn.lock().await;
        let mut waited = Duration::ZERO;
        loop {
            waited += gate.open(longest).await?;
            let memory = memory().await;
            // The cap's turn is taken last and only briefly, so that no class waits for another's window in it.
            let cap_turn = match &self.cap {
                Some(cap) => Some(cap.turn.lock().await),
                None => None,
            };
            let in_flight = Arc::clone(&self.in_flight)
                .acquire_owned()
                .await
                .expect("the semaphore is never closed");
            if let Some(cap) = &self.cap {
                waited += cap.open(None).await?;
            }
            let now = Instant::now();
            let mut budget = gate.budget();
            if budget.wait_until(now).is_some() {
                continue;
            }
            budget.begun(now);
            if let Some(cap) = &self.cap {
                let mut cap = cap.budget();
                cap.begun(now);
                cap.ended(now, None);
            }
            drop((budget, cap_turn));
            let permit = Permit {
                gate: Arc::clone(&gate),
                headers: None,
                waited,
                _in_flight: in_flight,
            };
            return Ok((permit, memory));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const SECOND: Duration = Duration::from_secs(1);

    fn headers(limit: u32, remaining: u32, reset_in: Duration) -> RateHeaders {
        RateHeaders {
            limit: Some(limit),
            remaining: Some(remaining),
            reset_in: Some(reset_in),
            concurrent_limit: Some(25),
        }
    }

    /// Begins requests as soon as the budget lets it, each answered at once; when they went, from the start.
    fn drive(budget: &mut Budget, start: Instant, length: Duration) -> Vec<Duration> {
        let (mut now, mut begun) = (start, Vec::new());
        while now - start < length {
            if let Some(at) = budget.wait_until(now) {
                assert!(at > now, "to wait for the past would spin");
                now = at;
            } else {
                budget.begun(now);
                budget.ended(now, None);
                begun.push(now - start);
            }
        }
        begun
    }

    fn most_in_any(window: Duration, begun: &[Duration]) -> usize {
        begun
            .iter()
            .enumerate()
            .map(|(i, from)| {
                begun[i..]
                    .iter()
                    .take_while(|at| **at < *from + window)
                    .count()
            })
            .max()
            .unwrap_or(0)
    }

    #[rstest]
    #[case::shared(Class::Default)]
    #[case::slow(Class::IssueDetail)]
    #[case::by_the_minute(Class::ProjectEvents)]
    fn the_allowance_is_spread_and_never_exceeded(#[case] class: Class) {
        let (limit, window, _) = class.documented();
        let begun = drive(&mut Budget::new(class), Instant::now(), window * 10);
        let most = most_in_any(window, &begun);
        assert!(most <= limit as usize, "{most} in a window of {limit}");
        assert!(
            u32::try_from(begun.len()).map_or(f64::MAX, f64::from)
                >= f64::from(limit) * SHARE * 10.0 - 1.0,
            "only {} went",
            begun.len()
        );
        let least = begun
            .windows(2)
            .map(|two| two[1].saturating_sub(two[0]))
            .min()
            .expect("several");
        assert!(
            least + Duration::from_micros(1) >= window.div_f64(f64::from(limit)),
            "a burst: {least:?}"
        );
    }

    #[test]
    fn a_class_that_is_not_known_yet_is_estimated_by_the_others() {
        let throttle = Throttle::new(16, None);
        let estimate = || throttle.estimate(Class::ProjectEvents, 20, Duration::ZERO);
        assert!(estimate() > 19.0, "as documented: one a second");
        let answer = |class, headers| {
            let mut budget = throttle.gate(class).budget();
            budget.ended(Instant::now(), Some(headers));
        };
        answer(Class::Default, RateHeaders::default());
        assert!(estimate() < 1.0, "this server limits nothing");
        let limited = RateHeaders {
            limit: Some(5),
            ..RateHeaders::default()
        };
        answer(Class::IssueDetail, limited);
        assert!(estimate() > 19.0, "one class is limited");
    }

    #[test]
    fn what_was_not_used_is_lost_but_for_one_request() {
        let (mut budget, start) = (Budget::new(Class::Default), Instant::now());
        drive(&mut budget, start, SECOND);
        let later = start + 60 * SECOND;
        let at_once = (0..10)
            .take_while(|_| {
                budget
                    .wait_until(later)
                    .is_none()
                    .then(|| budget.begun(later))
                    .is_some()
            })
            .count();
        assert_eq!(at_once, 2);
    }

    #[test]
    fn a_window_that_is_used_up_is_closed_until_its_reset() {
        let (mut budget, now) = (Budget::new(Class::Default), Instant::now());
        let wait = Duration::from_millis(700);
        budget.begun(now);
        budget.begun(now);
        budget.ended(now, Some(headers(40, 0, wait)));
        assert_eq!(budget.wait_until(now), Some(now + wait));
        // An answer that was overtaken says more is left; the newer one counts.
        budget.ended(now, Some(headers(40, 3, wait)));
        assert_eq!(budget.wait_until(now), Some(now + wait));
        assert_eq!(budget.wait_until(now + wait), None);
    }

    #[test]
    fn a_refusal_closes_and_a_shorter_one_does_not_open() {
        let (mut budget, now) = (Budget::new(Class::Default), Instant::now());
        budget.refused(now + 9 * SECOND);
        budget.refused(now + SECOND);
        assert_eq!(budget.wait_until(now), Some(now + 9 * SECOND));
    }

    #[test]
    fn limits_are_learned_from_answers() {
        let (mut budget, now) = (Budget::new(Class::Default), Instant::now());
        budget.begun(now);
        budget.ended(now, Some(headers(10, 9, SECOND)));
        let begun = drive(&mut budget, now, 10 * SECOND);
        assert!((95..=98).contains(&begun.len()), "{}", begun.len());
        assert!(
            most_in_any(SECOND, &begun) <= 11,
            "one more where the limit was learned"
        );
    }

    #[test]
    fn a_reset_far_away_shows_a_longer_window() {
        let (mut budget, now) = (Budget::new(Class::Default), Instant::now());
        budget.begun(now);
        budget.ended(now, Some(headers(60, 59, 60 * SECOND)));
        let begun = drive(&mut budget, now, 600 * SECOND);
        assert!(
            most_in_any(60 * SECOND, &begun) <= 60,
            "{}",
            most_in_any(60 * SECOND, &begun)
        );
    }

    #[test]
    fn without_headers_there_is_no_limit() {
        let (mut budget, now) = (Budget::new(Class::ProjectEvents), Instant::now());
        budget.begun(now);
        budget.ended(now, Some(RateHeaders::default()));
        for _ in 0..1_000 {
            assert_eq!(budget.wait_until(now), None);
            budget.begun(now);
        }
        assert_eq!(budget.rate(), (None, u32::MAX));
    }

    #[test]
    fn no_answer_teaches_nothing() {
        let (mut budget, now) = (Budget::new(Class::Stats), Instant::now());
        let before = budget.rate();
        budget.begun(now);
        budget.ended(now, None);
        budget.begun(now);
        budget.ended(
            now,
            Some(RateHeaders {
                limit: Some(0),
                concurrent_limit: Some(0),
                ..RateHeaders::default()
            }),
        );
        assert_eq!(budget.rate(), before);
    }

    #[test]
    fn requests_in_flight_are_limited() {
        let (mut budget, now) = (Budget::new(Class::ProjectEvents), Instant::now());
        budget.begun(now);
        assert!(
            budget
                .wait_until(now + 60 * SECOND)
                .is_some_and(|at| at > now + 600 * SECOND)
        );
        budget.ended(now + 60 * SECOND, None);
        assert_eq!(budget.wait_until(now + 60 * SECOND), None);
    }

    #[test]
    fn a_cap_is_the_users_rate() {
        let begun = drive(&mut Budget::cap(2.0), Instant::now(), 10 * SECOND);
        assert!((20..=21).contains(&begun.len()), "{}", begun.len());
    }

    async fn permit(throttle: &Throttle, class: Class) -> Permit {
        throttle
            .permit(class, None, || async {})
            .await
            .expect("it waits")
            .0
    }

    /// Asks for so many permits at once and holds each for a while. Returns the most that were held together.
    async fn hold(throttle: &Arc<Throttle>, class: Class, count: usize, held: Duration) -> usize {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..count)
            .map(|_| {
                let (throttle, now, most) =
                    (Arc::clone(throttle), Arc::clone(&now), Arc::clone(&most));
                tokio::spawn(async move {
                    let _permit = permit(&throttle, class).await;
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::time::sleep(held).await;
                    now.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
        most.load(Ordering::SeqCst)
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_class_never_holds_up_another() {
        for cap in [None, Some(100.0)] {
            let throttle = Arc::new(Throttle::new(4, cap));
            let slow = Arc::clone(&throttle);
            let slow =
                tokio::spawn(
                    async move { hold(&slow, Class::ProjectEvents, 5, 20 * SECOND).await },
                );
            tokio::time::sleep(Duration::from_millis(100)).await;
            let started = Instant::now();
            hold(&throttle, Class::Default, 38, Duration::ZERO).await;
            assert!(
                started.elapsed() < SECOND + SECOND / 10,
                "{cap:?}: {:?}",
                started.elapsed()
            );
            assert!(!slow.is_finished());
            assert_eq!(slow.await.expect("no panic"), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_class_never_holds_up_another() {
        let throttle = Arc::new(Throttle::new(1, Some(1_000.0)));
        permit(&throttle, Class::Releases)
            .await
            .refused(600 * SECOND);
        let waiting = Arc::clone(&throttle);
        let waiting = tokio::spawn(async move { permit(&waiting, Class::Releases).await.waited });
        tokio::task::yield_now().await;
        let started = Instant::now();
        hold(&throttle, Class::Default, 10, Duration::ZERO).await;
        assert!(started.elapsed() < SECOND, "{:?}", started.elapsed());
        assert!(waiting.await.expect("no panic") >= 599 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_class_that_is_closed_for_longer_than_is_waited_fails_at_once() {
        let throttle = Arc::new(Throttle::new(2, None));
        let longest = Some(60 * SECOND);
        let first = permit(&throttle, Class::Releases).await;
        let waiting = Arc::clone(&throttle);
        let waiting = tokio::spawn(async move {
            waiting
                .permit(Class::Releases, longest, || async {})
                .await
                .err()
        });
        tokio::task::yield_now().await;
        first.refused(600 * SECOND);
        drop(first);
        // Who waits already, and who comes later.
        let Closed(rest) = waiting.await.expect("no panic").expect("it is closed");
        assert!(rest > 599 * SECOND, "{rest:?}");
        let later = throttle.permit(Class::Releases, longest, || async {}).await;
        assert!(later.is_err());
        // What is short is waited for.
        permit(&throttle, Class::Default).await.refused(30 * SECOND);
        let short = throttle.permit(Class::Default, longest, || async {}).await;
        let (short, ()) = short.expect("it waits");
        assert!(short.waited >= 30 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_in_flight_are_as_many_as_asked_for() {
        let throttle = Arc::new(Throttle::new(3, None));
        let started = Instant::now();
        assert_eq!(hold(&throttle, Class::Default, 20, SECOND).await, 3);
        assert!(
            (7 * SECOND..9 * SECOND).contains(&started.elapsed()),
            "{:?}",
            started.elapsed()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_learned_concurrency_holds_and_an_end_wakes_who_waits() {
        let throttle = Arc::new(Throttle::new(8, None));
        permit(&throttle, Class::Members).await.learn(RateHeaders {
            concurrent_limit: Some(2),
            ..headers(40, 39, SECOND)
        });
        let started = Instant::now();
        assert_eq!(hold(&throttle, Class::Members, 10, SECOND).await, 2);
        assert!(started.elapsed() < 7 * SECOND, "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn the_users_cap_is_over_all_classes() {
        let throttle = Arc::new(Throttle::new(8, Some(5.0)));
        let started = Instant::now();
        let other = Arc::clone(&throttle);
        let other =
            tokio::spawn(async move { hold(&other, Class::Stats, 10, Duration::ZERO).await });
        hold(&throttle, Class::Default, 10, Duration::ZERO).await;
        other.await.expect("no panic");
        assert!(
            (3_500..4_500).contains(&started.elapsed().as_millis()),
            "{:?}",
            started.elapsed()
        );
    }
}
