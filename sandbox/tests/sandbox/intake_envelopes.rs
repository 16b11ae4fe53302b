//! Envelopes: how they are framed, how large they may be, and what they may hold.

use crate::client::{iso, now};
use crate::post::{
    SLUG, TRACE, envelope, event, key_of, post, reasons, remarks, seconds, single, taking,
    transaction, try_post,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use sentry_sandbox::Sandbox;
use serde_json::{Value, json};
use std::io::Write;

const ID: &str = "9ec79c33ec9942ab8353589fcb2e04dc";
const SPANS: &str = "application/vnd.sentry.items.span.v2+json";
const LOGS: &str = "application/vnd.sentry.items.log+json";

fn status(sandbox: &Sandbox, body: &[u8]) -> u16 {
    post(sandbox, "envelope/", &[], body).status
}

#[test]
fn an_envelope_is_answered_with_the_id_of_its_event() {
    let sandbox = taking();
    let header = json!({"event_id": ID.to_uppercase()});
    let body = envelope(&header, &[(json!({"type": "event"}), event())]);
    let answer = post(&sandbox, "envelope/", &[], &body);
    assert_eq!((answer.status, answer.json()), (200, json!({"id": ID})));
    let outcomes = sandbox.outcomes();
    let accepted = outcomes.of("event").next().expect("an event");
    assert_eq!(accepted.event_id.as_deref(), Some(ID));
    assert_eq!(accepted.payload["event_id"], ID);
    assert_eq!(
        accepted.payload["exception"]["values"][0]["type"],
        "ValueError"
    );
    assert!(accepted.remarks.is_empty(), "{:?}", accepted.remarks);
    // Without one it gets one, which a client that sends it again cannot know.
    let answer = post(&sandbox, "envelope/", &[], &single("event", &event()));
    assert_eq!(answer.json()["id"].as_str().map(str::len), Some(32));
    // A session is no event.
    let answer = post(&sandbox, "envelope/", &[], &single("session", &json!({})));
    assert_eq!(answer.json(), json!({}));
}

#[test]
fn an_event_that_comes_twice_counts_once() {
    let sandbox = taking();
    let header = json!({"event_id": ID});
    let body = envelope(&header, &[(json!({"type": "transaction"}), transaction())]);
    assert_eq!(status(&sandbox, &body), 200);
    assert_eq!(status(&sandbox, &body), 200);
    let outcomes = sandbox.outcomes();
    let copies: Vec<usize> = outcomes.of("transaction").map(|one| one.copies).collect();
    assert_eq!(copies, [2]);
}

#[test]
fn a_broken_frame_spoils_the_envelope() {
    let sandbox = taking();
    let payload = event().to_string();
    for (length, expected) in [
        (payload.len(), 200),
        (payload.len() - 1, 400),
        (payload.len() + 1, 200),
        (payload.len() + 2, 400),
    ] {
        let body = format!("{{}}\n{{\"type\":\"event\",\"length\":{length}}}\n{payload}\n");
        assert_eq!(status(&sandbox, body.as_bytes()), expected, "{length}");
    }
    let answer = post(&sandbox, "envelope/", &[], b"{\"event_id\":7}\n");
    assert_eq!(answer.status, 400);
    assert_eq!(answer.detail(), "invalid event envelope");
    assert_eq!(answer.json()["causes"], json!(["invalid envelope header"]));
}

#[test]
fn the_dsn_of_an_envelope_stands_for_the_key_and_must_agree() {
    let sandbox = taking();
    let (project, _) = key_of(&sandbox, SLUG);
    let of = |dsn: &str| envelope(&json!({"dsn": dsn}), &[(json!({"type": "event"}), event())]);
    let own = of(&sandbox.dsn(SLUG).expect("a DSN"));
    let path = format!("/api/{project}/envelope/");
    let bare = |body: &[u8]| {
        try_post(&sandbox, &path, &[], body)
            .expect("an answer")
            .status
    };
    assert_eq!(bare(&own), 200);
    assert_eq!(status(&sandbox, &own), 200);
    let other = of(&sandbox.dsn("web").expect("a DSN"));
    assert_eq!(bare(&other), 400);
    assert_eq!(status(&sandbox, &other), 400);
    assert_eq!(bare(&single("event", &event())), 401);
}

#[test]
fn one_event_or_one_transaction_an_envelope() {
    let sandbox = taking();
    let item = |kind: &str| {
        let payload = if kind == "event" {
            event()
        } else {
            transaction()
        };
        (json!({"type": kind}), payload)
    };
    for kinds in [
        ["event", "event"],
        ["transaction", "transaction"],
        ["event", "transaction"],
    ] {
        let answer = post(
            &sandbox,
            "envelope/",
            &[],
            &envelope(&json!({}), &kinds.map(item)),
        );
        assert_eq!(answer.status, 413, "{kinds:?}");
        let detail = answer.detail();
        assert!(
            detail.starts_with("envelope exceeded size limits for type"),
            "{detail}"
        );
    }
    let beside = [
        item("transaction"),
        (json!({"type": "client_report"}), json!({})),
    ];
    assert_eq!(status(&sandbox, &envelope(&json!({}), &beside)), 200);
    let outcomes = sandbox.outcomes();
    assert_eq!(outcomes.accepted.len(), 2);
    // All of an envelope is lost for the item that is too much.
    assert_eq!(outcomes.lost("transaction", "too_large:transaction"), 3);
    assert_eq!(outcomes.lost("error", "too_large:event"), 2);
    assert_eq!(outcomes.lost("error", "too_large:transaction"), 1);
    let two = [container(&[span(1)], 1), container(&[span(2)], 1)];
    assert_eq!(status(&sandbox, &envelope(&traced(), &two)), 413);
    let beside = [item("transaction"), container(&[span(1)], 1)];
    assert_eq!(status(&sandbox, &envelope(&traced(), &beside)), 200);
}

#[test]
fn an_item_may_have_a_mebibyte_and_no_byte_more() {
    let sandbox = taking();
    let of = |size: usize| {
        let mut event = event();
        event["extra"] = json!({"text": ""});
        let short = event.to_string().len();
        event["extra"]["text"] = "x".repeat(size - short).into();
        event
    };
    assert_eq!(status(&sandbox, &single("event", &of(1_048_576))), 200);
    assert_eq!(status(&sandbox, &single("event", &of(1_048_577))), 413);
    assert_eq!(sandbox.outcomes().of("event").count(), 1);
    assert_eq!(sandbox.outcomes().lost("error", "too_large:event"), 1);
    let report = json!("x".repeat(102_400));
    assert_eq!(status(&sandbox, &single("client_report", &report)), 413);
}

#[test]
fn items_that_nobody_knows_are_passed_over() {
    let sandbox = taking();
    let items = [
        (json!({"type": "novelty"}), json!({})),
        (json!({"type": "event"}), event()),
    ];
    assert_eq!(status(&sandbox, &envelope(&json!({}), &items)), 200);
    let outcomes = sandbox.outcomes();
    assert_eq!(outcomes.of("event").count(), 1);
    assert_eq!(reasons(&outcomes), [("default", "novelty", 1)]);
    assert_eq!(outcomes.refused[0].outcome, "unknown");
}

#[test]
fn what_is_no_json_is_taken_and_lost() {
    let sandbox = taking();
    let body = b"{}\n{\"type\":\"event\"}\n{\"level\":\n";
    assert_eq!(status(&sandbox, body), 200);
    assert_eq!(reasons(&sandbox.outcomes()), [("error", "invalid_json", 1)]);
}

#[test]
fn the_store_endpoint_takes_one_event_in_three_wrappings() {
    let sandbox = taking();
    let mut sent = event();
    sent["event_id"] = ID.into();
    let plain = sent.to_string().into_bytes();
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&plain).expect("memory");
    let zipped = encoder.finish().expect("memory");
    for body in [
        plain.clone(),
        BASE64_STANDARD.encode(&plain).into_bytes(),
        BASE64_STANDARD.encode(zipped).into_bytes(),
    ] {
        let answer = post(&sandbox, "store/", &[], &body);
        assert_eq!((answer.status, answer.json()), (200, json!({"id": ID})));
    }
    let outcomes = sandbox.outcomes();
    assert_eq!(outcomes.of("event").next().expect("an event").copies, 3);
    let body = transaction().to_string();
    assert_eq!(post(&sandbox, "store/", &[], body.as_bytes()).status, 200);
    assert_eq!(sandbox.outcomes().of("transaction").count(), 1);
    for body in ["", "{", "?"] {
        assert_eq!(
            post(&sandbox, "store/", &[], body.as_bytes()).status,
            400,
            "{body:?}"
        );
    }
}

