//! Quotas, and what goes wrong on the way.

use crate::client::{Answer, agent_within, read};
use crate::post::{
    PROTOBUF, SLUG, TRACES, envelope, event, key_of, post, request, single, span, spans, taking,
    transaction, try_post,
};
use prost::Message;
use sentry_sandbox::intake::{Quotas, Scope};
use sentry_sandbox::{Fault, FaultKind, Gate, Match, Quota, Sandbox, Told};
use serde_json::json;
use std::time::Duration;

fn quotas(sandbox: &Sandbox) -> &Quotas {
    sandbox.quotas().expect("an intake")
}

fn limits(answer: &Answer) -> (u16, Option<&str>, Option<&str>) {
    let limits = answer.header("x-sentry-rate-limits");
    (answer.status, answer.header("retry-after"), limits)
}

fn transact(sandbox: &Sandbox) -> Answer {
    post(
        sandbox,
        "envelope/",
        &[],
        &single("transaction", &transaction()),
    )
}

#[test]
fn a_quota_is_told_with_429_until_it_is_lifted() {
    let sandbox = taking();
    quotas(&sandbox).add(Quota::on(&["transaction"]));
    let expected = (
        429,
        Some("60"),
        Some("60:transaction:organization:over_quota"),
    );
    for _ in 0..2 {
        assert_eq!(limits(&transact(&sandbox)), expected);
    }
    let outcomes = sandbox.outcomes();
    assert_eq!(outcomes.of("transaction").count(), 0);
    assert_eq!(outcomes.lost("transaction", "over_quota"), 2);
    assert_eq!(outcomes.lost("span", "over_quota"), 4);
    assert!(
        outcomes
            .refused
            .iter()
            .all(|one| one.outcome == "rate_limited")
    );
    // OTLP is spans.
    assert_eq!(limits(&spans(&sandbox, vec![span(1)])), (200, None, None));
    quotas(&sandbox).lift();
    assert_eq!(limits(&transact(&sandbox)), (200, None, None));
}

#[test]
fn a_quota_may_be_for_some_requests_and_some_projects_only() {
    let sandbox = taking();
    quotas(&sandbox).add(Quota {
        seconds: 7,
        scope: Scope::Key,
        reason: "burst".to_owned(),
        requests: 1,
        project: Some(2),
        ..Quota::on(&["span", "transaction"])
    });
    let (project, key) = key_of(&sandbox, "web");
    let path = format!("/api/{project}/{TRACES}?sentry_key={key}");
    let body = request(vec![span(1)]).encode_to_vec();
    let answer = try_post(&sandbox, &path, PROTOBUF, &body).expect("an answer");
    assert_eq!(answer.status, 200);
    let answer = spans(&sandbox, vec![span(1)]);
    assert_eq!(
        limits(&answer),
        (429, Some("7"), Some("7:span;transaction:key:burst"))
    );
    assert_eq!(
        answer.header("content-type"),
        Some("application/x-protobuf")
    );
    assert_eq!(
        answer.body.first_chunk(),
        Some(&[8, 8]),
        "the code RESOURCE_EXHAUSTED"
    );
    assert_eq!(spans(&sandbox, vec![span(1)]).status, 200);
    assert_eq!(sandbox.outcomes().of("span").count(), 2);
}

#[test]
fn one_limited_category_is_429_and_the_rest_is_taken() {
    let sandbox = taking();
    quotas(&sandbox).add(Quota::on(&["attachment"]));
    let items = [
        (json!({"type": "event"}), event()),
        (json!({"type": "attachment"}), json!("data")),
    ];
    let id = "ab".repeat(16);
    let body = envelope(&json!({"event_id": id}), &items);
    for _ in 0..2 {
        assert_eq!(post(&sandbox, "envelope/", &[], &body).status, 429);
    }
    let outcomes = sandbox.outcomes();
    let copies: Vec<usize> = outcomes.of("event").map(|one| one.copies).collect();
    assert_eq!(copies, [2]);
    assert_eq!(outcomes.of("attachment").count(), 0);
    // A limit on spans refuses a transaction that is taken whole.
    quotas(&sandbox).add(Quota::on(&["span"]));
    assert_eq!(
        limits(&transact(&sandbox)),
        (429, Some("60"), Some("60:span:organization:over_quota"))
    );
    let outcomes = sandbox.outcomes();
    let payload = &outcomes.of("transaction").next().expect("one").payload;
    assert_eq!(payload["spans"].as_array().map(Vec::len), Some(1));
}

