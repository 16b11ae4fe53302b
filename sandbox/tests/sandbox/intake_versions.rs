//! Servers of different age, as they take things in.

use crate::post::{
    JSON, PROTOBUF, SLUG, TRACE, TRACES, envelope, event, key_of, post, single, span, spans,
    taking_as, transaction, try_post,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sentry_sandbox::Relay;
use serde_json::json;

const ALL: [(&str, Relay); 6] = [
    ("9.1", Relay::V9_1),
    ("21", Relay::V21),
    ("25", Relay::V25),
    ("26.2", Relay::V26_2),
    ("26.5", Relay::V26_5),
    ("26.7", Relay::V26_7),
];

#[test]
fn names_of_intakes_are_those_of_the_program() {
    for (name, relay) in ALL {
        assert_eq!(Relay::named(name), Some(relay));
    }
    assert_eq!(Relay::named("27"), None);
    assert_eq!(Relay::default(), Relay::V26_7);
}

#[test]
fn otlp_came_late_and_its_answers_later() {
    for (name, relay) in ALL {
        let sandbox = taking_as(relay);
        let answer = spans(&sandbox, vec![span(1)]);
        let expected = match name {
            "26.7" => (200, Some("application/x-protobuf"), 1),
            "26.5" => (200, Some("text/plain"), 1),
            "26.2" => (202, Some("text/plain"), 1),
            _ => (404, Some("text/html; charset=utf-8"), 0),
        };
        let taken = sandbox.outcomes().of("span").count();
        let kind = answer.header("content-type");
        assert_eq!((answer.status, kind, taken), expected, "{name}");
        assert!(answer.body.is_empty());
    }
    let answer = try_post(
        &taking_as(Relay::V26_5),
        &format!("/api/2/{TRACES}"),
        JSON,
        b"{}",
    );
    let answer = answer.expect("an answer");
    let expected = json!({"detail": "missing authorization information"});
    assert_eq!((answer.status, answer.json()), (401, expected));
}

#[test]
fn envelopes_came_with_the_first_relay_and_containers_late() {
    let header = json!({"trace": {"trace_id": TRACE, "public_key": "ab".repeat(16)}});
    let one = json!({
        "trace_id": TRACE, "span_id": "0000000000000101", "name": "work", "status": "ok",
        "start_timestamp": 1_789_999_000, "end_timestamp": 1_789_999_001,
    });
    let kind = "application/vnd.sentry.items.span.v2+json";
    let item = json!({"type": "span", "content_type": kind, "item_count": 1});
    let body = envelope(&header, &[(item, json!({"version": 2, "items": [one]}))]);
    let log =
        json!({"timestamp": 1_789_999_000, "trace_id": TRACE, "level": "info", "body": "sold"});
    let kind = "application/vnd.sentry.items.log+json";
    let item = json!({"type": "log", "content_type": kind, "item_count": 1});
    let logs = envelope(&json!({}), &[(item, json!({"items": [log]}))]);
    for (name, relay) in ALL {
        let sandbox = taking_as(relay);
        let status = post(
            &sandbox,
            "envelope/",
            &[],
            &single("transaction", &transaction()),
        )
        .status;
        assert_eq!(status, if name == "9.1" { 404 } else { 200 }, "{name}");
        let expected = usize::from(name != "9.1");
        assert_eq!(
            sandbox.outcomes().of("transaction").count(),
            expected,
            "{name}"
        );
        let status = post(&sandbox, "envelope/", &[], &body).status;
        assert_eq!(status, if name == "9.1" { 404 } else { 200 }, "{name}");
        let expected = usize::from(["26.5", "26.7"].contains(&name));
        assert_eq!(sandbox.outcomes().of("span").count(), expected, "{name}");
        post(&sandbox, "envelope/", &[], &logs);
        let expected = usize::from(["26.2", "26.5", "26.7"].contains(&name));
        assert_eq!(sandbox.outcomes().of("log").count(), expected, "{name}");
    }
}

#[test]
fn all_have_the_store_endpoint_and_the_oldest_knows_errors_only() {
    for (name, relay) in ALL {
        let sandbox = taking_as(relay);
        for (kind, sent) in [("event", event()), ("transaction", transaction())] {
            let status = post(&sandbox, "store/", &[], sent.to_string().as_bytes()).status;
            assert_eq!(status, 200, "{name}");
            let expected = usize::from(name != "9.1" || kind == "event");
            assert_eq!(
                sandbox.outcomes().of(kind).count(),
                expected,
                "{name} {kind}"
            );
        }
    }
}

#[test]
fn the_key_as_a_user_name_is_new() {
    for (name, relay) in ALL.into_iter().filter(|(_, relay)| *relay >= Relay::V26_2) {
        let sandbox = taking_as(relay);
        let (project, key) = key_of(&sandbox, SLUG);
        let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{key}:")));
        let headers = [PROTOBUF, &[("authorization", &*basic)]].concat();
        let path = format!("/api/{project}/{TRACES}");
        let status = try_post(&sandbox, &path, &headers, b"")
            .expect("an answer")
            .status;
        assert_eq!(status, if name == "26.7" { 200 } else { 401 }, "{name}");
    }
}
