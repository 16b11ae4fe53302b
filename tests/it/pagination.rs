//! Pages: every cursor followed once, no host but the configured one, and rows that move while pages are read.

use crate::dsl::{Sentry, Tap};
use chrono::TimeDelta;
use rstest::rstest;
use sentry_sandbox::world::{Member, Team};
use sentry_sandbox::{Fault, FaultKind, Match};
use std::collections::BTreeSet;
use std::time::Duration;

#[test]
fn the_cursor_of_each_next_link_is_sent_back_to_the_configured_host() {
    let sentry = Sentry::seeded_long_ago();
    // Links name another host, which does not exist.
    let run = Tap::against(&sentry).select(&["releases"]).run();
    run.is_complete()
        .keys("releases")
        .equal(sentry.expected("releases"));
    let cursors: BTreeSet<_> = sentry
        .requests()
        .iter()
        .filter_map(|request| request.get("cursor").map(str::to_owned))
        .collect();
    assert_eq!(cursors, BTreeSet::from(["100:1:0".to_owned()]));
}

#[test]
fn a_cursor_that_comes_back_is_an_error_and_not_an_endless_loop() {
    let sentry = Sentry::seeded_long_ago();
    sentry.faults().add(Fault::always(
        Match::path_end("/releases/"),
        FaultKind::RepeatCursor,
    ));
    let run = Tap::against(&sentry).select(&["releases"]).retries(1).run();
    run.is_incomplete().tells("cursor");
    assert!(
        sentry.requests().len() < 10,
        "{} requests",
        sentry.requests().len()
    );
}

#[test]
fn a_cursor_that_comes_back_once_is_asked_for_again() {
    let sentry = Sentry::seeded_long_ago();
    sentry.faults().add(Fault::once(
        Match::path_end("/releases/").query("cursor="),
        FaultKind::RepeatCursor,
    ));
    let run = Tap::against(&sentry).select(&["releases"]).run();
    run.is_complete()
        .keys("releases")
        .equal(sentry.expected("releases"));
    assert_eq!(sentry.faults().fired(), 1);
}

/// More than a page of everything.
fn crowd() -> Sentry {
    Sentry::holding(|world| {
        for id in 1_000..1_120 {
            let slug = format!("team-{id}");
            world.teams.push(Team {
                id,
                slug,
                ..world.teams[0].clone()
            });
            world.members.push(Member {
                id,
                user: None,
                email: format!("{id}@example.com"),
                ..world.members[0].clone()
            });
            world.add_project(&format!("idle-{id}"));
        }
        let project = world.add_project("api");
        for number in 0..120 {
            let at = world.clock() - TimeDelta::minutes(number + 1);
            world.add_release(&format!("api@{number}"), project, at);
            let issue = world.add_issue(project, "one of many");
            for event in 0..if number == 0 { 120 } else { 1 } {
                world.add_event(issue, at - TimeDelta::seconds(event));
            }
        }
    })
}

#[rstest]
#[case::of_issues("issues", "/issues/")]
#[case::of_events("events", "/events/")]
#[case::of_releases("releases", "/releases/")]
#[case::of_members("members", "/members/")]
#[case::of_teams("teams", "/teams/")]
#[case::of_projects("projects", "/projects/")]
fn a_full_page_that_does_not_tell_of_the_next_is_not_the_last(
    #[case] stream: &'static str,
    #[case] path: &str,
) {
    let sentry = crowd();
    let tap = Tap::against(&sentry).select(&[stream]).with(
        "project_slugs",
        if stream == "projects" { "*" } else { "api" },
    );
    let pages = Match::path_end(path).query("100");
    sentry
        .faults()
        .add(Fault::once(pages.clone(), FaultKind::NoLink));
    tap.clone()
        .run()
        .is_complete()
        .keys(stream)
        .equal(sentry.expected(stream));
    assert_eq!(sentry.faults().fired(), 1);

    sentry.faults().add(Fault::always(pages, FaultKind::NoLink));
    let first = tap.clone().retries(0).run();
    first
        .is_incomplete()
        .tells("does not say whether another follows")
        .no_state_is_ahead(&sentry, &[]);
    sentry.faults().clear();
    tap.completes(&sentry, &[&first]);
}

