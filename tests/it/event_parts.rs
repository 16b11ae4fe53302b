//! The lists inside events, as streams of their own.

use crate::dsl::{PARTS, Run, Sentry, Tap, catalog, entry, metadata, parts, union};
use chrono::TimeDelta;
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match, full_events};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The records that are to be cut from all events, by key.
fn expected(sentry: &Sentry, stream: &str) -> BTreeMap<String, Map<String, Value>> {
    let events = full_events(&sentry.world(), None, sentry.start, sentry.end);
    let rows = events.iter().flat_map(|event| parts(stream, event));
    rows.map(|row| (key(stream, &row), row)).collect()
}

fn key(stream: &str, row: &Map<String, Value>) -> String {
    let key = tap_sentry::streams::find(stream).unwrap().key;
    let parts = key.iter().map(|name| row[*name].to_string());
    parts.collect::<Vec<_>>().join("|")
}

/// Each record is what the events say, and there is no other.
#[track_caller]
fn is_what_the_events_say(run: &Run, sentry: &Sentry, stream: &'static str) {
    let mut due = expected(sentry, stream);
    assert!(!due.is_empty(), "{stream}: the world has some");
    for record in run.records(stream) {
        let mut record = record.as_object().unwrap().clone();
        assert_eq!(
            record.remove("organization_slug"),
            Some(json!("acme")),
            "{stream}"
        );
        assert!(record.remove("project_slug").unwrap().is_string());
        let key = key(stream, &record);
        let row = due.remove(&key);
        if row
            .as_ref()
            .is_some_and(|row| !row.contains_key("dateCreated"))
        {
            // Of a transaction only the short row has it.
            record.remove("dateCreated");
        }
        assert_eq!(
            Some(Value::Object(record)),
            row.map(Value::Object),
            "{stream}: {key}, or it came twice"
        );
    }
    assert!(due.is_empty(), "{stream} lacks {:?}", due.keys().next());
}

#[test]
fn parts_are_what_the_events_say_at_no_request_more() {
    let sentry = Sentry::seeded();
    let full = || Tap::against(&sentry).with("fetch_event_details", true);
    let events = full().select(&["events"]).run();
    let requests = sentry.requests().len();
    sentry.clear_requests();
    let all: Vec<&str> = ["events"].into_iter().chain(PARTS).collect();
    let run = full().select(&all).run();
    run.is_complete().is_valid().no_state_is_ahead(&sentry, &[]);
    assert_eq!(sentry.requests().len(), requests);
    run.keys("events")
        .equal(events.keys("events").set())
        .are_distinct();
    for stream in PARTS {
        is_what_the_events_say(&run, &sentry, stream);
    }
    run.does_not_tell("of `event_");
}

#[rstest]
fn one_alone_reads_events_and_writes_none(
    #[values(
        "event_tags",
        "event_exceptions",
        "event_stack_frames",
        "event_breadcrumbs"
    )]
    stream: &'static str,
) {
    let sentry = Sentry::recent();
    let run = Tap::against(&sentry).select(&[stream]).run();
    run.is_complete().is_valid().no_state_is_ahead(&sentry, &[]);
    assert_eq!(run.streams().into_iter().collect::<Vec<_>>(), [stream]);
    is_what_the_events_say(&run, &sentry, stream);
    let bookmarks = run.state();
    let streams = bookmarks["bookmarks"].as_object().unwrap().keys();
    assert_eq!(streams.collect::<Vec<_>>(), [stream]);
    let asked = |request: &&sentry_sandbox::Request| {
        request.path.ends_with("/events/")
            && request
                .query
                .iter()
                .any(|(name, value)| name == "full" && value == "1")
    };
    // Tags stand in short rows too.
    let is_full = stream != "event_tags";
    assert_eq!(sentry.requests().iter().any(|r| asked(&r)), is_full);
    let told = format!(
        "`events` is read in full, as with `fetch_event_details`, because of what is cut from it: {stream}"
    );
    if is_full {
        run.tells(&told);
    } else {
        run.does_not_tell("in full");
    }
}

