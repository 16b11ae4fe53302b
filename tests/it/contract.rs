//! The schemas against Sentry's own description of its API: what is documented is a column, of a type that holds it.
//!
//! `tests/contract/documented.json` has the field lists, and the version that they are of; `examples/documented.rs` makes
//! it.

use serde_json::Value;
use std::collections::BTreeSet;
use tap_sentry::streams::{STREAMS, StreamDef};

/// Stream (`*`: any), field, and why it is not as it is documented. A field stands for all below it.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "*",
        "stats",
        "pairs of numbers, of which the description says nothing",
    ),
    (
        "*",
        "transactionStats",
        "pairs of numbers, of which the description says nothing",
    ),
    (
        "teams",
        "projects[].stats",
        "pairs of numbers, of which the description says nothing",
    ),
    (
        "teams",
        "projects[].transactionStats",
        "pairs of numbers, of which the description says nothing",
    ),
    ("issues", "count", "a number, written as text"),
    ("issues", "filtered.count", "a number, written as text"),
    ("issues", "owners", "a list, as `issue_detail` documents it"),
    ("issue_detail", "count", "a number, written as text"),
    (
        "events",
        "event.type",
        "becomes `event_type`, since no database takes the dot",
    ),
    ("*", "crashFile", "an object: an attachment"),
    ("event_detail", "userReport.dateCreated", A_TIME),
    ("*", "lastDeploy.dateStarted", A_TIME),
    ("*", "lastDeploy.dateFinished", A_TIME),
    ("*", "topValues[].lastSeen", A_TIME),
    ("*", "topValues[].firstSeen", A_TIME),
    (
        "organization_integrations",
        "configOrganization",
        "a list, of which the description says nothing",
    ),
    ("organization_integrations", "gracePeriodEnd", A_TIME),
    ("sentry_apps", "metadata", "an object"),
    ("sentry_apps", "schema", "an object"),
    ("dashboards", "dateCreated", A_TIME),
    ("dashboards", "lastVisited", A_TIME),
    ("discover_saved_queries", "dateCreated", A_TIME),
    ("discover_saved_queries", "dateUpdated", A_TIME),
    ("service_hooks", "dateCreated", A_TIME),
    ("issue_tag_values", "lastSeen", A_TIME),
    ("issue_tag_values", "firstSeen", A_TIME),
    ("monitors", "environments", "a list"),
    ("user_feedback", "dateCreated", A_TIME),
    ("replays", "started_at", A_TIME),
    ("replays", "finished_at", A_TIME),
    ("sessions", "by", SUMS),
    ("sessions", "totals", SUMS),
    ("sessions", "series", SUMS),
    ("organization_stats", "by", SUMS),
    ("organization_stats", "totals", SUMS),
    ("organization_stats", "series", SUMS),
];

const SUMS: &str = "becomes columns; a series is not asked for";
const A_TIME: &str = "documented as text, and a time";

/// Of streams whose endpoint the description does not have, or without fields: what their columns are from.
const UNDOCUMENTED: &[(&str, &str)] = &[
    ("users", "answers, and `members`"),
    ("issue_activities", "`activity` of `issue_detail`"),
    (
        "issue_comments",
        "`activity` of `issue_detail`, of which comments are one type",
    ),
    ("issue_tags", "the same for one tag, which is documented"),
    ("project_stats", "documented as pairs of numbers"),
    ("release_commit_files", "the serializer in Sentry's source"),
    ("alert_rules", "the description of before it was taken out"),
    ("audit_logs", "the serializer in Sentry's source"),
];

fn documented() -> Value {
    serde_json::from_str(include_str!("../contract/documented.json")).unwrap()
}

