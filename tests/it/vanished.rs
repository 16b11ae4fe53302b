//! What is deleted, merged, moved or renamed while it is read.

use crate::dsl::{Sentry, Tap};
use rstest::rstest;
use sentry_sandbox::world::{Kind, Status, World};
use sentry_sandbox::{Fault, FaultKind, Match};

#[test]
fn an_issue_that_vanishes_before_its_events_are_read_is_passed_over() {
    let sentry = Sentry::small();
    let gone = sentry.issue("api issue 1");
    sentry.faults().on_request(
        Match::path_end(format!("/issues/{gone}/events/")),
        0,
        move |world| world.delete_issue(gone),
    );
    let run = Tap::against(&sentry)
        .select(&["events", "issue_detail"])
        .run();
    run.is_complete()
        .tells(&format!("issue {gone} no longer exists"));
    run.keys("events").equal(sentry.expected("events"));
    assert_eq!(
        run.bookmark("events", sentry.project("api")),
        Some(sentry.end)
    );
}

/// Where the stream asks for what belongs to one row.
pub fn paths_of_one(sentry: &Sentry, stream: &str) -> Vec<Match> {
    let (project, issue) = (sentry.project("web"), sentry.issue("web issue 0"));
    let event = sentry.world().issues[&issue].events[0].id.clone();
    match stream {
        "events" => vec![Match::path_end(format!("/issues/{issue}/events/"))],
        "issue_detail" => vec![Match::path_end(format!("/issues/{issue}/"))],
        "event_detail" => vec![Match::path_end(format!("/events/{event}/"))],
        "release" => vec![Match::path("/releases/web%40")],
        _ => vec![
            Match::path_end(format!("/projects/acme/{project}/")),
            Match::path_end("/projects/acme/web/"),
        ],
    }
}

#[rstest]
#[case::of_an_event("event_detail")]
#[case::of_a_project("project_detail")]
fn a_404_of_one_object_is_no_gap(#[case] stream: &'static str) {
    let sentry = Sentry::small();
    for path in paths_of_one(&sentry, stream) {
        sentry
            .faults()
            .add(Fault::always(path, FaultKind::NotThere));
    }
    let run = Tap::against(&sentry).select(&[stream]).run();
    run.is_complete().tells("no longer exists");
    assert_eq!(
        run.keys(stream).set().len() + 1,
        sentry.expected(stream).len()
    );
}

#[rstest]
#[case::an_issue("issue_detail")]
#[case::a_release("release")]
fn an_object_that_is_not_there_although_its_row_is_listed_is_skipped(#[case] stream: &'static str) {
    let sentry = Sentry::small();
    for path in paths_of_one(&sentry, stream) {
        sentry
            .faults()
            .add(Fault::always(path, FaultKind::NotThere));
    }
    let run = Tap::against(&sentry)
        .select(&[stream])
        .with("window_days", 90)
        .run();
    run.is_incomplete()
        .tells("though it is listed")
        .does_not_tell("no longer exists")
        .ends_telling("cannot be read by a later run");
    assert_eq!(
        sentry.faults().fired(),
        4,
        "it is asked for with each look at the list"
    );
    assert_eq!(
        run.keys(stream).set().len() + 1,
        sentry.expected(stream).len()
    );
    assert_eq!(
        run.bookmark(stream, sentry.project("web")),
        Some(sentry.end),
        "it does not hold the others for ever"
    );
}

#[test]
fn events_that_are_not_there_although_their_issue_is_listed_are_a_gap() {
    let sentry = Sentry::small();
    for path in paths_of_one(&sentry, "events") {
        sentry
            .faults()
            .add(Fault::always(path, FaultKind::NotThere));
    }
    let tap = Tap::against(&sentry)
        .select(&["events"])
        .with("window_days", 90);
    let first = tap.clone().run();
    first
        .is_incomplete()
        .tells("though it is listed")
        .does_not_tell("no longer exists")
        .no_state_is_ahead(&sentry, &[]);
    assert_eq!(
        sentry.faults().fired(),
        4,
        "it is asked for with each look at the list"
    );
    sentry.faults().clear();
    tap.completes(&sentry, &[&first]);
}

