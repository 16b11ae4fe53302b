//! Events of many issues from the list of their project.

use crate::dsl::{Sentry, Tap};
use chrono::TimeDelta;
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match};

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
    run.has_each_event_once(&sentry);
    let project = sentry.project("api");
    assert_eq!(
        sentry.asked(&format!("/projects/acme/{project}/events/")),
        1
    );
    assert!(sentry.requests().len() < 10, "{}", sentry.requests().len());
}

/// The pages of one list come one after the other, those of many lists at once.
#[test]
fn many_events_of_each_issue_are_read_issue_by_issue() {
    let sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        for number in 0..25 {
            let issue = world.add_issue(project, &format!("issue {number}"));
            for event in 0..40 {
                world.add_event(issue, world.clock() - TimeDelta::minutes(90 + event));
            }
        }
    });
    let run = Tap::against(&sentry)
        .select(&["issues", "events"])
        .with("window_days", 30)
        .run();
    run.has_each_event_once(&sentry);
    let project = sentry.project("api");
    assert_eq!(
        sentry.asked(&format!("/projects/acme/{project}/events/")),
        0
    );
}

#[rstest]
#[case::is_forbidden(FaultKind::Status(403))]
#[case::ends_early(FaultKind::EndEarly)]
#[case::is_empty(FaultKind::Body("[]".to_owned()))]
#[case::names_no_issue(FaultKind::Body(
    r#"[{"id":"1","eventID":"1","projectID":"1","dateCreated":"2026-01-01T00:00:00Z"}]"#.to_owned()
))]
fn a_project_list_that_fails_or_lacks_rows_is_made_up_for_issue_by_issue(#[case] kind: FaultKind) {
    let sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        for number in 0..130 {
            let issue = world.add_issue(project, &format!("issue {number}"));
            world.add_event(issue, world.clock() - TimeDelta::minutes(90 + number));
        }
    });
    let project = sentry.project("api");
    sentry.faults().add(Fault::always(
        Match::path_end(format!("/projects/acme/{project}/events/")),
        kind,
    ));
    let run = Tap::against(&sentry)
        .select(&["issues", "events"])
        .with("window_days", 30)
        .retries(0)
        .run();
    run.has_each_event_once(&sentry);
    run.tells("asking issue by issue instead");
}
