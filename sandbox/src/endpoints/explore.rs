//! Explore: rows and aggregates of a dataset, in exactly the fields that are asked for.

use super::Call;
use crate::cursor;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::window::Window;
use crate::world::{EventRef, Explored};
use chrono::SecondsFormat;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

const DATASETS: &[&str] = &[
    "errors",
    "logs",
    "profile_functions",
    "spans",
    "tracemetrics",
    "uptime_results",
];
const MOST_FIELDS: usize = 20;

/// Fields that every item of a dataset has, or may have, and their types.
const FIELDS: &[(&str, &[(&str, &str)])] = &[
    (
        "errors",
        &[
            ("id", "string"),
            ("title", "string"),
            ("message", "string"),
            ("platform", "string"),
            ("issue.id", "integer"),
            ("release", "string"),
            ("environment", "string"),
            ("user.email", "string"),
        ],
    ),
    (
        "logs",
        &[
            ("sentry.item_id", "string"),
            ("message", "string"),
            ("severity", "string"),
            ("timestamp_precise", "number"),
            ("trace", "string"),
        ],
    ),
    (
        "spans",
        &[
            ("id", "string"),
            ("trace", "string"),
            ("span.op", "string"),
            ("span.duration", "duration"),
            ("is_transaction", "boolean"),
            ("release", "string"),
            ("user.email", "string"),
        ],
    ),
];
const EVERYWHERE: &[(&str, &str)] = &[
    ("timestamp", "date"),
    ("project", "string"),
    ("project.id", "integer"),
];

/// One of the fields that are asked for.
enum Field {
    Own(String),
    Of(String, Option<String>),
}

pub fn answer(call: &Call<'_>) -> Result<Reply, Problem> {
    call.only(&[
        "cursor",
        "dataset",
        "disableAggregateExtrapolation",
        "end",
        "environment",
        "field",
        "per_page",
        "project",
        "projectSlug",
        "query",
        "sampling",
        "sort",
        "start",
        "statsPeriod",
    ])?;
    call.organization()?;
    let dataset = call.get("dataset").unwrap_or_default();
    if !DATASETS.contains(&dataset) {
        let known = DATASETS.join(", ");
        return Err(Problem::bad_request(&format!(
            "dataset must be one of: {known}"
        )));
    }
    let items = items(call, dataset)?;
    let (names, types) = fields(call, dataset)?;
    let asked = call.window()?.unwrap_or_else(|| Window::recent(call.world));
    let window = call.world.retained(asked.seconds());
    if window.from >= asked.seconds().to {
        return Err(Problem::bad_request(
            "Invalid date range. Please try a more recent date range.",
        ));
    }
    let sort = sort(call, &names)?;
    let terms = terms(call, dataset)?;
    let found = items.into_iter().filter(|item| {
        let second = item.timestamp.timestamp();
        (window.from..window.to).contains(&second)
            && terms
                .iter()
                .all(|(name, wanted)| match (value(call, item, name), wanted) {
                    (None | Some(Value::Null), _) => false,
                    (Some(_), None) => true,
                    (Some(found), Some(wanted)) => text(&found) == *wanted,
                })
    });
    let found: Vec<Cow<'_, Explored>> = found.collect();
    let (limit, offset) = (
        call.per_page()?,
        cursor::row_offset(call.cursor()?.as_ref()),
    );
    let most = call.world.explore_rows.saturating_sub(offset);
    let page = offset..offset + most.min(limit + 1);
    let is_of_many = |(_, field): &(String, Field)| matches!(field, Field::Of(..));
    let rows: Vec<Map<String, Value>> = if names.iter().any(is_of_many) {
        let rows = groups(call, &names, &found);
        let order = ordered(&sort, &rows, |row, name| row.get(name).cloned());
        let page = order.into_iter().skip(page.start).take(page.len());
        page.cloned().collect()
    } else {
        let order = ordered(&sort, &found, |item, name| value(call, item, name));
        // Only rows of the page are made: there may be as many as the server tells, a hundred pages.
        let page = order.into_iter().skip(page.start).take(page.len());
        let row = |item: &Cow<'_, Explored>| {
            let of = |(name, _): &(String, Field)| {
                value(call, item, name).map(|value| (name.clone(), value))
            };
            names.iter().filter_map(of).collect()
        };
        page.map(row).collect()
    };
    let slice = cursor::by_row(rows, limit, offset);
    let meta = json!({"fields": types, "units": {}, "dataset": dataset});
    Ok(Reply::page(slice.map(|row| Value::Object(row).to_string()))
        .inside(Some("data"))
        .beside("meta", &meta))
}

