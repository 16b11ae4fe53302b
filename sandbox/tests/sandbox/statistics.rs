//! Counts over time, in both generations.

use crate::client::{ago, get, iso, now, seeded, start};
use sentry_sandbox::{Options, Sandbox, Version, World};
use serde_json::{Value, json};

const ALL: [Version; 5] = [
    Version::V2026,
    Version::V2025,
    Version::V21_4,
    Version::V21_1,
    Version::V9_1,
];

/// One project with every outcome in the hour before last, and an accepted event.
fn world() -> World {
    let mut world = World::empty(now());
    let project = world.add_project("api");
    for (outcome, reason, quantity) in [
        ("accepted", "", 10),
        ("filtered", "web-crawlers", 20),
        ("filtered", "localhost", 7),
        ("rate_limited", "key_quota", 40),
        ("client_discard", "before_send", 80),
        ("invalid", "too_large", 160),
    ] {
        world.add_outcomes(project, ago(2), outcome, reason, quantity);
    }
    world.add_outcomes(project, ago(2), "rate_limited", "key_quota", 320);
    let transactions = world.outcomes.last_mut().expect("just added");
    "transaction".clone_into(&mut transactions.category);
    world.add_outcomes(project, ago(2), "filtered", "csp", 640);
    let csp = world.outcomes.last_mut().expect("just added");
    "security".clone_into(&mut csp.category);
    let issue = world.add_issue(project, "E: e");
    world.add_event(issue, ago(2));
    world
}

fn of(version: Version, world: World) -> Sandbox {
    Sandbox::start(Options {
        version,
        pedantic: true,
        ..Options::new(world)
    })
    .expect("a free port")
}

fn sum(points: &Value) -> u64 {
    let points = points.as_array().expect("points");
    points.iter().filter_map(|point| point[1].as_u64()).sum()
}

#[test]
fn what_a_stat_counts_depends_on_the_servers_age() {
    for (version, received, rejected, blacklisted) in [
        (Version::V2026, 718, 40, 667),
        (Version::V2025, 718, 40, 667),
        (Version::V21_4, 798, 40, 667),
        (Version::V21_1, 1_118, 360, 667),
        (Version::V9_1, 718, 40, 667),
    ] {
        let sandbox = of(version, world());
        for (stat, expected) in [
            ("received", received),
            ("rejected", rejected),
            ("blacklisted", blacklisted),
            ("generated", 11),
            ("web-crawlers", 20),
        ] {
            let path = format!("/projects/acme/api/stats/?stat={stat}");
            let answer = get(&sandbox, &path);
            assert_eq!(answer.status, 200, "{version:?} {stat}");
            assert_eq!(sum(&answer.json()), expected, "{version:?} {stat}");
        }
        let organization = get(&sandbox, "/organizations/acme/stats/");
        assert_eq!(sum(&organization.json()), received, "{version:?}");
    }
}

#[test]
fn points_go_back_from_their_end_in_whole_steps() {
    let sandbox = of(Version::V2025, world());
    let ask = |query: &str| get(&sandbox, &format!("/projects/acme/api/stats/?{query}")).json();
    let (until, hour) = (now().timestamp(), 3_600);
    let day = ask("");
    let day = day.as_array().expect("points");
    assert_eq!(day.len(), 24, "hours of a day");
    let last = day.last().expect("a point")[0].as_i64().expect("a second");
    assert!(last <= until && until < last + hour && last % hour == 0);
    assert_eq!(
        ask("resolution=1d").as_array().map(Vec::len),
        Some(1),
        "a second short of a day"
    );
    let range = |since: i64, rest: &str| ask(&format!("since={since}&until={until}&{rest}"));
    assert_eq!(range(until - 300, "").as_array().map(Vec::len), Some(31));
    assert_eq!(range(until - hour, "").as_array().map(Vec::len), Some(361));
    assert_eq!(
        range(until - 2 * hour, "").as_array().map(Vec::len),
        Some(3)
    );
    assert_eq!(
        range(until - 8 * 86_400, "").as_array().map(Vec::len),
        Some(9)
    );
    // Midnight and a resolution: the oldest day is there; a second later it is not.
    let midnight = until - until.rem_euclid(86_400) - 2 * 86_400;
    let first = |since| range(since, "resolution=1d")[0][0].as_i64();
    assert_eq!(first(midnight), Some(midnight));
    assert_eq!(first(midnight + 86_399), Some(midnight + 86_400));
}

#[test]
fn what_nobody_knows_is_refused_as_the_server_does() {
    for (version, status) in [
        (Version::V2026, 400),
        (Version::V2025, 500),
        (Version::V21_4, 500),
        (Version::V21_1, 500),
        (Version::V9_1, 500),
    ] {
        let sandbox = of(version, world());
        let ask = |query: &str| get(&sandbox, &format!("/projects/acme/api/stats/?{query}")).status;
        assert_eq!(ask("stat=nope"), status, "{version:?}");
        assert_eq!(ask("resolution=2h"), 400);
        assert_eq!(ask("statt=received"), 400, "a typing mistake");
        let of_all = get(&sandbox, "/organizations/acme/stats/?stat=generated");
        assert_eq!(of_all.status, status, "{version:?}");
        assert_eq!(get(&sandbox, "/projects/acme/nope/stats/").status, 404);
    }
}

