//! The figures of MaggotMouth/sentry-exporter.

use crate::dsl::{Program, Watch, now, of, sentry};
use chrono::{DateTime, TimeDelta, Utc};
use sentry_sandbox::world::ProjectStatus;
use sentry_sandbox::{Fault, FaultKind, Match, ORGANIZATION, Sandbox, TOKEN, Version, World};
use serde_json::json;

const OUTCOMES: [(&str, u64); 3] = [("accepted", 1), ("filtered", 10), ("rate_limited", 100)];

/// A project with events in every 10 seconds of the last ten minutes, and one without any.
fn world(now: DateTime<Utc>) -> World {
    let mut world = World::empty(now);
    let busy = world.add_project("busy");
    world.add_project("quiet");
    for step in 0..60 {
        for (outcome, quantity) in OUTCOMES {
            let at = now - TimeDelta::seconds(step * 10);
            world.add_outcomes(busy, at, outcome, "", quantity);
        }
    }
    world
}

fn errors(project: &'static str, query: &'static str) -> [(&'static str, &'static str); 3] {
    [
        ("organisation", ORGANIZATION),
        ("project", project),
        ("query", query),
    ]
}

#[test]
fn errors_are_those_of_the_last_full_five_minutes() {
    let sandbox = sentry(world(now()));
    let watch = Watch::with(&sandbox, &json!({"dialect": "maggotmouth"}));
    // A point that is under way does not count, however far it is.
    for seconds in [0, 3, 9] {
        watch.at(now() + TimeDelta::seconds(seconds));
        let page = watch.look();
        for (query, events) in [
            ("received", 30.0 * 111.0),
            ("rejected", 30.0 * 100.0),
            ("blacklisted", 30.0 * 10.0),
            ("generated", 30.0),
        ] {
            let shown = page.value("sentry_project_errors", &errors("busy", query));
            assert_eq!(shown, Some(events), "{query} after {seconds} s");
            let shown = page.value("sentry_project_errors", &errors("quiet", query));
            assert_eq!(shown, Some(0.0), "{query}");
        }
    }
    // The window slides: the latest point is in it now.
    watch.at(now() + TimeDelta::seconds(10));
    let page = watch.look();
    assert_eq!(
        page.value("sentry_project_errors", &errors("busy", "generated")),
        Some(30.0)
    );
    watch.at(now() + TimeDelta::seconds(20));
    let page = watch.look();
    assert_eq!(
        page.value("sentry_project_errors", &errors("busy", "generated")),
        Some(29.0)
    );
    let points = sandbox.requests();
    let points = points.iter().filter(|one| one.path.ends_with("/stats/"));
    for request in points {
        let query = |name: &str| {
            let mut query = request.query.iter();
            query
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone())
        };
        assert_eq!(query("resolution").as_deref(), Some("10s"));
        let second = |name| {
            query(name)
                .and_then(|text| text.parse::<i64>().ok())
                .expect("a second")
        };
        assert_eq!(second("until") - second("since"), 290, "30 points");
    }
}

#[test]
fn its_file_in_the_working_folder_goes_on() {
    let sandbox = sentry(World::seeded(Utc::now()));
    let file = format!(
        "api_url: {}/api/0/\norganisation_name: {ORGANIZATION}\ntimeout: \"3\"\ntoken: {TOKEN}\n\
         include_projects:\ninclude_queries: received,generated\ninclude_teams:\nttl_teams: 3600\n",
        sandbox.url().trim_end_matches('/')
    );
    let program = Program::start_in(&[(".sentry-exporter.yaml", file)], &["listen"], &[]);
    let page = program.scrape();
    let world = sandbox.world();
    let active = world
        .projects
        .iter()
        .filter(|one| one.status == ProjectStatus::Active);
    let teams: usize = active.clone().map(|project| project.teams.len()).sum();
    assert_eq!(page.all("sentry_project_info").len(), teams);
    let team = [
        ("organisation", ORGANIZATION),
        ("team", "backend"),
        ("project", "api"),
    ];
    assert_eq!(page.value("sentry_project_info", &team), Some(1.0));
    assert_eq!(page.all("sentry_project_errors").len(), 2 * active.count());
    drop(world);
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let asked = sandbox.requests().len() as f64;
    assert_eq!(
        page.value("sentry_api_calls", &[("status", "success")]),
        Some(asked)
    );
    assert_eq!(
        page.value("sentry_api_calls", &[("status", "failure")]),
        Some(0.0)
    );
    assert_eq!(page.up(), Some(1.0));
    let (_, log) = program.stop();
    let line = |text: &str| {
        log.lines()
            .find(|line| line.contains(text))
            .unwrap_or_default()
    };
    assert!(line("no meaning any more").contains("ttl_teams"), "{log}");
    let starts = line("sentry-exporter starts");
    assert!(
        starts.contains("maggotmouth") && starts.contains(".sentry-exporter.yaml"),
        "{log}"
    );
    assert!(!log.contains(TOKEN) && !log.contains("ERROR"), "{log}");
}

#[test]
fn its_variables_and_flags_go_on() {
    let sandbox = sentry(World::seeded(Utc::now()));
    let address = sandbox.url();
    let variables = [
        ("SENTRY_EXPORTER_API_URL", address.as_str()),
        ("SENTRY_EXPORTER_ORGANISATION_NAME", ORGANIZATION),
        ("SENTRY_EXPORTER_INCLUDE_TEAMS", "backend"),
    ];
    let flags = [
        "--token",
        TOKEN,
        "--include-projects",
        "api,web",
        "--loglevel",
        "debug",
    ];
    let program = Program::start_bare(&flags, &variables);
    let page = program.scrape();
    let info = page.all("sentry_project_info");
    assert!(!info.is_empty());
    for labels in info.keys() {
        assert_eq!(labels["team"], "backend");
        assert!(["api", "web"].contains(&labels["project"].as_str()));
    }
    assert_eq!(page.all("sentry_project_errors").len(), 2 * 4);
    let (_, log) = program.stop();
    assert!(log.contains("maggotmouth") && !log.contains(TOKEN), "{log}");
}

#[test]
fn old_servers_and_failures_are_told() {
    let sandbox: Sandbox = of(Version::V9_1, world(now()));
    let watch = Watch::with(&sandbox, &json!({"dialect": "maggotmouth"}));
    let page = watch.look();
    assert_eq!(
        page.value("sentry_project_errors", &errors("busy", "rejected")),
        Some(3_000.0)
    );
    sandbox.faults().add(Fault::once(
        Match::path("/quiet/stats/"),
        FaultKind::Status(404),
    ));
    let page = watch.look();
    assert_eq!(
        page.value("sentry_project_errors", &errors("quiet", "received")),
        None
    );
    assert!(
        page.value("sentry_project_errors", &errors("busy", "received"))
            .is_some()
    );
    assert_eq!(
        page.value("sentry_api_calls", &[("status", "failure")]),
        Some(1.0)
    );
}
