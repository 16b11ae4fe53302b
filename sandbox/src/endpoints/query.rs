//! The language of the issue search: what it knows, what it refuses, and which issues match.
//!
//! A key that nobody knows is a tag, as at Sentry, and finds nothing when no event has it. A key that Sentry knows and
//! the sandbox does not imitate is told as such, so that no test takes an empty list for an answer.

use super::Call;
use super::values::{Numbers, Period, known, values};
use crate::problem::Problem;
use crate::render::issue;
use crate::version::Version;
use crate::window;
use crate::world::{Issue, Seconds, Seen, Status};
use chrono::{DateTime, Utc};

/// What `is:` and `status:` call the statuses.
const STATUSES: [(&str, Status); 6] = [
    ("archived", Status::Ignored),
    ("ignored", Status::Ignored),
    ("muted", Status::Ignored),
    ("reprocessing", Status::Reprocessing),
    ("resolved", Status::Resolved),
    ("unresolved", Status::Unresolved),
];
const SUBSTATUSES: [&str; 7] = [
    "archived_forever",
    "archived_until_condition_met",
    "archived_until_escalating",
    "escalating",
    "new",
    "ongoing",
    "regressed",
];
const CATEGORIES: [&str; 18] = [
    "ai_detected",
    "configuration",
    "cron",
    "db_query",
    "error",
    "feedback",
    "frontend",
    "http_client",
    "metric",
    "metric_alert",
    "mobile",
    "outage",
    "performance",
    "preprod",
    "profile",
    "replay",
    "test_notification",
    "uptime",
];
const PRIORITIES: [&str; 3] = ["high", "low", "medium"];

/// Keys to which Sentry gives a meaning of its own.
const NOT_IMITATED: [&str; 33] = [
    "assigned",
    "assigned_or_suggested",
    "assigned_to",
    "bookmarked_by",
    "bookmarks",
    "date",
    "detector",
    "device.class",
    "dist",
    "error.handled",
    "error.main_thread",
    "error.unhandled",
    "event.timestamp",
    "event.type",
    "first-release",
    "firstRelease",
    "first_release",
    "issue.seer_actionability",
    "issue.seer_last_run",
    "location",
    "message",
    "platform",
    "platform.name",
    "regressed_in_release",
    "release.build",
    "release.package",
    "release.stage",
    "release.version",
    "subscribed",
    "subscribed_by",
    "team",
    "timestamp",
    "title",
];

/// A search, read.
pub struct Query {
    terms: Vec<(bool, Term)>,
}

enum Term {
    Status(Vec<Status>),
    Substatus(Vec<String>),
    ForReview,
    Assigned(bool),
    Category(Vec<String>),
    Type(Vec<String>),
    Priority(Vec<String>),
    Level(Vec<String>),
    Project(Vec<String>),
    ShortId(Vec<String>),
    FirstSeen(Period),
    LastSeen(Period),
    TimesSeen(Numbers),
    Has(String),
    Tag(String, Vec<String>),
    Word(String),
}

impl Query {
    /// `now`: what relative times are relative to.
    pub fn parse(text: &str, version: Version, now: DateTime<Utc>) -> Result<Self, Problem> {
        let mut terms = Vec::new();
        for word in words(text) {
            if word.eq_ignore_ascii_case("or") || word.eq_ignore_ascii_case("and") {
                return Err(Problem::bad_search(
                    "Boolean statements containing \"OR\" or \"AND\" are not supported in this search",
                ));
            }
            let (negated, word) = match word.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, word.as_str()),
            };
            terms.push((negated, Term::parse(word, negated, version, now)?));
        }
        Ok(Self { terms })
    }

    /// A type or a category is named, which shows the hidden ones.
    pub fn by_kind(&self) -> bool {
        self.terms
            .iter()
            .any(|(_, term)| matches!(term, Term::Category(_) | Term::Type(_)))
    }

    /// Whether the list may be sorted by when issues came into the inbox.
    pub fn inbox(&self) -> Result<(), Problem> {
        if !self.any(|term| matches!(term, Term::ForReview)) {
            return Err(Problem::bad_request(
                "Sort key 'inbox' only supported for inbox search",
            ));
        }
        if !self.any(|term| matches!(term, Term::Status(list) if *list == [Status::Unresolved])) {
            return Err(Problem::bad_request(
                "Inbox search only works for 'unresolved' status",
            ));
        }
        Ok(())
    }

    /// The keys that are taken for tags.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().filter_map(|(_, term)| match term {
            Term::Tag(key, _) | Term::Has(key) => Some(key.as_str()),
            _ => None,
        })
    }

    /// Whether errors are among what is searched for.
    pub fn finds_errors(&self) -> bool {
        !self.any(|term| {
            matches!(term, Term::Category(list) | Term::Type(list) if !list.iter().any(|one| one == "error"))
        })
    }

    fn any(&self, is: impl Fn(&Term) -> bool) -> bool {
        self.terms
            .iter()
            .any(|(negated, term)| !negated && is(term))
    }

    /// `seen`: the numbers of the issue over the window.
    pub fn matches(&self, call: &Call<'_>, issue: &Issue, seen: Seen, window: Seconds) -> bool {
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

/// A name, or the call of a function.
fn is_key(text: &str) -> bool {
    let name = text.split_once('(').map_or(text, |(name, _)| name);
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
        && (name == text || text.ends_with(')'))
}

fn status(name: &str) -> Option<Status> {
    STATUSES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, status)| *status)
}

