//! Projects.

use crate::streams::def::{Choice, FULL_TABLE, Parent, StreamDef};
use crate::streams::organization::OPTIONAL_LIST;
use tap_sentry_api::endpoint::{Endpoint, OBJECT};
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
    note: "One request per project.",
    ..FULL_TABLE
};

pub const PROJECT_KEYS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "project_keys",
        path: "organizations/{organization_slug}/project-keys/",
        ..OPTIONAL_LIST
    },
    schema: include_str!("../../schemas/project_keys.json"),
    project: Some(&["projectId"]),
    secrets: &[&["secret"], &["dsn", "secret"]],
    ..FULL_TABLE
};
