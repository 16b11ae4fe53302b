//! Error events, from what spans record.

use super::*;
use crate::errors::{Found, events_of};
use crate::testing::{attributes, pair, span};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use rstest::rstest;
use serde_json::{Value as Json, json};
use std::cell::OnceCell;

const TIME: u64 = 1_795_911_870_123_456_789;

fn recorded(pairs: &[(&str, &str)]) -> SpanEvent {
    SpanEvent {
        time_unix_nano: TIME,
        name: "exception".to_owned(),
        attributes: attributes(pairs),
        dropped_attributes_count: 0,
    }
}

fn thrown() -> SpanEvent {
    let stack = "Traceback (most recent call last):\n  File \"/app/shop.py\", line 7, in order\n    int('x')\nValueError: x\n";
    recorded(&[(KIND, "ValueError"), (MESSAGE, "x"), (STACK, stack)])
}

fn json(span: &Span, resource: &[(&str, &str)], terms: &Terms) -> Json {
    let resource = attributes(resource);
    let seen = Seen {
        resource: Attributes(&resource),
        ..Seen::alone(span)
    };
    let of_resource = OnceCell::new();
    let found = events_of(&seen, &of_resource, terms, |_, _| false);
    serde_json::to_value(&found.recorded[0].event).expect("JSON")
}

