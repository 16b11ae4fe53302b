//! What becomes of events and transactions behind the answer.

use crate::client::{iso, now};
use crate::post::{
    TRACE, event, post, reasons, remarks, seconds, single, taking, transact, transaction,
};
use chrono::TimeDelta;
use sentry_sandbox::Outcomes;
use serde_json::{Value, json};

fn with(path: &str, value: Value) -> Value {
    let mut sent = transaction();
    let (parent, key) = path.rsplit_once('/').expect("a pointer");
    let parent = sent.pointer_mut(parent).expect("the parent");
    parent[key] = value;
    sent
}

fn without(path: &str) -> Value {
    let mut sent = transaction();
    let (parent, key) = path.rsplit_once('/').expect("a pointer");
    let parent = sent.pointer_mut(parent).expect("the parent");
    parent.as_object_mut().expect("an object").remove(key);
    sent
}

fn stored(sent: &Value) -> (Value, Outcomes) {
    let outcomes = transact(&taking(), sent);
    let payload = outcomes
        .of("transaction")
        .next()
        .map(|one| one.payload.clone());
    (payload.unwrap_or_default(), outcomes)
}

#[test]
fn a_good_transaction_is_stored_as_it_is() {
    let (payload, outcomes) = stored(&transaction());
    assert!(outcomes.refused.is_empty(), "{:?}", outcomes.refused);
    assert_eq!(remarks(&outcomes), []);
    let mut expected = transaction();
    expected["event_id"] = payload["event_id"].clone();
    expected["level"] = "info".into();
    assert_eq!(payload, expected);
}

#[test]
fn a_transaction_is_refused_whole_for_one_fault() {
    let old = seconds(now() - TimeDelta::days(6));
    let mut no_object = transaction();
    no_object["spans"][0] = Value::Null;
    let mut aged = transaction();
    aged["start_timestamp"] = (old - 1.0).into();
    aged["timestamp"] = old.into();
    for (name, sent) in [
        ("no start", without("/start_timestamp")),
        ("no end", without("/timestamp")),
        (
            "end before start",
            with("/timestamp", json!(seconds(now()) - 100.0)),
        ),
        ("old", aged),
        ("no trace context", without("/contexts/trace")),
        ("no trace", without("/contexts/trace/trace_id")),
        ("no span id", without("/contexts/trace/span_id")),
        (
            "zero span id",
            with("/contexts/trace/span_id", json!("0".repeat(16))),
        ),
        (
            "short span id",
            with("/contexts/trace/span_id", json!("0".repeat(15))),
        ),
        ("null span", no_object),
        ("span without start", without("/spans/0/start_timestamp")),
        ("span without trace", without("/spans/0/trace_id")),
        ("span with a short id", with("/spans/0/span_id", json!("1"))),
        (
            "span ends first",
            with("/spans/0/timestamp", json!(seconds(now()) - 100.0)),
        ),
    ] {
        let (_, outcomes) = stored(&sent);
        assert!(outcomes.accepted.is_empty(), "{name}");
        let reason = "invalid_transaction";
        let expected = [("transaction", reason, 1), ("span", reason, 2)];
        assert_eq!(reasons(&outcomes), expected, "{name}");
    }
}

#[test]
fn times_that_cannot_be_are_moved() {
    // Older than the retention is not old, but now.
    let old = seconds(now() - TimeDelta::days(100));
    let mut sent = transaction();
    sent["start_timestamp"] = (old - 1.0).into();
    sent["timestamp"] = old.into();
    let (payload, outcomes) = stored(&sent);
    assert_eq!(payload["timestamp"], seconds(now()));
    assert_eq!(payload["start_timestamp"], seconds(now()) - 1.0);
    assert_eq!(remarks(&outcomes), [("timestamp", "past_timestamp")]);

    let ahead = iso(now() + TimeDelta::minutes(10));
    let (payload, outcomes) = stored(&with("/timestamp", json!(ahead)));
    assert_eq!(payload["timestamp"], seconds(now()));
    assert_eq!(remarks(&outcomes), [("timestamp", "future_timestamp")]);
    let (_, outcomes) = stored(&with("/timestamp", json!(seconds(now()) + 59.0)));
    assert_eq!(remarks(&outcomes), []);

    // A span far out of it gets the transaction's times, one without an end its end.
    let (payload, _) = stored(&with("/spans/0/start_timestamp", json!(1_000_000.0)));
    assert_eq!(
        payload["spans"][0]["start_timestamp"],
        payload["start_timestamp"]
    );
    let (payload, _) = stored(&without("/spans/0/timestamp"));
    assert_eq!(payload["spans"][0]["timestamp"], payload["timestamp"]);
    assert_eq!(payload["spans"][0]["status"], "deadline_exceeded");
}

