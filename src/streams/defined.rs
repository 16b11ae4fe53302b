//! The streams that a user has defined, beside those of the table: made once, when the program starts.

use crate::streams::def::{FULL_TABLE, Replication, Search, StreamDef, Windows};
use crate::streams::interval::Interval;
use crate::streams::query::{PLACE, Query, TIMESTAMP};
use serde_json::{Map, Value, json};
use std::sync::OnceLock;
use tap_sentry_api::endpoint::{Class, Endpoint, LIST};

/// Where all of them are asked for.
pub const PATH: &str = "organizations/{organization_slug}/events/";
/// What the server's event stores answer at most, whatever is asked for; what is behind that many rows is never seen.
const ROW_LIMIT: usize = 10_000;

static DEFINED: OnceLock<&'static [StreamDef]> = OnceLock::new();

/// The streams that are defined; none, unless [`define`] was called.
pub fn defined() -> &'static [StreamDef] {
    DEFINED.get().copied().unwrap_or_default()
}

/// Defines these streams for the rest of the program. They live as long as those of the table, so nothing that handles
/// streams has to tell them apart. A second call has no effect.
pub fn define(streams: Vec<StreamDef>) {
    // Definitions come from the settings, which are read once.
    let _ = DEFINED.set(streams.leak());
}

/// The stream of a query. `types` are those of its fields, as Sentry calls them.
pub fn stream(query: &Query, types: &Map<String, Value>) -> StreamDef {
    let is_aggregate = query.interval.is_some();
    let key = query.key().into_iter().map(leaked).collect::<Vec<_>>();
    let replication_key = if is_aggregate {
        Interval::START
    } else {
        TIMESTAMP
    };
    StreamDef {
        endpoint: Endpoint {
            name: leaked(&query.name),
            path: PATH,
            query: &[("project", "{projects}")],
            envelope: Some("data"),
            class: Class::Explore,
            ..LIST
        },
        schema: leaked(&schema(query, types).to_string()),
        // What groups have no name for is a group too.
        empty_as_text: if is_aggregate {
            texts(query, types).leak()
        } else {
            &[]
        },
        empty_key: is_aggregate,
        key: key.leak(),
        replication: Replication::Incremental {
            key: replication_key,
            refresh: false,
            windows: Some(Windows {
                windowed: true,
                project: None,
                searches: vec![search(query)].leak(),
                sums: None,
                activity: None,
            }),
        },
        columns: if is_aggregate {
            &[PLACE, Interval::START]
        } else {
            &[PLACE]
        },
        interval: query.interval,
        row_limit: Some(ROW_LIMIT),
        // What is stored stays as it is; numbers change while late rows come.
        immutable: !is_aggregate,
        note: "Defined by `explore`.",
        ..FULL_TABLE
    }
}

/// What the server is asked. All that a user has written stands here, where nothing is put in place of a `{parameter}`.
pub fn search(query: &Query) -> Search {
    let mut parameters = vec![("dataset", query.dataset.name)];
    parameters.extend(query.fields.iter().map(|field| ("field", leaked(field))));
    parameters.push(("query", leaked(&query.search)));
    parameters.extend(query.sort.iter().map(|field| ("sort", leaked(field))));
    if query.dataset.sampled {
        // Numbers of what is stored, and rows of all that is stored.
        parameters.push(("disableAggregateExtrapolation", "1"));
        parameters.push(("sampling", "HIGHEST_ACCURACY"));
    }
    Search {
        query: parameters.leak(),
        optional: false,
    }
}

/// The groups that are text.
fn texts(query: &Query, types: &Map<String, Value>) -> Vec<&'static str> {
    let key = query.key().into_iter();
    key.filter(|name| ![PLACE, Interval::START].contains(name))
        .filter(|name| matches!(kind(types.get(*name)), ("string", None)))
        .map(leaked)
        .collect()
}

/// JSON Schema of the records.
fn schema(query: &Query, types: &Map<String, Value>) -> Value {
    let key = query.key();
    let time = (TIMESTAMP, query.interval.is_none());
    let mut properties = Map::new();
    properties.insert(PLACE.to_owned(), json!({"type": "string"}));
    if query.interval.is_some() {
        let start = json!({"type": "string", "format": "date-time"});
        properties.insert(Interval::START.to_owned(), start);
    }
    for field in &query.fields {
        let own = (field.as_str(), true) == time;
        let (name, format) = if own {
            ("string", Some("date-time"))
        } else {
            kind(types.get(field))
        };
        let mut property = if own || key.contains(&field.as_str()) {
            json!({"type": name})
        } else {
            json!({"type": [name, "null"]})
        };
        if let Some(format) = format {
            property["format"] = json!(format);
        }
        properties.insert(field.clone(), property);
    }
    json!({"type": "object", "properties": properties})
}

/// The JSON type, and the format, of what Sentry calls that; of what it does not name, text.
fn kind(sentry: Option<&Value>) -> (&'static str, Option<&'static str>) {
    match sentry.and_then(Value::as_str).unwrap_or_default() {
        "integer" => ("integer", None),
        "number" | "duration" | "percentage" | "percent_change" | "size" | "rate" | "currency"
        | "score" => ("number", None),
        "boolean" => ("boolean", None),
        "date" => ("string", Some("date-time")),
        "array" => ("array", None),
        _ => ("string", None),
    }
}

fn leaked(text: &str) -> &'static str {
    text.to_owned().leak()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::query::queries;

    fn made(query: &Value, types: &Value) -> StreamDef {
        let query = queries(&json!([query])).expect("a query").remove(0);
        stream(&query, types.as_object().expect("an object"))
    }

    #[test]
    fn columns_have_the_types_that_sentry_names() {
        let def = made(
            &json!({"name": "a", "dataset": "errors", "fields": ["title", "tags[n]", "error.handled", "x"]}),
            &json!({"id": "string", "project.id": "integer", "timestamp": "date", "title": "string", "tags[n]": "duration", "error.handled": "boolean"}),
        );
        let schema: Value = serde_json::from_str(def.schema).expect("JSON");
        assert_eq!(
            schema["properties"],
            json!({
                "organization_slug": {"type": "string"},
                "id": {"type": "string"},
                "project.id": {"type": "integer"},
                "timestamp": {"type": "string", "format": "date-time"},
                "title": {"type": ["string", "null"]},
                "tags[n]": {"type": ["number", "null"]},
                "error.handled": {"type": ["boolean", "null"]},
                "x": {"type": ["string", "null"]},
            })
        );
    }

    #[test]
    fn what_a_user_writes_stands_where_no_parameter_is_replaced() {
        let def = made(
            &json!({"name": "a", "dataset": "spans", "fields": ["{projects}"], "query": "{project_id}"}),
            &json!({}),
        );
        assert_eq!(def.endpoint.query, [("project", "{projects}")]);
        let windows = def.windows().expect("windows");
        assert!(
            windows.searches[0]
                .query
                .contains(&("query", "{project_id}"))
        );
    }
}
