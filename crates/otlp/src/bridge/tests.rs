//! Exporters that a reload has replaced, and what waits in vain.

use super::*;
use crate::delivery::absence::Absence;
use crate::delivery::project::State;
use crate::receive::request::Request;
use crate::testing::{metrics, span};
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

/// A request of one span, taken.
async fn take(exporter: &Arc<Exporter>) {
    let read = Request::protobuf(Signal::Traces, request().into());
    let (request, outline) = read.expect("a request");
    let admitted = exporter.admit(outline).expect("room");
    let made = exporter.take(&request, outline, &admitted);
    assert_eq!(made.checked().rejected.spans(), 0);
    exporter.go_on(exporter.keep(admitted, made).await.expect("it is kept"));
}

#[tokio::test(start_paused = true)]
async fn what_is_for_a_project_that_is_not_there_is_given_up_after_an_hour() {
    let figures = Figures::default();
    let bridge = Bridge::new(&config(), &figures).expect("a bridge");
    let exporter = Arc::clone(&bridge.all()[0]);
    let project = exporter.route.projects().remove(0);
    let mut states = project.state.subscribe();
    let known = states.wait_for(|state| matches!(state, State::Ready(..)));
    drop(known.await.expect("its mode is told"));
    // It has been waiting for long when the project is found missing.
    take(&exporter).await;
    let hour = Duration::from_secs(60 * 60);
    tokio::time::sleep(2 * hour).await;
    let absence = Absence::begun();
    project.state.send_replace(State::NotThere(absence));
    tokio::time::sleep(Duration::from_secs(59 * 60)).await;
    assert_eq!(bridge.pending(), 1);
    assert!(matches!(*project.state.borrow(), State::NotThere(_)));
    // It is looked for before anything is given up, and found: so is what a DSN names.
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(bridge.pending(), 1);
    assert!(matches!(*project.state.borrow(), State::Ready(..)));
    // Looked for in vain.
    project.state.send_replace(State::NotThere(absence.again()));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(bridge.pending(), 0);
    let text = metrics(&figures);
    let series = "rejected_total{kind=\"span\",reason=\"no_project\"} 1\n";
    assert!(text.contains(series), "{text}");
}

#[tokio::test(start_paused = true)]
async fn what_a_request_hands_over_behind_two_reloads_is_still_looked_after() {
    let bridge = Bridge::new(&config(), &Figures::default()).expect("a bridge");
    // A request that is being read has this in its hands.
    let feeds = bridge.feeds("otlp").load_full();
    bridge.renew(&config()).expect("a reload");
    bridge.renew(&config()).expect("a reload");
    take(&feeds.traces[0]).await;
    drop(feeds);
    assert_eq!(bridge.pending(), 1);
    // Those of which nothing is left are let go.
    bridge.renew(&config()).expect("a reload");
    assert_eq!(bridge.former.lock().len(), 2);
}
