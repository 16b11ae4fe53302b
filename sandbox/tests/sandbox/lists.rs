use crate::client::{ago, get, ids, iso, now, seeded, start, walk};
use sentry_sandbox::world::ReleaseStatus;
use sentry_sandbox::{Match, World};
use serde_json::Value;
use std::collections::BTreeSet;

#[test]
fn whole_tables_are_complete() {
    let sandbox = seeded();
    for (stream, path) in [
        ("projects", "/organizations/acme/projects/"),
        ("teams", "/organizations/acme/teams/"),
        ("members", "/organizations/acme/members/?per_page=2"),
        ("users", "/organizations/acme/users/?project=-1"),
    ] {
        let rows = walk(&sandbox, path);
        let found = ids(&rows).into_iter().collect();
        assert_eq!(
            sandbox.world().expected(stream, None, ago(1), now()),
            found,
            "{stream}"
        );
        assert_eq!(rows.len(), found.len(), "{stream}");
    }
    let users = get(&sandbox, "/organizations/acme/users/?project=-1");
    assert!(users.header("link").is_none());
    assert!(
        get(&sandbox, "/organizations/acme/members/")
            .rows()
            .iter()
            .any(|row| row["user"].is_null() && row["pending"] == true)
    );
}

#[test]
fn releases_are_open_ones_unless_the_status_is_empty() {
    let sandbox = seeded();
    let versions = |path: &str| -> BTreeSet<String> {
        walk(&sandbox, path)
            .iter()
            .map(|row| format!("acme|{}", row["version"].as_str().expect("a version")))
            .collect()
    };
    let all = versions("/organizations/acme/releases/?project=-1&status=");
    assert_eq!(
        all,
        sandbox
            .world()
            .expected("releases", None, ago(24 * 999), now())
    );
    let open = versions("/organizations/acme/releases/?project=-1");
    let archived = versions("/organizations/acme/releases/?project=-1&status=archived");
    assert!(!archived.is_empty());
    assert!(open.is_disjoint(&archived));
    assert_eq!(all.len(), open.len() + archived.len());
    assert!(all.len() > 100);
}

#[test]
fn both_ends_of_a_window_of_releases_are_inside() {
    let mut world = World::empty(now());
    let project = world.add_project("api");
    world.add_release("a", project, ago(2));
    world.add_release("b", project, ago(4));
    let sandbox = start(world);
    let path = format!(
        "/organizations/acme/releases/?start={}&end={}",
        iso(ago(4)),
        iso(ago(2))
    );
    let rows = get(&sandbox, &path).rows();
    assert_eq!(rows.len(), 2);
    assert!(rows[0]["id"].is_u64());
}

#[test]
fn odd_versions_are_found_when_they_are_encoded() {
    let sandbox = seeded();
    for (version, encoded) in [
        ("worker 0.9 beta (é)", "worker%200.9%20beta%20%28%C3%A9%29"),
        ("api@1.0.0+build.7", "api%401.0.0%2Bbuild.7"),
        ("1.0%20x", "1.0%2520x"),
        ("a&b=c?d#e", "a%26b%3Dc%3Fd%23e"),
    ] {
        let answer = get(
            &sandbox,
            &format!("/organizations/acme/releases/{encoded}/"),
        );
        assert_eq!(answer.status, 200, "{version}");
        assert_eq!(answer.json()["version"], version);
    }
    assert_eq!(
        get(&sandbox, "/organizations/acme/releases/1.0%20x/").status,
        404
    );
    let last = sandbox.requests().pop().expect("a request");
    assert_eq!(last.path, "/api/0/organizations/acme/releases/1.0%20x/");
}

