//! Counts of the month: corrections, and the month's end.

use crate::dsl::{Truth, Watch, now, sentry};
use chrono::{DateTime, TimeDelta, Utc};
use sentry_sandbox::{ORGANIZATION, Sandbox, TOKEN, World};
use serde_json::json;
use std::sync::Arc;

fn world(at: DateTime<Utc>) -> (World, u64) {
    let mut world = World::empty(at);
    let project = world.add_project("api");
    world.add_outcomes(
        project,
        at - TimeDelta::hours(1),
        "filtered",
        "localhost",
        10,
    );
    world.add_outcomes(project, at - TimeDelta::hours(1), "accepted", "", 100);
    (world, project)
}

fn counts(page: &crate::dsl::Exposition) -> (f64, f64) {
    let sum = |outcome| {
        page.sum(
            "sentry_events_total",
            &[("project", "api"), ("outcome", outcome)],
        )
    };
    (sum("accepted"), sum("filtered"))
}

#[test]
fn a_late_correction_never_lowers_a_count() {
    let (world, project) = world(now());
    let sandbox = sentry(world);
    let watch = Watch::new(&sandbox);
    assert_eq!(counts(&watch.look()), (100.0, 10.0));
    sandbox.world().correct_outcomes(project, "accepted", 90);
    assert_eq!(counts(&watch.look()), (100.0, 10.0));
    sandbox.world().correct_outcomes(project, "accepted", 105);
    assert_eq!(counts(&watch.look()), (105.0, 10.0));
}

#[test]
fn counts_begin_anew_with_the_month_and_stay() {
    let end = DateTime::from_timestamp(1_790_812_740, 0).expect("an instant");
    assert_eq!(end.to_rfc3339(), "2026-09-30T23:59:00+00:00");
    let (world, project) = world(end);
    let sandbox = sentry(world);
    let watch = Watch::new(&sandbox);
    watch.at(end);
    assert_eq!(counts(&watch.look()), (100.0, 10.0));
    // The very first instant of the new month, in which nothing has happened.
    let first = end + TimeDelta::minutes(1);
    sandbox.world().now = Some(first);
    watch.at(first);
    let page = watch.look();
    assert_eq!(counts(&page), (0.0, 0.0));
    assert_eq!(page.up(), Some(1.0));
    let reason = [
        ("organization", ORGANIZATION),
        ("project", "api"),
        ("category", "error"),
        ("outcome", "filtered"),
        ("reason", "localhost"),
    ];
    assert_eq!(
        page.value("sentry_events_total", &reason),
        Some(0.0),
        "its series does not end"
    );
    let later = first + TimeDelta::hours(3);
    sandbox.world().now = Some(later);
    sandbox.world().add_outcomes(
        project,
        later - TimeDelta::hours(1),
        "filtered",
        "localhost",
        4,
    );
    watch.at(later);
    let page = watch.look();
    assert_eq!(counts(&page), (0.0, 4.0));
    let mut shown = page.all("sentry_events_total");
    shown.retain(|_, value| *value > 0.0);
    assert_eq!(shown, Truth(&sandbox.world()).events(later));
}

#[test]
fn a_new_configuration_does_not_forget_what_was_told() {
    let (world, project) = world(now());
    let sandbox: Sandbox = sentry(world);
    let values = json!({"api_token": TOKEN, "organization": ORGANIZATION, "base_url": sandbox.url(), "max_retries": 0});
    let (memory, clock) = (Arc::default(), Arc::new(parking_lot::Mutex::new(now())));
    let before = Watch::started(&values, &memory, Arc::clone(&clock));
    assert_eq!(counts(&before.look()), (100.0, 10.0));
    sandbox.world().correct_outcomes(project, "accepted", 60);
    let after = Watch::started(&values, &memory, clock);
    assert_eq!(counts(&after.look()), (100.0, 10.0));
    let requests = |page: &crate::dsl::Exposition| page.sum("sentry_api_requests_total", &[]);
    assert!(requests(&after.look()) > 7.9, "of both configurations");
    let restarted = Watch::of(&values);
    assert_eq!(
        counts(&restarted.look()),
        (60.0, 10.0),
        "a new process knows nothing"
    );
}

#[test]
fn a_project_keeps_its_count_under_another_name_and_loses_it_with_its_end() {
    let (world, project) = world(now());
    let sandbox = sentry(world);
    sandbox.world().add_project("other");
    let watch = Watch::new(&sandbox);
    assert_eq!(counts(&watch.look()), (100.0, 10.0));
    sandbox.world().rename_project(project, "backend");
    let page = watch.look();
    assert_eq!(counts(&page), (0.0, 0.0));
    assert!(!page.text.contains("project=\"api\""));
    let accepted = [("project", "backend"), ("outcome", "accepted")];
    assert!((page.sum("sentry_events_total", &accepted) - 100.0).abs() < 0.1);
    sandbox.world().delete_project(project);
    let page = watch.look();
    assert!(!page.text.contains("project=\"backend\""));
    assert!(page.text.contains("project=\"other\""));
    assert_eq!(page.up(), Some(1.0));
}
