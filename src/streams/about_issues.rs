//! What is known of issues beside their events, and what is attached to events.

use crate::streams::def::{Body, Parent, Replication, StreamDef};
use crate::streams::issue::{ISSUE, OF_AN_EVENT, OF_AN_ISSUE};
use crate::streams::project::{PROJECT_COLUMNS, TAG};
use tap_sentry_api::endpoint::{Endpoint, LIST, OBJECT, Rows};

/// What the streams below each issue have in common.
const BELOW: StreamDef = StreamDef {
    parent: Some(OF_AN_ISSUE),
    columns: &[
        "organization_slug",
        "project_slug",
        "project_id",
        "issue_id",
    ],
    selected_by_default: false,
    ..ISSUE
};

/// The same for rows that have no time of their own.
const BELOW_TIMELESS: StreamDef = StreamDef {
    replication: Replication::with_parent("issue_seen_at"),
    columns: &[
        "organization_slug",
        "project_slug",
        "project_id",
        "issue_id",
        "issue_seen_at",
    ],
    ..BELOW
};

/// What their lists have in common.
const LIST_OF_AN_ISSUE: Endpoint = Endpoint {
    scopes: &["event:read"],
    ..LIST
};

pub const HASHES: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "issue_hashes",
        path: "organizations/{organization_slug}/issues/{issue_id}/hashes/",
        // Present and empty: anything else, `false` too, brings the whole latest event of each.
        query: &[("full", "")],
        ..LIST_OF_AN_ISSUE
    },
    schema: include_str!("../../schemas/issue_hashes.json"),
    key: &["issue_id", "id"],
    ..BELOW_TIMELESS
};

pub const ACTIVITIES: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "issue_activities",
        path: "organizations/{organization_slug}/issues/{issue_id}/activities/",
        rows: Rows::Whole,
        envelope: Some("activity"),
        ..LIST_OF_AN_ISSUE
    },
    schema: include_str!("../../schemas/issue_activities.json"),
    // `first_seen` has the id 0 in each issue.
    key: &["issue_id", "id", "type"],
    replication: Replication::with_parent("dateCreated"),
    note: "Sentry tells the latest 100 of an issue.",
    ..BELOW
};

pub const COMMENTS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "issue_comments",
        path: "organizations/{organization_slug}/issues/{issue_id}/comments/",
        // By key, which no deletion moves.
        offset_paged: false,
        ..LIST_OF_AN_ISSUE
    },
    schema: include_str!("../../schemas/issue_comments.json"),
    replication: Replication::with_parent("dateCreated"),
    ..BELOW
};

pub const TAGS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "issue_tags",
        path: "organizations/{organization_slug}/issues/{issue_id}/tags/",
        rows: Rows::Whole,
        ..LIST_OF_AN_ISSUE
    },
    schema: include_str!("../../schemas/issue_tags.json"),
    key: &["issue_id", "key"],
    ..BELOW_TIMELESS
};

pub const TAG_VALUES: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "issue_tag_values",
        path: "organizations/{organization_slug}/issues/{issue_id}/tags/{key}/values/",
        query: &[("sort", "date")],
        ..LIST_OF_AN_ISSUE
    },
    schema: include_str!("../../schemas/issue_tag_values.json"),
    key: &["issue_id", "key", "value"],
    parent: Some(Parent {
        stream: "issue_tags",
        bind: TAG,
        at: None,
    }),
    replication: Replication::with_parent("lastSeen"),
    empty_key: true,
    ..BELOW
};

pub const EXTERNAL_ISSUES: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "issue_external_issues",
        path: "organizations/{organization_slug}/issues/{issue_id}/external-issues/",
        rows: Rows::Whole,
        ..LIST_OF_AN_ISSUE
    },
    schema: include_str!("../../schemas/issue_external_issues.json"),
    // A row names its issue itself.
    columns: &[
        "organization_slug",
        "project_slug",
        "project_id",
        "issue_seen_at",
    ],
    ..BELOW_TIMELESS
};

pub const ATTACHMENTS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "event_attachments",
        path: "projects/{organization_slug}/{project_id}/events/{event_id}/attachments/",
        optional: true,
        scopes: &["project:read"],
        ..LIST
    },
    schema: include_str!("../../schemas/event_attachments.json"),
    parent: Some(OF_AN_EVENT),
    replication: Replication::with_parent("dateCreated"),
    // A row names its event itself.
    columns: PROJECT_COLUMNS,
    body: Some(Body {
        endpoint: Endpoint {
            name: "event_attachments",
            path: "projects/{organization_slug}/{project_id}/events/{event_id}/attachments/{row_id}/",
            query: &[("download", "1")],
            scopes: &["project:read"],
            ..OBJECT
        },
        id: "id",
        size: "size",
        below: ["project_id", "event_id"],
    }),
    note: "Files themselves are extracted by `--output` only, up to `attachment_max_bytes`; each is a request more.",
    ..BELOW
};
