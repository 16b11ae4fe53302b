//! Monitors of scheduled jobs.

use super::Call;
use crate::problem::Problem;
use crate::render::monitor;
use crate::reply::Reply;
use crate::world::Monitor;

/// Where nothing is said, those in trouble come first, so that rows move while they are read.
pub fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    // Behind a switch at first, which says no more than this.
    if call.version.is_old() {
        return Err(Problem::not_found());
    }
    call.only(&[
        "asc",
        "cursor",
        "environment",
        "owner",
        "per_page",
        "project",
        "projectSlug",
        "query",
        "sort",
    ])?;
    call.organization()?;
    let projects = call.projects()?;
    let environments = call.environments()?;
    let query = call.get("query").unwrap_or_default().to_lowercase();
    let mut monitors: Vec<&Monitor> = call
        .world
        .monitors
        .iter()
        .filter(|one| projects.contains(&one.project))
        .filter(|one| one.status != "pending_deletion" && one.status != "deletion_in_progress")
        .filter(|one| one.name.to_lowercase().contains(&query) || one.slug.contains(&query))
        .filter(|one| {
            environments.is_empty()
                || (one.environments.iter()).any(|(name, _)| environments.contains(name))
        })
        .collect();
    match call.get("sort").unwrap_or("status") {
        "status" => monitors.sort_by_key(|one| (trouble(one), one.name.clone())),
        "name" => monitors.sort_by_key(|one| one.name.clone()),
        "muted" => monitors.sort_by_key(|one| (one.is_muted, one.name.clone())),
        _ => return Err(Problem::bad_request("Invalid sort")),
    }
    if call.get("asc") == Some("0") {
        monitors.reverse();
    }
    let caller = call.caller()?;
    Ok(Reply::page(call.paged(monitors)?.map(|one| {
        monitor::record(call.world, caller, one).to_string()
    })))
}

fn trouble(monitor: &Monitor) -> u8 {
    let of = |status: &str| match status {
        "error" => 0,
        "timeout" => 1,
        "missed_checkin" => 2,
        "ok" => 3,
        _ => 4,
    };
    if monitor.status == "disabled" {
        return 5;
    }
    let statuses = monitor.environments.iter();
    statuses.map(|(_, status)| of(status)).min().unwrap_or(4)
}
