//! Recordings of what users did.

use crate::streams::def::{FULL_TABLE, ONE_SEARCH, Replication, StreamDef, Windows};
use crate::streams::organization::OPTIONAL_LIST;
use chrono::TimeDelta;
use tap_sentry_api::endpoint::Endpoint;

pub const REPLAYS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "replays",
        path: "organizations/{organization_slug}/replays/",
        query: &[("project", "{projects}"), ("sort", "-started_at")],
        envelope: Some("data"),
        ..OPTIONAL_LIST
    },
    schema: include_str!("../../schemas/replays.json"),
    replication: Replication::Incremental {
        key: "started_at",
        refresh: false,
        windows: Some(Windows {
            windowed: true,
            project: None,
            searches: ONE_SEARCH,
            sums: None,
            activity: None,
        }),
    },
    // A replay grows for an hour at most, and its last part may come late.
    overlap: TimeDelta::hours(2),
    note: "Those of the last 2 hours before the bookmark are read again, since a replay grows. Recordings themselves are not extracted.",
    ..FULL_TABLE
};
