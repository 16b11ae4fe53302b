//! The law of resuming: whatever interrupts a run, and whatever changes meanwhile, the records of the interrupted run
//! and of those resumed from the last STATE that it printed are together everything.
//!
//! `LAW_CASES` is how many random cases are tried; each prints the seed by which it can be repeated (`LAW_SEED`).

use crate::dsl::{Dice, Run, Sentry, Tap, setting, union};
use chrono::TimeDelta;
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match};

const STREAMS: [&str; 4] = ["projects", "issues", "events", "releases"];

/// Four projects over six weeks, with more issues and events than a page holds in one of them.
fn organization() -> Sentry {
    let mut sentry = Sentry::holding(|world| {
        let now = world.clock();
        for (slug, issues) in [("api", 110), ("web", 12), ("worker", 5), ("quiet", 0)] {
            let project = world.add_project(slug);
            for number in 0..issues {
                let issue = world.add_issue(project, &format!("{slug} issue {number}"));
                for event in 0..=(number % 3) {
                    world.add_event(
                        issue,
                        now - TimeDelta::hours(1 + (number * 7 + event * 331) % 960),
                    );
                }
            }
            world.add_release(&format!("{slug}@1.0"), project, now - TimeDelta::days(3));
        }
        let busy = *world.issues.keys().next().unwrap();
        for event in 0..120 {
            world.add_event(busy, now - TimeDelta::minutes(30 + event));
        }
    });
    sentry.start = sentry.now - TimeDelta::days(42);
    sentry
}

fn tap(sentry: &Sentry) -> Tap {
    // Short windows make many a STATE; what is not read again must have been written.
    Tap::against(sentry)
        .select(&STREAMS)
        .with("window_days", 5)
        .with("lookback_minutes", 0)
        .with("issue_refresh_days", 0)
}

fn everything_is_there(sentry: &Sentry, runs: &[&Run]) {
    for stream in STREAMS {
        union(stream, runs).include(sentry.expected(stream));
    }
}

#[rstest]
#[case::of_projects_that_are_listed_together(false)]
#[case::of_each_project_alone(true)]
fn a_run_cut_after_any_state_loses_nothing(#[case] alone: bool) {
    let sentry = organization();
    if alone {
        sentry.refuses_wide_lists();
    }
    let whole = tap(&sentry).run();
    whole.is_complete().no_state_is_ahead(&sentry, &[]);
    let ends: Vec<usize> = whole
        .messages
        .iter()
        .enumerate()
        .filter(|(_, message)| message["type"] == "STATE")
        .map(|(at, _)| at + 1)
        .collect();
    assert!(ends.len() > 5, "{} STATE lines", ends.len());
    for end in [
        ends[0],
        ends[ends.len() / 3],
        ends[2 * ends.len() / 3],
        ends[ends.len() - 2],
    ] {
        let cut = whole.first(end);
        tap(&sentry).completes(&sentry, &[&cut]);
    }
}

/// What happens to the data while a run is under way.
fn disturb(sentry: &Sentry, dice: &mut Dice) {
    let issues = sentry.issues_of("api");
    let mut one = || issues[dice.below(issues.len())];
    let (hit, resolved, deleted, child, survivor) = (one(), one(), one(), one(), one());
    let now = sentry.now;
    let skip = dice.below(12);
    println!(
        "issue {hit} gets an event, {resolved} is resolved, {deleted} deleted, {child} merged into {survivor}"
    );
    sentry
        .faults()
        .on_request(Match::any(), skip, move |world| {
            // After the end of the run's windows: it belongs to the next.
            world.add_event(hit, now + TimeDelta::minutes(1));
            world.resolve(resolved);
        });
    sentry
        .faults()
        .on_request(Match::any(), skip + dice.below(20), move |world| {
            world.delete_issue(deleted);
            if child != survivor && child != deleted && survivor != deleted {
                world.merge(child, survivor);
            }
        });
}

/// Some requests in a row are refused, whatever they ask for.
fn storm(sentry: &Sentry, dice: &mut Dice) {
    let kinds = [
        FaultKind::RateLimitedNoHeaders,
        FaultKind::RateLimited {
            reset_in_seconds: 1,
        },
        FaultKind::Gone,
        FaultKind::Status(503),
    ];
    let fault = Fault {
        skip: dice.below(120),
        times: dice.below(25),
        ..Fault::once(Match::any(), dice.one(&kinds).clone())
    };
    println!("{fault:?}");
    sentry.faults().add(fault);
}

/// What a search over many projects does that a search of one does not, for some requests or for all.
fn trouble_with_many_projects(sentry: &Sentry, dice: &mut Dice) {
    let kinds = [
        FaultKind::EndEarly,
        FaultKind::LoseRow,
        FaultKind::OneProjectOnly,
        FaultKind::TimedOut,
        FaultKind::QueryTooLarge,
        FaultKind::Status(403),
        FaultKind::Status(504),
    ];
    let wide = Match::path_end("/issues/").and_wide();
    let fault = Fault {
        skip: dice.below(3),
        times: *dice.one(&[0, 1, 2, usize::MAX]),
        ..Fault::once(wide, dice.one(&kinds).clone())
    };
    println!("{fault:?}");
    sentry.faults().add(fault);
}

fn every_fault() -> Vec<FaultKind> {
    let mut kinds = FaultKind::all_transient();
    kinds.extend([
        FaultKind::EndEarly,
        FaultKind::LoseRow,
        FaultKind::EmptyPageMore,
    ]);
    kinds
}

#[test]
fn runs_that_are_broken_off_among_faults_and_changes_lose_nothing() {
    let first = setting("LAW_SEED", 1);
    for seed in first..first + setting("LAW_CASES", 4) {
        let mut dice = Dice::new(seed);
        let sentry = organization();
        sentry.faults().random(0.05, seed, every_fault());
        disturb(&sentry, &mut dice);
        storm(&sentry, &mut dice);
        trouble_with_many_projects(&sentry, &mut dice);
        let cut = dice.below(450);
        let how = *dice.one(&["killed", "killed", "terminated", "left by its reader"]);
        println!("seed {seed}: {how} after line {cut}");

        let mut running = tap(&sentry)
            .retries(1)
            .with("request_timeout_seconds", 1)
            .start();
        running.read_lines(cut);
        let killed = match how {
            "killed" => running.kill(),
            "terminated" => running.signal("TERM"),
            _ => running.close_stdout(),
        };
        killed
            .no_state_is_ahead(&sentry, &[])
            .does_not_tell("panicked");
        // A second one among faults, which may end with gaps, and a last one in peace.
        let second = tap(&sentry)
            .retries(1)
            .with("request_timeout_seconds", 1)
            .state(&killed.state())
            .run();
        assert!(
            matches!(second.code, Some(0 | 4)),
            "{:?}\n{}",
            second.code,
            second.stderr
        );
        sentry.faults().clear();
        let third = tap(&sentry).state(&second.state()).run();
        third.is_complete();
        everything_is_there(&sentry, &[&killed, &second, &third]);
    }
}
