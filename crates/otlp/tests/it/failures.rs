//! Sentry does not take what comes, for a while.

use crate::dsl::bridge::Bridge;
use crate::dsl::sentry::{dsn, sentry, sentry_as};
use crate::dsl::spans::{span, spans};
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match, Quota, Relay};
use serde_json::json;

fn on_path(part: &'static str) -> Match {
    Match::path(part)
}

#[rstest]
#[case::unavailable(FaultKind::Status(503))]
#[case::gateway(FaultKind::Status(502))]
#[case::slow(FaultKind::Status(408))]
#[case::misdirected(FaultKind::Status(421))]
#[case::early(FaultKind::Status(425))]
#[case::reset(FaultKind::Reset)]
fn a_failure_that_passes_costs_nothing(#[case] kind: FaultKind) {
    let sentry = sentry();
    let mut bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    bridge.line_with("spans are sent as otlp");
    let faults = sentry.faults();
    faults.add(Fault {
        times: 3,
        ..Fault::once(on_path("/v1/traces"), kind)
    });
    bridge.take(&spans(vec![span(1, 1, 0)]));
    bridge.delivered();
    assert_eq!(sentry.outcomes().of("span").count(), 1);
}

#[test]
fn a_transaction_that_is_sent_again_has_its_id() {
    let sentry = sentry_as(Relay::V21);
    sentry.faults().add(Fault {
        times: 2,
        ..Fault::once(on_path("/envelope/"), FaultKind::Status(503))
    });
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    bridge.take(&spans(vec![span(1, 1, 0), span(1, 2, 1)]));
    bridge.delivered();
    let outcomes = sentry.outcomes();
    assert_eq!(outcomes.of("transaction").count(), 1);
}

#[test]
fn a_limit_is_waited_for() {
    let sentry = sentry();
    let mut bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    bridge.line_with("spans are sent as otlp");
    sentry.quotas().expect("an intake").add(Quota {
        seconds: 1,
        requests: 1,
        ..Quota::on(&["span"])
    });
    bridge.take(&spans(vec![span(1, 1, 0)]));
    bridge.delivered();
    let outcomes = sentry.outcomes();
    assert_eq!(outcomes.of("span").count(), 1);
}

#[test]
fn what_waits_too_long_is_counted_as_lost() {
    let sentry = sentry();
    let mut bridge = Bridge::start(&json!({
        "dsn": dsn(&sentry),
        "retry_on_failure": {"initial_interval": "10ms", "max_elapsed_time": "50ms"},
    }));
    bridge.line_with("spans are sent as otlp");
    sentry
        .faults()
        .add(Fault::always(on_path("/v1/traces"), FaultKind::Status(503)));
    bridge.take(&spans(vec![span(1, 1, 0), span(1, 2, 1)]));
    bridge.line_with("reason=expired");
    assert_eq!(
        bridge.metric("sentry_otlp_rejected_total{reason=\"expired\"}"),
        2
    );
    bridge.delivered();
}
