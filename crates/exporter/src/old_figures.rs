//! The figures of older exporters: their names and labels, with what they really say.

use crate::collector::Collector;
use crate::dialect::Dialect;
use crate::figures::{FIGURES, Figure, ISSUES_TRUNCATED, Kind};

/// Figures of a dialect that are fetched together.
#[derive(Debug)]
pub struct Group {
    pub dialect: Dialect,
    /// What switches them.
    pub collector: Collector,
    /// What a token needs for them.
    pub scopes: &'static str,
    /// What they ask of Sentry in one refresh.
    pub cost: &'static str,
    pub figures: &'static [&'static Figure],
}

const AGES: &str = "organizations/{organization}/issues/?query=age:-14d&environment=, or projects/{organization}/{project}/issues/ on old servers";

pub static ITALUX_BUCKET: Figure = Figure {
    name: "sentry_issues_bucket",
    kind: Kind::Gauge,
    help: "Events of the issues that were first seen in the environment at most an hour (le 1h), 24 hours (24h) or 14 days (+Inf) ago, whatever became of the issues; a lower bound where sentry_issues_truncated is 1",
    source: AGES,
    labels: &["project_slug", "environment", "le"],
    collector: None,
};

pub static ITALUX_COUNT: Figure = Figure {
    name: "sentry_issues_gcount",
    kind: Kind::Gauge,
    help: "The last of the series of sentry_issues_bucket",
    source: AGES,
    labels: &["project_slug", "environment"],
    collector: None,
};

pub static ITALUX_SUM: Figure = Figure {
    name: "sentry_issues_gsum",
    kind: Kind::Gauge,
    help: "The series of sentry_issues_bucket added up, which counts young issues several times: for those who ask for it",
    source: AGES,
    labels: &["project_slug", "environment"],
    collector: None,
};

pub static ITALUX_OPEN: Figure = Figure {
    name: "sentry_open_issue_events",
    kind: Kind::Gauge,
    help: "Events of each issue that was first seen in the environment in the last hour, whatever became of it",
    source: "organizations/{organization}/issues/?query=age:-14d&environment=, and organizations/{organization}/issues/{issue}/current-release/ for the release",
    labels: &[
        "issue_id",
        "logger",
        "level",
        "status",
        "platform",
        "project_slug",
        "environment",
        "release",
        "isUnhandled",
        "firstSeen",
        "lastSeen",
    ],
    collector: None,
};

pub static ITALUX_EVENTS: Figure = Figure {
    name: "sentry_events_total",
    kind: Kind::Counter,
    help: "Errors since the first of the month (UTC): received, and of these rejected (by rate limits) and blacklisted (by filters); within a month never less than was told before",
    source: "organizations/{organization}/stats_v2/, or projects/{organization}/{project}/stats/ on servers before 21.4",
    labels: &["project_slug", "stat"],
    collector: None,
};

pub static ITALUX_LIMIT: Figure = Figure {
    name: "sentry_rate_limit_events_sec",
    kind: Kind::Gauge,
    help: "Events per second that the first client key of a project takes; 0 if it has no limit",
    source: "organizations/{organization}/project-keys/, or projects/{organization}/{project}/keys/ on old servers",
    labels: &["project_slug"],
    collector: None,
};

pub static MAGGOTMOUTH_INFO: Figure = Figure {
    name: "sentry_project_info",
    kind: Kind::Info,
    help: "Which teams have which projects, to join names with",
    source: "organizations/{organization}/projects/",
    labels: &["organisation", "team", "project"],
    collector: None,
};

pub static MAGGOTMOUTH_ERRORS: Figure = Figure {
    name: "sentry_project_errors",
    kind: Kind::Gauge,
    help: "Errors of the last full 5 minutes, up to the last 10 seconds that are complete: received, rejected (by rate limits), blacklisted (by filters) and generated (stored)",
    source: "projects/{organization}/{project}/stats/",
    labels: &["organisation", "project", "query"],
    collector: None,
};

pub static MAGGOTMOUTH_CALLS: Figure = Figure {
    name: "sentry_api_calls",
    kind: Kind::Gauge,
    help: "Requests to Sentry of the latest refresh that had an answer of success, and others",
    source: "",
    labels: &["status"],
    collector: None,
};

