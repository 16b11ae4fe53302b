//! The run's `now` is the earlier of this machine's clock and the server's.

use crate::dsl::{Run, Sentry, Tap};
use chrono::{TimeDelta, Utc};
use rstest::rstest;
use sentry_sandbox::{Date, Options, World};
use serde_json::json;

/// A server that runs so much later than this machine, with an event of an hour before its now.
fn server(date: Date, later: TimeDelta) -> (Sentry, u64) {
    let mut issue = 0;
    let mut sentry = Sentry::of(|now| {
        let now = now + later;
        let mut world = World::empty(now);
        let project = world.add_project("api");
        issue = world.add_issue(project, "the issue");
        world.add_event(issue, now - TimeDelta::hours(1));
        world.add_release("api@1.0", project, now - TimeDelta::hours(1));
        Options {
            date,
            ..Options::new(world)
        }
    });
    sentry.start = sentry.now - TimeDelta::days(20);
    (sentry, issue)
}

fn tap(sentry: &Sentry) -> Tap {
    Tap::against(sentry)
        .without("end_date")
        .with("lookback_minutes", 0)
        .select(&["issues", "events", "releases"])
}

#[test]
fn what_happens_before_a_server_that_is_behind_has_come_to_our_time_is_extracted() {
    let behind = TimeDelta::hours(3);
    let (sentry, issue) = server(Date::Shifted(-behind.num_seconds()), -behind);
    let first = tap(&sentry).run();
    let project = sentry.project("api");
    first
        .is_complete()
        .tells("this machine's clock is 10")
        .tells("ahead of the server's");
    for stream in ["issues", "events", "releases"] {
        let reached = first.bookmark(stream, project).expect("a bookmark");
        assert!(reached <= Utc::now() - behind, "{stream}: {reached}");
    }
    let latest = sentry
        .requests()
        .iter()
        .filter_map(|request| request.get("end").map(str::to_owned))
        .max()
        .expect("a window");
    assert!(
        crate::dsl::instant(&json!(latest)) <= Utc::now() - behind,
        "{latest}: no window lies beyond it"
    );

    // An hour later, by the server's clock: that is still before our time of the first run.
    let at = Utc::now() - behind + TimeDelta::hours(1);
    let event = sentry.world().add_event(issue, at);
    let later = Sentry::of(|_| Options {
        date: Date::Shifted(-TimeDelta::hours(1).num_seconds()),
        ..Options::new(sentry.world().clone())
    });
    let second = tap(&sentry)
        .with("base_url", later.url())
        .state(&first.state())
        .run();
    second
        .is_complete()
        .keys("events")
        .include([format!("{project}|{event}")]);
}

#[test]
fn a_cache_that_gave_the_first_answer_does_not_hide_that_the_server_is_behind() {
    let behind = TimeDelta::hours(3);
    let (sentry, _) = server(Date::ProjectsAged(-behind.num_seconds()), -behind);
    let run = tap(&sentry).run();
    run.is_complete().tells("ahead of the server's");
    for stream in ["issues", "events", "releases"] {
        let reached = run.bookmark(stream, sentry.project("api"));
        assert!(
            reached <= Some(Utc::now() - behind),
            "{stream}: {reached:?}"
        );
    }
}

#[test]
fn a_server_that_is_ahead_is_told_of_and_ours_counts() {
    let ahead = TimeDelta::hours(3);
    let (sentry, _) = server(Date::Shifted(ahead.num_seconds()), TimeDelta::zero());
    let run = tap(&sentry).run();
    run.is_complete().tells("behind the server's");
    assert!(run.bookmark("events", sentry.project("api")) <= Some(Utc::now()));
}

fn ours_counts(run: &Run, sentry: &Sentry) {
    let reached = run.bookmark("events", sentry.project("api"));
    assert!(
        reached >= Some(sentry.now) && reached <= Some(Utc::now()),
        "{reached:?}"
    );
}

#[rstest]
#[case::that_differs_by_little(Date::Shifted(30), "", "the server's")]
#[case::that_is_not_told(Date::Unreadable, "this machine's clock counts", "ahead of")]
#[case::that_a_cache_told(Date::Aged(-7_200), "this machine's clock counts", "ahead of")]
fn a_server_clock(#[case] date: Date, #[case] told: &str, #[case] not_told: &str) {
    let (sentry, _) = server(date, TimeDelta::zero());
    let run = tap(&sentry).run();
    run.is_complete().tells(told).does_not_tell(not_told);
    ours_counts(&run, &sentry);
}

#[test]
fn a_bookmark_of_a_clock_that_ran_ahead_is_set_back() {
    let (sentry, issue) = server(Date::Own, TimeDelta::zero());
    let project = sentry.project("api");
    let ahead = sentry.now + TimeDelta::hours(5);
    let context = json!({"organization_slug": "acme", "project_id": project.to_string()});
    let state = json!({"bookmarks": {"events": {"start": crate::dsl::text(ahead), "partitions": [{"context": context, "start": crate::dsl::text(ahead)}]}}});
    let first = tap(&sentry).select(&["events"]).state(&state).run();
    first.is_complete().tells("in the future");
    ours_counts(&first, &sentry);
    let event = sentry.world().add_event(issue, Utc::now());
    let second = tap(&sentry)
        .select(&["events"])
        .state(&first.state())
        .with(
            "end_date",
            crate::dsl::text(sentry.now + TimeDelta::hours(1)),
        )
        .run();
    second
        .is_complete()
        .keys("events")
        .include([format!("{project}|{event}")]);
}

#[test]
fn a_start_in_the_servers_future_is_said() {
    let (sentry, _) = server(Date::Shifted(-36_000), TimeDelta::zero());
    let run = tap(&sentry)
        .with(
            "start_date",
            crate::dsl::text(sentry.now - TimeDelta::hours(1)),
        )
        .run();
    run.is_complete()
        .tells("`start_date` is in the future by the server's clock");
    assert_eq!(run.of_type("RECORD").count(), 0);
    assert!(
        run.state()["bookmarks"]
            .as_object()
            .is_some_and(|bookmarks| bookmarks.values().all(|one| one.get("start").is_none())),
        "{}",
        run.state()
    );
}

#[test]
fn an_end_before_the_bookmark_is_said() {
    let (sentry, _) = server(Date::Own, TimeDelta::zero());
    let first = tap(&sentry).run();
    let run = tap(&sentry)
        .until(sentry.now - TimeDelta::days(2))
        .state(&first.state())
        .run();
    run.is_complete()
        .tells("is before the bookmark: nothing new can come");
    tap(&sentry)
        .until(sentry.now)
        .run()
        .does_not_tell("nothing new can come");
}
