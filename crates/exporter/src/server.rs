//! One Sentry server: how it is asked, and what its organizations have answered.

use crate::asked::Asked;
use crate::collector::Collector;
use crate::collectors::collect;
use crate::dialect::Dialect;
use crate::endpoints::ORGANIZATIONS;
use crate::families::Families;
use crate::figures::{
    COLLECTOR_AGE, COLLECTOR_DURATION, COLLECTOR_SUCCESS, PROJECTS_LEFT_OUT, REFRESH_DURATION,
    SNAPSHOT_AGE, UP,
};
use crate::memory::Memory;
use crate::old_figures::MAGGOTMOUTH_CALLS;
use crate::render::Part;
use crate::report::{self, Crop, Harvest, Organization, Report};
use crate::requests::{left, requests};
use crate::visit::{Bounds, Visit, all};
use chrono::{DateTime, Utc};
use futures::future::join_all;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tap_sentry_api::client::Client;
use tap_sentry_api::connection::ConnectError;
use tap_sentry_api::error::ApiError;
use tap_sentry_api::params::Params;
use tap_sentry_api::rows;
use tap_sentry_api::traffic::{Answers, Traffic};
use tap_sentry_settings::connection::{ProjectFilter, Target};
use tokio::time::{Instant, timeout_at};

const NO_ORGANIZATION: &str = "the token sees no organization: set `organization`, which the token of an internal integration needs";

/// What Sentry refuses for longer than its windows are, and some more, has failed for now: the other parts of a refresh must not
/// grow old beside it.
const LONGEST_REFUSAL: Duration = Duration::from_secs(90);

/// What counts of requests are called in the dialect that shows them.
pub const CALLS: [&str; 2] = ["success", "failure"];

/// One Sentry server.
pub struct Server {
    /// The label of its series, where there are several servers.
    name: Option<String>,
    client: Client,
    traffic: Arc<Traffic>,
    address: String,
    /// All that says what is asked, but for the token.
    target: String,
    /// Slugs; empty: all that the token sees.
    organizations: Vec<String>,
    filter: ProjectFilter,
    memory: Arc<Memory>,
    known: Mutex<BTreeMap<String, Known>>,
    latest: Mutex<Option<Refresh>>,
}

/// What is known of one organization.
#[derive(Debug, Clone, Default)]
struct Known {
    collectors: BTreeMap<Collector, Kept>,
    /// Why its projects could not be read in the latest refresh.
    problem: Option<String>,
    /// Projects that the latest refresh left out, and why.
    left_out: BTreeMap<String, String>,
    /// How many are closed to the token, as far as is known.
    closed: usize,
    /// How long its latest refresh took.
    took: Option<Duration>,
    /// When the latest refresh began that could read its projects.
    read: Option<Instant>,
}

/// What a collector has of one organization.
#[derive(Debug, Clone)]
struct Kept {
    /// The latest values, and when they were asked for.
    values: Option<(Instant, Arc<Families>)>,
    /// Why the latest attempt failed, if it did.
    problem: Option<String>,
    took: Duration,
}

/// How long a refresh may take: a part that takes longer has failed, so that it does not hold the others back.
#[derive(Debug, Clone, Copy)]
struct Limit {
    until: Instant,
    length: Duration,
}

/// How the latest refresh went.
#[derive(Clone)]
struct Refresh {
    began: Instant,
    took: Duration,
    is_complete: bool,
    /// Why there are no organizations, where they are asked for.
    problem: Option<String>,
    /// Requests that have succeeded and others, in a dialect that shows them.
    calls: Option<[u64; 2]>,
}

impl Server {
    /// # Errors
    /// When the token, the certificate or the proxy cannot be used.
    pub fn new(
        name: Option<String>,
        target: &Target,
        memory: Arc<Memory>,
    ) -> Result<Self, ConnectError> {
        let address = target.connection.base_url.to_string();
        let traffic = memory.traffic(name.as_deref().unwrap_or_default(), &address);
        Ok(Self {
            name,
            client: Client::new(&target.connection, Arc::clone(&traffic))?
                .waiting_at_most(LONGEST_REFUSAL),
            traffic,
            address,
            target: format!("{target:?}"),
            organizations: target.organizations.clone(),
            filter: target.projects.clone(),
            memory,
            known: Mutex::default(),
            latest: Mutex::default(),
        })
    }

