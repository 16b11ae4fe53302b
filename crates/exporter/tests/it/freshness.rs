//! When Sentry is asked, and what a scrape sees that does not wait.

use crate::dsl::{Watch, now, sentry};
use sentry_sandbox::{Fault, FaultKind, Gate, Match, ORGANIZATION, Sandbox, World};
use serde_json::json;
use std::time::Duration;

fn asked(sandbox: &Sandbox) -> usize {
    sandbox.requests().len()
}

#[test]
fn young_values_are_not_asked_for_again() {
    let sandbox = sentry(World::seeded(now()));
    let watch = Watch::with(&sandbox, &json!({"min_age": "10m"}));
    assert_eq!(asked(&sandbox), 0, "nothing is fetched when nobody asks");
    let first = watch.look();
    let once = asked(&sandbox);
    let second = watch.look();
    assert_eq!(asked(&sandbox), once);
    assert_eq!(
        first.all("sentry_unresolved_issues"),
        second.all("sentry_unresolved_issues")
    );
    let age = second.value(
        "sentry_snapshot_age_seconds",
        &[("organization", ORGANIZATION)],
    );
    assert!(
        age > first.value(
            "sentry_snapshot_age_seconds",
            &[("organization", ORGANIZATION)]
        ) && age < Some(600.0)
    );
}

#[test]
fn two_readers_at_once_are_one_refresh() {
    let sandbox = sentry(World::seeded(now()));
    let alone = {
        Watch::new(&sandbox).look();
        asked(&sandbox)
    };
    sandbox.clear_requests();
    let gate = Gate::closed();
    let held = Match::path_end("/projects/");
    sandbox
        .faults()
        .add(Fault::once(held, FaultKind::Hold(gate.clone())));
    let watch = Watch::new(&sandbox);
    let (one, two) = watch.both_look(|| gate.open());
    assert_eq!(asked(&sandbox), alone);
    assert_eq!(one.up(), Some(1.0));
    assert_eq!(
        one.all("sentry_events_total"),
        two.all("sentry_events_total")
    );
}

#[test]
fn a_refresh_outlives_the_scrape_that_began_it() {
    let sandbox = sentry(World::seeded(now()));
    let gate = Gate::closed();
    sandbox
        .faults()
        .add(Fault::always(Match::any(), FaultKind::Hold(gate.clone())));
    let watch = Watch::with(&sandbox, &json!({"min_age": "10m"}));
    let page = watch.glance(Duration::ZERO);
    assert_eq!(page.up(), Some(0.0));
    assert!(page.all("sentry_events_total").is_empty());
    assert!(page.all("sentry_snapshot_age_seconds").is_empty());
    assert_eq!(page.all("sentry_exporter_build_info").len(), 1);
    gate.open();
    let page = watch.look();
    assert_eq!(page.up(), Some(1.0));
    assert!(!page.all("sentry_events_total").is_empty());
    let projects = |one: &sentry_sandbox::Request| one.path.ends_with("/projects/");
    assert_eq!(
        sandbox
            .requests()
            .iter()
            .filter(|one| projects(one))
            .count(),
        1
    );
}

#[test]
fn a_held_server_leaves_the_values_that_are_there() {
    let sandbox = sentry(World::seeded(now()));
    let watch = Watch::new(&sandbox);
    let before = watch.look();
    let gate = Gate::closed();
    sandbox
        .faults()
        .add(Fault::always(Match::any(), FaultKind::Hold(gate.clone())));
    let meanwhile = watch.glance(Duration::ZERO);
    assert_eq!(
        meanwhile.all("sentry_events_total"),
        before.all("sentry_events_total")
    );
    assert_eq!(meanwhile.up(), Some(1.0), "the latest refresh that ended");
    gate.open();
}
