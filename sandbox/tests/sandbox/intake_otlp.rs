//! OTLP behind its answer: what becomes of spans and logs.

use crate::client::now;
use crate::post::{
    JSON, LOGS, PROTOBUF, TRACE, TRACES, bytes, nanos, post, reasons, remarks, request, seconds,
    span, spans, taking,
};
use chrono::TimeDelta;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prost::Message;
use serde_json::{Value, json};

fn any(value: Any) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(any(value)),
        ..KeyValue::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Any::StringValue(value.to_owned()))
}

/// The span as it is stored.
fn stored(span: Span) -> Value {
    let sandbox = taking();
    assert_eq!(spans(&sandbox, vec![span]).status, 200);
    let outcomes = sandbox.outcomes();
    assert_eq!(reasons(&outcomes), []);
    outcomes.of("span").next().expect("a span").payload.clone()
}

fn value<'a>(span: &'a Value, key: &str) -> &'a Value {
    &span["attributes"][key]["value"]
}

#[test]
fn a_span_is_stored_with_its_attributes_and_links_and_without_its_events() {
    let sandbox = taking();
    let mut sent = span(1);
    sent.kind = 2;
    sent.parent_span_id = vec![0, 0, 0, 0, 0, 0, 2, 1];
    sent.status = Some(Status {
        code: 2,
        message: "bad".to_owned(),
    });
    sent.events = vec![Event {
        name: "exception".to_owned(),
        attributes: vec![text("exception.type", "ValueError")],
        ..Event::default()
    }];
    sent.links = vec![Link {
        trace_id: bytes(TRACE),
        span_id: vec![9; 8],
        flags: 1,
        attributes: vec![text("link", "yes")],
        ..Link::default()
    }];
    sent.attributes = vec![
        text("http.request.method", "GET"),
        attribute("n", Any::IntValue(1 << 60)),
        attribute("nan", Any::DoubleValue(f64::NAN)),
        attribute("bytes", Any::BytesValue(vec![0xff])),
        attribute(
            "list",
            Any::ArrayValue(ArrayValue {
                values: vec![
                    any(Any::BoolValue(true)),
                    any(Any::ArrayValue(ArrayValue::default())),
                ],
            }),
        ),
        attribute(
            "map",
            Any::KvlistValue(KeyValueList {
                values: vec![
                    text("a", "b"),
                    attribute("c", Any::KvlistValue(KeyValueList::default())),
                ],
            }),
        ),
    ];
    let mut data = request(vec![sent]);
    data.resource_spans[0].resource = Some(Resource {
        attributes: vec![
            text("service.name", "shop"),
            text("service.version", "1.0"),
            text("telemetry.sdk.language", "nodejs"),
            text("deployment.environment.name", "staging"),
        ],
        ..Resource::default()
    });
    data.resource_spans[0].scope_spans[0].scope = Some(InstrumentationScope {
        name: "lib".to_owned(),
        version: "2".to_owned(),
        attributes: vec![text("s", "t")],
        ..InstrumentationScope::default()
    });
    let answer = post(&sandbox, TRACES, PROTOBUF, &data.encode_to_vec());
    assert_eq!(answer.status, 200);
    let outcomes = sandbox.outcomes();
    let accepted = outcomes.of("span").next().expect("a span");
    assert!(accepted.remarks.is_empty());
    let string = |value: &str| json!({"type": "string", "value": value});
    let expected = json!({
        "trace_id": TRACE,
        "span_id": "0000000000000101",
        "parent_span_id": "0000000000000201",
        "name": "span 1",
        "status": "error",
        "is_segment": false,
        "start_timestamp": seconds(now()) - 61.0,
        "end_timestamp": seconds(now()) - 60.0,
        "links": [{
            "trace_id": TRACE,
            "span_id": "0909090909090909",
            "sampled": true,
            "attributes": {"link": string("yes")},
        }],
        "attributes": {
            "http.request.method": string("GET"),
            "n": {"type": "integer", "value": 1_152_921_504_606_846_976_i64},
            "nan": {"type": "double", "value": null},
            "list": {"type": "array", "value": [true]},
            "map": string("{\"a\":\"b\"}"),
            "resource.service.name": string("shop"),
            "resource.service.version": string("1.0"),
            "resource.telemetry.sdk.language": string("nodejs"),
            "resource.deployment.environment.name": string("staging"),
            "instrumentation.name": string("lib"),
            "instrumentation.version": string("2"),
            "instrumentation.s": string("t"),
            "sentry.origin": string("auto.otlp.spans"),
            "sentry.platform": string("node"),
            "sentry.environment": string("staging"),
            "sentry.kind": string("server"),
            "sentry.op": string("http.server"),
            "sentry.status.message": string("bad"),
            "sentry.client_sample_rate": {"type": "double", "value": 1.0},
        },
    });
    assert_eq!(accepted.payload, expected);
}

