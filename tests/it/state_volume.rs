//! STATE messages: as many as tell something new, not more than their readers can bear, and none too late.

use crate::dsl::{Sentry, Tap};
use chrono::TimeDelta;
use sentry_sandbox::{Fault, FaultKind, Match};
use std::time::Instant;

/// So many projects without an issue.
fn idle(projects: usize) -> Sentry {
    let mut sentry = Sentry::holding(|world| {
        for number in 0..projects {
            world.add_project(&format!("idle-{number}"));
        }
    });
    sentry.start = sentry.now - TimeDelta::days(3);
    sentry
}

#[test]
fn a_run_over_a_thousand_idle_projects_prints_at_most_a_megabyte() {
    let sentry = idle(1_000);
    let tap = Tap::against(&sentry)
        .without("state_interval_seconds")
        .select(&["issues", "events"]);
    let timed = |tap: Tap| {
        let began = Instant::now();
        (tap.run(), began.elapsed().as_secs())
    };
    let first = timed(tap.clone().until(sentry.end - TimeDelta::hours(2)));
    let second = timed(tap.state(&first.0.state()));
    for (run, seconds) in [&first, &second] {
        run.is_complete();
        // One more for each half a minute that a busy machine takes longer.
        let most = 1_000_000 + 300_000 * usize::try_from(seconds / 30).unwrap();
        assert!(
            run.stdout.len() <= most,
            "{} bytes, {} STATE lines in {seconds} s",
            run.stdout.len(),
            run.states().len()
        );
        assert!(
            run.states().windows(2).all(|two| two[0] != two[1]),
            "none says nothing new"
        );
    }
    assert_eq!(
        second.0.bookmark("events", sentry.project("idle-777")),
        Some(sentry.end)
    );
}

#[test]
fn a_run_that_moves_no_bookmark_has_one_state() {
    let sentry = Sentry::small();
    assert_eq!(
        Tap::against(&sentry)
            .select(&["teams", "members"])
            .run()
            .is_complete()
            .states()
            .len(),
        1
    );
}

#[test]
fn what_is_finished_is_told_before_a_long_wait() {
    let sentry = Sentry::small();
    let (api, web) = (sentry.project("api"), sentry.project("web"));
    let list = Match::path_end("/issues/").query(format!("project={web}&"));
    sentry.refuses_wide_lists();
    sentry.faults().add(Fault::always(list, FaultKind::Silence));
    let mut running = Tap::against(&sentry)
        .without("state_interval_seconds")
        .select(&["issues"])
        .start();
    let state = loop {
        let message = running.line().expect("the run goes on");
        if message["type"] == "STATE" {
            break message["value"].clone();
        }
    };
    assert_eq!(
        crate::dsl::bookmark(&state, "issues", api),
        Some(sentry.end),
        "{state}"
    );
    let killed = running.kill();
    sentry.faults().clear();
    Tap::against(&sentry)
        .select(&["issues"])
        .completes(&sentry, &[&killed]);
}
