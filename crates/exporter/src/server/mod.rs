//! One Sentry server: how it is asked, what is kept of its answers, and what is told of them.

mod ask;
mod state;
mod tell;

use self::state::OrganizationState;
use crate::collector::Collector;
use crate::memory::Memory;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tap_sentry_api::client::Client;
use tap_sentry_api::connection::ConnectError;
use tap_sentry_api::traffic::Traffic;
use tap_sentry_settings::connection::{ProjectFilter, Target};
use tokio::time::Instant;

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
    /// By their slugs.
    states: Mutex<BTreeMap<String, OrganizationState>>,
    latest: Mutex<Option<Refresh>>,
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
            states: Mutex::default(),
            latest: Mutex::default(),
        })
    }

    /// Takes over what Sentry has said of its limits before the configuration changed.
    pub fn keep_pace_of(&mut self, before: &Self) {
        self.client.keep_pace_of(&before.client);
    }

    /// Takes over what the same server had answered before the configuration changed, of these collectors. Returns whether
    /// it is the same, and its latest refresh lacked no organization.
    pub fn inherit(&self, before: &Self, collectors: &BTreeSet<Collector>) -> bool {
        if (&self.name, &self.target) != (&before.name, &before.target) {
            return false;
        }
        let mut states = before.states.lock().clone();
        for state in states.values_mut() {
            state
                .collectors
                .retain(|collector, _| collectors.contains(collector));
        }
        *self.states.lock() = states;
        let latest = before.latest.lock().clone();
        let was_complete = latest.as_ref().is_some_and(|latest| latest.is_complete);
        *self.latest.lock() = latest;
        was_complete
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
}
