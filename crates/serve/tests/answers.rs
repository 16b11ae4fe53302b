//! What clients are answered whatever the program serves.

mod common;

use common::{Answer, Program, client, fetch};
use reqwest::Method;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING};

#[tokio::test]
async fn routes_answer_and_others_do_not() {
    let server = Program::default().start().await;
    server.get("/hello").await.is(200, "hello");
    let missing = server.get("/nothing").await;
    missing.is(404, "Not Found\n");
    assert_eq!(missing.header("content-type"), "text/plain; charset=utf-8");
    let wrong = server.ask(Method::POST, "/hello", None).await;
    wrong.is(405, "Method Not Allowed\n");
    assert_eq!(wrong.header("allow"), "GET,HEAD");
    let head = server.ask(Method::HEAD, "/hello", None).await;
    head.is(200, "");
    assert_eq!(head.header("content-length"), "5");
    server.ask(Method::HEAD, "/nothing", None).await.is(404, "");
}

#[tokio::test]
async fn a_handler_that_panics_costs_its_request_alone() {
    let server = Program::default().start().await;
    for _ in 0..2 {
        let answer = server.get("/panic").await;
        answer.is(500, "Internal Server Error\n");
    }
    server.get("/hello").await.is(200, "hello");
}

#[tokio::test]
async fn a_body_has_a_limit() {
    let mut program = Program::default();
    program.server.body_limit = 3_000_000;
    let server = program.start().await;
    let client = client();
    for (bytes, status) in [(3_000_000, 200), (3_000_001, 413)] {
        let request = client.post(server.url("/echo")).body(vec![b'x'; bytes]);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), status, "{bytes}");
    }
}

#[tokio::test]
async fn an_answer_comes_as_gzip_where_that_is_asked_for() {
    let server = Program::default().start().await;
    let client = reqwest::Client::builder()
        .tls_certs_only([])
        .no_gzip()
        .build()
        .expect("a client");
    for (asked, given) in [
        ("gzip", "gzip"),
        ("identity", ""),
        ("gzip;q=0", ""),
        ("deflate, br", ""),
    ] {
        let request = client
            .get(server.url("/long"))
            .header(ACCEPT_ENCODING, asked);
        let response = request.send().await.expect("an answer");
        let encoding = response.headers().get("content-encoding");
        assert_eq!(
            encoding.map_or("", |value| value.to_str().expect("a text")),
            given,
            "{asked}"
        );
        let bytes = response.bytes().await.expect("a body");
        assert_eq!(bytes.len() < 1_000, given == "gzip", "{asked}");
    }
    // And it can be read.
    let answer = server.get("/long").await;
    assert_eq!(answer.text.len(), 100_000);
}

#[tokio::test]
async fn the_form_of_an_exposition_is_negotiated() {
    let server = Program::default().start().await;
    for (accept, content_type) in [
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
    ] {
        let request = client().get(server.url("/metrics")).header(ACCEPT, accept);
        let answer = Answer::of(request.send().await.expect("an answer")).await;
        assert_eq!(answer.header("content-type"), content_type);
    }
}

#[tokio::test]
async fn health_is_told_by_its_paths_and_their_aliases() {
    let mut program = Program::default();
    let health = program.server.health.clone();
    program.server.health = health
        .alias_healthy("/healthz/live")
        .alias_ready("/healthz/ready");
    let server = program.start().await;
    server.get("/-/healthy").await.is(200, "Healthy\n");
    server.get("/-/ready").await.is(200, "Ready\n");
    server.get("/healthz/live").await.is(200, "Healthy\n");
    server.get("/healthz/ready").await.is(200, "Ready\n");
    server.ask(Method::HEAD, "/-/ready", None).await.is(200, "");
    server
        .ask(Method::POST, "/-/ready", None)
        .await
        .is(405, "Method Not Allowed\n");
}

#[tokio::test]
async fn a_server_is_not_ready_before_it_serves_and_while_it_stops() {
    let program = Program::default();
    let health = program.server.health.clone();
    assert!(!health.is_ready());
    let server = program.start().await;
    let slow = tokio::spawn(fetch(server.url("/slow")));
    server.gate.came(1).await;
    assert!(health.is_ready());
    let gate = server.gate.clone();
    let stopped = tokio::spawn(server.stop());
    while health.is_ready() {
        tokio::task::yield_now().await;
    }
    gate.let_go();
    slow.await.expect("no panic").expect("an answer");
    stopped.await.expect("no panic");
}

#[tokio::test]
async fn several_addresses_are_listened_at() {
    let mut program = Program::default();
    let more = ["127.0.0.1:0", "localhost:0"].map(|text| text.parse().expect("an address"));
    program.server.listen.extend(more);
    let server = program.start().await;
    let ports: std::collections::BTreeSet<_> = server
        .addresses
        .iter()
        .map(std::net::SocketAddr::port)
        .collect();
    assert_eq!(ports.len(), 3);
    assert!(!ports.contains(&0));
    for address in &server.addresses {
        let answer = fetch(format!("http://{address}/hello"))
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 200);
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_had_is_told() {
    let first = Program::default().start().await;
    let mut second = Program::default();
    let taken = first.addresses[0];
    second
        .server
        .listen
        .push(taken.to_string().parse().expect("an address"));
    let error = second.try_start().await.err().expect("taken").to_string();
    assert!(
        error.starts_with(&format!("cannot listen at {taken}: ")),
        "{error}"
    );
    let mut none = Program::default();
    none.server.listen.clear();
    let error = none.try_start().await.err().expect("none").to_string();
    assert!(error.contains("--web.listen-address"), "{error}");
}

/// A client that begins with HTTP/2.
fn http2() -> reqwest::Client {
    reqwest::Client::builder()
        .tls_certs_only([])
        .http2_prior_knowledge()
        .build()
        .expect("a client")
}

#[tokio::test]
async fn without_tls_there_is_no_http2() {
    let server = Program::default().start().await;
    let request = http2().get(server.url("/hello"));
    request.send().await.expect_err("no answer");
    server.get("/hello").await.is(200, "hello");
}

#[tokio::test]
async fn http2_without_tls_where_the_program_wants_it() {
    let mut program = Program::default();
    program.server.cleartext_http2 = true;
    let server = program.start().await;
    let answer = http2().get(server.url("/hello")).send().await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    assert_eq!(answer.text().await.expect("a text"), "hello");
    server.get("/hello").await.is(200, "hello");
}