#[test]
fn a_probe_that_does_not_tell_of_more_is_asked_again() {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::once(
        Match::path_end("/issues/").query("query=&"),
        FaultKind::NoLink,
    ));
    let api = sentry.project("api");
    let expected = sentry
        .world()
        .expected("issues", Some(api), sentry.start, sentry.end);
    let run = Tap::against(&sentry)
        .select(&["issues"])
        .with("project_slugs", "api")
        .run();
    run.is_complete()
        .tells("trying again")
        .keys("issues")
        .equal(expected);
}

#[test]
fn a_list_of_empty_pages_without_end_is_a_gap() {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::always(
        Match::path_end("/teams/"),
        FaultKind::EmptyPageMore,
    ));
    let tap = Tap::against(&sentry).select(&["teams"]);
    let first = tap.clone().retries(0).run();
    first.is_incomplete().tells("1000 empty pages in a row");
    assert_eq!(sentry.asked("/teams/"), 1_000);
    sentry.faults().clear();
    tap.completes(&sentry, &[&first]);
}

#[rstest]
#[case::of_issues("issues", "/issues/")]
#[case::of_events("events", "/events/")]
#[case::of_releases("releases", "/releases/")]
#[case::of_members("members", "/members/")]
#[case::of_projects("projects", "/projects/")]
fn an_empty_page_with_a_next_one_is_not_the_end(#[case] stream: &'static str, #[case] path: &str) {
    let sentry = Sentry::small();
    sentry.faults().add(Fault {
        times: 3,
        ..Fault::once(Match::path_end(path), FaultKind::EmptyPageMore)
    });
    let run = Tap::against(&sentry).select(&[stream]).run();
    run.is_complete()
        .keys(stream)
        .equal(sentry.expected(stream))
        .are_distinct();
    assert_eq!(sentry.faults().fired(), 3);
}

#[test]
fn issues_that_tie_at_the_edge_of_a_page_all_come() {
    let sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        for number in 0..230 {
            let issue = world.add_issue(project, "one of many");
            let second = if (90..120).contains(&number) {
                90
            } else {
                number
            };
            world.add_event(issue, world.clock() - TimeDelta::seconds(second + 60));
        }
    });
    let run = Tap::against(&sentry).select(&["issues"]).run();
    run.is_complete()
        .keys("issues")
        .equal(sentry.expected("issues"))
        .are_distinct();
}

#[test]
fn a_search_that_ends_early_is_taken_up_again() {
    for children in [&["issues"][..], &["issues", "events"]] {
        let sentry = Sentry::holding(|world| {
            let project = world.add_project("api");
            for number in 0..150 {
                let issue = world.add_issue(project, "one of many");
                world.add_event(issue, world.clock() - TimeDelta::minutes(number + 1));
            }
        });
        sentry.faults().add(Fault::once(
            Match::path_end("/issues/")
                .query("limit=100")
                .query("query=&"),
            FaultKind::EndEarly,
        ));
        let run = Tap::against(&sentry).select(children).run();
        run.is_complete()
            .keys("issues")
            .equal(sentry.expected("issues"));
        assert_eq!(sentry.faults().fired(), 1);
    }
}

#[test]
fn a_list_of_events_that_ends_early_is_taken_up_again_however_many_windows_it_spans() {
    let mut sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        let issue = world.add_issue(project, "weekly");
        for day in 0..20 {
            world.add_event(
                issue,
                world.clock() - TimeDelta::days(day) - TimeDelta::hours(1),
            );
        }
    });
    sentry.start = sentry.now - TimeDelta::days(21);
    sentry.faults().add(Fault::once(
        Match::path_end("/events/"),
        FaultKind::EndEarly,
    ));
    let run = Tap::against(&sentry).select(&["events"]).run();
    run.is_complete()
        .keys("events")
        .equal(sentry.expected("events"));
    assert_eq!(sentry.faults().fired(), 1);
}

