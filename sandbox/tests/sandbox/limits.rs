use crate::client::{get, get_as, now, seeded, try_get};
use sentry_sandbox::{
    Class, Fault, FaultKind, Gate, INTEGRATION_TOKEN, Limit, Limits, Match, Options, Sandbox, World,
};
use std::sync::mpsc::channel;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

fn limited(limits: Limits) -> Sandbox {
    Sandbox::start(Options {
        limits,
        ..Options::new(World::seeded(now()))
    })
    .expect("a free port")
}

#[test]
fn a_self_hosted_server_tells_nothing() {
    let sandbox = seeded();
    let answer = get(&sandbox, "/organizations/acme/");
    assert!(
        !answer
            .headers
            .keys()
            .any(|name| name.starts_with("x-sentry-rate"))
    );
}

#[test]
fn an_exhausted_window_is_json_as_text_without_retry_after() {
    let limits = Limits::none().with(Class::Default, Limit::new(2, HOUR, 25));
    let sandbox = limited(limits);
    let first = get(&sandbox, "/organizations/acme/");
    assert_eq!(first.header("x-sentry-rate-limit-limit"), Some("2"));
    assert_eq!(first.header("x-sentry-rate-limit-remaining"), Some("1"));
    assert_eq!(
        first.header("x-sentry-rate-limit-concurrentremaining"),
        Some("24")
    );
    // Endpoints without limits of their own share a bucket, other callers have another.
    assert_eq!(get(&sandbox, "/organizations/acme/teams/").status, 200);
    let last = get(&sandbox, "/organizations/acme/projects/");
    assert_eq!(last.status, 429);
    assert_eq!(
        last.detail(),
        "You are attempting to use this endpoint too frequently. Limit is 2 requests in 3600 seconds"
    );
    assert_eq!(
        last.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(last.header("x-sentry-rate-limit-remaining"), Some("0"));
    assert_eq!(
        last.header("x-sentry-rate-limit-concurrentremaining"),
        Some("None")
    );
    assert_eq!(last.header("retry-after"), None);
    assert_eq!(
        get_as(&sandbox, INTEGRATION_TOKEN, "/organizations/acme/").status,
        200
    );
    assert_eq!(sandbox.rejections(), 1);
    let requests = sandbox.requests();
    assert_eq!(requests.len(), 4);
    assert_eq!(requests[2].status, 429);
    assert_eq!(requests[0].class, Class::Default);
    sandbox.clear_requests();
    assert!(sandbox.requests().is_empty());
}

#[test]
fn a_user_may_ask_for_project_events_one_at_a_time() {
    let sandbox = limited(Limits::hosted());
    let list = "/projects/acme/api/events/";
    let gate = Gate::closed();
    let held = FaultKind::Hold(gate.clone());
    sandbox
        .faults()
        .add(Fault::once(Match::path_end(list), held));
    let (asked, came) = channel();
    sandbox
        .faults()
        .on_request(Match::path_end(list), 0, move |_| {
            asked.send(()).expect("somebody waits");
        });
    std::thread::scope(|scope| {
        let first = scope.spawn(|| get(&sandbox, list));
        came.recv().expect("it is asked for");
        for _ in 0..2 {
            let answer = get(&sandbox, list);
            assert_eq!(answer.status, 429);
            assert!(answer.detail().ends_with("Concurrency limit is 1"));
        }
        gate.open();
        assert_eq!(first.join().expect("no panic").status, 200);
    });
    assert_eq!(sandbox.rejections(), 2);
    // It is over when it is over.
    assert_eq!(get(&sandbox, "/projects/acme/api/events/").status, 200);
}

#[test]
fn answers_are_compressed_when_both_sides_want_it() {
    let sandbox = Sandbox::start(Options {
        gzip: true,
        ..Options::new(World::seeded(now()))
    })
    .expect("a free port");
    // The client asks for gzip and undoes it.
    let answer = try_get(
        &sandbox,
        Some(sentry_sandbox::TOKEN),
        "/organizations/acme/projects/",
    )
    .expect("an answer");
    assert_eq!(answer.rows().len(), 6);
    assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
}
