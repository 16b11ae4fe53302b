//! Issue search: what it hides, what it counts, and its order.

use super::Call;
use crate::cursor;
use crate::problem::Problem;
use crate::render::issue::{self, Trim};
use crate::reply::{Page, Reply};
use crate::window::{self, Window};
use crate::world::{Issue, Seconds, Seen, Status};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// What `X-Hits` never exceeds.
pub const MAX_HITS: usize = 1_000;

pub fn organization(call: &Call<'_>) -> Result<Reply, Problem> {
    call.organization()?;
    let period = call.get("groupStatsPeriod").unwrap_or("24h");
    if !["", "24h", "14d", "auto"].contains(&period) {
        return Err(Problem::bad_request(
            "Invalid stats_period. Valid choices are '', '24h', '14d', and 'auto'",
        ));
    }
    let projects = call.projects()?;
    let trim = Trim {
        collapse: call.all("collapse"),
        expand: call.all("expand"),
        stats: period.to_owned(),
        html_annotations: false,
    };
    search(call, &projects, &trim)
}

/// The deprecated search of one project.
pub fn project(call: &Call<'_>) -> Result<Reply, Problem> {
    let project = call.project()?;
    let period = call.get("statsPeriod").unwrap_or("24h");
    if !["", "24h", "14d"].contains(&period) {
        return Err(Problem::bad_request(
            "Invalid stats_period. Valid choices are '', '24h', and '14d'",
        ));
    }
    let trim = Trim {
        stats: period.to_owned(),
        html_annotations: true,
        ..Trim::default()
    };
    search(call, &BTreeSet::from([project.id]), &trim)
}

fn search(call: &Call<'_>, projects: &BTreeSet<u64>, trim: &Trim) -> Result<Reply, Problem> {
    let world = call.world;
    let environments = call.environments()?;
    let asked = call.window()?.unwrap_or_else(|| Window::recent(world));
    let limit = match call.get("limit") {
        None | Some("") => 100,
        Some(text) => text
            .parse::<usize>()
            .ok()
            .filter(|limit| *limit > 0)
            .ok_or_else(|| Problem::bad_request("invalid limit"))?
            .min(100),
    };
    let cursor = call.cursor()?;
    if projects.is_empty() {
        return Ok(Reply::list(Vec::new()));
    }
    let in_reach = |issue: &&Issue| projects.contains(&issue.project) && world.listable(issue);

    // By id: neither query nor window, nor pages.
    let ids = call.all("group");
    if !ids.is_empty() {
        let mut rows = Vec::new();
        for id in ids {
            let id: u64 = id
                .parse()
                .map_err(|_| Problem::bad_request("Group ids must be integers"))?;
            if let Some(found) = world.issues.get(&id).filter(in_reach) {
                rows.push(issue::row(world, found, None, trim));
            }
        }
        return Ok(Reply::list(rows));
    }

    let text = call.get("query").unwrap_or("is:unresolved").trim();
    if let Some(hit) = direct_hit(call, text) {
        return Ok(Reply::List {
            rows: in_reach(&hit)
                .then(|| issue::row(world, hit, None, trim))
                .into_iter()
                .collect(),
            direct_hit: true,
        });
    }
    let query = Query::parse(text)?;
    let sort = call.get("sort").unwrap_or("date");
    if ![
        "date",
        "new",
        "freq",
        "user",
        "trends",
        "inbox",
        "recommended",
    ]
    .contains(&sort)
    {
        return Err(Problem::bad_request("invalid sort"));
    }
    let seconds = world.retained(asked.seconds());
    let mut scored: Vec<(i64, (&Issue, Seen))> = world
        .issues
        .values()
        .filter(in_reach)
        .filter(|issue| query.by_kind || !issue.kind.hidden)
        .filter_map(|issue| Some((issue, issue.seen(seconds, &environments)?)))
        .filter(|(issue, seen)| query.matches(call, issue, *seen, seconds))
        .map(|(issue, seen)| {
            let score = match sort {
                "new" => issue
                    .seen(Seconds::ALL, &[])
                    .map_or(0, |ever| ever.first * 1_000),
                "freq" => i64::try_from(seen.count).unwrap_or(i64::MAX),
                "user" => i64::try_from(seen.users).unwrap_or(i64::MAX),
                _ => seen.last * 1_000,
            };
            (score, (issue, seen))
        })
        .collect();
    scored.sort_by_key(|(score, (issue, _))| Reverse((*score, issue.id)));
    let hits = scored.len().min(MAX_HITS);
    let slice = cursor::by_score(scored, limit, cursor.as_ref());
    Ok(Reply::Page(Page {
        rows: slice
            .rows
            .into_iter()
            .map(|(one, seen)| issue::row(world, one, Some(seen), trim))
            .collect(),
        previous: slice.previous,
        next: slice.next,
        hits: Some(hits),
    }))
}

/// A query that is an event id, or (when asked for) a short id, answers with that issue alone.
fn direct_hit<'a>(call: &Call<'a>, text: &str) -> Option<&'a Issue> {
    let world = call.world;
    if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return world
            .issues
            .values()
            .find(|issue| issue.events.iter().any(|event| event.id == text));
    }
    if call.get("shortIdLookup") == Some("1") {
        return world.issues.values().find(|issue| issue.short_id == text);
    }
    None
}

