//! A client that hands things in.

use crate::client::{Answer, agent_within, now, read};
use chrono::{DateTime, TimeDelta, Utc};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData};
use prost::Message;
use sentry_sandbox::{Options, Outcomes, Relay, Sandbox, World};
use serde_json::{Value, json};
use std::time::Duration;

/// The project that is handed things.
pub const SLUG: &str = "api";
pub const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

pub fn taking_as(relay: Relay) -> Sandbox {
    Sandbox::start(Options {
        intake: Some(relay),
        ..Options::new(World::seeded(now()))
    })
    .expect("a free port")
}

pub fn taking() -> Sandbox {
    taking_as(Relay::default())
}

/// The id of a project and its key, out of its DSN.
pub fn key_of(sandbox: &Sandbox, slug: &str) -> (String, String) {
    let dsn = sandbox.dsn(slug).expect("a DSN");
    let (user, rest) = dsn.split_once('@').expect("a key");
    let key = user.rsplit('/').next().expect("a key").to_owned();
    (rest.rsplit('/').next().expect("an id").to_owned(), key)
}

/// Hands a body in at a path of [`SLUG`], with more headers if wanted.
pub fn post(sandbox: &Sandbox, end: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let (project, key) = key_of(sandbox, SLUG);
    let auth = format!("Sentry sentry_key={key}, sentry_version=7");
    let mut all = vec![("x-sentry-auth", auth.as_str())];
    all.extend(headers);
    try_post(sandbox, &format!("/api/{project}/{end}"), &all, body).expect("an answer")
}

pub fn try_post(
    sandbox: &Sandbox,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, String> {
    let mut request =
        agent_within(Duration::from_secs(60)).post(format!("{}{path}", sandbox.url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    read(request.send(body))
}

pub const TRACES: &str = "integration/otlp/v1/traces/";
pub const LOGS: &str = "integration/otlp/v1/logs/";
pub const PROTOBUF: &[(&str, &str)] = &[("content-type", "application/x-protobuf")];
pub const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

pub fn spans(sandbox: &Sandbox, spans: Vec<Span>) -> Answer {
    post(sandbox, TRACES, PROTOBUF, &request(spans).encode_to_vec())
}

pub fn request(spans: Vec<Span>) -> TracesData {
    let scope_spans = vec![ScopeSpans {
        spans,
        ..ScopeSpans::default()
    }];
    TracesData {
        resource_spans: vec![ResourceSpans {
            scope_spans,
            ..ResourceSpans::default()
        }],
    }
}

/// A root of a second that ended a minute ago.
pub fn span(id: u8) -> Span {
    let end = nanos(now() - TimeDelta::minutes(1));
    Span {
        trace_id: bytes(TRACE),
        span_id: vec![0, 0, 0, 0, 0, 0, 1, id],
        name: format!("span {id}"),
        start_time_unix_nano: end - 1_000_000_000,
        end_time_unix_nano: end,
        status: Some(Status::default()),
        ..Span::default()
    }
}

pub fn nanos(instant: DateTime<Utc>) -> u64 {
    let nanos = instant.timestamp_nanos_opt().expect("in range");
    u64::try_from(nanos).expect("after the epoch")
}

pub fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex"))
        .collect()
}

pub fn seconds(instant: DateTime<Utc>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "whole seconds")]
    let seconds = instant.timestamp() as f64;
    seconds
}

/// A transaction of a second with one span, that ended a minute ago.
pub fn transaction() -> Value {
    let end = seconds(now()) - 60.0;
    json!({
        "type": "transaction",
        "transaction": "GET /users",
        "start_timestamp": end - 1.0,
        "timestamp": end,
        "platform": "python",
        "release": "api@1.0",
        "environment": "production",
        "contexts": {"trace": {
            "trace_id": TRACE, "span_id": "00f067aa0ba902b7", "op": "http.server", "status": "ok",
        }},
        "spans": [{
            "trace_id": TRACE,
            "span_id": "00f067aa0ba902b8",
            "parent_span_id": "00f067aa0ba902b7",
            "start_timestamp": end - 0.5,
            "timestamp": end,
            "op": "db",
            "status": "ok",
            "description": "SELECT 1",
        }],
    })
}

pub fn event() -> Value {
    json!({
        "timestamp": seconds(now()) - 60.0,
        "platform": "python",
        "level": "error",
        "exception": {"values": [{"type": "ValueError", "value": "bad"}]},
    })
}

/// An envelope of items, each a header and a payload; lengths are added.
pub fn envelope(header: &Value, items: &[(Value, Value)]) -> Vec<u8> {
    let mut body = format!("{header}\n");
    for (header, payload) in items {
        let payload = payload.to_string();
        let mut header = header.clone();
        header["length"] = payload.len().into();
        body += &format!("{header}\n{payload}\n");
    }
    body.into_bytes()
}

/// One item of a type, without a header of the envelope.
pub fn single(kind: &str, payload: &Value) -> Vec<u8> {
    envelope(&json!({}), &[(json!({"type": kind}), payload.clone())])
}

/// Hands one transaction in.
pub fn transact(sandbox: &Sandbox, transaction: &Value) -> Outcomes {
    let answer = post(
        sandbox,
        "envelope/",
        &[],
        &single("transaction", transaction),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    sandbox.outcomes()
}

/// The reason for which all of a category was lost, if something was.
pub fn reasons(outcomes: &Outcomes) -> Vec<(&str, &str, u64)> {
    let refused = outcomes.refused.iter();
    refused
        .map(|one| (one.category.as_str(), one.reason.as_str(), one.quantity))
        .collect()
}

pub fn remarks(outcomes: &Outcomes) -> Vec<(&str, &str)> {
    let remarks = outcomes.remarks();
    remarks
        .map(|one| (one.path.as_str(), one.reason.as_str()))
        .collect()
}
