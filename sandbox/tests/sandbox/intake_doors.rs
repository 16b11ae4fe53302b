//! Who may hand something in, where, and in which wrapping.

use crate::client::{Answer, agent, get, read};
use crate::post::{
    JSON, LOGS, PROTOBUF, SLUG, TRACES, event, key_of, post, request, single, span, spans, taking,
    try_post,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use prost::Message;
use sentry_sandbox::Sandbox;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;

fn status(answer: &Answer) -> (i32, String) {
    #[derive(Clone, PartialEq, Message)]
    struct Status {
        #[prost(int32, tag = "1")]
        code: i32,
        #[prost(string, tag = "2")]
        message: String,
    }
    let status = Status::decode(answer.body.as_slice()).expect("a status");
    (status.code, status.message)
}

fn handed(sandbox: &Sandbox, headers: &[(&str, &str)], query: &str) -> u16 {
    let (project, _) = key_of(sandbox, SLUG);
    let all = [PROTOBUF, headers].concat();
    let path = format!("/api/{project}/{TRACES}{query}");
    try_post(sandbox, &path, &all, b"")
        .expect("an answer")
        .status
}

#[test]
fn without_an_intake_nothing_is_taken() {
    let sandbox = crate::client::seeded();
    for end in ["envelope/", "store/", TRACES, "envelope"] {
        let answer = try_post(&sandbox, &format!("/api/2/{end}"), &[], b"").expect("an answer");
        assert_eq!(answer.status, 404, "{end}");
    }
    let answer = read(
        agent()
            .get(format!("{}/_sandbox/intake", sandbox.url()))
            .call(),
    );
    assert_eq!(answer.expect("an answer").status, 404);
    assert!(sandbox.quotas().is_none());
    assert!(sandbox.intake_dsns().is_empty());
    let dsn = sandbox.dsn(SLUG).expect("a DSN");
    assert!(dsn.ends_with("@o1.ingest.sentry.invalid/2"), "{dsn}");
}

#[test]
fn the_web_api_names_a_dsn_that_leads_to_the_intake() {
    let sandbox = taking();
    let keys = get(&sandbox, "/projects/acme/api/keys/").rows();
    let dsn = keys[0]["dsn"]["public"].as_str().expect("a DSN");
    assert_eq!(sandbox.dsn(SLUG).as_deref(), Some(dsn));
    let (scheme, rest) = dsn.split_once("://").expect("a scheme");
    let (key, rest) = rest.split_once('@').expect("a key");
    let (host, project) = rest.split_once('/').expect("a project");
    assert_eq!(format!("{scheme}://{host}"), sandbox.url());
    let path = format!("/api/{project}/envelope/?sentry_key={key}");
    let answer = try_post(&sandbox, &path, &[], &single("event", &event()));
    assert_eq!(answer.expect("an answer").status, 200);
    assert_eq!(sandbox.outcomes().of("event").count(), 1);

    let under = sandbox.dsn_under("/a/b/", SLUG).expect("a DSN");
    assert_eq!(
        under,
        dsn.replace(&format!("/{project}"), &format!("/a/b/{project}"))
    );
    let answer = try_post(
        &sandbox,
        &format!("/a/b{path}"),
        &[],
        &single("event", &event()),
    );
    assert_eq!(answer.expect("an answer").status, 200);
    assert_eq!(sandbox.outcomes().of("event").count(), 2);
}

#[test]
fn exactly_one_place_has_the_key() {
    let sandbox = taking();
    let (_, key) = key_of(&sandbox, SLUG);
    let sentry = format!("Sentry sentry_version=7, sentry_key={key}, sentry_client=test/1");
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{key}:")));
    let query = format!("?sentry_key={key}");
    let (auth, x_auth) = ("authorization", "x-sentry-auth");
    assert_eq!(handed(&sandbox, &[(x_auth, &sentry)], ""), 200);
    assert_eq!(handed(&sandbox, &[(auth, &sentry)], ""), 200);
    assert_eq!(handed(&sandbox, &[(auth, &basic)], ""), 200);
    assert_eq!(handed(&sandbox, &[], &query), 200);
    // A bearer is not looked at.
    assert_eq!(
        handed(&sandbox, &[(x_auth, &sentry), (auth, "Bearer x")], ""),
        200
    );

    assert_eq!(handed(&sandbox, &[], ""), 401);
    assert_eq!(
        handed(&sandbox, &[(auth, &format!("Bearer {key}"))], ""),
        401
    );
    assert_eq!(
        handed(&sandbox, &[(x_auth, "Sentry sentry_version=7")], ""),
        401
    );
    assert_eq!(
        handed(&sandbox, &[(x_auth, &sentry), (auth, &sentry)], ""),
        401
    );
    assert_eq!(
        handed(&sandbox, &[(x_auth, &sentry), (auth, &basic)], ""),
        401
    );
    assert_eq!(handed(&sandbox, &[(x_auth, &sentry)], &query), 401);
    assert_eq!(
        handed(&sandbox, &[(x_auth, "Sentry sentry_key=abc")], ""),
        400
    );
}

#[test]
fn a_key_that_was_not_looked_up_yet_is_answered_200() {
    let sandbox = taking();
    let unknown = format!("Sentry sentry_key={}", "ab".repeat(16));
    assert_eq!(handed(&sandbox, &[("x-sentry-auth", &unknown)], ""), 200);
    assert_eq!(handed(&sandbox, &[("x-sentry-auth", &unknown)], ""), 403);
    // What came with it is lost.
    assert_eq!(sandbox.outcomes().lost("span", "project_id"), 1);

    // A good key of another project, once it is known.
    let (web, key) = key_of(&sandbox, "web");
    let (api, _) = key_of(&sandbox, SLUG);
    let auth = format!("Sentry sentry_key={key}");
    let headers = [PROTOBUF, &[("x-sentry-auth", auth.as_str())]].concat();
    let at = |project: &str| {
        let path = format!("/api/{project}/{TRACES}");
        try_post(&sandbox, &path, &headers, b"").expect("an answer")
    };
    assert_eq!(at(&web).status, 200);
    let refused = at(&api);
    assert_eq!(refused.status, 403);
    let reason = "event submission rejected with_reason: ProjectId".to_owned();
    assert_eq!(status(&refused), (7, reason));
    // A key that is switched off meanwhile.
    for one in &mut sandbox.world().keys {
        one.is_active = one.public != key;
    }
    assert_eq!(at(&web).status, 403);
    assert_eq!(at("web").status, 400);
}

#[test]
fn paths_end_as_they_must() {
    let sandbox = taking();
    for end in [
        "integration/otlp/v1/traces",
        TRACES,
        "integration/otlp/v1/logs",
        LOGS,
    ] {
        assert_eq!(post(&sandbox, end, PROTOBUF, b"").status, 200, "{end}");
    }
    let body = single("event", &event());
    assert_eq!(post(&sandbox, "envelope/", &[], &body).status, 200);
    assert_eq!(post(&sandbox, "envelope", &[], &body).status, 404);
    assert_eq!(
        post(&sandbox, "integration/otlp/v1/metrics", PROTOBUF, b"").status,
        404
    );
    let url = format!("{}/api/2/envelope/", sandbox.url());
    assert_eq!(
        read(agent().get(url).call()).expect("an answer").status,
        405
    );
}

#[test]
fn otlp_is_answered_in_the_form_in_which_it_came() {
    let sandbox = taking();
    let answer = spans(&sandbox, vec![span(1)]);
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(
        answer.header("content-type"),
        Some("application/x-protobuf")
    );
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let answer = post(&sandbox, TRACES, JSON, b"{\"resourceSpans\":[]}");
    assert_eq!((answer.status, answer.json()), (200, json!({})));
    let answer = try_post(&sandbox, &format!("/api/2/{TRACES}"), JSON, b"{}").expect("an answer");
    let expected = json!({"code": 16, "message": "missing authorization information"});
    assert_eq!((answer.status, answer.json()), (401, expected));
    let answer = try_post(&sandbox, "/api/2/envelope/", &[], b"{}").expect("an answer");
    let expected = json!({"detail": "missing authorization information"});
    assert_eq!((answer.status, answer.json()), (401, expected));
}

#[test]
fn types_of_content_are_looked_at_for_otlp_only() {
    let sandbox = taking();
    let of = |end: &str, kind: &str| post(&sandbox, end, &[("content-type", kind)], b"").status;
    assert_eq!(of(TRACES, "application/json; charset=utf-8"), 200);
    for kind in [
        "text/plain",
        "application/json; version=1",
        "application/protobuf",
    ] {
        assert_eq!(of(TRACES, kind), 415, "{kind}");
    }
    assert_eq!(post(&sandbox, TRACES, &[], b"").status, 415);
    let body = single("event", &event());
    for kind in ["text/plain", "application/x-sentry-envelope"] {
        let answer = post(&sandbox, "envelope/", &[("content-type", kind)], &body);
        assert_eq!(answer.status, 200, "{kind}");
    }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn bodies_come_in_one_known_encoding() {
    let sandbox = taking();
    let plain = request(vec![span(1)]).encode_to_vec();
    let of = |encoding: &str, body: &[u8]| {
        let headers = [PROTOBUF, &[("content-encoding", encoding)]].concat();
        post(&sandbox, TRACES, &headers, body)
    };
    assert_eq!(of("gzip", &gzip(&plain)).status, 200);
    assert_eq!(of("deflate", &deflate(&plain)).status, 200);
    let zstd = zstd::encode_all(plain.as_slice(), 1).expect("memory");
    assert_eq!(of("zstd", &zstd).status, 200);
    assert_eq!(sandbox.outcomes().of("span").count(), 3);
    for encoding in ["GZIP", "snappy", "gzip, gzip"] {
        assert_eq!(of(encoding, &gzip(&plain)).status, 415, "{encoding}");
    }
    let answer = of("gzip", &plain);
    assert_eq!((answer.status, status(&answer).0), (400, 3));
    assert_eq!(of("br", &plain).status, 501);
    assert_eq!(sandbox.outcomes().of("span").count(), 3);
}

#[test]
fn twelve_mebibytes_pass_as_decoded_and_no_byte_more() {
    const LIMIT: usize = 12 << 20;
    let sandbox = taking();
    // One unknown field of a size that fills the body.
    let body = |size: usize| {
        let mut body = vec![0x7a];
        let mut length = size - 5;
        while length >= 0x80 {
            body.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
            length >>= 7;
        }
        body.push(u8::try_from(length).expect("seven bits"));
        body.resize(size, b'x');
        body
    };
    let zipped = [PROTOBUF, &[("content-encoding", "gzip")]].concat();
    assert_eq!(
        post(&sandbox, TRACES, &zipped, &gzip(&body(LIMIT))).status,
        200
    );
    assert_eq!(post(&sandbox, TRACES, PROTOBUF, &body(LIMIT)).status, 200);
    assert!(sandbox.outcomes().refused.is_empty());
    let answer = post(&sandbox, TRACES, &zipped, &gzip(&body(LIMIT + 1)));
    let (code, message) = status(&answer);
    assert_eq!((answer.status, code), (413, 8));
    assert!(message.ends_with("length limit exceeded"), "{message}");
    // No outcome tells of it.
    assert!(sandbox.outcomes().refused.is_empty());
}

/// What is answered to a request of which nothing but the head comes, with these headers.
fn answer_to_head(sandbox: &Sandbox, headers: &str) -> String {
    let (project, key) = key_of(sandbox, SLUG);
    let host = sandbox.url().replace("http://", "");
    let mut socket = TcpStream::connect(&host).expect("a connection");
    let head = format!(
        "POST /api/{project}/{TRACES}?sentry_key={key} HTTP/1.1\r\nhost: {host}\r\n\
         content-type: application/x-protobuf\r\n{headers}\r\n"
    );
    socket.write_all(head.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_body_that_is_too_large_is_answered_before_its_end() {
    // The server ends the connection, too.
    let answer = answer_to_head(
        &taking(),
        &format!("content-length: {}\r\n", (12 << 20) + 1),
    );
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[test]
fn a_request_tells_how_long_it_is() {
    for (length, status) in [("", 411), ("content-length: 0\r\n", 200)] {
        let answer = answer_to_head(&taking(), &format!("{length}connection: close\r\n"));
        let expected = format!("HTTP/1.1 {status}");
        assert!(answer.starts_with(&expected), "{length}: {answer}");
    }
}

#[test]
fn outcomes_can_be_asked_for_over_http() {
    let sandbox = taking();
    spans(&sandbox, vec![span(1), span(1)]);
    let url = format!("{}/_sandbox/intake", sandbox.url());
    let answer = read(agent().get(&url).call()).expect("an answer").json();
    assert_eq!(answer["accepted"][0]["kind"], "span");
    assert_eq!(answer["accepted"][0]["payload"]["name"], "span 1");
    assert_eq!(answer["refused"][0]["reason"], "duplicate");
    let answer = read(agent().delete(&url).call()).expect("an answer");
    assert_eq!(answer.status, 204);
    assert_eq!(sandbox.outcomes(), sentry_sandbox::Outcomes::default());
}

#[test]
fn the_statistics_of_the_web_api_count_what_became_of_it() {
    let sandbox = taking();
    let count = || {
        let world = sandbox.world();
        let spans = world.outcomes.iter().filter(|one| one.category == "span");
        spans
            .map(|one| (one.outcome.clone(), one.reason.clone(), one.quantity))
            .collect::<Vec<_>>()
    };
    spans(&sandbox, vec![span(1), span(1)]);
    let duplicate = ("invalid".to_owned(), Some("duplicate".to_owned()), 1);
    let accepted = ("accepted".to_owned(), None, 1);
    assert_eq!(count(), [duplicate, accepted]);
}
