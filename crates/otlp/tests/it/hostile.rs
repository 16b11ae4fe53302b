//! Bodies that nobody means well with: none of them ends the program, none takes much memory, and good ones are still taken.

use crate::dsl::bridge::{Bridge, config};
use crate::dsl::compressed::{ENCODINGS, compressed};
use crate::dsl::hostile::{JSON, PROTOBUF, field, request, traces, well};
use crate::dsl::logs::{log, logs};
use crate::dsl::sentry::{dsn, sentry, sentry_as};
use crate::dsl::spans::{span, spans, text};
use fastrand::Rng;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use prost::Message;
use prost::encoding::{WireType, encode_key};
use rstest::rstest;
use sentry_sandbox::Relay;
use sentry_sandbox::intake::Refused;
use serde_json::json;

/// A body that was valid, changed in some places.
fn mutated(random: &mut Rng, valid: &[u8]) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(0..bytes.len().max(1)).min(bytes.len());
        let end = (at + random.usize(0..20)).min(bytes.len());
        match random.u8(0..6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(0..8),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            4 => {
                let some: Vec<u8> = (0..random.usize(1..9)).map(|_| random.u8(..)).collect();
                bytes.splice(at..at, some);
            }
            _ => {
                let other: &[&[u8]] = &[
                    b"{", b"[", b"\"", b"null", b"1e999", b"-1", b"\xff", b"\x0a",
                ];
                let some = other[random.usize(0..other.len())];
                bytes.splice(at..end, some.iter().copied());
            }
        }
    }
    bytes
}

#[rstest]
#[case::random(1, false, Relay::V26_7)]
#[case::mutated(2, true, Relay::V26_7)]
#[case::mutated_to_transactions(3, true, Relay::V26_5)]
fn whatever_comes_is_answered_and_the_program_goes_on(
    #[case] seed: u64,
    #[case] was_valid: bool,
    #[case] relay: Relay,
) {
    let sentry = sentry_as(relay);
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    let mut random = Rng::with_seed(seed);
    let mut full = span(1, 1, 0);
    full.attributes = vec![text("a", "b"), text("url.full", "http://a:b@c/")];
    full.events = vec![Event {
        name: "exception".to_owned(),
        attributes: vec![
            text("exception.type", "E"),
            text("exception.stacktrace", "at a.b(c:1)"),
        ],
        ..Event::default()
    }];
    let traces = spans(vec![full, span(1, 2, 1)]);
    let logs = logs(vec![log("a"), log("b")]);
    let of_traces = ExportTraceServiceRequest::decode(&traces[..]).expect("a request");
    let of_logs = ExportLogsServiceRequest::decode(&logs[..]).expect("a request");
    let bodies = [
        ("/v1/traces", PROTOBUF, traces),
        ("/v1/logs", PROTOBUF, logs),
        (
            "/v1/traces",
            JSON,
            serde_json::to_vec(&of_traces).expect("JSON"),
        ),
        (
            "/v1/logs",
            JSON,
            serde_json::to_vec(&of_logs).expect("JSON"),
        ),
    ];
    for round in 0..400 {
        for (path, form, valid) in &bodies {
            let bytes = if was_valid {
                mutated(&mut random, valid)
            } else {
                (0..random.usize(0..300)).map(|_| random.u8(..)).collect()
            };
            let status = bridge.post(path, &[*form], &bytes).status;
            assert!(
                matches!(status, 200 | 400),
                "{round} {path} {status}: {bytes:x?}"
            );
        }
    }
    well(&sentry, bridge);
    // What is taken of it is what Sentry takes, but for ids that stand twice and transactions ahead of the clock, which are sent
    // as they are; Sentry moves those that end far ahead to before all times.
    let known = |one: &Refused| {
        let detail = &*one.detail;
        one.reason == "duplicate" || detail.ends_with("ahead") || detail == "no start_timestamp"
    };
    let mut refused = sentry.outcomes().refused;
    refused.retain(|one| !known(one));
    assert!(refused.is_empty(), "{refused:#?}");
}

