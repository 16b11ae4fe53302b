//! Signals, and readers that stop reading.

use crate::dsl::{Running, Sentry, Tap};
use chrono::TimeDelta;
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match};

/// A tap that hangs, far longer than a test may take, in the events of one issue, after it has written something.
fn hanging(sentry: &Sentry, kind: FaultKind) -> Running {
    let issue = sentry.issue("web issue 2");
    sentry.faults().add(Fault::always(
        Match::path(format!("/issues/{issue}/events/")),
        kind,
    ));
    let mut running = Tap::against(sentry).start();
    running.read_to("RECORD");
    running
}

#[rstest]
#[case::terminated("TERM", FaultKind::Silence)]
#[case::interrupted("INT", FaultKind::Silence)]
#[case::while_a_rate_limit_lasts("TERM", FaultKind::RateLimited { reset_in_seconds: 600 })]
#[case::while_a_gateway_wants_to_be_left_alone("TERM", FaultKind::RetryAfter(3_000))]
#[case::in_the_middle_of_a_body("TERM", FaultKind::StallBody)]
fn a_signal_ends_the_run_in_order(#[case] signal: &str, #[case] kind: FaultKind) {
    let sentry = Sentry::small();
    let run = hanging(&sentry, kind).signal(signal);
    // Whole lines and a last STATE are checked for every run.
    run.is_incomplete().no_state_is_ahead(&sentry, &[]);
    assert!(run.states().last().is_some());

    sentry.faults().clear();
    Tap::against(&sentry).completes(&sentry, &[&run]);
}

#[rstest]
#[case::terminated("TERM", "SIGTERM")]
#[case::interrupted("INT", "ctrl-c")]
fn a_signal_at_the_first_line_ends_the_run_in_order(#[case] signal: &str, #[case] told: &str) {
    let sentry = Sentry::small();
    sentry
        .faults()
        .add(Fault::always(Match::any(), FaultKind::Silence));
    for _ in 0..20 {
        let mut running = Tap::against(&sentry).start();
        running.read_lines(1);
        running.signal(signal).is_incomplete().ends_telling(told);
    }
}

#[test]
fn a_signal_ends_the_run_even_when_nobody_reads() {
    let sentry = Sentry::seeded();
    let mut running = Tap::against(&sentry)
        .with("fetch_event_details", true)
        .start();
    running.read_to("RECORD");
    // The pipe is full long before everything is written; nobody reads until the tap is gone.
    let code = running.signal_without_reading("TERM");
    assert_eq!(code, Some(4));
}

#[test]
fn a_signal_when_everything_has_been_asked_for_ends_the_run_even_when_nobody_reads() {
    // Few pages, so that the walk comes to its end.
    let sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        let issue = world.add_issue(project, "busy");
        for number in 0..300 {
            world.add_event(issue, world.clock() - TimeDelta::minutes(number + 1));
        }
    });
    let tap = Tap::against(&sentry)
        .select(&["events"])
        .with("concurrency", 1);
    let whole = tap.clone().run();
    assert!(
        whole.is_complete().stdout.len() > 2 << 16,
        "more than a pipe holds: {}",
        whole.stdout.len()
    );
    let last = sentry.arrival(Match::any(), sentry.requests().len());
    let running = tap.start();
    last.recv().unwrap();
    assert_eq!(running.signal_without_reading("TERM"), Some(4));
}

#[test]
fn a_signal_ends_the_comparison_of_counts_too() {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::always(
        Match::path_end("/stats_v2/"),
        FaultKind::Silence,
    ));
    let asked = sentry.arrival(Match::path_end("/stats_v2/"), 1);
    let mut running = Tap::against(&sentry)
        .select(&["events"])
        .arg("--check-counts")
        .start();
    // What is left after the schemas fits into the pipe.
    running.read_to("RECORD");
    asked.recv().unwrap();
    let run = running.signal("TERM");
    run.is_incomplete()
        .ends_telling("SIGTERM")
        .keys("events")
        .equal(sentry.expected("events"));
}

