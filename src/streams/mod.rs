//! The streams, as data. A new one is an entry here and a file in `schemas/`.

use tap_sentry_api::endpoint::{Class, Endpoint, LIST, Rows};
use tap_sentry_api::endpoints;
use tap_sentry_api::params::{ORGANIZATION, PROJECT_ID, PROJECT_SLUG};

/// Everything that makes one stream differ from another.
#[derive(Debug)]
pub struct StreamDef {
    /// The list or object that its rows come from; named as the stream is.
    pub endpoint: Endpoint,
    /// JSON Schema, draft 7, of a record.
    pub schema: &'static str,
    pub key: &'static [&'static str],
    /// Added to the endpoint's query when `fetch_event_details` is set.
    pub details_query: &'static [(&'static str, &'static str)],
    pub parent: Option<Parent>,
    pub replication: Replication,
    /// Path parameters that every record carries as columns.
    pub columns: &'static [&'static str],
    /// Columns whose value stands elsewhere in Sentry's answer: the first path that holds something counts.
    pub derived: &'static [Derived],
    /// How `project_slugs` and `exclude_project_slugs` choose among its rows.
    pub choice: Option<Choice>,
    /// Another list of the same rows, of many parents at once.
    pub together: Option<Together>,
    /// A row that was written never changes, so that it is written once a run.
    pub immutable: bool,
    /// How `--check-counts` knows the errors among its rows.
    pub counted: Option<Counted>,
    pub selected_by_default: bool,
    /// What a user should know before selecting it.
    pub note: &'static str,
}

/// Where a stream hangs, and what it takes from a row of its parent.
#[derive(Debug, Clone, Copy)]
pub struct Parent {
    pub stream: &'static str,
    /// Path parameter and the path of its value in the parent's row.
    pub bind: &'static [(&'static str, &'static [&'static str])],
}

#[derive(Debug, Clone, Copy)]
pub enum Replication {
    FullTable,
    Incremental {
        key: &'static str,
        /// Read again what was active in the last `issue_refresh_days`, since records change without a new key.
        refresh: bool,
        /// How the windows of the list are made; `None`: the windows are those of the parent.
        walk: Option<Walk>,
    },
}

/// How an incremental list is walked. The bookmark is the end of a finished window, fixed before it was asked for,
/// not the largest key seen: what changes meanwhile belongs to the next run.
#[derive(Debug, Clone, Copy)]
pub struct Walk {
    /// Cut into windows of `window_days`, oldest first; otherwise one window to the end of the run.
    pub windowed: bool,
    /// Queries that together list everything; see [`Pass`].
    pub passes: &'static [Pass],
    /// Where a row says what happened to it in the window.
    pub activity: Option<Activity>,
}

/// One of the queries that make a list complete.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    pub query: &'static [(&'static str, &'static str)],
    /// Older servers refuse the query with 400, having nothing that it would find.
    pub optional: bool,
}

impl Pass {
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        self.query
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect()
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Activity {
    /// When it was last active.
    pub last: &'static str,
    /// How many child rows it has there.
    pub count: &'static str,
    /// How many it has in all.
    pub total: &'static [&'static str],
    /// What kind of parent it is; older servers know one kind only and say nothing.
    pub category: &'static str,
    /// The kind of which the rows are also listed for many parents at once.
    pub together: &'static str,
}

/// The columns by which projects are chosen.
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    pub slug: &'static str,
    /// `false`: the token cannot read it, as the list has it; of an integration that may be wrong.
    pub access: &'static str,
}

/// A list of the rows of many parents at once.
#[derive(Debug, Clone, Copy)]
pub struct Together {
    pub endpoint: &'static Endpoint,
    /// The column that names a row's parent.
    pub parent: &'static str,
    /// The path parameter by which the parent's own list is asked for.
    pub bind: &'static str,
}

