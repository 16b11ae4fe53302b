//! How the data changes between requests, or during one.

use crate::synthetic::mixed_id;
use crate::world::data::World;
use crate::world::event::Event;
use crate::world::explored::Explored;
use crate::world::issue::{Issue, Kind, ReleaseForm, Status};
use crate::world::key::{ClientKey, KeyLimit};
use crate::world::monitor::Monitor;
use crate::world::organization::{Project, ProjectStatus, Release, ReleaseStatus};
use crate::world::outcome::Outcome;
use crate::world::session::Sessions;
use crate::world::token::Token;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

impl World {
    pub fn add_token(&mut self, value: &str, token: Token) {
        self.tokens.insert(value.to_owned(), token);
    }

    /// A project of team 1, with the key that Sentry gives a new one. Returns its id.
    pub fn add_project(&mut self, slug: &str) -> u64 {
        let id = self
            .projects
            .iter()
            .map(|project| project.id)
            .max()
            .unwrap_or(1)
            + 1;
        self.projects.push(Project {
            id,
            slug: slug.to_owned(),
            name: slug.to_uppercase(),
            platform: Some("python".to_owned()),
            date_created: self.clock() - TimeDelta::days(200),
            teams: vec![1],
            former_slugs: Vec::new(),
            status: ProjectStatus::Active,
        });
        self.add_key(id, "Default", None);
        id
    }

    /// An item of `spans`, `logs` or another dataset, with its values by the names of fields.
    ///
    /// # Panics
    /// When the values are no object.
    pub fn explore(
        &mut self,
        dataset: &str,
        project: u64,
        timestamp: DateTime<Utc>,
        values: Value,
    ) {
        let Value::Object(values) = values else {
            panic!("values by the names of fields");
        };
        self.explored.push(Explored {
            dataset: dataset.to_owned(),
            project,
            timestamp,
            values,
        });
    }

    /// A client key. Returns its public part, which the API calls its id.
    pub fn add_key(&mut self, project: u64, label: &str, limit: Option<KeyLimit>) -> String {
        let id = 1 + self.keys.iter().map(|key| key.id).max().unwrap_or(0);
        let public = hex_id(id, 1 << 20);
        self.keys.push(ClientKey {
            id,
            project,
            public: public.clone(),
            secret: hex_id(id, 1 << 21),
            label: label.to_owned(),
            is_active: true,
            limit,
            date_created: self.clock() - TimeDelta::days(199),
        });
        public
    }

    /// A monitor that is active, with such statuses by environment.
    pub fn add_monitor(&mut self, project: u64, slug: &str, environments: &[(&str, &str)]) {
        let number = hex_id(self.monitors.len() as u64, 1 << 22);
        self.monitors.push(Monitor {
            id: format!(
                "{}-{}-4000-8000-{}",
                &number[..8],
                &number[8..12],
                &number[12..24]
            ),
            project,
            slug: slug.to_owned(),
            name: slug.replace('-', " "),
            status: "active".to_owned(),
            is_muted: false,
            environments: environments
                .iter()
                .map(|&(name, status)| (name.to_owned(), status.to_owned()))
                .collect(),
            date_created: self.clock() - TimeDelta::days(90),
        });
    }

    /// So many errors of a project that ended so; `reason` may be empty.
    pub fn add_outcomes(
        &mut self,
        project: u64,
        at: DateTime<Utc>,
        outcome: &str,
        reason: &str,
        quantity: u64,
    ) {
        self.outcomes.push(Outcome {
            project,
            second: at.timestamp(),
            category: "error".to_owned(),
            outcome: outcome.to_owned(),
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
            quantity,
            times_seen: quantity,
        });
    }

    /// Late knowledge: every outcome of that name of the project counts so many instead.
    pub fn correct_outcomes(&mut self, project: u64, outcome: &str, quantity: u64) {
        let wrong = self.outcomes.iter_mut();
        for one in wrong.filter(|one| one.project == project && one.outcome == outcome) {
            (one.quantity, one.times_seen) = (quantity, quantity);
        }
    }

    /// Sessions of as many users, so many of them crashed.
    pub fn add_sessions(
        &mut self,
        project: u64,
        release: &str,
        at: DateTime<Utc>,
        sessions: u64,
        crashed: u64,
    ) {
        self.sessions.push(Sessions {
            project,
            release: release.to_owned(),
            environment: "production".to_owned(),
            second: at.timestamp(),
            sessions,
            crashed,
            users: sessions,
            crashed_users: crashed,
        });
    }

    /// An unresolved error issue without events. Returns its id.
    pub fn add_issue(&mut self, project: u64, title: &str) -> u64 {
        let id = 1 + self
            .issues
            .keys()
            .chain(self.merged.keys())
            .copied()
            .max()
            .unwrap_or(1_000);
        self.add_issue_with_id(id, project, title);
        id
    }

