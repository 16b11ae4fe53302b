//! Rows that no later run can read either are skipped, and those that the server cannot give are gaps; their siblings come.

use crate::dsl::{Run, Sentry, Stub, Tap};
use chrono::TimeDelta;
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match};
use serde_json::json;

/// One project with a release of this name beside two others.
fn with_release(version: &str) -> Sentry {
    Sentry::holding(|world| {
        let project = world.add_project("api");
        for (days, version) in [(1, "api@1.0"), (2, version), (3, "api@2.0")] {
            world.add_release(version, project, world.clock() - TimeDelta::days(days));
        }
    })
}

#[rstest]
#[case::a_slash("old/1.0")]
#[case::what_would_be_another_endpoint("1.0/deploys")]
#[case::a_backslash("old\\1.0")]
#[case::the_list_itself(".")]
#[case::the_organization("..")]
#[case::a_line_end("1.0\n")]
fn a_release_that_no_path_can_name_is_skipped_in_its_detail(#[case] version: &str) {
    let sentry = with_release(version);
    let tap = Tap::against(&sentry).select(&["releases", "release"]);
    let run = tap.clone().run();
    run.is_complete()
        .tells("no path can carry the version")
        .keys("release")
        .equal(["acme|api@1.0", "acme|api@2.0"]);
    run.keys("releases").equal(sentry.expected("releases"));
    let project = sentry.project("api");
    for stream in ["releases", "release"] {
        assert_eq!(run.bookmark(stream, project), Some(sentry.end), "{stream}");
    }
    assert_eq!(told(&run, "no path can carry"), 1, "{}", run.stderr);
    run.tells(r#""metric":"skipped_record_count","value":1"#);
    assert_eq!(
        sentry
            .requests()
            .iter()
            .filter(|request| request.status != 200)
            .count(),
        0,
        "it is never asked for"
    );
    tap.state(&run.state()).run().is_complete();
}

/// How many lines tell it.
fn told(run: &Run, what: &str) -> usize {
    run.stderr
        .lines()
        .filter(|line| line.contains(what))
        .count()
}

#[test]
fn a_test_passes_over_a_release_that_no_path_can_name() {
    let sentry = with_release("old/1.0");
    sentry
        .world()
        .releases
        .retain(|release| release.version.contains('/'));
    let run = Tap::against(&sentry).arg("--test").run();
    run.tells("no path can carry")
        .does_not_tell(&format!("{:<25} FAILS", "release"));
}

/// An issue and a release with this text in one of three rows of each list.
fn three_of_each() -> Sentry {
    Sentry::holding(|world| {
        for slug in ["one", "two", "three"] {
            let project = world.add_project(slug);
            let issue = world.add_issue(project, &format!("{slug} issue"));
            world.add_event(issue, world.clock() - TimeDelta::days(1));
        }
        let project = world.projects[0].id;
        for slug in ["two", "three"] {
            let issue = world.add_issue(project, &format!("another issue {slug}"));
            for hour in 1..4 {
                world.add_event(issue, world.clock() - TimeDelta::hours(hour));
            }
        }
        for number in 1..4 {
            world.add_release(
                &format!("api@{number}"),
                project,
                world.clock() - TimeDelta::days(number),
            );
        }
        let team = world.teams[0].clone();
        for id in [71, 72] {
            world.teams.push(sentry_sandbox::world::Team {
                id,
                slug: format!("team-{id}"),
                ..team.clone()
            });
        }
    })
}

#[rstest]
fn a_row_without_its_key_is_skipped_and_its_siblings_are_written(
    #[values(true, false)] null: bool,
) {
    let sentry = three_of_each();
    let project = sentry.project("one");
    let issue = sentry.issue("another issue two");
    let event = sentry.world().issues[&issue].events[1].id.clone();
    for (list, row, key, stream) in [
        ("/teams/", "team-71", "id", "teams"),
        ("/issues/", "another issue three", "id", "issues"),
        ("/releases/", "api@2", "version", "releases"),
        ("/events/", event.as_str(), "eventID", "events"),
    ] {
        sentry.faults().clear();
        sentry.faults().add(Fault::always(
            Match::path_end(list),
            FaultKind::Keyless {
                row: row.to_owned(),
                key,
                null,
            },
        ));
        let tap = Tap::against(&sentry).select(&[stream]).retries(1);
        let run = tap.clone().run();
        run.is_incomplete()
            .ends_telling("1 row was skipped and cannot be read by a later run either")
            .does_not_tell("trying again");
        assert_eq!(
            run.keys(stream).set().len() + 1,
            sentry.expected(stream).len(),
            "{stream}"
        );
        assert_eq!(
            told(&run, &format!("`{key}`")) - 1,
            1,
            "{stream}: one warning and the last line: {}",
            run.stderr
        );
        if stream != "teams" {
            assert_eq!(run.bookmark(stream, project), Some(sentry.end), "{stream}");
        }
    }
}

#[test]
fn a_row_without_its_key_is_told_by_what_else_names_it() {
    let sentry = three_of_each();
    sentry.faults().add(Fault::always(
        Match::path_end("/teams/"),
        FaultKind::Keyless {
            row: "team-71".to_owned(),
            key: "id",
            null: true,
        },
    ));
    let run = Tap::against(&sentry)
        .select(&["teams"])
        .with("emit_activate_version_messages", true)
        .run();
    run.is_incomplete()
        .tells("acme: row 2 of page 1 (slug team-71) is skipped: a row has no `id`");
    assert_eq!(
        run.of_type("ACTIVATE_VERSION").count(),
        0,
        "the target may have an earlier version of the row"
    );
}

#[test]
fn events_of_an_issue_without_its_id_cannot_be_asked_for() {
    let sentry = three_of_each();
    let fault = FaultKind::Keyless {
        row: "another issue three".to_owned(),
        key: "id",
        null: true,
    };
    sentry
        .faults()
        .add(Fault::always(Match::path_end("/issues/"), fault));
    let run = Tap::against(&sentry).select(&["events"]).run();
    run.is_incomplete()
        .tells("it lacks what the streams below it are asked for by");
    assert_eq!(
        run.keys("events").set().len() + 3,
        sentry.expected("events").len()
    );
}

#[rstest]
#[case::the_only_row(r#"[{"slug": "a"}]"#)]
#[case::null_among_rows(r#"[null, {"id": "1", "slug": "b"}]"#)]
#[case::a_number_among_rows(r#"[{"id": "1", "slug": "b"}, 7]"#)]
#[case::several_of_three(
    r#"[{"id": null, "slug": "a"}, {"id": "1", "slug": "b"}, {"id": "", "slug": "c"}]"#
)]
fn rows_that_cannot_be_told_apart_are_skipped(#[case] body: &str) {
    let stub = Stub::answering("/teams/", body);
    let run = Tap::against_stub(&stub).select(&["teams"]).retries(0).run();
    run.is_incomplete()
        .tells("skipped")
        .does_not_tell("not the expected JSON");
    assert_eq!(
        run.records("teams").len(),
        usize::from(body.contains("\"1\""))
    );
}

