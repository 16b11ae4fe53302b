//! Every figure that is exported: its name, what it means, where it comes from and what it costs.

use crate::collector::Collector;
use std::fmt::Write as _;

/// How a figure behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Never falls, but to begin anew.
    Counter,
    Gauge,
    /// Always 1: its labels are the news.
    Info,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Info => "info",
        }
    }
}

/// One figure. With several servers, its series have the label `server` beside these.
#[derive(Debug, PartialEq, Eq)]
pub struct Figure {
    /// As queries have it, `_total` and `_info` included.
    pub name: &'static str,
    pub kind: Kind,
    /// What it is, as a sentence without its full stop.
    pub help: &'static str,
    /// The endpoint that it comes from, below `/api/0/`; empty: the exporter's own.
    pub source: &'static str,
    pub labels: &'static [&'static str],
    /// `None`: the exporter's own, which are always there.
    pub collector: Option<Collector>,
}

impl Figure {
    /// The HELP line.
    pub fn help_text(&self) -> String {
        let mut text = format!("{}.", self.help);
        if !self.source.is_empty() {
            let _ = write!(text, " Source: {}", self.source);
            if let Some(collector) = self.collector {
                let _ = write!(text, " ({})", collector.definition().cost.replace('`', ""));
            }
            text.push_str("; values are kept between refreshes.");
        }
        text
    }

    /// The name without the suffix that its kind adds.
    pub fn stem(&self) -> &'static str {
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge => "",
        };
        self.name.strip_suffix(suffix).unwrap_or(self.name)
    }
}

const PLACE: &[&str] = &["organization", "project", "level"];

pub static EVENTS: Figure = Figure {
    name: "sentry_events_total",
    kind: Kind::Counter,
    help: "Events that reached Sentry since the first of the month (UTC) by what became of them, in bytes for attachments; within a month never less than was told before; of each project, category and outcome 20 reasons have a series each, and all others have the reason other",
    source: "organizations/{organization}/stats_v2/, or projects/{organization}/{project}/stats/ on servers before 21.4",
    labels: &["organization", "project", "category", "outcome", "reason"],
    collector: Some(Collector::Events),
};

pub static UNRESOLVED_ISSUES: Figure = Figure {
    name: "sentry_unresolved_issues",
    kind: Kind::Gauge,
    help: "Unresolved issues with an event in the last 90 days; a lower bound where sentry_issues_truncated is 1",
    source: "organizations/{organization}/issues/?query=is:unresolved",
    labels: PLACE,
    collector: Some(Collector::Issues),
};

pub static NEW_ISSUES: Figure = Figure {
    name: "sentry_new_issues",
    kind: Kind::Gauge,
    help: "Unresolved issues that were first seen in the last 24 hours; a lower bound where sentry_issues_truncated is 1",
    source: "organizations/{organization}/issues/?query=is:unresolved",
    labels: PLACE,
    collector: Some(Collector::Issues),
};

pub static REGRESSED_ISSUES: Figure = Figure {
    name: "sentry_regressed_issues",
    kind: Kind::Gauge,
    help: "Unresolved issues that had been resolved before (substatus regressed, which old servers do not have); a lower bound where sentry_issues_truncated is 1",
    source: "organizations/{organization}/issues/?query=is:unresolved",
    labels: PLACE,
    collector: Some(Collector::Issues),
};

pub static ISSUES_TRUNCATED: Figure = Figure {
    name: "sentry_issues_truncated",
    kind: Kind::Gauge,
    help: "Whether there were more unresolved issues than max_issue_pages holds, so that counts of issues are lower bounds",
    source: "",
    labels: &["organization"],
    collector: Some(Collector::Issues),
};

pub static PROJECT_INFO: Figure = Figure {
    name: "sentry_project_info",
    kind: Kind::Info,
    help: "Projects, to join names with",
    source: "organizations/{organization}/projects/",
    labels: &["organization", "project", "project_id", "platform"],
    collector: Some(Collector::Projects),
};

pub static TEAM_PROJECT_INFO: Figure = Figure {
    name: "sentry_team_project_info",
    kind: Kind::Info,
    help: "Which teams have which projects, to join names with",
    source: "organizations/{organization}/projects/",
    labels: &["organization", "team", "project"],
    collector: Some(Collector::Projects),
};

pub static KEY_LIMIT_EVENTS: Figure = Figure {
    name: "sentry_client_key_rate_limit_events",
    kind: Kind::Gauge,
    help: "Events that a client key takes in each of its windows, for keys that are limited; key is the public part of its DSN",
    source: "organizations/{organization}/project-keys/, or projects/{organization}/{project}/keys/ on old servers",
    labels: &["organization", "project", "key"],
    collector: Some(Collector::ClientKeys),
};

