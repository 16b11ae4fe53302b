//! One event: by its id in a project, an issue or an organization, or the latest of an issue.

use super::{Call, issues};
use crate::problem::Problem;
use crate::render::event::{self, Size};
use crate::reply::Reply;
use crate::world::{EventRef, Issue, Seconds};
use serde_json::{Value, json};

/// An event that retention keeps, and its neighbours in its issue.
struct Found<'a> {
    issue: &'a Issue,
    event: EventRef<'a>,
    previous: Option<String>,
    next: Option<String>,
}

impl Found<'_> {
    fn reply(&self, call: &Call<'_>) -> Reply {
        let (previous, next) = (self.previous.as_deref(), self.next.as_deref());
        let text = event::detail(call.world, self.issue, self.event, previous, next);
        Reply::Value(text)
    }
}

/// An id of 32 digits, with dashes or without.
fn number(id: &str) -> Option<u128> {
    let id = id.replace('-', "");
    let number = u128::from_str_radix(&id, 16).ok();
    number.filter(|_| id.len() == 32)
}

/// The event of that id in an issue.
fn in_issue<'a>(call: &Call<'a>, issue: &'a Issue, id: u128) -> Option<Found<'a>> {
    if let Some(synthetic) = &issue.synthetic
        && let Some(index) = synthetic.index_of(id)
    {
        let name = |index: u64| format!("{:032x}", synthetic.id(index));
        return Some(Found {
            issue,
            event: EventRef::Synthetic(synthetic, index),
            previous: index.checked_sub(1).map(name),
            next: (index + 1 < synthetic.count).then(|| name(index + 1)),
        });
    }
    let id = format!("{id:032x}");
    let window = call.world.retained(Seconds::ALL);
    let mut stored = issue.events.iter();
    let one = stored.find(|event| event.id == id)?;
    if !window.holds(one.second()) {
        return None;
    }
    let mut line: Vec<(i64, &str)> = issue
        .events
        .iter()
        .filter(|event| window.holds(event.second()))
        .map(|event| (event.second(), event.id.as_str()))
        .collect();
    line.sort_unstable();
    let at = line.partition_point(|other| *other < (one.second(), id.as_str()));
    let neighbour = |at: usize| line.get(at).map(|(_, id)| (*id).to_owned());
    Some(Found {
        issue,
        event: EventRef::Stored(one),
        previous: at.checked_sub(1).and_then(neighbour),
        next: neighbour(at + 1),
    })
}

/// The event of a project.
pub fn of_project(call: &Call<'_>) -> Result<Reply, Problem> {
    let project = call.project()?;
    let id = number(call.segment("event")).ok_or_else(Problem::no_event)?;
    let mut issues = (call.world.issues.values())
        .filter(|issue| issue.project == project.id && call.world.listable(issue));
    let found = issues.find_map(|issue| in_issue(call, issue, id));
    Ok(found.ok_or_else(Problem::no_event)?.reply(call))
}

/// The event of an issue: of an id, or the `latest`, the `oldest` or the `recommended` one.
pub fn of_issue(call: &Call<'_>) -> Result<Reply, Problem> {
    let issue = issues::find(call)?;
    let environments = call.environments()?;
    let asked = call.segment("event");
    let wanted = match asked {
        "latest" | "oldest" | "recommended" => {
            let window = call.world.retained(Seconds::ALL);
            let events = issue.events_in(window).filter(|event| match event {
                EventRef::Stored(event) => event.in_environments(&environments),
                EventRef::Synthetic(..) => true,
            });
            let at = |event: &EventRef<'_>| (event.second(), event.id_number());
            let one = match asked {
                "oldest" => events.min_by_key(at),
                _ => events.max_by_key(at),
            };
            one.map(|event| event.id_number())
        }
        id => number(id),
    };
    let found = wanted.and_then(|id| in_issue(call, issue, id));
    Ok(found.ok_or_else(Problem::no_event)?.reply(call))
}

/// Where in the organization an event is, and the event.
pub fn by_id(call: &Call<'_>) -> Result<Reply, Problem> {
    let organization = call.organization()?;
    let caller = call.caller()?;
    let id = number(call.segment("event")).ok_or_else(|| {
        Problem::bad_request(
            "Event ID must be a valid UUID hex (32-36 characters long, containing only digits, dashes, or a-f characters)",
        )
    })?;
    let visible = |issue: &&Issue| {
        let project = call.world.project(issue.project);
        call.world.listable(issue) && project.is_some_and(|one| caller.can_see(call.world, one))
    };
    let mut issues = call.world.issues.values().filter(visible);
    let found = issues.find_map(|issue| in_issue(call, issue, id));
    let Found { issue, event, .. } = found.ok_or_else(Problem::not_found)?;
    let event: Value = serde_json::from_str(&event::text(issue, event, Size::Full))
        .map_err(|_| Problem::query_failed())?;
    Ok(Reply::value(&json!({
        "organizationSlug": organization.slug,
        "projectSlug": call.world.project(issue.project).map(|project| &project.slug),
        "groupId": issue.id.to_string(),
        "eventId": format!("{id:032x}"),
        "event": event,
    })))
}
