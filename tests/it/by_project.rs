//! Events of many issues from the list of their project.

use crate::dsl::{Run, Sentry, Tap};
use chrono::TimeDelta;
use sentry_sandbox::{Fault, FaultKind, Match};

#[track_caller]
fn has_everything(run: &Run, sentry: &Sentry) {
    run.is_complete().no_state_is_ahead(sentry, &[]);
    for stream in ["issues", "events"] {
        run.keys(stream)
            .equal(sentry.expected(stream))
            .are_distinct();
    }
}

/// Twenty issues and more with an event or two each are cheaper to read from their project's own list.
#[test]
fn few_events_of_many_issues_are_read_from_the_list_of_their_project() {
    let sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        for number in 0..60 {
            let issue = world.add_issue(project, &format!("issue {number}"));
            world.add_event(issue, world.clock() - TimeDelta::hours(2 + number % 5));
        }
    });
    let run = Tap::against(&sentry)
        .select(&["issues", "events"])
        .with("window_days", 30)
        .run();
    has_everything(&run, &sentry);
    let project = sentry.project("api");
    assert_eq!(
        sentry.asked(&format!("/projects/acme/{project}/events/")),
        1
    );
    assert!(sentry.requests().len() < 10, "{}", sentry.requests().len());
}

#[test]
fn a_project_list_that_fails_is_made_up_for_issue_by_issue() {
    let sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        for number in 0..25 {
            let issue = world.add_issue(project, &format!("issue {number}"));
            world.add_event(issue, world.clock() - TimeDelta::hours(2));
        }
    });
    let project = sentry.project("api");
    sentry.faults().add(Fault::always(
        Match::path_end(format!("/projects/acme/{project}/events/")),
        FaultKind::Status(403),
    ));
    let run = Tap::against(&sentry)
        .select(&["issues", "events"])
        .with("window_days", 30)
        .run();
    has_everything(&run, &sentry);
    run.tells("asking issue by issue instead");
}
