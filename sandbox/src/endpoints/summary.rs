//! Outcomes of each project, summed up over a window.

use super::Call;
use super::statistics::{FIELD, ROWS, intervals, projects};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::window;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const OUTCOMES: [&str; 7] = [
    "accepted",
    "filtered",
    "rate_limited",
    "invalid",
    "abuse",
    "client_discard",
    "cardinality_limited",
];

/// Projects without outcomes are absent.
pub fn answer(call: &Call<'_>) -> Result<Reply, Problem> {
    call.only(&[
        "category",
        "end",
        "field",
        "interval",
        "outcome",
        "project",
        "projectSlug",
        "reason",
        "start",
        "statsPeriod",
    ])?;
    let projects = projects(call)?;
    let field = call
        .get("field")
        .ok_or_else(|| Problem::bad_request("At least one \"field\" is required."))?;
    if field != FIELD && field != "sum(times_seen)" {
        return Err(Problem::bad_request(&format!("Invalid field: \"{field}\"")));
    }
    let (asked, _) = intervals(call)?;
    let mut rows: BTreeMap<(u64, String, String), u64> = BTreeMap::new();
    for one in call.world.outcomes_in(asked.seconds(), &projects) {
        let row = (one.project, one.category().to_owned(), one.outcome.clone());
        *rows.entry(row).or_default() += if field == FIELD {
            one.quantity
        } else {
            one.times_seen
        };
    }
    let mut stats: BTreeMap<u64, BTreeMap<String, Map<String, Value>>> = BTreeMap::new();
    for ((project, category, outcome), count) in rows.into_iter().take(ROWS) {
        let of_project = stats.entry(project).or_default();
        let outcomes = of_project.entry(category).or_insert_with(|| {
            let zero = OUTCOMES.iter().map(|name| ((*name).to_owned(), json!(0)));
            zero.collect()
        });
        outcomes.insert(outcome, json!(count));
    }
    let listed = stats.into_iter().filter_map(|(id, stats)| {
        let project = call.world.project(id)?;
        let stats = stats.into_iter().map(|(category, outcomes)| {
            let sum: u64 = outcomes.values().filter_map(Value::as_u64).sum();
            let dropped = outcomes["rate_limited"].clone();
            let totals = json!({"dropped": dropped, field: sum});
            json!({"category": category, "outcomes": outcomes, "totals": totals})
        });
        let stats: Vec<Value> = stats.collect();
        Some(json!({"id": id.to_string(), "slug": project.slug, "stats": stats}))
    });
    let listed: Vec<Value> = listed.collect();
    Ok(Reply::value(&json!({
        "start": window::text(asked.start),
        "end": window::text(asked.end),
        "projects": listed,
    })))
}
