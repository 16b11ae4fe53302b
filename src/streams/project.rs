//! Projects.

use crate::streams::def::{Choice, FULL_TABLE, Parent, Replication, StreamDef};
use crate::streams::organization::OPTIONAL_LIST;
use chrono::TimeDelta;
use tap_sentry_api::endpoint::{Endpoint, LIST, OBJECT, Rows};
use tap_sentry_api::endpoints;
use tap_sentry_api::params::{PROJECT_ID, PROJECT_SLUG};

/// What a project tells the streams below it.
pub const OF_A_PROJECT: Parent = Parent {
    stream: "projects",
    bind: &[(PROJECT_ID, &["id"]), (PROJECT_SLUG, &["slug"])],
    at: None,
};

/// What rows carry that do not name their project themselves.
pub const PROJECT_COLUMNS: &[&str] = &["organization_slug", "project_slug", "project_id"];

pub const PROJECTS: StreamDef = StreamDef {
    endpoint: endpoints::PROJECTS,
    schema: include_str!("../../schemas/projects.json"),
    choice: Some(Choice {
        slug: "slug",
        access: "hasAccess",
    }),
    ..FULL_TABLE
};

pub const PROJECT_DETAIL: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "project_detail",
        path: "projects/{organization_slug}/{project_id}/",
        scopes: &["project:read"],
        ..OBJECT
    },
    schema: include_str!("../../schemas/project_detail.json"),
    parent: Some(OF_A_PROJECT),
    ..FULL_TABLE
};

pub const PROJECT_KEYS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "project_keys",
        path: "organizations/{organization_slug}/project-keys/",
        query: &[("project", "{projects}")],
        // By key, which no deletion moves.
        offset_paged: false,
        ..OPTIONAL_LIST
    },
    schema: include_str!("../../schemas/project_keys.json"),
    secrets: &[&["secret"], &["dsn", "secret"]],
    ..FULL_TABLE
};

/// What the streams below each project have in common.
const BELOW: StreamDef = StreamDef {
    key: &["project_id", "id"],
    parent: Some(OF_A_PROJECT),
    columns: PROJECT_COLUMNS,
    selected_by_default: false,
    ..FULL_TABLE
};

/// What their lists have in common.
const LIST_OF_A_PROJECT: Endpoint = Endpoint {
    scopes: &["project:read"],
    ..LIST
};

pub const PROJECT_ENVIRONMENTS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "project_environments",
        path: "projects/{organization_slug}/{project_id}/environments/",
        query: &[("visibility", "all")],
        rows: Rows::Whole,
        ..LIST_OF_A_PROJECT
    },
    schema: include_str!("../../schemas/project_environments.json"),
    ..BELOW
};

pub const PROJECT_OWNERSHIP: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "project_ownership",
        path: "projects/{organization_slug}/{project_id}/ownership/",
        rows: Rows::Object,
        ..LIST_OF_A_PROJECT
    },
    schema: include_str!("../../schemas/project_ownership.json"),
    key: &["project_id"],
    ..BELOW
};

pub const PROJECT_FILTERS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "project_filters",
        path: "projects/{organization_slug}/{project_id}/filters/",
        rows: Rows::Whole,
        ..LIST_OF_A_PROJECT
    },
    schema: include_str!("../../schemas/project_filters.json"),
    ..BELOW
};

pub const SERVICE_HOOKS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "service_hooks",
        path: "projects/{organization_slug}/{project_id}/hooks/",
        optional: true,
        ..LIST_OF_A_PROJECT
    },
    schema: include_str!("../../schemas/service_hooks.json"),
    key: &["id"],
    secrets: &[&["secret"]],
    ..BELOW
};

pub const PROJECT_TEAMS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "project_teams",
        path: "projects/{organization_slug}/{project_id}/teams/",
        ..LIST_OF_A_PROJECT
    },
    schema: include_str!("../../schemas/project_teams.json"),
    ..BELOW
};

pub const DEBUG_FILES: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "debug_files",
        path: "projects/{organization_slug}/{project_id}/files/dsyms/",
        scopes: &["project:read", "project:releases", "org:ci"],
        ..LIST_OF_A_PROJECT
    },
    schema: include_str!("../../schemas/debug_files.json"),
    key: &["id"],
    ..BELOW
};

pub const USER_FEEDBACK: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "user_feedback",
        path: "projects/{organization_slug}/{project_id}/user-feedback/",
        // Present and empty: without it only those of unresolved issues are listed.
        query: &[("status", "")],
        optional: true,
        // By time, which no deletion moves.
        offset_paged: false,
        ..LIST_OF_A_PROJECT
    },
    schema: include_str!("../../schemas/user_feedback.json"),
    key: &["id"],
    replication: Replication::with_parent("dateCreated"),
    newest_first: true,
    // A user may write the report of an event anew for five minutes.
    overlap: TimeDelta::hours(1),
    note: "Reports of the crash dialog. What the feedback widget sends is in `issues`, with `issueCategory` `feedback`.",
    ..BELOW
};

pub const PROJECT_TAGS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "project_tags",
        path: "organizations/{organization_slug}/tags/",
        query: &[("project", "{project_id}"), ("statsPeriod", "90d")],
        rows: Rows::Whole,
        ..LIST
    },
    schema: include_str!("../../schemas/project_tags.json"),
    key: &["project_id", "key"],
    ..BELOW
};

pub const PROJECT_TAG_VALUES: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "project_tag_values",
        path: "projects/{organization_slug}/{project_id}/tags/{key}/values/",
        ..LIST_OF_A_PROJECT
    },
    schema: include_str!("../../schemas/project_tag_values.json"),
    key: &["project_id", "key", "value"],
    parent: Some(Parent {
        stream: "project_tags",
        bind: TAG,
        at: None,
    }),
    empty_key: true,
    ..BELOW
};

/// What a tag tells the streams below it.
pub const TAG: &[(&str, &[&str])] = &[("key", &["key"])];
