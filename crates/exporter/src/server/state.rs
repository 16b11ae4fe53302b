//! What is kept of each organization between refreshes.

use crate::collector::Collector;
use crate::families::Families;
use crate::figures::{
    COLLECTOR_DURATION, COLLECTOR_SUCCESS, PROJECTS_LEFT_OUT, REFRESH_DURATION, UP,
};
use crate::report::{self, Organization};
use crate::visit::Visit;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tap_sentry_api::traffic::Answers;
use tokio::time::Instant;

/// One organization: what its collectors have brought, and how its refreshes went.
#[derive(Debug, Clone, Default)]
pub struct OrganizationState {
    pub collectors: BTreeMap<Collector, CollectorState>,
    /// Why its projects could not be read in the latest refresh.
    pub problem: Option<String>,
    /// Projects that the latest refresh left out, and why.
    pub left_out: BTreeMap<String, String>,
    /// How many are closed to the token, as far as is known.
    closed: usize,
    /// How long its latest refresh took.
    pub took: Option<Duration>,
    /// When the latest refresh began that could read its projects.
    pub read: Option<Instant>,
}

/// One collector of an organization.
#[derive(Debug, Clone)]
pub struct CollectorState {
    /// The latest values, and when they were asked for.
    pub values: Option<(Instant, Arc<Families>)>,
    /// Why the latest attempt failed, if it did.
    pub problem: Option<String>,
    pub took: Duration,
}

impl OrganizationState {
    pub fn is_complete(&self) -> bool {
        let mut collectors = self.collectors.values();
        self.problem.is_none() && collectors.all(|state| state.problem.is_none())
    }

    fn is_up(&self) -> bool {
        self.read.is_some() && self.problem.is_none()
    }

    /// How the latest attempts went. One whose values are older than `max_age`, and shown no more, is no success.
    pub fn attempts(&self, slug: &str, max_age: Duration, own: &mut Families) {
        own.set(&UP, &[slug], self.is_up());
        if let Some(took) = self.took {
            own.set(&REFRESH_DURATION, &[slug], took.as_secs_f64());
        }
        if self.read.is_some() {
            let left_out = self.left_out.len() + self.closed;
            own.set(&PROJECTS_LEFT_OUT, &[slug], left_out as u64);
        }
        for (collector, state) in &self.collectors {
            let labels = [slug, collector.name()];
            let has_values = state.asked_within(max_age);
            own.set(
                &COLLECTOR_SUCCESS,
                &labels,
                state.problem.is_none() && has_values,
            );
            own.set(&COLLECTOR_DURATION, &labels, state.took.as_secs_f64());
        }
    }

    pub fn report(&self, slug: &str, answers: Answers, max_age: Duration) -> Organization {
        let collectors = self.collectors.iter().map(|(collector, state)| {
            let age = state.values.as_ref().map(|(asked, _)| asked.elapsed());
            report::Collector {
                name: collector.name(),
                problem: state.problem.clone(),
                age: age.filter(|age| *age <= max_age),
                took: state.took,
            }
        });
        Organization {
            slug: slug.to_owned(),
            problem: self.problem.clone(),
            collectors: collectors.collect(),
            left_out: self.left_out.clone(),
            answers,
        }
    }

    /// Its projects have been read: collectors may take long after that.
    pub fn has_read(&mut self, began: Instant, visit: &Visit<'_>) {
        self.read = Some(began);
        self.problem = None;
        self.closed = visit.projects.len() - visit.readable().count();
    }

    /// They cannot be read. What was left out stays out of the values that are shown.
    pub fn has_failed(&mut self, began: Instant, problem: String) {
        self.problem = Some(problem);
        self.took = Some(began.elapsed());
    }

    /// A refresh has ended whose projects could be read.
    pub fn has_ended(&mut self, began: Instant, left_out: BTreeMap<String, String>) {
        self.left_out = left_out;
        self.took = Some(began.elapsed());
    }

    /// Keeps new values of a collector; without, the old ones stay.
    pub fn keep(&mut self, collector: Collector, began: Instant, values: Result<Families, String>) {
        let before = self.collectors.remove(&collector);
        let (values, problem) = match values {
            Ok(values) => (Some((began, Arc::new(values))), None),
            Err(problem) => (before.and_then(|before| before.values), Some(problem)),
        };
        let state = CollectorState {
            values,
            problem,
            took: began.elapsed(),
        };
        self.collectors.insert(collector, state);
    }
}

impl CollectorState {
    pub fn asked_within(&self, max_age: Duration) -> bool {
        let asked = self.values.as_ref().map(|(asked, _)| asked.elapsed());
        asked.is_some_and(|age| age <= max_age)
    }
}
