//! The figures of italux/sentry-prometheus-exporter.

use crate::dsl::{Exposition, Program, Watch, labels, now, of, sentry};
use chrono::{DateTime, TimeDelta, Utc};
use rstest::rstest;
use sentry_sandbox::world::{KeyLimit, ProjectStatus, Seconds};
use sentry_sandbox::{Bulk, Limits, ORGANIZATION, Options, Sandbox, TOKEN, Version, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;

type All = BTreeMap<BTreeMap<String, String>, f64>;

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn real(number: u64) -> f64 {
    number as f64
}

/// The variables of its README.
fn variables(sandbox: &Sandbox) -> Vec<(&'static str, String)> {
    vec![
        (
            "SENTRY_BASE_URL",
            format!("{}/api/0/", sandbox.url().trim_end_matches('/')),
        ),
        ("SENTRY_AUTH_TOKEN", TOKEN.to_owned()),
        ("SENTRY_EXPORTER_ORG", ORGANIZATION.to_owned()),
    ]
}

fn start(sandbox: &Sandbox, more: &[(&'static str, &str)]) -> Program {
    let mut all = variables(sandbox);
    all.extend(
        more.iter()
            .map(|(name, value)| (*name, (*value).to_owned())),
    );
    let all: Vec<(&str, &str)> = all
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    Program::start_bare(&[], &all)
}

/// Issues of three ages in two environments, a project without any, and a resolved one.
fn world(now: DateTime<Utc>) -> World {
    let mut world = World::empty(now);
    let backend = world.add_project("backend");
    let worker = world.add_project("worker");
    let bare = world.add_project("bare");
    world.project_environments.insert(bare, BTreeMap::new());
    world.add_key(
        backend,
        "newest",
        Some(KeyLimit {
            window_seconds: 60,
            count: 100,
        }),
    );
    world.add_release("backend@1.0", backend, now - TimeDelta::days(3));
    let mut issue = |project: u64, environment: Option<&str>, minutes: i64, events: i64| {
        let id = world.add_issue(project, "E: e");
        for number in 0..events {
            world.add_event(
                id,
                now - TimeDelta::minutes(minutes - number.min(minutes - 1)),
            );
            let event = world.issue_mut(id).events.last_mut().expect("an event");
            event.environment = environment.map(str::to_owned);
            event.release = environment.map(|_| "backend@1.0".to_owned());
        }
        id
    };
    let young = issue(backend, Some("production"), 30, 10);
    issue(backend, Some("production"), 5 * 60, 20);
    let resolved = issue(backend, Some("production"), 9 * 24 * 60, 30);
    issue(backend, Some("production"), 20 * 24 * 60, 40);
    // Old in one environment, new in the other.
    let both = issue(worker, Some("production"), 2 * 60, 3);
    let lonely = issue(bare, None, 10, 2);
    world.add_event(both, now - TimeDelta::minutes(20));
    let event = world.issue_mut(both).events.last_mut().expect("an event");
    event.environment = Some("staging".to_owned());
    world.resolve(resolved);
    world.issue_mut(young).unhandled = true;
    world.issue_mut(lonely).logger = Some("root".to_owned());
    for (outcome, quantity) in [
        ("accepted", 5),
        ("filtered", 3),
        ("rate_limited", 2),
        ("invalid", 9),
    ] {
        world.add_outcomes(worker, now - TimeDelta::seconds(1), outcome, "", quantity);
    }
    world
}

fn bucket(page: &Exposition, project: &str, environment: &str, le: &str) -> Option<f64> {
    let labels = [
        ("project_slug", project),
        ("environment", environment),
        ("le", le),
    ];
    page.value("sentry_issues_bucket", &labels)
}

#[test]
fn the_set_up_of_its_readme_goes_on() {
    let sandbox = sentry(world(Utc::now()));
    let program = start(&sandbox, &[("SENTRY_SCRAPE_RATE_LIMIT_METRICS", "True")]);
    for path in ["/healthz/live", "/healthz/ready", "/-/healthy", "/-/ready"] {
        assert_eq!(program.get(path).status, 200, "{path}");
    }
    assert_eq!(program.get("/metrics/").status, 200);
    let page = program.scrape();
    for (le, events) in [("1h", 10.0), ("24h", 30.0), ("+Inf", 60.0)] {
        assert_eq!(
            bucket(&page, "backend", "production", le),
            Some(events),
            "{le}"
        );
        assert_eq!(bucket(&page, "backend", "staging", le), Some(0.0), "{le}");
        assert_eq!(bucket(&page, "worker", "staging", le), Some(1.0), "{le}");
        let old = if le == "1h" { 0.0 } else { 3.0 };
        assert_eq!(bucket(&page, "worker", "production", le), Some(old), "{le}");
    }
    let place = [("project_slug", "backend"), ("environment", "production")];
    assert_eq!(page.value("sentry_issues_gcount", &place), Some(60.0));
    assert_eq!(page.value("sentry_issues_gsum", &place), Some(100.0));
    assert!(!page.text.contains("# TYPE sentry_issues histogram"));
    assert!(page.text.contains("# TYPE sentry_issues_bucket gauge"));
    let buckets = page.all("sentry_issues_bucket");
    assert!(
        buckets
            .keys()
            .all(|labels| labels["project_slug"] != "bare")
    );

    let world = sandbox.world();
    let young = |slug: &str, environment: &str| {
        let all = page.all("sentry_open_issue_events");
        let mut own = all.into_iter().filter(|(labels, _)| {
            labels["project_slug"] == slug && labels["environment"] == environment
        });
        own.next().expect("a series")
    };
    let (shown, events) = young("backend", "production");
    let today = Utc::now().format("%Y-%m-%d").to_string();
    let issue = world.issues.values().next().expect("an issue");
    let expected = labels(&[
        ("issue_id", &issue.id.to_string()),
        ("logger", "None"),
        ("level", "error"),
        ("status", "unresolved"),
        ("platform", "python"),
        ("project_slug", "backend"),
        ("environment", "production"),
        ("release", "backend@1.0"),
        ("isUnhandled", "True"),
        (
            "firstSeen",
            &(Utc::now() - TimeDelta::minutes(30))
                .format("%Y-%m-%d")
                .to_string(),
        ),
        ("lastSeen", &today),
    ]);
    assert_eq!(events.to_string(), "10");
    // A test that runs over midnight sees another day.
    for (name, value) in &expected {
        if !["firstSeen", "lastSeen"].contains(&name.as_str()) {
            assert_eq!(shown.get(name), Some(value), "{name}");
        }
    }
    assert_eq!(shown.len(), expected.len());
    assert!(shown["firstSeen"].len() == 10 && shown["firstSeen"].starts_with("20"));
    let (shown, events) = young("bare", "None");
    assert_eq!(
        (shown["logger"].as_str(), shown["release"].as_str()),
        ("root", "None")
    );
    assert_eq!(events.to_string(), "2");
    assert_eq!(page.all("sentry_open_issue_events").len(), 3);

    for (stat, events) in [
        ("received", 10.0 + 3.0 + 1.0),
        ("rejected", 2.0),
        ("blacklisted", 3.0),
    ] {
        let labels = [("project_slug", "worker"), ("stat", stat)];
        let shown = page
            .value("sentry_events_total", &labels)
            .expect("a series");
        // On the first of a month some are of the month before.
        assert!(shown <= events, "{stat}: {shown}");
        let labels = [("project_slug", "bare"), ("stat", stat)];
        assert!(page.value("sentry_events_total", &labels).is_some());
    }
    let limit = |slug| page.value("sentry_rate_limit_events_sec", &[("project_slug", slug)]);
    assert_eq!(limit("backend"), Some(1.666_667));
    assert_eq!(limit("worker"), Some(0.0));
    assert_eq!(page.up(), Some(1.0));
    drop(world);
    let (_, log) = program.stop();
    let mut lines = log.lines();
    let line = lines.find(|line| line.contains("sentry-exporter starts"));
    assert!(
        line.is_some_and(|line| line.contains("italux") && line.contains("SENTRY_")),
        "{log}"
    );
    assert!(!log.contains("ERROR") && !log.contains(TOKEN), "{log}");
}

/// What the world says, counted without the exporter's help.
fn truth(world: &World, now: DateTime<Utc>) -> (All, usize) {
    let (mut sums, mut young) = (All::new(), 0);
    let active = |id: u64| {
        let project = world.project(id);
        project.filter(|project| project.status == ProjectStatus::Active)
    };
    for project in &world.projects {
        if active(project.id).is_none() {
            continue;
        }
        let environments = world.environments_of(project.id);
        for (environment, _) in environments.iter().filter(|(_, hidden)| !**hidden) {
            for (le, hours) in [("1h", 1), ("24h", 24), ("+Inf", 14 * 24)] {
                let key = labels(&[
                    ("project_slug", &project.slug),
                    ("environment", environment),
                    ("le", le),
                ]);
                let sum = sums.entry(key).or_insert(0.0);
                for issue in world.issues.values() {
                    let names = [environment.clone()];
                    if issue.project != project.id || !world.listable(issue) || issue.kind.hidden {
                        continue;
                    }
                    if let Some(seen) = issue.seen(Seconds::ALL, &names)
                        && seen.first >= (now - TimeDelta::hours(hours)).timestamp()
                    {
                        *sum += real(seen.count);
                        young += usize::from(le == "1h");
                    }
                }
            }
        }
    }
    (sums, young)
}

#[rstest]
fn old_servers_tell_the_same(
    #[values(
        Version::V2026,
        Version::V2025,
        Version::V21_4,
        Version::V21_1,
        Version::V9_1
    )]
    version: Version,
) {
    let mut world = World::seeded(now());
    let project = world.projects[0].id;
    world.add_release("young@1", project, now());
    for minutes in [10, 20] {
        let issue = world.add_issue(project, "E: e");
        world.add_event(issue, now() - TimeDelta::minutes(minutes));
        let event = world.issue_mut(issue).events.last_mut().expect("an event");
        event.release = Some("young@1".to_owned());
    }
    let sandbox = of(version, world);
    let more = json!({"dialect": "italux", "collector_client_keys": true});
    let page = Watch::with(&sandbox, &more).look();
    for collector in ["events", "issues", "client_keys"] {
        let labels = [("organization", ORGANIZATION), ("collector", collector)];
        assert_eq!(
            page.value("sentry_collector_success", &labels),
            Some(1.0),
            "{collector}"
        );
    }
    let world = sandbox.world();
    let (buckets, young) = truth(&world, now());
    assert!(young > 0);
    assert_eq!(page.all("sentry_issues_bucket"), buckets);
    let shown = page.all("sentry_open_issue_events");
    assert_eq!(shown.len(), young);
    let tells = version != Version::V9_1;
    assert_eq!(
        shown.keys().any(|labels| labels["release"] != "None"),
        tells
    );
    // The counts that the server itself would tell, one project after another.
    let received = page.all("sentry_events_total");
    let active = world
        .projects
        .iter()
        .filter(|one| one.status == ProjectStatus::Active);
    assert_eq!(received.len(), 3 * active.count());
    let month = Seconds::new(
        sentry_exporter::month::beginning(now()),
        now() + TimeDelta::seconds(1),
    );
    for project in &world.projects {
        if project.status != ProjectStatus::Active {
            continue;
        }
        let only = [project.id].into();
        let sum = |outcomes: &[&str]| -> f64 {
            let all = world.outcomes_in(month, &only);
            let own = all.filter(|one| {
                let counts_all = version == Version::V21_1;
                (one.is_error() || counts_all) && outcomes.contains(&one.outcome.as_str())
            });
            real(own.map(|one| one.quantity).sum())
        };
        let value = |stat| received[&labels(&[("project_slug", &project.slug), ("stat", stat)])];
        assert_eq!(
            value("rejected").to_string(),
            sum(&["rate_limited"]).to_string()
        );
        assert_eq!(
            value("blacklisted").to_string(),
            sum(&["filtered"]).to_string()
        );
        if !matches!(version, Version::V21_1) {
            let expected = sum(&["accepted", "filtered", "rate_limited"]);
            assert_eq!(
                value("received").to_string(),
                expected.to_string(),
                "{}",
                project.slug
            );
        }
    }
}

fn look(more: &Value) -> Exposition {
    let sandbox = sentry(world(now()));
    let mut all = json!({"dialect": "italux"});
    let object = all.as_object_mut().expect("an object");
    object.extend(more.as_object().expect("an object").clone());
    Watch::with(&sandbox, &all).look()
}

#[test]
fn ages_can_be_switched_off_one_by_one() {
    let page = look(&json!({"issues_1h": false}));
    assert_eq!(bucket(&page, "backend", "production", "1h"), None);
    assert_eq!(bucket(&page, "backend", "production", "24h"), Some(30.0));
    assert!(page.all("sentry_open_issue_events").is_empty());
    assert!(!page.all("sentry_events_total").is_empty());
    let page = look(&json!({"issues_14d": false}));
    assert_eq!(bucket(&page, "backend", "production", "+Inf"), None);
    let place = [("project_slug", "backend"), ("environment", "production")];
    assert_eq!(page.value("sentry_issues_gcount", &place), Some(30.0));
    assert_eq!(page.value("sentry_issues_gsum", &place), Some(40.0));
    let page = look(&json!({"issues_24h": false, "issues_14d": false}));
    assert_eq!(page.value("sentry_issues_gcount", &place), Some(10.0));
    let page = look(&json!({"collector_issues": false}));
    assert!(page.all("sentry_issues_bucket").is_empty());
    let page = look(&json!({"collector_events": false}));
    assert!(page.all("sentry_events_total").is_empty());
    assert!(
        page.all("sentry_rate_limit_events_sec").is_empty(),
        "off by default"
    );
}

#[test]
fn switches_are_read_in_any_case() {
    let sandbox = sentry(world(Utc::now()));
    let more = [
        ("SENTRY_SCRAPE_EVENT_METRICS", "FALSE"),
        ("SENTRY_SCRAPE_RATE_LIMIT_METRICS", "true"),
        ("SENTRY_ISSUES_1H", "false"),
        ("SENTRY_EXPORTER_PROJECTS", "backend, bare"),
        ("SENTRY_RETRY_TRIES", "1"),
        ("SENTRY_RETRY_BACKOFF", "2"),
        ("SENTRY_RETRY_JITTER", "0.5"),
        ("SENTRY_USE_LEGACY_API", "True"),
        ("LOG_LEVEL", "INFO"),
    ];
    let program = start(&sandbox, &more);
    let page = program.scrape();
    assert!(page.all("sentry_events_total").is_empty());
    assert_eq!(bucket(&page, "backend", "production", "1h"), None);
    assert_eq!(bucket(&page, "backend", "production", "24h"), Some(30.0));
    assert_eq!(page.all("sentry_rate_limit_events_sec").len(), 2);
    let (_, log) = program.stop();
    let mut lines = log
        .lines()
        .filter(|line| line.contains("no meaning any more"));
    let line = lines.next().unwrap_or_default();
    assert!(lines.next().is_none(), "once: {log}");
    let unused = [
        "SENTRY_RETRY_BACKOFF",
        "SENTRY_RETRY_JITTER",
        "SENTRY_USE_LEGACY_API",
    ];
    assert!(unused.iter().all(|name| line.contains(name)), "{line}");
    assert!(!line.contains("TRIES"), "{line}");
}

#[test]
fn its_users_guard_all_but_health() {
    let sandbox = sentry(world(Utc::now()));
    let program = start(&sandbox, &[("SENTRY_EXPORTER_BASIC_AUTH", "true")]);
    for path in ["/metrics", "/metrics/"] {
        let refused = program.get(path);
        assert_eq!(refused.status, 401, "{path}");
        let asks = refused.header("www-authenticate");
        assert_eq!(asks, "Basic realm=\"Authentication Required\"");
        // prometheus:prometheus
        let basic = [("authorization", "Basic cHJvbWV0aGV1czpwcm9tZXRoZXVz")];
        assert_eq!(program.ask("GET", path, &basic).status, 200, "{path}");
    }
    for path in ["/healthz/live", "/healthz/ready", "/-/healthy", "/-/ready"] {
        assert_eq!(program.get(path).status, 200, "{path}");
    }
    let (_, log) = program.stop();
    assert!(log.contains("SENTRY_EXPORTER_BASIC_AUTH_PASS"), "{log}");
    let own = [
        ("SENTRY_EXPORTER_BASIC_AUTH", "True"),
        ("SENTRY_EXPORTER_BASIC_AUTH_USER", "me"),
        ("SENTRY_EXPORTER_BASIC_AUTH_PASS", "a-secret-of-mine"),
    ];
    let program = start(&sandbox, &own);
    // me:a-secret-of-mine
    let basic = [("authorization", "Basic bWU6YS1zZWNyZXQtb2YtbWluZQ==")];
    assert_eq!(program.ask("GET", "/metrics/", &basic).status, 200);
    assert_eq!(program.get("/metrics/").status, 401);
    let (_, log) = program.stop();
    assert!(
        !log.contains("everybody knows") && !log.contains("a-secret-of-mine"),
        "{log}"
    );
}

#[test]
fn a_large_organization_costs_few_requests_and_no_429() {
    let mut world = World::bulk(Bulk {
        now: now(),
        projects: 100,
        issues_per_project: 8,
        events_per_issue: 3,
        event_bytes: 0,
        span: TimeDelta::days(10),
    });
    // Some have been seen for the first time just now, in one environment or in both.
    let ids: Vec<u64> = world.issues.keys().copied().step_by(20).collect();
    let mut pairs = 0;
    for (number, id) in ids.into_iter().enumerate() {
        world.issue_mut(id).synthetic = None;
        for environment in ["production", "staging"].into_iter().take(1 + number % 2) {
            world.add_event(id, now() - TimeDelta::minutes(7));
            let event = world.issue_mut(id).events.last_mut().expect("an event");
            event.environment = Some(environment.to_owned());
            pairs += 1;
        }
    }
    let sandbox = Sandbox::start(Options {
        limits: Limits::hosted(),
        ..Options::new(world)
    })
    .expect("a free port");
    let more = json!({"dialect": "italux", "collector_client_keys": true});
    let page = Watch::with(&sandbox, &more).look();
    assert_eq!(page.up(), Some(1.0));
    assert_eq!(page.all("sentry_issues_bucket").len(), 100 * 2 * 3);
    assert_eq!(page.all("sentry_open_issue_events").len(), pairs);
    assert_eq!(
        page.all("sentry_issues_bucket"),
        truth(&sandbox.world(), now()).0
    );
    let asked = sandbox.requests().len();
    assert!(asked <= 60 + pairs, "{asked} requests");
    assert_eq!(sandbox.rejections(), 0);
    let here = [("organization", ORGANIZATION)];
    assert_eq!(page.value("sentry_issues_truncated", &here), Some(0.0));
}

#[test]
fn names_of_environments_may_hold_any_letter() {
    let mut world = World::empty(now());
    let project = world.add_project("api");
    let odd = "a&b#c+d \"é";
    world.environments.insert(odd.to_owned());
    world
        .project_environments
        .insert(project, [(odd.to_owned(), false)].into());
    let issue = world.add_issue(project, "E: e");
    world.add_event(issue, now() - TimeDelta::minutes(5));
    let event = world.issue_mut(issue).events.last_mut().expect("an event");
    event.environment = Some(odd.to_owned());
    let sandbox = sentry(world);
    let page = Watch::with(&sandbox, &json!({"dialect": "italux"})).look();
    assert_eq!(bucket(&page, "api", odd, "1h"), Some(1.0));
    assert_eq!(bucket(&page, "api", "production", "1h"), None);
}
