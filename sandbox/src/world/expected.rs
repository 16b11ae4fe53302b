//! What a complete extraction must yield.

use crate::lists::{List, Place, Within};
use crate::seconds::Seconds;
use crate::window;
use crate::world::data::World;
use crate::world::event::EventRef;
use crate::world::issue::Issue;
use crate::world::session::Sessions;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

/// Seconds of one.
const DAY: i64 = 86_400;

impl World {
    /// Events of issues that a complete extraction reaches, whatever their age.
    pub fn event_count(&self) -> u64 {
        self.issues
            .values()
            .filter(|issue| self.listable(issue))
            .map(Issue::event_count)
            .sum()
    }

    /// Primary keys, joined with `|`, that a complete extraction over `[start, end)` yields; those of one project, if it
    /// is given.
    ///
    /// The window selects issues, events and releases; the other streams are whole tables. Teams and members belong to
    /// the organization, whatever the project.
    pub fn expected(
        &self,
        stream: &str,
        project: Option<u64>,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
    ) -> BTreeSet<String> {
        let chosen = |id: u64| project.is_none_or(|project| project == id);
        let window = self.retained(Seconds::new(start, end));
        match stream {
            "projects" | "project_detail" => self
                .active_projects()
                .filter(|project| chosen(project.id))
                .map(|project| project.id.to_string())
                .collect(),
            "teams" => self.teams.iter().map(|team| team.id.to_string()).collect(),
            "users" => {
                let projects = self.projects.iter().map(|project| project.id);
                self.project_members(&projects.filter(|id| chosen(*id)).collect())
                    .map(|member| member.id.to_string())
                    .collect()
            }
            "organization_stats" => self.expected_stats(project, start, end),
            "organization_stats_summary" => {
                let stats = self.expected_stats(project, start, end).into_iter();
                stats
                    .filter_map(|key| {
                        let parts: Vec<&str> = key.split('|').collect();
                        let [organization, project, .., interval, start] = parts[..] else {
                            return None;
                        };
                        Some(format!("{organization}|{project}|{interval}|{start}"))
                    })
                    .collect()
            }
            "project_stats" => {
                let days =
                    start.timestamp().div_euclid(DAY)..=(end.timestamp() - 1).div_euclid(DAY);
                let mut expected = BTreeSet::new();
                for one in self.active_projects().filter(|one| chosen(one.id)) {
                    for stat in ["received", "rejected", "blacklisted", "generated"] {
                        let start = |day: i64| window::second_text(day * DAY);
                        let keys = days.clone().map(|day| (one.id, start(day)));
                        expected.extend(keys.map(|(id, at)| format!("{id}|{stat}|1d|{at}")));
                    }
                }
                expected
            }
            "sessions" => self.expected_sessions(project, start, end),
            "organizations" => [self.organizations[0].id.to_string()].into(),
            "organization_environments" => {
                let projects = self.active_projects().filter(|one| chosen(one.id));
                let names = projects.flat_map(|one| self.environments_of(one.id).into_keys());
                names
                    .filter(|name| !name.is_empty())
                    .map(|name| self.environment_id(&name))
                    .collect()
            }
            "project_environments" => self
                .active_projects()
                .filter(|one| chosen(one.id))
                .flat_map(|one| {
                    let names = self.environments_of(one.id).into_keys();
                    names.map(|name| format!("{}|{}", one.id, self.environment_id(&name)))
                })
                .collect(),
            "monitors" => self
                .monitors
                .iter()
                .filter(|one| chosen(one.project) && !one.status.contains("deletion"))
                .map(|one| one.id.clone())
                .collect(),
            "project_keys" => self
                .keys
                .iter()
                .filter(|key| chosen(key.project))
                .map(|key| key.public.clone())
                .collect(),
            "members" => self
                .listed_members()
                .map(|member| member.id.to_string())
                .collect(),
            "issues" | "issue_detail" => self
                .expected_issues(project)
                .filter(|issue| issue.seen(window, &[]).is_some())
                .map(|issue| issue.id.to_string())
                .collect(),
            "events" | "event_detail" => self
                .expected_events(project, start, end)
                .map(|(issue, event)| format!("{}|{}", issue.project, event.id()))
                .collect(),
            "releases" | "release" => self
                .releases
                .iter()
                // Of others there is no detail: no path leads there.
                .filter(|release| {
                    stream == "releases" || !release.version.contains(['/', '\\', '\n', '\r'])
                })
                .filter(|release| project.is_none_or(|id| release.projects.contains(&id)))
                .filter(|release| start <= release.date_created && release.date_created < end)
                .map(|release| format!("{}|{}", self.organizations[0].slug, release.version))
                .collect(),
            other => {
                let list = List::named(other)
                    .unwrap_or_else(|| panic!("no truth about a stream named {other:?}"));
                let within = Within {
                    project,
                    start,
                    end,
                };
                let places = Place::all(list, self, &within);
                places
                    .iter()
                    .flat_map(|place| {
                        let rows = list.rows(place, None);
                        let rows = rows.iter().filter(|row| {
                            let at = list.time_of(row);
                            at.is_none_or(|at| start <= at && at < end)
                        });
                        let keys = rows.map(|row| list.key_of(place, row));
                        keys.collect::<Vec<_>>()
                    })
                    .collect()
            }
        }
    }

