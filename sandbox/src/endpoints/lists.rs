//! Lists that are described by files.

use super::{Call, issues};
use crate::cursor;
use crate::lists::{List, Pages, Parameter, Place};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::window::Window;
use crate::world::Seconds;
use serde_json::Value;

/// The names of the parameters that page.
const PAGING: [&str; 2] = ["cursor", "per_page"];
/// Those that choose by time.
const TIME: [&str; 3] = ["start", "end", "statsPeriod"];

pub fn answer(list: &'static List, call: &Call<'_>) -> Result<Reply, Problem> {
    if call.version.is_old() || call.world.lacks.contains(list.name) {
        return Err(match list.lacking {
            403 => Problem::forbidden(),
            410 => Problem::gone(),
            _ => Problem::no_route(call.raw_path),
        });
    }
    let mut known: Vec<&str> = list.query.keys().map(String::as_str).collect();
    if matches!(list.pages, Pages::Offset | Pages::Rows) {
        known.extend(PAGING);
    }
    if list.project.is_some() {
        known.extend(["project", "projectSlug"]);
    }
    if list.window {
        known.extend(TIME);
    }
    call.only(&known)?;
    let place = place(list, call)?;
    let mut rows = list.rows(&place, Some(call.caller()?));
    for (name, parameter) in &list.query {
        choose(&mut rows, name, parameter, call)?;
    }
    if list.window {
        let window = call.window()?.unwrap_or_else(|| Window::recent(call.world));
        rows.retain(|row| {
            let at = list.time_of(row);
            at.is_some_and(|at| window.start <= at && at <= window.end)
        });
    }
    if let Some(path) = &list.project {
        let projects = call.projects()?;
        let path = format!("/{}", path.replace('.', "/"));
        rows.retain(|row| match row.pointer(&path) {
            Some(Value::String(id)) => id.parse().is_ok_and(|id| projects.contains(&id)),
            Some(Value::Number(id)) => id.as_u64().is_some_and(|id| projects.contains(&id)),
            // Of the organization.
            _ => true,
        });
    }
    for row in rows.iter_mut().filter_map(Value::as_object_mut) {
        row.retain(|member, _| !member.starts_with('$'));
    }
    let texts: Vec<String> = rows.iter().map(Value::to_string).collect();
    let slice = match list.pages {
        Pages::Object => {
            let object = texts.into_iter().next().ok_or_else(Problem::not_found)?;
            return Ok(Reply::Value(object));
        }
        Pages::Whole => return Ok(Reply::list(texts).inside(list.envelope.as_deref())),
        Pages::Offset => {
            let size = size(list, call)?;
            cursor::by_page(texts, size, call.cursor()?.as_ref())?
        }
        Pages::Rows => {
            let (size, cursor) = (size(list, call)?, call.cursor()?);
            let offset = cursor::row_offset(cursor.as_ref());
            let rows = texts.into_iter().skip(offset).take(size + 1).collect();
            cursor::by_row(rows, size, offset)
        }
    };
    Ok(Reply::page(slice).inside(list.envelope.as_deref()))
}

/// One attachment of an event: its row, or with `download` what it holds, which is a JSON text here.
pub fn attachment(call: &Call<'_>) -> Result<Reply, Problem> {
    call.only(&["download"])?;
    let list = List::named("event_attachments").ok_or_else(Problem::not_found)?;
    if call.version.is_old() || call.world.lacks.contains(list.name) {
        return Err(Problem::no_route(call.raw_path));
    }
    let rows = list.rows(&place(list, call)?, Some(call.caller()?));
    let asked = call.segment("attachment");
    let row = rows.iter().find(|row| row["id"] == asked);
    let row = row.ok_or_else(Problem::not_found)?;
    if call.get("download").is_none() {
        return Ok(Reply::value(row));
    }
    let size = row["size"]
        .as_u64()
        .and_then(|size| usize::try_from(size).ok());
    let text = format!("attachment {asked}");
    Ok(Reply::Value(format!(
        "\"{text:.<0$}\"",
        size.unwrap_or(2) - 2
    )))
}

/// One of the rows of `issue_tags`.
pub fn tag_of_issue(call: &Call<'_>) -> Result<Reply, Problem> {
    let place = Place::new(call.world, call.organization()?).of_issue(issues::find(call)?);
    call.environments()?;
    let rows = List::named("issue_tags").map(|list| list.rows(&place, None));
    let key = call.segment("key");
    let row = rows.into_iter().flatten().find(|row| row["key"] == *key);
    Ok(Reply::value(&row.ok_or_else(Problem::not_found)?))
}

fn size(list: &List, call: &Call<'_>) -> Result<usize, Problem> {
    match call.get("per_page") {
        None => Ok(list.size),
        Some(_) => call.per_page(),
    }
}

/// Leaves the rows that a parameter chooses.
fn choose(
    rows: &mut Vec<Value>,
    name: &str,
    parameter: &Parameter,
    call: &Call<'_>,
) -> Result<(), Problem> {
    let asked = call.get(name).or(parameter.default.as_deref());
    let Some(asked) = asked.filter(|asked| !asked.is_empty()) else {
        return Ok(());
    };
    if let Some(values) = &parameter.values
        && !values.iter().any(|value| value == asked)
    {
        return Err(Problem::bad_request(&format!("Invalid {name}")));
    }
    if let Some(field) = &parameter.field {
        rows.retain(|row| {
            let value = &row[field];
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            text == asked
        });
    }
    Ok(())
}

/// Where the path leads; a refusal when something of it does not exist or cannot be seen.
fn place<'a>(list: &'static List, call: &Call<'a>) -> Result<Place<'a>, Problem> {
    let mut place = Place::new(call.world, call.organization()?);
    for parameter in list.parameters() {
        let asked = call.segment(parameter);
        place = match parameter {
            "org" => place,
            "project" => place.of_project(call.project()?),
            "team" => {
                let mut teams = call.world.teams.iter();
                let team = teams.find(|one| call.is_named(asked, &one.slug, one.id));
                place.of_team(team.ok_or_else(Problem::not_found)?)
            }
            "monitor" => {
                let mut monitors = call.world.monitors.iter();
                let monitor = monitors.find(|one| one.slug == asked || one.id == asked);
                place.of_monitor(monitor.ok_or_else(Problem::not_found)?)
            }
            "issue" => place.of_issue(issues::find(call)?),
            "event" => {
                let project = call.project()?;
                let window = call.world.retained(Seconds::ALL);
                let number = u128::from_str_radix(asked, 16).map_err(|_| Problem::no_event())?;
                let mut issues = call.world.issues.values();
                let issue = issues.find(|issue| {
                    let mut events = issue.events_in(window);
                    issue.project == project.id && events.any(|event| event.id_number() == number)
                });
                let issue = issue.filter(|issue| call.world.listable(issue));
                let place = place.of_issue(issue.ok_or_else(Problem::no_event)?);
                place.with(&[("event_id", asked)])
            }
            "version" => {
                let caller = call.caller()?;
                let release = call.world.release(asked).filter(|one| {
                    let projects = one.projects.iter();
                    projects
                        .filter_map(|id| call.world.project(*id))
                        .any(|project| caller.can_see(call.world, project))
                });
                place.of_release(release.ok_or_else(Problem::not_found)?)
            }
            other => {
                if !place.values(list, other).iter().any(|value| value == asked) {
                    return Err(Problem::not_found());
                }
                place.with(&[(other, asked)])
            }
        };
    }
    Ok(place)
}