#[test]
fn a_segment_has_no_parent_or_a_remote_one() {
    let with = |flags: u32, parent: &[u8]| {
        stored(Span {
            flags,
            parent_span_id: parent.to_vec(),
            // The kind alone makes none.
            kind: 2,
            ..span(1)
        })
    };
    for (flags, parent, expected) in [
        (0x100, [].as_slice(), true),
        (0, &[1; 8], false),
        (0x100, &[1; 8], false),
        (0x300, &[1; 8], true),
        (0x200, &[1; 8], false),
        // No valid parent is none.
        (0, &[0; 8], true),
        (0, &[1; 3], true),
    ] {
        let span = with(flags, parent);
        assert_eq!(span["is_segment"], expected, "{flags:x} {parent:?}");
        let id = value(&span, "sentry.segment.id");
        let name = value(&span, "sentry.segment.name");
        if expected {
            assert_eq!((id, name), (&json!("0000000000000101"), &json!("span 1")));
        } else {
            assert_eq!((id, name), (&json!(null), &json!(null)));
        }
    }
}

#[test]
fn attributes_of_the_span_are_honoured() {
    let mut sent = span(1);
    sent.trace_state = "v=w,ot=th:8".to_owned();
    let stored_one = stored(sent.clone());
    assert_eq!(value(&stored_one, "sentry.client_sample_rate"), &json!(0.5));
    sent.attributes = vec![
        attribute("sentry.client_sample_rate", Any::DoubleValue(0.1)),
        text("sentry.op", "queue.process"),
        text("sentry.environment", "own"),
        text("messaging.system", "kafka"),
    ];
    let stored_one = stored(sent);
    for (key, expected) in [
        ("sentry.client_sample_rate", json!(0.1)),
        ("sentry.op", json!("queue.process")),
        ("sentry.environment", json!("own")),
    ] {
        assert_eq!(value(&stored_one, key), &expected, "{key}");
    }
}

#[test]
fn a_span_without_a_name_is_lost_unless_one_is_inferred() {
    let nameless = |attributes: Vec<KeyValue>, kind: i32| Span {
        name: String::new(),
        attributes,
        kind,
        ..span(1)
    };
    for (attributes, kind) in [
        (vec![], 2),
        (
            vec![text("sentry.op", "db"), text("sentry.description", "x")],
            3,
        ),
        (vec![text("rpc.system", "grpc")], 3),
    ] {
        let sandbox = taking();
        assert_eq!(
            spans(&sandbox, vec![nameless(attributes, kind)]).status,
            200
        );
        assert_eq!(reasons(&sandbox.outcomes()), [("span", "no_data", 1)]);
    }
    for (key, kind, expected) in [
        ("db.system.name", 3, "db"),
        ("http.request.method", 3, "http.client"),
        ("http.method", 2, "http.server"),
        ("http.method", 1, "http"),
    ] {
        let span = stored(nameless(vec![text(key, "x")], kind));
        assert_eq!(span["name"], expected, "{key}");
    }
}

#[test]
fn a_bad_span_is_lost_alone_and_behind_the_answer() {
    let end = span(1).end_time_unix_nano;
    let old = nanos(now() - TimeDelta::days(91));
    for (bad, reason) in [
        (
            Span {
                span_id: vec![],
                ..span(2)
            },
            "invalid_span",
        ),
        (
            Span {
                span_id: vec![0; 8],
                ..span(2)
            },
            "invalid_span",
        ),
        (
            Span {
                span_id: vec![1; 7],
                ..span(2)
            },
            "invalid_span",
        ),
        (
            Span {
                start_time_unix_nano: end + 1_000_000,
                ..span(2)
            },
            "timestamp",
        ),
        (
            Span {
                start_time_unix_nano: old,
                end_time_unix_nano: old,
                ..span(2)
            },
            "timestamp",
        ),
        (span(1), "duplicate"),
    ] {
        let sandbox = taking();
        assert_eq!(spans(&sandbox, vec![span(1), bad]).status, 200);
        let outcomes = sandbox.outcomes();
        assert_eq!(reasons(&outcomes), [("span", reason, 1)]);
        assert_eq!(outcomes.of("span").count(), 1, "{reason}");
    }
}

#[test]
fn no_trace_is_another_trace_and_what_is_far_ahead_is_now() {
    for trace_id in [vec![], vec![0; 16], vec![1; 15]] {
        let span = stored(Span {
            trace_id,
            ..span(1)
        });
        let id = span["trace_id"].as_str().expect("an id");
        assert!(id.len() == 32 && id != "0".repeat(32), "{id}");
    }
    for (minutes, moved) in [(54, false), (55, true)] {
        let sandbox = taking();
        let ahead = nanos(now() + TimeDelta::minutes(minutes));
        spans(
            &sandbox,
            vec![Span {
                start_time_unix_nano: ahead,
                end_time_unix_nano: ahead + 1_000_000_000,
                ..span(1)
            }],
        );
        let outcomes = sandbox.outcomes();
        let payload = &outcomes.accepted[0].payload;
        if moved {
            assert_eq!(
                remarks(&outcomes),
                [("start_timestamp", "future_timestamp")]
            );
            assert_eq!(payload["start_timestamp"], seconds(now()));
            assert_eq!(payload["end_timestamp"], seconds(now()) + 1.0);
        } else {
            assert_eq!(remarks(&outcomes), []);
            assert_eq!(payload["start_timestamp"], seconds(now()) + 54.0 * 60.0);
        }
    }
}

