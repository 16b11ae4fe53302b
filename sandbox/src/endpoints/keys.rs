//! Client keys: of a project, and of all projects of an organization.

use super::Call;
use crate::cursor;
use crate::problem::Problem;
use crate::render::key;
use crate::reply::Reply;
use crate::world::ClientKey;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// What a page of keys holds when nothing is said, since 2025; before that as many as of any list.
const FEW: usize = 10;

pub fn project(call: &Call<'_>) -> Result<Reply, Problem> {
    call.only(&["cursor", "per_page", "status"])?;
    let project = call.project()?;
    page(call, &BTreeSet::from([project.id]), rows(call)?)
}

fn rows(call: &Call<'_>) -> Result<usize, Problem> {
    if call.get("per_page").is_none() && !call.version.is_old() {
        Ok(FEW)
    } else {
        call.per_page()
    }
}

pub fn organization(call: &Call<'_>) -> Result<Reply, Problem> {
    call.only(&[
        "cursor",
        "per_page",
        "project",
        "projectSlug",
        "status",
        "team",
    ])?;
    call.organization()?;
    let mut projects = call.projects()?;
    let team = match call.get("team") {
        None => None,
        Some(asked) => {
            let mut teams = call.world.teams.iter();
            let found = teams.find(|team| team.slug == asked || team.id.to_string() == asked);
            Some(found.ok_or_else(Problem::not_found)?.id)
        }
    };
    projects.retain(|id| {
        let project = call.world.project(*id);
        team.is_none_or(|team| project.is_some_and(|project| project.teams.contains(&team)))
    });
    page(call, &projects, rows(call)?)
}

/// The newest first.
fn page(call: &Call<'_>, projects: &BTreeSet<u64>, rows: usize) -> Result<Reply, Problem> {
    let active = match call.get("status") {
        None | Some("") => None,
        Some("active") => Some(true),
        Some("inactive") => Some(false),
        // Nothing has it.
        Some(_) => return Ok(Reply::list(Vec::new())),
    };
    let keys = call.world.keys.iter();
    let mut keys: Vec<&ClientKey> = keys
        .filter(|key| projects.contains(&key.project))
        .filter(|key| active.is_none_or(|active| key.is_active == active))
        .collect();
    keys.sort_by_key(|key| Reverse(key.id));
    let slice = cursor::by_page(keys, rows, call.cursor()?.as_ref())?;
    Ok(Reply::page(slice.map(|key| {
        key::record(key, call.version, call.ingest).to_string()
    })))
}
