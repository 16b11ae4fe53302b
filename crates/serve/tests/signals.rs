//! Signals, sent to the test itself: it must be alone in its process.

#![cfg(unix)]

mod common;

use common::{Program, fetch};
use rustix::process::{Signal, getpid, kill_process};
use std::sync::Arc;
use std::time::Duration;
use tap_sentry_serve::reload::{Policy, Reload};
use tap_sentry_serve::server::Ended;
use tokio::sync::Semaphore;

fn send(signal: Signal) {
    kill_process(getpid(), signal).expect("sent");
}

#[tokio::test]
async fn signals_reload_and_stop() {
    for (first, second) in [(Signal::TERM, Signal::INT), (Signal::INT, Signal::TERM)] {
        let mut program = Program::default();
        program.server.grace = Duration::from_secs(100_000);
        let reloaded = Arc::new(Semaphore::new(0));
        let counter = Arc::clone(&reloaded);
        // Not open over HTTP; a signal needs no leave.
        program.server.reload = Some(Reload::new(
            Policy::Guarded { lifecycle: false },
            move || {
                counter.add_permits(1);
                async { Ok::<_, String>(()) }
            },
        ));
        let server = program.start().await;
        for _ in 0..2 {
            send(Signal::HUP);
            reloaded.acquire().await.expect("open").forget();
        }
        let slow = tokio::spawn(fetch(server.url("/slow")));
        server.gate.came(1).await;
        send(first);
        let address = server.addresses[0];
        while std::net::TcpStream::connect(address).is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(!server.ended.is_finished());
        send(second);
        assert_eq!(
            server.ended.await.expect("no panic").expect("no error"),
            Ended::CutShort
        );
        slow.await.expect("no panic").expect_err("cut");
    }
    let server = Program::default().start().await;
    send(Signal::HUP);
    assert_eq!(
        server.get("/hello").await.status,
        200,
        "SIGHUP without a reload does nothing"
    );
    send(Signal::TERM);
    assert_eq!(
        server.ended.await.expect("no panic").expect("no error"),
        Ended::InOrder
    );
}
