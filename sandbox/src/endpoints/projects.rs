//! Projects: the list and the detail.

use super::Call;
use crate::problem::Problem;
use crate::render::project;
use crate::reply::Reply;
use crate::world::{Project, ProjectStatus};

/// All that exist, those the caller cannot read included, by slug.
pub fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    call.organization()?;
    let caller = call.caller()?;
    let collapse = call.all("collapse");
    let mut projects: Vec<&Project> = call
        .world
        .projects
        .iter()
        .filter(|project| project.status == ProjectStatus::Active)
        .filter(|project| {
            call.get("query")
                .is_none_or(|query| project.slug.contains(query) || project.name.contains(query))
        })
        .collect();
    projects.sort_by(|a, b| a.slug.cmp(&b.slug));
    let row = |one: &Project| project::row(call.world, caller, one, &collapse).to_string();
    if call.get("all_projects") == Some("1") {
        return Ok(Reply::list(projects.into_iter().map(row).collect()));
    }
    Ok(Reply::page(call.paged(projects)?.map(row)))
}

pub fn detail(call: &Call<'_>) -> Result<Reply, Problem> {
    let one = call.project()?;
    Ok(Reply::value(&project::detail(
        call.world,
        call.caller()?,
        call.organization()?,
        one,
    )))
}