    pub fn add_issue_with_id(&mut self, id: u64, project: u64, title: &str) {
        let owner = self.project(project);
        let slug = owner.map_or("GONE".to_owned(), |project| project.slug.to_uppercase());
        let platform = owner.and_then(|project| project.platform.clone());
        let (kind, value) = title.split_once(": ").unwrap_or(("Error", title));
        self.issues.insert(
            id,
            Issue {
                id,
                project,
                short_id: format!("{slug}-{}", base32(id)),
                title: title.to_owned(),
                culprit: Some("app.tasks in run".to_owned()),
                logger: None,
                level: "error".to_owned(),
                platform,
                kind: Kind::ERROR,
                status: Status::Unresolved,
                substatus: Some("ongoing".to_owned()),
                status_details: Value::Object(serde_json::Map::new()),
                priority: Some("medium".to_owned()),
                assignee: None,
                annotations: Vec::new(),
                metadata: serde_json::json!({"type": kind, "value": value, "filename": "tasks.py", "function": "run", "in_app_frame_mix": "mixed"}),
                comments: 0,
                unhandled: false,
                first_release: ReleaseForm::None,
                events: Vec::new(),
                synthetic: None,
            },
        );
    }

    /// The issue to change; panics when it does not exist, as a test would.
    pub fn issue_mut(&mut self, id: u64) -> &mut Issue {
        self.issues.get_mut(&id).expect("the issue exists")
    }

    /// Adds an event, received now-ish. Returns its id.
    pub fn add_event(&mut self, issue: u64, timestamp: DateTime<Utc>) -> String {
        let issue = self.issue_mut(issue);
        let id = hex_id(issue.id, issue.events.len() as u64);
        issue.events.push(Event::new(id.clone(), timestamp));
        id
    }

    /// An event that happened long before it arrived. Returns its id.
    pub fn add_late_event(
        &mut self,
        issue: u64,
        timestamp: DateTime<Utc>,
        received: DateTime<Utc>,
    ) -> String {
        let id = self.add_event(issue, timestamp);
        if let Some(event) = self.issue_mut(issue).events.last_mut() {
            event.received = received;
        }
        id
    }

    pub fn resolve(&mut self, issue: u64) {
        let issue = self.issue_mut(issue);
        issue.status = Status::Resolved;
        issue.substatus = None;
    }

    pub fn set_status(&mut self, issue: u64, status: Status) {
        self.issue_mut(issue).status = status;
    }

    /// Gone with its events.
    pub fn delete_issue(&mut self, issue: u64) {
        self.issues.remove(&issue);
    }

    /// The child vanishes, its events belong to the survivor, its id answers with the survivor.
    pub fn merge(&mut self, child: u64, survivor: u64) {
        if let Some(gone) = self.issues.remove(&child) {
            self.issue_mut(survivor).events.extend(gone.events);
            for target in self.merged.values_mut() {
                if *target == child {
                    *target = survivor;
                }
            }
            self.merged.insert(child, survivor);
        }
    }

    pub fn rename_project(&mut self, id: u64, slug: &str) {
        if let Some(project) = self.projects.iter_mut().find(|project| project.id == id) {
            let old = std::mem::replace(&mut project.slug, slug.to_owned());
            project.former_slugs.push(old);
        }
    }

    pub fn delete_project(&mut self, id: u64) {
        self.projects.retain(|project| project.id != id);
        self.issues.retain(|_, issue| issue.project != id);
        self.outcomes.retain(|outcome| outcome.project != id);
        self.keys.retain(|key| key.project != id);
        self.monitors.retain(|monitor| monitor.project != id);
        self.sessions.retain(|sessions| sessions.project != id);
    }

    pub fn add_release(&mut self, version: &str, project: u64, date_created: DateTime<Utc>) -> u64 {
        let id = 1 + self
            .releases
            .iter()
            .map(|release| release.id)
            .max()
            .unwrap_or(500);
        self.releases.push(Release {
            id,
            version: version.to_owned(),
            status: ReleaseStatus::Open,
            date_created,
            date_released: Some(date_created + TimeDelta::minutes(3)),
            projects: vec![project],
            commit_count: 2,
            deploy_count: 1,
            new_groups: 0,
            authors: vec![1],
        });
        id
    }

    pub fn archive_release(&mut self, version: &str) {
        for release in &mut self.releases {
            if release.version == version {
                release.status = ReleaseStatus::Archived;
            }
        }
    }
}

/// The part of a short id after the dash: Crockford's alphabet, as Sentry counts.
fn base32(mut number: u64) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut text = Vec::new();
    while number > 0 {
        text.push(char::from(DIGITS[(number % 32) as usize]));
        number /= 32;
    }
    text.iter().rev().collect()
}

/// 32 hex digits that look random and never meet for different pairs.
fn hex_id(issue: u64, index: u64) -> String {
    format!("{:032x}", mixed_id(issue + (1 << 31), index))
}
