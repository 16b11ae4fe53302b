//! Runs after runs: nothing missed, nothing brought twice that did not change, and a state that says only what is true.

use crate::dsl::{Sentry, Tap, bookmark, instant, text};
use chrono::TimeDelta;
use rstest::rstest;
use sentry_sandbox::world::ProjectStatus;
use sentry_sandbox::{Fault, FaultKind, Match, ORGANIZATION_TOKEN, Options, World};
use serde_json::{Value, json};

/// One project with one issue, whose only event is so many days old.
fn one_issue(days: i64) -> (Sentry, u64) {
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
fn releases_are_read_again_while_they_are_young_since_they_change() {
    let sentry = Sentry::small();
    let first = Tap::against(&sentry).select(&["releases", "release"]).run();
    sentry.world().archive_release("api@1.0");
    let project = sentry.project("web");
    sentry
        .world()
        .add_release("web@2.0", project, sentry.now + TimeDelta::minutes(1));
    let second = Tap::against(&sentry)
        .select(&["releases", "release"])
        .until(sentry.now + TimeDelta::hours(1))
        .state(&first.state())
        .run();
    second.is_complete();
    second
        .keys("releases")
        .equal(["acme|api@1.0", "acme|web@1.0", "acme|web@2.0"]);
    second.keys("release").include(["acme|web@2.0"]);
    assert_eq!(
        second.record("releases", "acme|api@1.0")["status"],
        "archived"
    );
}

/// Two projects with three releases each: of before and of after the time that is read again, and in the last hour.
fn releases() -> Sentry {
    let mut sentry = Sentry::holding(|world| {
        let now = world.clock();
        for slug in ["api", "web"] {
            let project = world.add_project(slug);
            for (version, age) in [
                ("1.0", TimeDelta::days(40)),
                ("2.0", TimeDelta::days(5)),
                ("3.0", TimeDelta::minutes(30)),
            ] {
                world.add_release(&format!("{slug}@{version}"), project, now - age);
            }
        }
    });
    sentry.start = sentry.now - TimeDelta::days(60);
    sentry
}

fn releases_tap(sentry: &Sentry) -> Tap {
    Tap::against(sentry).select(&["releases", "release"])
}

/// What was asked for of the list of releases: the projects, and from when on.
fn asked_for(sentry: &Sentry) -> Vec<(Vec<String>, String)> {
    let of_releases = sentry
        .requests()
        .into_iter()
        .filter(|request| request.path.ends_with("/releases/"));
    let projects = |query: &[(String, String)]| {
        query
            .iter()
            .filter(|(name, _)| name == "project")
            .map(|(_, id)| id.clone())
            .collect()
    };
    of_releases
        .map(|request| {
            (
                projects(&request.query),
                request.get("start").unwrap().to_owned(),
            )
        })
        .collect()
}

#[rstest]
#[case::it_is_created("created")]
#[case::the_token_gets_access("access")]
#[case::it_is_chosen("chosen")]
fn a_project_that_comes_into_view_brings_all_of_its_releases(#[case] how: &str) {
    let sentry = releases();
    let web = sentry.project("web");
    let set = |apply: &dyn Fn(&mut sentry_sandbox::world::Project)| {
        let mut world = sentry.world();
        world.organizations[0].open_membership = how != "access";
        apply(
            world
                .projects
                .iter_mut()
                .find(|project| project.id == web)
                .unwrap(),
        );
    };
    let mut first = releases_tap(&sentry);
    match how {
        "created" => set(&|project| project.status = ProjectStatus::PendingDeletion),
        "access" => set(&|project| project.teams.clear()),
        _ => first = first.with("project_slugs", "api"),
    }
    let first = first.run();
    // That the list names a project of which nothing can be read must be seen.
    first
        .ends_with(if how == "access" { 4 } else { 0 })
        .keys("releases")
        .exclude(["acme|web@1.0", "acme|web@2.0"]);
    first.no_state_is_ahead(&sentry, &[]);
    assert_eq!(
        first.bookmark("releases", sentry.project("api")),
        Some(sentry.end)
    );
    assert_eq!(first.bookmark("release", web), None);

    set(&|project| (project.status, project.teams) = (ProjectStatus::Active, vec![1]));
    sentry.clear_requests();
    let second = releases_tap(&sentry).completes(&sentry, &[&first]);
    second.keys("releases").exclude(["acme|api@1.0"]);
    second
        .keys("release")
        .exclude(["acme|api@1.0"])
        .are_distinct();
    let asked = asked_for(&sentry);
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(
        asked.contains(&(vec![web.to_string()], text(sentry.start))),
        "{asked:?}"
    );

    sentry.clear_requests();
    releases_tap(&sentry).completes(&sentry, &[&first, &second]);
    assert_eq!(asked_for(&sentry).len(), 1, "all go on together");
}

#[test]
fn a_project_that_is_left_out_for_a_while_goes_on_where_it_was() {
    let sentry = releases();
    let tap = releases_tap(&sentry).with("issue_refresh_days", 0);
    let first = tap.clone().until(sentry.now - TimeDelta::days(20)).run();
    let second = tap
        .clone()
        .with("project_slugs", "web")
        .state(&first.state())
        .run();
    second
        .is_complete()
        .keys("releases")
        .equal(["acme|web@2.0", "acme|web@3.0"]);
    sentry.clear_requests();
    tap.completes(&sentry, &[&first, &second])
        .keys("releases")
        .exclude(["acme|api@1.0"])
        .are_distinct();
    let back = text(sentry.now - TimeDelta::days(20) - TimeDelta::hours(1));
    assert!(asked_for(&sentry).contains(&(vec![sentry.project("api").to_string()], back)));
}

#[rstest]
#[case::of_the_older_tap(false)]
#[case::of_the_organization(true)]
fn a_bookmark_for_all_releases_counts_for_every_project(#[case] partitions: bool) {
    let sentry = releases();
    let at = text(sentry.now - TimeDelta::days(20));
    let mut entry = json!({"start": at});
    if partitions {
        entry["partitions"] = json!([{"context": {"organization_slug": "acme"}, "start": at}]);
    }
    let state = json!({"bookmarks": {"releases": entry, "release": entry}});
    let first = releases_tap(&sentry).state(&state).run();
    first
        .is_complete()
        .keys("releases")
        .exclude(["acme|api@1.0", "acme|web@1.0"])
        .include(["acme|api@2.0", "acme|web@2.0"]);
    let start = text(sentry.now - TimeDelta::days(20) - TimeDelta::hours(1));
    assert_eq!(asked_for(&sentry), [(vec!["-1".to_owned()], start)]);

    let new = sentry.world().add_project("new");
    sentry
        .world()
        .add_release("new@1.0", new, sentry.now - TimeDelta::days(40));
    let second = releases_tap(&sentry).state(&first.state()).run();
    second
        .is_complete()
        .keys("release")
        .include(["acme|new@1.0"])
        .exclude(["acme|api@1.0"]);
}

#[test]
fn the_releases_of_all_projects_are_one_request() {
    let sentry = releases();
    let first = releases_tap(&sentry).run();
    assert_eq!(
        asked_for(&sentry),
        [(vec!["-1".to_owned()], text(sentry.start))]
    );
    sentry.clear_requests();
    let again = releases_tap(&sentry)
        .with("issue_refresh_days", 0)
        .with("lookback_minutes", 0)
        .until(sentry.now + TimeDelta::hours(1))
        .state(&first.state())
        .run();
    again.is_complete().keys("releases").equal([0; 0]);
    // The other one lists the projects.
    assert_eq!((asked_for(&sentry).len(), sentry.requests().len()), (1, 2));
}

#[test]
fn a_kill_between_groups_of_projects_loses_nothing() {
    let sentry = releases();
    let first = releases_tap(&sentry)
        .with("project_slugs", "api")
        .until(sentry.now - TimeDelta::days(20))
        .run();
    let (asked, came) = std::sync::mpsc::channel();
    for group in ["api", "web"] {
        let list =
            Match::path_end("/releases/").query(format!("project={}&", sentry.project(group)));
        let asked = asked.clone();
        sentry
            .faults()
            .on_request(list.clone(), 0, move |_| asked.send(()).unwrap());
        if group == "web" {
            sentry.faults().add(Fault::always(list, FaultKind::Silence));
        }
    }
    let mut running = releases_tap(&sentry).state(&first.state()).start();
    came.recv().unwrap();
    came.recv().unwrap();
    running.read_to("STATE");
    let killed = running.kill();
    assert_eq!(
        killed.bookmark("releases", sentry.project("api")),
        Some(sentry.end)
    );
    assert_eq!(killed.bookmark("releases", sentry.project("web")), None);
    killed.no_state_is_ahead(&sentry, &[&first]);
    sentry.faults().clear();
    releases_tap(&sentry).completes(&sentry, &[&first, &killed]);
}

#[test]
fn a_release_of_several_projects_is_written_once() {
    let sentry = releases();
    let first = releases_tap(&sentry).with("project_slugs", "api").run();
    let web = sentry.project("web");
    sentry
        .world()
        .releases
        .iter_mut()
        .find(|release| release.version == "api@2.0")
        .unwrap()
        .projects
        .push(web);
    let second = releases_tap(&sentry).completes(&sentry, &[&first]);
    second.keys("releases").are_distinct();
    second.keys("release").are_distinct();
}

#[test]
fn many_projects_at_once_do_not_make_an_address_too_long() {
    let sentry = Sentry::holding(|world| {
        let now = world.clock();
        for number in 0..250 {
            let project = world.add_project(&format!("p{number}"));
            world.add_release(&format!("p{number}@1.0"), project, now - TimeDelta::days(3));
        }
    });
    let first = releases_tap(&sentry).with("project_slugs", "p0").run();
    sentry.clear_requests();
    releases_tap(&sentry)
        .select(&["releases"])
        .completes(&sentry, &[&first]);
    let asked: std::collections::BTreeSet<_> = asked_for(&sentry)
        .into_iter()
        .map(|(projects, _)| projects.len())
        .collect();
    assert_eq!(asked, [1, 49, 100].into());
}

#[test]
fn a_token_that_cannot_list_projects_goes_on_with_the_releases_of_all() {
    let sentry = releases();
    let tap = releases_tap(&sentry)
        .with("api_token", ORGANIZATION_TOKEN)
        .with("issue_refresh_days", 0)
        .with("lookback_minutes", 0);
    let first = tap.clone().run();
    first
        .is_complete()
        .tells("one bookmark for all projects")
        .keys("release")
        .equal(sentry.expected("release"));
    let second = tap
        .until(sentry.now + TimeDelta::hours(1))
        .state(&first.state())
        .run();
    second.is_complete().keys("releases").equal([0; 0]);
}

#[test]
fn without_an_end_date_the_bookmark_is_when_the_run_started() {
    let (sentry, _) = one_issue(1);
    let before = chrono::Utc::now();
    let run = Tap::against(&sentry).without("end_date").run();
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