#[rstest]
#[case::they_move_to_the_other(|world: &mut World, child, survivor| world.merge(child, survivor))]
#[case::it_comes_back(|world: &mut World, child, _| world.issue_mut(child).status = Status::Unresolved)]
fn events_of_an_issue_whose_merge_is_under_way_are_read_when_it_ends(
    #[case] end: fn(&mut World, u64, u64),
) {
    let sentry = Sentry::small();
    let (project, child, survivor) = (
        sentry.project("web"),
        sentry.issue("web issue 0"),
        sentry.issue("web issue 1"),
    );
    let list = Match::path_end("/issues/")
        .query(format!("project={project}&"))
        .query("limit=100");
    sentry.faults().on_request(
        Match::path(format!("/issues/{child}/events/")),
        0,
        move |world| {
            world.issue_mut(child).status = Status::PendingMerge;
        },
    );
    // The two queries of the window, and then again.
    sentry
        .faults()
        .on_request(list, 2, move |world| end(world, child, survivor));
    let run = Tap::against(&sentry)
        .select(&["issues", "events"])
        .with("window_days", 90)
        .run();
    run.is_complete()
        .tells("listing it again")
        .keys("events")
        .equal(sentry.expected("events"));
    assert_eq!(run.bookmark("events", project), Some(sentry.end));
}

#[test]
fn an_issue_that_is_hidden_but_answers_itself_is_a_gap_when_its_events_are_not_there() {
    let sentry = Sentry::small();
    let (project, hidden) = (sentry.project("web"), sentry.issue("web issue 0"));
    let events = Match::path(format!("/issues/{hidden}/events/"));
    sentry.faults().on_request(events.clone(), 0, move |world| {
        world.issue_mut(hidden).kind = Kind::EXPERIMENT;
    });
    sentry
        .faults()
        .add(Fault::always(events, FaultKind::NotThere));
    let run = Tap::against(&sentry)
        .select(&["events"])
        .with("window_days", 90)
        .run();
    run.is_incomplete().tells("though it answers itself");
    assert_eq!(run.bookmark("events", project), None);
}

#[rstest]
#[case::listed_alone(true)]
#[case::listed_with_others(false)]
fn a_project_deleted_in_the_middle_is_passed_over(#[case] alone: bool) {
    let sentry = Sentry::small();
    if alone {
        sentry.refuses_wide_lists();
    }
    let gone = sentry.project("api");
    sentry
        .faults()
        .on_request(Match::path_end("/issues/"), 0, move |world| {
            world.delete_project(gone);
        });
    let run = Tap::against(&sentry).run();
    run.is_complete();
    if alone {
        run.tells("no longer exists");
    }
    run.keys("events").equal(sentry.expected("events"));
}

#[test]
fn a_merged_issue_is_written_under_its_own_id() {
    let sentry = Sentry::small();
    let (child, survivor) = (sentry.issue("web issue 0"), sentry.issue("web issue 1"));
    sentry
        .faults()
        .on_request(Match::path(format!("/issues/{child}/")), 0, move |world| {
            world.merge(child, survivor);
        });
    let run = Tap::against(&sentry)
        .select(&["issue_detail", "events"])
        .run();
    run.is_complete()
        .tells(&format!("was merged into {survivor}"));
    run.keys("issue_detail")
        .equal(sentry.expected("issue_detail"));
    run.keys("events")
        .equal(sentry.expected("events"))
        .are_distinct();
}

#[test]
fn a_project_renamed_in_the_middle_is_extracted_whole() {
    let sentry = Sentry::small();
    let project = sentry.project("api");
    sentry
        .faults()
        .on_request(Match::path_end("/issues/"), 0, move |world| {
            world.rename_project(project, "core");
        });
    let run = Tap::against(&sentry)
        .select(&["project_detail", "issues", "events", "event_detail"])
        .run();
    run.is_complete();
    for stream in ["project_detail", "issues", "events", "event_detail"] {
        run.keys(stream).equal(sentry.expected(stream));
    }
}

#[test]
fn a_redirect_within_the_server_is_followed() {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::once(
        Match::path_end("/teams/"),
        FaultKind::Redirect("/api/0/organizations/acme/teams/?per_page=99".to_owned()),
    ));
    let run = Tap::against(&sentry).select(&["teams"]).run();
    run.is_complete();
    run.keys("teams").equal(sentry.expected("teams"));
}
