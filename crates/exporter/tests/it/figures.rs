//! Values equal the truth.

use crate::dsl::{Truth, Watch, labels, now, of, sentry};
use chrono::TimeDelta;
use sentry_sandbox::world::KeyLimit;
use sentry_sandbox::{Bulk, Limits, ORGANIZATION, Options, Sandbox, TOKEN, Version, World};
use serde_json::json;
use std::collections::BTreeMap;

const PLACE: [&str; 3] = [
    "sentry_unresolved_issues",
    "sentry_new_issues",
    "sentry_regressed_issues",
];

#[test]
fn events_are_those_of_the_month() {
    let sandbox = sentry(World::seeded(now()));
    let page = Watch::new(&sandbox).look();
    let mut shown = page.all("sentry_events_total");
    let truth = Truth(&sandbox.world()).events(now());
    assert!(truth.len() > 10);
    shown.retain(|_, value| *value > 0.0);
    assert_eq!(shown, truth);
    // What is zero is there too, for every project.
    for outcome in ["accepted", "filtered", "rate_limited"] {
        let quiet = [
            ("organization", ORGANIZATION),
            ("project", "quiet"),
            ("category", "error"),
            ("outcome", outcome),
            ("reason", ""),
        ];
        assert_eq!(page.value("sentry_events_total", &quiet), Some(0.0));
    }
    assert_eq!(page.up(), Some(1.0));
}

#[test]
fn issues_are_counted_by_project_and_level() {
    let sandbox = sentry(World::seeded(now()));
    let page = Watch::new(&sandbox).look();
    let day = now() - TimeDelta::hours(24);
    let world = sandbox.world();
    let truth = Truth(&world);
    let [unresolved, new, regressed] = [
        truth.issues(|_, _| true),
        truth.issues(|_, first| first >= day),
        truth.issues(|issue, _| issue.substatus.as_deref() == Some("regressed")),
    ];
    for (name, truth) in PLACE.iter().zip([unresolved, new, regressed]) {
        let mut shown = page.all(name);
        assert!(!truth.is_empty(), "{name}");
        shown.retain(|_, value| *value > 0.0);
        assert_eq!(shown, truth, "{name}");
    }
    let none = [
        ("organization", ORGANIZATION),
        ("project", "quiet"),
        ("level", "error"),
    ];
    assert_eq!(page.value("sentry_unresolved_issues", &none), Some(0.0));
    let here = [("organization", ORGANIZATION)];
    assert_eq!(page.value("sentry_issues_truncated", &here), Some(0.0));
}

#[test]
fn issues_beyond_the_pages_are_told_to_be_missing() {
    let mut world = World::empty(now());
    let project = world.add_project("api");
    for number in 0..250 {
        let issue = world.add_issue(project, &format!("E: {number}"));
        world.add_event(issue, now() - TimeDelta::minutes(number));
    }
    let sandbox = sentry(world);
    let look = |pages: u32| {
        let page = Watch::with(&sandbox, &json!({"max_issue_pages": pages})).look();
        let cut = page.sum("sentry_issues_truncated", &[]);
        (page.sum("sentry_unresolved_issues", &[]), cut)
    };
    assert_eq!(look(2), (200.0, 1.0));
    assert_eq!(look(3), (250.0, 0.0));
    // As many as the pages hold are not cut.
    let last = sandbox
        .world()
        .issues
        .keys()
        .copied()
        .take(50)
        .collect::<Vec<_>>();
    for issue in last {
        sandbox.world().resolve(issue);
    }
    assert_eq!(look(2), (200.0, 0.0));
}

#[test]
fn projects_and_teams_can_be_joined() {
    let sandbox = sentry(World::seeded(now()));
    let page = Watch::new(&sandbox).look();
    let project = |slug, id, platform| {
        labels(&[
            ("organization", ORGANIZATION),
            ("project", slug),
            ("project_id", id),
            ("platform", platform),
        ])
    };
    let projects = page.all("sentry_project_info");
    assert_eq!(projects.len(), 6, "one is being deleted");
    assert!(projects.contains_key(&project("api", "2", "python")));
    assert!(projects.contains_key(&project("quiet", "6", "")));
    let team = |team, project| {
        labels(&[
            ("organization", ORGANIZATION),
            ("team", team),
            ("project", project),
        ])
    };
    let teams = page.all("sentry_team_project_info");
    assert!(
        teams.contains_key(&team("backend", "api")) && teams.contains_key(&team("frontend", "api"))
    );
    let mut bits = projects
        .into_values()
        .chain(teams.into_values())
        .map(f64::to_bits);
    assert!(bits.all(|bits| bits == 1_f64.to_bits()));
}

