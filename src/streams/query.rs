//! A query over Sentry's explore endpoint, as the setting `explore` lists them: read, checked, and completed.

use crate::streams::interval::Interval;
use crate::streams::{STREAMS, StreamDef};
use serde::Deserialize;
use serde_json::Value;
use tap_sentry_api::text::brief;

/// The server's limit; it answers a longer list of fields with 400.
const MOST_FIELDS: usize = 20;
/// A name is that of a table.
const MOST_NAME: usize = 63;
/// The column of the place.
pub const PLACE: &str = "organization_slug";
/// When a row happened.
pub const TIMESTAMP: &str = "timestamp";

/// What is stored together.
#[derive(Debug, PartialEq, Eq)]
pub struct Dataset {
    /// As the server is asked for it.
    pub name: &'static str,
    /// The fields that identify a row; empty: none are known to.
    pub key: &'static [&'static str],
    /// Sampled: numbers are extrapolated unless the server is told otherwise.
    pub sampled: bool,
}

/// Those that the API's description names.
static DATASETS: &[Dataset] = &[
    Dataset {
        name: "errors",
        key: &["id", "project.id"],
        sampled: false,
    },
    Dataset {
        name: "logs",
        key: &["sentry.item_id"],
        sampled: true,
    },
    Dataset {
        name: "profile_functions",
        key: &[],
        sampled: true,
    },
    Dataset {
        name: "spans",
        key: &["id", "trace"],
        sampled: true,
    },
    Dataset {
        name: "tracemetrics",
        key: &[],
        sampled: true,
    },
    Dataset {
        name: "uptime_results",
        key: &[],
        sampled: true,
    },
];

/// As a user writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    dataset: String,
    fields: Vec<String>,
    #[serde(default)]
    query: Option<String>,
    #[serde(default)]
    sort: Option<String>,
    #[serde(default)]
    interval: Option<String>,
}

/// One query, of rows or of an aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The stream's.
    pub name: String,
    pub dataset: &'static Dataset,
    /// All that is asked for, with what identifies a row.
    pub fields: Vec<String>,
    /// Sentry's search.
    pub search: String,
    /// The fields that the list is ordered by, so that no two rows are equal.
    pub sort: Vec<String>,
    /// Of an aggregate: one row for each group and interval.
    pub interval: Option<Interval>,
}

impl Query {
    /// The columns that identify a record.
    pub fn key(&self) -> Vec<&str> {
        if self.interval.is_none() {
            return self.dataset.key.to_vec();
        }
        let groups = self.fields.iter().map(String::as_str);
        let groups = groups.filter(|field| !is_aggregate(field));
        // Organizations may have the same groups.
        [PLACE]
            .into_iter()
            .chain(groups)
            .chain([Interval::START])
            .collect()
    }
}

/// The queries of the setting: a list, or the JSON of one where only text can be written.
///
/// # Errors
/// What is wrong, with the name of the query where it has one.
pub fn queries(value: &Value) -> Result<Vec<Query>, String> {
    let list = match value {
        Value::String(text) if text.trim().is_empty() => return Ok(Vec::new()),
        Value::String(text) => serde_json::from_str(text).ok(),
        other => Some(other.clone()),
    };
    let Some(Value::Array(list)) = list else {
        return Err(
            "must be a list of queries, each with `name`, `dataset` and `fields`".to_owned(),
        );
    };
    let mut queries: Vec<Query> = Vec::new();
    for (at, one) in list.into_iter().enumerate() {
        let name = match one["name"].as_str() {
            Some(name) => format!("the query `{}`", brief(name)),
            None => format!("query {}", at + 1),
        };
        let wrong = |why: String| format!("{name}: {why}");
        let written =
            Written::deserialize(one).map_err(|error| wrong(brief(&error.to_string())))?;
        let query = complete(written).map_err(wrong)?;
        if queries.iter().any(|other| other.name == query.name) {
            return Err(wrong(
                "there is another of that name; rename one".to_owned(),
            ));
        }
        queries.push(query);
    }
    Ok(queries)
}