/// The columns by which errors are counted.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// What an event is; the first that a row has counts. See [`is_error`].
    pub kind: &'static [&'static str],
    /// When it happened.
    pub at: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub struct Derived {
    pub column: &'static str,
    pub from: &'static [&'static [&'static str]],
}

const FULL_TABLE: StreamDef = StreamDef {
    endpoint: LIST,
    schema: "",
    key: &["id"],
    details_query: &[],
    parent: None,
    replication: Replication::FullTable,
    columns: &["organization_slug"],
    derived: &[],
    choice: None,
    together: None,
    immutable: false,
    counted: None,
    selected_by_default: true,
    note: "",
};

/// What an organization tells the streams below it.
pub const OF_AN_ORGANIZATION: Parent = Parent {
    stream: "organizations",
    bind: &[(ORGANIZATION, &["slug"])],
};
/// What a project tells the streams below it.
pub const OF_A_PROJECT: Parent = Parent {
    stream: "projects",
    bind: &[(PROJECT_ID, &["id"]), (PROJECT_SLUG, &["slug"])],
};
const OF_AN_ISSUE: Parent = Parent {
    stream: "issues",
    bind: &[("issue_id", &["id"])],
};
const EVENT_TYPE: Derived = Derived {
    column: "event_type",
    from: &[&["event.type"], &["type"]],
};

const EVENTS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "events",
        path: "organizations/{organization_slug}/issues/{issue_id}/events/",
        // Pinned windows and counts take the place of repetition.
        offset_paged: false,
        scopes: &["event:read"],
        ..LIST
    },
    schema: include_str!("../../schemas/events.json"),
    key: &["projectID", "eventID"],
    // Only `1` and `true` count as full here.
    details_query: &[("full", "1")],
    parent: Some(OF_AN_ISSUE),
    replication: Replication::Incremental {
        key: "dateCreated",
        refresh: false,
        walk: None,
    },
    columns: &["organization_slug", "project_slug"],
    derived: &[EVENT_TYPE],
    immutable: true,
    counted: Some(Counted {
        kind: &["event.type", "type"],
        at: "dateCreated",
    }),
    note: "Simple rows; with `fetch_event_details` full bodies, from the same listing.",
    ..FULL_TABLE
};

/// The same rows by another way: errors of all issues of a project in one list, at one request a second.
static EVENTS_BY_PROJECT: Endpoint = Endpoint {
    path: "projects/{organization_slug}/{project_id}/events/",
    class: Class::ProjectEvents,
    scopes: &["project:read"],
    ..EVENTS.endpoint
};

