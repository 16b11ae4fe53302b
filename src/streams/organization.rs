//! Organizations: what every stream is read for, and what belongs to none of their projects.

use crate::streams::def::{FULL_TABLE, ONE_SEARCH, Parent, Replication, StreamDef, Windows};
use tap_sentry_api::endpoint::{Endpoint, LIST, OBJECT, Rows};
use tap_sentry_api::endpoints;
use tap_sentry_api::params::ORGANIZATION;

/// What an organization tells the streams below it.
pub const OF_AN_ORGANIZATION: Parent = Parent {
    stream: "organizations",
    bind: &[(ORGANIZATION, &["slug"])],
    at: None,
};

/// How the organizations of a token are found when none is configured; not a stream.
pub static ORGANIZATIONS: StreamDef = StreamDef {
    endpoint: endpoints::ORGANIZATIONS,
    columns: &[],
    ..FULL_TABLE
};

/// A list of the organization that not all servers and plans have.
pub const OPTIONAL_LIST: Endpoint = Endpoint {
    optional: true,
    ..LIST
};

/// The same in one answer.
const OPTIONAL_WHOLE: Endpoint = Endpoint {
    rows: Rows::Whole,
    ..OPTIONAL_LIST
};

pub const ORGANIZATION_SETTINGS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "organizations",
        path: "organizations/{organization_slug}/",
        // Otherwise all teams and projects come along.
        query: &[("detailed", "0")],
        ..OBJECT
    },
    schema: include_str!("../../schemas/organizations.json"),
    ..FULL_TABLE
};

pub const ENVIRONMENTS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "organization_environments",
        path: "organizations/{organization_slug}/environments/",
        query: &[("visibility", "all"), ("project", "{projects}")],
        ..OPTIONAL_WHOLE
    },
    schema: include_str!("../../schemas/organization_environments.json"),
    ..FULL_TABLE
};

pub const TAGS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "organization_tags",
        path: "organizations/{organization_slug}/tags/",
        query: &[("project", "{projects}"), ("statsPeriod", "90d")],
        ..OPTIONAL_WHOLE
    },
    schema: include_str!("../../schemas/organization_tags.json"),
    key: &["organization_slug", "key"],
    ..FULL_TABLE
};

pub const RELAY_USAGE: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "relay_usage",
        path: "organizations/{organization_slug}/relay_usage/",
        ..OPTIONAL_WHOLE
    },
    schema: include_str!("../../schemas/relay_usage.json"),
    key: &["organization_slug", "relayId", "version"],
    selected_by_default: false,
    note: "Has rows where Relays of one's own are registered.",
    ..FULL_TABLE
};

pub const AUDIT_LOGS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "audit_logs",
        path: "organizations/{organization_slug}/audit-logs/",
        envelope: Some("rows"),
        // By time, which no deletion moves.
        offset_paged: false,
        scopes: &["org:write"],
        ..OPTIONAL_LIST
    },
    schema: include_str!("../../schemas/audit_logs.json"),
    replication: Replication::Incremental {
        key: "dateCreated",
        refresh: false,
        windows: Some(Windows {
            windowed: false,
            project: None,
            searches: ONE_SEARCH,
            sums: None,
            activity: None,
        }),
    },
    immutable: true,
    selected_by_default: false,
    note: "Needs a token with `org:write`, which no other stream does. One bookmark for the organization; on sentry.io, ask `https://sentry.io` and not a region's host.",
    ..FULL_TABLE
};