struct Query {
    terms: Vec<(bool, Term)>,
    /// A type or a category is named, which shows the hidden ones.
    by_kind: bool,
}

enum Term {
    Status(&'static [Status]),
    Substatus(String),
    Assigned(bool),
    Category(Vec<String>),
    Type(Vec<String>),
    Priority(Vec<String>),
    Level(Vec<String>),
    Project(Vec<String>),
    Seen {
        last: bool,
        after: bool,
        second: i64,
    },
    Tag(String, Vec<String>),
    Word(String),
}

impl Query {
    fn parse(text: &str) -> Result<Self, Problem> {
        let mut terms = Vec::new();
        for word in words(text) {
            let (negated, word) = match word.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, word.as_str()),
            };
            terms.push((negated, Term::parse(word)?));
        }
        let by_kind = terms
            .iter()
            .any(|(_, term)| matches!(term, Term::Category(_) | Term::Type(_)));
        Ok(Self { terms, by_kind })
    }

    fn matches(&self, call: &Call<'_>, issue: &Issue, seen: Seen, window: Seconds) -> bool {
        self.terms
            .iter()
            .all(|(negated, term)| *negated != term.matches(call, issue, seen, window))
    }
}

/// Split at blanks outside quotes and brackets.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut listed) = (Vec::new(), String::new(), false, false);
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            '[' if !quoted => listed = true,
            ']' if !quoted => listed = false,
            _ => {}
        }
        if letter.is_whitespace() && !quoted && !listed {
            words.push(std::mem::take(&mut word));
        } else {
            word.push(letter);
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

fn values(text: &str) -> Vec<String> {
    text.trim_start_matches('[')
        .trim_end_matches(']')
        .split(',')
        .map(|value| value.trim().trim_matches('"').to_owned())
        .collect()
}

impl Term {
    fn parse(word: &str) -> Result<Self, Problem> {
        let Some((key, value)) = word.split_once(':') else {
            return Ok(Self::Word(word.trim_matches('"').to_owned()));
        };
        if value.is_empty() {
            return Err(Problem::bad_request(&format!(
                "Error parsing search query: Empty string after '{key}:'"
            )));
        }
        Ok(match key {
            "is" => Self::parse_is(value)?,
            "issue.category" => Self::Category(values(value)),
            "issue.type" => Self::Type(values(value)),
            "issue.priority" => Self::Priority(values(value)),
            "level" => Self::Level(values(value)),
            "project" | "project.name" => Self::Project(values(value)),
            "lastSeen" | "firstSeen" => Self::parse_seen(key == "lastSeen", value)?,
            _ => Self::Tag(key.to_owned(), values(value)),
        })
    }

    fn parse_is(value: &str) -> Result<Self, Problem> {
        Ok(match value {
            "unresolved" => Self::Status(&[Status::Unresolved]),
            "resolved" => Self::Status(&[Status::Resolved]),
            "ignored" | "archived" | "muted" => Self::Status(&[Status::Ignored]),
            "reprocessing" => Self::Status(&[Status::Reprocessing]),
            "assigned" => Self::Assigned(true),
            "unassigned" => Self::Assigned(false),
            "new"
            | "ongoing"
            | "escalating"
            | "regressed"
            | "archived_until_escalating"
            | "archived_until_condition_met"
            | "archived_forever" => Self::Substatus(value.to_owned()),
            "for_review" => Self::Substatus("new".to_owned()),
            _ => {
                return Err(Problem::bad_request(&format!(
                    "Error parsing search query: Invalid value for \"is\" search: {value}"
                )));
            }
        })
    }

    fn parse_seen(last: bool, value: &str) -> Result<Self, Problem> {
        let bare = value.trim_start_matches(['<', '>', '=']);
        Ok(Self::Seen {
            last,
            after: !value.starts_with('<'),
            second: window::instant(bare)?.timestamp(),
        })
    }

    fn matches(&self, call: &Call<'_>, issue: &Issue, seen: Seen, window: Seconds) -> bool {
        let one_of = |list: &[String], value: &str| list.iter().any(|one| one == value);
        match self {
            Self::Status(list) => list.contains(&issue.status),
            Self::Substatus(name) => issue.substatus.as_ref() == Some(name),
            Self::Assigned(yes) => issue.assignee.is_some() == *yes,
            Self::Category(list) => one_of(list, issue.kind.category),
            Self::Type(list) => one_of(list, issue.kind.issue_type),
            Self::Priority(list) => issue
                .priority
                .as_ref()
                .is_some_and(|value| one_of(list, value)),
            Self::Level(list) => one_of(list, &issue.level),
            Self::Project(list) => call
                .world
                .project(issue.project)
                .is_some_and(|project| one_of(list, &project.slug)),
            Self::Seen {
                last,
                after,
                second,
            } => {
                let own = if *last {
                    seen.last
                } else {
                    issue.seen(Seconds::ALL, &[]).map_or(0, |ever| ever.first)
                };
                (own >= *second) == *after
            }
            Self::Tag(key, list) => issue.events.iter().any(|event| {
                window.holds(event.second())
                    && list
                        .iter()
                        .any(|value| issue::has_tag(issue, event, key, value))
            }),
            Self::Word(word) => issue::mentions(issue, word),
        }
    }
}
