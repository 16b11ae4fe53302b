//! Issues as the list, the detail and the events show them.

use super::{event, people, release};
use crate::synthetic::mix;
use crate::window;
use crate::world::{Assignee, Event, Issue, ReleaseForm, Seconds, Seen, World};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

/// What the caller of the list wants more, or less, of.
#[derive(Clone, Debug, Default)]
pub struct Trim {
    pub collapse: Vec<String>,
    pub expand: Vec<String>,
    /// The period of the sparkline; empty: none.
    pub stats: String,
    /// Annotations as HTML, as the endpoint for one project still has them.
    pub html_annotations: bool,
}

impl Trim {
    fn collapses(&self, field: &str) -> bool {
        self.collapse.iter().any(|name| name == field)
    }

    fn expands(&self, field: &str) -> bool {
        self.expand.iter().any(|name| name == field)
    }
}

fn base(world: &World, issue: &Issue, html_annotations: bool) -> Map<String, Value> {
    let project = world.project(issue.project);
    let organization = &world.organizations[0].slug;
    let assigned = issue.assignee.and_then(|assignee| match assignee {
        Assignee::User(id) => {
            world.user(id).map(|user| json!({"type": "user", "id": id.to_string(), "name": user.name, "email": user.email}))
        }
        Assignee::Team(id) => world.team(id).map(|team| json!({"type": "team", "id": id.to_string(), "name": team.slug})),
    });
    let annotations: Vec<Value> = issue
        .annotations
        .iter()
        .map(|(name, url)| {
            if html_annotations {
                json!(format!("<a href=\"{url}\">{name}</a>"))
            } else {
                json!({"displayName": name, "url": url})
            }
        })
        .collect();
    let record = json!({
        "id": issue.id.to_string(),
        "shareId": null,
        "shortId": issue.short_id,
        "title": issue.title,
        "culprit": issue.culprit,
        "permalink": format!("https://sentry.invalid/organizations/{organization}/issues/{}/", issue.id),
        "logger": issue.logger,
        "level": issue.level,
        "status": issue.status.name(),
        "statusDetails": issue.status_details,
        "substatus": issue.substatus,
        "isPublic": false,
        "platform": issue.platform,
        "priority": issue.priority,
        "priorityLockedAt": null,
        "seerFixabilityScore": if issue.id.is_multiple_of(4) { json!(0.625) } else { Value::Null },
        "seerAutofixLastTriggered": null,
        "seerExplorerAutofixLastTriggered": null,
        "project": {
            "id": issue.project.to_string(),
            "name": project.map(|project| &project.name),
            "slug": project.map(|project| &project.slug),
            "platform": project.map(|project| &project.platform),
        },
        "type": issue.kind.event_type,
        "issueType": issue.kind.issue_type,
        "issueCategory": issue.kind.category,
        "metadata": issue.metadata,
        "numComments": issue.comments,
        "assignedTo": assigned,
        "isBookmarked": false,
        "isSubscribed": issue.comments > 0,
        "subscriptionDetails": (issue.comments > 0).then(|| json!({"reason": "commented"})),
        "hasSeen": issue.id.is_multiple_of(2),
        "annotations": annotations,
    });
    match record {
        Value::Object(record) => record,
        _ => unreachable!("the literal above is an object"),
    }
}

/// From Postgres: with microseconds, a little after the event.
pub fn first_seen(issue: &Issue, ever: Seen) -> DateTime<Utc> {
    let micros = i64::try_from(mix(issue.id) % 999_999).unwrap_or(0) + 1;
    window::at(ever.first) + TimeDelta::microseconds(micros)
}

fn first_seen_ever(issue: &Issue, ever: Seen) -> String {
    window::text(first_seen(issue, ever))
}

/// One object in the list, a list of them in the detail: so it is documented.
fn owner(ever: Seen) -> Value {
    json!({"type": "ownershipRule", "owner": "team:1", "date_added": window::second_text(ever.first)})
}

fn derived(issue: &Issue) -> Value {
    json!({
        "blocker": "none",
        "progress": "not_started",
        "status": "open",
        "viewCount": issue.id % 17,
        "hasOpenFixPr": false,
        "isAssigned": issue.assignee.is_some(),
        "hasRootCause": false,
        "lastCompletedAutofixStep": "",
        "lastProgressedAt": null,
    })
}

