#!/usr/bin/env bash
# Expected: CONNECT that a proxy answers with any 2xx makes a tunnel (RFC 9110, section 9.3.6)
# Happens: only 200 does; 201 and 204 are "tunnel error: unsuccessful", the error of every refusal, without the
#   status: of 403 and 502 nothing else is said either
# Version: hyper-util 0.1.21 (crate), features client-proxy and client-legacy.
# Concerns: clients behind proxies of their company, whose users see no reason
# Source: seen on 2026-11-30.
. "$(dirname "$0")/shared/hyper.sh"
cat > src/main.rs <<'RUST'
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower_service::Service;

/// What a tunnel comes to through a proxy that answers so.
async fn tunnel(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let serving = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        client.read(&mut [0; 1024]).await.unwrap();
        client.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await.unwrap();
        client
    });
    let made = Tunnel::new(proxy, HttpConnector::new()).call("https://shop.invalid/".parse().unwrap()).await;
    serving.await.unwrap();
    made.map_or_else(|error| error.to_string(), |_| "made".to_owned())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let unsuccessful = "tunnel error: unsuccessful";
    for (status, expected) in [
        ("200 OK", "made"),
        ("201 Created", unsuccessful),
        ("204 No Content", unsuccessful),
        ("403 Forbidden", unsuccessful),
        ("502 Bad Gateway", unsuccessful),
    ] {
        let came = tunnel(status).await;
        println!("{status}: {came}");
        assert_eq!(came, expected);
    }
}
RUST
cargo run -q
