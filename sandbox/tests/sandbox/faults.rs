use crate::client::{ago, get, iso, now, seeded, try_get, walk};
use sentry_sandbox::{Fault, FaultKind, Gate, Match, Sandbox};
use std::time::Duration;

const RELEASES: &str = "/organizations/acme/releases/?project=-1&status=";

/// The first answer, under one fault.
fn under(kind: FaultKind) -> (Sandbox, Result<crate::client::Answer, String>) {
    let sandbox = seeded();
    sandbox
        .faults()
        .add(Fault::once(Match::path("/releases/"), kind));
    let answer = try_get(&sandbox, Some(sentry_sandbox::TOKEN), RELEASES);
    assert_eq!(sandbox.faults().fired(), 1);
    // Once is once.
    assert_eq!(get(&sandbox, RELEASES).rows().len(), 100);
    (sandbox, answer)
}

#[test]
fn statuses_have_their_real_bodies() {
    let body = |status| {
        let answer = under(FaultKind::Status(status)).1.expect("an answer");
        assert_eq!(answer.status, status);
        (
            answer.header("content-type").unwrap_or_default().to_owned(),
            String::from_utf8(answer.body).expect("a text"),
        )
    };
    assert!(body(500).1.contains("Internal Error"));
    assert!(body(502).0.starts_with("text/html"));
    assert!(body(503).1.contains("<html>"));
    assert!(body(504).1.contains("\\nQuery timeout."));
    assert!(body(408).1.contains("request-timeout"));
    assert!(body(410).1.contains("message"));
    assert!(body(404).1.is_empty());
    let own = under(FaultKind::NotThere).1.expect("an answer");
    assert_eq!(
        (own.status, own.detail().as_str()),
        (404, "The requested resource does not exist")
    );
    let gateway = under(FaultKind::NoBackend("default backend - 404"))
        .1
        .expect("an answer");
    assert_eq!(
        (gateway.status, gateway.body.as_slice()),
        (404, &b"default backend - 404"[..])
    );
}

#[test]
fn there_are_four_sorts_of_429() {
    let answer = |kind| under(kind).1.expect("an answer");
    let limited = answer(FaultKind::RateLimited {
        reset_in_seconds: 3,
    });
    assert_eq!(limited.header("x-sentry-rate-limit-remaining"), Some("0"));
    let silent = answer(FaultKind::RateLimitedNoHeaders);
    assert_eq!(silent.status, 429);
    assert_eq!(silent.header("x-sentry-rate-limit-remaining"), None);
    for kind in [FaultKind::QueryTooLarge, FaultKind::QueryTimeout] {
        let query = answer(kind);
        assert_eq!(query.status, 429);
        assert_eq!(query.header("x-sentry-rate-limit-remaining"), Some("17"));
        assert!(query.detail().contains("smaller date range"));
    }
}

#[test]
fn connections_end_early() {
    let (sandbox, answer) = under(FaultKind::Reset);
    assert!(answer.is_err());
    assert_eq!(sandbox.requests()[0].status, 0);
    assert!(under(FaultKind::CutBody).1.is_err());
}

#[test]
fn bodies_stall() {
    for kind in [FaultKind::StallBody, FaultKind::Silence] {
        let error = under(kind.clone()).1.expect_err("no whole answer");
        assert!(error.contains("timeout"), "{kind:?}: {error}");
    }
}

#[test]
fn an_answer_is_held_until_its_gate_opens() {
    let sandbox = seeded();
    let gate = Gate::closed();
    let teams = "/organizations/acme/teams/";
    let held = FaultKind::Hold(gate.clone());
    sandbox
        .faults()
        .add(Fault::once(Match::path_end(teams), held));
    let opened = gate.clone();
    sandbox
        .faults()
        .on_request(Match::path_end("/users/"), 0, move |_| opened.open());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| get(&sandbox, teams));
        while sandbox.requests().is_empty() {
            std::thread::yield_now();
        }
        assert_eq!(sandbox.requests()[0].status, 0, "unanswered");
        get(&sandbox, "/organizations/acme/users/");
        assert_eq!(waiting.join().expect("no panic").status, 200);
    });
}

