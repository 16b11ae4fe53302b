//! Releases.

use crate::streams::def::{FULL_TABLE, Parent, Replication, Search, StreamDef, Windows};
use tap_sentry_api::endpoint::{Class, Endpoint, LIST, OBJECT};

const SCOPES: &[&str] = &["project:read", "project:releases", "org:ci"];
const KEY: &[&str] = &["organization_slug", "version"];

/// What a release tells the streams below it.
const OF_A_RELEASE: Parent = Parent {
    stream: "releases",
    bind: &[("version", &["version"])],
    at: Some("release_created_at"),
};

pub const RELEASES: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "releases",
        path: "organizations/{organization_slug}/releases/",
        // Present and empty: without it archived releases are left out.
        query: &[("status", ""), ("project", "{projects}")],
        class: Class::Releases,
        scopes: SCOPES,
        ..LIST
    },
    schema: include_str!("../../schemas/releases.json"),
    key: KEY,
    replication: Replication::Incremental {
        key: "dateCreated",
        refresh: true,
        windows: Some(Windows {
            windowed: false,
            project: None,
            searches: &[Search {
                query: &[],
                optional: false,
            }],
            activity: None,
        }),
    },
    ..FULL_TABLE
};

pub const RELEASE: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "release",
        path: "organizations/{organization_slug}/releases/{version}/",
        scopes: SCOPES,
        ..OBJECT
    },
    schema: include_str!("../../schemas/release.json"),
    key: KEY,
    parent: Some(OF_A_RELEASE),
    replication: Replication::Incremental {
        key: "dateCreated",
        refresh: true,
        windows: None,
    },
    note: "One request per release created since the bookmark or in the last `issue_refresh_days`.",
    ..FULL_TABLE
};
