//! How often one may ask: fixed windows on the real clock, and a count of requests in flight.

use crate::problem::Problem;
use axum::http::StatusCode;
use parking_lot::Mutex;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Endpoints that share a budget. Everything without its own limits shares [`Class::Default`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    Default,
    ProjectEvents,
    EventDetail,
    IssueDetail,
    ProjectIssues,
    Releases,
    Members,
    StatsV2,
    ProjectStats,
    Keys,
    Explore,
}

/// A budget of one class for one caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub requests: u32,
    pub window: Duration,
    pub concurrent: u32,
}

impl Limit {
    pub const fn new(requests: u32, window: Duration, concurrent: u32) -> Self {
        Self {
            requests,
            window,
            concurrent,
        }
    }
}

/// All budgets; without any the server neither limits nor tells, as self-hosted Sentry.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// For user tokens and addresses, and for integrations.
    classes: BTreeMap<Class, (Limit, Limit)>,
}

impl Limits {
    pub fn none() -> Self {
        Self::default()
    }

    /// What Sentry's hosted service does.
    pub fn hosted() -> Self {
        const SECOND: Duration = Duration::from_secs(1);
        const MINUTE: Duration = Duration::from_secs(60);
        let events = Limit::new(60, MINUTE, 1);
        Self::none()
            .with(Class::Default, Limit::new(40, SECOND, 25))
            .with_integration(
                Class::ProjectEvents,
                events,
                Limit {
                    concurrent: 2,
                    ..events
                },
            )
            .with(Class::EventDetail, Limit::new(5, SECOND, 25))
            .with(Class::IssueDetail, Limit::new(5, SECOND, 25))
            .with(Class::ProjectIssues, Limit::new(5, SECOND, 25))
            .with(Class::Releases, Limit::new(40, SECOND, 25))
            .with(Class::Members, Limit::new(40, SECOND, 25))
            .with(Class::StatsV2, Limit::new(20, SECOND, 25))
            .with(Class::ProjectStats, Limit::new(5, SECOND, 25))
            .with(Class::Keys, Limit::new(40, SECOND, 25))
            .with(Class::Explore, Limit::new(30, SECOND, 15))
    }

    /// Sets the budget of a class for every kind of caller.
    #[must_use]
    pub fn with(self, class: Class, limit: Limit) -> Self {
        self.with_integration(class, limit, limit)
    }

    /// Sets the budget of a class, another one for integration tokens.
    #[must_use]
    pub fn with_integration(mut self, class: Class, user: Limit, integration: Limit) -> Self {
        self.classes.insert(class, (user, integration));
        self
    }

    pub fn get(&self, class: Class) -> Option<Limit> {
        self.classes.get(&class).map(|(user, _)| *user)
    }

    fn for_bucket(&self, class: Class, bucket: &str) -> Option<Limit> {
        let (user, integration) = self.classes.get(&class)?;
        Some(if bucket.starts_with("org:") {
            *integration
        } else {
            *user
        })
    }
}

#[derive(Debug, Default)]
struct Counts {
    /// (bucket, class) -> (number of the window, requests in it).
    windows: BTreeMap<(String, Class), (u128, u32)>,
    in_flight: BTreeMap<(String, Class), u32>,
    rejections: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Limiter {
    limits: Limits,
    counts: Arc<Mutex<Counts>>,
}

/// What the headers say. The concurrency is unknown when the window is exhausted: the check is skipped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub limit: Limit,
    pub remaining: u32,
    pub reset: u64,
    pub concurrent_remaining: Option<u32>,
}

impl Standing {
    pub fn headers(&self) -> [(&'static str, String); 5] {
        [
            ("x-sentry-rate-limit-limit", self.limit.requests.to_string()),
            ("x-sentry-rate-limit-remaining", self.remaining.to_string()),
            ("x-sentry-rate-limit-reset", self.reset.to_string()),
            (
                "x-sentry-rate-limit-concurrentlimit",
                self.limit.concurrent.to_string(),
            ),
            (
                "x-sentry-rate-limit-concurrentremaining",
                self.concurrent_remaining
                    .map_or("None".to_owned(), |count| count.to_string()),
            ),
        ]
    }
}

/// A request in flight; ends when dropped.
#[derive(Debug)]
pub(crate) struct Flight {
    counts: Arc<Mutex<Counts>>,
    key: (String, Class),
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(count) = self.counts.lock().in_flight.get_mut(&self.key) {
            *count -= 1;
        }
    }
}