#[test]
fn an_organization_is_counted_by_project_if_wanted() {
    let sandbox = of(Version::V2025, World::seeded(now()));
    let by_project = get(&sandbox, "/organizations/acme/stats/?group=project").json();
    let whole = get(&sandbox, "/organizations/acme/stats/").json();
    let by_project = by_project.as_object().expect("projects");
    assert_eq!(by_project.values().map(sum).sum::<u64>(), sum(&whole));
    assert!(by_project.len() > 3 && !by_project.contains_key("8"));
}

/// The totals of all groups, by what they are grouped by.
fn totals(sandbox: &Sandbox, query: &str) -> Vec<(Value, u64)> {
    let path = format!(
        "/organizations/acme/stats_v2/?field=sum%28quantity%29&project=-1&interval=1d&start={}&end={}&{query}",
        iso(ago(48)),
        iso(now())
    );
    let answer = get(sandbox, &path);
    assert_eq!(answer.status, 200, "{}", answer.detail());
    let answer = answer.json();
    let groups = answer["groups"].as_array().expect("groups").clone();
    groups
        .into_iter()
        .map(|group| {
            let total = group["totals"]["sum(quantity)"].as_u64();
            (group["by"].clone(), total.expect("a number"))
        })
        .collect()
}

#[test]
fn all_projects_come_in_one_answer_and_zeros_do_not() {
    let mut world = world();
    world.add_project("idle");
    let sandbox = start(world);
    let found = totals(&sandbox, "groupBy=project&groupBy=outcome&category=error");
    let of = |outcome: &str| {
        let by = json!({"project": 2, "outcome": outcome});
        let group = found.iter().find(|(own, _)| *own == by);
        group.map(|(_, total)| *total)
    };
    assert_eq!(found.len(), 5, "nothing of the project without events");
    for (outcome, total) in [
        ("accepted", Some(11)),
        ("filtered", Some(667)),
        ("rate_limited", Some(40)),
        ("client_discard", Some(80)),
        ("invalid", Some(160)),
        ("abuse", None),
    ] {
        assert_eq!(of(outcome), total, "{outcome}");
    }
    let by_reason = totals(&sandbox, "groupBy=category&groupBy=outcome&groupBy=reason");
    let total = |by: Value| {
        let group = by_reason.iter().find(|(own, _)| *own == by);
        group.map(|(_, total)| *total)
    };
    assert_eq!(
        total(json!({"category": "transaction", "outcome": "rate_limited", "reason": "key_quota"})),
        Some(320)
    );
    assert_eq!(
        total(json!({"category": "error", "outcome": "filtered", "reason": "csp"})),
        Some(640),
        "what security reports are is an error"
    );
    assert_eq!(
        total(json!({"category": "error", "outcome": "accepted", "reason": null})),
        Some(11)
    );
}

#[test]
fn a_correction_changes_what_was_told_before() {
    let sandbox = start(world());
    let filtered = || {
        totals(
            &sandbox,
            "groupBy=project&category=error&outcome=rate_limited",
        )[0]
        .1
    };
    assert_eq!(filtered(), 40);
    let project = sandbox.world().projects[0].id;
    sandbox
        .world()
        .correct_outcomes(project, "rate_limited", 39);
    assert_eq!(filtered(), 39);
    sandbox.world().delete_project(project);
    let gone = "/organizations/acme/stats_v2/?field=sum%28quantity%29&project=-1&interval=1d&groupBy=project&category=error";
    assert_eq!(get(&sandbox, gone).detail(), "No projects available");
}

#[test]
fn a_question_without_a_category_is_refused() {
    let sandbox = of(Version::V2025, world());
    let ask = |query: &str| {
        let path = format!("/organizations/acme/stats_v2/?project=-1&{query}");
        get(&sandbox, &path).status
    };
    let good = "field=sum%28quantity%29&groupBy=outcome&category=error";
    assert_eq!(ask(good), 200);
    assert_eq!(ask("field=sum%28quantity%29&groupBy=outcome"), 400);
    assert_eq!(ask("groupBy=outcome&category=error"), 400);
    assert_eq!(ask("field=sum%28quantity%29&category=error"), 400);
    assert_eq!(ask(&format!("{good}&interval=7h")), 400);
    assert_eq!(ask(&format!("{good}&interval=30m")), 400);
    assert_eq!(ask(&format!("{good}&projects=2")), 400, "a typing mistake");
}

#[test]
fn attachments_are_counted_in_bytes_and_in_pieces() {
    let sandbox = seeded();
    let path = "/organizations/acme/stats_v2/?field=sum%28quantity%29&field=sum%28times_seen%29&project=-1&interval=1d&groupBy=outcome&category=attachment";
    let answer = get(&sandbox, path).json();
    assert_eq!(
        answer["groups"][0]["totals"],
        json!({"sum(quantity)": 48 * 20_480, "sum(times_seen)": 48})
    );
}

#[test]
fn statistics_exist_where_the_server_has_them() {
    for version in ALL {
        let sandbox = of(version, world());
        let status = |path: &str| get(&sandbox, path).status;
        let since = |least: Version| if version >= least { 200 } else { 404 };
        assert_eq!(status("/projects/acme/api/stats/"), 200);
        assert_eq!(status("/organizations/acme/stats/"), 200);
        let sessions =
            "/organizations/acme/sessions/?field=sum%28session%29&includeSeries=0&project=2";
        assert_eq!(status(sessions), since(Version::V21_1), "{version:?}");
        assert_eq!(
            status("/organizations/acme/project-keys/"),
            since(Version::V2025),
            "{version:?}"
        );
        assert_eq!(status("/projects/acme/api/keys/"), 200);
        assert_eq!(status("/projects/acme/api/environments/"), 200);
    }
}