/// What there is of the projects that are asked for, in the order in which it came.
fn items<'a>(call: &Call<'a>, dataset: &str) -> Result<Vec<Cow<'a, Explored>>, Problem> {
    let projects = call.projects()?;
    let environments = call.environments()?;
    let stored = call.world.explored.iter();
    let stored = stored.filter(|item| item.dataset == dataset && projects.contains(&item.project));
    let mut items: Vec<Cow<'a, Explored>> = stored.map(Cow::Borrowed).collect();
    if dataset == "errors" {
        let issues = call.world.issues.values().filter(|issue| {
            projects.contains(&issue.project) && issue.kind.is_error() && call.world.listable(issue)
        });
        for issue in issues {
            for event in issue.events_in(crate::world::Seconds::ALL) {
                if let EventRef::Stored(event) = event {
                    items.push(Cow::Owned(Explored {
                        dataset: dataset.to_owned(),
                        project: issue.project,
                        timestamp: event.timestamp,
                        values: Map::from_iter([
                            ("id".to_owned(), json!(event.id)),
                            ("title".to_owned(), json!(issue.title)),
                            ("message".to_owned(), json!(event.message)),
                            ("issue.id".to_owned(), json!(issue.id)),
                            ("release".to_owned(), json!(event.release)),
                            ("environment".to_owned(), json!(event.environment)),
                        ]),
                    }));
                }
            }
        }
    }
    if !environments.is_empty() {
        items.retain(|item| {
            let name = item.values.get("environment").and_then(Value::as_str);
            name.is_some_and(|name| environments.iter().any(|one| one == name))
        });
    }
    Ok(items)
}

/// The value of an item's field; the time is in whole seconds, with an offset.
fn value(call: &Call<'_>, item: &Explored, name: &str) -> Option<Value> {
    match name {
        "timestamp" => {
            let text = item.timestamp.to_rfc3339_opts(SecondsFormat::Secs, false);
            Some(json!(text))
        }
        // In nanoseconds.
        "timestamp_precise" if item.dataset == "logs" => {
            Some(json!(item.timestamp.timestamp_nanos_opt()))
        }
        "project.id" => Some(json!(item.project)),
        "project" => Some(json!(call.world.project(item.project)?.slug)),
        name => item.values.get(name).cloned(),
    }
}

/// The type of a field; `None`: there is none of that name.
fn kind(call: &Call<'_>, dataset: &str, name: &str) -> Option<&'static str> {
    let of = FIELDS.iter().find(|(of, _)| *of == dataset);
    let mut known = of
        .into_iter()
        .flat_map(|(_, fields)| *fields)
        .chain(EVERYWHERE);
    if let Some((_, kind)) = known.find(|(known, _)| *known == name) {
        return Some(kind);
    }
    let stored = call
        .world
        .explored
        .iter()
        .filter(|item| item.dataset == dataset);
    let mut values = stored.filter_map(|item| item.values.get(name));
    Some(match values.find(|value| !value.is_null())? {
        Value::Number(_) => "number",
        Value::Bool(_) => "boolean",
        Value::Array(_) => "array",
        _ => "string",
    })
}

type Named = Vec<(String, Field)>;

/// The fields that are asked for, and their types as the answer names them.
fn fields(call: &Call<'_>, dataset: &str) -> Result<(Named, Map<String, Value>), Problem> {
    let asked = call.all("field");
    if asked.is_empty() {
        return Err(Problem::bad_request("No columns selected"));
    }
    if asked.len() > MOST_FIELDS {
        return Err(Problem::bad_request(&format!(
            "You can view up to {MOST_FIELDS} fields at a time. Please delete some and try again."
        )));
    }
    let mut names = Vec::new();
    let mut types = Map::new();
    for name in asked {
        let unknown = |name: &str| Problem::bad_request(&format!("Unknown field: {name}"));
        let (field, kind) = match name.strip_suffix(')').and_then(|call| call.split_once('(')) {
            None => {
                let kind = kind(call, dataset, &name).ok_or_else(|| unknown(&name))?;
                (Field::Own(name.clone()), kind)
            }
            Some((function, of)) => {
                let of = Some(of).filter(|of| !of.is_empty());
                let of_kind = of.map(|of| kind(call, dataset, of).ok_or_else(|| unknown(of)));
                let of_kind = of_kind.transpose()?;
                let kind = match (function, of_kind) {
                    ("count", None) | ("count_unique", Some(_)) => "integer",
                    (
                        "sum" | "avg" | "min" | "max",
                        Some(kind @ ("number" | "integer" | "duration")),
                    ) => kind,
                    _ => return Err(Problem::bad_request(&format!("Unknown function: {name}"))),
                };
                (Field::Of(function.to_owned(), of.map(str::to_owned)), kind)
            }
        };
        types.insert(name.clone(), json!(kind));
        names.push((name, field));
    }
    Ok((names, types))
}

/// By which fields the rows are ordered, and whether they fall.
fn sort(call: &Call<'_>, names: &Named) -> Result<Vec<(String, bool)>, Problem> {
    let asked = call.all("sort").into_iter().map(|sort| {
        let name = sort.strip_prefix('-').unwrap_or(&sort);
        if names.iter().all(|(known, _)| known != name) {
            return Err(Problem::bad_request(
                "orderby must also be in the selected columns or groupby",
            ));
        }
        Ok((name.to_owned(), sort.starts_with('-')))
    });
    asked.collect()
}

/// `name:value` and `has:name`, all of which must hold.
fn terms(call: &Call<'_>, dataset: &str) -> Result<Vec<(String, Option<String>)>, Problem> {
    let query = call.get("query").unwrap_or_default();
    let terms = query.split_whitespace().map(|term| {
        let (name, wanted) = term
            .rsplit_once(':')
            .ok_or_else(|| Problem::bad_request(&format!("Error parsing search query: {term}")))?;
        let (name, wanted) = match name {
            "has" => (wanted, None),
            name => (name, Some(wanted.trim_matches('"').to_owned())),
        };
        match kind(call, dataset, name) {
            Some(_) => Ok((name.to_owned(), wanted)),
            None => Err(Problem::bad_request(&format!("Unknown field: {name}"))),
        }
    });
    terms.collect()
}

/// Rows in the order of these fields. Without any it is not defined.
fn ordered<'r, R>(
    sort: &[(String, bool)],
    rows: &'r [R],
    value: impl Fn(&R, &str) -> Option<Value>,
) -> Vec<&'r R> {
    if sort.is_empty() {
        return rows.iter().rev().collect();
    }
    let place = |row: &'r R| {
        let of = |(name, _): &(String, bool)| Place::of(value(row, name).as_ref());
        (sort.iter().map(of).collect::<Vec<_>>(), row)
    };
    let mut rows: Vec<_> = rows.iter().map(place).collect();
    rows.sort_by(|(one, _), (other, _)| {
        let orders = sort.iter().zip(one.iter().zip(other));
        let orders = orders.map(|((_, falls), (one, other))| {
            let order = one.cmp(other);
            if *falls { order.reverse() } else { order }
        });
        orders.fold(Ordering::Equal, Ordering::then)
    });
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Where a value stands among others: numbers by size, all else as text.
struct Place {
    number: Option<f64>,
    text: Option<String>,
}

