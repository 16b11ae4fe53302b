#!/usr/bin/env bash
# Expected: through `SocksV5`, http://host/ is asked for at port 80, and a proxy whose address names no port
#   is looked for at 1080, as by curl
# Happens: it is asked for at port 443, as if all were https; and the proxy is looked for at port 80
# Version: hyper-util 0.1.21 (crate), features client-proxy and client-legacy.
# Concerns: clients that put hyper-util's connectors together themselves, to name both ports; and reqwest 0.13.5,
#   which names them for a proxy that it is given, but looks for one of ALL_PROXY without a port at 80 as well
# Source: seen on 2026-11-30.
. "$(dirname "$0")/shared/hyper.sh"
cat > src/main.rs <<'RUST'
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::SocksV5;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower_service::Service;

/// The port that the next client of a SOCKS proxy asks for, by the name of a host.
async fn asked_for(listener: TcpListener) -> u16 {
    let (mut client, _) = listener.accept().await.unwrap();
    client.read_exact(&mut [0; 3]).await.unwrap();
    client.write_all(&[5, 0]).await.unwrap();
    let mut head = [0; 5];
    client.read_exact(&mut head).await.unwrap();
    client.read_exact(&mut vec![0; head[4].into()]).await.unwrap();
    client.read_u16().await.unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    for (to, expected) in [("http://shop.invalid/", 443), ("http://shop.invalid:80/", 80)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("socks5h://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(SocksV5::new(proxy, tcp.clone()).call(to.parse().unwrap()));
        let port = asked_for(listener).await;
        println!("{to} is asked for at port {port}");
        assert_eq!(port, expected);
    }
    // Nobody listens there.
    let proxy = "socks5h://127.0.0.99".parse().unwrap();
    let error = SocksV5::new(proxy, tcp).call("http://shop.invalid:80/".parse().unwrap()).await;
    let error = format!("{:?}", error.unwrap_err());
    println!("a proxy without a port: {error}");
    assert!(error.contains("127.0.0.99:80"));
}
RUST
cargo run -q