fn complete(written: Written) -> Result<Query, String> {
    let Written {
        name,
        dataset,
        fields,
        query,
        sort,
        interval,
    } = written;
    checked_name(&name)?;
    let dataset = dataset_of(&dataset)?;
    for (at, field) in fields.iter().enumerate() {
        let shown = brief(field);
        if field.trim() != field || field.is_empty() {
            return Err(format!(
                "the field `{shown}` is empty or has space around it"
            ));
        }
        if field.starts_with("equation|") {
            return Err(format!(
                "the field `{shown}` is an equation, which cannot be a column; list what it is made of"
            ));
        }
        if [PLACE, Interval::START].contains(&field.as_str()) {
            return Err(format!(
                "`{shown}` is the name of a column that is always there; remove it from `fields`"
            ));
        }
        if fields[..at].contains(field) {
            return Err(format!("the field `{shown}` is listed twice"));
        }
    }
    if fields.is_empty() {
        return Err("`fields` is empty; list at least one".to_owned());
    }
    let search = query.unwrap_or_default();
    if fields.iter().any(|field| is_aggregate(field)) {
        return aggregate(
            name,
            dataset,
            fields,
            search,
            sort.as_deref(),
            interval.as_deref(),
        );
    }
    if sort.is_some() {
        return Err("rows are always read in the order of their time; remove `sort`".to_owned());
    }
    if interval.is_some() {
        return Err("rows have a time of their own; remove `interval`, or list an aggregate such as `count()`".to_owned());
    }
    if dataset.key.is_empty() {
        return Err(format!(
            "nothing is known to identify a row of `{}`; list an aggregate such as `count()`",
            dataset.name
        ));
    }
    let mut all: Vec<String> = dataset.key.iter().map(ToString::to_string).collect();
    all.push(TIMESTAMP.to_owned());
    let ours = all.len();
    all.extend(
        fields
            .into_iter()
            .filter(|field| !dataset.key.contains(&field.as_str()) && field != TIMESTAMP),
    );
    within_limit(
        all.len(),
        MOST_FIELDS - ours,
        "beside id and timestamp, which are added",
    )?;
    let sort = [TIMESTAMP].iter().chain(dataset.key);
    Ok(Query {
        sort: sort.map(ToString::to_string).collect(),
        name,
        dataset,
        fields: all,
        search,
        interval: None,
    })
}

fn aggregate(
    name: String,
    dataset: &'static Dataset,
    fields: Vec<String>,
    search: String,
    sort: Option<&str>,
    interval: Option<&str>,
) -> Result<Query, String> {
    let Some(interval) = interval else {
        return Err("an aggregate needs an `interval`, `1h` or `1d`: it has one row for each group and interval".to_owned());
    };
    let Some(interval) = Interval::named(interval) else {
        return Err("`interval` must be `1h` or `1d`".to_owned());
    };
    within_limit(fields.len(), MOST_FIELDS, "in all")?;
    let first = sort.map(|sort| sort.trim_start_matches('-'));
    if first.is_some_and(|first| fields.iter().all(|field| field != first)) {
        return Err(
            "`sort` must be one of `fields`, with `-` before it for the largest first".to_owned(),
        );
    }
    // Groups differ in these, so that pages neither repeat a row nor leave one out.
    let groups = fields.iter().filter(|field| !is_aggregate(field));
    let groups = groups
        .filter(|field| first != Some(field.as_str()))
        .cloned();
    Ok(Query {
        sort: sort.map(str::to_owned).into_iter().chain(groups).collect(),
        name,
        dataset,
        fields,
        search,
        interval: Some(interval),
    })
}

fn within_limit(fields: usize, most: usize, beside: &str) -> Result<(), String> {
    if fields > MOST_FIELDS {
        return Err(format!(
            "it has too many fields: Sentry answers {most} {beside}"
        ));
    }
    Ok(())
}

/// Whether a field is computed from many rows: `count()`, `p95(span.duration)`.
pub fn is_aggregate(field: &str) -> bool {
    let Some((function, _)) = field.split_once('(') else {
        return false;
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    field.ends_with(')') && !function.is_empty() && function.chars().all(is_name)
}

fn dataset_of(name: &str) -> Result<&'static Dataset, String> {
    let known = DATASETS.iter().find(|dataset| dataset.name == name);
    known.ok_or_else(|| match name {
        "transactions" | "discover" => format!(
            "Sentry removes the dataset `{name}`; use `spans`, with `is_transaction:true` in `query` for transactions, or `errors`"
        ),
        _ => {
            let names: Vec<&str> = DATASETS.iter().map(|dataset| dataset.name).collect();
            format!("`dataset` must be one of {}", names.join(", "))
        }
    })
}