/// Two issues, whose events have these bodies.
fn odd(bodies: &[Value]) -> Sentry {
    Sentry::holding(|world| {
        let project = world.add_project("api");
        let issue = world.add_issue(project, "odd");
        for (number, body) in (1..).zip(bodies) {
            let at = world.clock() - TimeDelta::hours(number);
            world.add_event(issue, at);
            let event = world.issue_mut(issue).events.last_mut().unwrap();
            event.body.clone_from(body.as_object().unwrap());
        }
    })
}

#[test]
fn odd_shapes_are_cut_as_far_as_they_hold_anything() {
    let frame = |name: &str| json!({"function": name, "lineNo": 7, "vars": {"a": null}});
    let exceptions = |values: Value| json!({"tags": [], "entries": [{"type": "exception", "data": {"values": values, "hasSystemFrames": false}}]});
    let sentry = odd(&[
        json!({"entries": []}),
        json!({"entries": null, "tags": null}),
        json!({"entries": [{"type": "exception", "data": null}, {"type": "breadcrumbs", "data": {"values": null}}, null]}),
        json!({"entries": [{"type": "exception"}, {"data": {"values": [{"type": "none"}]}}]}),
        exceptions(Value::Null),
        exceptions(json!([null, {"type": "A", "value": "a\u{0}b", "stacktrace": null}])),
        exceptions(
            json!([{"type": "A", "stacktrace": {"frames": null}}, {"type": "B", "stacktrace": {"frames": [null, frame("f"), null, frame("g")]}}]),
        ),
        json!({"entries": [{"type": "exception", "data": {"value": {"type": "Alone", "value": "x", "mechanism": {"type": "m", "handled": null}, "stacktrace": {"frames": [frame("h")]}}}}]}),
        json!({"entries": [{"type": "threads", "data": {"values": [null, {"id": 1, "stacktrace": {"frames": [frame("t")]}}, {"id": 2, "stacktrace": null}]}}, {"type": "stacktrace", "data": {"frames": [frame("s"), frame("u")]}}]}),
        json!({"entries": [{"type": "breadcrumbs", "data": {"values": [null, {"message": "m", "event_id": "e", "data": null}, {}]}}]}),
        json!({"entries": [], "tags": [["level", "error"], {"key": "k", "value": null}, null, {"key": null, "value": "v", "query": "q"}]}),
        json!({"entries": [], "tags": {"browser": "Firefox", "os": "Linux"}}),
    ]);
    let run = Tap::against(&sentry).select(&PARTS).run();
    run.is_complete().is_valid().no_state_is_ahead(&sentry, &[]);
    for stream in ["event_tags", "event_stack_frames", "event_breadcrumbs"] {
        is_what_the_events_say(&run, &sentry, stream);
    }
    run.keys("event_exceptions")
        .equal(sentry.expected("event_exceptions"))
        .are_distinct();
    let values = run.records("event_exceptions");
    assert!(values.iter().any(|row| row["value"] == "a\u{fffd}b"));
    assert_eq!(values.len(), 4);
}

#[test]
fn what_is_no_row_is_told() {
    let sentry = odd(&[
        json!({"tags": "none", "entries": [{"type": "exception", "data": {"values": ["text", 5, {"type": "A"}]}}]}),
    ]);
    let run = Tap::against(&sentry).select(&PARTS).run();
    run.is_complete().is_valid();
    assert_eq!(run.records("event_exceptions").len(), 1);
    assert_eq!(run.records("event_exceptions")[0]["exception_index"], 2);
    for stream in ["event_tags", "event_exceptions"] {
        run.tells(&format!("fields of `{stream}` that are not in the schema were left out: elements that are no objects"));
    }
}

