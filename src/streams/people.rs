//! Teams, users and members.

use crate::streams::def::{FULL_TABLE, Parent, StreamDef};
use crate::streams::project::{OF_A_PROJECT, PROJECT_COLUMNS};
use tap_sentry_api::endpoint::{Class, Endpoint, LIST, Rows};
use tap_sentry_api::endpoints;

pub const TEAMS: StreamDef = StreamDef {
    endpoint: endpoints::TEAMS,
    schema: include_str!("../../schemas/teams.json"),
    ..FULL_TABLE
};

/// What a team tells the streams below it.
const OF_A_TEAM: Parent = Parent {
    stream: "teams",
    bind: &[("team_id", &["id"]), ("team_slug", &["slug"])],
    at: None,
};

pub const TEAM_MEMBERS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "team_members",
        path: "teams/{organization_slug}/{team_slug}/members/",
        scopes: &["team:read"],
        ..LIST
    },
    schema: include_str!("../../schemas/team_members.json"),
    key: &["team_id", "id"],
    parent: Some(OF_A_TEAM),
    columns: &["organization_slug", "team_id"],
    selected_by_default: false,
    ..FULL_TABLE
};

pub const USERS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "users",
        path: "organizations/{organization_slug}/users/",
        // Without `project` only members of the caller's own projects are listed.
        query: &[("project", "-1")],
        rows: Rows::Whole,
        ..LIST
    },
    schema: include_str!("../../schemas/users.json"),
    note: "Active members of the projects' teams; `members` also has pending invitations.",
    ..FULL_TABLE
};

pub const MEMBERS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "members",
        path: "organizations/{organization_slug}/members/",
        class: Class::Members,
        scopes: &["member:read"],
        ..LIST
    },
    schema: include_str!("../../schemas/members.json"),
    ..FULL_TABLE
};

pub const PROJECT_MEMBERS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "project_members",
        path: "projects/{organization_slug}/{project_id}/members/",
        rows: Rows::Whole,
        scopes: &["project:read"],
        ..LIST
    },
    schema: include_str!("../../schemas/project_members.json"),
    key: &["project_id", "id"],
    parent: Some(OF_A_PROJECT),
    columns: PROJECT_COLUMNS,
    selected_by_default: false,
    ..FULL_TABLE
};

pub const EVENT_USERS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "event_users",
        path: "projects/{organization_slug}/{project_id}/users/",
        scopes: &["project:read"],
        ..LIST
    },
    schema: include_str!("../../schemas/event_users.json"),
    key: &["project_id", "hash"],
    parent: Some(OF_A_PROJECT),
    columns: PROJECT_COLUMNS,
    selected_by_default: false,
    ..FULL_TABLE
};
