//! The whole catalogue: every stream is complete alone and with all others, and what a server lacks is said.

use crate::dsl::{Sentry, Tap, all_streams, catalog, entry, instant, metadata};
use chrono::TimeDelta;
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match, Version};
use serde_json::{Value, json};

/// Without an entry here a stream is still read: this is only to start no process for what `streams` looks at.
const ELSEWHERE: [&str; 10] = [
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

#[test]
fn each_stream_alone_is_complete_by_primary_key() {
    let sentry = Sentry::small();
    for stream in all_streams() {
        if ELSEWHERE.contains(&stream) {
            continue;
        }
        let run = Tap::against(&sentry).select(&[stream]).run();
        run.is_complete().is_valid();
        let keys = run.keys(stream);
        keys.equal(sentry.expected(stream)).are_distinct();
        assert!(
            !keys.set().is_empty(),
            "{stream} has no row to be looked at"
        );
        assert_eq!(run.streams(), [stream].into(), "nothing else is written");
    }
}

#[test]
fn all_streams_together_are_complete_and_valid() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).select(&all_streams()).run();
    run.is_complete().is_valid().no_state_is_ahead(&sentry, &[]);
    for stream in all_streams() {
        run.keys(stream)
            .equal(sentry.expected(stream))
            .are_distinct();
    }
}

/// A server that lacks some of the lists.
fn without(lists: &[&str]) -> Sentry {
    let sentry = Sentry::small();
    let lacks = lists.iter().map(|name| (*name).to_owned());
    sentry.world().lacks.extend(lacks);
    sentry
}

#[test]
fn what_a_server_lacks_is_said_once_and_the_run_is_complete_without() {
    let sentry = without(&["repositories", "sentry_apps"]);
    let tap = Tap::against(&sentry).with("emit_activate_version_messages", true);
    let run = tap.run();
    run.is_complete()
        .tells("repositories of acme is unavailable: ")
        .tells("repos/?status=&per_page=100: HTTP 404: no text")
        .tells("sentry_apps of acme is unavailable");
    assert_eq!(run.stderr.matches("is unavailable").count(), 2);
    assert_eq!(sentry.asked("/repos/"), 1, "it is not tried again");
    run.keys("projects").equal(sentry.expected("projects"));
    let versions = run.of_type("ACTIVATE_VERSION");
    let versions: Vec<&str> = versions.filter_map(|one| one["stream"].as_str()).collect();
    assert!(
        versions.contains(&"dashboards") && !versions.contains(&"repositories"),
        "what is unavailable is not emptied: {versions:?}"
    );
}

#[rstest]
#[case::forbidden(403)]
#[case::gone(410)]
fn a_refusal_by_status_is_as_final(#[case] status: u16) {
    let sentry = Sentry::small();
    let fault = Fault::always(Match::path_end("/dashboards/"), FaultKind::Status(status));
    sentry.faults().add(fault);
    let run = Tap::against(&sentry).run();
    run.is_complete().tells("dashboards of acme is unavailable");
    assert_eq!(sentry.faults().fired(), 1, "it is not tried again");
}

#[test]
fn a_server_that_fails_is_not_one_that_lacks() {
    let sentry = Sentry::small();
    let fault = Fault::always(Match::path_end("/dashboards/"), FaultKind::Status(503));
    sentry.faults().add(fault);
    let run = Tap::against(&sentry).retries(1).run();
    run.is_incomplete().tells("dashboards of acme");
    assert_eq!(sentry.faults().fired(), 2);
}

#[test]
fn what_was_asked_for_by_name_and_is_lacking_fails() {
    let sentry = without(&["repositories"]);
    let run = Tap::against(&sentry).select(&["repositories"]).run();
    run.is_incomplete().ends_telling("repositories of acme");
    let mut named = catalog(&[]);
    for stream in ["repositories", "teams"] {
        let root = metadata(entry(&mut named, stream), &[]);
        root.as_object_mut().unwrap().remove("selected");
    }
    let run = Tap::against(&sentry).catalog(named).run();
    run.is_complete()
        .tells("repositories of acme is unavailable");
    run.keys("teams").equal(sentry.expected("teams"));
}

#[test]
fn test_mode_says_what_is_unavailable_and_does_not_fail() {
    let sentry = without(&["repositories"]);
    let run = Tap::against(&sentry).arg("--test").run();
    run.ends_with(0)
        .tells(&format!("{:<25} UNAVAILABLE: ", "repositories"));
    assert!(run.records("repositories").is_empty());
}

#[test]
fn lists_of_the_organization_are_of_the_chosen_projects() {
    let sentry = Sentry::small();
    let web = sentry.project("web");
    let streams = ["project_keys", "organization_environments"];
    let run = Tap::against(&sentry)
        .select(&streams)
        .with("exclude_project_slugs", "api")
        .run();
    run.is_complete().is_valid();
    for stream in streams {
        let expected = sentry
            .world()
            .expected(stream, Some(web), sentry.start, sentry.end);
        run.keys(stream).equal(expected);
    }
    let project = ("project".to_owned(), web.to_string());
    let asked = sentry.requests();
    let mut asked = asked
        .iter()
        .filter(|one| one.path.ends_with("/environments/"));
    assert!(asked.all(|one| one.query.contains(&project)));
}