#[test]
fn what_was_written_before_a_kill_is_true() {
    let sentry = Sentry::small();
    let mut running = hanging(&sentry, FaultKind::Silence);
    running.read_to("STATE");
    let run = running.kill();
    run.no_state_is_ahead(&sentry, &[]);
    sentry.faults().clear();
    Tap::against(&sentry).completes(&sentry, &[&run]);
}

#[test]
fn a_signal_ends_the_run_in_order_while_every_class_is_closed() {
    let sentry = Sentry::small();
    let mut running = Tap::against(&sentry).start();
    sentry.faults().add(Fault {
        skip: 9,
        ..Fault::always(
            Match::any(),
            FaultKind::RateLimited {
                reset_in_seconds: 3_000,
            },
        )
    });
    running.read_to("RECORD");
    let run = running.signal("TERM");
    run.is_incomplete()
        .no_state_is_ahead(&sentry, &[])
        .ends_telling("SIGTERM");
    sentry.faults().clear();
    Tap::against(&sentry).completes(&sentry, &[&run]);
}

#[test]
fn a_reader_that_closes_the_pipe_resumes_from_what_it_has_read() {
    let sentry = Sentry::seeded();
    // More than a pipe holds.
    let mut running = Tap::against(&sentry)
        .with("fetch_event_details", true)
        .start();
    running.read_to("STATE");
    let run = running.close_stdout();
    run.ends_with(5)
        .does_not_tell("panicked")
        .does_not_tell("ERROR    | tap-sentry.");
    Tap::against(&sentry)
        .with("fetch_event_details", true)
        .completes(&sentry, &[&run]);
}

#[test]
fn a_reader_that_closes_the_pipe_ends_the_run_also_while_answers_are_awaited() {
    let sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        let [busy, silent, later] =
            ["busy", "silent", "later"].map(|title| world.add_issue(project, title));
        for number in 0..300 {
            world.add_event(busy, world.clock() - TimeDelta::minutes(number + 1));
        }
        world.add_event(silent, world.clock() - TimeDelta::minutes(1));
        world.add_event(later, world.clock() - TimeDelta::days(2));
    });
    let asked = ["silent", "later"].map(|title| {
        let list = Match::path(format!("/issues/{}/events/", sentry.issue(title)));
        sentry
            .faults()
            .add(Fault::always(list.clone(), FaultKind::Silence));
        sentry.arrival(list, 1)
    });
    let tap = Tap::against(&sentry)
        .select(&["events"])
        .with("concurrency", 2)
        .with("request_timeout_seconds", 3_000);
    let mut running = tap.start();
    running.read_to("RECORD");
    // Both are asked for once all of the busy one is with the writer: more than the pipe holds.
    for list in asked {
        list.recv().unwrap();
    }
    running
        .close_stdout()
        .ends_with(5)
        .does_not_tell("panicked");
}

#[rstest]
fn statistics_are_whole_after_a_kill_at_any_interval(
    #[values(
        ("organization_stats", "/stats_v2/", "STATE"),
        // Of all four numbers of a project.
        ("project_stats", "/stats/", "RECORD"),
        ("sessions", "/sessions/", "STATE")
    )]
    (stream, list, written): (&str, &str, &str),
    #[values(0, 2, 6)] answered: usize,
) {
    let sentry = Sentry::small();
    for slug in ["api", "web"] {
        let project = sentry.project(slug);
        for day in 0..10 {
            let at = sentry.now - TimeDelta::days(day) - TimeDelta::minutes(1);
            let mut world = sentry.world();
            world.add_sessions(project, &format!("{slug}@1"), at, 20, 1);
            world.add_outcomes(project, at, "invalid", "cors", 3);
        }
    }
    let tap = Tap::against(&sentry)
        .select(&[stream])
        .with("concurrency", 1);
    let silence = Fault {
        skip: answered,
        ..Fault::always(Match::path_end(list), FaultKind::Silence)
    };
    sentry.faults().add(silence);
    let asked = sentry.arrival(Match::path_end(list), answered + 1);
    let mut running = tap.clone().start();
    asked.recv().unwrap();
    if answered > 0 {
        // What was answered is written while the next is awaited.
        running.read_to(written);
    }
    let run = running.kill();
    run.no_state_is_ahead(&sentry, &[]);
    sentry.faults().clear();
    tap.completes(&sentry, &[&run]);
}