fn sent_at(at: DateTime<Utc>) -> Value {
    json!({"sent_at": iso(at)})
}

#[test]
fn a_clock_that_is_off_by_55_minutes_moves_all_times() {
    let end = |sandbox: &Sandbox| {
        let outcomes = sandbox.outcomes();
        let accepted = outcomes.of("transaction").next().expect("a transaction");
        let offset = accepted.payload["timestamp"].as_f64().expect("a time") - seconds(now());
        let inner = accepted.payload["spans"][0]["timestamp"]
            .as_f64()
            .expect("a time");
        let reasons: Vec<String> = accepted
            .remarks
            .iter()
            .map(|one| one.reason.clone())
            .collect();
        (offset, inner - seconds(now()), reasons.join(" "))
    };
    for (minutes, expected) in [
        (-54, (-60.0, -60.0, "")),
        (54, (-60.0, -60.0, "")),
        // Moved ahead, and then pulled back to now.
        (-180, (0.0, 0.0, "clock_drift future_timestamp")),
        (180, (-10_860.0, -10_860.0, "clock_drift")),
    ] {
        let sandbox = taking();
        let header = sent_at(now() + TimeDelta::minutes(minutes));
        let body = envelope(&header, &[(json!({"type": "transaction"}), transaction())]);
        assert_eq!(status(&sandbox, &body), 200);
        let (offset, inner, reasons) = end(&sandbox);
        assert_eq!((offset, inner, reasons.as_str()), expected, "{minutes}");
    }
    // Spans in a container are moved, and stay ahead.
    let sandbox = taking();
    let mut header = traced();
    header["sent_at"] = iso(now() - TimeDelta::hours(3)).into();
    let body = envelope(&header, &[container(&[span(1)], 1)]);
    assert_eq!(status(&sandbox, &body), 200);
    let outcomes = sandbox.outcomes();
    let accepted = outcomes.of("span").next().expect("a span");
    let ahead = seconds(now()) + 10_800.0 - 61.0;
    assert_eq!(accepted.payload["start_timestamp"], ahead);
    assert_eq!(remarks(&outcomes), [("start_timestamp", "clock_drift")]);
}