/// So many events of one issue, and as many issues, releases and teams: two pages and a half.
const MANY: i64 = 250;

fn heavy() -> Sentry {
    Sentry::holding(|world| {
        let project = world.add_project("api");
        let busy = world.add_issue(project, "busy");
        let team = world.teams[0].clone();
        for number in 0..MANY {
            let at = world.clock() - TimeDelta::minutes(2 * number + 1);
            world.add_event(busy, at);
            let id = 1_000 + u64::try_from(number).unwrap();
            world.teams.push(sentry_sandbox::world::Team {
                id,
                slug: format!("team-{id}"),
                ..team.clone()
            });
            world.add_release(&format!("api@{number}."), project, at);
            let issue = world.add_issue(project, &format!("one of many, {number}."));
            world.add_event(issue, at - TimeDelta::hours(9));
        }
    })
}

#[rstest]
#[case::of_issues("issues", "/issues/", "limit")]
#[case::of_events("events", "/events/", "per_page")]
#[case::of_releases("releases", "/releases/", "per_page")]
#[case::of_teams("teams", "/teams/", "per_page")]
fn a_page_that_is_too_heavy_is_asked_for_in_smaller_ones(
    #[case] stream: &'static str,
    #[case] list: &str,
    #[case] size: &str,
    #[values(
        FaultKind::Status(502),
        FaultKind::Status(500),
        FaultKind::Status(504),
        FaultKind::Silence,
        FaultKind::CutBody,
        FaultKind::StallBody
    )]
    kind: FaultKind,
) {
    let sentry = heavy();
    sentry.faults().add(Fault::always(
        Match::path_end(list),
        FaultKind::MoreRowsThan(25, Box::new(kind)),
    ));
    let run = Tap::against(&sentry)
        .select(&[stream])
        .with("request_timeout_seconds", 1)
        .with("window_days", 90)
        .retries(1)
        .run();
    run.is_complete()
        .tells("asking for 25 rows at a time")
        .keys(stream)
        .equal(sentry.expected(stream))
        .are_distinct();
    let sizes = |rows: &str| {
        sentry
            .requests()
            .iter()
            .filter(|one| one.path.ends_with(list) && one.get(size) == Some(rows))
            .count()
    };
    // Eight lists are asked for at once, and each twice, or in two smaller windows first.
    assert!(
        sizes("100") <= 32,
        "{} pages of 100: what was learned is remembered",
        sizes("100")
    );
    assert_eq!(
        (sizes("5"), sizes("1")),
        (0, 0),
        "no smaller pages than needed"
    );
}

