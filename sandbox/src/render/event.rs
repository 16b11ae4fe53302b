//! Events in three sizes: a row of a list, a full row, and the detail.

use super::release;
use crate::synthetic::mixed_id;
use crate::window;
use crate::world::{Event, EventRef, Issue, Kind, Release, World};
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How an event is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Simple,
    Full,
}

pub fn text(issue: &Issue, event: EventRef<'_>, size: Size) -> String {
    match event {
        EventRef::Stored(event) => match size {
            Size::Simple => simple(issue, event).to_string(),
            Size::Full => Value::Object(full(issue, event, 3, 5)).to_string(),
        },
        EventRef::Synthetic(synthetic, index) => {
            let templates = Templates::of(synthetic.event_bytes, synthetic.more_tags);
            let template = match size {
                Size::Simple => &templates.simple,
                Size::Full => &templates.full,
            };
            template.fill(
                &format!("{:032x}", synthetic.id(index)),
                synthetic.issue,
                synthetic.project,
                synthetic.second(index),
            )
        }
    }
}

/// Neighbours are ids of events of the same issue.
pub fn detail(
    world: &World,
    issue: &Issue,
    event: EventRef<'_>,
    previous: Option<&str>,
    next: Option<&str>,
) -> String {
    let mut record = match event {
        EventRef::Stored(event) => full(issue, event, 3, 5),
        EventRef::Synthetic(..) => match serde_json::from_str(&text(issue, event, Size::Full)) {
            Ok(Value::Object(record)) => record,
            _ => unreachable!("a filled template is an object"),
        },
    };
    let release: Option<&Release> = match event {
        EventRef::Stored(event) => event
            .release
            .as_ref()
            .and_then(|version| world.release(version)),
        EventRef::Synthetic(..) => None,
    };
    if let EventRef::Stored(event) = event
        && record.contains_key("dateCreated")
    {
        // From the node store, which keeps the fraction that the event store drops.
        record.insert("dateCreated".into(), json!(window::text(event.timestamp)));
    }
    let version = match event {
        EventRef::Stored(event) => event.release.as_ref(),
        EventRef::Synthetic(..) => None,
    };
    let report = (issue.kind == Kind::FEEDBACK).then(|| {
        json!({
            "id": issue.id.to_string(),
            "eventID": event.id(),
            "name": "Penny",
            "email": "penny@example.com",
            "comments": issue.title,
            "dateCreated": window::second_text(event.second()),
            "user": null,
            "event": {"id": event.id(), "eventID": event.id()},
        })
    });
    let more: [(&str, Value); 6] = [
        (
            "release",
            match (release, version) {
                (Some(one), _) => release::record(world, one),
                (None, Some(version)) => json!({ "version": version }),
                (None, None) => Value::Null,
            },
        ),
        ("userReport", json!(report)),
        ("sdkUpdates", json!([])),
        ("resolvedWith", json!([])),
        ("nextEventID", json!(next)),
        ("previousEventID", json!(previous)),
    ];
    for (key, value) in more {
        record.insert(key.to_owned(), value);
    }
    Value::Object(record).to_string()
}

/// What the event carries and what Sentry adds from its fields.
pub fn tags(issue: &Issue, event: &Event) -> Vec<(Option<String>, Option<String>)> {
    let own = |key: &str, value: &str| (Some(key.to_owned()), Some(value.to_owned()));
    let mut tags = vec![own("level", &issue.level)];
    if let Some(environment) = &event.environment {
        tags.push(own("environment", environment));
    }
    if let Some(release) = &event.release {
        tags.push(own("release", release));
    }
    tags.extend(event.tags.iter().cloned());
    tags
}

fn tag_values(issue: &Issue, event: &Event) -> Value {
    let mut list: Vec<Value> = tags(issue, event)
        .into_iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect();
    if let Some(id) = event.user.as_ref().and_then(|user| user["id"].as_str()) {
        list.push(json!({
            "key": "user",
            "value": format!("id:{id}"),
            "query": format!("user.id:\"{id}\""),
        }));
    }
    Value::Array(list)
}

fn location(issue: &Issue) -> Option<&'static str> {
    (issue.kind == Kind::ERROR).then_some("tasks.py")
}

/// Puts in place what is not as usual.
fn adapt(record: &mut Map<String, Value>, event: &Event) {
    for (key, value) in &event.body {
        if let Some(usual) = record.get_mut(key) {
            usual.clone_from(value);
        }
    }
}

