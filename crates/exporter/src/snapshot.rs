//! The values that scrapes are answered with: refreshed when somebody asks and they are old, once at a time.

use crate::asked::Asked;
use crate::collector::Collector;
use crate::memory::Memory;
use crate::render::{Page, Part};
use crate::report::{Harvest, Report};
use crate::server::Server;
use crate::visit::Bounds;
use chrono::{DateTime, Utc};
use futures::future::join_all;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tap_sentry_api::connection::ConnectError;
use tap_sentry_settings::connection::Target;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

/// Tells the time: which month it is.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// What is fetched, and for how long it is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub collectors: BTreeSet<Collector>,
    pub bounds: Bounds,
    pub asked: Asked,
    /// Values that are younger are not asked for again.
    pub min_age: Duration,
    /// Values of what fails that are older are not shown any more.
    pub max_age: Duration,
}

/// The values of all servers.
pub struct Snapshot {
    servers: Vec<Server>,
    policy: Policy,
    clock: Clock,
    flight: Mutex<Flight>,
}

/// The refresh that is under way, or was the latest.
#[derive(Default)]
struct Flight {
    began: Option<Instant>,
    /// Its other end is dropped when the refresh has ended.
    under_way: Option<watch::Receiver<()>>,
    task: Option<AbortHandle>,
}

impl Snapshot {
    /// `targets` are the servers with their labels.
    ///
    /// # Errors
    /// When the token, the certificate or the proxy of a server cannot be used.
    pub fn new(
        targets: &[(Option<String>, Target)],
        policy: Policy,
        memory: &Arc<Memory>,
        clock: Clock,
    ) -> Result<Self, ConnectError> {
        let servers = targets
            .iter()
            .map(|(name, target)| Server::new(name.clone(), target, Arc::clone(memory)));
        Ok(Self {
            servers: servers.collect::<Result<_, _>>()?,
            policy,
            clock,
            flight: Mutex::default(),
        })
    }

    /// Takes the place of another one: shows its values until there are new ones, and ends its refresh, so that no two are
    /// under way.
    pub fn succeed(&self, before: &Self) {
        // Values that were fetched for other names are of no use.
        let same = self.policy.asked == before.policy.asked;
        for server in self.servers.iter().filter(|_| same) {
            for known in &before.servers {
                server.inherit(known, &self.policy.collectors);
            }
        }
        if let Some(task) = &before.flight.lock().task {
            task.abort();
        }
    }

    /// What to answer a scrape with. Waits `patience` for a refresh, if one is due or under way; it goes on after that, and
    /// the next scrape has what it brings.
    pub async fn page(self: &Arc<Self>, patience: Duration) -> Page {
        if let Some(mut under_way) = self.refresh_if_due() {
            // An error is the end of the refresh.
            let _ = timeout(patience, under_way.changed()).await;
        }
        self.current()
    }

    /// Begins a refresh if one is due. Returns what ends with the one that is under way.
    fn refresh_if_due(self: &Arc<Self>) -> Option<watch::Receiver<()>> {
        let mut flight = self.flight.lock();
        if let Some(under_way) = &flight.under_way
            && under_way.has_changed().is_ok()
        {
            return Some(under_way.clone());
        }
        let young = |began: Instant| began.elapsed() < self.policy.min_age;
        if flight.began.is_some_and(young) {
            return None;
        }
        let (end, under_way) = watch::channel(());
        let snapshot = Arc::clone(self);
        let task = tokio::spawn(async move {
            snapshot.refresh().await;
            drop(end);
        });
        *flight = Flight {
            began: Some(Instant::now()),
            under_way: Some(under_way.clone()),
            task: Some(task.abort_handle()),
        };
        Some(under_way)
    }

    /// Refreshes, however young the values are, and says what it has brought: for those that are not scraped.
    pub async fn harvest(&self) -> Vec<Harvest> {
        self.refresh().await;
        self.servers.iter().map(Server::harvest).collect()
    }

    /// How it stands with each server, for a person.
    pub fn reports(&self) -> Vec<Report> {
        let servers = self.servers.iter();
        servers
            .map(|server| server.report(self.policy.max_age))
            .collect()
    }

    async fn refresh(&self) {
        let Policy {
            collectors,
            bounds,
            asked,
            ..
        } = &self.policy;
        let now = (self.clock)();
        let servers = self.servers.iter();
        join_all(servers.map(|server| server.refresh(collectors, *bounds, asked, now))).await;
    }

    fn current(&self) -> Page {
        let servers = self.servers.iter();
        let mut parts: Vec<Part> = servers
            .flat_map(|server| server.parts(self.policy.max_age))
            .collect();
        parts.push(Part::build());
        Page {
            dialect: self.policy.asked.dialect,
            parts,
            process: Vec::new(),
        }
    }
}