    /// Takes over what the same server had answered before the configuration changed, of these collectors. Returns whether
    /// it is the same, and its latest refresh lacked no organization.
    pub fn inherit(&self, before: &Self, collectors: &BTreeSet<Collector>) -> bool {
        if (&self.name, &self.target) != (&before.name, &before.target) {
            return false;
        }
        let mut known = before.known.lock().clone();
        for one in known.values_mut() {
            one.collectors
                .retain(|collector, _| collectors.contains(collector));
        }
        *self.known.lock() = known;
        let latest = before.latest.lock().clone();
        let was_complete = latest.as_ref().is_some_and(|latest| latest.is_complete);
        *self.latest.lock() = latest;
        was_complete
    }

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
                self.known
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
                for one in self.known.lock().values_mut() {
                    one.problem = Some(problem.clone());
                    one.took = Some(began.elapsed());
                    for kept in one.collectors.values_mut() {
                        (kept.problem, kept.took) = (Some(problem.clone()), began.elapsed());
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

    /// Requests that have succeeded so far, and others.
    fn calls(&self) -> [u64; 2] {
        let mut calls = [0, 0];
        for answers in self.traffic.answers().values() {
            for (status, count) in &answers.statuses {
                let failed = !status.is_some_and(|status| (200..300).contains(&status));
                calls[usize::from(failed)] += count;
            }
        }
        calls
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
                for collector in collectors {
                    self.keep(slug, *collector, began, Err(problem.clone()));
                }
                self.has_failed(slug, began, problem);
                return false;
            }
        };
        self.has_read(slug, began, &visit);
        let collecting = collectors.iter().map(|collector| async {
            let began = Instant::now();
            let values = limit.on(collect(*collector, &visit)).await;
            let values = values.inspect_err(|error| {
                let name = collector.name();
                log::error!("the collector {name} of {slug} has failed: {error}");
            });
            self.keep(slug, *collector, began, values);
        });
        join_all(collecting).await;
        let mut known = self.known.lock();
        let known = known.entry(slug.to_owned()).or_default();
        known.left_out = std::mem::take(&mut *visit.left_out.lock());
        known.took = Some(began.elapsed());
        true
    }

    /// Notes that the projects of an organization have been read: collectors may take long after that.
    fn has_read(&self, slug: &str, began: Instant, visit: &Visit<'_>) {
        let mut known = self.known.lock();
        let known = known.entry(slug.to_owned()).or_default();
        known.read = Some(began);
        known.problem = None;
        known.closed = visit.projects.len() - visit.readable().count();
    }

    /// Notes that they cannot be read. What was left out stays out of the values that are shown.
    fn has_failed(&self, slug: &str, began: Instant, problem: String) {
        let mut known = self.known.lock();
        let known = known.entry(slug.to_owned()).or_default();
        known.problem = Some(problem);
        known.took = Some(began.elapsed());
    }

    /// Keeps new values; without, the old ones stay.
    fn keep(
        &self,
        slug: &str,
        collector: Collector,
        began: Instant,
        values: Result<Families, String>,
    ) {
        let mut known = self.known.lock();
        let kept = &mut known.entry(slug.to_owned()).or_default().collectors;
        let before = kept.remove(&collector).and_then(|kept| kept.values);
        let (values, problem) = match values {
            Ok(values) => (Some((began, Arc::new(values))), None),
            Err(problem) => (before, Some(problem)),
        };
        let kept_now = Kept {
            values,
            problem,
            took: began.elapsed(),
        };
        kept.insert(collector, kept_now);
    }

    /// All series, those too old aside, and the exporter's own about this server.
    pub fn parts(&self, max_age: Duration) -> Vec<Part> {
        let mut own = Families::default();
        let latest = self.latest.lock().clone();
        if let Some(latest) = latest {
            for (status, calls) in CALLS.iter().zip(latest.calls.iter().flatten()) {
                own.set(&MAGGOTMOUTH_CALLS, &[status], *calls);
            }
        }
        for (organization, answers) in self.traffic.answers() {
            requests(&organization, &answers, &mut own);
            left(&organization, &answers, &mut own);
        }
        let mut fetched = Vec::new();
        let all_known = self.known.lock();
        let waiting = self.organizations.iter();
        let waiting = waiting.filter(|slug| !all_known.contains_key(*slug));
        for slug in waiting {
            own.set(&UP, &[slug.as_str()], false);
        }
        if all_known.is_empty() && self.organizations.is_empty() {
            own.set(&UP, &[""], false);
        }
        for (slug, known) in &*all_known {
            known.attempts(slug, max_age, &mut own);
            if let Some(read) = known.read {
                own.set(&SNAPSHOT_AGE, &[slug], read.elapsed().as_secs_f64());
            }
            for (collector, kept) in &known.collectors {
                if let Some((asked, families)) = &kept.values
                    && kept.asked_within(max_age)
                {
                    let labels = [slug.as_str(), collector.name()];
                    own.set(&COLLECTOR_AGE, &labels, asked.elapsed().as_secs_f64());
                    fetched.push(Arc::clone(families));
                }
            }
        }
        drop(all_known);
        fetched.push(Arc::new(own));
        let part = |families| Part {
            server: self.name.clone(),
            families,
        };
        fetched.into_iter().map(part).collect()
    }

