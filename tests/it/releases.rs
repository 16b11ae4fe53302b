//! Releases: of all projects in one list, each with the bookmarks of its projects.

use crate::dsl::{Sentry, Tap, text};
use chrono::TimeDelta;
use rstest::rstest;
use sentry_sandbox::world::ProjectStatus;
use sentry_sandbox::{Fault, FaultKind, Match, ORGANIZATION_TOKEN};
use serde_json::json;

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
    let asked = ["api", "web"].map(|group| {
        let list =
            Match::path_end("/releases/").query(format!("project={}&", sentry.project(group)));
        if group == "web" {
            sentry
                .faults()
                .add(Fault::always(list.clone(), FaultKind::Silence));
        }
        sentry.arrival(list, 1)
    });
    let mut running = releases_tap(&sentry).state(&first.state()).start();
    for list in asked {
        list.recv().unwrap();
    }
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
        for number in 0..600 {
            let project = world.add_project(&format!("p{number}"));
            world.add_release(&format!("p{number}@1.0"), project, now - TimeDelta::days(3));
        }
    });
    let first = releases_tap(&sentry).with("project_slugs", "p0").run();
    sentry.clear_requests();
    releases_tap(&sentry)
        .select(&["releases"])
        .completes(&sentry, &[&first]);
    let asked = asked_for(&sentry);
    assert!(
        asked.len() > 3,
        "the one that came before, and more than one for the others"
    );
    for request in sentry.requests() {
        let parameters = request.query.iter();
        let query: usize = parameters
            .map(|(name, value)| name.len() + value.len() + 2)
            .sum();
        assert!(request.path.len() + query <= 4_096, "{}", request.path);
    }
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
