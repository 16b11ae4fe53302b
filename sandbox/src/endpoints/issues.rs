//! One issue.

use super::Call;
use crate::problem::Problem;
use crate::render::issue::{self, Trim};
use crate::reply::Reply;
use crate::world::Issue;

/// The issue in the path, by number or short id. A merged one answers as its survivor.
pub fn find<'a>(call: &Call<'a>) -> Result<&'a Issue, Problem> {
    // Paths without the organization are browning out.
    if call.segment("org").is_empty() && !call.version.is_old() {
        return Err(Problem::gone());
    }
    if !call.segment("org").is_empty() {
        call.organization()?;
    }
    let asked = call.segment("issue");
    let found = match asked.parse() {
        Ok(id) => call.world.find_issue(id),
        Err(_) => call
            .world
            .issues
            .values()
            .find(|one| one.short_id == asked && call.world.listable(one)),
    };
    let found = found.ok_or_else(Problem::not_found)?;
    let visible = call.world.project(found.project).is_some_and(|project| {
        call.caller()
            .is_ok_and(|caller| caller.can_see(call.world, project))
    });
    if visible {
        Ok(found)
    } else {
        Err(Problem::forbidden())
    }
}

pub fn detail(call: &Call<'_>) -> Result<Reply, Problem> {
    let found = find(call)?;
    call.environments()?;
    let trim = Trim {
        collapse: call.all("collapse"),
        expand: call.all("expand"),
        ..Trim::default()
    };
    Ok(Reply::value(&issue::detail(call.world, found, &trim)))
}
