//! Counts over time, one at a time: of a project, and of an organization.

use super::Call;
use crate::problem::Problem;
use crate::python;
use crate::reply::Reply;
use crate::version::Version;
use crate::world::{Outcome, Seconds};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Inbound filters, each of them a count of its own.
const FILTERS: [&str; 11] = [
    "browser-extensions",
    "cors",
    "discarded-hash",
    "error-message",
    "filtered-transaction",
    "invalid-csp",
    "ip-address",
    "legacy-browsers",
    "localhost",
    "release-version",
    "web-crawlers",
];

/// What is counted.
#[derive(Clone, Copy)]
enum Stat<'a> {
    Received,
    Rejected,
    Blacklisted,
    Generated,
    Filter(&'a str),
}

/// `[[second, count], …]`, oldest first.
pub fn project(call: &Call<'_>) -> Result<Reply, Problem> {
    call.only(&["stat", "since", "until", "resolution", "environment"])?;
    let project = call.project()?;
    let environments = call.environments()?;
    let stat = stat(call, true)?;
    let range = Range::asked(call)?;
    let only = BTreeSet::from([project.id]);
    Ok(Reply::value(&points(
        call,
        stat,
        &range,
        &only,
        &environments,
    )))
}

/// The same of an organization, or of its projects by id where `group=project`.
pub fn organization(call: &Call<'_>) -> Result<Reply, Problem> {
    call.only(&["stat", "since", "until", "resolution", "group", "projectID"])?;
    call.organization()?;
    let by_project = match call.get("group") {
        None | Some("organization") => false,
        Some("project") => true,
        Some(_) => return Err(unknown(call, "Invalid group")),
    };
    let stat = stat(call, by_project)?;
    let range = Range::asked(call)?;
    let caller = call.caller()?;
    let asked = call.all("projectID");
    let visible: BTreeSet<u64> = call
        .world
        .projects
        .iter()
        .filter(|project| caller.can_see(call.world, project))
        .filter(|project| asked.is_empty() || asked.contains(&project.id.to_string()))
        .map(|project| project.id)
        .collect();
    if !by_project {
        return Ok(Reply::value(&points(call, stat, &range, &visible, &[])));
    }
    let of = |id: u64| {
        let only = BTreeSet::from([id]);
        (id.to_string(), points(call, stat, &range, &only, &[]))
    };
    let all: serde_json::Map<String, Value> = visible.into_iter().map(of).collect();
    Ok(Reply::value(&Value::Object(all)))
}

fn stat<'a>(call: &Call<'a>, of_project: bool) -> Result<Stat<'a>, Problem> {
    Ok(match call.get("stat").unwrap_or("received") {
        "received" => Stat::Received,
        "rejected" => Stat::Rejected,
        "blacklisted" => Stat::Blacklisted,
        "generated" if of_project => Stat::Generated,
        filter if of_project && FILTERS.contains(&filter) => Stat::Filter(filter),
        _ => return Err(unknown(call, "Invalid stat")),
    })
}

/// Servers before 2026 do not expect it.
fn unknown(call: &Call<'_>, what: &str) -> Problem {
    if call.version >= Version::V2026 {
        Problem::bad_request(what)
    } else {
        Problem::json(
            StatusCode::INTERNAL_SERVER_ERROR,
            &json!({"detail": "Internal Error", "errorId": "9fac2ceed9344f2bbfdd1fdacb0ed9b1"}),
        )
    }
}

/// When, and how finely.
struct Range {
    since: i64,
    until: i64,
    resolution: i64,
}

impl Range {
    fn asked(call: &Call<'_>) -> Result<Self, Problem> {
        let second = |name: &str| match call.get(name).filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) => python::float(text)
                .filter(|number| number.is_finite())
                .map(|number| {
                    #[expect(clippy::cast_possible_truncation, reason = "seconds of this era")]
                    let second = number as i64;
                    Some(second)
                })
                .ok_or_else(|| unknown(call, "could not convert string to float")),
        };
        let until = second("until")?.unwrap_or(call.world.clock().timestamp());
        // A second short of a day, so that hours are 24.
        let since = second("since")?.unwrap_or(until - DAY + 1);
        let resolution = match call.get("resolution").filter(|text| !text.is_empty()) {
            Some("10s") => 10,
            Some("1h") => HOUR,
            Some("1d") => DAY,
            Some(_) => return Err(Problem::bad_request("Invalid resolution")),
            None if until - since <= HOUR => 10,
            None if until - since <= 7 * DAY => HOUR,
            None => DAY,
        };
        Ok(Self {
            since,
            until,
            resolution,
        })
    }

    /// Backwards from `until` in whole steps, so that the oldest point may be missing.
    fn points(&self) -> Vec<Seconds> {
        let steps = (self.until - self.since).div_euclid(self.resolution);
        let point = |step: i64| {
            let at = self.until - step * self.resolution;
            let from = at - at.rem_euclid(self.resolution);
            Seconds {
                from,
                to: from + self.resolution,
            }
        };
        (0..=steps).rev().map(point).collect()
    }
}

fn points(
    call: &Call<'_>,
    stat: Stat<'_>,
    range: &Range,
    projects: &BTreeSet<u64>,
    environments: &[String],
) -> Value {
    let point = |window: Seconds| {
        let counted: u64 = if let Stat::Generated = stat {
            generated(call, window, projects, environments)
        } else {
            call.world
                .outcomes_in(window, projects)
                .filter(|one| counts(stat, one, call.version))
                .map(|one| one.quantity)
                .sum()
        };
        json!([window.from, counted])
    };
    range.points().into_iter().map(point).collect()
}

/// Stored errors, whatever became of their issues.
fn generated(
    call: &Call<'_>,
    window: Seconds,
    projects: &BTreeSet<u64>,
    environments: &[String],
) -> u64 {
    let issues = call.world.issues.values();
    let stored: u64 = issues
        .filter(|issue| projects.contains(&issue.project) && issue.kind.is_error())
        .filter_map(|issue| issue.seen(window, environments))
        .map(|seen| seen.count)
        .sum();
    let others = call.world.outcomes.iter();
    let others: u64 = others
        .filter(|one| environments.is_empty() && window.holds(one.second))
        .filter(|one| projects.contains(&one.project))
        .filter(|one| one.is_error() && one.outcome == "accepted")
        .map(|one| one.quantity)
        .sum();
    stored + others
}

fn counts(stat: Stat<'_>, one: &Outcome, version: Version) -> bool {
    // 21.1 counts what is no error too.
    let kind = one.is_error() || version == Version::V21_1;
    let outcome = one.outcome.as_str();
    kind && match stat {
        Stat::Received if matches!(version, Version::V21_1 | Version::V21_4) => {
            outcome != "invalid"
        }
        Stat::Received => matches!(outcome, "accepted" | "filtered" | "rate_limited"),
        Stat::Rejected => outcome == "rate_limited",
        Stat::Blacklisted => outcome == "filtered",
        Stat::Generated => outcome == "accepted",
        Stat::Filter(filter) => outcome == "filtered" && one.reason.as_deref() == Some(filter),
    }
}
