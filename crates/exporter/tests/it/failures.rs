//! What fails, and what stays.

use crate::dsl::{Exposition, Watch, labels, now, of, sentry};
use sentry_exporter::endpoints::PROJECTS;
use sentry_exporter::settings::Settings;
use sentry_sandbox::world::Status;
use sentry_sandbox::{
    Fault, FaultKind, Gate, INTEGRATION_TOKEN, Match, NARROW_TOKEN, ORGANIZATION, Sandbox, TOKEN,
    Version, World,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tap_sentry_api::client::Client;
use tap_sentry_api::pages::Pages;
use tap_sentry_api::params::Params;
use tokio::runtime::Builder;

fn left_out(page: &Exposition) -> Option<f64> {
    let labels = [("organization", ORGANIZATION)];
    page.value("sentry_projects_left_out", &labels)
}

fn success(page: &Exposition, collector: &str) -> Option<f64> {
    page.value(
        "sentry_collector_success",
        &[("organization", ORGANIZATION), ("collector", collector)],
    )
}

#[test]
fn a_collector_that_fails_keeps_its_last_values() {
    let sandbox = sentry(World::seeded(now()));
    let watch = Watch::new(&sandbox);
    let before = watch.look();
    assert_eq!(success(&before, "events"), Some(1.0));
    sandbox.faults().add(Fault::always(
        Match::path_end("/stats_v2/"),
        FaultKind::Status(500),
    ));
    let project = sandbox.world().projects[0].id;
    sandbox
        .world()
        .add_outcomes(project, now(), "filtered", "localhost", 1_000);
    let page = watch.look();
    assert_eq!(success(&page, "events"), Some(0.0));
    assert_eq!(success(&page, "issues"), Some(1.0));
    assert_eq!(page.up(), Some(1.0));
    assert_eq!(
        page.all("sentry_events_total"),
        before.all("sentry_events_total")
    );
    let age = |collector| {
        let labels = [("organization", ORGANIZATION), ("collector", collector)];
        page.value("sentry_collector_age_seconds", &labels)
            .expect("an age")
    };
    assert!(age("events") > age("issues"));
    sandbox.faults().clear();
    let page = watch.look();
    assert_eq!(success(&page, "events"), Some(1.0));
    assert!(page.sum("sentry_events_total", &[("reason", "localhost")]) > 999.0);
}

#[test]
fn what_is_refused_for_long_holds_up_nothing_else() {
    let sandbox = sentry(World::seeded(now()));
    let stats = Match::path_end("/stats_v2/");
    let refused = FaultKind::RateLimited {
        reset_in_seconds: 3_600,
    };
    sandbox.faults().add(Fault::always(stats, refused));
    let watch = Watch::new(&sandbox);
    for _ in 0..3 {
        let page = watch.look();
        assert_eq!(success(&page, "events"), Some(0.0));
        assert_eq!(success(&page, "issues"), Some(1.0));
        assert_eq!(page.up(), Some(1.0));
    }
    let asked = |end: &str| {
        let requests = sandbox.requests();
        requests
            .iter()
            .filter(|one| one.path.ends_with(end))
            .count()
    };
    assert_eq!(asked("/projects/"), 3, "each look is a refresh");
    assert_eq!(
        asked("/stats_v2/"),
        1,
        "it is not asked for again before the time"
    );
}

#[test]
fn projects_have_been_read_while_a_collector_still_waits() {
    let sandbox = sentry(World::seeded(now()));
    let gate = Gate::closed();
    sandbox.faults().add(Fault::always(
        Match::path_end("/stats_v2/"),
        FaultKind::Hold(gate.clone()),
    ));
    let watch = Watch::new(&sandbox);
    let mut page = watch.glance(Duration::ZERO);
    while success(&page, "issues").is_none() {
        page = watch.glance(Duration::from_millis(10));
    }
    assert_eq!(page.up(), Some(1.0));
    assert_eq!(success(&page, "events"), None);
    gate.open();
}

#[test]
fn values_that_are_too_old_go_and_the_others_stay() {
    let sandbox = sentry(World::seeded(now()));
    let watch = Watch::with(&sandbox, &json!({"max_age": 0}));
    sandbox.faults().add(Fault::always(
        Match::path_end("/monitors/"),
        FaultKind::Status(500),
    ));
    let page = watch.look();
    // Whatever was fetched is older than nothing by now, and its figures still are told.
    assert_eq!(success(&page, "monitors"), Some(0.0));
    assert_eq!(success(&page, "events"), Some(0.0), "it is not shown");
    assert_eq!(page.up(), Some(1.0));
    assert!(page.all("sentry_monitors").is_empty());
    assert!(page.all("sentry_events_total").is_empty());
    assert!(page.all("sentry_collector_age_seconds").is_empty());
}

#[test]
fn an_id_that_is_no_number_makes_the_answer_wrong_and_not_shorter() {
    let sandbox = sentry(World::seeded(now()));
    let watch = Watch::with(&sandbox, &json!({"max_retries": 0}));
    let before = watch.look();
    let projects = r#"[{"id": "two", "slug": "api", "hasAccess": true, "teams": []}]"#;
    sandbox.faults().add(Fault::always(
        Match::path_end("/organizations/acme/projects/"),
        FaultKind::Body(projects.to_owned()),
    ));
    let page = watch.look();
    assert_eq!(page.up(), Some(0.0));
    assert_eq!(success(&page, "projects"), Some(0.0));
    assert_eq!(
        page.all("sentry_project_info"),
        before.all("sentry_project_info")
    );
}

#[test]
fn without_the_projects_nothing_is_new() {
    let sandbox = sentry(World::seeded(now()));
    let watch = Watch::new(&sandbox);
    let before = watch.look();
    sandbox.faults().add(Fault::always(
        Match::path_end("/projects/"),
        FaultKind::Reset,
    ));
    let page = watch.look();
    assert_eq!(page.up(), Some(0.0));
    for collector in ["events", "issues", "projects", "client_keys", "monitors"] {
        assert_eq!(success(&page, collector), Some(0.0), "{collector}");
    }
    assert_eq!(
        page.all("sentry_project_info"),
        before.all("sentry_project_info")
    );
    let age = page.value(
        "sentry_snapshot_age_seconds",
        &[("organization", ORGANIZATION)],
    );
    let of_events = [("organization", ORGANIZATION), ("collector", "events")];
    let age_of_events = page.value("sentry_collector_age_seconds", &of_events);
    assert!(age >= age_of_events, "projects are read before all else");
    let requests = page.all("sentry_api_requests_total");
    assert!(
        requests.keys().any(|labels| labels["status"] == "none"),
        "{requests:?}"
    );
}

#[test]
fn a_missing_scope_costs_the_collector_that_needs_it() {
    let sandbox = sentry(World::seeded(now()));
    let page = Watch::with(&sandbox, &json!({"api_token": NARROW_TOKEN})).look();
    assert_eq!(success(&page, "issues"), Some(0.0));
    assert_eq!(success(&page, "events"), Some(1.0));
    assert!(!page.text.contains(NARROW_TOKEN));
}

#[test]
fn a_refused_token_and_an_unknown_organization_are_not_up() {
    let sandbox = sentry(World::seeded(now()));
    for (slug, more) in [
        (ORGANIZATION, json!({"api_token": "sntryu_wrong"})),
        ("nope", json!({"organization": "nope"})),
    ] {
        let page = Watch::with(&sandbox, &more).look();
        let up = labels(&[("organization", slug)]);
        assert_eq!(page.all("sentry_up"), BTreeMap::from([(up, 0.0)]));
        assert!(page.all("sentry_events_total").is_empty());
    }
}

#[test]
fn an_organization_that_cannot_be_read_is_told_from_others() {
    let sandbox = sentry(World::seeded(now()));
    let both = json!({"organization": [ORGANIZATION, "nope"]});
    let page = Watch::with(&sandbox, &both).look();
    assert_eq!(page.up(), Some(1.0));
    assert_eq!(
        page.value("sentry_up", &[("organization", "nope")]),
        Some(0.0)
    );
    assert!(!page.all("sentry_events_total").is_empty());
}

#[test]
fn organizations_are_found_or_missed() {
    let sandbox = sentry(World::seeded(now()));
    let page = Watch::with(&sandbox, &json!({"organization": null})).look();
    assert_eq!(page.up(), Some(1.0));
    assert!(page.sum("sentry_api_requests_total", &[("organization", "")]) > 0.9);
    let watch = Watch::with(
        &sandbox,
        &json!({"organization": null, "api_token": INTEGRATION_TOKEN}),
    );
    let nameless = labels(&[("organization", "")]);
    let up = watch.look().all("sentry_up");
    assert_eq!(up, BTreeMap::from([(nameless, 0.0)]), "it sees none");
    let watch = Watch::with(&sandbox, &json!({"organization": null}));
    watch.look();
    sandbox.faults().add(Fault::always(
        Match::path_end("/api/0/organizations/"),
        FaultKind::Status(502),
    ));
    let page = watch.look();
    assert_eq!(page.up(), Some(0.0));
    assert_eq!(success(&page, "events"), Some(0.0));
    assert!(!page.all("sentry_events_total").is_empty());
}

fn without_one(kind: FaultKind) -> (Exposition, Sandbox) {
    let (page, _, sandbox) = watched_without_one(kind);
    (page, sandbox)
}

/// One project of three fails, by what is asked of each on an old server.
fn watched_without_one(kind: FaultKind) -> (Exposition, Watch, Sandbox) {
    let mut world = World::empty(now());
    for slug in ["api", "web", "worker"] {
        let project = world.add_project(slug);
        world.add_outcomes(project, now(), "filtered", "localhost", 5);
    }
    let sandbox = of(Version::V21_1, world);
    let when = Match::path("/projects/acme/web/stats/");
    sandbox.faults().add(Fault::always(when, kind));
    let watch = Watch::new(&sandbox);
    (watch.look(), watch, sandbox)
}

#[test]
fn one_project_that_is_gone_or_closed_costs_itself_alone() {
    for kind in [
        FaultKind::NotThere,
        FaultKind::Gone,
        FaultKind::Status(403),
        FaultKind::Status(404),
    ] {
        let (page, _sandbox) = without_one(kind.clone());
        assert_eq!(success(&page, "events"), Some(1.0), "{kind:?}");
        assert_eq!(left_out(&page), Some(1.0), "{kind:?}");
        let filtered = |project| {
            page.sum(
                "sentry_events_total",
                &[("project", project), ("outcome", "filtered")],
            )
        };
        assert_eq!(
            (filtered("api"), filtered("worker")),
            (5.0, 5.0),
            "{kind:?}"
        );
        assert!(
            page.all("sentry_events_total")
                .keys()
                .all(|labels| labels["project"] != "web"),
            "{kind:?}"
        );
    }
    let (_, watch, sandbox) = watched_without_one(FaultKind::Gone);
    sandbox.faults().clear();
    let lists = Match::path_end("/organizations/acme/projects/");
    sandbox
        .faults()
        .add(Fault::always(lists, FaultKind::Status(502)));
    let page = watch.look();
    assert_eq!(page.up(), Some(0.0));
    assert_eq!(left_out(&page), Some(1.0), "the values that stay lack it");
    let (page, _sandbox) = without_one(FaultKind::Status(500));
    assert_eq!(
        success(&page, "events"),
        Some(0.0),
        "a server that is not well"
    );
}

#[test]
fn a_project_whose_issues_cannot_be_read_has_no_number_of_them() {
    for (version, dialect) in [(Version::V9_1, "native"), (Version::V9_1, "italux")] {
        let sandbox = of(version, World::seeded(now()));
        let issues = Match::path("/projects/acme/web/issues/");
        sandbox
            .faults()
            .add(Fault::always(issues, FaultKind::Status(403)));
        let page = Watch::with(&sandbox, &json!({"dialect": dialect})).look();
        assert_eq!(success(&page, "issues"), Some(1.0), "{dialect}");
        let (figure, label) = match dialect {
            "native" => ("sentry_unresolved_issues", "project"),
            _ => ("sentry_issues_bucket", "project_slug"),
        };
        let shown = page.all(figure);
        let of = |slug: &str| shown.keys().any(|labels| labels[label] == slug);
        assert!(of("api"), "{dialect}");
        assert!(!of("web"), "{dialect}: nobody knows its number");
    }
}

#[test]
fn what_every_project_refuses_has_failed() {
    let mut world = World::empty(now());
    for slug in ["api", "web"] {
        world.add_project(slug);
    }
    let sandbox = of(Version::V21_1, world);
    let stats = Match::path_end("/stats/");
    sandbox
        .faults()
        .add(Fault::always(stats, FaultKind::Status(403)));
    let page = Watch::new(&sandbox).look();
    assert_eq!(success(&page, "events"), Some(0.0));
    assert_eq!(page.up(), Some(1.0));
}

#[test]
fn a_row_that_the_server_cannot_give_is_told() {
    let unreadable = |list: &'static str, row: String| {
        let sandbox = sentry(World::seeded(now()));
        let fault = FaultKind::Unreadable { row, status: 502 };
        sandbox
            .faults()
            .add(Fault::always(Match::path_end(list), fault));
        Watch::new(&sandbox).look()
    };
    let page = unreadable("/projects/", "web".to_owned());
    assert_eq!(page.up(), Some(0.0), "without one of the projects");
    let world = World::seeded(now());
    let issue = world
        .issues
        .values()
        .find(|issue| issue.status == Status::Unresolved);
    let page = unreadable("/issues/", issue.expect("an issue").id.to_string());
    assert_eq!(success(&page, "issues"), Some(1.0));
    let here = [("organization", ORGANIZATION)];
    assert_eq!(page.value("sentry_issues_truncated", &here), Some(1.0));
}

