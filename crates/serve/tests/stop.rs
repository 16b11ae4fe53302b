//! The end of a server.

mod common;

use common::{Program, fetch};
use std::time::Duration;
use tap_sentry_serve::server::Ended;

/// No test waits so long.
const LONG: Duration = Duration::from_secs(100_000);

#[tokio::test]
async fn what_is_being_answered_is_finished() {
    let server = Program::default().start().await;
    let address = server.addresses[0];
    let idle = std::net::TcpStream::connect(address).expect("a connection");
    let slow = tokio::spawn(fetch(server.url("/slow")));
    server.gate.came(1).await;
    server.handle.stop();
    while std::net::TcpStream::connect(address).is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!server.ended.is_finished());
    server.gate.let_go();
    let answer = slow.await.expect("no panic").expect("an answer");
    assert_eq!(answer.text().await.expect("a text"), "slow");
    assert_eq!(
        server.ended.await.expect("no panic").expect("no error"),
        Ended::InOrder
    );
    drop(idle);
}

#[tokio::test]
async fn a_second_time_it_ends_at_once() {
    let mut program = Program::default();
    program.server.grace = LONG;
    let server = program.start().await;
    let slow = tokio::spawn(fetch(server.url("/slow")));
    server.gate.came(1).await;
    server.handle.stop();
    server.handle.stop();
    assert_eq!(
        server.ended.await.expect("no panic").expect("no error"),
        Ended::CutShort
    );
    slow.await.expect("no panic").expect_err("cut");
}

#[tokio::test]
async fn what_takes_too_long_is_cut() {
    let mut program = Program::default();
    program.server.grace = Duration::ZERO;
    let server = program.start().await;
    let slow = tokio::spawn(fetch(server.url("/slow")));
    server.gate.came(1).await;
    assert_eq!(server.stop().await, Ended::CutShort);
    slow.await.expect("no panic").expect_err("cut");
}

#[tokio::test]
async fn stopping_now_waits_for_nothing() {
    let mut program = Program::default();
    program.server.grace = LONG;
    let server = program.start().await;
    let slow = tokio::spawn(fetch(server.url("/slow")));
    server.gate.came(1).await;
    assert_eq!(server.handle.connections(), 1);
    server.handle.stop_now();
    assert_eq!(
        server.ended.await.expect("no panic").expect("no error"),
        Ended::CutShort
    );
    slow.await.expect("no panic").expect_err("cut");
}

#[tokio::test]
async fn with_nothing_to_answer_it_ends_in_order() {
    let server = Program::default().start().await;
    assert_eq!(server.get("/hello").await.status, 200);
    assert_eq!(server.stop().await, Ended::InOrder);
}