pub static UJAMII_OPEN: Figure = Figure {
    name: "sentry_open_issue_events",
    kind: Kind::Gauge,
    help: "Events of the last 90 days of each unresolved issue; issues are missing where sentry_issues_truncated is 1",
    source: "organizations/{organization}/issues/?query=is:unresolved",
    labels: &[
        "project_slug",
        "project_name",
        "issue_logger",
        "issue_type",
        "issue_link",
        "issue_level",
    ],
    collector: None,
};

/// All of them, in the order in which they are shown.
pub static GROUPS: &[Group] = &[
    Group {
        dialect: Dialect::Italux,
        collector: Collector::Issues,
        scopes: "`event:read` and `project:read`",
        cost: "for each environment 1 request for each 100 issues, up to `max_issue_pages`; 1 for each issue of the last hour and environment",
        figures: &[
            &ITALUX_BUCKET,
            &ITALUX_COUNT,
            &ITALUX_SUM,
            &ITALUX_OPEN,
            &ISSUES_TRUNCATED,
        ],
    },
    Group {
        dialect: Dialect::Italux,
        collector: Collector::Events,
        scopes: "`org:read`; `project:read` on servers before 21.4",
        cost: "1 request; on servers before 21.4, 3 a project",
        figures: &[&ITALUX_EVENTS],
    },
    Group {
        dialect: Dialect::Italux,
        collector: Collector::ClientKeys,
        scopes: "`org:read`; `project:read` on old servers",
        cost: "1 request for each 100 keys; on old servers, 1 a project",
        figures: &[&ITALUX_LIMIT],
    },
    Group {
        dialect: Dialect::Maggotmouth,
        collector: Collector::Projects,
        scopes: "`org:read`",
        cost: "1 request for each 100 projects, which every collector needs",
        figures: &[&MAGGOTMOUTH_INFO],
    },
    Group {
        dialect: Dialect::Maggotmouth,
        collector: Collector::Events,
        scopes: "`project:read`",
        cost: "4 requests a project, or as many as `include_queries` names",
        figures: &[&MAGGOTMOUTH_ERRORS, &MAGGOTMOUTH_CALLS],
    },
    Group {
        dialect: Dialect::Ujamii,
        collector: Collector::IssueEvents,
        scopes: "`event:read`",
        cost: "1 request for each 100 unresolved issues, up to `max_issue_pages`",
        figures: &[&UJAMII_OPEN, &ISSUES_TRUNCATED],
    },
];

/// The figures that a dialect has: the exporter's own stand in all of them.
pub fn figures_of(dialect: Dialect) -> Vec<&'static Figure> {
    if dialect == Dialect::Native {
        return FIGURES.to_vec();
    }
    let groups = GROUPS.iter().filter(|group| group.dialect == dialect);
    let old = groups.flat_map(|group| group.figures.iter().copied());
    let own = FIGURES
        .iter()
        .copied()
        .filter(|figure| figure.collector.is_none());
    old.chain(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_dialect_has_each_name_once_and_all_of_our_own() {
        for dialect in Dialect::ALL {
            let figures = figures_of(dialect);
            let names: BTreeSet<&str> = figures.iter().map(|figure| figure.name).collect();
            assert_eq!(names.len(), figures.len(), "{dialect}");
            for own in [
                "sentry_up",
                "sentry_collector_success",
                "sentry_exporter_build_info",
            ] {
                assert!(names.contains(own), "{dialect}: {own}");
            }
            for figure in figures {
                assert!(!figure.help.ends_with('.') && !figure.help_text().contains('\n'));
            }
        }
    }

    #[test]
    fn a_dialect_has_the_groups_that_can_be_switched_in_it() {
        for dialect in Dialect::ALL.into_iter().skip(1) {
            let groups = GROUPS.iter().filter(|group| group.dialect == dialect);
            let groups: BTreeSet<Collector> = groups.map(|group| group.collector).collect();
            let switches = dialect.collectors().into_iter();
            let switches: BTreeSet<Collector> = switches.map(|(collector, _)| collector).collect();
            assert_eq!(groups, switches, "{dialect}");
        }
    }
}