fn json_request(change: impl FnOnce(&mut Value)) -> Value {
    let end = nanos(now() - TimeDelta::minutes(1));
    let one = |id: &str| {
        json!({
            "traceId": TRACE, "spanId": id, "name": "json", "kind": 2,
            "startTimeUnixNano": (end - 1_000_000_000).to_string(), "endTimeUnixNano": end.to_string(),
            "attributes": [{"key": "a", "value": {"doubleValue": 1.5}}],
            "status": {},
        })
    };
    let spans = json!([one("0000000000000101"), one("0000000000000102")]);
    let mut request = json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]});
    change(&mut request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]);
    request
}

#[test]
fn json_is_read_strictly_and_one_fault_loses_the_request() {
    let sandbox = taking();
    let send = |body: &str| {
        sandbox.clear_outcomes();
        assert_eq!(
            post(&sandbox, TRACES, JSON, body.as_bytes()).status,
            200,
            "{body}"
        );
        sandbox.outcomes()
    };
    let outcomes = send(&json_request(|_| {}).to_string());
    assert_eq!(outcomes.of("span").count(), 2);
    assert_eq!(
        outcomes.accepted[0].payload["attributes"]["a"]["value"],
        1.5
    );

    let value =
        |value: Value| json_request(move |span| span["attributes"][0]["value"] = value).to_string();
    let field =
        |key: &'static str, value: Value| json_request(move |span| span[key] = value).to_string();
    for body in [
        value(json!({"doubleValue": "NaN"})),
        value(json!({"doubleValue": null})),
        value(json!({})),
        field("kind", json!("SPAN_KIND_SERVER")),
        field("startTimeUnixNano", json!(1)),
        field("attributes", json!(null)),
        field("name", json!(null)),
        "{}".to_owned(),
        "[".to_owned(),
        String::new(),
    ] {
        let outcomes = send(&body);
        assert_eq!(reasons(&outcomes), [("span", "invalid_json", 1)], "{body}");
        assert!(outcomes.accepted.is_empty());
    }
}

#[test]
fn broken_protobuf_loses_the_request_and_none_at_all_loses_nothing() {
    let sandbox = taking();
    assert_eq!(post(&sandbox, TRACES, PROTOBUF, b"\xff\xff").status, 200);
    assert_eq!(reasons(&sandbox.outcomes()), [("span", "invalid_proto", 1)]);
    sandbox.clear_outcomes();
    assert_eq!(post(&sandbox, TRACES, PROTOBUF, b"").status, 200);
    assert_eq!(sandbox.outcomes(), sentry_sandbox::Outcomes::default());
}

#[test]
fn logs_are_stored_with_a_level_and_a_body() {
    let sandbox = taking();
    let at = nanos(now());
    let good = LogRecord {
        time_unix_nano: 0,
        observed_time_unix_nano: at,
        severity_number: 13,
        body: Some(any(Any::StringValue("hello".to_owned()))),
        attributes: vec![text("a", "b")],
        trace_id: bytes(TRACE),
        span_id: vec![1; 8],
        event_name: "greeting".to_owned(),
        ..LogRecord::default()
    };
    let bare = LogRecord {
        time_unix_nano: at,
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs {
        log_records: vec![good, bare],
        ..ScopeLogs::default()
    }];
    let data = LogsData {
        resource_logs: vec![ResourceLogs {
            scope_logs,
            ..ResourceLogs::default()
        }],
    };
    let answer = post(&sandbox, LOGS, PROTOBUF, &data.encode_to_vec());
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    let outcomes = sandbox.outcomes();
    let string = |value: &str| json!({"type": "string", "value": value});
    let expected = json!({
        "timestamp": seconds(now()),
        "trace_id": TRACE,
        "span_id": "0101010101010101",
        "level": "warn",
        "body": "hello",
        "attributes": {
            "a": string("b"),
            "event.name": string("greeting"),
            "sentry.origin": string("auto.otlp.logs"),
        },
    });
    assert_eq!(outcomes.of("log").next().expect("a log").payload, expected);
    assert_eq!(reasons(&outcomes), [("log_item", "no_data", 1)]);
    assert_eq!(post(&sandbox, LOGS, JSON, b"{}").status, 200);
    assert_eq!(sandbox.outcomes().lost("log_item", "invalid_json"), 1);
}
