//! Where an extraction begins and ends: bookmarks, `start_date`, `end_date`.

use crate::dsl::{Sentry, Tap, instant, text};
use crate::incremental::one_issue;
use chrono::TimeDelta;
use serde_json::json;

#[test]
fn the_newer_of_bookmark_and_start_date_counts() {
    let sentry = Sentry::small();
    let state = json!({"bookmarks": {"events": {"start": "2001-01-01T00:00:00Z"}}});
    let run = Tap::against(&sentry)
        .select(&["events"])
        .state(&state)
        .run();
    run.is_complete();
    run.keys("events").equal(sentry.expected("events"));
    let earliest = sentry
        .requests()
        .iter()
        .filter_map(|request| request.get("start").map(str::to_owned))
        .min();
    assert_eq!(earliest, Some(text(sentry.start)));
}

#[test]
fn slices_by_end_date_make_the_whole() {
    let sentry = Sentry::small();
    let middle = sentry.now - TimeDelta::days(5);
    let first = Tap::against(&sentry).until(middle).run();
    first.is_complete();
    assert_eq!(
        first.bookmark("events", sentry.project("api")),
        Some(middle)
    );
    first
        .keys("events")
        .equal(sentry.expected_until("events", middle));
    Tap::against(&sentry).completes(&sentry, &[&first]);
}

#[test]
fn an_end_before_the_bookmark_moves_nothing_back() {
    let sentry = Sentry::small();
    let first = Tap::against(&sentry).run();
    let second = Tap::against(&sentry)
        .until(sentry.now - TimeDelta::days(5))
        .state(&first.state())
        .run();
    second.is_complete();
    assert_eq!(second.state(), first.state());
}

#[test]
fn an_end_in_the_future_hides_nothing_that_comes_before_it() {
    let (sentry, issue) = one_issue(1);
    let tap = Tap::against(&sentry)
        .select(&["issues", "events", "releases"])
        .until(sentry.now + TimeDelta::days(400))
        .with("lookback_minutes", 0);
    let first = tap.clone().run();
    let after = chrono::Utc::now();
    first
        .is_complete()
        .keys("events")
        .equal(sentry.expected("events"));
    assert!(
        first.bookmark("events", sentry.project("api")) <= Some(after),
        "what is to come has not been written"
    );
    assert!(
        sentry.requests().len() < 40,
        "{} requests for nothing",
        sentry.requests().len()
    );

    let event = sentry.world().add_event(issue, after);
    let second = tap.state(&first.state()).run();
    second
        .is_complete()
        .keys("events")
        .include([format!("{}|{event}", sentry.project("api"))]);
}

#[test]
fn a_bookmark_in_the_future_is_told() {
    let (sentry, _) = one_issue(1);
    let state = |start: chrono::DateTime<chrono::Utc>| json!({"bookmarks": {"events": {"start": text(start)}}});
    let tap = Tap::against(&sentry).select(&["events"]);
    let ahead = sentry.now + TimeDelta::days(2);
    tap.clone()
        .state(&state(ahead))
        .run()
        .is_complete()
        .tells(&text(ahead))
        .tells("in the future");
    tap.state(&state(sentry.now))
        .run()
        .is_complete()
        .does_not_tell("in the future");
}

#[test]
fn without_an_end_date_the_bookmark_is_when_the_run_started() {
    let (sentry, _) = one_issue(1);
    let before = chrono::Utc::now();
    // Statistics are asked for by whole intervals, the last of which is not over.
    let run = Tap::against(&sentry)
        .select(&["issues", "events", "releases"])
        .without("end_date")
        .run();
    run.is_complete();
    let reached = run.bookmark("issues", sentry.project("api")).unwrap();
    assert!(
        reached >= before - TimeDelta::seconds(1) && reached <= chrono::Utc::now(),
        "{reached}"
    );
    let ends: std::collections::BTreeSet<_> = sentry
        .requests()
        .iter()
        .filter_map(|request| request.get("end"))
        .map(|end| instant(&json!(end)))
        .collect();
    assert_eq!(ends.last(), Some(&reached));
}
