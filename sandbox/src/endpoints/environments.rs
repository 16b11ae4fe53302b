//! Environments: of a project, and of an organization.

use super::Call;
use crate::problem::Problem;
use crate::reply::Reply;
use serde_json::json;
use std::collections::BTreeMap;

/// Which are wanted: by whether they are hidden.
fn visibility(call: &Call<'_>) -> Result<fn(bool) -> bool, Problem> {
    match call.get("visibility").unwrap_or("visible") {
        "visible" => Ok(|hidden| !hidden),
        "hidden" => Ok(|hidden| hidden),
        "all" => Ok(|_| true),
        _ => Err(Problem::bad_request(
            "Invalid value for 'visibility', valid values are: ['all', 'hidden', 'visible']",
        )),
    }
}

/// All in one answer, by name.
pub fn project(call: &Call<'_>) -> Result<Reply, Problem> {
    call.only(&["visibility"])?;
    let project = call.project()?;
    let wanted = visibility(call)?;
    let all = call.world.environments_of(project.id);
    let rows = all
        .iter()
        .filter(|(_, hidden)| wanted(**hidden))
        .map(|(name, hidden)| {
            json!({"id": call.world.environment_id(name), "name": name, "isHidden": hidden})
                .to_string()
        });
    Ok(Reply::list(rows.collect()))
}

/// Those of any of the projects, once each, without the one that has no name.
pub fn organization(call: &Call<'_>) -> Result<Reply, Problem> {
    call.only(&["project", "projectSlug", "visibility"])?;
    call.organization()?;
    let wanted = visibility(call)?;
    let mut all = BTreeMap::new();
    for project in call.projects()? {
        let own = call.world.environments_of(project);
        all.extend(own.into_iter().filter(|(_, hidden)| wanted(*hidden)));
    }
    let named = all.keys().filter(|name| !name.is_empty());
    let rows =
        named.map(|name| json!({"id": call.world.environment_id(name), "name": name}).to_string());
    Ok(Reply::list(rows.collect()))
}
