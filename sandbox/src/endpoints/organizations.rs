//! Organizations: the list and the detail.

use super::Call;
use crate::cursor::{Link, Slice};
use crate::problem::Problem;
use crate::render::{organization, people, project};
use crate::reply::Reply;
use crate::world::{ProjectStatus, TokenKind};
use serde_json::json;

/// Those the user is a member of: an integration is a member of none.
pub fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    let caller = call.caller()?;
    call.per_page()?;
    call.cursor()?;
    let TokenKind::User(user) = caller.token.kind else {
        return Ok(Reply::page(Slice {
            rows: Vec::new(),
            previous: link("0:0:1"),
            next: link("0:0:0"),
        }));
    };
    let member = call
        .world
        .members
        .iter()
        .any(|member| member.user == Some(user));
    let rows: Vec<_> = call.world.organizations.iter().filter(|_| member).collect();
    // A keyset on the date, in milliseconds.
    let newest = rows
        .first()
        .map_or(0, |one| one.date_created.timestamp_millis());
    let oldest = rows
        .last()
        .map_or(0, |one| one.date_created.timestamp_millis());
    Ok(Reply::page(Slice {
        previous: link(&format!("{newest}:0:1")),
        next: link(&format!("{oldest}:{}:0", rows.len())),
        rows: rows
            .into_iter()
            .map(|one| organization::summary(one).to_string())
            .collect(),
    }))
}

fn link(cursor: &str) -> Link {
    Link {
        cursor: cursor.to_owned(),
        results: false,
    }
}

pub fn detail(call: &Call<'_>) -> Result<Reply, Problem> {
    let one = call.organization()?;
    let caller = call.caller()?;
    let mut record = organization::detail(one, &caller.token.scopes);
    if call.get("detailed") != Some("0") {
        record["projects"] = call
            .world
            .projects
            .iter()
            .filter(|one| one.status == ProjectStatus::Active)
            .map(|one| project::row(call.world, caller, one, &[]))
            .collect();
        record["teams"] = json!(
            call.world
                .teams
                .iter()
                .map(|team| people::team(call.world, caller, team, false))
                .collect::<Vec<_>>()
        );
    }
    Ok(Reply::value(&record))
}
