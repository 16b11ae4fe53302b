//! Each stream is complete: every primary key that is there, once, in its declared shape.

use crate::dsl::{Sentry, Tap};
use rstest::rstest;

/// All but `event_detail`, which a smaller organization is for.
const ALL: [&str; 10] = [
    "projects",
    "project_detail",
    "teams",
    "users",
    "members",
    "issues",
    "issue_detail",
    "events",
    "releases",
    "release",
];

#[rstest]
#[case::projects("projects")]
#[case::project_detail("project_detail")]
#[case::teams("teams")]
#[case::users("users")]
#[case::members("members")]
#[case::issues("issues")]
#[case::issue_detail("issue_detail")]
#[case::events("events")]
#[case::releases("releases")]
#[case::release("release")]
fn a_stream_alone_is_complete_by_primary_key(#[case] stream: &'static str) {
    let sentry = Sentry::seeded_long_ago();
    let run = Tap::against(&sentry).select(&[stream]).run();
    run.is_complete().is_valid();
    run.keys(stream)
        .equal(sentry.expected(stream))
        .are_distinct();
}

#[test]
fn every_event_has_its_detail() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).select(&["event_detail"]).run();
    run.is_complete().is_valid();
    run.keys("event_detail")
        .equal(sentry.expected("event_detail"))
        .are_distinct();
}

#[test]
fn all_streams_together_are_complete_and_valid() {
    let sentry = Sentry::seeded_long_ago();
    let run = Tap::against(&sentry)
        .select(&ALL)
        .with("fetch_event_details", true)
        .run();
    run.is_complete().is_valid().no_state_is_ahead(&sentry, &[]);
    for stream in ALL {
        run.keys(stream)
            .equal(sentry.expected(stream))
            .are_distinct();
    }
}
