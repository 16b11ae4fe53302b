//! Runs after runs: nothing missed, nothing brought twice that did not change, and a state that says only what is true.

use crate::dsl::{Sentry, Tap, text};
use chrono::TimeDelta;
use serde_json::{Value, json};

/// One project with one issue, whose only event is so many days old.
pub fn one_issue(days: i64) -> (Sentry, u64) {
    let sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        let issue = world.add_issue(project, "the issue");
        world.add_event(issue, world.clock() - TimeDelta::days(days));
    });
    let issue = sentry.issue("the issue");
    (sentry, issue)
}

#[test]
fn a_second_run_brings_what_changed_and_nothing_else() {
    let sentry = Sentry::small();
    let first = Tap::against(&sentry).run();
    first.is_complete();

    let issue = sentry.issue("web issue 1");
    let event = sentry
        .world()
        .add_event(issue, sentry.now + TimeDelta::minutes(5));
    let end = sentry.now + TimeDelta::hours(1);
    let second = Tap::against(&sentry)
        .with("issue_refresh_days", 0)
        .until(end)
        .completes(&sentry, &[&first]);

    second.keys("issues").equal([issue]);
    second
        .keys("events")
        .equal([format!("{}|{event}", sentry.project("web"))]);
}

#[test]
fn a_run_after_which_nothing_happened_brings_nothing_incremental() {
    let sentry = Sentry::small();
    let first = Tap::against(&sentry).run();
    let end = sentry.now + TimeDelta::hours(1);
    let second = Tap::against(&sentry)
        .with("issue_refresh_days", 0)
        .until(end)
        .state(&first.state())
        .run();
    second.is_complete();
    for stream in ["issues", "events", "releases"] {
        second.keys(stream).equal([0; 0]);
    }
    assert!(
        second.bookmark("issues", sentry.project("api"))
            >= first.bookmark("issues", sentry.project("api"))
    );
}

#[test]
fn a_new_event_of_an_issue_that_was_quiet_for_weeks_is_found() {
    let (mut sentry, issue) = one_issue(60);
    sentry.start = sentry.now - TimeDelta::days(80);
    let first = Tap::against(&sentry).run();
    first.keys("issues").equal([issue]);

    let event = sentry
        .world()
        .add_event(issue, sentry.now + TimeDelta::minutes(1));
    let second = Tap::against(&sentry)
        .until(sentry.now + TimeDelta::hours(1))
        .state(&first.state())
        .run();
    second.is_complete();
    second
        .keys("events")
        .equal([format!("{}|{event}", sentry.project("api"))]);
    assert_eq!(second.record("issues", &issue.to_string())["count"], 2);
}

#[test]
fn an_event_that_arrives_late_is_found_within_the_look_back() {
    let (sentry, issue) = one_issue(3);
    let first = Tap::against(&sentry).run();
    let late = sentry.world().add_late_event(
        issue,
        sentry.now - TimeDelta::minutes(30),
        sentry.now + TimeDelta::minutes(1),
    );
    let key = format!("{}|{late}", sentry.project("api"));
    let again = Tap::against(&sentry)
        .until(sentry.now + TimeDelta::hours(1))
        .state(&first.state());

    again
        .clone()
        .run()
        .is_complete()
        .keys("events")
        .equal([&key]);
    again
        .with("lookback_minutes", 10)
        .run()
        .is_complete()
        .keys("events")
        .exclude([&key]);
}

#[test]
fn a_change_of_status_without_an_event_arrives_while_the_issue_is_young_enough() {
    let (sentry, issue) = one_issue(4);
    let first = Tap::against(&sentry).run();
    assert_eq!(
        first.record("issues", &issue.to_string())["status"],
        "unresolved"
    );
    sentry.world().resolve(issue);
    let again = Tap::against(&sentry)
        .until(sentry.now + TimeDelta::hours(1))
        .state(&first.state());

    let second = again.clone().run();
    assert_eq!(
        second.is_complete().record("issues", &issue.to_string())["status"],
        "resolved"
    );
    second.keys("events").equal([0; 0]);
    again
        .with("issue_refresh_days", 2)
        .run()
        .is_complete()
        .keys("issues")
        .equal([0; 0]);
}

#[test]
fn a_new_project_starts_at_start_date() {
    let sentry = Sentry::small();
    let first = Tap::against(&sentry).run();
    let (project, issue) = {
        let mut world = sentry.world();
        let project = world.add_project("new");
        let issue = world.add_issue(project, "old issue of a new project");
        world.add_event(issue, sentry.now - TimeDelta::days(9));
        (project, issue)
    };
    let second = Tap::against(&sentry)
        .with("issue_refresh_days", 0)
        .until(sentry.now + TimeDelta::hours(1))
        .state(&first.state())
        .run();
    second.is_complete();
    second.keys("issues").equal([issue]);
    assert_eq!(
        second.records("events")[0]["projectID"],
        json!(project.to_string())
    );
}

#[test]
fn a_stream_selected_later_starts_at_start_date_and_the_others_go_on() {
    let sentry = Sentry::small();
    let first = Tap::against(&sentry).select(&["issues"]).run();
    let second = Tap::against(&sentry)
        .select(&["issues", "events"])
        .with("issue_refresh_days", 0)
        .until(sentry.now + TimeDelta::hours(1))
        .state(&first.state())
        .run();
    second.is_complete();
    second.keys("events").equal(sentry.expected("events"));
    assert_eq!(
        second.bookmark("issues", sentry.project("api")),
        second.bookmark("events", sentry.project("api"))
    );
}

#[test]
fn an_unchanged_issue_is_written_once_however_many_windows_show_it() {
    let mut sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        let issue = world.add_issue(project, "weekly");
        for week in 0..8 {
            world.add_event(issue, world.clock() - TimeDelta::days(7 * week + 1));
        }
    });
    sentry.start = sentry.now - TimeDelta::days(60);
    let run = Tap::against(&sentry).run();
    run.is_complete();
    run.keys("issues")
        .equal(sentry.expected("issues"))
        .are_distinct();
    run.keys("events")
        .equal(sentry.expected("events"))
        .are_distinct();
}

#[test]
fn an_issue_that_changes_during_the_run_is_written_again() {
    let mut sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        let issue = world.add_issue(project, "weekly");
        for week in 0..12 {
            world.add_event(issue, world.clock() - TimeDelta::days(7 * week + 1));
        }
    });
    sentry.start = sentry.now - TimeDelta::days(84);
    let issue = sentry.issue("weekly");
    let last_window = format!("end={}", text(sentry.end));
    sentry.faults().on_request(
        sentry_sandbox::Match::path_end("/issues/")
            .query(last_window)
            .query("limit=100"),
        0,
        move |world| {
            world.resolve(issue);
        },
    );
    let run = Tap::against(&sentry)
        .select(&["issues"])
        .with("concurrency", 1)
        .run();
    run.is_complete();
    let statuses: Vec<&Value> = run
        .records("issues")
        .into_iter()
        .map(|record| &record["status"])
        .collect();
    assert_eq!(
        (statuses.first(), statuses.last()),
        (Some(&&json!("unresolved")), Some(&&json!("resolved")))
    );
}