/// `^[a-z][a-z0-9_]{0,62}$`, and no stream that is there anyway.
fn checked_name(name: &str) -> Result<(), String> {
    let is_first = |c: char| c.is_ascii_lowercase();
    let is_other = |c: char| is_first(c) || c.is_ascii_digit() || c == '_';
    if !name.starts_with(is_first) || !name.chars().all(is_other) || name.len() > MOST_NAME {
        return Err(format!(
            "`name` must begin with a lower-case letter, and have lower-case letters, digits and `_` only, at most {MOST_NAME}"
        ));
    }
    if STREAMS
        .iter()
        .map(StreamDef::name)
        .any(|known| known == name)
    {
        return Err("that is the name of a stream of this tap; choose another".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn one(query: &Value) -> Result<Query, String> {
        queries(&json!([query])).map(|mut all| all.remove(0))
    }

    fn fields(count: usize) -> Vec<String> {
        (0..count).map(|i| format!("tags[t{i}]")).collect()
    }

    #[test]
    fn rows_get_what_identifies_them_and_are_in_the_order_of_their_time() {
        let query = one(&json!({"name": "slow", "dataset": "spans", "fields": ["span.op", "id"]}));
        let query = query.expect("a query");
        assert_eq!(query.fields, ["id", "trace", "timestamp", "span.op"]);
        assert_eq!(query.sort, ["timestamp", "id", "trace"]);
        assert_eq!(query.key(), ["id", "trace"]);
    }

    #[test]
    fn groups_are_known_by_their_values_and_the_interval() {
        let query = one(&json!({
            "name": "ops", "dataset": "spans", "fields": ["span.op", "count()", "release"],
            "sort": "-count()", "interval": "1h",
        }));
        let query = query.expect("a query");
        assert_eq!(
            query.key(),
            ["organization_slug", "span.op", "release", "interval_start"]
        );
        assert_eq!(query.sort, ["-count()", "span.op", "release"]);
    }

    #[test]
    fn as_many_fields_are_taken_as_the_server_answers() {
        let rows = |count| one(&json!({"name": "a", "dataset": "errors", "fields": fields(count)}));
        assert_eq!(rows(17).map(|query| query.fields.len()), Ok(20));
        assert!(rows(18).is_err_and(|why| why.contains("answers 17 beside id")));
        let groups = |count| {
            let fields = [fields(count), vec!["count()".to_owned()]].concat();
            one(&json!({"name": "a", "dataset": "errors", "fields": fields, "interval": "1d"}))
        };
        assert!(groups(19).is_ok());
        assert!(groups(20).is_err_and(|why| why.contains("answers 20 in all")));
    }

    #[test]
    fn text_may_be_the_json_of_the_list() {
        let text = r#"[{"name": "a", "dataset": "logs", "fields": ["message"]}]"#;
        let query = queries(&json!(text)).expect("queries").remove(0);
        assert_eq!(query.fields, ["sentry.item_id", "timestamp", "message"]);
        assert_eq!(queries(&json!("")), Ok(Vec::new()));
    }

    #[rstest]
    #[case(json!({"name": "Slow", "dataset": "spans", "fields": ["a"]}), "lower-case")]
    #[case(json!({"name": "_a", "dataset": "spans", "fields": ["a"]}), "lower-case")]
    #[case(json!({"name": "a".repeat(64), "dataset": "spans", "fields": ["a"]}), "at most 63")]
    #[case(json!({"name": "issues", "dataset": "spans", "fields": ["a"]}), "stream of this tap")]
    #[case(json!({"name": "a", "dataset": "transactions", "fields": ["a"]}), "is_transaction:true")]
    #[case(json!({"name": "a", "dataset": "rows", "fields": ["a"]}), "one of errors, logs")]
    #[case(json!({"name": "a", "dataset": "tracemetrics", "fields": ["a"]}), "nothing is known")]
    #[case(json!({"name": "a", "dataset": "spans", "fields": []}), "is empty")]
    #[case(json!({"name": "a", "dataset": "spans", "fields": ["b", "b"]}), "twice")]
    #[case(json!({"name": "a", "dataset": "spans", "fields": [" b"]}), "space")]
    #[case(json!({"name": "a", "dataset": "spans", "fields": ["equation|count() / 2"]}), "equation")]
    #[case(json!({"name": "a", "dataset": "spans", "fields": ["interval_start"]}), "always there")]
    #[case(json!({"name": "a", "dataset": "spans", "fields": ["b"], "sort": "b"}), "remove `sort`")]
    #[case(json!({"name": "a", "dataset": "spans", "fields": ["b"], "interval": "1h"}), "remove `interval`")]
    #[case(json!({"name": "a", "dataset": "spans", "fields": ["count()"]}), "needs an `interval`")]
    #[case(json!({"name": "a", "dataset": "spans", "fields": ["count()"], "interval": "2h"}), "`1h` or `1d`")]
    #[case(json!({"name": "a", "dataset": "spans", "fields": ["count()"], "interval": "1h", "sort": "b"}), "one of `fields`")]
    #[case(json!({"name": "a", "dataset": "spans", "fields": ["b"], "limit": 5}), "unknown field `limit`")]
    #[case(json!({"name": "a", "dataset": "spans"}), "missing field `fields`")]
    fn what_is_wrong_is_told_with_the_querys_name(#[case] query: Value, #[case] why: &str) {
        let name = query["name"].as_str().unwrap_or_default().to_owned();
        let error = one(&query).expect_err("a mistake");
        assert!(error.contains(why) && error.contains(&name[..1]), "{error}");
    }

    #[test]
    fn a_name_stands_once() {
        let query = json!({"name": "a", "dataset": "spans", "fields": ["b"]});
        let error = queries(&json!([query, query])).expect_err("a mistake");
        assert!(error.contains("another of that name"), "{error}");
    }
}
