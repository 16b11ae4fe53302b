//! What is told of a server: series, what a refresh has brought, and how it stands.

use super::{CALLS, Server};
use crate::families::Families;
use crate::figures::{COLLECTOR_AGE, SNAPSHOT_AGE, UP};
use crate::old_figures::MAGGOTMOUTH_CALLS;
use crate::render::Part;
use crate::report::{self, OrganizationResult, Report, ServerResult};
use crate::requests::{left, requests};
use std::sync::Arc;
use std::time::Duration;

impl Server {
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
        let states = self.states.lock();
        let waiting = self.organizations.iter();
        let waiting = waiting.filter(|slug| !states.contains_key(*slug));
        for slug in waiting {
            own.set(&UP, &[slug.as_str()], false);
        }
        if states.is_empty() && self.organizations.is_empty() {
            own.set(&UP, &[""], false);
        }
        for (slug, state) in &*states {
            state.attempts(slug, max_age, &mut own);
            if let Some(read) = state.read {
                own.set(&SNAPSHOT_AGE, &[slug], read.elapsed().as_secs_f64());
            }
            for (collector, of_collector) in &state.collectors {
                if let Some((asked, families)) = &of_collector.values
                    && of_collector.asked_within(max_age)
                {
                    let labels = [slug.as_str(), collector.name()];
                    own.set(&COLLECTOR_AGE, &labels, asked.elapsed().as_secs_f64());
                    fetched.push(Arc::clone(families));
                }
            }
        }
        drop(states);
        fetched.push(Arc::new(own));
        let part = |families| Part {
            server: self.name.clone(),
            families,
        };
        fetched.into_iter().map(part).collect()
    }

    /// What the latest refresh has brought, and the exporter's own about it. Ages are not among it: where values stay they
    /// would be wrong at once.
    pub fn result(&self) -> ServerResult {
        let latest = self.latest.lock().clone();
        let answers = self.traffic.answers();
        let states = self.states.lock();
        let organizations = states.iter().map(|(slug, state)| {
            let mut own = Families::default();
            state.attempts(slug, Duration::MAX, &mut own);
            if let Some(answers) = answers.get(slug) {
                requests(slug, answers, &mut own);
                left(slug, answers, &mut own);
            }
            let fresh = state.collectors.values();
            let fresh = fresh.filter(|one| one.problem.is_none());
            let fetched = fresh.filter_map(|one| one.values.as_ref());
            let fetched = fetched.map(|(_, families)| Arc::clone(families));
            OrganizationResult {
                organization: slug.clone(),
                families: fetched.chain([Arc::new(own)]).collect(),
                is_complete: state.is_complete(),
                left_out: state.left_out.keys().cloned().collect(),
            }
        });
        ServerResult {
            server: self.name.clone(),
            calls: latest.as_ref().and_then(|latest| latest.calls),
            organizations: organizations.collect(),
            problem: latest.and_then(|latest| latest.problem),
        }
    }

    /// How it stands with this server, for a person.
    pub fn report(&self, max_age: Duration) -> Report {
        let latest = self.latest.lock().clone();
        let mut answers = self.traffic.answers();
        let states = self.states.lock();
        let organizations = states.iter().map(|(slug, state)| {
            let answers = answers.remove(slug).unwrap_or_default();
            state.report(slug, answers, max_age)
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
