//! The streams, as data: one table, its entries in a file for each subject.
//!
//! A new stream is one entry in the file of its subject and in [`STREAMS`], one schema in `schemas/`, and one fixture in
//! `sandbox/lists/`; see docs/adding-a-stream.md.

mod about_issues;
mod cut;
mod def;
pub mod defined;
mod event_part;
mod explore;
mod integration;
pub mod interval;
mod issue;
mod monitoring;
mod organization;
mod people;
pub mod personal;
mod project;
pub mod query;
mod release;
mod replay;
mod statistics;

pub use cut::{Cut, InRow, Step};
pub use def::{
    Activity, Apart, Body, Choice, Counted, Derived, Parent, Replication, Search, Span, StreamDef,
    Sums, Together, Windows, is_error,
};
pub use organization::{OF_AN_ORGANIZATION, ORGANIZATIONS};
pub use project::OF_A_PROJECT;

use tap_sentry_api::endpoint::Rows;

/// All streams, parents before children. `projects` is first: `meltano config test` stops at the first record.
pub static STREAMS: &[StreamDef] = &[
    project::PROJECTS,
    project::PROJECT_DETAIL,
    people::TEAMS,
    people::TEAM_MEMBERS,
    people::USERS,
    people::MEMBERS,
    people::PROJECT_MEMBERS,
    people::EVENT_USERS,
    issue::ISSUES,
    issue::ISSUE_DETAIL,
    issue::EVENTS,
    event_part::EVENT_TAGS,
    event_part::EVENT_EXCEPTIONS,
    event_part::EVENT_STACK_FRAMES,
    event_part::EVENT_BREADCRUMBS,
    issue::EVENT_DETAIL,
    release::RELEASES,
    release::RELEASE,
    organization::ORGANIZATION_SETTINGS,
    organization::ENVIRONMENTS,
    organization::TAGS,
    organization::RELAY_USAGE,
    organization::AUDIT_LOGS,
    integration::INTEGRATIONS,
    integration::INSTALLATIONS,
    integration::APPS,
    integration::REPOSITORIES,
    integration::REPOSITORY_COMMITS,
    explore::DASHBOARDS,
    explore::SAVED_QUERIES,
    project::PROJECT_KEYS,
    project::PROJECT_ENVIRONMENTS,
    project::PROJECT_OWNERSHIP,
    project::PROJECT_FILTERS,
    project::SERVICE_HOOKS,
    project::PROJECT_TEAMS,
    project::PROJECT_TAGS,
    project::PROJECT_TAG_VALUES,
    project::DEBUG_FILES,
    project::USER_FEEDBACK,
    about_issues::HASHES,
    about_issues::ACTIVITIES,
    about_issues::COMMENTS,
    about_issues::TAGS,
    about_issues::TAG_VALUES,
    about_issues::EXTERNAL_ISSUES,
    about_issues::ATTACHMENTS,
    release::DEPLOYS,
    release::COMMITS,
    release::COMMIT_FILES,
    release::FILES,
    statistics::ORGANIZATION_STATS,
    statistics::ORGANIZATION_STATS_SUMMARY,
    statistics::PROJECT_STATS,
    statistics::SESSIONS,
    monitoring::MONITORS,
    monitoring::CHECK_INS,
    monitoring::DETECTORS,
    monitoring::WORKFLOWS,
    monitoring::ALERT_RULES,
    replay::REPLAYS,
];

/// The stream of the projects, which the bookmarks are of.
pub static PROJECTS: &StreamDef = &STREAMS[0];

/// Columns that tell a row from others in a message, where it has any of them.
pub const IDENTIFIERS: &[&str] = &["id", "slug", "version", "shortId", "groupID"];

/// Those of the table, and behind them those that the user has defined.
pub fn all() -> impl Iterator<Item = &'static StreamDef> + Clone {
    STREAMS.iter().chain(defined::defined())
}

/// The stream of that name.
pub fn find(name: &str) -> Option<&'static StreamDef> {
    all().find(|def| def.name() == name)
}

