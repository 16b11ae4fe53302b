//! Whatever the order in which spans come, and whatever the bounds: each goes out exactly once.

use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::collection::vec;
use proptest::prelude::*;
use sentry_otlp::seen::Seen;
use sentry_otlp::terms::Terms;
use sentry_otlp::transactions::group::{Arrived, Bounds, Grouper};
use sentry_otlp::transactions::payload::Payload;
use serde_json::Value;
use std::time::{Duration, Instant};

/// A trace, an id, a parent and flags.
type Made = (u8, u8, u8, u32);

/// Time that passes, in seconds, then a span, or a look at what is due.
fn step() -> impl Strategy<Value = (u64, Option<Made>)> {
    let flags = prop_oneof![Just(0), Just(0x100), Just(0x300)];
    let span = (1_u8..4, 1_u8..12, 0_u8..12, flags);
    (0_u64..4, prop::option::weighted(0.8, span))
}

fn span((trace, id, parent, flags): Made, number: u64) -> Span {
    let start = 1_795_911_870_000_000_000;
    Span {
        trace_id: vec![trace; 16],
        span_id: vec![id; 8],
        parent_span_id: vec![parent; 8],
        flags,
        name: "work".to_owned(),
        // No span repeats another one.
        start_time_unix_nano: start + number * 1_000,
        end_time_unix_nano: start + 1_000_000_000,
        ..Span::default()
    }
}

/// A span of no resource, as it is to be added.
fn arrived(grouper: &mut Grouper, span: &Span) -> Arrived {
    let seen = Seen::alone(span);
    let origin = grouper.origin(seen.resource, &Terms::default());
    Arrived::of(&seen, origin).expect("it can be written")
}

/// Trace, id and start of each span of a transaction, the root first.
fn spans(payload: &Payload) -> Vec<(String, String, String)> {
    let event: Value = serde_json::from_slice(&payload.json).expect("JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let start = |span: &Value| span["start_timestamp"].to_string();
    let trace = &event["contexts"]["trace"];
    let root = (
        text(&trace["trace_id"]),
        text(&trace["span_id"]),
        start(&event),
    );
    let spans = event["spans"].as_array().expect("spans").iter();
    let others = spans.map(|span| (text(&span["trace_id"]), text(&span["span_id"]), start(span)));
    std::iter::once(root).chain(others).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_span_goes_out_exactly_once(
        steps in vec(step(), 0..60),
        most_spans in 1_usize..40,
        most_bytes in 500_usize..20_000,
    ) {
        let bounds = Bounds {
            timeout: Duration::from_secs(10),
            spans: most_spans,
            bytes: most_bytes,
        };
        let mut grouper = Grouper::new(bounds);
        let mut now = Instant::now();
        let (mut ready, mut expected) = (Vec::new(), Vec::new());
        for (number, (passed, made)) in (0..).zip(steps) {
            now += Duration::from_secs(passed);
            let Some(made) = made else {
                ready.push(grouper.due(now));
                continue;
            };
            let span = span(made, number);
            let start = Value::from(1_795_911_870.0 + f64::from(u32::try_from(number)?) / 1e6);
            let ids = (hex::encode(&span.trace_id), hex::encode(&span.span_id));
            expected.push((ids.0, ids.1, start.to_string()));
            let arrived = arrived(&mut grouper, &span);
            ready.push(grouper.add(arrived, &[], now));
            prop_assert!(grouper.spans() <= most_spans && grouper.bytes() <= most_bytes);
        }
        // So little is one portion.
        ready.push(grouper.drain());
        prop_assert_eq!((grouper.spans(), grouper.bytes(), grouper.traces()), (0, 0, 0));
        let payloads = ready.iter().flat_map(|ready| &ready.payloads);
        let mut sent: Vec<_> = payloads.flat_map(spans).collect();
        sent.sort();
        expected.sort();
        prop_assert_eq!(sent, expected);
        prop_assert!(ready.iter().all(|ready| ready.repeated == 0 && ready.broken.is_empty()));
    }

    #[test]
    fn a_trace_that_came_in_time_is_one_transaction(order in Just((1..40).collect::<Vec<u8>>()).prop_shuffle()) {
        let bounds = Bounds {
            timeout: Duration::from_secs(10),
            spans: 1_000,
            bytes: 1_000_000,
        };
        let mut grouper = Grouper::new(bounds);
        let start = Instant::now();
        let mut ready = Vec::new();
        for (second, id) in (0..).zip(order) {
            // Forty requests, each within the time-out of the one before.
            let now = start + Duration::from_secs(second);
            ready.extend(grouper.due(now).payloads);
            let span = span((1, id, id / 2, 0x100), u64::from(id));
            let arrived = arrived(&mut grouper, &span);
            ready.extend(grouper.add(arrived, &[], now).payloads);
        }
        prop_assert!(ready.is_empty());
        let ready = grouper.due(start + Duration::from_secs(60)).payloads;
        prop_assert_eq!(ready.iter().map(|payload| payload.spans).collect::<Vec<_>>(), [39]);
    }
}

/// What Sentry takes of a transaction, in bytes and spans.
const MOST_BYTES: usize = 1 << 20;
const MOST_SPANS: usize = 1_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn what_is_too_large_for_one_transaction_is_split_and_whole(
        made in vec((prop_oneof![4 => 0_usize..2_000, 1 => 0_usize..200_000], any::<prop::sample::Index>()), 1..1_500),
    ) {
        // So much in all is enough for several.
        let mut left = 6 << 20;
        let bounds = Bounds {
            timeout: Duration::from_secs(10),
            spans: usize::MAX,
            bytes: usize::MAX,
        };
        let mut grouper = Grouper::new(bounds);
        let now = Instant::now();
        let count = made.len();
        for (number, (bytes, parent)) in made.into_iter().enumerate() {
            let bytes = bytes.min(left);
            left -= bytes;
            let id = |number: usize| (number as u64 + 1).to_be_bytes().to_vec();
            let mut span = span((1, 1, 0, 0x100), number as u64);
            span.span_id = id(number);
            span.parent_span_id = if number == 0 { vec![] } else { id(parent.index(number)) };
            span.name = "x".repeat(bytes);
            let arrived = arrived(&mut grouper, &span);
            grouper.add(arrived, &[], now);
        }
        let mut ids = Vec::new();
        let mut more = true;
        while more {
            let ready = grouper.due(now + Duration::from_secs(60));
            more = ready.more;
            for payload in &ready.payloads {
                prop_assert!(payload.json.len() <= MOST_BYTES, "{} bytes", payload.json.len());
                prop_assert!(payload.spans <= MOST_SPANS, "{} spans", payload.spans);
                let spans = spans(payload);
                prop_assert_eq!(spans.len(), payload.spans);
                ids.extend(spans.into_iter().map(|(_, id, _)| id));
            }
        }
        // The root goes first.
        prop_assert_eq!(&*ids[0], "0000000000000001");
        ids.sort();
        let expected = (1..=count).map(|number| format!("{number:016x}"));
        prop_assert_eq!(ids, expected.collect::<Vec<_>>());
    }
}
