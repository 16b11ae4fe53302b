//! Exceptions that become errors.

use crate::dsl::bridge::Bridge;
use crate::dsl::sentry::{dsn, sentry_as};
use crate::dsl::spans::{body, failed, of_resource, span};
use rstest::rstest;
use sentry_sandbox::Relay;
use serde_json::json;

#[rstest]
#[case::beside_otlp(Relay::V26_7)]
#[case::beside_transactions(Relay::V21)]
fn an_exception_is_an_error_of_the_innermost_span_that_recorded_it(#[case] relay: Relay) {
    let sentry = sentry_as(relay);
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry), "environment": "prod"}));
    let resource = [
        ("service.name", "shop"),
        ("telemetry.sdk.language", "python"),
        ("service.version", "1.2"),
    ];
    let inner = failed(span(1, 2, 1), "no such order");
    let at = inner.start_time_unix_nano + 500_000_000;
    let outer = failed(span(1, 1, 0), "no such order");
    let other = failed(span(2, 3, 0), "another");
    bridge.take(&body(vec![of_resource(
        &resource,
        vec![inner, outer, other],
    )]));
    bridge.delivered();
    let outcomes = sentry.outcomes();
    assert_eq!(outcomes.refused, []);
    let errors: Vec<_> = outcomes.of("event").collect();
    assert_eq!(errors.len(), 2);
    assert!(
        errors.iter().all(|error| error.remarks.is_empty()),
        "{errors:?}"
    );
    let error = errors
        .iter()
        .map(|error| &error.payload)
        .find(|error| error["exception"]["values"][0]["value"] == "no such order")
        .expect("the error");
    assert_eq!(error["contexts"]["trace"]["span_id"], "02".repeat(8));
    assert_eq!(error["release"], "1.2");
    assert_eq!(error["environment"], "prod");
    assert_eq!(error["platform"], "python");
    let frame = &error["exception"]["values"][0]["stacktrace"]["frames"][0];
    assert_eq!(
        (&frame["function"], &frame["lineno"]),
        (&json!("order"), &json!(3))
    );
    let told = error["timestamp"].as_f64().expect("seconds");
    #[expect(clippy::cast_precision_loss, reason = "microseconds are enough")]
    let recorded = at as f64 / 1e9;
    assert!((told - recorded).abs() < 1e-5, "{told} {recorded}");
}

#[test]
fn errors_are_not_sampled() {
    let sentry = sentry_as(Relay::V26_7);
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry), "sample_rate": 0.0}));
    bridge.take(&body(vec![of_resource(
        &[],
        vec![failed(span(1, 1, 0), "no")],
    )]));
    bridge.delivered();
    let outcomes = sentry.outcomes();
    assert_eq!(
        (outcomes.of("span").count(), outcomes.of("event").count()),
        (0, 1)
    );
}
