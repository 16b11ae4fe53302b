//! Spans that go on as OTLP.

use crate::dsl::bridge::Bridge;
use crate::dsl::sentry::{dsn, sentry};
use crate::dsl::spans::{body, of_resource, span, spans, text};
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use serde_json::{Value, json};

/// The value of an attribute of a span that was taken.
fn attribute<'a>(payload: &'a Value, name: &str) -> &'a Value {
    &payload["attributes"][name]["value"]
}

#[test]
fn every_span_arrives_with_what_stands_around_it() {
    let sentry = sentry();
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry), "environment": "prod"}));
    let resource = [("service.name", "shop"), ("service.version", "1.2.3")];
    let mut child = span(1, 2, 1);
    child.kind = SpanKind::Producer.into();
    child.attributes = vec![
        text("a", "b"),
        text("url.full", "https://joe:pw@example.com/x"),
    ];
    child.links = vec![Link {
        trace_id: vec![9; 16],
        span_id: vec![8; 8],
        ..Link::default()
    }];
    bridge.take(&body(vec![
        of_resource(&resource, vec![child, span(1, 1, 0)]),
        of_resource(&[("service.name", "other")], vec![span(2, 3, 0)]),
    ]));
    bridge.delivered();
    let outcomes = sentry.outcomes();
    assert_eq!(outcomes.refused, []);
    let spans: Vec<_> = outcomes.of("span").map(|one| &one.payload).collect();
    let names: Vec<_> = spans.iter().map(|span| &span["name"]).collect();
    assert_eq!(names, ["span 2", "span 1", "span 3"]);
    let child = spans[0];
    assert_eq!(attribute(child, "a"), "b");
    assert_eq!(attribute(child, "url.full"), "https://example.com/x");
    assert_eq!(attribute(child, "sentry.op"), "queue.publish");
    assert_eq!(attribute(child, "resource.service.name"), "shop");
    assert_eq!(attribute(child, "instrumentation.name"), "library");
    assert_eq!(child["links"][0]["span_id"], "08".repeat(8));
    for span in &spans {
        assert_eq!(attribute(span, "sentry.environment"), "prod");
    }
    assert_eq!(attribute(spans[1], "sentry.release"), "1.2.3");
    assert_eq!(attribute(spans[2], "sentry.release"), &Value::Null);
}

#[test]
fn what_is_mended_goes_out_mended() {
    let sentry = sentry();
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    let mut early = span(1, 1, 0);
    let (start, end) = (early.start_time_unix_nano, 7);
    early.end_time_unix_nano = end;
    let mut orphan = span(1, 2, 0);
    orphan.parent_span_id = vec![0; 8];
    bridge.take(&spans(vec![early, orphan, span(1, 3, 1)]));
    let mended = "sentry_otlp_mended_total{reason=\"end_before_start\"}";
    assert_eq!(bridge.metric(mended), 1);
    bridge.delivered();
    let outcomes = sentry.outcomes();
    assert_eq!(outcomes.refused, []);
    let spans: Vec<_> = outcomes.of("span").map(|one| &one.payload).collect();
    let came = attribute(spans[0], "otlp.end_time_unix_nano").to_string();
    assert_eq!(came.trim_matches('"'), end.to_string());
    let [began, ended] = ["start_timestamp", "end_timestamp"].map(|name| &spans[0][name]);
    assert_eq!(began, ended, "{start}");
    assert!(began.is_number(), "{}", spans[0]);
    assert_eq!(spans[1]["parent_span_id"], Value::Null);
    assert_eq!(spans[2]["parent_span_id"], "01".repeat(8));
    assert_eq!(attribute(spans[2], "otlp.end_time_unix_nano"), &Value::Null);
}

#[test]
fn spans_of_many_requests_go_together_and_none_twice() {
    let sentry = sentry();
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    for id in 1..=100 {
        bridge.take(&spans(vec![span(id, id, 0)]));
    }
    bridge.delivered();
    let outcomes = sentry.outcomes();
    let mut ids: Vec<_> = outcomes
        .of("span")
        .map(|one| one.payload["span_id"].to_string())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!((outcomes.of("span").count(), ids.len()), (100, 100));
}

#[test]
fn half_of_the_traces_are_kept_whole() {
    let sentry = sentry();
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry), "sample_rate": 0.5}));
    let both = |trace| vec![span(trace, 1, 0), span(trace, 2, 1)];
    bridge.take(&spans([both(0x7f), both(0x80)].concat()));
    assert_eq!(
        bridge.metric("sentry_otlp_rejected_total{reason=\"sampled\"}"),
        2
    );
    bridge.delivered();
    let outcomes = sentry.outcomes();
    let rates: Vec<_> = outcomes
        .of("span")
        .map(|one| attribute(&one.payload, "sentry.client_sample_rate").clone())
        .collect();
    assert_eq!(rates, [json!(0.5), json!(0.5)]);
}

#[test]
fn what_exporters_write_as_json_is_read() {
    let sentry = sentry();
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    let at = crate::dsl::spans::now() - 60_000_000_000;
    let span = |id: &str, more: Value| {
        let mut span = json!({
            "traceId": "0AF7651916CD43DD8448EB211C80319C", "spanId": id, "name": id,
            "startTimeUnixNano": at.to_string(), "endTimeUnixNano": at + 5,
        });
        let all = span.as_object_mut().expect("an object");
        all.extend(more.as_object().expect("an object").clone());
        span
    };
    let spans = json!([
        span(
            "000000000000000a",
            json!({"attributes": [
            {"key": "load", "value": {"doubleValue": "NaN"}},
            {"key": "none", "value": {"doubleValue": null}},
            {"key": "number", "value": {"intValue": 7}},
            {"key": "cut", "value": {"stringValue": "HALF"}},
        ], "status": {}})
        ),
        span(
            "000000000000000b",
            json!({"kind": "SPAN_KIND_SERVER", "events": null})
        ),
        span("nonsense", json!({})),
    ]);
    let body = json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string();
    // As JavaScript cuts a text.
    let body = body.replace("HALF", "a\\ud83d");
    let headers = [("content-type", "application/json; charset=utf-8")];
    let answer = bridge.post("/v1/traces/", &headers, body.as_bytes());
    assert_eq!(answer.status, 200);
    let told: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(told["partialSuccess"]["rejectedSpans"], "1");
    bridge.delivered();
    let outcomes = sentry.outcomes();
    let kinds: Vec<_> = outcomes
        .of("span")
        .map(|one| attribute(&one.payload, "sentry.kind").clone())
        .collect();
    assert_eq!(kinds.len(), 2);
    assert_eq!(kinds[1], "server");
    let first = outcomes.of("span").next().expect("a span");
    assert_eq!(attribute(&first.payload, "number"), 7);
    assert_eq!(attribute(&first.payload, "cut"), "a\u{fffd}");
}
