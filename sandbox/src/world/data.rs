//! The tables of the data, and how they are looked up.

use crate::seconds::Seconds;
use crate::world::explored::Explored;
use crate::world::issue::{Issue, Kind};
use crate::world::key::ClientKey;
use crate::world::monitor::Monitor;
use crate::world::organization::{
    Member, Organization, Project, ProjectStatus, Release, Team, User,
};
use crate::world::outcome::Outcome;
use crate::world::session::Sessions;
use crate::world::token::Token;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
pub struct World {
    /// The server's clock for retention and default windows; `None`: the real one.
    pub now: Option<DateTime<Utc>>,
    /// When its data was made: times in lists are so long before.
    pub began: DateTime<Utc>,
    /// Events older than this cannot be seen at all.
    pub retention: TimeDelta,
    pub organizations: Vec<Organization>,
    pub projects: Vec<Project>,
    pub teams: Vec<Team>,
    pub users: Vec<User>,
    pub members: Vec<Member>,
    pub releases: Vec<Release>,
    pub issues: BTreeMap<u64, Issue>,
    /// Merged child -> survivor.
    pub merged: BTreeMap<u64, u64>,
    pub tokens: BTreeMap<String, Token>,
    /// Names of environments that exist; asking for another one is a 404.
    pub environments: BTreeSet<String>,
    /// Those of a project by name, and whether they are hidden there; a project that is not here has all, none hidden.
    pub project_environments: BTreeMap<u64, BTreeMap<String, bool>>,
    /// What was counted beside the events of issues.
    pub outcomes: Vec<Outcome>,
    pub keys: Vec<ClientKey>,
    pub monitors: Vec<Monitor>,
    pub sessions: Vec<Sessions>,
    /// What the explore endpoint finds, beside the errors of issues.
    pub explored: Vec<Explored>,
    /// How many rows it answers at most, without a word on those behind.
    pub explore_rows: usize,
    /// Names of lists of `lists/` that the server or the plan lacks.
    pub lacks: BTreeSet<String>,
}

impl World {
    pub fn clock(&self) -> DateTime<Utc> {
        self.now.unwrap_or_else(Utc::now)
    }

    pub fn project(&self, id: u64) -> Option<&Project> {
        self.projects.iter().find(|project| project.id == id)
    }

    pub fn project_by_slug(&self, slug: &str) -> Option<&Project> {
        self.projects.iter().find(|project| project.slug == slug)
    }

    pub fn user(&self, id: u64) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    pub fn team(&self, id: u64) -> Option<&Team> {
        self.teams.iter().find(|team| team.id == id)
    }

    pub fn release(&self, version: &str) -> Option<&Release> {
        self.releases
            .iter()
            .find(|release| release.version == version)
    }

    pub fn active_projects(&self) -> impl Iterator<Item = &Project> {
        let all = self.projects.iter();
        all.filter(|project| project.status == ProjectStatus::Active)
    }

    /// The issues that a complete extraction reaches. Experiments are reached by naming their type only, so no extraction
    /// is expected to know them.
    pub fn reached_issues(&self) -> impl Iterator<Item = &Issue> {
        let all = self.issues.values();
        all.filter(|issue| self.listable(issue))
            .filter(|issue| !issue.kind.hidden || issue.kind == Kind::FEEDBACK)
    }

    /// The environments of a project by name, and whether they are hidden there.
    pub fn environments_of(&self, project: u64) -> BTreeMap<String, bool> {
        let own = self.project_environments.get(&project).cloned();
        own.unwrap_or_else(|| {
            let all = self.environments.iter();
            all.map(|name| (name.clone(), false)).collect()
        })
    }

    /// The id of an environment; the same name has the same id in every project.
    pub fn environment_id(&self, name: &str) -> String {
        let place = self.environments.iter().position(|one| one == name);
        place.map_or(0, |place| place + 1).to_string()
    }

    /// The outcomes of a window of some projects: those of an issue's events as one, at the window's begin.
    pub fn outcomes_in<'a>(
        &'a self,
        window: Seconds,
        projects: &'a BTreeSet<u64>,
    ) -> impl Iterator<Item = Outcome> + 'a {
        let issues = self.issues.values();
        let issues = issues.filter(|issue| projects.contains(&issue.project));
        let of_issues = issues.filter_map(move |issue| {
            let quantity = issue
                .kind
                .is_error()
                .then(|| issue.count_in(window))
                .filter(|count| *count > 0)?;
            Some(Outcome {
                project: issue.project,
                second: window.from,
                category: "error".to_owned(),
                outcome: "accepted".to_owned(),
                reason: None,
                quantity,
                times_seen: quantity,
            })
        });
        let others = self.outcomes.iter();
        let others = others
            .filter(move |one| projects.contains(&one.project) && window.holds(one.second))
            .cloned();
        of_issues.chain(others)
    }

    /// Follows a merge, and knows nothing of issues on their way out.
    pub fn find_issue(&self, id: u64) -> Option<&Issue> {
        let id = self.merged.get(&id).unwrap_or(&id);
        self.issues.get(id).filter(|issue| self.listable(issue))
    }

    /// Not being deleted or merged, and in a project that is not either.
    pub fn listable(&self, issue: &Issue) -> bool {
        issue.status.visible()
            && self
                .project(issue.project)
                .is_some_and(|project| project.status == ProjectStatus::Active)
    }

    /// The part of the window that retention leaves; `from >= to` when nothing is left.
    pub fn retained(&self, window: Seconds) -> Seconds {
        Seconds {
            from: window.from.max((self.clock() - self.retention).timestamp()),
            to: window.to,
        }
    }

    /// Invites are listed, deactivated users are not.
    pub fn listed_members(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| {
            member
                .user
                .is_none_or(|id| self.user(id).is_some_and(|user| user.active))
        })
    }

    /// Arrived members of the teams of some projects.
    pub fn project_members(&self, projects: &BTreeSet<u64>) -> impl Iterator<Item = &Member> {
        let teams: BTreeSet<u64> = self
            .projects
            .iter()
            .filter(|project| projects.contains(&project.id))
            .flat_map(|project| project.teams.iter().copied())
            .collect();
        self.listed_members().filter(move |member| {
            member.user.is_some() && member.teams.iter().any(|team| teams.contains(team))
        })
    }
}