#[test]
fn two_lists_of_one_kind_are_numbered_together() {
    let entry = |name: &str| json!({"type": "exception", "data": {"values": [{"type": name, "stacktrace": {"frames": [{"function": name}]}}]}});
    let sentry = odd(&[json!({"entries": [entry("A"), entry("B")]})]);
    let run = Tap::against(&sentry).select(&PARTS).run();
    run.is_complete().is_valid();
    let places = |stream: &str, column: &str, name: &str| {
        let rows = run.records(stream);
        let rows = rows
            .iter()
            .map(|row| (row[column].clone(), row[name].clone()));
        rows.collect::<Vec<_>>()
    };
    let both = [(json!(0), json!("A")), (json!(1), json!("B"))];
    assert_eq!(places("event_exceptions", "exception_index", "type"), both);
    assert_eq!(
        places("event_stack_frames", "stack_index", "function"),
        both
    );
    run.keys("event_stack_frames").are_distinct();
}

#[test]
fn an_event_without_its_key_is_skipped_with_its_parts() {
    let sentry = odd(&[json!({}), json!({"eventID": null})]);
    for streams in [&["events", "event_tags"][..], &["event_tags"]] {
        let run = Tap::against(&sentry).select(streams).run();
        run.is_incomplete().tells("a row has no `eventID`");
        let tags = run.records("event_tags");
        assert!(!tags.is_empty() && tags.iter().all(|tag| tag["eventID"].is_string()));
    }
}

#[test]
fn fields_are_selected_masked_and_flattened_as_elsewhere() {
    let sentry = Sentry::recent();
    let mut some = catalog(&["event_stack_frames", "event_exceptions"]);
    let frames = entry(&mut some, "event_stack_frames");
    for column in ["vars", "context", "groupID", "project_slug", "frame_index"] {
        metadata(frames, &[column])["selected"] = json!(false);
    }
    let run = Tap::against(&sentry)
        .catalog(some)
        .with(
            "mask_fields",
            "event_stack_frames.function,event_exceptions.mechanism.type",
        )
        .with("mask_mode", "null")
        .with("flattening_enabled", true)
        .run();
    run.is_complete().is_valid();
    run.keys("event_stack_frames")
        .equal(sentry.expected("event_stack_frames"))
        .are_distinct();
    for frame in run.records("event_stack_frames") {
        let frame = frame.as_object().unwrap();
        assert!(frame["function"].is_null() && frame["lineNo"].is_i64());
        for column in ["vars", "context", "groupID", "project_slug"] {
            assert!(!frame.contains_key(column), "{column}");
        }
    }
    for exception in run.records("event_exceptions") {
        let mechanism = &exception["mechanism"];
        assert!(mechanism.is_null() || mechanism.as_str().unwrap().contains(r#""type":null"#));
    }
}

#[test]
fn a_key_of_the_catalogs_own_leaves_whole_lines_whatever_is_deselected() {
    let sentry = Sentry::recent();
    for kept in [&["key"][..], &["tag_index"], &["key", "tag_index"]] {
        let mut some = catalog(&["event_tags"]);
        let tags = entry(&mut some, "event_tags");
        tags["key_properties"] = json!(kept);
        metadata(tags, &[])["table-key-properties"] = json!(kept);
        let schema = tags["schema"]["properties"].as_object().unwrap();
        for column in schema.keys().cloned().collect::<Vec<_>>() {
            metadata(tags, &[&column])["selected"] = json!(false);
            metadata(tags, &[&column])["inclusion"] = json!("available");
        }
        // Each line is read as JSON.
        let run = Tap::against(&sentry).catalog(some).run();
        run.is_complete();
        for tag in run.records("event_tags") {
            let mut names: Vec<_> = tag.as_object().unwrap().keys().collect();
            names.retain(|name| *name != "dateCreated");
            names.sort_unstable();
            assert_eq!(names, kept);
        }
    }
}

#[test]
fn an_event_that_comes_twice_is_cut_once() {
    // Rows of one second on both sides of a page's edge have no order: the second is read again, alone.
    let sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        let issue = world.add_issue(project, "busy");
        for number in 0..120 {
            let minutes = if (95..105).contains(&number) {
                95
            } else {
                number
            };
            let at = world.clock() - TimeDelta::minutes(1 + minutes);
            world.add_event(issue, at);
        }
    });
    let run = Tap::against(&sentry).select(&PARTS).run();
    run.is_complete();
    for stream in PARTS {
        run.keys(stream)
            .equal(sentry.expected(stream))
            .are_distinct();
    }
}

