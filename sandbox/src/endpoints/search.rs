//! Issue search: what it hides, what it counts, and its order.

use super::Call;
use super::query::Query;
use crate::cursor;
use crate::problem::Problem;
use crate::python;
use crate::render::issue::{self, Trim};
use crate::reply::{Page, Reply};
use crate::window::Window;
use crate::world::{Issue, Seconds, Seen};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// What `X-Hits` never exceeds.
pub const MAX_HITS: usize = 1_000;

/// What the list can be sorted by, `inbox` aside.
const SORTS: [&str; 6] = ["date", "new", "freq", "user", "trends", "recommended"];

pub fn organization(call: &Call<'_>) -> Result<Reply, Problem> {
    call.organization()?;
    let period = call.get("groupStatsPeriod").unwrap_or("24h");
    if !["", "24h", "14d", "auto"].contains(&period) {
        return Err(Problem::bad_request(
            "Invalid stats_period. Valid choices are '', '24h', '14d', and 'auto'",
        ));
    }
    let projects = call.projects()?;
    let trim = Trim {
        collapse: call.all("collapse"),
        expand: call.all("expand"),
        stats: period.to_owned(),
        html_annotations: false,
    };
    search(call, &projects, &trim)
}

/// The deprecated search of one project.
pub fn project(call: &Call<'_>) -> Result<Reply, Problem> {
    let project = call.project()?;
    let period = call.get("statsPeriod").unwrap_or("24h");
    if !["", "24h", "14d"].contains(&period) {
        return Err(Problem::bad_request(
            "Invalid stats_period. Valid choices are '', '24h', and '14d'",
        ));
    }
    let trim = Trim {
        stats: period.to_owned(),
        html_annotations: true,
        ..Trim::default()
    };
    search(call, &BTreeSet::from([project.id]), &trim)
}

fn search(call: &Call<'_>, projects: &BTreeSet<u64>, trim: &Trim) -> Result<Reply, Problem> {
    let world = call.world;
    let environments = call.environments()?;
    let asked = call.window()?.unwrap_or_else(|| Window::recent(world));
    let limit = match call.get("limit") {
        None | Some("") => 100,
        Some(text) => python::int(text)
            .and_then(|limit| usize::try_from(limit).ok())
            .filter(|limit| *limit > 0)
            .ok_or_else(|| Problem::bad_request("invalid limit"))?
            .min(100),
    };
    let cursor = call.cursor()?;
    if projects.is_empty() {
        return Ok(Reply::list(Vec::new()));
    }
    let in_reach = |issue: &&Issue| projects.contains(&issue.project) && world.listable(issue);

    // By id: neither query nor window, nor pages.
    let ids = call.all("group");
    if !ids.is_empty() {
        let mut rows = Vec::new();
        for id in ids {
            let id = python::int(&id)
                .ok_or_else(|| Problem::bad_request("Group ids must be integers"))?;
            let found = u64::try_from(id)
                .ok()
                .and_then(|id| world.issues.get(&id))
                .filter(in_reach);
            if let Some(found) = found {
                rows.push(issue::row(world, found, None, trim));
            }
        }
        return Ok(Reply::list(rows));
    }

    let text = call
        .get("query")
        .unwrap_or(call.version.default_query())
        .trim();
    if let Some(hit) = direct_hit(call, text) {
        return Ok(Reply::List {
            rows: in_reach(&hit)
                .then(|| issue::row(world, hit, None, trim))
                .into_iter()
                .collect(),
            direct_hit: true,
            envelope: None,
        });
    }
    let query = Query::parse(text, call.version, world.clock())?;
    if call.pedantic {
        pedantic(call, &query)?;
    }
    if call.errors_only && !query.finds_errors() {
        return Err(Problem::query_failed());
    }
    let sort = call.get("sort").unwrap_or("date");
    if sort == "inbox" {
        query.inbox()?;
    } else if !SORTS.contains(&sort) {
        return Err(Problem::bad_request(&format!(
            "Sort key '{sort}' not supported."
        )));
    }
    let seconds = world.retained(asked.seconds());
    let mut scored: Vec<(i64, (&Issue, Seen))> = world
        .issues
        .values()
        .filter(in_reach)
        .filter(|issue| query.by_kind() || !issue.kind.hidden)
        .filter(|issue| !call.errors_only || issue.kind.is_error())
        .filter_map(|issue| Some((issue, issue.seen(seconds, &environments)?)))
        .filter(|(issue, seen)| query.matches(call, issue, *seen, seconds))
        .map(|(issue, seen)| {
            let score = match sort {
                "new" => issue
                    .seen(Seconds::ALL, &[])
                    .map_or(0, |ever| ever.first * 1_000),
                "freq" => i64::try_from(seen.count).unwrap_or(i64::MAX),
                "user" => i64::try_from(seen.users).unwrap_or(i64::MAX),
                _ => seen.last * 1_000,
            };
            (score, (issue, seen))
        })
        .collect();
    scored.sort_by_key(|(score, (issue, _))| Reverse((*score, issue.id)));
    // A search that finds nothing is answered before anything is counted.
    let hits = (!scored.is_empty()).then_some(scored.len().min(MAX_HITS));
    let slice = cursor::by_score(scored, limit, cursor.as_ref());
    Ok(Reply::Page(Page {
        rows: slice
            .rows
            .into_iter()
            .map(|(one, seen)| issue::row(world, one, Some(seen), trim))
            .collect(),
        previous: slice.previous,
        next: slice.next,
        hits,
        envelope: None,
        beside: None,
    }))
}

/// A query that is an event id, or (when asked for) a short id, answers with that issue alone.
fn direct_hit<'a>(call: &Call<'a>, text: &str) -> Option<&'a Issue> {
    let world = call.world;
    if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return world
            .issues
            .values()
            .find(|issue| issue.events.iter().any(|event| event.id == text));
    }
    if call.get("shortIdLookup") == Some("1") {
        return world.issues.values().find(|issue| issue.short_id == text);
    }
    None
}

/// What the list reads, or its user interface sends.
const PARAMETERS: [&str; 19] = [
    "collapse",
    "cursor",
    "end",
    "environment",
    "expand",
    "group",
    "groupStatsPeriod",
    "limit",
    "project",
    "projectSlug",
    "query",
    "savedSearch",
    "searchId",
    "shortIdLookup",
    "sort",
    "start",
    "statsPeriod",
    "utc",
    "viewId",
];

/// Refuses what the list would pass over.
fn pedantic(call: &Call<'_>, query: &Query) -> Result<(), Problem> {
    call.only(&PARAMETERS)?;
    let tagged = |key: &str| {
        call.world.issues.values().any(|issue| {
            let mut events = issue.events.iter();
            events.any(|event| issue::tag_keys(issue, event).iter().any(|own| own == key))
        })
    };
    match query.tags().find(|key| !tagged(key)) {
        Some(key) => Err(Problem::bad_request(&format!(
            "Sentry would take {key} for a tag, which no event has."
        ))),
        None => Ok(()),
    }
}
