//! Another configuration while data waits: nothing of it is lost.

use crate::dsl::bridge::{Bridge, config, post};
use crate::dsl::logs::{log, logs};
use crate::dsl::sentry::{dsn, sentry_as};
use crate::dsl::spans::{span, spans};
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match, Relay};
use serde_json::json;
use std::collections::BTreeSet;

/// So many clients send at the same time, and each so many requests.
const CLIENTS: u8 = 4;
const REQUESTS: u8 = 30;

#[rstest]
#[case::otlp(Relay::V26_7)]
#[case::transactions(Relay::V21)]
fn what_waits_or_comes_during_reloads_is_delivered(#[case] relay: Relay) {
    let sentry = sentry_as(relay);
    let settings = |environment: &str| {
        let more = json!({"dsn": dsn(&sentry), "environment": environment, "trace_timeout": "60s"});
        config(&more)
    };
    let mut bridge = Bridge::start(&json!({"dsn": dsn(&sentry), "trace_timeout": "60s"}));
    bridge.line_with("spans are sent as");
    for path in ["/v1/", "/envelope/"] {
        let fault = Fault::always(Match::path(path), FaultKind::Status(503));
        sentry.faults().add(fault);
    }
    // It waits: Sentry takes nothing, and traces are not complete.
    bridge.take(&spans(vec![span(0xfe, 0xfe, 0)]));
    let address = bridge.address();
    std::thread::scope(|scope| {
        let client = |client: u8| {
            move || {
                for number in 0..REQUESTS {
                    let trace = 1 + client * REQUESTS + number;
                    let body = spans(vec![span(trace, trace, 0)]);
                    let headers = [("content-type", "application/x-protobuf")];
                    assert_eq!(post(address, "/v1/traces", &headers, &body).status, 200);
                }
            }
        };
        let clients: Vec<_> = (0..CLIENTS).map(|one| scope.spawn(client(one))).collect();
        let mut reloads = 0;
        while reloads < 3 || clients.iter().any(|client| !client.is_finished()) {
            bridge.reload(&settings(&format!("number-{reloads}")));
            reloads += 1;
            let series = "sentry_otlp_config_last_reload_successful";
            assert_eq!(bridge.metric(series), 1);
        }
    });
    sentry.faults().clear();
    bridge.delivered();
    let outcomes = sentry.outcomes();
    assert_eq!(outcomes.refused, []);
    let traces = match relay {
        Relay::V21 => outcomes.of("transaction"),
        _ => outcomes.of("span"),
    };
    let trace = |payload: &serde_json::Value| {
        let of_span = payload["trace_id"].as_str();
        let of_transaction = payload["contexts"]["trace"]["trace_id"].as_str();
        of_span.or(of_transaction).expect("a trace").to_owned()
    };
    let traces: Vec<_> = traces.map(|one| trace(&one.payload)).collect();
    let once: BTreeSet<_> = traces.iter().collect();
    let all = usize::from(CLIENTS * REQUESTS) + 1;
    assert_eq!((traces.len(), once.len()), (all, all));
}

#[test]
fn what_waits_since_before_a_reload_still_counts() {
    let sentry = sentry_as(Relay::V26_7);
    let settings = |environment| {
        let more = json!({"dsn": dsn(&sentry), "mode": "otlp", "environment": environment});
        config(&more)
    };
    let mut bridge = Bridge::with(&settings("one"));
    bridge.line_with("spans are sent as");
    sentry.faults().add(Fault::always(
        Match::path("/v1/traces"),
        FaultKind::Status(503),
    ));
    bridge.take(&spans(vec![span(1, 1, 0), span(1, 2, 1)]));
    bridge.reload(&settings("two"));
    bridge.line_with("spans are sent as");
    bridge.until("sentry_otlp_pending", 2);
    assert!(bridge.metric("sentry_otlp_queue_bytes") > 0);
    sentry.faults().clear();
    bridge.until("sentry_otlp_pending", 0);
    bridge.delivered();
}

#[test]
fn logs_that_wait_go_by_the_configuration_with_which_they_came() {
    let sentry = sentry_as(Relay::V26_7);
    let mut bridge = Bridge::start(&json!({"dsn": dsn(&sentry), "environment": "one"}));
    bridge.line_with("spans are sent as");
    sentry.faults().add(Fault::always(
        Match::path("/v1/logs"),
        FaultKind::Status(503),
    ));
    bridge.take_logs(&logs(vec![log("a")]));
    bridge.line_with("not known yet how logs are taken");
    bridge.reload(&config(&json!({"dsn": dsn(&sentry), "environment": "two"})));
    bridge.line_with("spans are sent as");
    bridge.take_logs(&logs(vec![log("b")]));
    sentry.faults().clear();
    bridge.delivered();
    let outcomes = sentry.outcomes();
    let mut found: Vec<_> = outcomes
        .of("log")
        .map(|one| {
            let environment = &one.payload["attributes"]["sentry.environment"]["value"];
            (one.payload["body"].clone(), environment.clone())
        })
        .collect();
    found.sort_by_key(|(body, _)| body.to_string());
    assert_eq!(
        found,
        [(json!("a"), json!("one")), (json!("b"), json!("two")),]
    );
}