fn traced() -> Value {
    json!({"trace": {"trace_id": TRACE, "public_key": "ab".repeat(16)}})
}

fn span(id: u8) -> Value {
    let end = seconds(now()) - 60.0;
    json!({
        "trace_id": TRACE,
        "span_id": format!("00000000000001{id:02x}"),
        "name": "work",
        "status": "ok",
        "is_segment": false,
        "start_timestamp": end - 1.0,
        "end_timestamp": end,
        "attributes": {
            "sentry.op": {"type": "string", "value": "db"},
            "sentry.client_sample_rate": {"type": "double", "value": 0.5},
        },
    })
}

fn container(items: &[Value], count: usize) -> (Value, Value) {
    let header = json!({"type": "span", "content_type": SPANS, "item_count": count});
    (header, json!({"version": 2, "items": items}))
}

#[test]
fn spans_of_a_container_are_of_the_trace_of_the_envelope() {
    let sandbox = taking();
    let body = envelope(&traced(), &[container(&[span(1), span(2)], 2)]);
    assert_eq!(status(&sandbox, &body), 200);
    let outcomes = sandbox.outcomes();
    let payloads: Vec<&Value> = outcomes.of("span").map(|one| &one.payload).collect();
    assert_eq!(payloads, [&span(1), &span(2)]);

    let mut other = span(2);
    other["trace_id"] = "1f7651916cd43dd8448eb211c80319c0".into();
    for (header, spans, count, reason, lost) in [
        (traced(), vec![span(1), span(2)], 3, "invalid_json", 3),
        (json!({}), vec![span(1), span(2)], 2, "missing_dsc", 2),
        (traced(), vec![span(1), other], 2, "invalid_dsc", 2),
    ] {
        sandbox.clear_outcomes();
        let body = envelope(&header, &[container(&spans, count)]);
        assert_eq!(status(&sandbox, &body), 200);
        let outcomes = sandbox.outcomes();
        assert_eq!(reasons(&outcomes), [("span", reason, lost)]);
        assert!(outcomes.accepted.is_empty());
    }
    // Without a count nothing is known of what is lost.
    sandbox.clear_outcomes();
    let mut item = container(&[span(1), span(2)], 2);
    item.0 = json!({"type": "span", "content_type": SPANS});
    assert_eq!(status(&sandbox, &envelope(&traced(), &[item])), 200);
    assert_eq!(reasons(&sandbox.outcomes()), [("span", "invalid_json", 1)]);
}

