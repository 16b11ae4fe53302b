//! Exporters that a reload has replaced.

use super::*;
use crate::receive::request::Request;
use crate::testing::span;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::Message;
use std::path::Path;

/// Nobody listens there.
const FILE: &str = "exporters: {sentry: {dsn: 'http://key@127.0.0.1:9/42', mode: otlp}}";

fn config() -> Config {
    Config::parse(FILE, Path::new("otlp.yml"), &|_| None).expect("a configuration")
}

fn request() -> Vec<u8> {
    let now = chrono::Utc::now().timestamp_nanos_opt();
    let mut span = span("work", SpanKind::Internal, &[]);
    span.start_time_unix_nano = u64::try_from(now.expect("a time")).expect("after 1970");
    let scope_spans = vec![ScopeSpans {
        spans: vec![span],
        ..ScopeSpans::default()
    }];
    let resource_spans = vec![ResourceSpans {
        scope_spans,
        ..ResourceSpans::default()
    }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

#[tokio::test(start_paused = true)]
async fn what_a_request_hands_over_behind_two_reloads_is_still_looked_after() {
    let bridge = Bridge::new(&config(), &Figures::default()).expect("a bridge");
    // A request that is being read has this in its hands.
    let feeds = bridge.feeds("otlp").load_full();
    bridge.renew(&config()).expect("a reload");
    bridge.renew(&config()).expect("a reload");
    let read = Request::protobuf(Signal::Traces, request().into());
    let (request, outline) = read.expect("a request");
    let exporter = &feeds.traces[0];
    let admitted = exporter.admit(outline).expect("room");
    let taken = exporter.take(&request, &admitted);
    assert_eq!(taken.rejected.spans(), 0);
    exporter.go_on(exporter.keep(admitted, taken).await.expect("it is kept"));
    drop(feeds);
    assert_eq!(bridge.pending(), 1);
    // Those of which nothing is left are let go.
    bridge.renew(&config()).expect("a reload");
    assert_eq!(bridge.former.lock().len(), 2);
}
