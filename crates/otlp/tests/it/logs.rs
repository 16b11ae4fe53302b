//! Logs, out in both ways.

use crate::dsl::bridge::Bridge;
use crate::dsl::logs::{any, body, log, logs, of_resource};
use crate::dsl::sentry::{dsn, sentry, sentry_as};
use crate::dsl::spans::{now, span, spans, text};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match, ORGANIZATION, Quota, Relay, Sandbox, TOKEN};
use serde_json::{Value, json};

/// Settings that send to a sandbox.
fn to(sandbox: &Sandbox, more: &Value) -> Value {
    let mut settings = json!({"dsn": dsn(sandbox)});
    let all = settings.as_object_mut().expect("an object");
    all.extend(more.as_object().expect("an object").clone());
    settings
}

/// The bodies of the logs that were taken.
fn taken(sandbox: &Sandbox) -> Vec<String> {
    let outcomes = sandbox.outcomes();
    let logs = outcomes.of("log");
    logs.map(|one| one.payload["body"].as_str().expect("a text").to_owned())
        .collect()
}

/// How many requests came to a path that ends so.
fn requests(sandbox: &Sandbox, end: &str) -> usize {
    let requests = sandbox.requests().into_iter();
    requests.filter(|one| one.path.ends_with(end)).count()
}

/// Waits until something was counted.
fn until(bridge: &Bridge, series: &str) {
    while bridge.metric(series) < 1 {
        std::thread::yield_now();
    }
}

/// Everything that Sentry would lose of a record if it was passed on as it is.
fn full() -> LogRecord {
    let nested = |value| KeyValue {
        key: "inner".to_owned(),
        value: Some(any(value)),
        ..KeyValue::default()
    };
    let map = |value| {
        let values = vec![nested(value)];
        Any::KvlistValue(KeyValueList { values })
    };
    let mixed = Any::ArrayValue(ArrayValue {
        values: [Any::IntValue(1), Any::StringValue("a".to_owned())]
            .map(any)
            .to_vec(),
    });
    let attribute = |key: &str, value| KeyValue {
        key: key.to_owned(),
        value: Some(any(value)),
        ..KeyValue::default()
    };
    LogRecord {
        severity_number: 18,
        severity_text: "ERROR2".to_owned(),
        body: Some(any(map(map(Any::IntValue(7))))),
        event_name: "shop.sold".to_owned(),
        attributes: vec![
            text("plain", "text"),
            text("http.request.header.authorization", "Bearer secret"),
            text("url.full", "https://joe:pw@example.com/x"),
            attribute("whole", Any::IntValue(i64::MAX)),
            attribute("map", map(map(Any::BoolValue(true)))),
            attribute("mixed", mixed),
            attribute("nan", Any::DoubleValue(f64::NAN)),
        ],
        ..log("")
    }
}

