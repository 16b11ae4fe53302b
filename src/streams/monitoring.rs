//! What watches, and whom it tells: monitors, detectors, workflows and the alert rules of older servers.

use crate::streams::def::{FULL_TABLE, Parent, Replication, StreamDef};
use crate::streams::organization::OPTIONAL_LIST;
use chrono::TimeDelta;
use tap_sentry_api::endpoint::{Endpoint, LIST};

/// What the lists of monitoring have in common.
const WATCHING: Endpoint = Endpoint {
    scopes: &["org:read", "alerts:read"],
    ..OPTIONAL_LIST
};

pub const MONITORS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "monitors",
        path: "organizations/{organization_slug}/monitors/",
        // By default those in trouble come first, so that rows move while they are read.
        query: &[("project", "{projects}"), ("sort", "name")],
        ..WATCHING
    },
    schema: include_str!("../../schemas/monitors.json"),
    ..FULL_TABLE
};

pub const CHECK_INS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "monitor_checkins",
        path: "organizations/{organization_slug}/monitors/{monitor_id}/checkins/",
        scopes: &["project:read", "alerts:read"],
        ..LIST
    },
    schema: include_str!("../../schemas/monitor_checkins.json"),
    parent: Some(Parent {
        stream: "monitors",
        bind: &[("monitor_id", &["id"]), ("monitor_slug", &["slug"])],
        at: None,
    }),
    replication: Replication::with_parent("dateAdded"),
    in_windows: true,
    // Until the job ends, or is given up.
    overlap: TimeDelta::days(1),
    columns: &["organization_slug", "monitor_id", "monitor_slug"],
    selected_by_default: false,
    note: "Those of the last day before the bookmark are read again, since a job that runs changes its row.",
    ..FULL_TABLE
};

pub const DETECTORS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "detectors",
        path: "organizations/{organization_slug}/detectors/",
        query: &[("project", "{projects}"), ("sortBy", "id")],
        ..WATCHING
    },
    schema: include_str!("../../schemas/detectors.json"),
    ..FULL_TABLE
};

pub const WORKFLOWS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "workflows",
        path: "organizations/{organization_slug}/workflows/",
        query: &[("project", "{projects}"), ("sortBy", "id")],
        ..WATCHING
    },
    schema: include_str!("../../schemas/workflows.json"),
    ..FULL_TABLE
};

pub const ALERT_RULES: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "alert_rules",
        path: "organizations/{organization_slug}/alert-rules/",
        query: &[("project", "{projects}")],
        ..WATCHING
    },
    schema: include_str!("../../schemas/alert_rules.json"),
    selected_by_default: false,
    note: "Only servers from before detectors have it; sentry.io is taking it away.",
    ..FULL_TABLE
};