#[test]
fn keys_without_a_limit_have_none() {
    let mut world = World::empty(now());
    let project = world.add_project("api");
    let limit = KeyLimit {
        count: 600,
        window_seconds: 3_600,
    };
    let key = world.add_key(project, "Limited", Some(limit));
    for version in [Version::V2025, Version::V21_1] {
        let sandbox = of(version, world.clone());
        let page = Watch::new(&sandbox).look();
        let series = labels(&[
            ("organization", ORGANIZATION),
            ("project", "api"),
            ("key", &key),
        ]);
        let only = |value| BTreeMap::from([(series.clone(), value)]);
        assert_eq!(
            page.all("sentry_client_key_rate_limit_events"),
            only(600.0),
            "{version:?}"
        );
        assert_eq!(
            page.all("sentry_client_key_rate_limit_window_seconds"),
            only(3_600.0)
        );
        let secret = sandbox.world().keys[0].secret.clone();
        assert!(!page.text.contains(&secret));
    }
}

#[test]
fn each_monitor_counts_once() {
    let sandbox = sentry(World::seeded(now()));
    let page = Watch::new(&sandbox).look();
    for (project, status, count) in [
        ("worker", "error", 1.0),
        ("worker", "ok", 1.0),
        ("api", "missed_checkin", 1.0),
        ("api", "timeout", 1.0),
        ("api", "disabled", 1.0),
        ("mobile-app", "active", 1.0),
    ] {
        let series = [
            ("organization", ORGANIZATION),
            ("project", project),
            ("status", status),
        ];
        assert_eq!(
            page.value("sentry_monitors", &series),
            Some(count),
            "{project} {status}"
        );
    }
    assert!((page.sum("sentry_monitors", &[]) - 6.0).abs() < 0.1);
}

#[test]
fn health_of_releases_and_single_issues_are_shown_when_asked_for() {
    let sandbox = sentry(World::seeded(now()));
    let page = Watch::new(&sandbox).look();
    assert!(page.all("sentry_issue_events").is_empty());
    assert!(page.all("sentry_release_sessions").is_empty());
    let more = json!({"collector_release_health": true, "collector_issue_events": true, "max_issue_series": 5, "max_releases": 30});
    let page = Watch::with(&sandbox, &more).look();
    let issues = page.all("sentry_issue_events");
    assert_eq!(issues.len(), 5);
    let least = issues.values().copied().fold(f64::MAX, f64::min);
    let counts = sandbox
        .world()
        .issues
        .values()
        .filter(|issue| issue.status == sentry_sandbox::world::Status::Unresolved)
        .map(sentry_sandbox::world::Issue::event_count)
        .collect::<Vec<_>>();
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let larger = counts.iter().filter(|count| **count as f64 > least).count();
    assert!(larger <= 5, "those with most events");
    let here = [("organization", ORGANIZATION)];
    assert_eq!(
        page.value("sentry_issue_events_series_limit", &here),
        Some(5.0)
    );
    assert_eq!(
        page.value("sentry_issue_events_truncated", &here),
        Some(1.0)
    );
    let release = [
        ("organization", ORGANIZATION),
        ("project", "api"),
        ("release", "api@1.128.0"),
    ];
    assert_eq!(
        page.value("sentry_release_crash_free_sessions_ratio", &release),
        Some(1.0 - 3.0 / 200.0)
    );
    assert_eq!(
        page.value("sentry_release_sessions", &release),
        Some(200.0 * 24.0)
    );
}

