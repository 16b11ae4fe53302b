//! Sessions of releases, in totals: the health of releases.

use super::Call;
use super::statistics::{inclusive, interval, projects, whole};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::window::{self, Window};
use chrono::TimeDelta;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const STATUS: &str = "session.status";

const FIELDS: [&str; 4] = [
    "crash_free_rate(session)",
    "crash_free_rate(user)",
    "count_unique(user)",
    "sum(session)",
];

/// How sessions end, as they are grouped by it.
const STATUSES: [&str; 4] = ["healthy", "abnormal", "crashed", "errored"];

/// More points than these are lost without a word: groups, each with a total and its intervals.
const POINTS: usize = 10_000;

/// What sessions add up to.
#[derive(Clone, Copy, Default)]
struct Sum {
    sessions: u64,
    crashed: u64,
    users: u64,
    crashed_users: u64,
}

/// Totals by project, release, environment and status. Series, other fields and other groups are told not to be imitated.
pub fn answer(call: &Call<'_>) -> Result<Reply, Problem> {
    call.only(&[
        "end",
        "field",
        "groupBy",
        "includeSeries",
        "includeTotals",
        "interval",
        "orderBy",
        "per_page",
        "project",
        "projectSlug",
        "query",
        "start",
        "statsPeriod",
    ])?;
    let projects = projects(call)?;
    let fields = call.all("field");
    if fields.is_empty() {
        return Err(Problem::bad_request("Request is missing a \"field\""));
    }
    if let Some(other) = fields
        .iter()
        .find(|field| !FIELDS.contains(&field.as_str()))
    {
        return Err(Problem::not_imitated(&format!("the field {other}")));
    }
    let group_by = call.all("groupBy");
    if let Some(other) = group_by
        .iter()
        .find(|name| !["project", "release", "environment", STATUS].contains(&name.as_str()))
    {
        return Err(Problem::bad_request(&format!(
            "Invalid groupBy: \"{other}\""
        )));
    }
    let by_status = group_by.iter().any(|name| name == STATUS);
    if by_status && fields.iter().any(|field| field.starts_with("crash_")) {
        return Err(Problem::bad_request(
            "Cannot group field crash_free_rate by session.status",
        ));
    }
    if call.get("includeSeries") != Some("0") {
        return Err(Problem::not_imitated("series of sessions"));
    }
    let releases = releases(call.get("query").unwrap_or_default())?;
    let now = call.world.clock();
    let step = interval(call.get("interval").unwrap_or("1h"))?;
    let asked = call.window()?.unwrap_or(Window {
        start: now - TimeDelta::days(90),
        end: now + TimeDelta::seconds(1),
    });
    // A period up to now is not rounded here.
    let asked = match call.get("end") {
        Some(end) if !end.is_empty() => whole(inclusive(call, asked), step),
        _ => asked,
    };
    let steps = (asked.end - asked.start).num_seconds() / step;
    let mut sums: BTreeMap<String, (Value, Sum)> = BTreeMap::new();
    for one in &call.world.sessions {
        let is_asked = |releases: &Vec<String>| releases.contains(&one.release);
        if !projects.contains(&one.project)
            || !asked.seconds().holds(one.second)
            || !releases.as_ref().is_none_or(is_asked)
        {
            continue;
        }
        let by: Map<String, Value> = group_by
            .iter()
            .filter(|name| *name != STATUS)
            .map(|name| {
                let value = match name.as_str() {
                    "project" => json!(one.project),
                    "environment" => json!(one.environment),
                    _ => json!(one.release),
                };
                (name.clone(), value)
            })
            .collect();
        let by = Value::Object(by);
        let (_, sum) = sums
            .entry(by.to_string())
            .or_insert_with(|| (by, Sum::default()));
        sum.sessions += one.sessions;
        sum.crashed += one.crashed;
        sum.users += one.users;
        sum.crashed_users += one.crashed_users;
    }
    let mut sums: Vec<(Value, Sum)> = sums.into_values().collect();
    match call.get("orderBy") {
        None | Some("") => {}
        Some("-sum(session)") => sums.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.sessions)),
        Some("sum(session)") => sums.sort_by_key(|(_, sum)| sum.sessions),
        Some(_) => return Err(Problem::not_imitated("another order of sessions")),
    }
    let most = POINTS / usize::try_from(steps + 1).unwrap_or(1);
    sums.truncate(match call.get("per_page") {
        Some(_) => call.per_page()?.min(most),
        None => most,
    });
    if by_status {
        let apart = |(by, sum): (Value, Sum)| {
            STATUSES.map(|status| {
                let mut by = by.clone();
                by[STATUS] = json!(status);
                (by, sum.of(status))
            })
        };
        sums = sums.into_iter().flat_map(apart).collect();
        sums.truncate(most);
    }
    let groups: Vec<Value> = sums
        .into_iter()
        .map(|(by, sum)| {
            let totals: Map<String, Value> = fields
                .iter()
                .map(|field| (field.clone(), sum.field(field)))
                .collect();
            json!({"by": by, "totals": totals})
        })
        .collect();
    Ok(Reply::value(&json!({
        "start": window::text(asked.start),
        "end": window::text(asked.end),
        "query": "",
        "groups": groups,
    })))
}

/// The releases that a query of the form `release:["a","b"]` or `release:"a"` names; no others are told to be imitated. In a list
/// a backslash before a wildcard is one, as on servers before 2026.
fn releases(query: &str) -> Result<Option<Vec<String>>, Problem> {
    if query.is_empty() {
        return Ok(None);
    }
    let other = || Problem::not_imitated("another query of sessions");
    let named = query.strip_prefix("release:").ok_or_else(other)?;
    let releases = if named.starts_with('[') {
        serde_json::from_str(&named.replace(r"\*", r"\\*")).ok()
    } else {
        let one = serde_json::from_str(&named.replace(r"\*", "*"));
        one.ok().map(|one| vec![one])
    };
    releases.map(Some).ok_or_else(other)
}

impl Sum {
    /// Those that ended so.
    fn of(self, status: &str) -> Self {
        let (sessions, users) = match status {
            "healthy" => (
                self.sessions - self.crashed,
                self.users - self.crashed_users,
            ),
            "crashed" => (self.crashed, self.crashed_users),
            _ => (0, 0),
        };
        Self {
            sessions,
            users,
            ..Self::default()
        }
    }

    /// A rate of nothing is `null`.
    fn field(&self, field: &str) -> Value {
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let rate = |crashed: u64, all: u64| match all {
            0 => Value::Null,
            all => json!(1.0 - crashed as f64 / all as f64),
        };
        match field {
            "crash_free_rate(session)" => rate(self.crashed, self.sessions),
            "crash_free_rate(user)" => rate(self.crashed_users, self.users),
            "count_unique(user)" => json!(self.users),
            _ => json!(self.sessions),
        }
    }
}
