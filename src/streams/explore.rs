//! What people have saved to look at: dashboards and queries.

use crate::streams::def::{FULL_TABLE, StreamDef};
use crate::streams::organization::OPTIONAL_LIST;
use tap_sentry_api::endpoint::Endpoint;

pub const DASHBOARDS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "dashboards",
        path: "organizations/{organization_slug}/dashboards/",
        ..OPTIONAL_LIST
    },
    schema: include_str!("../../schemas/dashboards.json"),
    // Prebuilt ones have the same id in each organization.
    key: &["organization_slug", "id"],
    ..FULL_TABLE
};

pub const SAVED_QUERIES: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "discover_saved_queries",
        path: "organizations/{organization_slug}/discover/saved/",
        ..OPTIONAL_LIST
    },
    schema: include_str!("../../schemas/discover_saved_queries.json"),
    ..FULL_TABLE
};
