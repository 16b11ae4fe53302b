//! Clients that nobody means well with: slow, many, or without an end.

use crate::dsl::bridge::{Bridge, config};
use crate::dsl::compressed::{ENCODINGS, compressed};
use crate::dsl::grpc::{LOGS, TRACES, call, frame, over_grpc, send};
use crate::dsl::sentry::{dsn, sentry};
use crate::dsl::spans::{span, spans};
use fastrand::Rng;
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;

const PROTOBUF: &str = "application/x-protobuf";

/// Bodies that begin and do not end, until it is dropped.
struct Slow(Option<tokio::runtime::Runtime>);

impl Slow {
    /// So many, each with so many bytes.
    fn start(url: &str, content_type: &str, bodies: usize, begun: &[u8]) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let _ = rustls::crypto::ring::default_provider().install_default();
        for _ in 0..bodies {
            let mut client = reqwest::Client::builder();
            if content_type == "application/grpc" {
                client = client.http2_prior_knowledge();
            }
            let first = bytes::Bytes::copy_from_slice(begun);
            let first = Ok::<_, std::io::Error>(http_body::Frame::data(first));
            let first = futures::stream::iter([first]);
            let endless = futures::StreamExt::chain(first, futures::stream::pending());
            let body = reqwest::Body::wrap(http_body_util::StreamBody::new(endless));
            let request = client.build().expect("a client").post(url);
            let request = request.header("content-type", content_type).body(body);
            runtime.spawn(request.send());
        }
        Self(Some(runtime))
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A span of 10 KB.
fn long() -> Vec<u8> {
    let mut long = span(1, 1, 0);
    long.name = "x".repeat(10_000);
    spans(vec![long])
}

/// How often it is looked whether slow bodies fill the room.
const TRIES: usize = 1_000;

/// Slow bodies that fill the room. On a busy machine the first may have been ended before the last has come.
fn filled<T>(fill: impl FnMut() -> Option<T>) -> T {
    let mut tries = std::iter::repeat_with(fill).take(20);
    tries
        .find_map(|filled| filled)
        .expect("the room is full at some time")
}

#[test]
fn bodies_that_do_not_end_take_no_more_than_their_room() {
    let sentry = sentry();
    let mut settings = config(&json!({"dsn": dsn(&sentry)}));
    settings["receivers"]["otlp"]["protocols"]["http"]["max_request_body_size"] = json!("1MiB");
    let bridge = Bridge::with(&settings);
    let url = format!("http://{}/v1/traces", bridge.address());
    // Four of the largest fill it.
    let (slow, full) = filled(|| {
        let slow = Slow::start(&url, PROTOBUF, 4, &vec![0; (1 << 20) - 1000]);
        let mut answers = (0..TRIES).map(|_| bridge.send(&long()));
        answers
            .find(|answer| answer.status != 200)
            .map(|full| (slow, full))
    });
    assert_eq!((full.status, full.retry_after.as_deref()), (503, Some("2")));
    drop(slow);
    while bridge.send(&long()).status != 200 {}
    bridge.still_works();
}

#[test]
fn messages_that_do_not_end_take_no_more_than_their_room() {
    let sentry = sentry();
    let mut settings = over_grpc(&json!({"dsn": dsn(&sentry)}));
    settings["receivers"]["otlp"]["protocols"]["grpc"]["max_recv_msg_size_mib"] = json!(1);
    let mut bridge = Bridge::with(&settings);
    let url = format!("http://{}{TRACES}", bridge.address());
    let begun = &frame(&vec![0; 1 << 20], false)[..(1 << 20) - 1000];
    let (slow, full) = filled(|| {
        let slow = Slow::start(&url, "application/grpc", 4, begun);
        let mut answers = (0..TRIES).map(|_| call(bridge.address(), TRACES, &long()).0);
        answers.find_map(|status| status).map(|full| (slow, full))
    });
    // UNAVAILABLE: to be sent again.
    assert_eq!(full, "14");
    let series = "sentry_otlp_declined_requests_total{reason=\"no_room\"}";
    assert_eq!(bridge.metric(series), 1);
    drop(slow);
    while call(bridge.address(), TRACES, &long()).0.is_some() {}
    bridge.line_with("too many bodies are being read");
    bridge.delivered();
}

/// A bridge with a port of gRPC whose messages may have 4 MiB.
fn of_four(dsn: &str) -> Value {
    let mut settings = over_grpc(&json!({"dsn": dsn}));
    settings["receivers"]["otlp"]["protocols"]["grpc"]["max_recv_msg_size_mib"] = json!(4);
    settings
}

#[rstest]
fn a_bomb_over_grpc_is_too_large(#[values(TRACES, LOGS)] path: &str) {
    let sentry = sentry();
    let bridge = Bridge::with(&of_four(&dsn(&sentry)));
    for encoding in ENCODINGS {
        let bomb = frame(&compressed(encoding, &vec![0; 1 << 20], 64), true);
        let (status, _) = send(bridge.address(), path, Some(encoding), bomb);
        assert_eq!(status.as_deref(), Some("8"), "{encoding}");
    }
    let plain = frame(&vec![0; (4 << 20) + 1], false);
    let (status, _) = send(bridge.address(), path, None, plain);
    assert_eq!(status.as_deref(), Some("8"));
    let series = "sentry_otlp_declined_requests_total{reason=\"too_large\"}";
    assert_eq!(bridge.metric(series), 4);
    assert!(bridge.peak() <= 100, "{} MiB", bridge.peak());
    assert_eq!(call(bridge.address(), TRACES, &long()).0, None);
    bridge.delivered();
    assert_eq!(sentry.outcomes().of("span").count(), 1);
}

#[test]
fn whatever_comes_over_grpc_is_answered_and_counted() {
    let sentry = sentry();
    let bridge = Bridge::with(&of_four(&dsn(&sentry)));
    let valid = spans(vec![span(1, 1, 0)]);
    for (encoding, body) in [
        (None, vec![]),
        (None, vec![0, 0]),
        (None, vec![9, 0, 0, 0, 0]),
        (None, frame(&valid, true)),
        (None, frame(&valid, false)[..20].to_vec()),
        (Some("gzip"), frame(b"no gzip", true)),
        (Some("zstd"), frame(b"no zstd", true)),
    ] {
        let (status, _) = send(bridge.address(), TRACES, encoding, body.clone());
        // INVALID_ARGUMENT: it is the client's mistake, and is not sent again.
        assert_eq!(status.as_deref(), Some("3"), "{encoding:?} {body:x?}");
    }
    let series = "sentry_otlp_declined_requests_total{reason=\"broken\"}";
    assert_eq!(bridge.metric(series), 7);
    let (status, _) = send(bridge.address(), TRACES, Some("snappy"), frame(b"", true));
    assert_eq!(status.as_deref(), Some("12"));
    let mut random = Rng::with_seed(3);
    for _ in 0..100 {
        let mut bytes = frame(&valid, random.bool());
        let at = random.usize(0..bytes.len());
        bytes[at] = random.u8(..);
        let encoding = random.bool().then_some("gzip");
        let (status, _) = send(bridge.address(), TRACES, encoding, bytes.clone());
        let status = status.unwrap_or_default();
        assert!(["", "3", "8"].contains(&&*status), "{status} {bytes:x?}");
    }
    assert_eq!(call(bridge.address(), TRACES, &long()).0, None);
    let (code, log) = bridge.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn with_more_connections_than_files_it_still_sends_and_is_watched() {
    let sentry = sentry();
    let mut bridge = Bridge::with_files(&config(&json!({"dsn": dsn(&sentry)})), 128);
    bridge.line_with("spans are sent as otlp");
    sentry
        .faults()
        .add(Fault::always(Match::path("/v1/traces"), FaultKind::Reset));
    bridge.take(&spans(vec![span(1, 1, 0)]));
    bridge.line_with("sending failed");
    let connect = |_| TcpStream::connect(bridge.address()).expect("it is in the backlog");
    let connections: Vec<_> = (0..500).map(connect).collect();
    bridge.line_with("as many connections are open as may be");
    // Each try wants a connection of its own.
    sentry.faults().clear();
    while bridge.metric("sentry_otlp_sent_total{kind=\"traces\"}") < 1 {}
    // Half of the files.
    while bridge.metric("sentry_otlp_refused_connections_total") < 500 - 64 {}
    drop(connections);
    let log = bridge.still_works();
    assert_eq!(log.matches("as many connections are open").count(), 1);
    assert_eq!(sentry.outcomes().of("span").count(), 2);
}

#[test]
fn a_head_without_end_is_cut_off() {
    let sentry = sentry();
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    let mut client = TcpStream::connect(bridge.address()).expect("a connection");
    client
        .write_all(b"POST /v1/traces HTTP/1.1\r\n")
        .expect("it is read");
    let line = format!("x: {}\r\n", "x".repeat(1000));
    // What is sent behind the answer is of no matter.
    let _ = client.write_all(line.repeat(100).as_bytes());
    let mut answer = [0; 12];
    client.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 431");
    bridge.still_works();
}
