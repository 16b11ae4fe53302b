//! Logs as they come in, and what clients are told.

use crate::dsl::bridge::{Bridge, config};
use crate::dsl::grpc::{LOGS, call, over_grpc};
use crate::dsl::logs::{any, log, logs};
use crate::dsl::sentry::{dsn, sentry, sentry_as};
use crate::dsl::spans::{now, span, spans};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;
use rstest::rstest;
use sentry_sandbox::Relay;
use serde_json::{Value, json};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");
const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

#[test]
fn what_exporters_write_as_json_is_read_record_by_record() {
    let sentry = sentry();
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    let at = now() - 60_000_000_000;
    let records = json!([
        {"timeUnixNano": at.to_string(), "severityNumber": "SEVERITY_NUMBER_WARN", "body": {"stringValue": "a"},
            "attributes": [{"key": "load", "value": {"doubleValue": "NaN"}}], "traceId": null},
        {"time_unix_nano": at, "severityText": "Critical", "body": {"intValue": 7}, "eventName": null},
        {"timeUnixNano": at, "traceId": "nonsense"},
        7,
    ]);
    let body = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).to_string();
    let answer = bridge.post("/v1/logs/", &[JSON], body.as_bytes());
    assert_eq!(answer.status, 200);
    let told: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let partial = &told["partialSuccess"];
    assert_eq!(partial["rejectedLogRecords"], "2");
    let text = partial["errorMessage"].as_str().expect("a text");
    assert!(
        text.starts_with("2 log records: malformed (`traceId` must be"),
        "{text}"
    );
    bridge.delivered();
    let outcomes = sentry.outcomes();
    let found = outcomes
        .of("log")
        .map(|one| (&one.payload["level"], &one.payload["body"]));
    assert_eq!(
        found.collect::<Vec<_>>(),
        [
            (&json!("warn"), &json!("a")),
            (&json!("fatal"), &json!("7"))
        ]
    );
}

/// Its severity is a text of 1 MiB.
fn long() -> LogRecord {
    LogRecord {
        severity_text: "x".repeat(1 << 20),
        ..log("large")
    }
}

/// Its body is larger as the text that it becomes.
fn growing() -> LogRecord {
    LogRecord {
        body: Some(any(AnyValue::BytesValue(vec![255; 900 << 10]))),
        ..log("large")
    }
}

#[rstest]
#[case::as_it_comes(long())]
#[case::as_it_goes(growing())]
fn a_bad_record_costs_itself_and_nothing_is_fine(#[case] large: LogRecord) {
    let sentry = sentry();
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    let answer = bridge.send_logs(&logs(vec![log("a"), large, log("b")]));
    let told = ExportLogsServiceResponse::decode(&answer.body[..]).expect("a response");
    let partial = told.partial_success.expect("a partial success");
    assert_eq!(partial.rejected_log_records, 1);
    let text = partial.error_message;
    assert!(text.contains("1 log record: too_large"), "{text}");
    let series = "sentry_otlp_rejected_total{kind=\"log\",reason=\"too_large\"}";
    assert_eq!(bridge.metric(series), 1);
    let answer = bridge.post("/v1/logs", &[JSON], b"{}");
    assert_eq!((answer.status, &answer.body[..]), (200, &b"{}"[..]));
    bridge.take_logs(b"");
    for (headers, body, status) in [
        (PROTOBUF, &b"\x0a\x05ab"[..], 400),
        (JSON, b"[]", 400),
        (("content-type", "text/plain"), b"", 415),
    ] {
        assert_eq!(bridge.post("/v1/logs", &[headers], body).status, status);
    }
    bridge.delivered();
    assert_eq!(sentry.outcomes().of("log").count(), 2);
}

#[test]
fn logs_come_where_the_setting_says() {
    let sentry = sentry();
    let mut settings = config(&json!({"dsn": dsn(&sentry)}));
    settings["receivers"]["otlp"]["protocols"]["http"]["logs_url_path"] = json!("/in/logs/");
    let bridge = Bridge::with(&settings);
    for path in ["/in/logs", "/in/logs/"] {
        let answer = bridge.post(path, &[PROTOBUF], &logs(vec![log("sold")]));
        assert_eq!((answer.status, answer.body), (200, vec![]));
    }
    assert_eq!(bridge.send_logs(&logs(vec![log("sold")])).status, 404);
    bridge.delivered();
    assert_eq!(sentry.outcomes().of("log").count(), 2);
}

