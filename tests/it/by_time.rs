//! Lists that are asked for by time, or read newest first up to the bookmark, beside issues and releases.

use crate::dsl::{Run, Sentry, Tap};
use chrono::{DateTime, TimeDelta, Utc};
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match, TOKEN};
use serde_json::json;
use std::collections::BTreeSet;

/// Between any two rows.
fn middle(sentry: &Sentry) -> DateTime<Utc> {
    sentry.now - TimeDelta::hours(60) - TimeDelta::minutes(1)
}

/// The keys of rows that happened in a span.
fn within(
    sentry: &Sentry,
    stream: &str,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
) -> BTreeSet<String> {
    sentry.world().expected(stream, None, start, end)
}

/// A run to the middle, and one from its state; together they have everything.
fn in_two_runs(sentry: &Sentry, stream: &'static str) -> (Tap, Run, Run) {
    let middle = middle(sentry);
    let tap = Tap::against(sentry).select(&[stream]);
    let first = tap.clone().until(middle).run();
    first.is_complete().is_valid();
    first
        .keys(stream)
        .equal(sentry.expected_until(stream, middle));
    sentry.clear_requests();
    let second = tap.clone().completes(sentry, &[&first]);
    second.is_valid();
    (tap, first, second)
}

#[rstest]
#[case::replays("replays", 120)]
#[case::audit_logs("audit_logs", 60)]
#[case::check_ins("monitor_checkins", 24 * 60)]
#[case::feedback("user_feedback", 60)]
fn a_later_run_reads_what_is_new_and_what_may_have_changed(
    #[case] stream: &'static str,
    #[case] minutes: i64,
) {
    let sentry = Sentry::small();
    let (_, _, second) = in_two_runs(&sentry, stream);
    let again = middle(&sentry) - TimeDelta::minutes(minutes);
    let due = within(&sentry, stream, again, sentry.end);
    let new = within(&sentry, stream, middle(&sentry), sentry.end);
    assert!(due.len() > new.len(), "there is something to read again");
    second.keys(stream).equal(due).are_distinct();
}

#[rstest]
#[case::replays("replays", "/replays/")]
#[case::audit_logs("audit_logs", "/audit-logs/")]
#[case::check_ins("monitor_checkins", "/checkins/")]
#[case::monitors("monitor_checkins", "/monitors/")]
#[case::commits("repository_commits", "/repos/41/commits/")]
#[case::repositories("repository_commits", "/repos/")]
#[case::feedback("user_feedback", "/user-feedback/")]
fn what_cannot_be_read_holds_the_bookmark_back(
    #[case] stream: &'static str,
    #[case] path: &'static str,
) {
    let sentry = Sentry::small();
    let (tap, first, _) = in_two_runs(&sentry, stream);
    let fault = Fault::always(Match::path(path), FaultKind::Status(500));
    sentry.faults().add(fault);
    let broken = tap.clone().retries(0).state(&first.state()).run();
    broken.is_incomplete();
    let bookmarks = |run: &Run| run.state()["bookmarks"][stream].clone();
    assert_eq!(bookmarks(&broken), bookmarks(&first));
    sentry.faults().clear();
    tap.completes(&sentry, &[&first, &broken]);
}

#[rstest]
#[case::replays("replays")]
#[case::audit_logs("audit_logs")]
#[case::check_ins("monitor_checkins")]
#[case::commits("repository_commits")]
#[case::feedback("user_feedback")]
fn a_kill_after_any_state_loses_nothing(#[case] stream: &'static str) {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry)
        .select(&[stream])
        .with("window_days", 2);
    let whole = tap.clone().run();
    whole.is_complete();
    let messages = whole.messages.len();
    for at in [2, messages / 3, messages / 2, messages - 2] {
        let cut = whole.first(at);
        tap.clone().completes(&sentry, &[&cut]);
    }
}

#[rstest]
#[case::replays("replays")]
#[case::audit_logs("audit_logs")]
#[case::check_ins("monitor_checkins")]
#[case::commits("repository_commits")]
#[case::feedback("user_feedback")]
fn an_end_before_the_bookmark_asks_for_nothing(#[case] stream: &'static str) {
    let sentry = Sentry::small();
    let (tap, _, second) = in_two_runs(&sentry, stream);
    let run = tap
        .until(middle(&sentry) - TimeDelta::days(1))
        .state(&second.state())
        .run();
    run.is_complete();
    assert!(run.records(stream).is_empty());
    assert_eq!(run.state(), second.state(), "no bookmark goes back");
}

