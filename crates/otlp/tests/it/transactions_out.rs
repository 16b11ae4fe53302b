//! Spans that go out as transactions.

use crate::dsl::bridge::Bridge;
use crate::dsl::sentry::{dsn, sentry_as};
use crate::dsl::spans::{body, of_resource, span, spans};
use sentry_sandbox::Relay;
use serde_json::{Value, json};

#[test]
fn a_trace_of_several_requests_is_one_transaction() {
    let sentry = sentry_as(Relay::V21);
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry), "environment": "prod"}));
    let resource = [("service.name", "shop"), ("service.version", "1.2.3")];
    let request = |spans| body(vec![of_resource(&resource, spans)]);
    bridge.take(&request(vec![span(1, 3, 2), span(1, 2, 1)]));
    bridge.take(&request(vec![span(1, 1, 0)]));
    bridge.delivered();
    let outcomes = sentry.outcomes();
    assert_eq!(outcomes.refused, []);
    assert_eq!(outcomes.remarks().count(), 0);
    let transactions: Vec<_> = outcomes.of("transaction").map(|one| &one.payload).collect();
    let [transaction] = transactions[..] else {
        panic!("{transactions:?}");
    };
    assert_eq!(transaction["transaction"], "span 1");
    assert_eq!(transaction["release"], "1.2.3");
    assert_eq!(transaction["environment"], "prod");
    let children = transaction["spans"].as_array().expect("spans");
    let ids: Vec<_> = children.iter().map(|span| &span["span_id"]).collect();
    assert_eq!(ids.len(), 2);
}

#[test]
fn traces_are_sent_when_they_are_complete() {
    let sentry = sentry_as(Relay::V21);
    let mut bridge = Bridge::start(&json!({"dsn": dsn(&sentry), "trace_timeout": "10ms"}));
    bridge.line_with("spans are sent as transactions");
    bridge.take(&spans(vec![span(1, 1, 0)]));
    // Nothing asks it to end.
    while bridge.metric("sentry_otlp_sent_total{kind=\"transaction\"}") < 1 {
        std::thread::yield_now();
    }
    assert_eq!(sentry.outcomes().of("transaction").count(), 1);
}

#[test]
fn late_children_and_orphans_are_sent_and_marked() {
    let sentry = sentry_as(Relay::V21);
    let mut bridge = Bridge::start(&json!({"dsn": dsn(&sentry), "trace_timeout": "10ms"}));
    bridge.line_with("spans are sent as transactions");
    bridge.take(&spans(vec![span(1, 1, 0)]));
    while bridge.metric("sentry_otlp_pending") > 0 {
        std::thread::yield_now();
    }
    bridge.take(&spans(vec![span(1, 2, 1), span(2, 5, 4)]));
    bridge.delivered();
    let outcomes = sentry.outcomes();
    let marks: Vec<_> = outcomes
        .of("transaction")
        .map(|one| one.payload["contexts"]["trace"]["data"].clone())
        .collect();
    assert_eq!(marks.len(), 3);
    let marked = |name: &str| {
        marks
            .iter()
            .filter(|data| data[name] == Value::Bool(true))
            .count()
    };
    assert_eq!(marked("sentry.parent_span_already_sent"), 1);
    assert_eq!(marked("sentry_otlp.parent_span_missing"), 1);
}

#[test]
fn a_large_trace_is_cut_into_transactions_that_sentry_keeps_whole() {
    let sentry = sentry_as(Relay::V21);
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    let mut all = vec![span(1, 1, 0)];
    for number in 0..2_500_u32 {
        let mut child = span(1, 2, 1);
        child.span_id = [&[7; 4][..], &number.to_be_bytes()[..]].concat();
        all.push(child);
    }
    bridge.take(&spans(all));
    bridge.delivered();
    let outcomes = sentry.outcomes();
    assert_eq!(outcomes.refused, []);
    let count = |one: &Value| 1 + one["spans"].as_array().map_or(0, Vec::len);
    let sizes: Vec<_> = outcomes
        .of("transaction")
        .map(|one| count(&one.payload))
        .collect();
    assert!(sizes.iter().all(|size| *size <= 1000), "{sizes:?}");
    assert_eq!(sizes.iter().sum::<usize>(), 2_501);
}

#[test]
fn a_span_that_is_too_old_for_transactions_is_told() {
    let sentry = sentry_as(Relay::V21);
    let mut bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    bridge.line_with("spans are sent as transactions");
    let mut old = span(1, 1, 0);
    old.start_time_unix_nano -= 6 * 86_400 * 1_000_000_000;
    let answer = bridge.send(&spans(vec![old, span(1, 2, 0)]));
    assert_eq!(answer.status, 200);
    assert!(!answer.body.is_empty(), "a partial success");
    assert_eq!(
        bridge.metric("sentry_otlp_rejected_total{reason=\"too_old\"}"),
        1
    );
    bridge.delivered();
    assert_eq!(sentry.outcomes().of("transaction").count(), 1);
}