impl StreamDef {
    /// The streams below this one.
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

    /// A list without them has one bookmark for the organization: `project_slugs` must choose none of its rows.
    #[test]
    fn every_bookmark_of_what_is_of_projects_is_of_a_project() {
        for def in STREAMS.iter().filter(|def| def.windows().is_some()) {
            let columns = &schema(def)["properties"];
            assert!(
                def.endpoint.names_projects()
                    || def.endpoint.names_project()
                    || def.endpoint.query.contains(&("project", "{project_id}"))
                    || columns.get("project").is_none() && columns.get("project_id").is_none(),
                "{}",
                def.name()
            );
        }
    }

    #[test]
    fn every_parameter_is_bound_above() {
        for def in STREAMS {
            let mut bound = vec!["organization_slug", "projects"];
            if def.windows().is_some_and(|windows| windows.sums.is_some()) {
                bound.extend([Sums::LENGTH, interval::Interval::START]);
            }
            let searches = def.windows().map_or(&[][..], |windows| windows.searches);
            bound.extend(
                searches
                    .iter()
                    .flat_map(|one| one.query)
                    .map(|(name, _)| *name),
            );
            let mut at = def.parent;
            while let Some(parent) = at {
                bound.extend(parent.bind.iter().map(|(name, _)| *name));
                bound.extend(parent.at);
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
    fn what_is_cut_is_known_by_its_parent_and_its_places() {
        for def in STREAMS {
            let Some(cut) = def.cut else { continue };
            let name = def.name();
            let parent = def.parent.and_then(|parent| find(parent.stream));
            let parent = parent.unwrap_or_else(|| panic!("{name}"));
            assert_eq!(def.endpoint.path, parent.endpoint.path, "{name}");
            assert!(def.children().next().is_none(), "{name}");
            let schema = schema(def);
            let carried: Vec<_> = cut.carried.iter().map(|(column, _)| *column).collect();
            for list in cut.lists {
                let fixed = list.fixed.iter().map(|(column, value)| {
                    let value: Value = serde_json::from_str(value).expect(value);
                    assert!(!value.is_null(), "{name}: {column}");
                    *column
                });
                let places = list.steps.iter().filter_map(|step| match step {
                    Step::Each(column) => Some(*column),
                    Step::Member(_) | Step::Where(..) => None,
                });
                let own: Vec<_> = fixed.chain(places).collect();
                let key: HashSet<_> = parent.key.iter().chain(&own).collect();
                assert_eq!(
                    key,
                    def.key.iter().collect(),
                    "{name}: each list has its key"
                );
                assert!(matches!(list.steps.last(), Some(Step::Each(_))), "{name}");
            }
            for key in parent.key.iter().copied().chain(parent.replication_key()) {
                assert!(carried.contains(&key), "{name}: {key}");
            }
            for column in carried.iter().chain(cut.pair.iter().flatten()) {
                assert!(
                    schema["properties"].get(column).is_some(),
                    "{name}: {column}"
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
    fn an_incremental_stream_has_windows_or_a_parent_that_has_them_or_is_asked_for_by_time() {
        for def in STREAMS
            .iter()
            .filter(|def| def.replication_key().is_some() && def.windows().is_none())
        {
            let parent = def
                .parent
                .and_then(|p| find(p.stream))
                .unwrap_or_else(|| panic!("{}", def.name()));
            let by_time = def.in_windows || def.newest_first;
            assert!(
                parent.replication_key().is_some() || by_time,
                "{}",
                def.name()
            );
        }
    }

    #[test]
    fn secrets_are_columns_and_no_keys() {
        for def in STREAMS {
            for path in def.secrets {
                let schema = schema(def);
                let properties = &schema["properties"];
                assert!(
                    properties.get(path[0]).is_some(),
                    "{}: {path:?}",
                    def.name()
                );
                assert!(!def.key.contains(&path[0]), "{}: {path:?}", def.name());
            }
        }
    }

    /// What breaks real targets; see docs/targets.md.
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
