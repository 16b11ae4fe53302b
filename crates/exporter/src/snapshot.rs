//! The values that scrapes are answered with: refreshed when somebody asks and they are old, once at a time.

use crate::asked::Asked;
use crate::collector::Collector;
use crate::memory::Memory;
use crate::render::{Page, Part};
use crate::report::{Report, ServerResult};
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

/// A part of a refresh may take half of `max_age`, so that what it holds up is shown until then; and as long as this in
/// any case.
const LEAST_LIMIT: Duration = Duration::from_secs(60);

/// A scrape that comes so much too early is on time.
const EARLY: Duration = Duration::from_secs(1);

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
    servers: Vec<(Server, Mutex<Flight>)>,
    policy: Policy,
    clock: Clock,
}

/// The refresh of a server that is under way, or was the latest.
#[derive(Default)]
struct Flight {
    began: Option<Instant>,
    /// Its other end is dropped when the refresh has ended.
    under_way: Option<watch::Receiver<()>>,
    task: Option<AbortHandle>,
    /// Another snapshot has taken the place of this one.
    is_retired: bool,
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
        let servers = targets.iter().map(|(name, target)| {
            let server = Server::new(name.clone(), target, Arc::clone(memory))?;
            Ok((server, Mutex::default()))
        });
        Ok(Self {
            servers: servers.collect::<Result<_, _>>()?,
            policy,
            clock,
        })
    }

    /// Takes the place of another one: shows its values until there are new ones, and ends its refreshes, so that no two of
    /// a server are under way. What was refreshed just now is not asked for again.
    pub fn succeed(&mut self, before: &Self) {
        // Values that were fetched for other names are of no use.
        let same = self.policy.asked == before.policy.asked;
        let same_collectors = self.policy.collectors == before.policy.collectors;
        for (old, old_flight) in &before.servers {
            let mut old_flight = old_flight.lock();
            old_flight.is_retired = true;
            let was_under_way = old_flight.is_under_way();
            if let Some(task) = &old_flight.task {
                task.abort();
            }
            for (server, flight) in &mut self.servers {
                server.keep_pace_of(old);
                if !same {
                    continue;
                }
                let was_complete = server.inherit(old, &self.policy.collectors);
                if was_complete && same_collectors && !was_under_way {
                    flight.lock().began = old_flight.began;
                }
            }
        }
    }

    /// What to answer a scrape with. Waits `patience` for refreshes that are due or under way; they go on after that, and
    /// the next scrape has what they bring. A server that is slow keeps no other one back.
    pub async fn page(self: &Arc<Self>, patience: Duration) -> Page {
        let all = 0..self.servers.len();
        let under_way = all.filter_map(|server| self.refresh_if_due(server));
        let ends = under_way.map(|mut under_way| async move {
            // An error is the end of the refresh.
            let _ = under_way.changed().await;
        });
        // What is not there by then is waited for by the next scrape.
        let _ = timeout(patience, join_all(ends)).await;
        self.current()
    }

    /// Begins a refresh of a server if one is due. Returns what ends with the one that is under way.
    fn refresh_if_due(self: &Arc<Self>, index: usize) -> Option<watch::Receiver<()>> {
        let (_, flight) = &self.servers[index];
        let mut flight = flight.lock();
        if flight.is_under_way() {
            return flight.under_way.clone();
        }
        let is_young = |began: Instant| is_young(began.elapsed(), self.policy.min_age);
        if flight.is_retired || flight.began.is_some_and(is_young) {
            return None;
        }
        let (end, under_way) = watch::channel(());
        let snapshot = Arc::clone(self);
        let task = tokio::spawn(async move {
            let (server, _) = &snapshot.servers[index];
            snapshot.refresh(server).await;
            drop(end);
        });
        flight.began = Some(Instant::now());
        flight.under_way = Some(under_way.clone());
        flight.task = Some(task.abort_handle());
        Some(under_way)
    }

    /// Refreshes, however young the values are, and says what it has brought: for those that are not scraped.
    pub async fn refresh_now(&self) -> Vec<ServerResult> {
        let servers = self.servers.iter();
        join_all(servers.map(|(server, _)| async {
            self.refresh(server).await;
            server.result()
        }))
        .await
    }

    /// How it stands with each server, for a person.
    pub fn reports(&self) -> Vec<Report> {
        let servers = self.servers.iter();
        servers
            .map(|(server, _)| server.report(self.policy.max_age))
            .collect()
    }

    async fn refresh(&self, server: &Server) {
        let Policy {
            collectors,
            bounds,
            asked,
            max_age,
            ..
        } = &self.policy;
        let limit = (*max_age / 2).max(LEAST_LIMIT);
        server
            .refresh(collectors, *bounds, asked, limit, (self.clock)())
            .await;
    }

    fn current(&self) -> Page {
        let servers = self.servers.iter();
        let mut parts: Vec<Part> = servers
            .flat_map(|(server, _)| server.parts(self.policy.max_age))
            .collect();
        parts.push(Part::build());
        Page {
            dialect: self.policy.asked.dialect,
            parts,
            process: Vec::new(),
        }
    }
}

/// Whether values of this age are not asked for again. Scrapes come some milliseconds early or late: where they are
/// `min_age` apart, every one must find the values old, and not every other one.
fn is_young(age: Duration, min_age: Duration) -> bool {
    let leeway = EARLY.min(min_age / 10);
    age + leeway < min_age
}

impl Flight {
    fn is_under_way(&self) -> bool {
        let under_way = self.under_way.as_ref();
        under_way.is_some_and(|under_way| under_way.has_changed().is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::just_now(0, 60_000, true)]
    #[case::early(58_900, 60_000, true)]
    #[case::on_time_but_for_some_milliseconds(59_990, 60_000, false)]
    #[case::late(60_010, 60_000, false)]
    #[case::seconds(4_400, 5_000, true)]
    #[case::on_time_every_few_seconds(4_990, 5_000, false)]
    #[case::always(0, 0, false)]
    fn a_scrape_every_min_age_finds_old_values(
        #[case] age: u64,
        #[case] min_age: u64,
        #[case] expected: bool,
    ) {
        let [age, min_age] = [age, min_age].map(Duration::from_millis);
        assert_eq!(is_young(age, min_age), expected);
    }
}
