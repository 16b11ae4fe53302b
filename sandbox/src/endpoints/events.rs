//! Events of an issue and of a project.

use super::{Call, issues};
use crate::cursor::{self, Slice};
use crate::problem::Problem;
use crate::render::event::{self, Size};
use crate::render::issue::{event_mentions, has_tag};
use crate::reply::Reply;
use crate::synthetic::mix;
use crate::window::Window;
use crate::world::{EventRef, Issue, Seconds};
use std::cmp::Reverse;

type Found<'a> = (&'a Issue, EventRef<'a>);

/// Newest second first, and nothing decides among equals: their order differs from query to query, so at the edge
/// of a page they repeat or vanish.
pub fn of_issue(call: &Call<'_>) -> Result<Reply, Problem> {
    let issue = issues::find(call)?;
    let environments = call.environments()?;
    let limit = call.per_page()?;
    let offset = cursor::row_offset(call.cursor()?.as_ref());
    let asked = call.window()?.unwrap_or_else(|| Window::recent(call.world));
    let window = call.world.retained(asked.seconds());
    if window.from >= asked.seconds().to {
        return Err(Problem::bad_request(
            "Invalid date range. Please try a more recent date range.",
        ));
    }
    let query = call.get("query").unwrap_or_default();
    let sample = call.get("sample").is_some_and(is_yes);
    let window = if query.is_empty() && environments.is_empty() && !sample {
        newest_part(&[issue], window, offset + limit + 1)
    } else {
        window
    };
    let found: Vec<Found<'_>> = issue
        .events_in(window)
        .filter(|event| in_environments(*event, &environments))
        .filter(|event| matches_query(issue, *event, query))
        .map(|event| (issue, event))
        .collect();
    let salt = mix(offset as u64 + 1);
    let shuffled = |event: EventRef<'_>| {
        let id = event.id_number();
        mix(u64::try_from(id & u128::from(u64::MAX)).unwrap_or_default() ^ salt)
    };
    let page = newest(found, offset, limit, |(_, event)| {
        let second = if sample { 0 } else { event.second() };
        (Reverse(second), u128::from(shuffled(*event)))
    });
    let size = if call.get("full").is_some_and(is_yes) {
        Size::Full
    } else {
        Size::Simple
    };
    Ok(Reply::page(
        page.map(|(issue, one)| event::text(issue, one, size)),
    ))
}

/// Errors only, all that retention keeps unless a window is named; `full` is anything but empty.
pub fn of_project(call: &Call<'_>) -> Result<Reply, Problem> {
    let project = call.project()?;
    let limit = call.per_page()?;
    let offset = cursor::row_offset(call.cursor()?.as_ref());
    let window = call
        .window()
        .map_err(|_| Problem::bad_request("Invalid date range parameters provided"))?
        .map_or(Seconds::ALL, Window::seconds);
    let window = call.world.retained(window);
    let query = call.get("query").unwrap_or_default().to_lowercase();
    let issues: Vec<&Issue> = call
        .world
        .issues
        .values()
        .filter(|issue| issue.project == project.id && issue.kind.is_error())
        .filter(|issue| call.world.listable(issue))
        .collect();
    let window = if query.is_empty() {
        newest_part(&issues, window, offset + limit + 1)
    } else {
        window
    };
    let found: Vec<Found<'_>> = issues
        .into_iter()
        .flat_map(|issue| issue.events_in(window).map(move |event| (issue, event)))
        .filter(|(issue, event)| {
            query.is_empty()
                || issue.title.to_lowercase().contains(&query)
                || matches!(event, EventRef::Stored(event) if event_mentions(event, &query))
        })
        .collect();
    let page = newest(found, offset, limit, |(_, event)| {
        (Reverse(event.second()), u128::MAX - event.id_number())
    });
    let size = if call.get("full").is_some_and(|text| !text.is_empty()) {
        Size::Full
    } else {
        Size::Simple
    };
    Ok(Reply::page(
        page.map(|(issue, one)| event::text(issue, one, size)),
    ))
}

/// The end of the window that holds the `needed` newest events, so that older ones need not be looked at. It begins
/// with a whole second: ties stay together.
fn newest_part(issues: &[&Issue], window: Seconds, needed: usize) -> Seconds {
    let since = |from: i64| Seconds { from, ..window };
    let enough = |from: i64| {
        let counts = issues.iter().map(|issue| issue.count_in(since(from)));
        counts.sum::<u64>() >= needed as u64
    };
    // Far beyond any event, and far from overflow.
    let (mut low, mut high) = (window.from, window.to.min(1 << 40));
    if !enough(low) {
        return window;
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if enough(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    since(low)
}

/// The page at `offset`, without sorting what lies behind it.
fn newest<'a>(
    found: Vec<Found<'a>>,
    offset: usize,
    limit: usize,
    rank: impl Fn(&Found<'a>) -> (Reverse<i64>, u128),
) -> Slice<Found<'a>> {
    let mut ranked: Vec<_> = found.into_iter().map(|one| (rank(&one), one)).collect();
    let end = offset + limit + 1;
    if ranked.len() > end {
        ranked.select_nth_unstable_by_key(end, |(rank, _)| *rank);
        ranked.truncate(end);
    }
    ranked.sort_unstable_by_key(|(rank, _)| *rank);
    let rows = ranked
        .into_iter()
        .skip(offset)
        .map(|(_, one)| one)
        .collect();
    cursor::by_row(rows, limit, offset)
}

fn is_yes(text: &str) -> bool {
    matches!(text, "1" | "true")
}

fn in_environments(event: EventRef<'_>, names: &[String]) -> bool {
    match event {
        EventRef::Stored(event) => event.in_environments(names),
        EventRef::Synthetic(..) => {
            names.is_empty() || names.iter().any(|name| name == "production")
        }
    }
}

/// A little of Sentry's event search: words, and tags by name.
fn matches_query(issue: &Issue, event: EventRef<'_>, query: &str) -> bool {
    query.split_whitespace().all(|term| {
        let EventRef::Stored(stored) = event else {
            return issue.title.contains(term);
        };
        match term.split_once(':') {
            Some((key, value)) => has_tag(issue, stored, key, value.trim_matches('"')),
            None => issue.title.contains(term) || event_mentions(stored, term),
        }
    })
}