#[test]
fn spans_beyond_a_budget_vanish_at_the_end() {
    let bare = json!({});
    let named = json!({"release": "r".repeat(50), "environment": "e".repeat(50)});
    let query = json!({"op": "db", "status": "ok", "description": "SELECT 1"});
    let url = "GET http://example.com/path/to/1";
    let request = json!({"op": "http.client", "status": "ok", "description": url});
    // As measured of Relay 26.9: so many spans of so many bytes, and how many are left.
    for (count, bytes, name, more, fields, expected) in [
        (2_000, 180, 4, &bare, &bare, 2_000),
        (4_000, 180, 4, &bare, &bare, 2_468),
        (4_000, 178, 190, &bare, &bare, 1_161),
        (1_200, 799, 4, &bare, &bare, 872),
        (4_000, 180, 4, &named, &bare, 1_871),
        (3_500, 227, 4, &bare, &query, 2_139),
        (3_500, 262, 4, &bare, &request, 1_841),
    ] {
        let mut sent = transaction();
        for key in ["release", "environment"] {
            sent[key] = more[key].clone();
        }
        sent["transaction"] = "x".repeat(name).into();
        let of = |id: usize| {
            let mut span = sent["spans"][0].clone();
            for key in ["op", "status", "description"] {
                span.as_object_mut().expect("an object").remove(key);
            }
            for (key, value) in fields.as_object().expect("an object") {
                span[key] = value.clone();
            }
            span["span_id"] = format!("{:016x}", id + 1).into();
            // Times as clocks give them.
            span["start_timestamp"] = (seconds(now()) - 60.737_371).into();
            span["timestamp"] = (seconds(now()) - 60.237_371).into();
            let short = span.to_string().len();
            if bytes > short + 16 {
                span["data"] = json!({"p": "x".repeat(bytes - short - 17)});
            }
            assert!(span.to_string().len().abs_diff(bytes) <= 3);
            span
        };
        let spans: Vec<Value> = (0..count).map(of).collect();
        sent["spans"] = spans.into();
        let (payload, outcomes) = stored(&sent);
        let kept = payload["spans"].as_array().map_or(0, Vec::len);
        assert!(
            kept.abs_diff(expected) * 25 <= expected,
            "{kept} of {bytes} bytes are left, not {expected}"
        );
        let lost = u64::try_from(count - kept).expect("few");
        assert_eq!(outcomes.lost("span", "too_large:span"), lost);
        assert_eq!(payload["spans"][0]["span_id"], "0000000000000001");
        if lost > 0 {
            assert_eq!(payload["_meta"]["spans"][""]["len"], count);
            assert_eq!(remarks(&outcomes)[0].0, "spans");
        }
    }
}