pub static KEY_LIMIT_WINDOW: Figure = Figure {
    name: "sentry_client_key_rate_limit_window_seconds",
    kind: Kind::Gauge,
    help: "Length of the windows in which the events of a client key are counted, for keys that are limited",
    source: "organizations/{organization}/project-keys/, or projects/{organization}/{project}/keys/ on old servers",
    labels: &["organization", "project", "key"],
    collector: Some(Collector::ClientKeys),
};

pub static MONITORS: Figure = Figure {
    name: "sentry_monitors",
    kind: Kind::Gauge,
    help: "Monitors of scheduled jobs, each counted once: as disabled, or with the worst status of its environments (error, timeout, missed_checkin, ok, or active before the first check-in)",
    source: "organizations/{organization}/monitors/",
    labels: &["organization", "project", "status"],
    collector: Some(Collector::Monitors),
};

pub static CRASH_FREE_SESSIONS: Figure = Figure {
    name: "sentry_release_crash_free_sessions_ratio",
    kind: Kind::Gauge,
    help: "Share of the sessions of the last 24 hours that did not crash, for the newest releases among the 100 with most sessions",
    source: "organizations/{organization}/sessions/",
    labels: &["organization", "project", "release"],
    collector: Some(Collector::ReleaseHealth),
};

pub static CRASH_FREE_USERS: Figure = Figure {
    name: "sentry_release_crash_free_users_ratio",
    kind: Kind::Gauge,
    help: "Share of the users of the last 24 hours without a crash, for the newest releases among the 100 with most sessions",
    source: "organizations/{organization}/sessions/",
    labels: &["organization", "project", "release"],
    collector: Some(Collector::ReleaseHealth),
};

pub static RELEASE_SESSIONS: Figure = Figure {
    name: "sentry_release_sessions",
    kind: Kind::Gauge,
    help: "Sessions of the last 24 hours, for the newest releases among the 100 with most sessions",
    source: "organizations/{organization}/sessions/",
    labels: &["organization", "project", "release"],
    collector: Some(Collector::ReleaseHealth),
};

pub static ISSUE_EVENTS: Figure = Figure {
    name: "sentry_issue_events",
    kind: Kind::Gauge,
    help: "Events of the last 90 days of each unresolved issue, for the max_issue_series issues with most events",
    source: "organizations/{organization}/issues/?query=is:unresolved",
    labels: &["organization", "project", "issue", "level"],
    collector: Some(Collector::IssueEvents),
};

pub static ISSUE_SERIES_LIMIT: Figure = Figure {
    name: "sentry_issue_events_series_limit",
    kind: Kind::Gauge,
    help: "How many issues sentry_issue_events shows at most (max_issue_series)",
    source: "",
    labels: &["organization"],
    collector: Some(Collector::IssueEvents),
};

pub static ISSUE_SERIES_TRUNCATED: Figure = Figure {
    name: "sentry_issue_events_truncated",
    kind: Kind::Gauge,
    help: "Whether there are unresolved issues that sentry_issue_events does not show",
    source: "",
    labels: &["organization"],
    collector: Some(Collector::IssueEvents),
};

pub static UP: Figure = Figure {
    name: "sentry_up",
    kind: Kind::Gauge,
    help: "Whether the latest refresh could read the projects of the organization; 0 before the first has, without an organization where none is known",
    source: "",
    labels: &["organization"],
    collector: None,
};

pub static SNAPSHOT_AGE: Figure = Figure {
    name: "sentry_snapshot_age_seconds",
    kind: Kind::Gauge,
    help: "How long ago the latest refresh began that could read the projects of the organization; absent before the first",
    source: "",
    labels: &["organization"],
    collector: None,
};

pub static REFRESH_DURATION: Figure = Figure {
    name: "sentry_refresh_duration_seconds",
    kind: Kind::Gauge,
    help: "How long the latest refresh of the organization took; absent before the first has ended",
    source: "",
    labels: &["organization"],
    collector: None,
};

pub static PROJECTS_LEFT_OUT: Figure = Figure {
    name: "sentry_projects_left_out",
    kind: Kind::Gauge,
    help: "Chosen projects that the values lack, since they could not be read: closed to the token, or gone meanwhile",
    source: "",
    labels: &["organization"],
    collector: None,
};

pub static COLLECTOR_SUCCESS: Figure = Figure {
    name: "sentry_collector_success",
    kind: Kind::Gauge,
    help: "Whether a collector succeeded in the latest refresh; if not, its values are the latest that it had, up to max_age old",
    source: "",
    labels: &["organization", "collector"],
    collector: None,
};

pub static COLLECTOR_DURATION: Figure = Figure {
    name: "sentry_collector_duration_seconds",
    kind: Kind::Gauge,
    help: "How long a collector took in the latest refresh",
    source: "",
    labels: &["organization", "collector"],
    collector: None,
};

