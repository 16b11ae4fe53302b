//! What a path leads to: the values of its parameters, and what rows can say of them.

use crate::lists::List;
use crate::world::{Issue, Monitor, Organization, Project, Release, Seconds, Team, World};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// The part of the world that is extracted.
#[derive(Clone, Copy, Debug)]
pub struct Within {
    /// `None`: all projects.
    pub project: Option<u64>,
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

impl Within {
    fn chosen(&self, project: u64) -> bool {
        self.project.is_none_or(|one| one == project)
    }

    fn seconds(&self) -> Seconds {
        Seconds::new(self.start, self.end)
    }
}

/// Where a list is read.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    pub world: &'a World,
    /// What `{name}` stands for in rows, and what the parameters of keys are.
    pub names: BTreeMap<String, String>,
    pub project: Option<&'a Project>,
    pub team: Option<&'a Team>,
    /// Rows of other projects are left out.
    pub only: Option<u64>,
}

impl<'a> Place<'a> {
    pub fn new(world: &'a World, organization: &Organization) -> Self {
        let place = Self {
            world,
            names: BTreeMap::new(),
            project: None,
            team: None,
            only: None,
        };
        let id = organization.id.to_string();
        place.with(&[
            ("organization_slug", &organization.slug),
            ("organization_id", &id),
            ("organization_name", &organization.name),
        ])
    }

    pub fn with(mut self, names: &[(&str, &str)]) -> Self {
        let names = names.iter();
        self.names
            .extend(names.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    pub fn of_project(self, project: &'a Project) -> Self {
        let id = project.id.to_string();
        Self {
            project: Some(project),
            ..self.with(&[
                ("project_id", &id),
                ("project_slug", &project.slug),
                ("project_name", &project.name),
            ])
        }
    }

    pub fn of_team(self, team: &'a Team) -> Self {
        let id = team.id.to_string();
        Self {
            team: Some(team),
            ..self.with(&[
                ("team_id", &id),
                ("team_slug", &team.slug),
                ("team_name", &team.name),
            ])
        }
    }

    pub fn of_issue(self, issue: &Issue) -> Self {
        let place = match self.world.project(issue.project) {
            Some(project) => self.of_project(project),
            None => self,
        };
        let id = issue.id.to_string();
        place.with(&[("issue_id", &id), ("short_id", &issue.short_id)])
    }

    pub fn of_monitor(self, monitor: &Monitor) -> Self {
        let place = match self.world.project(monitor.project) {
            Some(project) => self.of_project(project),
            None => self,
        };
        place.with(&[("monitor_id", &monitor.id), ("monitor_slug", &monitor.slug)])
    }

    pub fn of_release(self, release: &Release) -> Self {
        let id = release.id.to_string();
        self.with(&[("version", &release.version), ("release_id", &id)])
    }

    /// Every place at which a complete extraction reads the list.
    pub fn all(list: &'static List, world: &'a World, within: &Within) -> Vec<Self> {
        let first = Self {
            only: within.project,
            ..Self::new(world, &world.organizations[0])
        };
        let mut places = vec![first];
        for parameter in list.parameters() {
            let below = |place: Self| place.below(list, parameter, within);
            places = places.into_iter().flat_map(below).collect();
        }
        places
    }

    /// The places that a parameter of the path makes of this one.
    fn below(self, list: &List, parameter: &str, within: &Within) -> Vec<Self> {
        let world = self.world;
        let place = || self.clone();
        match parameter {
            "org" => vec![self],
            "team" => world.teams.iter().map(|one| place().of_team(one)).collect(),
            "project" => (world.active_projects())
                .filter(|one| within.chosen(one.id))
                .map(|one| place().of_project(one))
                .collect(),
            "issue" => world
                .reached_issues()
                .filter(|one| within.chosen(one.project))
                .filter(|one| {
                    let window = world.retained(within.seconds());
                    one.seen(window, &[]).is_some()
                })
                .map(|one| place().of_issue(one))
                .collect(),
            "monitor" => (world.monitors.iter())
                .filter(|one| within.chosen(one.project) && !one.status.contains("deletion"))
                .map(|one| place().of_monitor(one))
                .collect(),
            "event" => {
                let window = world.retained(within.seconds());
                let issues = world.reached_issues();
                let own = self.project.map(|project| project.id);
                issues
                    .filter(|issue| own.is_none_or(|id| issue.project == id))
                    .flat_map(|issue| {
                        let at = place().of_issue(issue);
                        let events = issue.events_in(window);
                        events.map(move |event| at.clone().with(&[("event_id", &event.id())]))
                    })
                    .collect()
            }
            "version" => world
                .releases
                .iter()
                .filter(|one| within.project.is_none_or(|id| one.projects.contains(&id)))
                .filter(|one| within.start <= one.date_created && one.date_created < within.end)
                // No path leads to others.
                .filter(|one| !one.version.contains(['/', '\\', '\n', '\r']))
                .map(|one| place().of_release(one))
                .collect(),
            other => {
                let values = self.values(list, other);
                let places = values.iter().map(|value| place().with(&[(other, value)]));
                places.collect()
            }
        }
    }

    /// What a parameter can be that comes from another list.
    pub fn values(&self, list: &List, parameter: &str) -> Vec<String> {
        let from = &list.from[parameter];
        let above = List::named(&from.list)
            .unwrap_or_else(|| panic!("sandbox/lists/{}.json: no list {}", list.name, from.list));
        let rows = above.rows(self, None);
        let values = rows.iter().filter_map(|row| row[&from.member].as_str());
        values.map(str::to_owned).collect()
    }
}
