//! Signals, and readers that stop reading.

use crate::dsl::{Running, Sentry, Tap, union};
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match};
use std::time::{Duration, Instant};

/// A tap that hangs in the events of one issue, after it has written something.
fn hanging(sentry: &Sentry, kind: FaultKind) -> Running {
    let issue = sentry.issue("web issue 2");
    sentry.faults().add(Fault::always(Match::path(format!("/issues/{issue}/events/")), kind));
    let mut running = Tap::against(sentry).start();
    running.read_to("RECORD");
    running
}

#[rstest]
#[case::terminated("TERM", FaultKind::Stall(Duration::from_secs(3600)))]
#[case::interrupted("INT", FaultKind::Stall(Duration::from_secs(3600)))]
#[case::while_a_rate_limit_lasts("TERM", FaultKind::RateLimited { reset_in_seconds: 600 })]
fn a_signal_ends_the_run_in_order(#[case] signal: &str, #[case] kind: FaultKind) {
    let sentry = Sentry::small();
    let started = Instant::now();
    let run = hanging(&sentry, kind).signal(signal);
    // Whole lines and a last STATE are checked for every run.
    run.is_incomplete().no_state_is_ahead(&sentry, &[]);
    assert!(run.states().last().is_some());
    assert!(started.elapsed() < Duration::from_secs(30), "it did not wait for what hangs");

    sentry.faults().clear();
    let second = Tap::against(&sentry).state(&run.state()).run();
    second.is_complete();
    for stream in ["issues", "events", "releases"] {
        union(stream, &[&run, &second]).equal(sentry.expected(stream));
    }
}

#[test]
fn a_signal_ends_the_run_even_when_nobody_reads() {
    let sentry = Sentry::seeded();
    let mut running = Tap::against(&sentry).with("fetch_event_details", true).start();
    running.read_to("RECORD");
    // The pipe is full long before everything is written; nobody reads until the tap is gone.
    let code = running.signal_without_reading("TERM");
    assert_eq!(code, Some(4));
}

#[test]
fn what_was_written_before_a_kill_is_true() {
    let sentry = Sentry::small();
    let mut running = hanging(&sentry, FaultKind::Stall(Duration::from_secs(3600)));
    running.read_to("STATE");
    let run = running.kill();
    run.no_state_is_ahead(&sentry, &[]);
    sentry.faults().clear();
    let second = Tap::against(&sentry).state(&run.state()).run();
    second.is_complete();
    for stream in ["issues", "events", "releases"] {
        union(stream, &[&run, &second]).equal(sentry.expected(stream));
    }
}
