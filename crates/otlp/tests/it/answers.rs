//! What clients are told.

use crate::dsl::bridge::{Bridge, config};
use crate::dsl::sentry::{dsn, sentry};
use crate::dsl::spans::{span, spans};
use prost::Message;
use rstest::rstest;
use sentry_sandbox::Quota;
use serde_json::{Value, json};

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

#[rstest]
#[case::no_form(&[("content-type", "text/plain")], b"", 415, 3)]
#[case::broken_protobuf(&[PROTOBUF], b"\x0a\x05ab", 400, 3)]
#[case::broken_json(&[JSON], b"{", 400, 3)]
#[case::no_object(&[JSON], b"[]", 400, 3)]
#[case::not_compressed(&[PROTOBUF, ("content-encoding", "gzip")], b"abc", 400, 3)]
fn what_cannot_be_read_is_refused_in_the_form_of_the_request(
    #[case] headers: &[(&str, &str)],
    #[case] body: &[u8],
    #[case] status: u16,
    #[case] code: i32,
) {
    let sentry = sentry();
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    let answer = bridge.post("/v1/traces", headers, body);
    assert_eq!(answer.status, status);
    if headers[0] == PROTOBUF {
        assert_eq!(answer.content_type, PROTOBUF.1);
        let told = Status::decode(&answer.body[..]).expect("a status");
        assert_eq!(told.code, code, "{}", told.message);
    } else {
        let told: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(told["code"], code, "{told}");
    }
}

#[test]
fn an_unknown_encoding_is_415_and_a_large_body_413() {
    let sentry = sentry();
    let mut settings = config(&json!({"dsn": dsn(&sentry)}));
    settings["receivers"]["otlp"]["protocols"]["http"]["max_request_body_size"] = json!(10_000);
    let bridge = Bridge::with(&settings);
    let unknown = [PROTOBUF, ("content-encoding", "snappy")];
    assert_eq!(bridge.post("/v1/traces", &unknown, b"").status, 415);
    let many = spans((1..=200).map(|id| span(1, id, 0)).collect());
    assert_eq!(bridge.send(&many).status, 413);
    bridge.take(&spans(vec![span(1, 1, 0)]));
}

#[test]
fn nothing_and_both_paths_are_fine() {
    let sentry = sentry();
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    for path in ["/v1/traces", "/v1/traces/"] {
        let answer = bridge.post(path, &[PROTOBUF], b"");
        assert_eq!((answer.status, answer.body), (200, vec![]));
        let answer = bridge.post(path, &[JSON], b"{}");
        assert_eq!((answer.status, &answer.body[..]), (200, &b"{}"[..]));
    }
    assert_eq!(bridge.post("/v1/metrics", &[PROTOBUF], b"").status, 404);
}

#[test]
fn spans_come_where_the_setting_says() {
    let sentry = sentry();
    let mut settings = config(&json!({"dsn": dsn(&sentry)}));
    settings["receivers"]["otlp"]["protocols"]["http"]["traces_url_path"] = json!("/v1/metrics");
    let bridge = Bridge::with(&settings);
    let body = spans(vec![span(1, 1, 0)]);
    assert_eq!(bridge.post("/v1/metrics", &[PROTOBUF], &body).status, 200);
    assert_eq!(bridge.post("/v1/traces", &[PROTOBUF], &body).status, 404);
    bridge.delivered();
    assert_eq!(sentry.outcomes().of("span").count(), 1);
}

#[test]
fn a_bad_span_costs_itself() {
    let sentry = sentry();
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    let mut bad = span(1, 1, 0);
    bad.trace_id = vec![0; 16];
    let answer = bridge.send(&spans(vec![bad, span(1, 2, 0)]));
    let told = opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse::decode(
        &answer.body[..],
    );
    let partial = told
        .expect("a response")
        .partial_success
        .expect("a partial success");
    assert_eq!(partial.rejected_spans, 1);
    assert!(
        partial.error_message.contains("invalid_id"),
        "{}",
        partial.error_message
    );
    bridge.delivered();
    let outcomes = sentry.outcomes();
    assert_eq!(
        (outcomes.of("span").count(), outcomes.refused.len()),
        (1, 0)
    );
}

#[test]
fn a_full_queue_is_told_as_clients_understand_it() {
    let sentry = sentry();
    sentry
        .quotas()
        .expect("an intake")
        .add(Quota::on(&["span"]));
    let queue = json!({"queue_size": 2, "sizer": "requests"});
    let bridge =
        Bridge::start(&json!({"dsn": dsn(&sentry), "mode": "otlp", "sending_queue": queue}));
    bridge.take(&spans(vec![span(1, 1, 0)]));
    bridge.take(&spans(vec![span(1, 2, 0)]));
    let answer = bridge.send(&spans(vec![span(1, 3, 0)]));
    assert_eq!(answer.status, 429);
    assert_eq!(answer.retry_after.as_deref(), Some("2"));
    assert_eq!(Status::decode(&answer.body[..]).expect("a status").code, 8);
    let declined = "sentry_otlp_declined_requests_total{reason=\"full\"}";
    assert_eq!(bridge.metric(declined), 1);
    let mut bridge = bridge;
    bridge.line_with("requests are not taken: the queue is full");
    // What was taken is kept, and told when the program must end without it.
    bridge.signal(rustix::process::Signal::TERM);
    bridge.line_with("still on their way");
    let (code, log) = bridge.stop();
    assert_eq!(code, Some(4), "{log}");
    assert!(
        log.contains("2 spans, log records and events had been acknowledged"),
        "{log}"
    );
}
