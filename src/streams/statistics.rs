//! Statistics of usage and health: sums over intervals of time.

use crate::streams::def::{
    Apart, Derived, FULL_TABLE, Replication, Search, Span, StreamDef, Sums, Windows,
};
use crate::streams::interval::Interval;
use crate::streams::project::OF_A_PROJECT;
use tap_sentry_api::endpoint::{Class, Endpoint, LIST, OBJECT, Rows};

/// What every list of sums has in its path or query, as columns.
const INTERVAL_COLUMNS: &[&str] = &["organization_slug", Sums::LENGTH, Interval::START];

/// By the start of the interval. `full` and `apart`: as [`Sums`] has them.
const fn by_interval(full: usize, apart: Option<&'static Apart>) -> Replication {
    Replication::Incremental {
        key: Interval::START,
        refresh: false,
        windows: Some(Windows {
            windowed: false,
            project: None,
            searches: &[Search {
                query: &[],
                optional: false,
            }],
            activity: None,
            sums: Some(Sums {
                full,
                // What is counted late is so by minutes as a rule, and by days at most.
                growing_days: 3,
                at_once: 1,
                span: Span::StartEnd,
                apart,
            }),
        }),
    }
}

/// A list of sums in one answer.
const SUMS: Endpoint = Endpoint {
    rows: Rows::Whole,
    envelope: Some("groups"),
    optional: true,
    ..LIST
};

/// What all of them say.
const NOTE: &str = "One request for each `stats_interval`; the last three days are read again.";

const fn derived(column: &'static str, from: &'static [&'static [&'static str]]) -> Derived {
    Derived { column, from }
}

pub const ORGANIZATION_STATS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "organization_stats",
        path: "organizations/{organization_slug}/stats_v2/",
        query: &[
            ("project", "{projects}"),
            ("interval", "{interval}"),
            // By project Sentry answers totals only, so that an interval is a request.
            ("groupBy", "project"),
            ("groupBy", "category"),
            ("groupBy", "outcome"),
            ("groupBy", "reason"),
            ("field", "sum(quantity)"),
            ("field", "sum(times_seen)"),
        ],
        class: Class::Stats,
        ..SUMS
    },
    schema: include_str!("../../schemas/organization_stats.json"),
    key: &[
        "organization_slug",
        "project_id",
        "category",
        "outcome",
        "reason",
        Sums::LENGTH,
        Interval::START,
    ],
    columns: INTERVAL_COLUMNS,
    derived: &[
        derived("project_id", &[&["by", "project"]]),
        derived("category", &[&["by", "category"]]),
        derived("outcome", &[&["by", "outcome"]]),
        derived("reason", &[&["by", "reason"]]),
        derived("quantity", &[&["totals", "sum(quantity)"]]),
        derived("times_seen", &[&["totals", "sum(times_seen)"]]),
    ],
    replication: by_interval(10_000, None),
    // Most outcomes have no reason.
    empty_key: true,
    note: NOTE,
    ..FULL_TABLE
};

pub const ORGANIZATION_STATS_SUMMARY: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "organization_stats_summary",
        path: "organizations/{organization_slug}/stats-summary/",
        query: &[
            ("project", "{projects}"),
            ("interval", "{interval}"),
            ("field", "sum(quantity)"),
        ],
        envelope: Some("projects"),
        ..SUMS
    },
    schema: include_str!("../../schemas/organization_stats_summary.json"),
    key: &["organization_slug", "id", Sums::LENGTH, Interval::START],
    columns: INTERVAL_COLUMNS,
    // 10,000 sums, of which a project may have one for each of 7 outcomes of some 25 categories.
    replication: by_interval(50, None),
    selected_by_default: false,
    note: "Several requests for each `stats_interval`; `organization_stats` tells the same by row.",
    ..FULL_TABLE
};

/// What is counted of a project, each by itself.
const STATS: &[Search] = &[
    stat(&[("stat", "received")]),
    stat(&[("stat", "rejected")]),
    stat(&[("stat", "blacklisted")]),
    stat(&[("stat", "generated")]),
];

const fn stat(query: &'static [(&'static str, &'static str)]) -> Search {
    Search {
        query,
        optional: false,
    }
}

pub const PROJECT_STATS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "project_stats",
        path: "projects/{organization_slug}/{project_id}/stats/",
        query: &[("resolution", "{interval}")],
        rows: Rows::Whole,
        offset_paged: false,
        class: Class::ProjectStats,
        scopes: &["project:read"],
        ..LIST
    },
    schema: include_str!("../../schemas/project_stats.json"),
    key: &["project_id", "stat", Sums::LENGTH, Interval::START],
    parent: Some(OF_A_PROJECT),
    columns: &["organization_slug", "project_id", "stat", Sums::LENGTH],
    pair: Some([Interval::START, "count"]),
    replication: Replication::Incremental {
        key: Interval::START,
        refresh: false,
        windows: Some(Windows {
            windowed: false,
            project: None,
            searches: STATS,
            activity: None,
            sums: Some(Sums {
                full: usize::MAX,
                growing_days: 3,
                at_once: 100,
                span: Span::SinceUntil,
                apart: None,
            }),
        }),
    },
    selected_by_default: false,
    note: "At most 5 requests a second. What is zero has a row.",
    ..FULL_TABLE
};

/// The releases that have sessions in an interval.
static RELEASES_OF_SESSIONS: Endpoint = Endpoint {
    name: "releases of sessions",
    path: "organizations/{organization_slug}/sessions/",
    query: &[
        ("project", "{projects}"),
        ("interval", "{interval}"),
        ("groupBy", "release"),
        ("field", "sum(session)"),
        ("includeSeries", "0"),
    ],
    envelope: Some("groups"),
    ..OBJECT
};

static BY_RELEASE: Apart = Apart {
    by: "release",
    parameter: "query",
    list: &RELEASES_OF_SESSIONS,
    full: 5_000,
};

pub const SESSIONS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "sessions",
        path: "organizations/{organization_slug}/sessions/",
        query: &[
            ("project", "{projects}"),
            ("interval", "{interval}"),
            ("groupBy", "project"),
            ("groupBy", "release"),
            ("groupBy", "environment"),
            ("groupBy", "session.status"),
            ("field", "sum(session)"),
            ("field", "count_unique(user)"),
            ("includeSeries", "0"),
        ],
        ..SUMS
    },
    schema: include_str!("../../schemas/sessions.json"),
    key: &[
        "organization_slug",
        "project_id",
        "release",
        "environment",
        "status",
        Sums::LENGTH,
        Interval::START,
    ],
    columns: INTERVAL_COLUMNS,
    derived: &[
        derived("project_id", &[&["by", "project"]]),
        derived("release", &[&["by", "release"]]),
        derived("environment", &[&["by", "environment"]]),
        derived("status", &[&["by", "session.status"]]),
        derived("sessions", &[&["totals", "sum(session)"]]),
        derived("users", &[&["totals", "count_unique(user)"]]),
    ],
    // 10,000 points, of which a group has a total and its intervals.
    replication: by_interval(5_000, Some(&BY_RELEASE)),
    empty_key: true,
    selected_by_default: false,
    note: NOTE,
    ..FULL_TABLE
};