#[test]
fn a_list_of_events_that_is_asked_for_in_halves_and_ends_early_is_taken_up_again() {
    let sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        let issue = world.add_issue(project, "hourly");
        for hour in 0..118 {
            world.add_event(issue, world.clock() - TimeDelta::hours(hour + 1));
        }
    });
    let events = Match::path_end("/events/");
    sentry.faults().add(Fault::always(
        events.clone(),
        FaultKind::WindowLongerThan(Duration::from_secs(6 * 86_400)),
    ));
    // The first page of the newer half, after the refusal and the older half.
    sentry.faults().add(Fault {
        skip: 2,
        ..Fault::once(events, FaultKind::EndEarly)
    });
    let run = Tap::against(&sentry)
        .select(&["events"])
        .with("window_days", 30)
        .run();
    run.is_complete()
        .tells("splitting the window")
        .keys("events")
        .equal(sentry.expected("events"));
    assert_eq!(sentry.faults().fired(), 2);
}

#[test]
fn a_release_that_goes_while_pages_are_read_hides_no_other() {
    let sentry = Sentry::seeded_long_ago();
    sentry
        .faults()
        .on_request(Match::path_end("/releases/").query("cursor="), 0, |world| {
            world
                .releases
                .retain(|release| release.version != "api@1.128.0");
        });
    let run = Tap::against(&sentry).select(&["releases"]).run();
    run.is_complete()
        .keys("releases")
        .include(sentry.expected("releases"));
}

#[test]
fn a_member_who_leaves_while_pages_are_read_hides_no_other() {
    let sentry = Sentry::holding(|world| {
        for id in 100..250 {
            let member = Member {
                id,
                user: None,
                email: format!("{id}@example.com"),
                ..world.members[0].clone()
            };
            world.members.push(member);
        }
    });
    sentry
        .faults()
        .on_request(Match::path_end("/members/").query("cursor="), 0, |world| {
            world.members.retain(|member| member.id != 105);
        });
    let run = Tap::against(&sentry).select(&["members"]).run();
    run.is_complete()
        .keys("members")
        .include(sentry.expected("members"));
}

#[test]
fn a_project_deleted_while_pages_are_read_hides_no_other() {
    let sentry = Sentry::holding(|world| {
        for number in 100..230 {
            let project = world.add_project(&format!("project-{number}"));
            let issue = world.add_issue(project, "the issue");
            world.add_event(issue, world.clock() - TimeDelta::days(1));
        }
    });
    let gone = sentry.project("project-103");
    sentry.faults().on_request(
        Match::path_end("/projects/").query("cursor="),
        0,
        move |world| world.delete_project(gone),
    );
    let run = Tap::against(&sentry).select(&["projects", "issues"]).run();
    run.is_complete();
    for stream in ["projects", "issues"] {
        run.keys(stream).include(sentry.expected(stream));
    }
}

#[test]
fn more_than_a_page_of_teams_comes_whole() {
    let sentry = Sentry::holding(|world| {
        for id in 10..350 {
            let team = Team {
                id,
                slug: format!("team-{id}"),
                ..world.teams[0].clone()
            };
            world.teams.push(team);
        }
    });
    let run = Tap::against(&sentry).select(&["teams"]).run();
    run.is_complete()
        .keys("teams")
        .equal(sentry.expected("teams"))
        .are_distinct();
}

#[test]
fn an_event_that_goes_while_pages_are_read_hides_no_other() {
    let sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        let issue = world.add_issue(project, "busy");
        for number in 0..230 {
            world.add_event(issue, world.clock() - TimeDelta::minutes(number + 1));
        }
    });
    let issue = sentry.issue("busy");
    sentry.faults().on_request(
        Match::path_end("/events/").query("cursor="),
        0,
        move |world| {
            world.issue_mut(issue).events.remove(3);
        },
    );
    let run = Tap::against(&sentry).select(&["events"]).run();
    run.is_complete()
        .keys("events")
        .include(sentry.expected("events"));
}