pub static COLLECTOR_AGE: Figure = Figure {
    name: "sentry_collector_age_seconds",
    kind: Kind::Gauge,
    help: "How long ago the values of a collector were asked for; absent while it has none",
    source: "",
    labels: &["organization", "collector"],
    collector: None,
};

pub static API_REQUESTS: Figure = Figure {
    name: "sentry_api_requests_total",
    kind: Kind::Counter,
    help: "Requests to Sentry by the status of the answer (none: there was no answer), further tries included; the organization is empty for the list of organizations and for probes",
    source: "",
    labels: &["organization", "status"],
    collector: None,
};

pub static RATE_LIMIT_REMAINING: Figure = Figure {
    name: "sentry_api_rate_limit_remaining",
    kind: Kind::Gauge,
    help: "Requests that the latest answer left in the current window of a class of endpoints; absent where Sentry states no limit",
    source: "",
    labels: &["organization", "class"],
    collector: None,
};

pub static BUILD_INFO: Figure = Figure {
    name: "sentry_exporter_build_info",
    kind: Kind::Info,
    help: "The version of the exporter",
    source: "",
    labels: &["version"],
    collector: None,
};

pub static RELOAD_SUCCESSFUL: Figure = Figure {
    name: "sentry_exporter_config_last_reload_successful",
    kind: Kind::Gauge,
    help: "Whether the latest attempt to read the configuration succeeded; if not, the one before is in use",
    source: "",
    labels: &[],
    collector: None,
};

pub static RELOAD_TIME: Figure = Figure {
    name: "sentry_exporter_config_last_reload_success_timestamp_seconds",
    kind: Kind::Gauge,
    help: "When the configuration in use was read, in seconds since the beginning of 1970",
    source: "",
    labels: &[],
    collector: None,
};

/// All figures, in the order in which they are shown.
pub static FIGURES: &[&Figure] = &[
    &EVENTS,
    &UNRESOLVED_ISSUES,
    &NEW_ISSUES,
    &REGRESSED_ISSUES,
    &ISSUES_TRUNCATED,
    &PROJECT_INFO,
    &TEAM_PROJECT_INFO,
    &KEY_LIMIT_EVENTS,
    &KEY_LIMIT_WINDOW,
    &MONITORS,
    &CRASH_FREE_SESSIONS,
    &CRASH_FREE_USERS,
    &RELEASE_SESSIONS,
    &ISSUE_EVENTS,
    &ISSUE_SERIES_LIMIT,
    &ISSUE_SERIES_TRUNCATED,
    &UP,
    &SNAPSHOT_AGE,
    &REFRESH_DURATION,
    &PROJECTS_LEFT_OUT,
    &COLLECTOR_SUCCESS,
    &COLLECTOR_DURATION,
    &COLLECTOR_AGE,
    &API_REQUESTS,
    &RATE_LIMIT_REMAINING,
    &BUILD_INFO,
    &RELOAD_SUCCESSFUL,
    &RELOAD_TIME,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        let names: BTreeSet<&str> = FIGURES.iter().map(|figure| figure.name).collect();
        assert_eq!(names.len(), FIGURES.len(), "no name stands twice");
        for Figure {
            name, kind, labels, ..
        } in FIGURES
        {
            let lower = |text: &str| {
                text.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            };
            assert!(name.starts_with("sentry_") && lower(name), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert_eq!(name.ends_with("_info"), *kind == Kind::Info, "{name}");
            for suffix in ["_count", "_sum", "_bucket", "_created"] {
                assert!(!name.ends_with(suffix), "{name}");
            }
            let distinct: BTreeSet<&str> = labels.iter().copied().collect();
            assert_eq!(distinct.len(), labels.len(), "{name}");
            for label in *labels {
                let reserved = ["le", "quantile", "type", "server", "job", "instance"];
                assert!(lower(label) && !reserved.contains(label), "{name}: {label}");
            }
        }
    }

    #[test]
    fn each_collector_has_figures_that_say_where_they_are_from() {
        for collector in Collector::ALL {
            let own: Vec<_> = FIGURES
                .iter()
                .filter(|figure| figure.collector == Some(collector))
                .collect();
            assert!(
                own.iter().any(|figure| !figure.source.is_empty()),
                "{collector:?}"
            );
            for figure in own.iter().filter(|figure| !figure.source.is_empty()) {
                let help = figure.help_text();
                assert!(
                    help.contains(figure.source) && help.contains("request"),
                    "{help}"
                );
            }
        }
        for figure in FIGURES {
            assert!(!figure.help.ends_with('.') && !figure.help_text().contains('\n'));
        }
    }
}
