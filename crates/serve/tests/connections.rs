//! A bound on open connections.

mod common;

use common::Program;
use std::io::Read;
use std::net::TcpStream;
use tap_sentry_serve::connections::Connections;

#[tokio::test]
async fn connections_beyond_the_bound_are_closed_and_a_place_is_free_again() {
    let connections = Connections::most(2);
    let mut program = Program::default();
    program.server.connections = Some(connections.clone());
    let server = program.start().await;
    let address = server.addresses[0];
    let mut held = Vec::new();
    // Each is known to be accepted before the next.
    for number in 1..=2 {
        held.push(TcpStream::connect(address).expect("a connection"));
        while server.handle.connections() < number {
            tokio::task::yield_now().await;
        }
    }
    let mut third = TcpStream::connect(address).expect("a connection");
    let closed = tokio::task::spawn_blocking(move || third.read(&mut [0]));
    // At its end, or reset.
    assert!(matches!(closed.await.expect("no panic"), Ok(0) | Err(_)));
    assert_eq!(connections.refused(), 1);
    held.pop();
    while server.handle.connections() > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.get("/hello").await.status, 200);
    drop(held);
    server.stop().await;
}