#[rstest]
#[case::left_out(false)]
#[case::asked_for(true)]
fn secrets_are_null_unless_they_are_asked_for(#[case] include: bool) {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .select(&all_streams())
        .with("include_secrets", include)
        .arg("-vv")
        .run();
    run.is_complete().is_valid();
    let secret = sentry.world().keys[0].secret.clone();
    for text in [secret.as_str(), "topsecret"] {
        assert_eq!(run.stdout.contains(text), include, "{text}");
        assert!(!run.stderr.contains(text));
    }
    let keys = run.records("project_keys");
    assert!(keys.iter().all(|key| key["dsn"]["public"].is_string()));
    assert!(keys.iter().all(|key| key["secret"].is_null() != include));
    let apps = run.records("sentry_apps");
    let has =
        |app: &&&Value| !app["clientSecret"].is_null() && app["webhookHeaders"] != json!(null);
    assert_eq!(apps.iter().any(|app| has(&app)), include);
}

#[test]
fn children_without_a_time_of_their_own_follow_their_parents_from_run_to_run() {
    let sentry = Sentry::small();
    let streams = [
        "issue_hashes",
        "issue_activities",
        "issue_comments",
        "issue_tags",
        "issue_tag_values",
        "issue_external_issues",
        "event_attachments",
        "release_deploys",
        "release_commits",
        "release_commit_files",
        "release_files",
    ];
    let tap = Tap::against(&sentry)
        .select(&streams)
        .with("issue_refresh_days", 0);
    let middle = sentry.now - TimeDelta::hours(60);
    let first = tap.clone().until(middle).run();
    first.is_complete().is_valid();
    for stream in streams {
        first
            .keys(stream)
            .equal(sentry.expected_until(stream, middle));
        let bookmarks = &first.state()["bookmarks"][stream];
        assert!(
            bookmarks.is_object(),
            "{stream} has a bookmark: {bookmarks}"
        );
    }
    let second = tap.completes(&sentry, &[&first]);
    let seen = &second.record(
        "issue_hashes",
        &second.keys("issue_hashes").set().pop_first().unwrap(),
    )["issue_seen_at"];
    assert!(instant(seen) > middle, "{seen}");
}

#[test]
fn what_is_asked_for_of_each_parent_and_lacking_is_asked_for_no_further() {
    let sentry = without(&["event_attachments"]);
    let run = Tap::against(&sentry)
        .select(&["events", "event_attachments"])
        .with("concurrency", 1)
        .run();
    run.is_incomplete()
        .ends_telling("event_attachments of acme");
    run.ends_telling("1 part could not be extracted");
    assert_eq!(sentry.asked("/attachments/"), 1);
    run.keys("events").equal(sentry.expected("events"));
    let bookmarks = &run.state()["bookmarks"];
    assert!(bookmarks["events"].is_object());
    assert!(bookmarks["event_attachments"].is_null(), "{bookmarks}");
}

#[test]
fn a_feature_of_one_project_is_a_gap_of_that_project_only() {
    let sentry = Sentry::small();
    let web = sentry.project("web");
    let refused = Match::path_end(format!("/projects/acme/{web}/hooks/"));
    sentry
        .faults()
        .add(Fault::always(refused, FaultKind::Status(403)));
    let run = Tap::against(&sentry).select(&["service_hooks"]).run();
    run.is_incomplete();
    let api = sentry.project("api");
    let world = sentry.world();
    let expected = world.expected("service_hooks", Some(api), sentry.start, sentry.end);
    run.keys("service_hooks").equal(expected);
}

#[test]
fn monitoring_is_of_the_chosen_projects() {
    let sentry = Sentry::small();
    let web = sentry.project("web");
    let streams = ["monitors", "detectors"];
    let run = Tap::against(&sentry)
        .select(&streams)
        .with("project_slugs", "web")
        .run();
    run.is_complete();
    for stream in streams {
        let expected = sentry
            .world()
            .expected(stream, Some(web), sentry.start, sentry.end);
        assert!(!expected.is_empty());
        run.keys(stream).equal(expected);
    }
}

#[test]
fn no_parameter_is_sent_that_sentry_would_pass_over() {
    let sentry = Sentry::small_on(|options| options.pedantic = true);
    let run = Tap::against(&sentry).select(&all_streams()).run();
    run.is_complete();
    assert!(sentry.requests().iter().all(|one| one.status < 400));
}

#[rstest]
#[case::of_21_4(Version::V21_4)]
#[case::of_21_1(Version::V21_1)]
#[case::of_9_1(Version::V9_1)]
fn an_old_server_lacks_what_is_new_and_is_complete_without(#[case] version: Version) {
    let sentry = Sentry::small_on(|options| options.version = version);
    let run = Tap::against(&sentry).run();
    run.tells("monitors of acme is unavailable")
        .tells("project_keys of acme is unavailable");
    if version > Version::V9_1 {
        run.is_complete();
    }
    for stream in ["projects", "teams", "organizations"] {
        run.keys(stream).equal(sentry.expected(stream));
    }
}

#[test]
fn rows_without_their_envelope_are_a_wrong_answer_and_no_empty_list() {
    let sentry = Sentry::small();
    let fault = Fault::always(Match::path_end("/activities/"), FaultKind::WrongShape);
    sentry.faults().add(fault);
    let run = Tap::against(&sentry)
        .select(&["issue_activities"])
        .retries(0)
        .run();
    run.is_incomplete()
        .tells("expected an object with `activity`");
    assert!(run.records("issue_activities").is_empty());
    assert!(run.state()["bookmarks"].get("issue_activities").is_none());
}