    /// By day, each status of what has sessions.
    fn expected_sessions(
        &self,
        project: Option<u64>,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
    ) -> BTreeSet<String> {
        let organization = &self.organizations[0].slug;
        let days = start.timestamp().div_euclid(DAY)..=(end.timestamp() - 1).div_euclid(DAY);
        let chosen = |id: u64| project.is_none_or(|project| project == id);
        let there = |id: u64| self.active_projects().any(|one| one.id == id);
        let rows = self.sessions.iter().filter(|one| {
            chosen(one.project) && there(one.project) && days.contains(&one.second.div_euclid(DAY))
        });
        rows.flat_map(|one| {
            let day = window::second_text(one.second - one.second.rem_euclid(DAY));
            ["healthy", "abnormal", "crashed", "errored"].map(|status| {
                let Sessions {
                    project,
                    release,
                    environment,
                    ..
                } = one;
                // As what has none is called.
                let named = |name: &str| if name.is_empty() { "none" } else { name }.to_owned();
                let (release, environment) = (named(release), named(environment));
                format!("{organization}|{project}|{release}|{environment}|{status}|1d|{day}")
            })
        })
        .collect()
    }

    /// By day.
    fn expected_stats(
        &self,
        project: Option<u64>,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
    ) -> BTreeSet<String> {
        let projects = self.active_projects().map(|one| one.id);
        let projects: BTreeSet<u64> = projects
            .filter(|id| project.is_none_or(|project| project == *id))
            .collect();
        let organization = &self.organizations[0].slug;
        let first = start.timestamp().div_euclid(DAY);
        let last = (end.timestamp() - 1).div_euclid(DAY);
        let mut expected = BTreeSet::new();
        for day in first..=last {
            let whole = Seconds {
                from: day * DAY,
                to: (day + 1) * DAY,
            };
            let at = window::second_text(whole.from);
            let outcomes = self.outcomes_in(whole, &projects);
            // What is zero is absent.
            for one in outcomes.filter(|one| one.quantity > 0 || one.times_seen > 0) {
                let (project, category, outcome) = (one.project, one.category(), &one.outcome);
                // As what has none is called.
                let reason = one.reason.as_deref().unwrap_or("none");
                let key = [
                    organization,
                    &project.to_string(),
                    category,
                    outcome,
                    reason,
                ];
                expected.insert(format!("{}|1d|{at}", key.join("|")));
            }
        }
        expected
    }

    fn expected_issues(&self, project: Option<u64>) -> impl Iterator<Item = &Issue> {
        let issues = self.reached_issues();
        issues.filter(move |issue| project.is_none_or(|project| project == issue.project))
    }

    /// The events that a complete extraction over `[start, end)` yields, and their issues.
    pub(crate) fn expected_events(
        &self,
        project: Option<u64>,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
    ) -> impl Iterator<Item = (&Issue, EventRef<'_>)> {
        let window = self.retained(Seconds::new(start, end));
        self.expected_issues(project)
            .flat_map(move |issue| issue.events_in(window).map(move |event| (issue, event)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_nothing_are_not_expected() {
        let start = window::at(20_000 * DAY);
        let mut world = World::seeded(start);
        world.outcomes.clear();
        world.issues.clear();
        let project = world.projects[0].id;
        let end = start + chrono::TimeDelta::days(1);
        world.add_outcomes(project, start, "filtered", "none-of-it", 0);
        assert_eq!(world.expected_stats(None, start, end), BTreeSet::new());
        world.add_outcomes(project, start, "filtered", "some-of-it", 1);
        let expected = world.expected_stats(None, start, end);
        assert_eq!(expected.len(), 1, "{expected:?}");
    }
}
