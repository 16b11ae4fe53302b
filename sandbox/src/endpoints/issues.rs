//! One issue.

use super::Call;
use crate::problem::Problem;
use crate::render::issue::{self, Trim};
use crate::render::release;
use crate::reply::Reply;
use crate::window;
use crate::world::Issue;
use serde_json::{Value, json};

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
    visible(call, found.ok_or_else(Problem::not_found)?)
}

fn visible<'a>(call: &Call<'a>, found: &'a Issue) -> Result<&'a Issue, Problem> {
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

/// What a short id stands for, whatever its case.
pub fn by_short_id(call: &Call<'_>) -> Result<Reply, Problem> {
    let organization = call.organization()?;
    let asked = call.segment("short");
    let mut issues = call.world.issues.values();
    let found = issues
        .find(|one| one.short_id.eq_ignore_ascii_case(asked) && call.world.listable(one))
        .ok_or_else(Problem::not_found)?;
    let found = visible(call, found)?;
    let trim = Trim {
        collapse: call.all("collapse"),
        ..Trim::default()
    };
    let group: Value = serde_json::from_str(&issue::row(call.world, found, None, &trim))
        .map_err(|_| Problem::query_failed())?;
    Ok(Reply::value(&json!({
        "organizationSlug": organization.slug,
        "projectSlug": call.world.project(found.project).map(|project| &project.slug),
        "groupId": found.id.to_string(),
        "group": group,
        "shortId": found.short_id,
    })))
}

/// The newest release that an event of the issue has; `null` without one.
pub fn current_release(call: &Call<'_>) -> Result<Reply, Problem> {
    call.only(&["environment"])?;
    let found = find(call)?;
    let environments = call.environments()?;
    let mut events: Vec<_> = found
        .events
        .iter()
        .filter(|event| event.in_environments(&environments))
        .collect();
    events.sort_by_key(|event| event.second());
    let of = |event: &&crate::world::Event| {
        let version = event.release.as_deref()?;
        Some((call.world.release(version)?, event.environment.clone()))
    };
    let known: Vec<_> = events.iter().filter_map(of).collect();
    let newest = known.iter().max_by_key(|(release, _)| release.date_created);
    let current = newest.map(|(newest, environment)| {
        let seen = events
            .iter()
            .filter(|event| event.release.as_deref() == Some(&newest.version))
            .map(|event| window::text(window::at(event.second())));
        let seen: Vec<String> = seen.collect();
        json!({
            "release": release::record(call.world, newest),
            "environment": environment,
            "firstSeen": seen.first(),
            "lastSeen": seen.last(),
            "stats": {},
        })
    });
    Ok(Reply::value(&json!({ "currentRelease": current })))
}
