//! Teams, members and users.

use super::Call;
use crate::problem::Problem;
use crate::render::people;
use crate::reply::Reply;
use crate::world::{Member, Team};

pub fn teams(call: &Call<'_>) -> Result<Reply, Problem> {
    call.organization()?;
    let caller = call.caller()?;
    let mut teams: Vec<&Team> = call.world.teams.iter().collect();
    teams.sort_by(|a, b| a.slug.cmp(&b.slug));
    let detailed = call.get("detailed") != Some("0");
    Ok(Reply::page(call.paged(teams)?.map(|team| {
        people::team(call.world, caller, team, detailed).to_string()
    })))
}

pub fn members(call: &Call<'_>) -> Result<Reply, Problem> {
    call.organization()?;
    let mut members: Vec<&Member> = call.world.listed_members().collect();
    members.sort_by_key(|member| member.id);
    Ok(Reply::page(call.paged(members)?.map(|member| {
        people::member(call.world, member).to_string()
    })))
}

/// In one answer, by mail address; only members of teams of the projects asked for.
pub fn users(call: &Call<'_>) -> Result<Reply, Problem> {
    call.organization()?;
    let projects = call.projects()?;
    let mut members: Vec<&Member> = call.world.project_members(&projects).collect();
    members.sort_by(|a, b| a.email.cmp(&b.email));
    Ok(Reply::list(
        members
            .into_iter()
            .map(|member| people::project_member(call.world, member).to_string())
            .collect(),
    ))
}
