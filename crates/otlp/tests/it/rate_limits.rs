//! What Sentry does not take for a while, in all ways in which it says so.

use crate::dsl::bridge::Bridge;
use crate::dsl::sentry::{dsn, sentry};
use crate::dsl::spans::{span, spans};
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match};
use serde_json::json;

fn told(status: u16, header: &'static str, value: &str) -> FaultKind {
    FaultKind::Gateway {
        status,
        body: "",
        header: (header, value.to_owned()),
    }
}

const LIMITS: &str = "x-sentry-rate-limits";

/// How often a span was sent that is limited in this way at first; and whether it arrives.
fn sent(kind: FaultKind) -> (u64, usize) {
    let sentry = sentry();
    let mut bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    bridge.line_with("spans are sent as otlp");
    let fault = Fault::once(Match::path("/v1/traces"), kind);
    sentry.faults().add(fault);
    bridge.take(&spans(vec![span(1, 1, 0)]));
    while bridge.metric("sentry_otlp_sent_total{kind=\"traces\"}") < 1 {}
    let retried = bridge.metric("sentry_otlp_retried_total{kind=\"traces\"}");
    bridge.delivered();
    (retried, sentry.outcomes().of("span").count())
}

#[rstest]
#[case::category(429, "1:span:organization:over_quota")]
#[case::fraction(429, "0.5:span:key")]
#[case::zero(429, "0:span:key")]
#[case::all_categories(429, "1::organization")]
#[case::several(
    429,
    "60:error;attachment:key:reason, 1:transaction;span_indexed:project:reason"
)]
#[case::namespaces(
    429,
    "1:span;metric_bucket:organization:over_quota:custom;transactions"
)]
#[case::unknown_beside(429, "2700:profile_chunk_ui:key,1:span:key")]
#[case::behind_a_success(200, "1:span:organization:over_quota")]
#[case::all_behind_a_success(200, "1")]
fn a_limit_is_waited_for_and_what_was_limited_is_sent_again(
    #[case] status: u16,
    #[case] value: &str,
) {
    assert_eq!(sent(told(status, LIMITS, value)), (1, 1));
}

#[rstest]
#[case::retry_after(FaultKind::RetryAfter(1))]
#[case::of_another_category(FaultKind::Gateway {
    status: 429,
    body: "",
    header: ("retry-after", "0.2".to_owned()),
})]
fn a_wait_without_a_category_is_for_all(#[case] kind: FaultKind) {
    assert_eq!(sent(kind), (1, 1));
}

/// The gateway has taken it, as far as it says.
#[rstest]
#[case::another("60:error;transaction:organization:over_quota")]
#[case::unknown("60:profile_chunk_ui:organization")]
#[case::nonsense("soon:span:key, :span, ;;, -5:span:key, NaN:span:key")]
fn a_limit_on_something_else_behind_a_success_changes_nothing(#[case] value: &str) {
    assert_eq!(sent(told(200, LIMITS, value)), (0, 0));
}
