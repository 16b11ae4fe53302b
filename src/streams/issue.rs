//! Issues, and the events below them.

use crate::streams::def::{
    Activity, Counted, Derived, FULL_TABLE, Parent, Replication, Search, StreamDef, Together,
    Windows,
};
use crate::streams::project::OF_A_PROJECT;
use tap_sentry_api::endpoint::{Class, Endpoint, LIST, OBJECT};
use tap_sentry_api::endpoints;

/// What an issue tells the streams below it.
pub const OF_AN_ISSUE: Parent = Parent {
    stream: "issues",
    bind: &[("issue_id", &["id"])],
    at: Some("issue_seen_at"),
};

/// What an event tells the streams below it.
pub const OF_AN_EVENT: Parent = Parent {
    stream: "events",
    bind: &[("event_id", &["eventID"])],
    at: None,
};

/// What the streams of issues have in common.
pub const ISSUE: StreamDef = StreamDef {
    replication: Replication::with_parent("lastSeen"),
    columns: &["organization_slug", "project_slug", "project_id"],
    ..FULL_TABLE
};

/// What the streams of events have in common.
pub(super) const EVENT: StreamDef = StreamDef {
    key: &["projectID", "eventID"],
    replication: Replication::with_parent("dateCreated"),
    columns: &["organization_slug", "project_slug"],
    derived: &[Derived {
        column: "event_type",
        from: &[&["event.type"], &["type"]],
    }],
    immutable: true,
    ..FULL_TABLE
};

pub const ISSUES: StreamDef = StreamDef {
    endpoint: endpoints::ISSUES,
    schema: include_str!("../../schemas/issues.json"),
    parent: Some(OF_A_PROJECT),
    replication: Replication::Incremental {
        key: "lastSeen",
        refresh: true,
        windows: Some(Windows {
            windowed: true,
            project: Some(&["project", "id"]),
            searches: &[
                // Present and empty: without it only unresolved issues are listed.
                Search {
                    query: &[("query", "")],
                    optional: false,
                },
                // Hidden from every search that does not ask for it.
                Search {
                    query: &[("query", "issue.category:feedback")],
                    optional: true,
                },
            ],
            sums: None,
            activity: Some(Activity {
                last: "lastSeen",
                count: "count",
                total: &["lifetime", "count"],
                category: "issueCategory",
                together: "error",
            }),
        }),
    },
    // The numbers at the top of a listed issue are those of the window that was asked for.
    derived: &[
        Derived {
            column: "count",
            from: &[&["lifetime", "count"], &["count"]],
        },
        Derived {
            column: "userCount",
            from: &[&["lifetime", "userCount"], &["userCount"]],
        },
        Derived {
            column: "firstSeen",
            from: &[&["lifetime", "firstSeen"], &["firstSeen"]],
        },
        Derived {
            column: "lastSeen",
            from: &[&["lifetime", "lastSeen"], &["lastSeen"]],
        },
    ],
    ..ISSUE
};

pub const ISSUE_DETAIL: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "issue_detail",
        path: "organizations/{organization_slug}/issues/{issue_id}/",
        class: Class::IssueDetail,
        scopes: &["event:read"],
        ..OBJECT
    },
    schema: include_str!("../../schemas/issue_detail.json"),
    parent: Some(OF_AN_ISSUE),
    selected_by_default: false,
    note: "Issues with new events, at most 5 a second.",
    ..ISSUE
};

pub(super) const EVENTS_OF_AN_ISSUE: Endpoint = Endpoint {
    name: "events",
    path: "organizations/{organization_slug}/issues/{issue_id}/events/",
    // Pinned windows and counts take the place of repetition.
    offset_paged: false,
    scopes: &["event:read"],
    ..LIST
};

/// The same rows by another way: errors of all issues of a project in one list, at one request a second.
static EVENTS_OF_A_PROJECT: Endpoint = Endpoint {
    path: "projects/{organization_slug}/{project_id}/events/",
    class: Class::ProjectEvents,
    scopes: &["project:read"],
    ..EVENTS_OF_AN_ISSUE
};

pub const EVENTS: StreamDef = StreamDef {
    endpoint: EVENTS_OF_AN_ISSUE,
    schema: include_str!("../../schemas/events.json"),
    // Only `1` and `true` count as full here.
    details_query: &[("full", "1")],
    parent: Some(OF_AN_ISSUE),
    in_windows: true,
    together: Some(Together {
        endpoint: &EVENTS_OF_A_PROJECT,
        parent: "groupID",
        bind: "issue_id",
    }),
    counted: Some(Counted {
        kind: &["event.type", "type"],
        at: "dateCreated",
    }),
    note: "Short rows; with `fetch_event_details`, full bodies from the same listing.",
    ..EVENT
};

pub const EVENT_DETAIL: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "event_detail",
        path: "projects/{organization_slug}/{project_id}/events/{event_id}/",
        class: Class::EventDetail,
        scopes: &["project:read"],
        ..OBJECT
    },
    schema: include_str!("../../schemas/event_detail.json"),
    parent: Some(OF_AN_EVENT),
    selected_by_default: false,
    note: "At most 5 a second; `fetch_event_details` gets full bodies without any.",
    ..EVENT
};