/// All streams, parents before children. `projects` is first: `meltano config test` stops at the first record.
pub static STREAMS: &[StreamDef] = &[
    StreamDef {
        endpoint: endpoints::PROJECTS,
        schema: include_str!("../../schemas/projects.json"),
        choice: Some(Choice {
            slug: "slug",
            access: "hasAccess",
        }),
        ..FULL_TABLE
    },
    StreamDef {
        endpoint: Endpoint {
            name: "project_detail",
            path: "projects/{organization_slug}/{project_id}/",
            rows: Rows::Object,
            scopes: &["project:read"],
            ..LIST
        },
        schema: include_str!("../../schemas/project_detail.json"),
        parent: Some(OF_A_PROJECT),
        note: "One call per project.",
        ..FULL_TABLE
    },
    StreamDef {
        endpoint: endpoints::TEAMS,
        schema: include_str!("../../schemas/teams.json"),
        ..FULL_TABLE
    },
    StreamDef {
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
    },
    StreamDef {
        endpoint: Endpoint {
            name: "members",
            path: "organizations/{organization_slug}/members/",
            class: Class::Members,
            scopes: &["member:read"],
            ..LIST
        },
        schema: include_str!("../../schemas/members.json"),
        ..FULL_TABLE
    },
    StreamDef {
        endpoint: endpoints::ISSUES,
        schema: include_str!("../../schemas/issues.json"),
        parent: Some(OF_A_PROJECT),
        replication: Replication::Incremental {
            key: "lastSeen",
            refresh: true,
            walk: Some(Walk {
                windowed: true,
                passes: &[
                    // Present and empty: without it only unresolved issues are listed.
                    Pass {
                        query: &[("query", "")],
                        optional: false,
                    },
                    // Hidden from every search that does not ask for it.
                    Pass {
                        query: &[("query", "issue.category:feedback")],
                        optional: true,
                    },
                ],
                activity: Some(Activity {
                    last: "lastSeen",
                    count: "count",
                    total: &["lifetime", "count"],
                    category: "issueCategory",
                    together: "error",
                }),
            }),
        },
        columns: &["organization_slug", "project_slug", "project_id"],
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
        ..FULL_TABLE
    },
    StreamDef {
        endpoint: Endpoint {
            name: "issue_detail",
            path: "organizations/{organization_slug}/issues/{issue_id}/",
            rows: Rows::Object,
            class: Class::IssueDetail,
            scopes: &["event:read"],
            ..LIST
        },
        schema: include_str!("../../schemas/issue_detail.json"),
        parent: Some(OF_AN_ISSUE),
        replication: Replication::Incremental {
            key: "lastSeen",
            refresh: false,
            walk: None,
        },
        columns: &["organization_slug", "project_slug", "project_id"],
        selected_by_default: false,
        note: "One call per issue with new events, at 5 calls a second.",
        ..FULL_TABLE
    },
    StreamDef {
        together: Some(Together {
            endpoint: &EVENTS_BY_PROJECT,
            parent: "groupID",
            bind: "issue_id",
        }),
        ..EVENTS
    },
    StreamDef {
        endpoint: Endpoint {
            name: "event_detail",
            path: "projects/{organization_slug}/{project_id}/events/{event_id}/",
            rows: Rows::Object,
            class: Class::EventDetail,
            scopes: &["project:read"],
            ..LIST
        },
        schema: include_str!("../../schemas/event_detail.json"),
        key: &["projectID", "eventID"],
        parent: Some(Parent {
            stream: "events",
            bind: &[("event_id", &["eventID"])],
        }),
        replication: Replication::Incremental {
            key: "dateCreated",
            refresh: false,
            walk: None,
        },
        columns: &["organization_slug", "project_slug"],
        derived: &[EVENT_TYPE],
        immutable: true,
        selected_by_default: false,
        note: "One call per event, at 5 calls a second; `fetch_event_details` costs none.",
        ..FULL_TABLE
    },
    StreamDef {
        endpoint: Endpoint {
            name: "releases",
            path: "organizations/{organization_slug}/releases/",
            // Present and empty: without it archived releases are left out.
            query: &[("status", ""), ("project", "{projects}")],
            class: Class::Releases,
            scopes: &["project:read", "project:releases", "org:ci"],
            ..LIST
        },
        schema: include_str!("../../schemas/releases.json"),
        key: &["organization_slug", "version"],
        replication: Replication::Incremental {
            key: "dateCreated",
            refresh: true,
            walk: Some(Walk {
                windowed: false,
                passes: &[Pass {
                    query: &[],
                    optional: false,
                }],
                activity: None,
            }),
        },
        ..FULL_TABLE
    },
    StreamDef {
        endpoint: Endpoint {
            name: "release",
            path: "organizations/{organization_slug}/releases/{version}/",
            rows: Rows::Object,
            scopes: &["project:read", "project:releases", "org:ci"],
            ..LIST
        },
        schema: include_str!("../../schemas/release.json"),
        key: &["organization_slug", "version"],
        parent: Some(Parent {
            stream: "releases",
            bind: &[("version", &["version"])],
        }),
        replication: Replication::Incremental {
            key: "dateCreated",
            refresh: true,
            walk: None,
        },
        note: "One call per release created since the bookmark or in the last `issue_refresh_days`.",
        ..FULL_TABLE
    },
];

