//! Teams, users and members.

use crate::streams::def::{FULL_TABLE, StreamDef};
use tap_sentry_api::endpoint::{Class, Endpoint, LIST, Rows};
use tap_sentry_api::endpoints;

pub const TEAMS: StreamDef = StreamDef {
    endpoint: endpoints::TEAMS,
    schema: include_str!("../../schemas/teams.json"),
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
