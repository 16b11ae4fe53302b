//! Outcomes of ingestion.

use super::Call;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::window::{self, Window};
use crate::world::Seconds;
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub const FIELD: &str = "sum(quantity)";

/// More groups than these are lost without a word.
pub const ROWS: usize = 10_000;

const PARAMETERS: [&str; 11] = [
    "category",
    "end",
    "field",
    "groupBy",
    "interval",
    "outcome",
    "project",
    "projectSlug",
    "reason",
    "start",
    "statsPeriod",
];

/// What it is grouped by, and for each field the counts of the intervals.
type Group = (Value, Vec<Vec<u64>>);

/// Counted over what was ever received: issues being deleted included. What is zero is absent.
pub fn answer(call: &Call<'_>) -> Result<Reply, Problem> {
    call.only(&PARAMETERS)?;
    let projects = projects(call)?;
    let fields = call.all("field");
    if fields.is_empty() {
        return Err(Problem::bad_request("At least one \"field\" is required."));
    }
    if let Some(other) = fields
        .iter()
        .find(|field| *field != FIELD && *field != "sum(times_seen)")
    {
        return Err(Problem::bad_request(&format!("Invalid field: \"{other}\"")));
    }
    let group_by = call.all("groupBy");
    if group_by.is_empty() {
        return Err(Problem::bad_request(
            "At least one \"groupBy\" is required.",
        ));
    }
    if let Some(other) = group_by
        .iter()
        .find(|name| !["project", "outcome", "category", "reason"].contains(&name.as_str()))
    {
        return Err(Problem::bad_request(&format!(
            "Invalid groupBy: \"{other}\""
        )));
    }
    if call.all("category").is_empty() && !group_by.iter().any(|name| name == "category") {
        return Err(Problem::bad_request(
            "Query must have category as groupby or filter",
        ));
    }
    let (asked, step) = intervals(call)?;
    let (from, to) = (asked.start.timestamp(), asked.end.timestamp());
    let starts: Vec<i64> = (0..(to - from) / step)
        .map(|number| from + number * step)
        .collect();
    if starts.len() > 10_000 {
        return Err(Problem::bad_request(
            "Your interval and date range would create too many results. Use a larger interval, or a smaller date range.",
        ));
    }

    let wanted = |name: &str, value: &str| {
        let list = call.all(name);
        list.is_empty() || list.iter().any(|one| one == value)
    };
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for (place, start) in starts.iter().enumerate() {
        let window = Seconds {
            from: *start,
            to: start + step,
        };
        for one in call.world.outcomes_in(window, &projects) {
            if !wanted("category", one.category())
                || !wanted("outcome", &one.outcome)
                || !wanted("reason", one.reason.as_deref().unwrap_or_default())
            {
                continue;
            }
            let by: serde_json::Map<String, Value> = group_by
                .iter()
                .map(|name| {
                    let value = match name.as_str() {
                        "project" => json!(one.project),
                        "outcome" => json!(one.outcome),
                        "category" => json!(one.category()),
                        _ => json!(one.reason),
                    };
                    (name.clone(), value)
                })
                .collect();
            let by = Value::Object(by);
            let (_, counts) = groups
                .entry(by.to_string())
                .or_insert_with(|| (by, vec![vec![0; starts.len()]; fields.len()]));
            for (field, counts) in fields.iter().zip(counts) {
                counts[place] += if field == FIELD {
                    one.quantity
                } else {
                    one.times_seen
                };
            }
        }
    }
    // Grouped by project there are totals only.
    let totals_only = group_by.iter().any(|name| name == "project");
    let by_field = |values: Vec<Value>| -> Value {
        let pairs = fields.iter().cloned().zip(values);
        Value::Object(pairs.collect())
    };
    let groups: Vec<Value> = groups
        .into_values()
        .filter(|(_, counts)| counts.iter().flatten().any(|count| *count > 0))
        .take(ROWS)
        .map(|(by, counts)| {
            let totals = counts.iter().map(|one| json!(one.iter().sum::<u64>()));
            let mut group = json!({"by": by, "totals": by_field(totals.collect())});
            if !totals_only {
                group["series"] = by_field(counts.iter().map(|one| json!(one)).collect());
            }
            group
        })
        .collect();
    let mut body = json!({
        "start": window::second_text(from),
        "end": window::second_text(to),
        "groups": groups,
    });
    if !totals_only {
        body["intervals"] = starts
            .iter()
            .map(|start| json!(window::second_text(*start)))
            .collect();
    }
    Ok(Reply::value(&body))
}

/// The projects that a request is about, which must be some.
pub fn projects(call: &Call<'_>) -> Result<BTreeSet<u64>, Problem> {
    call.organization()?;
    let projects = call.projects()?;
    if projects.is_empty() {
        return Err(Problem::bad_request("No projects available"));
    }
    Ok(projects)
}

/// The window that is asked for, in whole intervals, and how long these are.
pub fn intervals(call: &Call<'_>) -> Result<(Window, i64), Problem> {
    let step = interval(call.get("interval").unwrap_or("1h"))?;
    let asked = call.window()?.unwrap_or_else(|| Window::recent(call.world));
    Ok((whole(inclusive(call, asked), step), step))
}

/// An end that is named is inclusive: at the start of an interval it brings all of that.
pub fn inclusive(call: &Call<'_>, mut asked: Window) -> Window {
    if call.get("end").is_some_and(|text| !text.is_empty()) {
        asked.end += TimeDelta::seconds(1);
    }
    asked
}

/// The intervals that a window touches.
pub fn whole(asked: Window, step: i64) -> Window {
    let end = asked.end.timestamp();
    Window {
        start: window::at(asked.start.timestamp() - asked.start.timestamp().rem_euclid(step)),
        end: window::at(end + (step - end.rem_euclid(step)) % step),
    }
}

/// Between an hour and a day, and a divisor of a day.
pub fn interval(text: &str) -> Result<i64, Problem> {
    const HOUR: i64 = 3_600;
    let seconds = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((number, "h")) => number.parse::<i64>().ok().map(|number| number * HOUR),
        Some((number, "d")) => number.parse::<i64>().ok().map(|number| number * 24 * HOUR),
        Some((number, "m")) => number.parse::<i64>().ok().map(|number| number * 60),
        _ => None,
    }
    .ok_or_else(|| Problem::bad_request(&format!("Invalid interval: \"{text}\"")))?;
    if seconds < HOUR {
        return Err(Problem::bad_request(
            "The interval has to be at least one hour.",
        ));
    }
    if seconds > 24 * HOUR || (24 * HOUR) % seconds != 0 {
        return Err(Problem::bad_request(
            "The interval should divide one day cleanly.",
        ));
    }
    Ok(seconds)
}