#[test]
fn replays_of_all_projects_are_asked_for_together() {
    let sentry = Sentry::small();
    let (_, first, second) = in_two_runs(&sentry, "replays");
    // Two pages, and again since they are paged by row number.
    assert!(
        sentry.asked("/replays/") <= 4,
        "{}",
        sentry.asked("/replays/")
    );
    for slug in ["api", "web"] {
        let project = sentry.project(slug);
        assert_eq!(first.bookmark("replays", project), Some(middle(&sentry)));
        assert_eq!(second.bookmark("replays", project), Some(sentry.end));
    }
    let replays = second.records("replays");
    assert!(replays.iter().any(|one| one["started_at"].is_null()));
    assert!(
        replays
            .iter()
            .all(|one| one["project_id"].is_string() && one["tags"].is_object())
    );
}

#[test]
fn replays_of_a_project_that_is_chosen_later_are_read_from_the_start() {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry).select(&["replays"]);
    let first = tap.clone().with("project_slugs", "web").run();
    first.is_complete();
    let web = Some(sentry.project("web"));
    first
        .keys("replays")
        .equal(sentry.truth("replays", web, sentry.end));
    tap.completes(&sentry, &[&first]);
}

#[test]
fn replays_that_a_plan_lacks_are_told_and_the_run_is_complete_without() {
    let sentry = Sentry::small();
    sentry.world().lacks.insert("replays".to_owned());
    let run = Tap::against(&sentry).run();
    run.is_complete().tells("replays of acme is unavailable");
    assert!(run.state()["bookmarks"]["replays"]["partitions"].is_null());
    let run = Tap::against(&sentry).select(&["replays"]).run();
    run.is_incomplete().ends_telling("replays of acme");
    assert!(run.state()["bookmarks"]["replays"]["partitions"].is_null());
    sentry.world().lacks.clear();
    Tap::against(&sentry)
        .select(&["replays"])
        .completes(&sentry, &[&run]);
}

#[test]
fn audit_logs_have_one_bookmark_whatever_projects_are_chosen() {
    let sentry = Sentry::small();
    let (tap, first, second) = in_two_runs(&sentry, "audit_logs");
    assert_eq!(sentry.asked("/audit-logs/"), 1);
    assert_eq!(sentry.asked("/projects/"), 0, "no project is needed");
    let partitions = &second.state()["bookmarks"]["audit_logs"]["partitions"];
    assert_eq!(partitions.as_array().unwrap().len(), 1);
    assert_eq!(
        partitions[0]["context"],
        json!({"organization_slug": "acme"})
    );
    let third = tap.with("project_slugs", "web").state(&first.state()).run();
    third.is_complete();
    assert_eq!(
        third.keys("audit_logs").set(),
        second.keys("audit_logs").set()
    );
}

#[test]
fn audit_logs_without_the_scope_name_it() {
    let sentry = Sentry::small();
    let mut world = sentry.world();
    let token = world.tokens.get_mut(TOKEN).unwrap();
    token.scopes.retain(|scope| scope != "org:write");
    drop(world);
    let tap = Tap::against(&sentry);
    let run = tap.clone().select(&["audit_logs"]).run();
    run.is_incomplete().ends_telling("org:write");
    assert_eq!(tap.run().records("audit_logs").len(), 0);
}

#[test]
fn check_ins_have_bookmarks_by_project() {
    let sentry = Sentry::small();
    let (tap, first, second) = in_two_runs(&sentry, "monitor_checkins");
    // Once for all projects, and two pages at most of the check-ins of each of two monitors.
    assert_eq!(sentry.asked("/monitors/"), 1);
    assert!(sentry.asked("/checkins/") <= 4);
    for slug in ["api", "web"] {
        let project = sentry.project(slug);
        let reached = first.bookmark("monitor_checkins", project);
        assert_eq!(reached, Some(middle(&sentry)));
        let reached = second.bookmark("monitor_checkins", project);
        assert_eq!(reached, Some(sentry.end));
    }
    let web = tap.clone().with("project_slugs", "web").run();
    web.is_complete();
    let of_web = sentry.truth("monitor_checkins", Some(sentry.project("web")), sentry.end);
    web.keys("monitor_checkins").equal(of_web);
    tap.completes(&sentry, &[&web]);
}

