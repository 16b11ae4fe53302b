//! Releases: the list and the detail.

use super::Call;
use crate::problem::Problem;
use crate::render::release;
use crate::reply::Reply;
use crate::world::{Release, ReleaseStatus};
use std::cmp::Reverse;

/// Newest first. Without `status` only open ones, with an empty one all of them.
pub fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    call.organization()?;
    let projects = call.projects()?;
    call.environments()?;
    let window = call.window()?;
    let status = match call.get("status") {
        None | Some("open") => Some(ReleaseStatus::Open),
        Some("archived") => Some(ReleaseStatus::Archived),
        Some("") => None,
        Some(_) => return Err(Problem::bad_request("Invalid status value")),
    };
    let query = call.get("query").unwrap_or_default().to_lowercase();
    let mut releases: Vec<&Release> = call
        .world
        .releases
        .iter()
        .filter(|one| one.projects.iter().any(|id| projects.contains(id)))
        .filter(|one| status.is_none_or(|status| one.status == status))
        .filter(|one| one.version.to_lowercase().contains(&query))
        .filter(|one| {
            window.is_none_or(|window| {
                window.start <= one.date_created && one.date_created <= window.end
            })
        })
        .collect();
    releases.sort_by_key(|one| Reverse((one.date_created, one.id)));
    Ok(Reply::page(
        call.paged(releases)?
            .map(|one| release::record(call.world, one).to_string()),
    ))
}

pub fn detail(call: &Call<'_>) -> Result<Reply, Problem> {
    call.organization()?;
    let caller = call.caller()?;
    let version = call.segment("version");
    let one = call
        .world
        .release(version)
        .filter(|one| {
            one.projects
                .iter()
                .filter_map(|id| call.world.project(*id))
                .any(|project| caller.can_see(call.world, project))
        })
        .ok_or_else(Problem::not_found)?;
    Ok(Reply::value(&release::record(call.world, one)))
}
