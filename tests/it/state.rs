//! States: what they hold, which are believed, and in which forms they are read.

use crate::dsl::{Sentry, Tap, bookmark, text};
use chrono::TimeDelta;
use rstest::rstest;
use sentry_sandbox::{Options, World};
use serde_json::json;

#[test]
fn the_state_of_the_older_python_tap_counts_for_every_project() {
    let sentry = Sentry::small();
    let old = json!({"bookmarks": {"issues": {"start": text(sentry.now - TimeDelta::days(3))}, "events": {"start": text(sentry.now - TimeDelta::days(3))}}});
    let run = Tap::against(&sentry)
        .select(&["issues", "events"])
        .state(&old)
        .run();
    run.is_complete();
    let expected = sentry.world().expected(
        "events",
        None,
        sentry.now - TimeDelta::days(3) - TimeDelta::hours(1),
        sentry.end,
    );
    run.keys("events").equal(expected);
    assert_eq!(
        run.state()["bookmarks"]["issues"]["start"],
        text(sentry.end)
    );
}

#[test]
fn foreign_bookmarks_are_carried_in_every_state() {
    let sentry = Sentry::small();
    let state = json!({
        "bookmarks": {"of_another_tap": {"replication_key_value": 7}, "releases": {"start": text(sentry.now), "note": "kept"}, "list": [1, null]},
        "beside": {"a": "b"},
    });
    sentry.refuses_wide_lists();
    let run = Tap::against(&sentry)
        .select(&["issues", "events"])
        .state(&state)
        .run();
    run.is_complete();
    assert!(run.states().len() > 1, "more than the last one");
    for value in run.states() {
        assert_eq!(value["beside"], state["beside"]);
        for name in ["of_another_tap", "releases", "list"] {
            assert_eq!(value["bookmarks"][name], state["bookmarks"][name]);
        }
    }
}

#[test]
fn a_state_follows_each_window_and_bookmarks_only_move_forward() {
    let mut sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        for week in 0..10 {
            let issue = world.add_issue(project, "of one week");
            world.add_event(issue, world.clock() - TimeDelta::days(7 * week + 1));
        }
    });
    sentry.start = sentry.now - TimeDelta::days(70);
    let project = sentry.project("api");
    // Windows end one after another, and records of the next stand between their checkpoints, which else share a STATE.
    let run = Tap::against(&sentry)
        .select(&["events"])
        .with("concurrency", 1)
        .run();
    run.is_complete().no_state_is_ahead(&sentry, &[]);
    let reached: Vec<_> = run
        .states()
        .iter()
        .filter_map(|value| bookmark(value, "events", project))
        .collect();
    assert!(
        reached.windows(2).all(|pair| pair[0] <= pair[1]),
        "{reached:?}"
    );
    assert_eq!(reached.last(), Some(&sentry.end));
    let steps: std::collections::BTreeSet<_> = reached.into_iter().collect();
    assert_eq!(steps.len(), 10, "{steps:?}");
}

#[test]
fn the_size_of_the_state_does_not_grow_with_issues_and_events() {
    let size = |issues: i64| {
        let sentry = Sentry::holding(|world| {
            let project = world.add_project("api");
            for number in 0..issues {
                let issue = world.add_issue(project, "one of many");
                world.add_event(issue, world.clock() - TimeDelta::hours(number + 1));
            }
        });
        Tap::against(&sentry)
            .run()
            .is_complete()
            .state()
            .to_string()
            .len()
    };
    assert_eq!(size(1), size(40));
}

#[test]
fn the_start_of_a_stream_is_the_least_of_its_partitions() {
    let sentry = Sentry::of(|now| Options::new(World::seeded(now)));
    let run = Tap::against(&sentry).select(&["issues"]).run();
    run.is_complete();
    let partitions = run.state()["bookmarks"]["issues"]["partitions"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(partitions, sentry.expected("projects").len());
    assert_eq!(
        run.state()["bookmarks"]["issues"]["start"],
        text(sentry.end)
    );
}

#[test]
fn a_state_that_cannot_be_believed_is_refused_before_anything_is_asked() {
    let sentry = Sentry::small();
    for state in [
        json!([]),
        json!({"bookmarks": 1}),
        json!({"bookmarks": {"events": {"start": "soon"}}}),
        json!({"bookmarks": {"issues": {"partitions": 3}}}),
    ] {
        Tap::against(&sentry)
            .state(&state)
            .run()
            .ends_with(1)
            .prints_nothing()
            .ends_telling("the state is not usable");
    }
    assert!(sentry.requests().is_empty());
}

#[test]
fn an_empty_state_is_a_first_run() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).state(&json!({})).run();
    run.is_complete();
    run.keys("events").equal(sentry.expected("events"));
}

#[rstest]
#[case::of_which_the_last_counts(
    "{\"bookmarks\": {\"issues\": {\"start\": \"2020-01-01\"}}}\nSTATE\n\n"
)]
#[case::with_one_cut_at_the_end("STATE\n{\"bookmarks\": {\"iss")]
#[case::of_messages(
    "{\"type\": \"RECORD\", \"stream\": \"issues\", \"record\": {\"id\": \"1\"}}\n{\"type\": \"STATE\", \"value\": STATE}\n"
)]
#[case::of_meltano("{\"singer_state\": STATE}")]
fn a_state_file_of_several_lines_or_in_a_wrapper(#[case] form: &str) {
    let sentry = Sentry::small();
    let first = Tap::against(&sentry).select(&["issues"]).run();
    let text = form
        .replace("STATE", &first.state().to_string())
        .replace("\"type\": \"{", "{");
    let text = if form.contains("RECORD") {
        form.replace("\"value\": STATE", &format!("\"value\": {}", first.state()))
    } else {
        text
    };
    let tap = Tap::against(&sentry)
        .select(&["issues"])
        .with("issue_refresh_days", 0)
        .with("lookback_minutes", 0)
        .file("states", text);
    let run = tap.arg("--state").arg("states").run();
    run.is_complete();
    assert_eq!(
        run.keys("issues").set().len(),
        0,
        "all of it was extracted before"
    );
}

#[test]
fn a_state_file_that_is_not_there_is_a_first_run() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .select(&["issues"])
        .arg("--state")
        .arg("nowhere.json")
        .run();
    run.is_complete()
        .tells("nowhere.json does not exist: this is a first run")
        .keys("issues")
        .equal(sentry.expected("issues"));
}

#[rstest]
#[case::empty("")]
#[case::of_blank_lines("\n \n")]
fn an_empty_state_file_is_said_and_is_a_first_run(#[case] text: &str) {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .select(&["issues"])
        .file("s.json", text)
        .arg("--state")
        .arg("s.json")
        .run();
    run.is_complete()
        .tells("s.json is empty: this is a first run")
        .keys("issues")
        .equal(sentry.expected("issues"));
}

#[rstest]
#[case::of_another_tap(
    r#"{"bookmarks": {"issues": {"replication_key_value": "2026-01-01T00:00:00Z"}}}"#,
    "`replication_key_value`"
)]
#[case::of_nothing_that_is_known(r#"{"issues": {"start": "2026-01-01"}}"#, "no `bookmarks`")]
fn a_state_file_that_says_nothing_is_refused(#[case] text: &str, #[case] told: &str) {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .file("s.json", text)
        .arg("--state")
        .arg("s.json")
        .run();
    run.ends_with(1)
        .prints_nothing()
        .ends_telling("s.json")
        .ends_telling(told);
}
