//! What is put on the disk is read again before it goes on: nothing of it is told, counted or sent twice.

use crate::dsl::bridge::Bridge;
use crate::dsl::logs::{log, logs};
use crate::dsl::sentry::sentry;
use crate::dsl::spans::{failed, now, span, spans};
use crate::spool::{delivered, folder, ids, settings};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use rstest::rstest;
use serde_json::{Value, json};

const MINUTE: u64 = 60_000_000_000;

/// An exporter in memory alone, or with a spool.
fn bridge(has_spool: bool, settings: &Value) -> Bridge {
    let mut settings = settings.clone();
    if !has_spool {
        settings.as_object_mut().expect("an object").remove("spool");
    }
    Bridge::start(&settings)
}

fn expect(bridge: &Bridge, all: &[(&str, u64)]) {
    for (series, expected) in all {
        let series = format!("sentry_otlp_{series}");
        assert_eq!(bridge.metric(&series), *expected, "{series}");
    }
}

#[rstest]
fn what_is_rejected_and_mended_is_so_once(#[values(false, true)] has_spool: bool) {
    let (sentry, folder) = (sentry(), folder());
    let bridge = bridge(has_spool, &settings(&sentry, &folder, &json!({})));
    let nameless = Span {
        trace_id: vec![0; 16],
        ..span(1, 1, 0)
    };
    let backwards = Span {
        end_time_unix_nano: 1,
        ..span(1, 2, 0)
    };
    let ahead = Span {
        end_time_unix_nano: now() + 2 * MINUTE,
        ..span(1, 3, 0)
    };
    let answer = bridge.send(&spans(vec![nameless, backwards, ahead, span(1, 4, 0)]));
    assert_eq!(answer.status, 200);
    let told = ExportTraceServiceResponse::decode(&*answer.body).expect("an answer");
    let partial = told.partial_success.expect("a partial success");
    assert_eq!(partial.rejected_spans, 1);
    bridge.until("sentry_otlp_sent_total{kind=\"traces\"}", 3);
    expect(
        &bridge,
        &[
            ("received_total{kind=\"span\"}", 4),
            ("accepted_total{kind=\"span\"}", 3),
            ("rejected_total{kind=\"span\",reason=\"invalid_id\"}", 1),
            ("rejected_total{kind=\"span\"}", 1),
            ("mended_total{reason=\"end_before_start\"}", 1),
            ("mended_total{reason=\"ahead_of_clock\"}", 1),
        ],
    );
    delivered(bridge);
    let (ids, count) = ids(&sentry);
    assert_eq!((ids.len(), count), (3, 3));
}

#[rstest]
fn what_is_sampled_is_counted_once_and_its_errors_go_out(#[values(false, true)] has_spool: bool) {
    let (sentry, folder) = (sentry(), folder());
    let more = json!({"sample_rate": 0});
    let bridge = bridge(has_spool, &settings(&sentry, &folder, &more));
    let thrown = failed(span(2, 1, 0), "broken");
    bridge.take(&spans(vec![span(1, 1, 0), span(1, 2, 1), thrown]));
    bridge.until("sentry_otlp_sent_total{kind=\"error\"}", 1);
    expect(
        &bridge,
        &[
            ("accepted_total{kind=\"span\"}", 3),
            ("rejected_total{kind=\"span\",reason=\"sampled\"}", 3),
        ],
    );
    delivered(bridge);
    assert_eq!(sentry.outcomes().of("event").count(), 1);
    assert_eq!(ids(&sentry).1, 0);
}

/// Otherwise it waits for an hour.
#[rstest]
fn the_root_of_a_trace_makes_its_errors_due_though_it_is_not_kept(
    #[values(false, true)] has_spool: bool,
) {
    let (sentry, folder) = (sentry(), folder());
    let more = json!({"sample_rate": 0, "trace_timeout": "1h"});
    let bridge = bridge(has_spool, &settings(&sentry, &folder, &more));
    let thrown = failed(span(2, 2, 1), "broken");
    bridge.take(&spans(vec![thrown, span(2, 1, 0)]));
    bridge.until("sentry_otlp_sent_total{kind=\"error\"}", 1);
    delivered(bridge);
}

#[rstest]
fn a_log_record_that_grows_too_large_is_told(#[values(false, true)] has_spool: bool) {
    let (sentry, folder) = (sentry(), folder());
    let bridge = bridge(has_spool, &settings(&sentry, &folder, &json!({})));
    // The severity as a text is added to it.
    let mut grows = log(&"x".repeat((1 << 20) - 100));
    grows.severity_text = "NOTICE OF A KIND THAT SENTRY DOES NOT KNOW".to_owned();
    let small = log("small");
    let answer = bridge.send_logs(&logs(vec![grows, small]));
    assert_eq!(answer.status, 200);
    expect(
        &bridge,
        &[
            ("accepted_total{kind=\"log\"}", 1),
            ("rejected_total{kind=\"log\",reason=\"too_large\"}", 1),
        ],
    );
    delivered(bridge);
    assert_eq!(sentry.outcomes().of("log").count(), 1);
}