#[test]
fn a_span_of_a_container_is_lost_alone() {
    for (key, value, reason) in [
        ("/span_id", json!("0000000000000000"), "invalid_span"),
        ("/span_id", json!("abc"), "invalid_span"),
        ("/name", json!(null), "no_data"),
        ("/status", json!(null), "no_data"),
        ("/end_timestamp", json!(1.0), "timestamp"),
        ("/start_timestamp", json!(null), "timestamp"),
    ] {
        let sandbox = taking();
        let mut bad = span(2);
        *bad.pointer_mut(key).expect("the key") = value;
        let body = envelope(&traced(), &[container(&[span(1), bad], 2)]);
        assert_eq!(status(&sandbox, &body), 200);
        let outcomes = sandbox.outcomes();
        assert_eq!(reasons(&outcomes), [("span", reason, 1)], "{key}");
        assert_eq!(outcomes.of("span").count(), 1);
    }
    let sandbox = taking();
    let mut bad = span(2);
    bad["attributes"]["sentry.segment.id"] = json!({"type": "string", "value": "abc"});
    let body = envelope(&traced(), &[container(&[bad], 1)]);
    assert_eq!(status(&sandbox, &body), 200);
    assert_eq!(reasons(&sandbox.outcomes()), [("span", "invalid_span", 1)]);
}

#[test]
fn logs_come_in_containers() {
    let sandbox = taking();
    let log =
        json!({"timestamp": seconds(now()), "trace_id": TRACE, "level": "info", "body": "hi"});
    let mut bare = log.clone();
    bare.as_object_mut().expect("an object").remove("body");
    let header = json!({"type": "log", "content_type": LOGS, "item_count": 2});
    let item = (header, json!({"items": [log.clone(), bare]}));
    assert_eq!(status(&sandbox, &envelope(&json!({}), &[item])), 200);
    let outcomes = sandbox.outcomes();
    assert_eq!(outcomes.of("log").next().expect("a log").payload, log);
    assert_eq!(reasons(&outcomes), [("log_item", "no_data", 1)]);
}

#[test]
fn a_log_keeps_what_is_of_its_type_and_has_two_mebibytes() {
    let sandbox = taking();
    let mut log =
        json!({"timestamp": seconds(now()), "trace_id": TRACE, "level": "info", "body": "hi"});
    log["attributes"] = json!({
        "good": {"type": "integer", "value": 1},
        "numbers": {"type": "array", "value": [1, 2.5]},
        "text": {"type": "integer", "value": "1"},
        "mixed": {"type": "array", "value": [1, "a"]},
        "odd": {"type": "object", "value": {}},
    });
    let mut large = log.clone();
    large["body"] = "x".repeat(2 << 20).into();
    let mut of_no_trace = log.clone();
    of_no_trace["trace_id"] = json!("abc");
    // The average of what is in a container may have 2 MiB.
    let header = json!({"type": "log", "content_type": LOGS, "item_count": 3});
    let item = (header, json!({"items": [log, large, of_no_trace]}));
    assert_eq!(status(&sandbox, &envelope(&json!({}), &[item])), 200);
    let outcomes = sandbox.outcomes();
    let kept = outcomes.of("log").next().expect("a log");
    let names = kept.payload["attributes"].as_object().expect("an object");
    assert_eq!(names.keys().collect::<Vec<_>>(), ["good", "numbers"]);
    assert_eq!(kept.remarks.len(), 3);
    let refused = [("log_item", "too_large:log", 1), ("log_item", "no_data", 1)];
    assert_eq!(reasons(&outcomes), refused);
}