impl Term {
    fn parse(
        word: &str,
        negated: bool,
        version: Version,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let Some((key, value)) = word.split_once(':').filter(|(key, _)| is_key(key)) else {
            return Ok(Self::Word(word.trim_matches('"').to_owned()));
        };
        if value.is_empty() {
            let key = match key {
                "age" | "firstSeen" => "first_seen",
                "lastSeen" => "last_seen",
                "timesSeen" => "times_seen",
                key => key,
            };
            return Err(Problem::bad_search(&format!("Empty string after '{key}:'")));
        }
        if key.ends_with(')') {
            return Err(Problem::bad_search(&format!(
                "Aggregate filters ({key}) are not supported in issue searches."
            )));
        }
        if NOT_IMITATED.contains(&key)
            || key == "user"
            || key.starts_with("user.")
            || key.starts_with("stack.")
        {
            return Err(Problem::not_imitated(&format!("the search key {key}")));
        }
        Ok(match key {
            "is" => Self::parse_is(value, version)?,
            "issue.category" | "issue.priority" | "issue.type" | "substatus"
                if version.is_old() =>
            {
                Self::Tag(key.to_owned(), values(value))
            }
            "status" => Self::Status(
                known(value, &STATUSES.map(|(name, _)| name), "invalid status")?
                    .iter()
                    .filter_map(|name| status(name))
                    .collect(),
            ),
            "substatus" => Self::Substatus(known(value, &SUBSTATUSES, "invalid substatus")?),
            "issue.category" => Self::Category(known(value, &CATEGORIES, "Invalid category")?),
            "issue.priority" => Self::Priority(known(value, &PRIORITIES, "Invalid priority")?),
            "issue.type" => Self::Type(values(value)),
            "level" => Self::Level(values(value)),
            "project" | "project.name" => Self::Project(values(value)),
            "issue" => Self::ShortId(values(value)),
            "age" | "firstSeen" | "first_seen" => {
                Self::FirstSeen(Period::parse("first_seen", value, negated, now)?)
            }
            "lastSeen" | "last_seen" => {
                Self::LastSeen(Period::parse("last_seen", value, negated, now)?)
            }
            "timesSeen" | "times_seen" => Self::TimesSeen(Numbers::parse("times_seen", value)?),
            "has" => Self::Has(value.trim_matches('"').to_owned()),
            _ if value.contains('*') => {
                return Err(Problem::not_imitated("a search with an asterisk"));
            }
            _ => Self::Tag(key.to_owned(), values(value)),
        })
    }

    fn parse_is(value: &str, version: Version) -> Result<Self, Problem> {
        if value.starts_with('[') {
            return Err(Problem::bad_search(
                "\"in\" syntax invalid for \"is\" search",
            ));
        }
        if let Some(status) = status(value) {
            return Ok(Self::Status(vec![status]));
        }
        if SUBSTATUSES.contains(&value) && !version.is_old() {
            return Ok(Self::Substatus(vec![value.to_owned()]));
        }
        match value {
            "assigned" => Ok(Self::Assigned(true)),
            "unassigned" => Ok(Self::Assigned(false)),
            "for_review" if !version.is_old() => Ok(Self::ForReview),
            "needs_review" if version.is_old() => Err(Problem::not_imitated("is:needs_review")),
            "linked" | "unlinked" => Err(Problem::not_imitated(&format!("is:{value}"))),
            _ => {
                let mut valid: Vec<&str> = STATUSES.iter().map(|(name, _)| *name).collect();
                valid.extend(["assigned", "linked", "unassigned", "unlinked"]);
                if version.is_old() {
                    valid.retain(|name| *name != "archived");
                    valid.push("needs_review");
                } else {
                    valid.extend(SUBSTATUSES);
                    valid.push("for_review");
                }
                valid.sort_unstable();
                let valid: Vec<String> = valid.iter().map(|name| format!("'{name}'")).collect();
                Err(Problem::bad_search(&format!(
                    "Invalid value for \"is\" search, valid values are [{}]",
                    valid.join(", ")
                )))
            }
        }
    }

    fn matches(&self, call: &Call<'_>, issue: &Issue, seen: Seen, window: Seconds) -> bool {
        let one_of = |list: &[String], value: &str| list.iter().any(|one| one == value);
        match self {
            Self::Status(list) => list.contains(&issue.status),
            Self::Substatus(list) => issue
                .substatus
                .as_ref()
                .is_some_and(|value| one_of(list, value)),
            Self::ForReview => issue.substatus.as_deref() == Some("new"),
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
            Self::ShortId(list) => one_of(list, &issue.short_id),
            // Kept with the issue, and with it in each environment: of all time, whatever the window.
            Self::FirstSeen(period) => issue
                .seen(Seconds::ALL, &call.all("environment"))
                .is_some_and(|ever| period.holds(issue::first_seen(issue, ever))),
            // Counted from events: of the window.
            Self::LastSeen(period) => period.holds(window::at(seen.last)),
            Self::TimesSeen(numbers) => numbers.holds(seen.count),
            Self::Has(key) => issue.events.iter().any(|event| {
                window.holds(event.second()) && issue::tag_keys(issue, event).contains(key)
            }),
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
