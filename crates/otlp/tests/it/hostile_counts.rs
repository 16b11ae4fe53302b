//! Bodies with as much in them as there can be: what is small as it comes and large in memory, or as it goes out.

use crate::dsl::hostile::{JSON, PROTOBUF, field, request, traces, transactions, well};
use crate::dsl::spans::{body, of_resource, span, spans, text};
use opentelemetry_proto::tonic::trace::v1::span::Event;
use rstest::rstest;
use sentry_sandbox::Relay;

/// A large body.
const FULL: usize = 8 << 20;

/// `part` again and again, up to a large body.
fn often(part: &[u8]) -> Vec<u8> {
    part.repeat(FULL / part.len())
}

#[rstest]
#[case::resources(field(1, b""))]
#[case::scopes(field(1, &field(2, b"")))]
#[case::spans(request(&[], &field(2, b"")))]
fn many_in_one_request_take_little(#[case] part: Vec<u8>) {
    let (sentry, bridge) = traces();
    assert_eq!(bridge.send(&often(&part)).status, 200);
    well(&sentry, bridge);
}

#[rstest]
#[case::of_a_resource(|many: &[u8]| request(&field(1, many), b""), 1, 400)]
#[case::of_a_scope(|many: &[u8]| request(&[], &field(1, many)), 3, 400)]
#[case::of_a_span(|many: &[u8]| request(&[], &field(2, many)), 9, 200)]
#[case::of_a_log(|many: &[u8]| request(&[], &field(2, many)), 6, 200)]
fn many_attributes_take_little(
    #[case] around: fn(&[u8]) -> Vec<u8>,
    #[case] number: u32,
    #[case] status: u16,
    #[values(Relay::V26_7, Relay::V21)] relay: Relay,
) {
    let (sentry, bridge) = if relay == Relay::V21 {
        transactions()
    } else {
        traces()
    };
    // A span may have 10 MiB.
    let many = field(number, b"").repeat((9 << 20) / 2);
    let body = around(&many);
    let of = if number == 6 {
        "/v1/logs"
    } else {
        "/v1/traces"
    };
    assert_eq!(bridge.post(of, &[PROTOBUF], &body).status, status);
    well(&sentry, bridge);
}

#[rstest]
#[case::resources(r#"{"resourceSpans":["#, "{}", "]}", 200)]
#[case::no_resources(r#"{"resourceSpans":["#, "0", "]}", 400)]
#[case::scopes(r#"{"resourceSpans":[{"scopeSpans":["#, "{}", "]}]}", 200)]
#[case::spans(r#"{"resourceSpans":[{"scopeSpans":[{"spans":["#, "0", "]}]}]}", 200)]
#[case::attributes(r#"{"resourceSpans":[{"resource":{"attributes":["#, "{}", "]}}]}", 400)]
#[case::of_a_span(
    r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":["#,
    "{}",
    "]}]}]}]}",
    200
)]
#[case::of_another_name(r#"{"resourceSpans":[{"other":["#, "0", "]}]}", 200)]
#[case::schema_url(r#"{"resourceSpans":[{"schemaUrl":["#, "0", "]}]}", 200)]
fn many_in_json_take_little(
    #[case] before: &str,
    #[case] part: &str,
    #[case] behind: &str,
    #[case] status: u16,
) {
    let (sentry, bridge) = traces();
    let parts = FULL / (part.len() + 1);
    let body = [before, &format!("{part},").repeat(parts), part, behind].concat();
    assert_eq!(
        bridge.post("/v1/traces", &[JSON], body.as_bytes()).status,
        status
    );
    well(&sentry, bridge);
}

/// A span with as many exceptions as fit, none the same as another.
fn failing(exceptions: usize) -> opentelemetry_proto::tonic::trace::v1::Span {
    let mut span = span(1, 1, 0);
    span.attributes = (0..1000)
        .map(|number| text(&format!("attribute.{number}"), &"x".repeat(40)))
        .collect();
    let exception = |number: usize| Event {
        name: "exception".to_owned(),
        attributes: vec![text("exception.message", &number.to_string())],
        ..Event::default()
    };
    span.events = (0..exceptions).map(exception).collect();
    span
}

#[test]
fn exceptions_without_end_are_bounded_and_counted() {
    let (sentry, bridge) = transactions();
    bridge.take(&spans(vec![failing(30_000)]));
    assert_eq!(
        bridge.metric("sentry_otlp_rejected_total{kind=\"error\",reason=\"too_large\"}"),
        30_000 - 128
    );
    well(&sentry, bridge);
    assert_eq!(sentry.outcomes().of("event").count(), 128);
}

#[test]
fn a_resource_that_each_of_many_spans_repeats_is_bounded() {
    let (sentry, bridge) = transactions();
    let large = (0..100).map(|number| (format!("attribute.{number}"), "x".repeat(1000)));
    let large: Vec<_> = large.collect();
    let large: Vec<_> = large
        .iter()
        .map(|(key, value)| (&**key, &**value))
        .collect();
    let many = (0..50_000_u64).map(|number| {
        let mut span = span(1, 1, 0);
        span.trace_id[..8].copy_from_slice(&number.to_be_bytes());
        span
    });
    let answer = bridge.send(&body(vec![of_resource(&large, many.collect())]));
    assert_eq!(answer.status, 413);
    well(&sentry, bridge);
}

#[test]
fn a_chain_of_spans_without_end_is_taken() {
    let (sentry, bridge) = transactions();
    let chain = (1..20_000_u64).map(|number| {
        let mut span = span(1, 1, 0);
        span.span_id = number.to_be_bytes().to_vec();
        // The first is its own ancestor, by the last.
        span.parent_span_id = (number % 19_999 + 1).to_be_bytes().to_vec();
        span
    });
    bridge.take(&spans(chain.collect()));
    well(&sentry, bridge);
    let outcomes = sentry.outcomes();
    assert_eq!(outcomes.refused, []);
    let of_chain = outcomes.of("transaction").map(|one| {
        let spans = one.payload["spans"].as_array().map_or(0, Vec::len);
        spans + 1
    });
    // And the good one.
    assert_eq!(of_chain.sum::<usize>(), 19_999 + 1);
}