/// More projects than an address names are read from the issues of all.
#[test]
fn pages_of_issues_are_bounded_however_many_projects_are_chosen() {
    let mut world = World::empty(now());
    let other = world.add_project("other");
    for number in 0..350 {
        let issue = world.add_issue(other, &format!("E: {number}"));
        world.add_event(issue, now() - TimeDelta::minutes(number));
    }
    for number in 0..101 {
        world.add_project(&format!("chosen-{number}"));
    }
    let sandbox = sentry(world);
    let more = json!({"project_slugs": ["chosen-*"], "max_issue_pages": 1});
    let page = Watch::with(&sandbox, &more).look();
    let here = [("organization", ORGANIZATION)];
    assert_eq!(page.value("sentry_issues_truncated", &here), Some(1.0));
    let asked = sandbox.requests().into_iter();
    let asked = asked.filter(|request| request.path.ends_with("/issues/"));
    assert_eq!(asked.count(), 1, "its Link tells that there are more");
}

#[test]
fn chosen_projects_are_all_that_is_shown() {
    let sandbox = sentry(World::seeded(now()));
    for more in [
        json!({"project_slugs": "api, web"}),
        json!({"project_slugs": ["api", "w*"], "exclude_project_slugs": "worker"}),
    ] {
        let page = Watch::with(&sandbox, &more).look();
        for line in page.text.lines().filter(|line| line.contains("project=\"")) {
            assert!(
                line.contains("project=\"api\"") || line.contains("project=\"web\""),
                "{line}"
            );
        }
        assert!(page.sum("sentry_unresolved_issues", &[("project", "web")]) > 0.0);
        let mut shown = page.all("sentry_events_total");
        shown.retain(|_, value| *value > 0.0);
        let mut truth = Truth(&sandbox.world()).events(now());
        truth.retain(|labels, _| ["api", "web"].contains(&labels["project"].as_str()));
        assert_eq!(shown, truth);
    }
}

#[test]
fn hostile_names_do_no_harm() {
    let mut world = World::empty(now());
    let project = world.add_project("api");
    let issue = world.add_issue(project, "E: e");
    world.add_event(issue, now() - TimeDelta::minutes(5));
    let level = "a\"} 1\nsentry_up 7 \\ é\u{1F4A5}";
    level.clone_into(&mut world.issue_mut(issue).level);
    world.add_outcomes(
        project,
        now() - TimeDelta::hours(1),
        "filtered",
        "x\"\\\ny",
        3,
    );
    let sandbox = sentry(world);
    let page = Watch::new(&sandbox).look();
    let series = [
        ("organization", ORGANIZATION),
        ("project", "api"),
        ("level", level),
    ];
    assert_eq!(page.value("sentry_unresolved_issues", &series), Some(1.0));
    assert!((page.sum("sentry_events_total", &[("reason", "x\"\\\ny")]) - 3.0).abs() < 0.1);
    assert_eq!(page.up(), Some(1.0));
}

#[test]
fn a_hundred_projects_cost_few_requests_and_no_429() {
    let world = World::bulk(Bulk {
        now: now(),
        projects: 100,
        issues_per_project: 8,
        events_per_issue: 3,
        event_bytes: 0,
        span: TimeDelta::days(20),
    });
    let sandbox = Sandbox::start(Options {
        limits: Limits::hosted(),
        ..Options::new(world)
    })
    .expect("a free port");
    for number in 0..40 {
        let project = sandbox.world().projects[number].id;
        sandbox
            .world()
            .add_monitor(project, &format!("job-{number}"), &[("production", "ok")]);
    }
    let watch = Watch::with(&sandbox, &json!({"organization": null}));
    let page = watch.look();
    assert!((page.sum("sentry_unresolved_issues", &[]) - 800.0).abs() < 0.1);
    assert!((page.sum("sentry_monitors", &[]) - 40.0).abs() < 0.1);
    assert_eq!(page.all("sentry_project_info").len(), 100);
    let asked = sandbox.requests().len();
    assert!(asked <= 25, "{asked} requests");
    assert_eq!(sandbox.rejections(), 0);
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let counted = asked as f64;
    assert!((page.sum("sentry_api_requests_total", &[("status", "200")]) - counted).abs() < 0.1);
    let left = [("organization", ORGANIZATION), ("class", "stats")];
    assert_eq!(
        page.value("sentry_api_rate_limit_remaining", &left),
        Some(19.0)
    );
    assert!(!page.text.contains(TOKEN));
}

