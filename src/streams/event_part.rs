//! The lists inside events, as streams of their own: tags, exceptions, stack frames, breadcrumbs.

use crate::streams::cut::{Cut, InRow, Step};
use crate::streams::def::{Derived, Parent, StreamDef};
use crate::streams::issue::{EVENT, EVENTS, EVENTS_OF_AN_ISSUE};
use tap_sentry_api::endpoint::Endpoint;

/// What the streams of parts of events have in common.
const PART: StreamDef = StreamDef {
    parent: Some(Parent {
        stream: "events",
        bind: &[],
        at: None,
    }),
    details_query: EVENTS.details_query,
    derived: &[],
    selected_by_default: false,
    ..EVENT
};

/// The list that the parts come with.
const fn endpoint(name: &'static str) -> Endpoint {
    Endpoint {
        name,
        ..EVENTS_OF_AN_ISSUE
    }
}

const FULL: &str = "Cut from `events`, which are then read in full; no request of its own.";

/// What all have in common of how they are cut.
const OF_A_FULL_EVENT: Cut = Cut {
    in_full_rows: true,
    carried: &[
        ("projectID", &["projectID"]),
        ("eventID", &["eventID"]),
        ("groupID", &["groupID"]),
        ("dateCreated", &["dateCreated"]),
    ],
    lists: &[],
    pair: None,
    left_out: &[],
};

/// To each of the values of the entries of one type. An old event may have a value, and no list of them.
const fn values_of(entry: &'static str, column: &'static str) -> [Step; 5] {
    [
        Step::Member(&["entries"]),
        Step::Where("type", entry),
        Step::Member(&["data"]),
        Step::Member(&["values", "value"]),
        Step::Each(column),
    ]
}

/// To each frame of the stack of each of those values.
const fn frames_of(entry: &'static str) -> [Step; 8] {
    let [entries, of_type, data, values, each] = values_of(entry, "stack_index");
    let (stack, frames) = (Step::Member(&["stacktrace"]), Step::Member(&["frames"]));
    let frame = Step::Each("frame_index");
    [entries, of_type, data, values, each, stack, frames, frame]
}

pub const EVENT_TAGS: StreamDef = StreamDef {
    endpoint: endpoint("event_tags"),
    schema: include_str!("../../schemas/event_tags.json"),
    key: &["projectID", "eventID", "tag_index"],
    cut: Some(Cut {
        in_full_rows: false,
        lists: &[InRow {
            fixed: &[],
            steps: &[Step::Member(&["tags"]), Step::Each("tag_index")],
        }],
        pair: Some(["key", "value"]),
        ..OF_A_FULL_EVENT
    }),
    note: "Cut from `events`; no request of its own.",
    ..PART
};

pub const EVENT_EXCEPTIONS: StreamDef = StreamDef {
    endpoint: endpoint("event_exceptions"),
    schema: include_str!("../../schemas/event_exceptions.json"),
    key: &["projectID", "eventID", "exception_index"],
    cut: Some(Cut {
        lists: &[InRow {
            fixed: &[],
            steps: &values_of("exception", "exception_index"),
        }],
        left_out: &["stacktrace", "rawStacktrace"],
        ..OF_A_FULL_EVENT
    }),
    derived: &[
        Derived {
            column: "mechanism_type",
            from: &[&["mechanism", "type"]],
        },
        Derived {
            column: "handled",
            from: &[&["mechanism", "handled"]],
        },
    ],
    note: FULL,
    ..PART
};

pub const EVENT_STACK_FRAMES: StreamDef = StreamDef {
    endpoint: endpoint("event_stack_frames"),
    schema: include_str!("../../schemas/event_stack_frames.json"),
    key: &[
        "projectID",
        "eventID",
        "stack",
        "stack_index",
        "frame_index",
    ],
    cut: Some(Cut {
        lists: &[
            InRow {
                fixed: &[("stack", r#""exception""#)],
                steps: &frames_of("exception"),
            },
            InRow {
                fixed: &[("stack", r#""thread""#)],
                steps: &frames_of("threads"),
            },
            // Of an event that has neither.
            InRow {
                fixed: &[("stack", r#""event""#), ("stack_index", "0")],
                steps: &[
                    Step::Member(&["entries"]),
                    Step::Where("type", "stacktrace"),
                    Step::Member(&["data"]),
                    Step::Member(&["frames"]),
                    Step::Each("frame_index"),
                ],
            },
        ],
        ..OF_A_FULL_EVENT
    }),
    note: FULL,
    ..PART
};

pub const EVENT_BREADCRUMBS: StreamDef = StreamDef {
    endpoint: endpoint("event_breadcrumbs"),
    schema: include_str!("../../schemas/event_breadcrumbs.json"),
    key: &["projectID", "eventID", "breadcrumb_index"],
    cut: Some(Cut {
        lists: &[InRow {
            fixed: &[],
            steps: &values_of("breadcrumbs", "breadcrumb_index"),
        }],
        ..OF_A_FULL_EVENT
    }),
    derived: &[Derived {
        column: "linked_event",
        from: &[&["event_id"]],
    }],
    note: FULL,
    ..PART
};