/// `[epoch, count]` a step, the last one being the current one.
fn series(issue: &Issue, now: i64, step: i64, points: i64) -> Value {
    let last = now - now.rem_euclid(step);
    (0..points)
        .map(|index| {
            let from = last - (points - 1 - index) * step;
            let window = Seconds {
                from,
                to: from + step,
            };
            let count = issue.seen(window, &[]).map_or(0, |seen| seen.count);
            json!([from, count])
        })
        .collect()
}

/// A row of the list. `seen` is over the window that was asked for, `None` for lists by id, which have no window.
pub fn row(world: &World, issue: &Issue, seen: Option<Seen>, trim: &Trim) -> String {
    let ever = issue.seen(Seconds::ALL, &[]).unwrap_or_default();
    let kept = issue
        .seen(world.retained(Seconds::ALL), &[])
        .unwrap_or_default();
    let top = seen.unwrap_or(Seen {
        count: ever.count,
        first: ever.first,
        ..kept
    });
    let mut record = base(world, issue, trim.html_annotations);
    let mut put = |key: &str, value: Value| {
        record.insert(key.to_owned(), value);
    };
    if !trim.collapses("unhandled") {
        put("isUnhandled", json!(issue.unhandled));
    }
    // Both of these strip the numbers of the window too.
    if !trim.collapses("stats") && !trim.collapses("lifetime") {
        put("count", json!(top.count.to_string()));
        put("userCount", json!(top.users));
        put(
            "firstSeen",
            if seen.is_some() {
                json!(window::second_text(top.first))
            } else {
                json!(first_seen_ever(issue, ever))
            },
        );
        put("lastSeen", json!(window::second_text(top.last)));
        put(
            "lifetime",
            json!({
                "count": ever.count.to_string(),
                "userCount": kept.users,
                "firstSeen": first_seen_ever(issue, ever),
                "lastSeen": window::second_text(kept.last),
                "stats": null,
            }),
        );
    }
    if !trim.collapses("stats") {
        let now = world.clock().timestamp();
        match trim.stats.as_str() {
            "14d" => put("stats", json!({"14d": series(issue, now, 86_400, 14)})),
            "24h" | "auto" => {
                put(
                    "stats",
                    json!({trim.stats.as_str(): series(issue, now, 3_600, 24)}),
                );
            }
            _ => {}
        }
        if !trim.collapses("filtered") {
            put("filtered", Value::Null);
        }
        if trim.expands("sessions") {
            put("sessionCount", json!(0));
        }
    }
    if trim.expands("owners") {
        put("owners", owner(ever));
    }
    put("derivedData", derived(issue));
    put("matchingEventId", Value::Null);
    put("matchingEventEnvironment", Value::Null);
    expansions(issue, trim, ever, &mut record);
    if trim.collapses("base") {
        record.retain(|key, _| {
            matches!(
                key.as_str(),
                "id" | "count"
                    | "userCount"
                    | "firstSeen"
                    | "lastSeen"
                    | "lifetime"
                    | "stats"
                    | "filtered"
            )
        });
    }
    Value::Object(record).to_string()
}

fn expansions(issue: &Issue, trim: &Trim, ever: Seen, record: &mut Map<String, Value>) {
    let mut put = |key: &str, value: Value| {
        record.insert(key.to_owned(), value);
    };
    if trim.expands("inbox") {
        put(
            "inbox",
            json!({"reason": 0, "reason_details": null, "date_added": window::second_text(ever.first)}),
        );
    }
    if trim.expands("integrationIssues") {
        put("integrationIssues", json!([]));
    }
    if trim.expands("sentryAppIssues") {
        let links = if issue.annotations.is_empty() {
            json!([])
        } else {
            json!([{
                "id": "71",
                "issueId": issue.id.to_string(),
                "serviceType": "linear",
                "displayName": "ACME#12",
                "webUrl": "https://tracker.invalid/ACME-12",
            }])
        };
        put("sentryAppIssues", links);
    }
    if trim.expands("latestEventHasAttachments") {
        put("latestEventHasAttachments", json!(false));
    }
}

