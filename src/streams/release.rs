//! Releases.

use crate::streams::def::{FULL_TABLE, ONE_SEARCH, Parent, Replication, StreamDef, Windows};
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
            searches: ONE_SEARCH,
            sums: None,
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
    note: "Releases created since the bookmark or in the last `issue_refresh_days`.",
    ..FULL_TABLE
};

/// What the streams below each release have in common: deploys, commits and files come after the release.
const BELOW: StreamDef = StreamDef {
    parent: Some(OF_A_RELEASE),
    replication: refreshed("dateCreated"),
    columns: &["organization_slug", "version"],
    selected_by_default: false,
    ..FULL_TABLE
};

const fn refreshed(key: &'static str) -> Replication {
    Replication::Incremental {
        key,
        refresh: true,
        windows: None,
    }
}

/// What their lists have in common.
const LIST_OF_A_RELEASE: Endpoint = Endpoint {
    scopes: SCOPES,
    ..LIST
};

pub const DEPLOYS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "release_deploys",
        path: "organizations/{organization_slug}/releases/{version}/deploys/",
        ..LIST_OF_A_RELEASE
    },
    schema: include_str!("../../schemas/release_deploys.json"),
    replication: refreshed("dateFinished"),
    note: "Sentry tells the last deploy of a release to each environment of a project, so earlier ones are lost unless a run came between.",
    ..BELOW
};

pub const COMMITS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "release_commits",
        path: "organizations/{organization_slug}/releases/{version}/commits/",
        offset_paged: false,
        ..LIST_OF_A_RELEASE
    },
    schema: include_str!("../../schemas/release_commits.json"),
    // A hash is of one repository, as good as always; a row need not name it.
    key: &["organization_slug", "version", "id"],
    ..BELOW
};

pub const COMMIT_FILES: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "release_commit_files",
        path: "organizations/{organization_slug}/releases/{version}/commitfiles/",
        scopes: &["project:releases"],
        ..LIST_OF_A_RELEASE
    },
    schema: include_str!("../../schemas/release_commit_files.json"),
    replication: refreshed("release_created_at"),
    columns: &["organization_slug", "version", "release_created_at"],
    ..BELOW
};

pub const FILES: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "release_files",
        path: "organizations/{organization_slug}/releases/{version}/files/",
        ..LIST_OF_A_RELEASE
    },
    schema: include_str!("../../schemas/release_files.json"),
    ..BELOW
};