#[rstest]
#[case::otlp(Relay::V26_7, "/integration/otlp/v1/logs/")]
#[case::envelopes(Relay::V26_5, "/envelope/")]
#[case::envelopes_of_older(Relay::V26_2, "/envelope/")]
fn a_record_arrives_with_everything_either_way(#[case] relay: Relay, #[case] path: &str) {
    let sentry = sentry_as(relay);
    let bridge = Bridge::start(&to(&sentry, &json!({"environment": "prod"})));
    let resource = [
        ("service.name", "shop"),
        ("service.version", "1.2.3"),
        ("host.name", "web-1"),
        ("telemetry.sdk.language", "python"),
    ];
    bridge.take_logs(&body(vec![of_resource(&resource, vec![full()])]));
    bridge.delivered();
    let outcomes = sentry.outcomes();
    assert_eq!(outcomes.refused, []);
    assert_eq!(outcomes.remarks().count(), 0);
    let one = &outcomes.of("log").next().expect("a log").payload;
    assert_eq!(one["level"], "error");
    assert_eq!(one["body"], r#"{"inner":{"inner":7}}"#);
    assert_eq!(one["trace_id"], "01".repeat(16));
    assert_eq!(one["span_id"], "02".repeat(8));
    for (name, kind, value) in [
        ("plain", "string", json!("text")),
        ("url.full", "string", json!("https://example.com/x")),
        ("whole", "integer", json!(i64::MAX)),
        ("map", "string", json!(r#"{"inner":{"inner":true}}"#)),
        ("mixed", "string", json!(r#"[1,"a"]"#)),
        ("nan", "string", json!("NaN")),
        ("event.name", "string", json!("shop.sold")),
        ("sentry.release", "string", json!("1.2.3")),
        ("sentry.environment", "string", json!("prod")),
        ("sentry.severity_number", "integer", json!(18)),
        ("sentry.severity_text", "string", json!("ERROR2")),
        ("sentry.origin", "string", json!("auto.otlp.logs")),
        ("sentry.platform", "string", json!("python")),
        ("resource.service.name", "string", json!("shop")),
        ("instrumentation.name", "string", json!("library")),
    ] {
        let expected = json!({"type": kind, "value": value});
        assert_eq!(one["attributes"][name], expected, "{name}");
    }
    let hidden = &one["attributes"]["http.request.header.authorization"];
    assert_eq!(hidden, &Value::Null);
    assert!(requests(&sentry, path) > 0);
    if path == "/envelope/" {
        assert_eq!(one["attributes"]["server.address"]["value"], "web-1");
        assert_eq!(one["attributes"]["sentry.sdk.name"]["value"], "sentry.otlp");
    }
}

#[rstest]
#[case::otlp("otlp", "/integration/otlp/v1/logs/")]
#[case::envelopes("transactions", "/envelope/")]
fn the_setting_decides(#[case] mode: &str, #[case] path: &str) {
    let sentry = sentry();
    let bridge = Bridge::start(&to(&sentry, &json!({"mode": mode})));
    let before = requests(&sentry, path);
    bridge.take_logs(&logs(vec![log("sold")]));
    bridge.delivered();
    assert_eq!(taken(&sentry), ["sold"]);
    assert!(requests(&sentry, path) > before);
}

#[test]
fn nobody_is_asked_before_logs_come() {
    let sentry = sentry();
    let mut bridge = Bridge::start(&to(&sentry, &json!({})));
    bridge.line_with("spans are sent as otlp");
    assert_eq!(requests(&sentry, "/logs/"), 0);
    bridge.take_logs(&logs(vec![log("sold")]));
    bridge.line_with("logs are sent as OTLP");
    bridge.delivered();
    assert_eq!(taken(&sentry), ["sold"]);
    // Two questions, and the logs.
    assert_eq!(requests(&sentry, "/logs/"), 3);
}

#[rstest]
#[case::one(Relay::V26_7, 1)]
#[case::containers(Relay::V26_5, 3)]
fn many_records_go_together_and_none_twice(#[case] relay: Relay, #[case] expected: usize) {
    let sentry = sentry_as(relay);
    let bridge = Bridge::start(&to(&sentry, &json!({})));
    let all: Vec<_> = (0..250).map(|at| log(&format!("{at:03}"))).collect();
    bridge.take_logs(&logs(all));
    bridge.delivered();
    let mut found = taken(&sentry);
    found.sort();
    let expected_bodies: Vec<_> = (0..250).map(|at| format!("{at:03}")).collect();
    assert_eq!(found, expected_bodies);
    let path = if relay == Relay::V26_7 {
        "/logs/"
    } else {
        "/envelope/"
    };
    let asked = if relay == Relay::V26_7 { 2 } else { 0 };
    assert_eq!(requests(&sentry, path), expected + asked);
}

#[rstest]
#[case::otlp(Relay::V26_7, "/v1/logs/")]
#[case::envelopes(Relay::V26_5, "/envelope/")]
fn what_is_too_large_is_halved(#[case] relay: Relay, #[case] path: &str) {
    let sentry = sentry_as(relay);
    let mut bridge = Bridge::start(&to(&sentry, &json!({})));
    // How logs are taken is known before the server refuses the first of them for its size.
    bridge.take_logs(&logs(vec![log("first")]));
    bridge.line_with("logs are sent as");
    until(&bridge, "sentry_otlp_sent_total{kind=\"log\"}");
    sentry
        .faults()
        .add(Fault::once(Match::path(path), FaultKind::Status(413)));
    bridge.take_logs(&logs(vec![log("a"), log("b"), log("c")]));
    bridge.delivered();
    let mut found = taken(&sentry);
    found.sort();
    assert_eq!(found, ["a", "b", "c", "first"]);
}

#[rstest]
#[case::item("log_item", Relay::V26_7)]
#[case::byte("log_byte", Relay::V26_5)]
fn a_limit_on_logs_is_waited_for_and_holds_nothing_else_up(
    #[case] category: &str,
    #[case] relay: Relay,
) {
    let sentry = sentry_as(relay);
    let bridge = Bridge::start(&to(&sentry, &json!({})));
    bridge.take_logs(&logs(vec![log("before")]));
    until(&bridge, "sentry_otlp_sent_total{kind=\"log\"}");
    let quotas = sentry.quotas().expect("an intake");
    quotas.add(Quota {
        seconds: 1,
        ..Quota::on(&[category])
    });
    bridge.take_logs(&logs(vec![log("sold")]));
    until(&bridge, "sentry_otlp_retried_total{kind=\"log\"}");
    bridge.take(&spans(vec![span(1, 1, 0)]));
    let kind = if relay == Relay::V26_7 {
        "traces"
    } else {
        "transaction"
    };
    until(
        &bridge,
        &format!("sentry_otlp_sent_total{{kind=\"{kind}\"}}"),
    );
    assert_eq!(taken(&sentry), ["before"]);
    quotas.lift();
    bridge.delivered();
    assert_eq!(taken(&sentry), ["before", "sold"]);
}

#[test]
fn each_resource_finds_its_project() {
    let sentry = sentry();
    let projects = sentry.world().projects.clone();
    let (first, second) = (&projects[0], &projects[1]);
    let bridge = Bridge::start(&json!({
        "url": sentry.url(), "org_slug": ORGANIZATION, "auth_token": TOKEN,
        "routing": {"default_project": first.slug},
    }));
    let of = |service: &str| of_resource(&[("service.name", service)], vec![log(service)]);
    bridge.take_logs(&body(vec![of(&second.slug), of("no-such-project")]));
    bridge.delivered();
    let outcomes = sentry.outcomes();
    let mut found: Vec<_> = outcomes
        .of("log")
        .map(|one| (one.project, one.payload["body"].as_str().expect("a text")))
        .collect();
    found.sort_unstable();
    let mut expected = vec![(first.id, "no-such-project"), (second.id, &*second.slug)];
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn logs_are_not_sampled_and_those_of_no_trace_are_kept() {
    let sentry = sentry();
    let bridge = Bridge::start(&to(&sentry, &json!({"sample_rate": 0.0})));
    let bare = LogRecord {
        body: Some(any(Any::StringValue("bare".to_owned()))),
        ..LogRecord::default()
    };
    bridge.take_logs(&logs(vec![log("sold"), bare]));
    bridge.delivered();
    assert_eq!(taken(&sentry), ["sold", "bare"]);
    assert_eq!(sentry.outcomes().refused, []);
}

#[test]
fn what_is_old_is_told_and_what_is_wrong_is_mended() {
    let sentry = sentry();
    let bridge = Bridge::start(&to(&sentry, &json!({})));
    let mut short = log("short");
    short.trace_id = vec![1; 8];
    let mut old = log("old");
    old.time_unix_nano = now() - 91 * 86_400_000_000_000;
    let mut ahead = log("ahead");
    ahead.time_unix_nano = now() + 120_000_000_000;
    let answer = bridge.send_logs(&logs(vec![short, old, ahead]));
    assert_eq!(answer.status, 200);
    for (series, expected) in [
        ("received_total{kind=\"log\"}", 3),
        ("accepted_total{kind=\"log\"}", 2),
        ("rejected_total{kind=\"log\",reason=\"too_old\"}", 1),
        ("mended_total{reason=\"invalid_trace_id\"}", 1),
        ("mended_total{reason=\"ahead_of_clock\"}", 1),
        ("received_total{kind=\"span\"}", 0),
    ] {
        let series = format!("sentry_otlp_{series}");
        assert_eq!(bridge.metric(&series), expected, "{series}");
    }
    bridge.delivered();
    assert_eq!(taken(&sentry), ["short", "ahead"]);
}

#[test]
fn what_is_left_at_the_end_is_told() {
    let sentry = sentry();
    let bridge = Bridge::start(&to(&sentry, &json!({})));
    bridge.take_logs(&logs(vec![log("before")]));
    until(&bridge, "sentry_otlp_sent_total{kind=\"log\"}");
    let quotas = sentry.quotas().expect("an intake");
    quotas.add(Quota::on(&["log_item"]));
    bridge.take_logs(&logs(vec![log("a"), log("b"), log("c")]));
    assert_eq!(bridge.metric("sentry_otlp_pending"), 3);
    bridge.signal(rustix::process::Signal::TERM);
    let mut bridge = bridge;
    bridge.line_with("still on their way");
    let (code, log) = bridge.stop();
    assert_eq!(code, Some(4), "{log}");
    assert!(
        log.contains("3 spans, log records and events had been acknowledged"),
        "{log}"
    );
}