#[rstest]
#[case::traces("traces")]
#[case::logs("logs")]
fn a_signal_that_no_pipeline_takes_is_refused(#[case] taken: &str) {
    let sentry = sentry();
    let mut settings = config(&json!({"dsn": dsn(&sentry)}));
    let pipeline = json!({"receivers": ["otlp"], "exporters": ["sentry"]});
    settings["service"]["pipelines"][taken] = pipeline;
    let mut bridge = Bridge::with(&settings);
    let (of_traces, of_logs) = (spans(vec![span(1, 1, 0)]), logs(vec![log("sold")]));
    let statuses = (
        bridge.send(&of_traces).status,
        bridge.send_logs(&of_logs).status,
    );
    let expected = if taken == "traces" {
        (200, 404)
    } else {
        (404, 200)
    };
    assert_eq!(statuses, expected);
    let refused = if taken == "traces" { "logs" } else { "traces" };
    bridge.line_with(&format!(
        "a client sends {refused}, which no pipeline takes"
    ));
    bridge.delivered();
    let outcomes = sentry.outcomes();
    let found = (outcomes.of("span").count(), outcomes.of("log").count());
    assert_eq!(found, if taken == "traces" { (1, 0) } else { (0, 1) });
}

#[test]
fn a_server_without_logs_is_told_once_a_minute_and_what_waited_is_counted() {
    let sentry = sentry_as(Relay::V25);
    let mut bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    // Nobody has asked the server yet.
    bridge.take_logs(&logs(vec![log("a"), log("b")]));
    bridge.line_with("the server takes no logs: it has no path for them");
    bridge.line_with("lost: the server takes no logs");
    for _ in 0..3 {
        assert_eq!(bridge.send_logs(&logs(vec![log("c")])).status, 404);
    }
    let answer = bridge.post(
        "/v1/logs",
        &[JSON],
        br#"{"resourceLogs": [{"scopeLogs": [{"logRecords": [{}]}]}]}"#,
    );
    let told: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(
        told,
        json!({"code": 5, "message": "logs are not taken here"})
    );
    assert_eq!(
        bridge.metric("sentry_otlp_rejected_total{kind=\"log\",reason=\"not_taken\"}"),
        6
    );
    bridge.take(&spans(vec![span(1, 1, 0)]));
    let (code, log) = bridge.stop();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(log.matches("OTEL_LOGS_EXPORTER=none").count(), 1, "{log}");
    assert_eq!(sentry.outcomes().of("transaction").count(), 1);
}

#[test]
fn logs_come_over_grpc_and_metrics_do_not() {
    let sentry = sentry();
    let mut bridge = Bridge::with(&over_grpc(&json!({"dsn": dsn(&sentry)})));
    let mut old = log("old");
    old.time_unix_nano = 1;
    let message = logs(vec![log("sold"), old]);
    let (status, answer) = call(bridge.address(), LOGS, &message);
    assert_eq!(status, None, "it is in a trailer");
    let told = ExportLogsServiceResponse::decode(&answer[..]).expect("a response");
    assert_eq!(
        told.partial_success.expect("partial").rejected_log_records,
        1
    );
    let (status, _) = call(bridge.address(), LOGS, b"\x0a\x05ab");
    assert_eq!(status.as_deref(), Some("3"));
    let (status, _) = call(bridge.address(), METRICS, b"");
    assert_eq!(status.as_deref(), Some("12"));
    bridge.line_with("a client sends metrics");
    bridge.delivered();
    assert_eq!(sentry.outcomes().of("log").count(), 1);
}

#[test]
fn a_server_without_logs_is_unimplemented_over_grpc() {
    let sentry = sentry_as(Relay::V21);
    let mut bridge = Bridge::with(&over_grpc(&json!({"dsn": dsn(&sentry)})));
    let message = logs(vec![log("a")]);
    assert_eq!(call(bridge.address(), LOGS, &message).0, None);
    bridge.line_with("lost: the server takes no logs");
    let (status, _) = call(bridge.address(), LOGS, &message);
    assert_eq!(status.as_deref(), Some("12"));
    bridge.line_with("OTEL_LOGS_EXPORTER=none");
    bridge.delivered();
}