#[test]
fn a_release_archived_between_two_pages_hides_another_one() {
    let mut world = World::empty(now());
    let project = world.add_project("api");
    for number in 0..4 {
        world.add_release(&format!("v{number}"), project, ago(number));
    }
    let sandbox = start(world);
    sandbox
        .faults()
        .on_request(Match::path("/releases/"), 1, |world| {
            world.archive_release("v0");
        });
    let rows = walk(&sandbox, "/organizations/acme/releases/?per_page=2");
    let versions: Vec<&str> = rows
        .iter()
        .filter_map(|row| row["version"].as_str())
        .collect();
    assert_eq!(versions, ["v0", "v1", "v3"]);
    assert_eq!(sandbox.world().releases[0].status, ReleaseStatus::Archived);
}

#[test]
fn a_former_slug_is_a_relative_redirect_and_a_number_never() {
    let sandbox = seeded();
    let moved = get(&sandbox, "/projects/acme/android/events/");
    assert_eq!(moved.status, 302);
    assert_eq!(
        moved.header("location"),
        Some("/api/0/projects/acme/mobile-app/events/")
    );
    assert_eq!(moved.json()["slug"], "mobile-app");
    assert_eq!(
        get(&sandbox, "/projects/acme/5/").json()["slug"],
        "mobile-app"
    );
    let missing = get(&sandbox, "/projects/acme/nope/");
    assert_eq!(
        (missing.status, missing.detail().as_str()),
        (404, "Project does not exist")
    );
    assert_eq!(get(&sandbox, "/projects/acme/doomed/").status, 404);
    // Slugs keep their case.
    assert_eq!(get(&sandbox, "/projects/acme/Legacy_PHP/").status, 200);
    assert_eq!(get(&sandbox, "/projects/acme/legacy_php/").status, 404);
}

#[test]
fn totals_by_project_have_no_series_and_agree_with_the_events() {
    let sandbox = seeded();
    let window = format!("start={}&end={}", iso(ago(24 * 80)), iso(now()));
    let stats = "/organizations/acme/stats_v2/?field=sum%28quantity%29&category=error&outcome=accepted&interval=1d";
    let by_project = get(
        &sandbox,
        &format!("{stats}&groupBy=project&project=3&{window}"),
    )
    .json();
    assert!(by_project.get("intervals").is_none());
    let total = by_project["groups"][0]["totals"]["sum(quantity)"].as_u64();
    let from = by_project["start"].as_str().expect("a date");
    let events = walk(
        &sandbox,
        &format!(
            "/projects/acme/worker/events/?start={from}&end={}",
            iso(now())
        ),
    );
    assert_eq!(total, Some(events.len() as u64));
    let by_outcome = get(
        &sandbox,
        &format!("{stats}&groupBy=outcome&project=3&{window}"),
    )
    .json();
    let series = by_outcome["groups"][0]["series"]["sum(quantity)"]
        .as_array()
        .expect("a series");
    assert_eq!(
        series.iter().filter_map(Value::as_u64).sum::<u64>(),
        events.len() as u64
    );
    assert_eq!(
        by_outcome["intervals"].as_array().map(Vec::len),
        Some(series.len())
    );
    assert_eq!(
        get(&sandbox, "/organizations/acme/stats_v2/?groupBy=project").status,
        400
    );
}

#[test]
fn a_path_needs_its_slash_and_its_organization() {
    let sandbox = seeded();
    assert_eq!(get(&sandbox, "/organizations/acme/issues").status, 404);
    let unknown = get(&sandbox, "/organizations/acme/nope/");
    assert_eq!((unknown.status, unknown.body.len()), (404, 0));
    assert_eq!(get(&sandbox, "/organizations/nope/issues/").status, 404);
    let gone = get(&sandbox, "/issues/1001/");
    assert_eq!(gone.status, 410);
    assert_eq!(gone.json()["message"], "This API no longer exists.");
}

#[test]
fn the_seeded_world_depends_on_its_clock_only() {
    let (one, two) = (World::seeded(now()), World::seeded(now()));
    for stream in ["issues", "events", "releases"] {
        assert_eq!(
            one.expected(stream, None, ago(9_999), now()),
            two.expected(stream, None, ago(9_999), now())
        );
    }
    assert_eq!(format!("{one:?}"), format!("{two:?}"));
}