/// The list that partitions come from.
pub static PROJECTS: &StreamDef = &STREAMS[0];

/// How the organizations of a token are found when none is configured; not a stream.
pub static ORGANIZATIONS: StreamDef = StreamDef {
    endpoint: endpoints::ORGANIZATIONS,
    columns: &[],
    ..FULL_TABLE
};

/// What `category=error` of the outcomes folds together; see sentry/constants.py, `DataCategory.error_categories`.
const ERRORS: &[&str] = &[
    "error",
    "default",
    "csp",
    "hpkp",
    "expectct",
    "expectstaple",
    "nel",
];

/// Whether an event counts as an error for the outcomes.
pub fn is_error(event_type: &str) -> bool {
    ERRORS.contains(&event_type)
}

/// Columns that tell a row from others in a message, where it has any of them.
pub const IDENTIFIERS: &[&str] = &["id", "slug", "version", "shortId", "groupID"];

/// The stream of that name.
pub fn find(name: &str) -> Option<&'static StreamDef> {
    STREAMS.iter().find(|def| def.name() == name)
}

impl StreamDef {
    pub fn children(&self) -> impl Iterator<Item = &'static StreamDef> {
        STREAMS.iter().filter(|def| {
            def.parent
                .is_some_and(|parent| parent.stream == self.name())
        })
    }

    /// The stream that has each of these rows as one object.
    pub fn detail(&self) -> Option<&'static Self> {
        self.children()
            .find(|def| def.endpoint.rows == Rows::Object)
    }

    pub fn replication_key(&self) -> Option<&'static str> {
        match self.replication {
            Replication::FullTable => None,
            Replication::Incremental { key, .. } => Some(key),
        }
    }

    pub fn walk(&self) -> Option<Walk> {
        match self.replication {
            Replication::Incremental { walk, .. } => walk,
            Replication::FullTable => None,
        }
    }

    /// The stream's name, which is that of its table.
    pub const fn name(&self) -> &'static str {
        self.endpoint.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::HashSet;

    fn schema(def: &StreamDef) -> Value {
        serde_json::from_str(def.schema).unwrap_or_else(|_| panic!("{}", def.name()))
    }

    #[test]
    fn names_are_unique_and_are_table_names() {
        let names: HashSet<_> = STREAMS.iter().map(super::StreamDef::name).collect();
        assert_eq!(names.len(), STREAMS.len());
        for name in names {
            assert!(
                name.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
                "{name}"
            );
        }
    }

    #[test]
    fn parents_come_first_so_that_there_is_no_cycle() {
        for (i, def) in STREAMS.iter().enumerate() {
            if let Some(parent) = def.parent {
                assert!(
                    STREAMS[..i].iter().any(|d| d.name() == parent.stream),
                    "{}",
                    def.name()
                );
            }
        }
    }

    #[test]
    fn every_bookmark_is_of_a_project() {
        for def in STREAMS.iter().filter(|def| def.walk().is_some()) {
            assert!(
                def.endpoint
                    .query
                    .iter()
                    .any(|(_, value)| ["{project_id}", "{projects}"].contains(value)),
                "{}",
                def.name()
            );
        }
    }

    #[test]
    fn every_parameter_is_bound_above() {
        for def in STREAMS {
            let mut bound = vec!["organization_slug", "projects"];
            let mut at = def.parent;
            while let Some(parent) = at {
                bound.extend(parent.bind.iter().map(|(name, _)| *name));
                at = find(parent.stream).and_then(|d| d.parent);
            }
            let texts = std::iter::once(def.endpoint.path)
                .chain(def.endpoint.query.iter().map(|(_, value)| *value));
            for text in texts {
                for parameter in text
                    .split('{')
                    .skip(1)
                    .filter_map(|rest| rest.split('}').next())
                {
                    assert!(bound.contains(&parameter), "{}: {parameter}", def.name());
                }
            }
            for column in def.columns {
                assert!(bound.contains(column), "{}: {column}", def.name());
            }
        }
    }

    #[test]
    fn keys_replication_keys_and_columns_are_in_the_schema() {
        for def in STREAMS {
            let schema = schema(def);
            let columns = def
                .key
                .iter()
                .copied()
                .chain(def.replication_key())
                .chain(def.columns.iter().copied());
            for name in columns.chain(def.derived.iter().map(|d| d.column)) {
                assert!(
                    schema["properties"].get(name).is_some(),
                    "{}: {name}",
                    def.name()
                );
            }
            for key in def.key {
                assert!(
                    schema["properties"][key]["type"].is_string(),
                    "{}: {key} must not be nullable",
                    def.name()
                );
            }
        }
    }

    #[test]
    fn paths_end_in_a_slash_and_name_their_organization() {
        for def in STREAMS {
            assert!(def.endpoint.path.ends_with('/'), "{}", def.name());
            assert!(
                def.endpoint.path.contains("{organization_slug}"),
                "{}",
                def.name()
            );
            assert!(!def.endpoint.scopes.is_empty(), "{}", def.name());
        }
    }

    #[test]
    fn an_incremental_stream_walks_windows_or_has_a_parent_that_does() {
        for def in STREAMS
            .iter()
            .filter(|def| def.replication_key().is_some() && def.walk().is_none())
        {
            let parent = def
                .parent
                .and_then(|p| find(p.stream))
                .unwrap_or_else(|| panic!("{}", def.name()));
            assert!(parent.replication_key().is_some(), "{}", def.name());
        }
    }

    /// What breaks real targets; see "Schemas" in the README.
    #[test]
    fn schemas_hold_only_what_every_target_accepts() {
        fn check(path: &str, schema: &Value, key: bool) {
            let map = schema.as_object().expect(path);
            for keyword in map.keys() {
                assert!(
                    ["type", "properties", "items", "format", "description"]
                        .contains(&keyword.as_str()),
                    "{path}: {keyword}"
                );
            }
            let types: Vec<_> = match &map["type"] {
                Value::String(one) => vec![one.as_str()],
                Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
                other => panic!("{path}: type {other}"),
            };
            assert_eq!(
                types.iter().filter(|t| **t != "null").count(),
                1,
                "{path}: {types:?}"
            );
            assert!(
                key || path.matches('/').count() == 0 || types.contains(&"null"),
                "{path} must be nullable"
            );
            if let Some(format) = map.get("format") {
                assert_eq!(
                    (format.as_str(), types[0]),
                    (Some("date-time"), "string"),
                    "{path}"
                );
            }
            if let Some(properties) = map.get("properties") {
                let properties = properties.as_object().expect(path);
                assert!(!properties.is_empty(), "{path}");
                let mut seen = HashSet::new();
                for (name, property) in properties {
                    assert!(
                        name.len() <= 63 && !name.contains("__") && !name.starts_with("_sdc_"),
                        "{path}/{name}"
                    );
                    assert!(
                        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                            && !name.starts_with(|c: char| c.is_ascii_digit()),
                        "{path}/{name}"
                    );
                    assert!(
                        seen.insert(name.to_lowercase().replace('_', "")),
                        "{path}/{name} differs from another only by case or `_`"
                    );
                    check(&format!("{path}/{name}"), property, false);
                }
            }
            if let Some(items) = map.get("items") {
                assert!(
                    !types.is_empty() && map.get("properties").is_none(),
                    "{path}"
                );
                check(&format!("{path}/items"), items, false);
            }
        }
        for def in STREAMS {
            let mut schema = schema(def);
            for key in def.key {
                assert!(schema["properties"][key]["type"].is_string());
                schema["properties"][key]["type"] = serde_json::json!(["string", "null"]);
            }
            check(def.name(), &schema, true);
        }
    }
}
