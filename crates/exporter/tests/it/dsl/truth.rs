//! What the sandbox's data says, counted without the exporter's help.

use crate::dsl::exposition::{Labels, labels};
use chrono::{DateTime, Datelike, NaiveTime, TimeDelta, Utc};
use sentry_sandbox::ORGANIZATION;
use sentry_sandbox::world::{Issue, ProjectStatus, Seconds, Status, World};
use std::collections::{BTreeMap, BTreeSet};

/// What the sandbox's data says.
pub struct Truth<'a>(pub &'a World);

impl Truth<'_> {
    fn slugs(&self) -> BTreeMap<u64, &str> {
        let projects = self.0.projects.iter();
        let active = projects.filter(|project| project.status == ProjectStatus::Active);
        active.map(|one| (one.id, one.slug.as_str())).collect()
    }

    /// Events since the first of the month, without those that are zero.
    pub fn events(&self, now: DateTime<Utc>) -> BTreeMap<Labels, f64> {
        let slugs = self.slugs();
        let first = now.date_naive().with_day(1).expect("a first");
        let window = Seconds::new(
            first.and_time(NaiveTime::MIN).and_utc(),
            now + TimeDelta::seconds(1),
        );
        let ids: BTreeSet<u64> = slugs.keys().copied().collect();
        let mut sums = BTreeMap::new();
        for one in self.0.outcomes_in(window, &ids) {
            let key = labels(&[
                ("organization", ORGANIZATION),
                ("project", slugs[&one.project]),
                ("category", one.category()),
                ("outcome", &one.outcome),
                ("reason", one.reason.as_deref().unwrap_or_default()),
            ]);
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let quantity = one.quantity as f64;
            *sums.entry(key).or_insert(0.0) += quantity;
        }
        sums.retain(|_, sum| *sum > 0.0);
        sums
    }

    /// Unresolved issues by project and level for which something holds.
    pub fn issues(&self, holds: impl Fn(&Issue, DateTime<Utc>) -> bool) -> BTreeMap<Labels, f64> {
        let slugs = self.slugs();
        let kept = self.0.retained(Seconds::ALL);
        let mut counts = BTreeMap::new();
        for issue in self.0.issues.values() {
            let first = issue.seen(Seconds::ALL, &[]).map(|seen| seen.first);
            let first = first.and_then(|second| DateTime::from_timestamp(second, 0));
            if issue.status == Status::Unresolved
                && !issue.kind.hidden
                && issue.seen(kept, &[]).is_some()
                && holds(issue, first.expect("it has an event"))
                && let Some(slug) = slugs.get(&issue.project)
            {
                let key = labels(&[
                    ("organization", ORGANIZATION),
                    ("project", slug),
                    ("level", &issue.level),
                ]);
                *counts.entry(key).or_insert(0.0) += 1.0;
            }
        }
        counts
    }
}
