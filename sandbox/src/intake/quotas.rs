//! Quotas: what is not taken for a while, and how the client is told.

use crate::intake::answer::Refusal;
use axum::http::{HeaderName, StatusCode, header};
use parking_lot::Mutex;
use std::collections::BTreeSet;

pub(crate) const RATE_LIMITS: HeaderName = HeaderName::from_static("x-sentry-rate-limits");

/// For whom a quota counts, as the header says it. The sandbox applies it to [`Quota::project`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Organization,
    Project,
    Key,
}

impl Scope {
    fn name(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Project => "project",
            Self::Key => "key",
        }
    }
}

/// When the client hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// With 429, at the first request.
    AtOnce,
    /// The first request is answered 200 and what it brings is dropped: the server learns of the quota behind that
    /// answer. Then 429. So does Relay.
    Late,
    /// In the header of a 200: everything is taken, nothing should follow.
    InPassing,
}

/// Categories that are not taken.
///
/// Those that end with `_indexed` are never told: 200 without a header, and nothing is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Such as `error`, `transaction`, `span`, `log_item`; empty: all.
    pub categories: Vec<String>,
    pub scope: Scope,
    pub reason: String,
    /// What `Retry-After` and the header name. The quota itself ends by [`Self::requests`], not by time.
    pub seconds: u64,
    /// So many requests that bring something of it; `usize::MAX`: until it is lifted.
    pub requests: usize,
    /// `None`: all projects.
    pub project: Option<u64>,
    pub told: Told,
}

impl Quota {
    /// Told at once with 60 seconds, for the organization, until it is lifted.
    pub fn on(categories: &[&str]) -> Self {
        Self {
            categories: categories.iter().map(|&name| name.to_owned()).collect(),
            scope: Scope::Organization,
            reason: "over_quota".to_owned(),
            seconds: 60,
            requests: usize::MAX,
            project: None,
            told: Told::AtOnce,
        }
    }

    fn touches(&self, categories: &BTreeSet<&str>) -> bool {
        self.categories.is_empty()
            || (self.categories.iter()).any(|name| categories.contains(name.as_str()))
    }

    fn is_silent(&self) -> bool {
        !self.categories.is_empty()
            && self
                .categories
                .iter()
                .all(|name| name.ends_with("_indexed"))
    }

    fn header(&self) -> String {
        let (seconds, scope) = (self.seconds, self.scope.name());
        format!(
            "{seconds}:{}:{scope}:{}",
            self.categories.join(";"),
            self.reason
        )
    }
}

/// The quotas of a running server.
#[derive(Debug, Default)]
pub struct Quotas(Mutex<Vec<Active>>);

#[derive(Debug)]
struct Active {
    quota: Quota,
    met: bool,
}

/// What the quotas make of a request.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Whose categories are not taken, each with its reason; an empty list of categories: all.
    pub dropped: Vec<(Vec<String>, String)>,
    /// What the client is told.
    pub limits: Option<String>,
    /// The longest of the limits, if the client is refused.
    pub retry_after: Option<u64>,
}

impl Quotas {
    pub fn add(&self, quota: Quota) {
        self.0.lock().push(Active { quota, met: false });
    }

    /// Forgets all of them.
    pub fn lift(&self) {
        self.0.lock().clear();
    }

    /// What stands in the way of these categories, counted as one request.
    pub(crate) fn judge(&self, project: u64, categories: &BTreeSet<&str>) -> Verdict {
        let mut verdict = Verdict::default();
        let mut told = Vec::new();
        for Active { quota, met } in self.0.lock().iter_mut() {
            let other = quota.project.is_some_and(|id| id != project);
            if other || quota.requests == 0 || !quota.touches(categories) {
                continue;
            }
            if quota.requests != usize::MAX {
                quota.requests -= 1;
            }
            let first = !std::mem::replace(met, true);
            if quota.told != Told::InPassing {
                let dropped = (quota.categories.clone(), quota.reason.clone());
                verdict.dropped.push(dropped);
            }
            if quota.is_silent() || (quota.told == Told::Late && first) {
                continue;
            }
            told.push(quota.header());
            if quota.told != Told::InPassing {
                verdict.retry_after = verdict.retry_after.max(Some(quota.seconds));
            }
        }
        verdict.limits = (!told.is_empty()).then(|| told.join(", "));
        verdict
    }
}

impl Verdict {
    /// The reason why a category is not taken.
    pub fn stops(&self, category: &str) -> Option<&str> {
        let mut dropped = self.dropped.iter();
        dropped
            .find(|(names, _)| names.is_empty() || names.iter().any(|name| name == category))
            .map(|(_, reason)| reason.as_str())
    }

    /// 429, if the client is refused; what was not limited is taken nevertheless.
    pub fn refusal(&self) -> Option<Refusal> {
        let seconds = self.retry_after?;
        let refusal = Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "dropped data because a quota or a rate limit is reached",
        );
        let limits = self.limits.clone().unwrap_or_default();
        Some(
            refusal
                .with(header::RETRY_AFTER, seconds.to_string())
                .with(RATE_LIMITS, limits),
        )
    }
}