#[test]
fn limits_on_what_is_indexed_are_not_told() {
    let sandbox = taking();
    quotas(&sandbox).add(Quota::on(&["span_indexed"]));
    for _ in 0..2 {
        assert_eq!(limits(&spans(&sandbox, vec![span(1)])), (200, None, None));
    }
    assert_eq!(sandbox.outcomes().of("span").count(), 0);
    assert_eq!(sandbox.outcomes().lost("span", "over_quota"), 2);
    quotas(&sandbox).add(Quota::on(&["transaction_indexed"]));
    assert_eq!(limits(&transact(&sandbox)), (200, None, None));
    assert_eq!(sandbox.outcomes().of("transaction").count(), 0);
}

#[test]
fn a_limit_may_be_learnt_late_or_told_in_passing() {
    let sandbox = taking();
    quotas(&sandbox).add(Quota {
        told: Told::Late,
        ..Quota::on(&["error"])
    });
    let send = || post(&sandbox, "envelope/", &[], &single("event", &event()));
    assert_eq!(limits(&send()), (200, None, None));
    assert_eq!(sandbox.outcomes().lost("error", "over_quota"), 1);
    assert_eq!(send().status, 429);
    quotas(&sandbox).lift();
    quotas(&sandbox).add(Quota {
        told: Told::InPassing,
        ..Quota::on(&[])
    });
    assert_eq!(
        limits(&send()),
        (200, None, Some("60::organization:over_quota"))
    );
    assert_eq!(sandbox.outcomes().of("event").count(), 1);
}

fn broken(sandbox: &Sandbox, timeout: u64) -> bool {
    let (project, key) = key_of(sandbox, SLUG);
    let url = format!("{}/api/{project}/{TRACES}?sentry_key={key}", sandbox.url());
    let body = request(vec![span(1)]).encode_to_vec();
    let agent = agent_within(Duration::from_millis(timeout));
    let request = agent
        .post(url)
        .header("content-type", "application/x-protobuf");
    read(request.send(body)).is_err()
}

#[test]
fn a_connection_may_end_before_or_after_the_body_was_taken() {
    let sandbox = taking();
    let faults = sandbox.faults();
    faults.add(Fault::once(Match::path("/otlp/"), FaultKind::Reset));
    assert!(broken(&sandbox, 20_000));
    assert_eq!(sandbox.outcomes().of("span").count(), 0);
    faults.add(Fault::once(Match::path("/otlp/"), FaultKind::ResetTaken));
    assert!(broken(&sandbox, 20_000));
    assert_eq!(sandbox.outcomes().of("span").count(), 1);
    faults.add(Fault::once(Match::path("/otlp/"), FaultKind::Silence));
    assert!(broken(&sandbox, 200));
    assert_eq!(sandbox.outcomes().of("span").count(), 1);
    assert!(!broken(&sandbox, 20_000));
    let statuses: Vec<u16> = sandbox.requests().iter().map(|one| one.status).collect();
    assert_eq!(statuses, [0, 0, 0, 200]);
}

#[test]
fn an_answer_may_be_held_back() {
    let sandbox = taking();
    let gate = Gate::closed();
    let fault = FaultKind::Hold(gate.clone());
    sandbox
        .faults()
        .add(Fault::once(Match::path("/otlp/"), fault));
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| spans(&sandbox, vec![span(1)]).status);
        while sandbox.requests().is_empty() {
            std::thread::yield_now();
        }
        assert_eq!(sandbox.outcomes().of("span").count(), 0);
        gate.open();
        assert_eq!(answer.join().expect("an answer"), 200);
    });
}

#[test]
fn an_overloaded_server_says_so_for_some_requests() {
    let sandbox = taking();
    let fault = Fault {
        times: 2,
        ..Fault::once(Match::path("/api/2/"), FaultKind::Status(503))
    };
    sandbox.faults().add(fault);
    let answer = spans(&sandbox, vec![span(1)]);
    assert_eq!(answer.status, 503);
    assert_eq!(
        answer.body.first_chunk(),
        Some(&[8, 14]),
        "the code UNAVAILABLE"
    );
    let answer = transact(&sandbox);
    let expected = json!({"detail": "the service is overloaded"});
    assert_eq!((answer.status, answer.json()), (503, expected));
    assert_eq!(transact(&sandbox).status, 200);
    assert_eq!(sandbox.outcomes().accepted.len(), 1);
    sandbox.faults().add(Fault::once(
        Match::path("/api/2/"),
        FaultKind::RetryAfter(3),
    ));
    assert_eq!(limits(&transact(&sandbox)), (429, Some("3"), None));
}
