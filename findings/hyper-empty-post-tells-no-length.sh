#!/usr/bin/env bash
# Expected: a POST with an empty body says `Content-Length: 0`, as RFC 9110, section 8.6, asks of clients and as
#   curl does
# Happens: over HTTP/1.1 hyper's client sends neither a length nor `Transfer-Encoding`, whether the body is
#   `Empty` or a `Full` of no bytes; with one byte the length is there. A length that is set as a header is sent
# Version: hyper 1.12.0, hyper-util 0.1.21, http-body-util 0.1.5 (crates).
# Concerns: servers and proxies that answer 411 to a POST without a length
# Source: seen on 2026-11-30.
. "$(dirname "$0")/shared/hyper.sh"
cat > src/main.rs <<'RUST'
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::convert::Infallible;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What stands in the head of a POST with that body about its length.
async fn told(length: Option<&str>, body: BoxBody<Bytes, Infallible>) -> Vec<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut request = http::Request::post(format!("http://{}/", listener.local_addr().unwrap()));
    if let Some(length) = length {
        request = request.header("content-length", length);
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    let sending = tokio::spawn(client.request(request.body(body).unwrap()));
    let (mut server, _) = listener.accept().await.unwrap();
    let mut head = vec![0; 4096];
    let bytes = server.read(&mut head).await.unwrap();
    server.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    sending.await.unwrap().unwrap();
    let head = String::from_utf8_lossy(&head[..bytes]).to_lowercase();
    let of_length = |line: &&str| line.starts_with("content-length") || line.starts_with("transfer-encoding");
    head.lines().filter(of_length).map(str::to_owned).collect()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let full = |text: &'static str| Full::new(Bytes::from_static(text.as_bytes())).boxed();
    let empty = told(None, Empty::new().boxed()).await;
    let nothing = told(None, full("")).await;
    let set = told(Some("0"), full("")).await;
    let one = told(None, full("a")).await;
    println!("Empty: {empty:?}, Full of nothing: {nothing:?}, with the header set: {set:?}, Full of one byte: {one:?}");
    assert!(empty.is_empty() && nothing.is_empty());
    assert_eq!((set, one), (vec!["content-length: 0".to_owned()], vec!["content-length: 1".to_owned()]));
}
RUST
cargo run -q