    /// What the latest refresh has brought, and the exporter's own about it. Ages are not among it: where values stay they
    /// would be wrong at once.
    pub fn harvest(&self) -> Harvest {
        let latest = self.latest.lock().clone();
        let answers = self.traffic.answers();
        let known = self.known.lock();
        let crops = known.iter().map(|(slug, known)| {
            let mut own = Families::default();
            known.attempts(slug, Duration::MAX, &mut own);
            if let Some(answers) = answers.get(slug) {
                requests(slug, answers, &mut own);
                left(slug, answers, &mut own);
            }
            let fresh = known.collectors.values();
            let fresh = fresh.filter(|kept| kept.problem.is_none());
            let fetched = fresh.filter_map(|kept| kept.values.as_ref());
            let fetched = fetched.map(|(_, families)| Arc::clone(families));
            Crop {
                organization: slug.clone(),
                families: fetched.chain([Arc::new(own)]).collect(),
                is_complete: known.is_complete(),
                left_out: known.left_out.keys().cloned().collect(),
            }
        });
        Harvest {
            server: self.name.clone(),
            calls: latest.as_ref().and_then(|latest| latest.calls),
            crops: crops.collect(),
            problem: latest.and_then(|latest| latest.problem),
        }
    }

    /// How it stands with this server, for a person.
    pub fn report(&self, max_age: Duration) -> Report {
        let latest = self.latest.lock().clone();
        let mut answers = self.traffic.answers();
        let known = self.known.lock();
        let organizations = known.iter().map(|(slug, known)| {
            let answers = answers.remove(slug).unwrap_or_default();
            known.report(slug, answers, max_age)
        });
        Report {
            server: self.name.clone(),
            address: self.address.clone(),
            organizations: organizations.collect(),
            problem: latest.as_ref().and_then(|latest| latest.problem.clone()),
            latest: latest.map(|latest| report::Refresh {
                age: latest.began.elapsed(),
                took: latest.took,
                is_complete: latest.is_complete,
            }),
        }
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

impl Kept {
    fn asked_within(&self, max_age: Duration) -> bool {
        let asked = self.values.as_ref().map(|(asked, _)| asked.elapsed());
        asked.is_some_and(|age| age <= max_age)
    }
}

impl Known {
    fn is_complete(&self) -> bool {
        let mut kept = self.collectors.values();
        self.problem.is_none() && kept.all(|kept| kept.problem.is_none())
    }

    fn is_up(&self) -> bool {
        self.read.is_some() && self.problem.is_none()
    }

    /// How the latest attempts went. One whose values are older than `max_age`, and shown no more, is no success.
    fn attempts(&self, slug: &str, max_age: Duration, own: &mut Families) {
        own.set(&UP, &[slug], self.is_up());
        if let Some(took) = self.took {
            own.set(&REFRESH_DURATION, &[slug], took.as_secs_f64());
        }
        if self.read.is_some() {
            let left_out = self.left_out.len() + self.closed;
            own.set(&PROJECTS_LEFT_OUT, &[slug], left_out as u64);
        }
        for (collector, kept) in &self.collectors {
            let labels = [slug, collector.name()];
            let has_values = kept.asked_within(max_age);
            own.set(
                &COLLECTOR_SUCCESS,
                &labels,
                kept.problem.is_none() && has_values,
            );
            own.set(&COLLECTOR_DURATION, &labels, kept.took.as_secs_f64());
        }
    }

    fn report(&self, slug: &str, answers: Answers, max_age: Duration) -> Organization {
        let collectors = self.collectors.iter().map(|(collector, kept)| {
            let age = kept.values.as_ref().map(|(asked, _)| asked.elapsed());
            report::Collector {
                name: collector.name(),
                problem: kept.problem.clone(),
                age: age.filter(|age| *age <= max_age),
                took: kept.took,
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