#[test]
fn check_ins_with_their_monitors_write_each_monitor_once() {
    let sentry = Sentry::small();
    let streams = ["monitors", "monitor_checkins"];
    let tap = Tap::against(&sentry).select(&streams);
    let first = tap.clone().with("project_slugs", "web").run();
    // The projects start at different times now, and are asked for apart.
    let second = tap.completes(&sentry, &[&first]);
    second
        .keys("monitors")
        .equal(sentry.expected("monitors"))
        .are_distinct();
}

#[test]
fn commits_are_read_up_to_the_bookmark_and_all_of_a_repository_that_is_new() {
    let sentry = Sentry::small();
    let (_, first, second) = in_two_runs(&sentry, "repository_commits");
    let asked = sentry.requests();
    let asked: Vec<_> = asked
        .iter()
        .filter(|one| one.path.ends_with("/commits/"))
        .collect();
    let lists: BTreeSet<&str> = asked.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(lists.len(), 12);
    assert_eq!(asked.len(), lists.len(), "no second page is needed");
    let again = middle(&sentry) - TimeDelta::days(3);
    let due = within(&sentry, "repository_commits", again, sentry.end);
    let whole = sentry.expected("repository_commits");
    let is_of_the_new = |key: &&String| key.starts_with("989|");
    let due: BTreeSet<String> = due.into_iter().filter(|key| !is_of_the_new(&key)).collect();
    let new: BTreeSet<String> = whole.iter().filter(is_of_the_new).cloned().collect();
    second
        .keys("repository_commits")
        .equal(due.union(&new))
        .are_distinct();
    let partitions = &first.state()["bookmarks"]["repository_commits"]["partitions"];
    assert_eq!(
        partitions.as_array().unwrap().len(),
        1,
        "not one of each repository"
    );
}

#[test]
fn commits_without_a_time_are_written_and_end_nothing() {
    let sentry = Sentry::small();
    let body = r#"[{"id": "a", "dateCreated": null}, {"id": "b", "dateCreated": "2001-01-01T00:00:00Z"}, {"id": "c"}]"#;
    let fault = Fault::always(
        Match::path("/repos/41/commits/"),
        FaultKind::Body(body.to_owned()),
    );
    sentry.faults().add(fault);
    let run = Tap::against(&sentry).select(&["repository_commits"]).run();
    run.is_complete();
    let keys = run.keys("repository_commits").set();
    assert!(keys.contains("41|a") && keys.contains("41|c"));
    assert!(!keys.contains("41|b"), "older than start_date");
}

#[test]
fn feedback_is_read_over_pages_that_a_filter_has_emptied_and_of_resolved_issues_too() {
    let sentry = Sentry::small();
    let fault = Fault::once(Match::path("/user-feedback/"), FaultKind::EmptyPageMore);
    sentry.faults().add(fault);
    let run = Tap::against(&sentry).select(&["user_feedback"]).run();
    run.is_complete();
    run.keys("user_feedback")
        .equal(sentry.expected("user_feedback"));
    let mut reports = run.records("user_feedback").into_iter();
    assert!(
        reports.any(|report| !report["user"].is_null()),
        "of a resolved issue"
    );
}

#[test]
fn feedback_of_a_project_that_fails_holds_back_that_project_only() {
    let sentry = Sentry::small();
    let (api, web) = (sentry.project("api"), sentry.project("web"));
    let path = format!("/projects/acme/{api}/user-feedback/");
    sentry
        .faults()
        .add(Fault::always(Match::path(path), FaultKind::Status(500)));
    let run = Tap::against(&sentry)
        .select(&["user_feedback"])
        .retries(0)
        .run();
    run.is_incomplete().no_state_is_ahead(&sentry, &[]);
    assert_eq!(run.bookmark("user_feedback", api), None);
    assert_eq!(run.bookmark("user_feedback", web), Some(sentry.end));
}