#[test]
fn a_page_of_a_list_that_counts_pages_begins_again_with_one_size() {
    let sentry = heavy();
    let second = Match::path_end("/teams/").query("cursor=100:1:0");
    sentry
        .faults()
        .add(Fault::always(second, FaultKind::Status(502)));
    let run = Tap::against(&sentry).select(&["teams"]).retries(0).run();
    run.is_complete()
        .keys("teams")
        .equal(sentry.expected("teams"))
        .are_distinct();
    let cursors: Vec<_> = sentry
        .requests()
        .iter()
        .filter_map(|request| request.get("cursor").map(str::to_owned))
        .collect();
    assert!(
        cursors[1..].iter().all(|cursor| cursor.starts_with("25:")),
        "{cursors:?}"
    );
}

#[rstest]
#[case::an_issue("issues", "/issues/", "one of many, 130.")]
#[case::the_first_issue("issues", "/issues/", "busy")]
#[case::a_release("releases", "/releases/", "api@130.")]
#[case::a_team("teams", "/teams/", "team-1130")]
#[case::the_last_team("teams", "/teams/", "team-1249")]
#[case::an_event("events", "/events/", "")]
fn a_row_that_can_never_be_read_is_the_gap_and_the_others_are_written(
    #[case] stream: &'static str,
    #[case] list: &str,
    #[case] row: &str,
) {
    let sentry = heavy();
    let busy = sentry.issue("busy");
    let row = if row.is_empty() {
        sentry.world().issues[&busy].events[130].id.clone()
    } else {
        row.to_owned()
    };
    sentry.faults().add(Fault::always(
        Match::path_end(list),
        FaultKind::Unreadable { row, status: 502 },
    ));
    let tap = Tap::against(&sentry)
        .select(&[stream])
        .with("window_days", 90);
    let first = tap.clone().retries(0).run();
    first
        .is_incomplete()
        .tells("one row cannot be read, the others are")
        .no_state_is_ahead(&sentry, &[]);
    assert_eq!(
        first.keys(stream).set().len() + 1,
        sentry.expected(stream).len()
    );
    if stream != "teams" {
        assert!(
            first.bookmark(stream, sentry.project("api")).is_none(),
            "the bookmark waits for the row"
        );
    }
    sentry.faults().clear();
    tap.completes(&sentry, &[&first]);
}

#[test]
fn after_a_row_that_cannot_be_read_pages_grow_again() {
    let sentry = heavy();
    let busy = sentry.issue("busy");
    let row = sentry.world().issues[&busy].events[130].id.clone();
    sentry.faults().add(Fault::always(
        Match::path_end("/events/"),
        FaultKind::Unreadable { row, status: 502 },
    ));
    let run = Tap::against(&sentry)
        .select(&["events"])
        .with("window_days", 90)
        .retries(0)
        .run();
    run.is_incomplete();
    let list = format!("/issues/{busy}/events/");
    assert!(sentry.asked(&list) < 40, "{} requests", sentry.asked(&list));
}

#[test]
fn a_list_of_which_no_row_can_be_read_has_failed() {
    let sentry = heavy();
    sentry.faults().add(Fault::always(
        Match::path_end("/teams/"),
        FaultKind::Status(500),
    ));
    let run = Tap::against(&sentry).select(&["teams"]).retries(0).run();
    run.is_incomplete().does_not_tell("the others are");
    assert!(
        sentry.asked("/teams/") <= 7,
        "{} requests",
        sentry.asked("/teams/")
    );
}

#[test]
fn of_several_organizations_one_needs_to_have_a_named_project() {
    let sentry = Sentry::small();
    sentry.adds_an_organization("other");
    sentry.faults().add(Fault::always(
        Match::path_end("/other/projects/"),
        FaultKind::Body(json!([]).to_string()),
    ));
    let tap = Tap::against(&sentry)
        .without("organization")
        .select(&["projects"]);
    tap.clone()
        .with("project_slugs", json!(["web"]))
        .run()
        .is_complete()
        .keys("projects")
        .equal([sentry.project("web")]);
    let run = tap.with("project_slugs", json!(["web", "nope"])).run();
    run.ends_with(1)
        .ends_telling("`acme`, `other`: nope")
        .does_not_tell("nope, web");
}

/// Rows of one second have no order of their own, so that single rows may repeat some and never show others.
#[test]
fn events_of_one_second_that_single_rows_do_not_show_are_a_gap() {
    let sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        let issue = world.add_issue(project, "the issue");
        for _ in 0..12 {
            world.add_event(issue, world.clock() - TimeDelta::hours(1));
        }
    });
    let large = FaultKind::MoreRowsThan(1, Box::new(FaultKind::Status(502)));
    sentry
        .faults()
        .add(Fault::always(Match::path_end("/events/"), large));
    let tap = Tap::against(&sentry).select(&["events"]).retries(2);
    let run = tap.clone().run();
    run.is_incomplete()
        .tells("answered in small pages only")
        .no_state_is_ahead(&sentry, &[]);

    sentry.faults().clear();
    tap.completes(&sentry, &[&run]);
}