pub fn detail(world: &World, issue: &Issue, trim: &Trim) -> Value {
    let ever = issue.seen(Seconds::ALL, &[]).unwrap_or_default();
    let kept = issue
        .seen(world.retained(Seconds::ALL), &[])
        .unwrap_or_default();
    let mut record = base(world, issue, false);
    let mut put = |key: &str, value: Value| {
        record.insert(key.to_owned(), value);
    };
    put("isUnhandled", json!(issue.unhandled));
    put("count", json!(ever.count.to_string()));
    put("userCount", json!(kept.users));
    put("firstSeen", json!(first_seen_ever(issue, ever)));
    put("lastSeen", json!(window::second_text(kept.last)));
    put("derivedData", derived(issue));
    if !trim.collapses("release") {
        let form = match &issue.first_release {
            ReleaseForm::None => Value::Null,
            ReleaseForm::VersionOnly(version) => json!({ "version": version }),
            ReleaseForm::Full(version) => world
                .release(version)
                .map_or(Value::Null, |one| release::record(world, one)),
        };
        put("lastRelease", form.clone());
        put("firstRelease", form);
    }
    if !trim.collapses("tags") {
        put(
            "tags",
            json!([
                {"key": "environment", "name": "Environment", "totalValues": kept.count},
                {"key": "level", "name": "Level", "totalValues": kept.count},
            ]),
        );
    }
    if !trim.collapses("stats") {
        let now = world.clock().timestamp();
        put(
            "stats",
            json!({"24h": series(issue, now, 3_600, 24), "30d": series(issue, now, 86_400, 30)}),
        );
    }
    let reader = world.users.first();
    let mut activity = Vec::new();
    if let (Some(Assignee::User(id)), Some(reader)) = (issue.assignee, reader) {
        activity.push(json!({
            "id": (issue.id * 10).to_string(),
            "type": "assigned",
            "user": people::user(reader),
            "data": {"assignee": id.to_string(), "assigneeType": "user", "assigneeEmail": null},
            "dateCreated": window::second_text(kept.last),
        }));
    }
    activity.push(json!({
        "id": "0",
        "type": "first_seen",
        "user": null,
        "data": {"priority": issue.priority},
        "dateCreated": first_seen_ever(issue, ever),
    }));
    put("activity", json!(activity));
    let seen_by: Vec<Value> = reader
        .filter(|_| issue.id.is_multiple_of(2))
        .map(|user| {
            let mut record = people::user(user);
            record["lastSeen"] = json!(window::second_text(kept.last));
            record
        })
        .into_iter()
        .collect();
    put("participants", json!(seen_by));
    put("seenBy", json!(seen_by));
    put("userReportCount", json!(0));
    put("pluginActions", json!([]));
    put("pluginIssues", json!([]));
    put("pluginContexts", json!([]));
    if trim.expands("owners") {
        put("owners", json!([owner(ever)]));
    }
    if trim.expands("forecast") {
        put(
            "forecast",
            json!({"data": [[window::second_text(kept.last), 12]]}),
        );
    }
    expansions(issue, trim, ever, &mut record);
    Value::Object(record)
}

/// The search that matches what a person types: title, culprit or message of an event.
pub fn mentions(issue: &Issue, word: &str) -> bool {
    let word = word.to_lowercase();
    issue.title.to_lowercase().contains(&word)
        || issue
            .culprit
            .as_ref()
            .is_some_and(|culprit| culprit.to_lowercase().contains(&word))
        || issue
            .events
            .iter()
            .any(|event| event_mentions(event, &word))
}

pub fn event_mentions(event: &Event, word: &str) -> bool {
    event.message.to_lowercase().contains(&word.to_lowercase())
}

/// All tags an event has, those of its fields included.
pub fn has_tag(issue: &Issue, event: &Event, key: &str, value: &str) -> bool {
    event::tags(issue, event)
        .iter()
        .any(|(own, other)| own.as_deref() == Some(key) && other.as_deref() == Some(value))
}

/// The names of all tags an event has, those of its fields included.
pub fn tag_keys(issue: &Issue, event: &Event) -> Vec<String> {
    event::tags(issue, event)
        .into_iter()
        .filter_map(|(key, _)| key)
        .collect()
}