#[test]
fn more_counts_than_one_answer_holds_are_read_in_parts() {
    let mut world = World::empty(now());
    for slug in ["api", "web", "worker"] {
        let project = world.add_project(slug);
        for number in 0..4_000 {
            let reason = format!("reason {number}");
            world.add_outcomes(project, now(), "filtered", &reason, 1);
        }
    }
    let sandbox = sentry(world);
    let page = Watch::new(&sandbox).look();
    for project in ["api", "web", "worker"] {
        let filtered = page.sum("sentry_events_total", &[("project", project)]);
        assert!((filtered - 4_000.0).abs() < 0.1, "{project}: {filtered}");
    }
    let statistics = sandbox.requests();
    let statistics = statistics
        .iter()
        .filter(|one| one.path.ends_with("/stats_v2/"));
    assert_eq!(statistics.count(), 3, "all, and both halves");
}

#[test]
fn parts_name_no_more_projects_than_an_address_holds() {
    let mut world = World::empty(now());
    for slug in 0..250 {
        let project = world.add_project(&format!("project-{slug}"));
        for number in 0..50 {
            world.add_outcomes(project, now(), "filtered", &format!("reason {number}"), 1);
        }
    }
    let sandbox = sentry(world);
    let page = Watch::new(&sandbox).look();
    let filtered = page.sum("sentry_events_total", &[]);
    assert!((filtered - 12_500.0).abs() < 0.1, "{filtered}");
    let named: Vec<usize> = sandbox
        .requests()
        .iter()
        .filter(|one| one.path.ends_with("/stats_v2/"))
        .map(|one| one.query.iter().filter(|(key, _)| key == "project").count())
        .collect();
    assert_eq!(named.len(), 4, "all, and three parts: {named:?}");
    assert!(named.iter().all(|named| *named <= 100), "{named:?}");
}

#[test]
fn a_project_with_more_counts_than_an_answer_holds_is_an_error() {
    let mut world = World::empty(now());
    let project = world.add_project("api");
    world.add_project("web");
    for number in 0..10_001 {
        world.add_outcomes(project, now(), "filtered", &format!("reason {number}"), 1);
    }
    let sandbox = sentry(world);
    let page = Watch::new(&sandbox).look();
    let events = [("organization", ORGANIZATION), ("collector", "events")];
    assert_eq!(page.value("sentry_collector_success", &events), Some(0.0));
    assert!(page.all("sentry_events_total").is_empty());
    assert_eq!(page.up(), Some(1.0));
}

/// Reasons are words of clients: anybody who has the address of a project may invent some.
#[test]
fn reasons_without_number_are_few_series() {
    let mut world = World::empty(now());
    let project = world.add_project("api");
    for number in 0..30 {
        let quantity = 1_000 - number;
        world.add_outcomes(
            project,
            now(),
            "client_discard",
            &format!("reason {number}"),
            quantity,
        );
    }
    let sandbox = sentry(world);
    let watch = Watch::new(&sandbox);
    let discarded = |page: &crate::dsl::Exposition| {
        let mut shown = page.all("sentry_events_total");
        shown.retain(|labels, _| labels["outcome"] == "client_discard");
        shown
    };
    let before = watch.look();
    assert_eq!(discarded(&before).len(), 21);
    let other = [("outcome", "client_discard"), ("reason", "other")];
    let sum = before.sum("sentry_events_total", &other);
    assert!((sum - 9_755.0).abs() < 0.1, "the ten smallest: {sum}");
    for look in 0..3 {
        for number in 0..100 {
            let reason = format!("invented {look} {number}");
            let mut world = sandbox.world();
            world.add_outcomes(project, now(), "client_discard", &reason, 5_000);
        }
        let page = watch.look();
        let mut own = discarded(&page);
        own.retain(|labels, _| labels["reason"] != "other");
        let mut same = discarded(&before);
        same.retain(|labels, _| labels["reason"] != "other");
        assert_eq!(own, same, "within the month, the same reasons");
        let more = page.sum("sentry_events_total", &other) - sum;
        assert!(
            (more - 500_000.0 * f64::from(look + 1)).abs() < 0.1,
            "{more}"
        );
    }
}