/// Why a documented field does not fit the schema of a record; `None` if it does.
fn problem(schema: &Value, path: &str, kind: &str) -> Option<String> {
    let mut at = schema;
    for name in path.split('.') {
        let (name, is_list) = match name.strip_suffix("[]") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let Some(properties) = at.get("properties") else {
            // Whatever is in there is kept as it is.
            return None;
        };
        let Some(property) = properties.get(name) else {
            return Some("is missing".to_owned());
        };
        at = property;
        if is_list {
            match at.get("items") {
                Some(items) => at = items,
                None => return None,
            }
        }
    }
    let types = at["type"]
        .as_array()
        .cloned()
        .unwrap_or_else(|| vec![at["type"].clone()]);
    let is = |wanted: &str| types.iter().any(|one| one == wanted);
    let fits = match kind {
        "string" => is("string") && at.get("format").is_none(),
        "date-time" => is("string"),
        "integer" => is("integer") || is("number"),
        "number" | "boolean" | "array" | "object" => is(kind),
        "integer|number" => is("number"),
        // Text can be anything, and an object whatever is not one in a member.
        _ => is("string") || is("object"),
    };
    (!fits).then(|| format!("is documented as {kind} and declared as {at}"))
}

fn applies(exception: &(&str, &str, &str), stream: &str, field: &str) -> bool {
    let (of, path, _) = exception;
    let below = field.strip_prefix(path);
    (*of == "*" || *of == stream)
        && below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[test]
fn every_documented_field_is_a_column_that_can_hold_it() {
    let documented = documented();
    let mut problems = Vec::new();
    let mut used = BTreeSet::new();
    for def in STREAMS {
        let schema: Value = serde_json::from_str(def.schema).unwrap();
        let fields = &documented["streams"][def.name()]["fields"];
        for (path, kind) in fields.as_object().into_iter().flatten() {
            let Some(problem) = problem(&schema, path, kind.as_str().unwrap()) else {
                continue;
            };
            let mut exceptions = EXCEPTIONS.iter();
            match exceptions.position(|one| applies(one, def.name(), path)) {
                Some(at) => _ = used.insert(at),
                None => problems.push(format!("{}: `{path}` {problem}", def.name())),
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
    for (at, exception) in EXCEPTIONS.iter().enumerate() {
        assert!(used.contains(&at), "{exception:?} is no exception any more");
    }
}

#[test]
fn what_is_not_documented_is_known() {
    let documented = documented();
    let undocumented: BTreeSet<&str> = documented["undocumented"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let known: BTreeSet<&str> = UNDOCUMENTED.iter().map(|(name, _)| *name).collect();
    let documented_now: Vec<_> = known.difference(&undocumented).collect();
    assert!(documented_now.is_empty(), "{documented_now:?}");
    let streams = documented["streams"].as_object().unwrap();
    let all = streams.keys().map(String::as_str).chain(undocumented);
    let all: BTreeSet<&str> = all.collect();
    // What is cut from rows is inside of lists that the description calls anything.
    let asked_for = STREAMS.iter().filter(|def| def.cut.is_none());
    let names: BTreeSet<&str> = asked_for.map(StreamDef::name).collect();
    assert_eq!(
        all, names,
        "run `cargo run --example documented` for a new stream"
    );
    assert!(documented["version"].is_string() && documented["date"].is_string());
}

#[test]
fn the_check_finds_what_it_looks_for() {
    let schema = serde_json::json!({"properties": {
        "a": {"type": ["string", "null"]},
        "at": {"type": ["string", "null"], "format": "date-time"},
        "o": {"type": ["object", "null"], "properties": {"x": {"type": ["integer", "null"]}}},
        "free": {"type": ["object", "null"]},
        "list": {"type": ["array", "null"], "items": {"type": ["object", "null"], "properties": {"x": {"type": ["string", "null"]}}}},
    }});
    for (path, kind) in [
        ("a", "string"),
        ("a", "array|string"),
        ("at", "date-time"),
        ("o.x", "integer"),
        ("free.x", "boolean"),
        ("list[].x", "string"),
    ] {
        assert_eq!(problem(&schema, path, kind), None, "{path}");
    }
    for (path, kind) in [
        ("b", "string"),
        ("at", "string"),
        ("a", "integer"),
        ("o.y", "string"),
        ("o.x", "number"),
        ("list[].y", "string"),
        ("list", "object"),
    ] {
        assert!(problem(&schema, path, kind).is_some(), "{path}: {kind}");
    }
    assert!(applies(&("*", "a.b", ""), "x", "a.b.c") && applies(&("x", "a", ""), "x", "a[].c"));
    assert!(!applies(&("*", "a", ""), "x", "ab") && !applies(&("y", "a", ""), "x", "a"));
}