#[test]
fn an_error_has_what_its_span_and_resource_tell() {
    let pairs = [
        ("http.request.method", "GET"),
        ("http.route", "/orders/{id}"),
        ("url.full", "https://shop.example.com/orders/7?a=b"),
        ("user_agent.original", "curl/8"),
        ("user.id", "42"),
    ];
    let mut span = span("GET", SpanKind::Server, &pairs);
    span.events = vec![thrown()];
    span.flags = 0x300;
    span.parent_span_id = vec![3; 8];
    let resource = [
        ("telemetry.sdk.language", "python"),
        ("service.version", "1.2.0"),
        ("host.name", "web-1"),
    ];
    let terms = Terms {
        environment: Some("staging".to_owned()),
        ..Terms::default()
    };
    let event = json(&span, &resource, &terms);
    assert_eq!(event["event_id"].as_str().map(str::len), Some(32));
    assert_eq!(event["timestamp"], json!(1_795_911_870.123_457));
    assert_eq!(event["platform"], "python");
    assert_eq!(event["level"], "error");
    assert_eq!(event["transaction"], "GET /orders/{id}");
    assert_eq!(event["release"], "1.2.0");
    assert_eq!(event["environment"], "staging");
    assert_eq!(event["server_name"], "web-1");
    assert_eq!(event["user"], json!({"id": "42"}));
    let request = json!({"url": "https://shop.example.com/orders/7", "method": "GET", "query_string": "a=b", "headers": [["User-Agent", "curl/8"]]});
    assert_eq!(event["request"], request);
    let trace = json!({"trace_id": "01".repeat(16), "span_id": "02".repeat(8), "parent_span_id": "03".repeat(8), "op": "http.server", "status": "ok"});
    assert_eq!(event["contexts"]["trace"], trace);
    assert_eq!(event["contexts"]["otel"]["attributes"]["user.id"], "42");
    assert_eq!(event["contexts"]["otel"]["resource"]["host.name"], "web-1");
    assert_eq!(event["tags"]["http.route"], "/orders/{id}");
    assert_eq!(event["sdk"]["name"], "sentry.otlp");
    let frame = json!({"function": "order", "filename": "/app/shop.py", "abs_path": "/app/shop.py", "lineno": 7, "context_line": "int('x')", "in_app": true});
    let exception = json!({"type": "ValueError", "value": "x", "stacktrace": {"frames": [frame]}, "mechanism": {"type": "otlp"}});
    assert_eq!(event["exception"], json!({"values": [exception]}));
    for absent in ["extra", "left_out"] {
        assert!(event.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn causes_come_first_and_name_what_they_led_to() {
    let text = "java.lang.IllegalStateException: no order\n\tat shop.Cart.order(Cart.java:7)\nCaused by: java.io.IOException: reset\n\tat shop.Cart.read(Cart.java:9)\n\t... 1 more\n";
    let mut span = span("job", SpanKind::Internal, &[]);
    span.events = vec![recorded(&[
        (KIND, "java.lang.IllegalStateException"),
        (STACK, text),
        (ESCAPED, "True"),
    ])];
    let event = json(
        &span,
        &[("telemetry.sdk.language", "java")],
        &Terms::default(),
    );
    let values = event["exception"]["values"].as_array().expect("exceptions");
    let types: Vec<_> = values.iter().map(|value| &value["type"]).collect();
    assert_eq!(
        types,
        ["java.io.IOException", "java.lang.IllegalStateException"]
    );
    assert_eq!(values[1]["value"], "no order", "the stack trace tells it");
    let chained = json!({"type": "chained", "source": "cause", "exception_id": 1, "parent_id": 0});
    assert_eq!(values[0]["mechanism"], chained);
    let reported = json!({"type": "otlp", "handled": false, "exception_id": 0});
    assert_eq!(values[1]["mechanism"], reported);
    let functions: Vec<_> = values[0]["stacktrace"]["frames"]
        .as_array()
        .expect("frames")
        .iter()
        .map(|frame| &frame["function"])
        .collect();
    assert_eq!(functions, ["order", "read"]);
}

#[rstest]
#[case(Value::BoolValue(true), Some(false))]
#[case(Value::BoolValue(false), Some(true))]
#[case(Value::StringValue("True".to_owned()), Some(false))]
#[case(Value::StringValue("False".to_owned()), Some(true))]
#[case(Value::StringValue("false".to_owned()), Some(true))]
#[case(Value::StringValue("perhaps".to_owned()), None)]
#[case(Value::IntValue(1), None)]
fn what_escaped_was_not_handled(#[case] escaped: Value, #[case] handled: Option<bool>) {
    let mut span = span("job", SpanKind::Internal, &[]);
    let mut event = thrown();
    event.attributes.push(pair(ESCAPED, escaped));
    span.events = vec![event];
    let event = json(&span, &[], &Terms::default());
    assert_eq!(
        event["exception"]["values"][0]["mechanism"]["handled"].as_bool(),
        handled
    );
}

#[rstest]
#[case::root(&[], 0, SpanKind::Internal, true)]
#[case::remote(&[3; 8], 0x301, SpanKind::Internal, true)]
#[case::local(&[3; 8], 0x101, SpanKind::Server, false)]
#[case::serves(&[3; 8], 0, SpanKind::Server, true)]
#[case::untold(&[3; 8], 0, SpanKind::Client, false)]
fn a_root_names_the_transaction(
    #[case] parent: &[u8],
    #[case] flags: u32,
    #[case] kind: SpanKind,
    #[case] is_root: bool,
) {
    let mut span = span("job", kind, &[]);
    span.parent_span_id = parent.to_vec();
    span.flags = flags;
    span.events = vec![thrown()];
    let event = json(&span, &[], &Terms::default());
    assert_eq!(event.get("transaction").is_some(), is_root);
}

#[test]
fn an_exception_without_a_time_has_the_end_of_its_span() {
    let mut span = span("job", SpanKind::Internal, &[]);
    span.events = vec![SpanEvent {
        time_unix_nano: 0,
        ..thrown()
    }];
    let event = json(&span, &[], &Terms::default());
    assert_eq!(event["timestamp"], json!(1_795_911_871.0));
}

#[test]
fn what_says_nothing_and_what_is_a_double_is_no_error() {
    let mut span = span("job", SpanKind::Internal, &[]);
    let other = SpanEvent {
        name: "retry".to_owned(),
        ..thrown()
    };
    span.events = vec![
        recorded(&[(STACK, "at f (x.js:1:2)")]),
        other,
        recorded(&[(KIND, ""), (MESSAGE, "")]),
        recorded(&[(KIND, "E"), (MESSAGE, "known")]),
        recorded(&[(MESSAGE, "only a message")]),
    ];
    let is_double = |kind: &str, message: &str| (kind, message) == ("E", "known");
    let terms = Terms {
        environment: Some("a/b".to_owned()),
        ..Terms::default()
    };
    let of_resource = OnceCell::new();
    let Found {
        recorded,
        nameless,
        doubles,
        too_many,
        left_out,
    } = events_of(&Seen::alone(&span), &of_resource, &terms, is_double);
    assert_eq!(
        (recorded.len(), nameless, doubles, too_many, left_out.len()),
        (1, 2, 1, 0, 1)
    );
    let event = serde_json::to_value(&recorded[0].event).expect("JSON");
    let exception = json!({"value": "only a message", "mechanism": {"type": "otlp"}});
    assert_eq!(event["exception"]["values"], json!([exception]));
}

#[test]
fn what_an_exception_says_more_is_kept() {
    let mut span = span("job", SpanKind::Internal, &[]);
    let mut event = thrown();
    event.attributes.extend(attributes(&[("code", "E7")]));
    event.dropped_attributes_count = 2;
    span.events = vec![event];
    let event = json(&span, &[], &Terms::default());
    let expected = json!({"attributes": {"code": "E7"}, "dropped_attributes_count": 2});
    assert_eq!(event["contexts"]["otel_event"], expected);
}

#[test]
fn an_error_stays_below_what_sentry_takes() {
    let many: Vec<_> = (0..500)
        .map(|number| (format!("key{number}"), "\u{1}".repeat(500)))
        .collect();
    let pairs: Vec<_> = many
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let mut span = span("job", SpanKind::Internal, &pairs);
    let name = "\u{1}".repeat(1000);
    let frames = format!("    at {name} (/{name}.js:1:2)\n").repeat(400);
    let message = "\u{1}".repeat(20_000);
    let text = format!(
        "E: {message}\n{frames}{}",
        format!("[cause]: E: {message}\n{frames}").repeat(20)
    );
    let mut event = recorded(&[(KIND, &name), (MESSAGE, &message), (STACK, &text)]);
    event.attributes.extend(attributes(&pairs));
    span.events = vec![event];
    let event = json(&span, &pairs, &Terms::default());
    let length = event.to_string().len();
    assert!(length < 1_048_576, "{length}");
    let reported = event["exception"]["values"]
        .as_array()
        .and_then(|values| values.last())
        .expect("one");
    let value = reported["value"].as_str().expect("a message");
    assert_eq!(value.chars().count(), 8192);
    assert!(value.ends_with("..."));
    assert!(event["extra"]["exception.frames_left_out"].as_u64() > Some(0));
}
