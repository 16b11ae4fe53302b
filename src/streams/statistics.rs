//! Statistics of usage and health: sums over intervals of time.

use crate::streams::def::{Derived, FULL_TABLE, Replication, Search, StreamDef, Sums, Windows};
use tap_sentry_api::endpoint::{Class, Endpoint, LIST, Rows};

/// What every list of sums has in its path or query, as columns.
const INTERVAL_COLUMNS: &[&str] = &["organization_slug", Sums::LENGTH, Sums::START];

/// By the start of the interval. Outcomes are counted late: minutes as a rule, and days at most.
const BY_INTERVAL: Replication = Replication::Incremental {
    key: Sums::START,
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
            full: 10_000,
            growing_days: 3,
        }),
    }),
};

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
        rows: Rows::Whole,
        envelope: Some("groups"),
        optional: true,
        class: Class::Stats,
        ..LIST
    },
    schema: include_str!("../../schemas/organization_stats.json"),
    key: &[
        "organization_slug",
        "project_id",
        "category",
        "outcome",
        "reason",
        Sums::LENGTH,
        Sums::START,
    ],
    columns: INTERVAL_COLUMNS,
    derived: &[
        Derived {
            column: "project_id",
            from: &[&["by", "project"]],
        },
        Derived {
            column: "category",
            from: &[&["by", "category"]],
        },
        Derived {
            column: "outcome",
            from: &[&["by", "outcome"]],
        },
        Derived {
            column: "reason",
            from: &[&["by", "reason"]],
        },
        Derived {
            column: "quantity",
            from: &[&["totals", "sum(quantity)"]],
        },
        Derived {
            column: "times_seen",
            from: &[&["totals", "sum(times_seen)"]],
        },
    ],
    replication: BY_INTERVAL,
    // Most outcomes have no reason.
    empty_key: true,
    note: "One request for each `stats_interval`; the last three days are read again.",
    ..FULL_TABLE
};
