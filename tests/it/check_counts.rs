//! `--check-counts`: what was extracted beside what Sentry accepted.

use crate::dsl::{Run, Sentry, Tap};
use rstest::rstest;
use sentry_sandbox::world::Status;
use sentry_sandbox::{Fault, FaultKind, Match};

/// The lines of `--check-counts`.
fn counts(run: &Run) -> Vec<&str> {
    run.stderr
        .lines()
        .filter(|line| line.contains("errors accepted"))
        .collect()
}

#[test]
fn the_counts_of_a_healthy_extraction_agree() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).arg("--check-counts").run();
    run.is_complete();
    let lines = counts(&run);
    assert_eq!(lines.len(), 2, "{}", run.stderr);
    for slug in ["api", "web"] {
        // A feedback is no error.
        let line = lines
            .iter()
            .find(|line| line.contains(&format!("acme/{slug}:")))
            .expect("a line for each project");
        assert!(
            line.contains("9 errors accepted, 9 extracted, difference +0,")
                && line.contains("INFO"),
            "{line}"
        );
    }
}

#[rstest]
fn the_counts_agree_by_every_way_that_events_are_read(
    #[values(false, true)] details: bool,
    #[values(1, 90)] window_days: u32,
) {
    let sentry = Sentry::seeded();
    let run = Tap::against(&sentry)
        .select(&["issues", "events"])
        .with("fetch_event_details", details)
        .with("window_days", window_days)
        .arg("--check-counts")
        .run();
    run.is_complete();
    let lines = counts(&run);
    for slug in ["worker", "web", "mobile-app", "Legacy_PHP", "quiet"] {
        let line = lines
            .iter()
            .find(|line| line.contains(&format!("acme/{slug}:")))
            .unwrap_or_else(|| panic!("{slug}: {lines:?}"));
        assert!(line.contains("difference +0,"), "{line}");
    }
    // Three issues on their way out, each with two errors that were accepted.
    let api = lines
        .iter()
        .find(|line| line.contains("acme/api:"))
        .unwrap();
    assert!(
        api.contains("difference -6,") && api.contains("WARNING"),
        "{api}"
    );
}

#[test]
fn what_sentry_accepted_and_no_longer_lists_is_told() {
    let sentry = Sentry::small();
    {
        let mut world = sentry.world();
        let (project, now) = (world.project_by_slug("web").unwrap().id, world.clock());
        let issue = world.add_issue(project, "on its way out");
        for day in [2, 3] {
            world.add_event(issue, now - chrono::TimeDelta::days(day));
        }
        world.set_status(issue, Status::PendingDeletion);
    }
    let run = Tap::against(&sentry).arg("--check-counts").run();
    run.is_complete()
        .tells("acme/web: 11 errors accepted, 9 extracted, difference -2,")
        .tells("acme/api: 9 errors accepted, 9 extracted, difference +0,");
    assert!(
        counts(&run).iter().any(|line| line.contains("WARNING")),
        "{}",
        run.stderr
    );
}

#[rstest]
#[case::not_allowed(FaultKind::Status(403))]
#[case::a_server_without_statistics(FaultKind::Status(404))]
#[case::a_server_that_keeps_them_otherwise(FaultKind::Status(400))]
#[case::an_answer_of_another_shape(FaultKind::WrongShape)]
fn counts_that_cannot_be_had_do_not_make_a_run_incomplete(#[case] kind: FaultKind) {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::always(
        Match::path_end("/stats_v2/").query("outcome=accepted"),
        kind,
    ));
    let run = Tap::against(&sentry).arg("--check-counts").retries(0).run();
    run.is_complete()
        .tells("9 errors extracted")
        .tells("could not be counted")
        .does_not_tell("difference");
    run.keys("events").equal(sentry.expected("events"));
}
