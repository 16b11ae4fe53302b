//! What a complete extraction must yield.

use crate::seconds::Seconds;
use crate::world::data::World;
use crate::world::event::EventRef;
use crate::world::issue::{Issue, Kind};
use crate::world::organization::ProjectStatus;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

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
                .projects
                .iter()
                .filter(|project| chosen(project.id) && project.status == ProjectStatus::Active)
                .map(|project| project.id.to_string())
                .collect(),
            "teams" => self.teams.iter().map(|team| team.id.to_string()).collect(),
            "users" => {
                let projects = self.projects.iter().map(|project| project.id);
                self.project_members(&projects.filter(|id| chosen(*id)).collect())
                    .map(|member| member.id.to_string())
                    .collect()
            }
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
            other => panic!("no truth about a stream named {other:?}"),
        }
    }
    /// Experiments are reached by naming their type only, so no extraction is expected to know them.
    fn expected_issues(&self, project: Option<u64>) -> impl Iterator<Item = &Issue> {
        self.issues.values().filter(move |issue| {
            project.is_none_or(|project| project == issue.project)
                && self.listable(issue)
                && (!issue.kind.hidden || issue.kind == Kind::FEEDBACK)
        })
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