#[test]
fn bodies_are_not_what_they_should_be() {
    let answer = |kind| under(kind).1.expect("an answer");
    let parses = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).is_ok();
    assert!(!parses(&answer(FaultKind::CorruptBody).body));
    let binary = answer(FaultKind::NotUtf8);
    assert!(std::str::from_utf8(&binary.body).is_err());
    assert!(!parses(&answer(FaultKind::Html).body));
    assert!(answer(FaultKind::WrongShape).json().is_object());
    assert!(answer(FaultKind::Null).json().is_null());
    let huge = answer(FaultKind::HugeBody(3_000_000));
    assert!(huge.body.len() > 3_000_000);
    assert_eq!(huge.rows().len(), 100);
    let away = answer(FaultKind::Redirect("https://elsewhere.invalid/".to_owned()));
    assert_eq!(
        (away.status, away.header("location")),
        (302, Some("https://elsewhere.invalid/"))
    );
}

#[test]
fn pages_repeat_end_early_lose_rows_or_are_empty() {
    let all = walk(&seeded(), RELEASES).len();
    let walked = |kind, skip| {
        let sandbox = seeded();
        sandbox.faults().add(Fault {
            skip,
            ..Fault::once(Match::path("/releases/"), kind)
        });
        let rows = walk(&sandbox, RELEASES).len();
        assert_eq!(sandbox.faults().fired(), 1);
        rows
    };
    assert_eq!(walked(FaultKind::RepeatCursor, 0), all + 100);
    assert_eq!(walked(FaultKind::LoseRow, 0), all - 1);
    assert_eq!(walked(FaultKind::NoLink, 0), 100);
    assert_eq!(walked(FaultKind::EmptyPageMore, 0), all);
    assert_eq!(walked(FaultKind::EmptyPageMore, 1), all);
    let search = "/organizations/acme/issues/?query=&project=-1&limit=20";
    let sandbox = seeded();
    let all = walk(&sandbox, search).len();
    sandbox.faults().add(Fault {
        skip: 2,
        ..Fault::once(Match::path("/issues/"), FaultKind::EmptyPageMore)
    });
    assert_eq!(walk(&sandbox, search).len(), all);
    // Nothing counts releases, so that nobody could tell.
    sandbox
        .faults()
        .add(Fault::once(Match::any(), FaultKind::EndEarly));
    assert_eq!(
        walk(&sandbox, RELEASES).len(),
        walk(&seeded(), RELEASES).len()
    );
    assert_eq!(walk(&sandbox, search).len(), 10);
}

#[test]
fn only_long_windows_are_too_large() {
    let sandbox = seeded();
    sandbox.faults().add(Fault::always(
        Match::path_end("/issues/"),
        FaultKind::WindowLongerThan(Duration::from_secs(24 * 3_600)),
    ));
    let status = |from: i64| {
        let window = format!("start={}&end={}", iso(ago(from)), iso(now()));
        get(
            &sandbox,
            &format!("/organizations/acme/issues/?query=&{window}"),
        )
        .status
    };
    assert_eq!((status(24), status(25)), (200, 429));
    assert_eq!(get(&sandbox, "/organizations/acme/issues/").status, 429);
    assert_eq!(
        get(&sandbox, "/organizations/acme/issues/1001/").status,
        200
    );
    sandbox.faults().clear();
    assert_eq!(status(25), 200);
}

#[test]
fn dice_fall_the_same_way_for_the_same_seed() {
    let fallen = |seed| -> Vec<u16> {
        let sandbox = seeded();
        sandbox.faults().random(
            0.5,
            seed,
            vec![FaultKind::Status(500), FaultKind::Status(503)],
        );
        (0..30)
            .map(|_| get(&sandbox, "/organizations/acme/").status)
            .collect()
    };
    let one = fallen(1);
    assert_eq!(one, fallen(1));
    assert_ne!(one, fallen(2));
    for status in [200, 500, 503] {
        assert!(one.contains(&status));
    }
}

#[test]
fn a_match_reads_paths_and_queries_encoded_or_not() {
    let sandbox = seeded();
    let gone = FaultKind::Gone;
    sandbox.faults().add(Fault::always(
        Match::path("/issues/").query("issue.category:feedback"),
        gone.clone(),
    ));
    sandbox
        .faults()
        .add(Fault::always(Match::path("releases/api@1"), gone));
    let status = |path: &str| get(&sandbox, path).status;
    assert_eq!(status("/organizations/acme/issues/?query="), 200);
    assert_eq!(
        status("/organizations/acme/issues/?query=issue.category%3Afeedback"),
        410
    );
    assert_eq!(
        status("/organizations/acme/releases/api%401.0.0%2Bbuild.7/"),
        410
    );
}