#[test]
fn what_cannot_be_stored_leaves_a_remark() {
    let long = "x".repeat(201);
    for (path, sent, kept, at) in [
        ("/release", json!("a/b"), json!(null), "release"),
        ("/environment", json!("none"), json!(null), "environment"),
        ("/platform", json!("rust"), json!("other"), "platform"),
        (
            "/transaction",
            json!(null),
            json!("<unlabeled transaction>"),
            "transaction",
        ),
        (
            "/transaction",
            json!(long),
            json!(format!("{}...", "x".repeat(197))),
            "transaction",
        ),
        (
            "/contexts/trace/status",
            json!("error"),
            json!("unknown"),
            "contexts.trace.status",
        ),
        (
            "/contexts/trace/parent_span_id",
            json!(""),
            json!(null),
            "contexts.trace.parent_span_id",
        ),
        (
            "/spans/0/status",
            json!("error"),
            json!(null),
            "spans.0.status",
        ),
        ("/spans/0/novelty", json!(1), json!(null), "spans.0.novelty"),
        ("/tags", json!({"release": "1"}), json!({}), "tags.release"),
        ("/tags", json!({"ä": "1"}), json!({}), "tags.ä"),
        ("/tags", json!({"a": 1.5}), json!({"a": "1"}), "tags.a"),
        (
            "/spans/0/tags",
            json!({"a": 1.5}),
            json!({"a": "1.5"}),
            "spans.0.tags.a",
        ),
        (
            "/measurements",
            json!({"a": 1}),
            json!({}),
            "measurements.a",
        ),
    ] {
        let (payload, outcomes) = stored(&with(path, sent.clone()));
        let found = payload.pointer(path).cloned().unwrap_or_default();
        assert_eq!(found, kept, "{path} {sent}");
        let paths: Vec<&str> = remarks(&outcomes).iter().map(|(path, _)| *path).collect();
        assert_eq!(paths, [at], "{path} {sent}");
    }
    let (payload, outcomes) = stored(&with("/contexts/trace/trace_id", json!("0".repeat(32))));
    assert_ne!(payload["contexts"]["trace"]["trace_id"], "0".repeat(32));
    assert_eq!(
        remarks(&outcomes),
        [("contexts.trace.trace_id", "nil_trace_id")]
    );
    // No remark is left of these.
    let (payload, outcomes) = stored(&without("/contexts/trace/status"));
    assert_eq!(payload["contexts"]["trace"]["status"], "unknown");
    assert_eq!(remarks(&outcomes), []);
    let dashed = "0AF76519-16CD-43DD-8448-EB211C80319C";
    let (payload, outcomes) = stored(&with("/contexts/trace/trace_id", json!(dashed)));
    assert_eq!(payload["contexts"]["trace"]["trace_id"], TRACE);
    assert_eq!(remarks(&outcomes), []);
}

#[test]
fn an_event_without_fields_gets_some() {
    let sandbox = taking();
    post(&sandbox, "envelope/", &[], &single("event", &json!({})));
    let payload = &sandbox.outcomes().accepted[0].payload;
    let fields = ["level", "platform"].map(|key| payload[key].clone());
    assert_eq!(fields, [json!("error"), json!("other")]);
    assert_eq!(payload["timestamp"], seconds(now()));
}

#[test]
fn an_event_is_cut_to_what_is_stored() {
    let sandbox = taking();
    let mut sent = event();
    sent["level"] = "warn".into();
    let frames: Vec<Value> = (0..300).map(|line| json!({"lineno": line})).collect();
    sent["exception"]["values"] = json!([
        {"type": "T".repeat(300), "value": "v".repeat(9_000), "stacktrace": {"frames": frames}},
        {"mechanism": {"type": "x"}},
    ]);
    let answer = post(&sandbox, "envelope/", &[], &single("event", &sent));
    assert_eq!(answer.status, 200);
    let outcomes = sandbox.outcomes();
    let payload = &outcomes.of("event").next().expect("an event").payload;
    assert_eq!(payload["level"], "error");
    let values = &payload["exception"]["values"];
    assert_eq!(values[0]["type"].as_str().map(str::len), Some(256));
    assert_eq!(values[0]["value"].as_str().map(str::len), Some(8_192));
    let frames = values[0]["stacktrace"]["frames"]
        .as_array()
        .expect("frames");
    assert_eq!((frames.len(), &frames[50]["lineno"]), (250, &json!(100)));
    assert_eq!(values[1], Value::Null);
    let paths: Vec<&str> = remarks(&outcomes).iter().map(|(path, _)| *path).collect();
    assert_eq!(
        paths,
        [
            "level",
            "exception.0.type",
            "exception.0.value",
            "exception.0.stacktrace.frames",
            "exception.1",
        ]
    );
}