#[rstest]
fn a_bomb_is_too_large(
    #[values("/v1/traces", "/v1/logs")] path: &str,
    #[values(PROTOBUF, JSON)] form: (&str, &str),
) {
    let sentry = sentry();
    let mut settings = config(&json!({"dsn": dsn(&sentry)}));
    settings["receivers"]["otlp"]["protocols"]["http"]["max_request_body_size"] = json!("4MiB");
    let bridge = Bridge::with(&settings);
    for encoding in ENCODINGS {
        let bomb = compressed(encoding, &vec![b' '; 1 << 20], 64);
        assert!(bomb.len() < 1 << 20, "{encoding} {}", bomb.len());
        let headers = [form, ("content-encoding", encoding)];
        assert_eq!(bridge.post(path, &headers, &bomb).status, 413, "{encoding}");
    }
    assert_eq!(
        bridge.metric("sentry_otlp_declined_requests_total{reason=\"too_large\"}"),
        3
    );
    well(&sentry, bridge);
}

/// Lists in lists, as protobuf: nobody can write it by a message that deep.
fn nested_bytes(depth: usize) -> Vec<u8> {
    let mut value = Vec::new();
    for _ in 0..depth {
        value = field(5, &field(1, &value));
    }
    value
}

#[test]
fn deep_values_cost_their_record_alone() {
    let (sentry, bridge) = traces();
    let deep = field(
        9,
        &[field(1, b"deep"), field(2, &nested_bytes(10_000))].concat(),
    );
    let deep_body = field(5, &nested_bytes(10_000));
    let fine = spans(vec![span(1, 1, 0)]);
    let answer = bridge.send(&[request(&[], &field(2, &deep)), fine].concat());
    assert_eq!(answer.status, 200);
    let told = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(told.contains("malformed"), "{told}");
    let fine = logs(vec![log("a")]);
    let answer = bridge.send_logs(&[request(&[], &field(2, &deep_body)), fine].concat());
    assert_eq!(answer.status, 200);
    for (path, list, records) in [
        ("/v1/traces", "resourceSpans", ["scopeSpans", "spans"]),
        ("/v1/logs", "resourceLogs", ["scopeLogs", "logRecords"]),
    ] {
        let value = r#"{"arrayValue":{"values":["#.repeat(10_000) + &"]}}".repeat(10_000);
        let [scopes, records] = records;
        let body = format!(
            r#"{{"{list}":[{{"{scopes}":[{{"{records}":[{{"attributes":[{{"key":"a","value":{value}}}]}},5]}}]}}]}}"#
        );
        let answer = bridge.post(path, &[JSON], body.as_bytes());
        assert_eq!(answer.status, 200, "{path}");
        let told = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(told.contains("2 ") && told.contains("malformed"), "{told}");
        let deep = "[".repeat(100_000);
        assert_eq!(bridge.post(path, &[JSON], deep.as_bytes()).status, 400);
    }
    assert_eq!(
        bridge.metric("sentry_otlp_rejected_total{reason=\"malformed\"}"),
        6
    );
    well(&sentry, bridge);
    assert_eq!(sentry.outcomes().of("span").count(), 2);
}

/// An attribute with lists in lists.
fn deep_attribute(depth: usize) -> Vec<u8> {
    [field(1, b"deep"), field(2, &nested_bytes(depth))].concat()
}

/// Groups in groups, which no message has.
fn groups(depth: usize) -> Vec<u8> {
    let mut groups = Vec::new();
    for wire_type in [WireType::StartGroup, WireType::EndGroup] {
        (0..depth).for_each(|_| encode_key(99, wire_type, &mut groups));
    }
    groups
}

