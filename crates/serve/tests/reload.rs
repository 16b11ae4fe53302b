//! Reloads that are asked for over HTTP.

mod common;

use common::{Program, hash};
use reqwest::Method;
use rstest::rstest;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tap_sentry_serve::reload::{Policy, Reload};

/// Counts how often it was asked, and refuses every second configuration.
fn reload(policy: Policy) -> (Reload, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let reload = Reload::new(policy, move || {
        let turn = counter.fetch_add(1, Ordering::SeqCst);
        async move {
            if turn.is_multiple_of(2) {
                Ok(())
            } else {
                Err("`timeout` is wrong")
            }
        }
    });
    (reload, asked)
}

#[rstest]
#[case::open(Policy::Open, false, 200)]
#[case::open_to_a_user(Policy::Open, true, 200)]
#[case::guarded(Policy::Guarded { lifecycle: false }, false, 403)]
#[case::guarded_to_a_user(Policy::Guarded { lifecycle: false }, true, 200)]
#[case::guarded_with_the_flag(Policy::Guarded { lifecycle: true }, false, 200)]
#[tokio::test]
async fn the_policy_says_who_may_reload(
    #[case] policy: Policy,
    #[case] with_users: bool,
    #[case] status: u16,
) {
    let mut program = if with_users {
        Program::with_web(&format!("basic_auth_users: {{alice: {}}}", hash("right")))
    } else {
        Program::default()
    };
    let (reload, asked) = reload(policy);
    program.server.reload = Some(reload.clone());
    let server = program.start().await;
    let user = with_users.then_some(("alice", "right"));
    for method in [Method::GET, Method::HEAD, Method::DELETE] {
        let answer = server.ask(method, "/-/reload", user).await;
        assert_eq!((answer.status, answer.header("allow")), (405, "POST, PUT"));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let answer = server.ask(Method::POST, "/-/reload", user).await;
    assert_eq!(answer.status, status);
    if status == 403 {
        assert!(
            answer.text.contains("--web.enable-lifecycle"),
            "{}",
            answer.text
        );
        assert_eq!(asked.load(Ordering::SeqCst), 0);
        return;
    }
    assert!(reload.state().successful);
    let bad = server.ask(Method::PUT, "/-/reload", user).await;
    bad.is(
        500,
        "Not reloaded, the old configuration stays: `timeout` is wrong\n",
    );
    let state = reload.state();
    assert!(!state.successful);
    server
        .ask(Method::PUT, "/-/reload", user)
        .await
        .is(200, "Reloaded\n");
    assert!(reload.state().successful && reload.state().succeeded_at >= state.succeeded_at);
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    if with_users {
        assert_eq!(
            server.ask(Method::POST, "/-/reload", None).await.status,
            401
        );
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }
}

#[tokio::test]
async fn without_a_reload_there_is_no_such_path() {
    let server = Program::default().start().await;
    assert_eq!(
        server.ask(Method::POST, "/-/reload", None).await.status,
        404
    );
}