impl Place {
    fn of(value: Option<&Value>) -> Self {
        let number = value.and_then(Value::as_f64);
        let text = value.map(text);
        Self { number, text }
    }

    fn cmp(&self, other: &Self) -> Ordering {
        match (self.number, other.number) {
            (Some(one), Some(other)) => one.total_cmp(&other),
            _ => self.text.cmp(&other.text),
        }
    }
}

fn groups(call: &Call<'_>, names: &Named, found: &[Cow<'_, Explored>]) -> Vec<Map<String, Value>> {
    let mut groups: BTreeMap<String, (Map<String, Value>, Vec<&Explored>)> = BTreeMap::new();
    for item in found {
        let own = names.iter().filter_map(|(name, field)| match field {
            Field::Own(own) => Some((name.clone(), value(call, item, own).unwrap_or_default())),
            Field::Of(..) => None,
        });
        let group: Map<String, Value> = own.collect();
        let key = Value::Object(group.clone()).to_string();
        groups
            .entry(key)
            .or_insert((group, Vec::new()))
            .1
            .push(item);
    }
    if groups.is_empty()
        && names
            .iter()
            .all(|(_, field)| matches!(field, Field::Of(..)))
    {
        // Of nothing there is one row, too.
        groups.insert(String::new(), (Map::new(), Vec::new()));
    }
    let rows = groups.into_values().map(|(mut row, items)| {
        for (name, field) in names {
            if let Field::Of(function, of) = field {
                row.insert(
                    name.clone(),
                    computed(call, function, of.as_deref(), &items),
                );
            }
        }
        row
    });
    rows.collect()
}

fn computed(call: &Call<'_>, function: &str, of: Option<&str>, items: &[&Explored]) -> Value {
    let values = of
        .into_iter()
        .flat_map(|of| items.iter().filter_map(move |item| value(call, item, of)));
    let values: Vec<Value> = values.filter(|value| !value.is_null()).collect();
    let numbers: Vec<f64> = values.iter().filter_map(Value::as_f64).collect();
    #[expect(clippy::cast_precision_loss, reason = "a test has few items")]
    let average = || numbers.iter().sum::<f64>() / numbers.len() as f64;
    match function {
        "count" => json!(items.len()),
        "count_unique" => {
            let mut texts: Vec<String> = values.iter().map(text).collect();
            texts.sort();
            texts.dedup();
            json!(texts.len())
        }
        _ if numbers.is_empty() => Value::Null,
        "sum" => json!(numbers.iter().sum::<f64>()),
        "avg" => json!(average()),
        "min" => json!(numbers.iter().copied().fold(f64::INFINITY, f64::min)),
        _ => json!(numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