#[test]
fn a_list_that_does_not_end_is_wrong() {
    let mut world = World::empty(now());
    for number in 0..250 {
        world.add_project(&format!("project-{number}"));
    }
    let sandbox = sentry(world);
    let settings = json!({"api_token": TOKEN, "base_url": sandbox.url(), "max_retries": 0});
    let settings = Settings::new(settings.as_object().expect("an object").clone().into());
    let settings = settings.expect("settings");
    let (_, target) = &settings.servers[0];
    let client = Client::new(&target.connection, Arc::default()).expect("a client");
    let list = || {
        let place = Params::organization(ORGANIZATION);
        let query = place.query(&PROJECTS, &[], &[]);
        Pages::new(&client, &PROJECTS, place, query, None)
    };
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    for (most, ends) in [(2, false), (3, true)] {
        let mut pages = list().at_most(most);
        let error = runtime.block_on(async {
            loop {
                match pages.rows::<Value>().await {
                    Ok(Some(_)) => {}
                    Ok(None) => break None,
                    Err(error) => break Some(error.to_string()),
                }
            }
        });
        assert_eq!(error.is_none(), ends, "{error:?}");
        assert!(error.is_none_or(|error| error.contains("more than 2 pages")));
    }
}

#[test]
fn a_project_that_is_closed_to_the_token_is_counted() {
    let sandbox = sentry(World::seeded(now()));
    let page = Watch::new(&sandbox).look();
    assert_eq!(left_out(&page), Some(0.0));
    let projects = json!([
        {"id": "2", "slug": "api", "hasAccess": true, "teams": []},
        {"id": "3", "slug": "closed", "hasAccess": false, "teams": []},
    ]);
    sandbox.faults().add(Fault::always(
        Match::path_end("/organizations/acme/projects/"),
        FaultKind::Body(projects.to_string()),
    ));
    let page = Watch::new(&sandbox).look();
    assert_eq!(page.up(), Some(1.0));
    assert_eq!(left_out(&page), Some(1.0));
}