fn simple(issue: &Issue, event: &Event) -> Value {
    let mut record = json!({
        "id": event.id,
        "event.type": issue.kind.event_type,
        "groupID": issue.id.to_string(),
        "eventID": event.id,
        "projectID": issue.project.to_string(),
        "message": event.message,
        "title": issue.title,
        "location": location(issue),
        "culprit": issue.culprit,
        "user": event.user,
        "tags": tag_values(issue, event),
        "platform": issue.platform,
        "dateCreated": window::second_text(event.second()),
        "crashFile": null,
        "metadata": issue.metadata,
    });
    if let Some(record) = record.as_object_mut() {
        adapt(record, event);
    }
    record
}

fn full(issue: &Issue, event: &Event, frames: usize, crumbs: usize) -> Map<String, Value> {
    let second = window::second_text(event.second());
    // Beyond 64 bits with a sign, in some events.
    let big = if event.id.starts_with('0') {
        12_345_678_901_234_567_890_u64
    } else {
        1_234_567_890
    };
    let mut record = json!({
        "id": event.id,
        "groupID": issue.id.to_string(),
        "eventID": event.id,
        "projectID": issue.project.to_string(),
        "size": 2_000 + 700 * frames,
        "entries": entries(issue, event, frames, crumbs),
        "dist": event.dist,
        "message": event.message,
        "title": issue.title,
        "location": location(issue),
        "user": event.user,
        "contexts": {
            "runtime": {"name": "CPython", "version": "3.12.4", "type": "runtime"},
            "os": {"name": "Linux", "version": "6.1.0", "type": "os"},
            "trace": {"trace_id": event.id, "span_id": event.id.get(..16), "op": "queue.task", "status": "internal_error", "type": "trace"},
        },
        "sdk": {"name": "sentry.python", "version": "2.19.2"},
        "context": {"attempt": 3, "nested": {"list": [1, 2.5, null, true], "deep": {"er": "x"}}, "big": big},
        "packages": {"sentry-sdk": "2.19.2"},
        "type": issue.kind.event_type,
        "metadata": issue.metadata,
        "tags": tag_values(issue, event),
        "platform": issue.platform.as_deref().unwrap_or("other"),
        "dateReceived": window::text(event.received),
        "errors": [],
        "occurrence": occurrence(issue, event),
        "_meta": {"entries": {}, "message": null, "user": null, "contexts": null, "sdk": null, "context": null, "packages": null, "tags": {}},
        "measurements": null,
        "breakdowns": null,
    });
    // Transactions have other clocks, and lack what errors have.
    let more = if issue.kind.event_type == "transaction" {
        json!({
            "startTimestamp": seconds(event.timestamp) - 0.75,
            "endTimestamp": seconds(event.timestamp),
            "measurements": {"lcp": {"value": 1_200.5, "unit": "millisecond"}},
        })
    } else {
        json!({
            "crashFile": null,
            "culprit": issue.culprit,
            "dateCreated": second,
            "fingerprints": [format!("{:032x}", mixed_id(issue.id, 0))],
            "groupingConfig": {"id": "newstyle:2023-01-11", "enhancements": "KLUv_SAYwQAAkwKRs25ld3N0eWxlOjIwMjMtMDEtMTGQ"},
        })
    };
    match (record.as_object_mut().map(std::mem::take), more) {
        (Some(mut record), Value::Object(more)) => {
            record.extend(more);
            adapt(&mut record, event);
            record
        }
        _ => unreachable!("both literals are objects"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "Sentry has floats here too")]
fn seconds(instant: DateTime<Utc>) -> f64 {
    instant.timestamp_millis() as f64 / 1e3
}

fn occurrence(issue: &Issue, event: &Event) -> Value {
    if issue.kind.is_error() {
        return Value::Null;
    }
    json!({
        "id": event.id,
        "projectId": issue.project,
        "eventId": event.id,
        "fingerprint": [format!("{:032x}", mixed_id(issue.id, 1))],
        "issueTitle": issue.title,
        "subtitle": "seen by a detector",
        "resourceId": null,
        "evidenceData": {"op": "db", "offenderSpanIds": ["a1", "b2"]},
        "evidenceDisplay": [{"name": "Offending spans", "value": "db - SELECT 1", "important": true}],
        "type": 1_006,
        "detectionTime": seconds(event.timestamp),
        "level": "info",
        "culprit": issue.culprit,
        "assignee": null,
        "priority": null,
    })
}

fn entries(issue: &Issue, event: &Event, frames: usize, crumbs: usize) -> Value {
    let breadcrumbs = json!({"type": "breadcrumbs", "data": {"values": (0..crumbs).map(|number| json!({
        "type": "http",
        "timestamp": window::text(event.timestamp),
        "level": "info",
        "message": null,
        "category": "httplib",
        "data": {"url": format!("https://api.example.com/v1/items/{number}"), "method": "GET", "status_code": 200},
        "event_id": null,
    })).collect::<Vec<_>>()}});
    match issue.kind.event_type {
        "error" => {
            let (kind, value) = issue
                .title
                .split_once(": ")
                .unwrap_or(("Error", &issue.title));
            let (unhandled, raised) = (issue.unhandled, exception(kind, value, frames));
            let mut values = vec![raised];
            if event.id.starts_with(['0', '1', '2', '3']) {
                // The cause comes first.
                values.insert(0, exception("ConnectionResetError", "peer", frames.min(2)));
                values[0]["mechanism"] = Value::Null;
            }
            for value in &mut values {
                if !value["mechanism"].is_null() {
                    value["mechanism"]["handled"] = json!(!unhandled);
                }
            }
            let exception = json!({"type": "exception", "data": {
                "values": values,
                "hasSystemFrames": true,
                "excOmitted": null,
            }});
            let request = json!({"type": "request", "data": {
                "method": "POST",
                "url": "https://api.example.com/v1/items",
                "query": [["page", "2"], ["q", "naïve ☃"]],
                "fragment": null,
                "data": {"ids": [1, 2, 3]},
                "headers": [["Content-Type", "application/json"], ["User-Agent", "curl/8.5.0"]],
                "cookies": [],
                "env": {"SERVER_NAME": "web-1"},
                "inferredContentType": "application/json",
            }});
            let mut entries = vec![exception, breadcrumbs, request];
            if event.id.starts_with(['4', '5']) {
                entries.insert(1, threads(frames));
            }
            Value::Array(entries)
        }
        "default" => json!([
            {"type": "message", "data": {"formatted": event.message, "message": event.message, "params": ["a", 1]}},
            {"type": "threads", "data": {"values": [{"id": 1, "current": true, "crashed": false, "name": "main", "stacktrace": null, "rawStacktrace": null, "state": null}]}},
        ]),
        "csp" => json!([{"type": "csp", "data": {
            "blocked_uri": "https://evil.example.com/x.js",
            "effective_directive": "script-src",
            "document_uri": "https://www.example.com/",
            "local_script_violation_type": null,
        }}]),
        // Here the data is a list.
        "transaction" => json!([
            {"type": "spans", "data": [{"span_id": "b0e6f15b45c36b12", "op": "db", "description": "SELECT 1", "start_timestamp": 1.25, "timestamp": 1.5, "data": {}, "tags": null}]},
            breadcrumbs,
        ]),
        _ => json!([]),
    }
}

fn exception(kind: &str, value: &str, frames: usize) -> Value {
    json!({
        "type": kind,
        "value": value,
        "mechanism": {"type": "celery", "handled": true},
        "threadId": null,
        "module": "builtins",
        "stacktrace": stack(frames),
        "rawStacktrace": null,
    })
}

fn stack(frames: usize) -> Value {
    json!({
        "frames": (0..frames).map(frame).collect::<Vec<_>>(),
        "framesOmitted": null,
        "registers": null,
        "hasSystemFrames": true,
    })
}

/// The one that crashed has its stack with the exception.
fn threads(frames: usize) -> Value {
    let thread = |id: u64, name: &str, crashed: bool| {
        let stacktrace = (!crashed).then(|| stack(frames.min(2)));
        json!({"id": id, "current": crashed, "crashed": crashed, "name": name, "stacktrace": stacktrace, "rawStacktrace": null, "state": null})
    };
    json!({"type": "threads", "data": {"values": [thread(1, "main", true), thread(7, "pool-1", false)]}})
}

fn frame(number: usize) -> Value {
    let line = 40 + 11 * number;
    json!({
        "filename": "app/services/items/repository.py",
        "absPath": "/srv/app/services/items/repository.py",
        "module": "app.services.items.repository",
        "package": null,
        "platform": null,
        "instructionAddr": null,
        "symbolAddr": null,
        "function": format!("fetch_item_{number}"),
        "rawFunction": null,
        "symbol": null,
        "context": [
            [line, "    async def fetch(self, item_id: int) -> Item:"],
            [line + 1, "        \"\"\"One item, or an error that says which one is missing.\"\"\""],
            [line + 2, "        row = await self.pool.fetchrow(QUERY, item_id)"],
            [line + 3, "        return Item(**row)"],
        ],
        "lineNo": line + 3,
        "colNo": null,
        "inApp": number.is_multiple_of(2),
        "trust": null,
        "errors": null,
        "lock": null,
        "sourceLink": null,
        "vars": {"item_id": "4711", "row": "None", "self": "<app.services.items.repository.Repository object at 0x7f3a>"},
    })
}

/// Rendered events with holes, so that a page of large events costs copies only.
#[derive(Debug)]
struct Templates {
    simple: Template,
    full: Template,
}

#[derive(Debug)]
struct Template(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Text(String),
    Event,
    Issue,
    Project,
    Created,
}

type Hole = fn() -> Piece;

const HOLE_EVENT: &str = "feedc0defeedc0defeedc0defeedc0de";
const HOLE_ISSUE: u64 = 987_654_321_098;
const HOLE_PROJECT: u64 = 876_543_210_987;
const HOLE_SECOND: i64 = 981_173_106;

/// By the size of the events and the number of tags that are not usual.
static TEMPLATES: Mutex<BTreeMap<(usize, usize), Arc<Templates>>> = Mutex::new(BTreeMap::new());

impl Templates {
    /// Those for events of about `bytes`, made once.
    fn of(bytes: usize, more_tags: usize) -> Arc<Self> {
        let mut all = TEMPLATES.lock();
        let made = all
            .entry((bytes, more_tags))
            .or_insert_with(|| Arc::new(Self::sized(bytes, more_tags)));
        Arc::clone(made)
    }

    /// Full events of about `bytes`, by the number of stack frames.
    fn sized(bytes: usize, more_tags: usize) -> Self {
        let mut world = World::empty(window::at(HOLE_SECOND));
        world.add_issue_with_id(
            HOLE_ISSUE,
            HOLE_PROJECT,
            "TimeoutError: upstream did not answer in time",
        );
        let issue = world.issue_mut(HOLE_ISSUE);
        issue.platform = Some("python".to_owned());
        issue.logger = Some("app.tasks".to_owned());
        let issue = &*issue;
        let mut event = Event::new(HOLE_EVENT, window::at(HOLE_SECOND));
        event.received = event.timestamp;
        event.user = Some(
            json!({"id": "17", "email": "user17@example.com", "username": null, "ip_address": "10.0.0.17", "name": null, "geo": null, "data": null}),
        );
        event.tags = [
            ("server_name", "web-1"),
            ("handled", "no"),
            ("runtime", "CPython 3.12.4"),
            ("transaction", "app.tasks.run"),
        ]
        .map(|(key, value)| (Some(key.to_owned()), Some(value.to_owned())))
        .into();
        event.tags.extend((0..more_tags).map(|number| {
            let (key, value) = (format!("app.tag{number}"), format!("value {number}"));
            (Some(key), Some(value))
        }));
        let full_text = |frames| Value::Object(full(issue, &event, frames, 20)).to_string();
        let (none, one) = (full_text(0).len(), full_text(1).len());
        let frames = bytes.saturating_sub(none) / (one - none);
        Self {
            simple: Template::cut(&simple(issue, &event).to_string()),
            full: Template::cut(&full_text(frames)),
        }
    }
}

impl Template {
    fn cut(text: &str) -> Self {
        let (issue, project) = (HOLE_ISSUE.to_string(), HOLE_PROJECT.to_string());
        let created = window::second_text(HOLE_SECOND);
        let holes: [(&str, Hole); 4] = [
            (HOLE_EVENT, || Piece::Event),
            (&issue, || Piece::Issue),
            (&project, || Piece::Project),
            (&created, || Piece::Created),
        ];
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((at, hole, piece)) = holes
            .iter()
            .filter_map(|(hole, piece)| rest.find(hole).map(|at| (at, *hole, piece)))
            .min_by_key(|(at, ..)| *at)
        {
            pieces.push(Piece::Text(rest[..at].to_owned()));
            pieces.push(piece());
            rest = &rest[at + hole.len()..];
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Self(pieces)
    }

    fn fill(&self, event: &str, issue: u64, project: u64, second: i64) -> String {
        let (issue, project) = (issue.to_string(), project.to_string());
        let created = window::second_text(second);
        let parts: Vec<&str> = self
            .0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                Piece::Event => event,
                Piece::Issue => issue.as_str(),
                Piece::Project => project.as_str(),
                Piece::Created => created.as_str(),
            })
            .collect();
        parts.concat()
    }
}