pub(crate) enum Admission {
    Unlimited,
    Admitted(Flight, Standing),
    Rejected(Problem, Standing),
}

impl Limiter {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            counts: Arc::default(),
        }
    }

    pub fn rejections(&self) -> usize {
        self.counts.lock().rejections
    }

    pub fn admit(&self, class: Class, bucket: &str, now: SystemTime) -> Admission {
        let Some(limit) = self.limits.for_bucket(class, bucket) else {
            return Admission::Unlimited;
        };
        let key = (bucket.to_owned(), class);
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let length = limit.window.as_millis().max(1);
        let window = since.as_millis() / length;
        let reset = ((window + 1) * length).div_ceil(1_000);
        let mut counts = self.counts.lock();
        let (current, used) = counts.windows.entry(key.clone()).or_insert((window, 0));
        if *current != window {
            (*current, *used) = (window, 0);
        }
        *used += 1;
        let used = *used;
        let mut standing = Standing {
            limit,
            remaining: limit.requests.saturating_sub(used),
            reset: u64::try_from(reset).unwrap_or(u64::MAX),
            concurrent_remaining: None,
        };
        if used > limit.requests {
            counts.rejections += 1;
            let problem = too_many(&format!(
                "You are attempting to use this endpoint too frequently. Limit is {} requests in {} seconds",
                limit.requests,
                limit.window.as_secs().max(1)
            ));
            return Admission::Rejected(problem, standing);
        }
        let flying = counts.in_flight.entry(key.clone()).or_insert(0);
        if *flying >= limit.concurrent {
            standing.concurrent_remaining = Some(0);
            counts.rejections += 1;
            let problem = too_many(&format!(
                "You are attempting to go above the allowed concurrency for this endpoint. Concurrency limit is {}",
                limit.concurrent
            ));
            return Admission::Rejected(problem, standing);
        }
        *flying += 1;
        standing.concurrent_remaining = Some(limit.concurrent - *flying);
        drop(counts);
        let flight = Flight {
            counts: Arc::clone(&self.counts),
            key,
        };
        Admission::Admitted(flight, standing)
    }
}

/// JSON under a text type, and no `Retry-After`.
pub(crate) fn too_many(detail: &str) -> Problem {
    Problem::text(
        StatusCode::TOO_MANY_REQUESTS,
        crate::problem::HTML,
        json!({ "detail": detail }).to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(limiter: &Limiter, bucket: &str, second: u64) -> bool {
        let now = UNIX_EPOCH + Duration::from_secs(second);
        !matches!(
            limiter.admit(Class::IssueDetail, bucket, now),
            Admission::Rejected(..)
        )
    }

    #[test]
    fn a_window_is_fixed_and_aligned_and_its_callers_are_apart() {
        let limiter = Limiter::new(Limits::hosted());
        for _ in 0..5 {
            assert!(admitted(&limiter, "user:1", 100));
        }
        assert!(!admitted(&limiter, "user:1", 100));
        assert!(admitted(&limiter, "org:1", 100));
        assert!(admitted(&limiter, "user:1", 101));
        assert_eq!(limiter.rejections(), 1);
    }

    #[test]
    fn only_requests_in_flight_count_as_concurrent() {
        let limiter = Limiter::new(Limits::hosted());
        let now = UNIX_EPOCH + Duration::from_secs(60);
        let first = limiter.admit(Class::ProjectEvents, "user:1", now);
        let second = limiter.admit(Class::ProjectEvents, "user:1", now);
        assert!(matches!(second, Admission::Rejected(_, standing) if standing.remaining == 58));
        drop(first);
        let third = limiter.admit(Class::ProjectEvents, "user:1", now);
        assert!(matches!(third, Admission::Admitted(..)));
    }
}