#[test]
fn a_project_deleted_while_it_is_read_is_left_out() {
    let sandbox = sentry(World::seeded(now()));
    sandbox
        .faults()
        .on_request(Match::path_end("/stats_v2/"), 0, |world| {
            world.delete_project(2);
        });
    let page = Watch::new(&sandbox).look();
    assert_eq!(page.up(), Some(1.0));
    for collector in ["events", "issues", "client_keys", "monitors"] {
        assert_eq!(success(&page, collector), Some(1.0), "{collector}");
    }
    assert!(page.sum("sentry_unresolved_issues", &[("project", "web")]) > 0.0);
    // One of several that are named spoils the list of names.
    let sandbox = sentry(World::seeded(now()));
    sandbox
        .faults()
        .on_request(Match::path_end("/issues/"), 0, |world| {
            world.delete_project(2);
        });
    let chosen = json!({"project_slugs": ["api", "web"]});
    let page = Watch::with(&sandbox, &chosen).look();
    assert_eq!(success(&page, "issues"), Some(1.0));
    assert!(page.sum("sentry_unresolved_issues", &[("project", "web")]) > 0.0);
}

#[test]
fn an_answer_that_is_none_is_no_zero() {
    let sandbox = sentry(World::seeded(now()));
    for kind in [
        FaultKind::Null,
        FaultKind::WrongShape,
        FaultKind::CorruptBody,
        FaultKind::Html,
    ] {
        sandbox.faults().clear();
        sandbox
            .faults()
            .add(Fault::always(Match::path_end("/stats_v2/"), kind.clone()));
        let page = Watch::new(&sandbox).look();
        assert_eq!(success(&page, "events"), Some(0.0), "{kind:?}");
        assert!(page.all("sentry_events_total").is_empty(), "{kind:?}");
    }
}