#[test]
fn a_part_that_is_selected_later_begins_at_the_start() {
    let sentry = Sentry::small();
    let tap = |streams: &[&str]| Tap::against(&sentry).select(streams);
    let events = tap(&["events"]).run();
    events.is_complete();
    let run = tap(&["events", "event_exceptions"])
        .state(&events.state())
        .run();
    run.is_complete().no_state_is_ahead(&sentry, &[&events]);
    run.keys("event_exceptions")
        .equal(sentry.expected("event_exceptions"))
        .are_distinct();
    let later = tap(&["events", "event_exceptions"])
        .state(&run.state())
        .run();
    later.is_complete();
    assert!(later.records("event_exceptions").is_empty());
}

#[rstest]
#[case::with_events(&["events"])]
#[case::alone(&[])]
fn a_run_cut_after_any_state_loses_no_part(#[case] others: &[&'static str]) {
    let sentry = Sentry::seeded();
    let streams: Vec<&str> = others.iter().copied().chain(PARTS).collect();
    let tap = || {
        Tap::against(&sentry)
            .select(&streams)
            .with("window_days", 5)
            .with("lookback_minutes", 0)
    };
    let whole = tap().run();
    whole.is_complete().no_state_is_ahead(&sentry, &[]);
    let messages = whole.messages.iter().enumerate();
    let states = messages.filter(|(_, message)| message["type"] == "STATE");
    let ends: Vec<usize> = states.map(|(at, _)| at + 1).collect();
    assert!(ends.len() > 3, "{} STATE lines", ends.len());
    for end in [ends[0], ends[ends.len() / 2], ends[ends.len() - 2]] {
        let cut = whole.first(end);
        tap().completes(&sentry, &[&cut]);
    }
}

#[rstest]
#[case::terminated(FaultKind::Silence)]
#[case::in_the_middle_of_a_body(FaultKind::StallBody)]
fn what_was_written_before_a_kill_is_true_of_parts(#[case] kind: FaultKind) {
    let sentry = Sentry::small();
    let issue = sentry.issue("web issue 2");
    let list = Match::path(format!("/issues/{issue}/events/"));
    sentry.faults().add(Fault::always(list, kind));
    let tap = || Tap::against(&sentry).select(&PARTS);
    let mut running = tap().start();
    running.read_to("STATE");
    let run = running.kill();
    run.no_state_is_ahead(&sentry, &[]);
    sentry.faults().clear();
    tap().completes(&sentry, &[&run]);
}

#[test]
fn a_gap_in_the_events_holds_back_their_parts() {
    let sentry = Sentry::small();
    let issue = sentry.issue("web issue 2");
    let list = Match::path(format!("/issues/{issue}/events/"));
    sentry
        .faults()
        .add(Fault::always(list, FaultKind::Status(500)));
    let tap = || Tap::against(&sentry).select(&PARTS).retries(0);
    let run = tap().run();
    run.is_incomplete().no_state_is_ahead(&sentry, &[]);
    let web = sentry.project("web");
    for stream in PARTS {
        assert_eq!(run.bookmark(stream, web), None, "{stream}");
    }
    sentry.faults().clear();
    let rest = tap().completes(&sentry, &[&run]);
    union("event_tags", &[&run, &rest]).equal(sentry.expected("event_tags"));
}

#[test]
fn test_prints_one_of_each() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).arg("--test").run();
    run.ends_with(0);
    for stream in PARTS {
        assert_eq!(run.records(stream).len(), 1, "{stream}");
        run.tells(stream);
    }
}
