//! What is asked of a server in one refresh.

use super::state::OrganizationState;
use super::{Refresh, Server};
use crate::asked::Asked;
use crate::collector::Collector;
use crate::collectors::collect;
use crate::dialect::Dialect;
use crate::endpoints::ORGANIZATIONS;
use crate::visit::{Bounds, Visit, all};
use chrono::{DateTime, Utc};
use futures::future::join_all;
use std::collections::BTreeSet;
use std::time::Duration;
use tap_sentry_api::error::ApiError;
use tap_sentry_api::params::Params;
use tap_sentry_api::rows;
use tokio::time::{Instant, timeout_at};

const NO_ORGANIZATION: &str = "the token sees no organization: set `organization`, which the token of an internal integration needs";

/// How long a refresh may take: a part that takes longer has failed, so that it does not hold the others back.
#[derive(Debug, Clone, Copy)]
struct Limit {
    until: Instant,
    length: Duration,
}

impl Server {
    /// Asks for everything anew, each part for no longer than `limit`. What fails keeps its last values.
    pub async fn refresh(
        &self,
        collectors: &BTreeSet<Collector>,
        bounds: Bounds,
        asked: &Asked,
        limit: Duration,
        now: DateTime<Utc>,
    ) {
        let began = Instant::now();
        let limit = Limit {
            until: began + limit,
            length: limit,
        };
        let before = self.calls();
        let (is_complete, problem) = match limit.on(self.organizations()).await {
            Ok(organizations) => {
                self.states
                    .lock()
                    .retain(|slug, _| organizations.contains(slug));
                let visits = organizations
                    .iter()
                    .map(|slug| self.organization(slug, collectors, bounds, asked, limit, now));
                let all_read = join_all(visits).await.into_iter().all(|read| read);
                let none = organizations.is_empty().then(|| NO_ORGANIZATION.to_owned());
                (all_read && none.is_none(), none)
            }
            Err(error) => {
                let problem = format!("the organizations cannot be read: {error}");
                log::error!("{problem}");
                for state in self.states.lock().values_mut() {
                    state.problem = Some(problem.clone());
                    state.took = Some(began.elapsed());
                    for collector in state.collectors.values_mut() {
                        (collector.problem, collector.took) =
                            (Some(problem.clone()), began.elapsed());
                    }
                }
                (false, Some(problem))
            }
        };
        let calls = self.calls();
        let calls = [calls[0] - before[0], calls[1] - before[1]];
        *self.latest.lock() = Some(Refresh {
            began,
            took: began.elapsed(),
            is_complete,
            problem,
            calls: (asked.dialect == Dialect::Maggotmouth).then_some(calls),
        });
    }

    /// The slugs: those that are configured, or all that the token sees.
    async fn organizations(&self) -> Result<Vec<String>, ApiError> {
        if !self.organizations.is_empty() {
            return Ok(self.organizations.clone());
        }
        let place = Params::default();
        let rows =
            all::<rows::Organization>(&self.client, &ORGANIZATIONS, place, Vec::new()).await?;
        if rows.is_empty() {
            log::error!("{NO_ORGANIZATION}");
        }
        let slugs: BTreeSet<String> = rows.into_iter().map(|row| row.slug).collect();
        Ok(slugs.into_iter().collect())
    }

    /// Whether its projects could be read.
    async fn organization(
        &self,
        slug: &str,
        collectors: &BTreeSet<Collector>,
        bounds: Bounds,
        asked: &Asked,
        limit: Limit,
        now: DateTime<Utc>,
    ) -> bool {
        let (client, filter) = (&self.client, &self.filter);
        let label = self.name.as_deref().unwrap_or_default();
        let counts = self.memory.counts(label, &self.address, slug);
        let began = Instant::now();
        let visit = Visit::begin(client, slug, filter, bounds, asked, now, &counts);
        let visit = match limit.on(visit).await {
            Ok(visit) => visit,
            Err(error) => {
                let problem = format!("the projects of {slug} cannot be read: {error}");
                log::error!("{problem}");
                self.note(slug, |state| {
                    for collector in collectors {
                        state.keep(*collector, began, Err(problem.clone()));
                    }
                    state.has_failed(began, problem);
                });
                return false;
            }
        };
        self.note(slug, |state| state.has_read(began, &visit));
        let collecting = collectors.iter().map(|collector| async {
            let began = Instant::now();
            let values = limit.on(collect(*collector, &visit)).await;
            let values = values.inspect_err(|error| {
                let name = collector.name();
                log::error!("the collector {name} of {slug} has failed: {error}");
            });
            self.note(slug, |state| state.keep(*collector, began, values));
        });
        join_all(collecting).await;
        let left_out = std::mem::take(&mut *visit.left_out.lock());
        self.note(slug, |state| state.has_ended(began, left_out));
        true
    }

    /// Notes something of an organization.
    fn note(&self, slug: &str, change: impl FnOnce(&mut OrganizationState)) {
        let mut states = self.states.lock();
        change(states.entry(slug.to_owned()).or_default());
    }
}

impl Limit {
    /// What a part brings, or why it brings nothing.
    async fn on<T>(&self, part: impl Future<Output = Result<T, ApiError>>) -> Result<T, String> {
        match timeout_at(self.until, part).await {
            Ok(brought) => brought.map_err(|error| error.to_string()),
            Err(_) => Err(format!(
                "not done after {} s; a larger `max_age` leaves more time",
                self.length.as_secs_f64()
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    #[tokio::test(start_paused = true)]
    async fn a_part_that_takes_too_long_has_failed() {
        let began = Instant::now();
        let length = Duration::from_secs(450);
        let until = began + length;
        let limit = Limit { until, length };
        assert_eq!(limit.on(ready(Ok(7))).await, Ok(7));
        let late = limit.on(pending::<Result<u8, ApiError>>()).await;
        let told = "not done after 450 s; a larger `max_age` leaves more time";
        assert_eq!(late, Err(told.to_owned()));
        assert_eq!(began.elapsed(), length);
    }
}