/// What goes out is decoded whole there, so that one record that is too deep would cost all that goes with it.
#[test]
fn what_is_too_deep_for_sentry_costs_its_record_alone() {
    let (sentry, bridge) = traces();
    let of_span =
        |id: u8, more: &[u8]| field(2, &[span(7, id, 0).encode_to_vec(), more.to_vec()].concat());
    let in_event = |inner: &[u8]| field(11, &[field(2, b"event"), inner.to_vec()].concat());
    let deep = [
        (field(9, &deep_attribute(47)), true),
        (field(9, &deep_attribute(48)), false),
        (field(9, &deep_attribute(49)), false),
        (groups(97), true),
        (groups(98), false),
        (groups(100), false),
        (in_event(&field(3, &deep_attribute(47))), true),
        (in_event(&field(3, &deep_attribute(48))), false),
        (in_event(&groups(96)), true),
        (in_event(&groups(97)), false),
    ];
    let mut id = 0;
    for (more, is_taken) in &deep {
        id += 2;
        let both = [of_span(id, b""), of_span(id + 1, more)].concat();
        let answer = bridge.send(&request(&[], &both));
        let told = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 200);
        assert_eq!(!told.contains("malformed"), *is_taken, "{id} {told}");
    }
    // What is of all records of a request costs the request.
    for (depth, of_scope) in [(47, 200), (48, 400), (49, 400)] {
        id += 1;
        let scope = field(1, &field(3, &deep_attribute(depth)));
        let answer = bridge.send(&request(&[], &[scope, of_span(id, b"")].concat()));
        assert_eq!(answer.status, of_scope, "{depth}");
    }
    for (depth, of_resource) in [(47, 200), (48, 200), (49, 400)] {
        id += 1;
        let resource = field(1, &field(1, &deep_attribute(depth)));
        let answer = bridge.send(&request(&resource, &of_span(id, b"")));
        assert_eq!(answer.status, of_resource, "{depth}");
    }
    for depth in [47, 48, 49] {
        let mut deep = log("deep").encode_to_vec();
        deep.extend(field(6, &deep_attribute(depth)));
        deep.extend(groups(depth + 50));
        let fine = field(2, &log("fine").encode_to_vec());
        let answer = bridge.send_logs(&request(&[], &[fine, field(2, &deep)].concat()));
        assert_eq!((answer.status, answer.body.is_empty()), (200, depth == 47));
    }
    well(&sentry, bridge);
    let outcomes = sentry.outcomes();
    assert_eq!(outcomes.refused, []);
    // Ten that stand beside, four that are deep, one of a scope, two of a resource, and that of `well`.
    assert_eq!(outcomes.of("span").count(), 18);
    assert_eq!(outcomes.of("log").count(), 4);
}

#[rstest]
#[case::protobuf(PROTOBUF, request(&field(1, &field(1, &field(1, &vec![0xff; 1 << 20]))), b""))]
#[case::json(JSON, format!(r#"{{"resourceSpans": "{}"}}"#, "x".repeat(1 << 20)).into_bytes())]
#[case::of_a_scope(JSON, format!(r#"{{"resourceSpans": [{{"scopeSpans": "{}"}}]}}"#, "x".repeat(1 << 20)).into_bytes())]
#[case::of_a_list(JSON, format!(r#"{{"resourceSpans": ["{}"]}}"#, "x".repeat(1 << 20)).into_bytes())]
fn what_cannot_be_read_is_not_repeated(#[case] form: (&str, &str), #[case] body: Vec<u8>) {
    let (sentry, bridge) = traces();
    let answer = bridge.post("/v1/traces", &[form], &body);
    assert_eq!(answer.status, 400);
    assert!(answer.body.len() < 1000, "{} bytes", answer.body.len());
    let log = bridge.still_works();
    assert!(log.len() < 10_000, "{} bytes", log.len());
    drop(sentry);
}

#[test]
fn a_body_in_pieces_that_is_too_large_is_413_too() {
    let sentry = sentry();
    let mut settings = config(&json!({"dsn": dsn(&sentry)}));
    settings["receivers"]["otlp"]["protocols"]["http"]["max_request_body_size"] = json!(10_000);
    let bridge = Bridge::with(&settings);
    for length in [10_001, 40_000, 5 << 20] {
        let status = bridge.post_in_pieces("/v1/traces", PROTOBUF, &vec![0; length]);
        assert_eq!(status, 413, "{length}");
    }
    well(&sentry, bridge);
}
