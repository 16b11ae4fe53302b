//! One Sentry server: how it is asked, and what its organizations have answered.

use crate::asked::Asked;
use crate::collector::Collector;
use crate::collectors::collect;
use crate::dialect::Dialect;
use crate::endpoints::ORGANIZATIONS;
use crate::families::Families;
use crate::figures::{
    API_REQUESTS, COLLECTOR_AGE, COLLECTOR_DURATION, COLLECTOR_SUCCESS, RATE_LIMIT_REMAINING,
    REFRESH_DURATION, SNAPSHOT_AGE, UP,
};
use crate::memory::Memory;
use crate::old_figures::MAGGOTMOUTH_CALLS;
use crate::render::Part;
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
use tap_sentry_api::rows::Organization;
use tap_sentry_api::traffic::Traffic;
use tap_sentry_settings::connection::{ProjectFilter, Target};
use tokio::time::Instant;

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
    known: Mutex<BTreeMap<String, BTreeMap<Collector, Kept>>>,
    latest: Mutex<Option<Refresh>>,
}

/// What a collector has of one organization.
#[derive(Clone)]
struct Kept {
    /// The latest values, and when they were asked for.
    values: Option<(Instant, Arc<Families>)>,
    /// What became of the latest attempt.
    is_fresh: bool,
    took: Duration,
}

/// How the latest refresh went.
#[derive(Clone, Copy)]
struct Refresh {
    began: Instant,
    took: Duration,
    is_complete: bool,
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
            client: Client::new(&target.connection, Arc::clone(&traffic))?,
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

    /// Takes over what the same server had answered before the configuration changed, of these collectors.
    pub fn inherit(&self, before: &Self, collectors: &BTreeSet<Collector>) {
        if (&self.name, &self.target) != (&before.name, &before.target) {
            return;
        }
        let mut known = before.known.lock().clone();
        for kept in known.values_mut() {
            kept.retain(|collector, _| collectors.contains(collector));
        }
        *self.known.lock() = known;
        *self.latest.lock() = *before.latest.lock();
    }

    /// Asks for everything anew. What fails keeps its last values.
    pub async fn refresh(
        &self,
        collectors: &BTreeSet<Collector>,
        bounds: Bounds,
        asked: &Asked,
        now: DateTime<Utc>,
    ) {
        let began = Instant::now();
        let before = self.calls();
        let is_complete = match self.organizations().await {
            Ok(organizations) => {
                self.known
                    .lock()
                    .retain(|slug, _| organizations.contains(slug));
                let visits = organizations
                    .iter()
                    .map(|slug| self.organization(slug, collectors, bounds, asked, now));
                let all_read = join_all(visits).await.into_iter().all(|read| read);
                all_read && !organizations.is_empty()
            }
            Err(error) => {
                log::error!("the organizations cannot be read: {error}");
                for kept in self.known.lock().values_mut() {
                    for kept in kept.values_mut() {
                        (kept.is_fresh, kept.took) = (false, began.elapsed());
                    }
                }
                false
            }
        };
        let calls = self.calls();
        let calls = [calls[0] - before[0], calls[1] - before[1]];
        *self.latest.lock() = Some(Refresh {
            began,
            took: began.elapsed(),
            is_complete,
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
        let rows = all::<Organization>(&self.client, &ORGANIZATIONS, place, Vec::new()).await?;
        if rows.is_empty() {
            log::error!(
                "the token sees no organization: set `organization`, which the token of an internal integration needs"
            );
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
        now: DateTime<Utc>,
    ) -> bool {
        let (client, filter) = (&self.client, &self.filter);
        let label = self.name.as_deref().unwrap_or_default();
        let counts = self.memory.counts(label, &self.address, slug);
        let began = Instant::now();
        let visit = Visit::begin(client, slug, filter, bounds, asked, now, &counts).await;
        let visit = match visit {
            Ok(visit) => visit,
            Err(error) => {
                log::error!("the projects of {slug} cannot be read: {error}");
                for collector in collectors {
                    self.keep(slug, *collector, began, None);
                }
                return false;
            }
        };
        let collecting = collectors.iter().map(|collector| async {
            let began = Instant::now();
            let values = collect(*collector, &visit).await;
            let values = values
                .inspect_err(|error| {
                    let name = collector.name();
                    log::error!("the collector {name} of {slug} has failed: {error}");
                })
                .ok();
            self.keep(slug, *collector, began, values);
        });
        join_all(collecting).await;
        true
    }

    /// Keeps new values; without, the old ones stay.
    fn keep(&self, slug: &str, collector: Collector, began: Instant, values: Option<Families>) {
        let mut known = self.known.lock();
        let kept = known.entry(slug.to_owned()).or_default();
        let before = kept.remove(&collector).and_then(|kept| kept.values);
        let kept_now = Kept {
            is_fresh: values.is_some(),
            took: began.elapsed(),
            values: values.map(|values| (began, Arc::new(values))).or(before),
        };
        kept.insert(collector, kept_now);
    }

    /// All series, those too old aside, and the exporter's own about this server.
    pub fn parts(&self, max_age: Duration) -> Vec<Part> {
        let mut own = Families::default();
        let latest = *self.latest.lock();
        let up = latest.is_some_and(|latest| latest.is_complete);
        own.set(&UP, &[], up);
        if let Some(latest) = latest {
            own.set(&SNAPSHOT_AGE, &[], latest.began.elapsed().as_secs_f64());
            own.set(&REFRESH_DURATION, &[], latest.took.as_secs_f64());
            for (status, calls) in ["success", "failure"]
                .iter()
                .zip(latest.calls.iter().flatten())
            {
                own.set(&MAGGOTMOUTH_CALLS, &[status], *calls);
            }
        }
        self.requests(&mut own);
        let mut fetched = Vec::new();
        for (slug, collectors) in &*self.known.lock() {
            for (collector, kept) in collectors {
                let labels = [slug.as_str(), collector.name()];
                own.set(&COLLECTOR_SUCCESS, &labels, kept.is_fresh);
                own.set(&COLLECTOR_DURATION, &labels, kept.took.as_secs_f64());
                if let Some((asked, families)) = &kept.values
                    && asked.elapsed() <= max_age
                {
                    own.set(&COLLECTOR_AGE, &labels, asked.elapsed().as_secs_f64());
                    fetched.push(Arc::clone(families));
                }
            }
        }
        fetched.push(Arc::new(own));
        let part = |families| Part {
            server: self.name.clone(),
            families,
        };
        fetched.into_iter().map(part).collect()
    }

    /// What was asked, and what rate limits left.
    fn requests(&self, own: &mut Families) {
        for (organization, answers) in self.traffic.answers() {
            for (status, count) in answers.statuses {
                let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
                own.set(&API_REQUESTS, &[&organization, &status], count);
            }
            for (class, left) in answers.remaining {
                let class = class.name().replace(' ', "_");
                own.set(
                    &RATE_LIMIT_REMAINING,
                    &[&organization, &class],
                    u64::from(left),
                );
            }
        }
    }
}
