//! Old servers, and several.

use crate::dsl::{Truth, Watch, labels, now, of, sentry};
use sentry_sandbox::{Fault, FaultKind, Gate, Match, ORGANIZATION, TOKEN, Version, World};
use serde_json::json;
use std::time::Duration;

#[test]
fn old_servers_are_asked_what_they_can_tell() {
    for version in [
        Version::V2026,
        Version::V21_4,
        Version::V21_1,
        Version::V9_1,
    ] {
        let sandbox = of(version, World::seeded(now()));
        let page = Watch::new(&sandbox).look();
        assert_eq!(page.up(), Some(1.0), "{version:?}");
        for collector in ["events", "issues", "projects", "client_keys", "monitors"] {
            let series = [("organization", ORGANIZATION), ("collector", collector)];
            assert_eq!(
                page.value("sentry_collector_success", &series),
                Some(1.0),
                "{version:?} {collector}"
            );
        }
        let world = sandbox.world();
        let truth = Truth(&world);
        let mut shown = page.all("sentry_unresolved_issues");
        shown.retain(|_, value| *value > 0.0);
        assert_eq!(shown, truth.issues(|_, _| true), "{version:?}");
        let tells_regressed = version == Version::V2026;
        assert_eq!(
            !page.all("sentry_regressed_issues").is_empty(),
            tells_regressed,
            "{version:?}"
        );
        assert_eq!(
            !page.all("sentry_monitors").is_empty(),
            tells_regressed,
            "{version:?}"
        );
        assert!(!page.all("sentry_client_key_rate_limit_events").is_empty());
        let events = truth.events(now());
        if version >= Version::V21_4 {
            let mut shown = page.all("sentry_events_total");
            shown.retain(|_, value| *value > 0.0);
            assert_eq!(shown, events, "{version:?}");
            continue;
        }
        // Three counts a project, without reasons.
        let sum = |project: &str, category: Option<&str>, outcome: &str| -> f64 {
            let own = events.iter().filter(|(labels, _)| {
                labels["project"] == project
                    && labels["outcome"] == outcome
                    && category.is_none_or(|category| labels["category"] == category)
            });
            own.map(|(_, value)| value).sum()
        };
        for project in ["api", "web", "worker", "quiet", "mobile-app", "Legacy_PHP"] {
            for (category, outcome, expected) in [
                ("error", "accepted", sum(project, Some("error"), "accepted")),
                ("any", "filtered", sum(project, None, "filtered")),
                ("any", "rate_limited", sum(project, None, "rate_limited")),
            ] {
                let series = labels(&[
                    ("organization", ORGANIZATION),
                    ("project", project),
                    ("category", category),
                    ("outcome", outcome),
                    ("reason", ""),
                ]);
                let shown = page.all("sentry_events_total");
                assert_eq!(
                    shown.get(&series),
                    Some(&expected),
                    "{version:?} {project} {outcome}"
                );
            }
        }
    }
}

#[test]
fn several_servers_have_a_label() {
    let (one, two) = (
        sentry(World::seeded(now())),
        of(Version::V21_1, World::seeded(now())),
    );
    let server = |name: &str, url: String| json!({"name": name, "api_token": TOKEN, "organization": ORGANIZATION, "base_url": url, "max_retries": 0});
    let servers = json!([server("eu", one.url()), server("us", two.url())]);
    let page = Watch::of(&json!({"servers": servers})).look();
    for name in ["eu", "us"] {
        assert_eq!(page.up_of(name), Some(1.0));
        assert!(
            page.sum(
                "sentry_unresolved_issues",
                &[("server", name), ("project", "api")]
            ) > 0.0
        );
    }
    let own =
        |line: &&str| !line.starts_with('#') && !line.starts_with("sentry_exporter_build_info");
    assert!(
        page.text
            .lines()
            .filter(own)
            .all(|line| line.contains("{server=\""))
    );
    drop(two);
    let page = Watch::of(&json!({"servers": servers})).look();
    assert_eq!(
        page.up_of("eu"),
        Some(1.0),
        "one does not wait for the other's health"
    );
    assert_eq!(page.up_of("us"), Some(0.0));
}

#[test]
fn a_server_that_hangs_keeps_no_other_back() {
    let (hung, well) = (sentry(World::seeded(now())), sentry(World::seeded(now())));
    let gate = Gate::closed();
    hung.faults()
        .add(Fault::always(Match::any(), FaultKind::Hold(gate.clone())));
    let server = |name: &str, url: String| json!({"name": name, "api_token": TOKEN, "organization": ORGANIZATION, "base_url": url});
    let servers = json!([server("hung", hung.url()), server("well", well.url())]);
    let watch = Watch::of(&json!({"servers": servers, "min_age": 0}));
    let refreshes = || {
        let asked = well.requests();
        let lists = asked.iter().filter(|one| one.path.ends_with("/projects/"));
        lists.count()
    };
    let mut page = watch.glance(Duration::ZERO);
    while refreshes() < 3 || page.up_of("well") != Some(1.0) {
        page = watch.glance(Duration::from_millis(10));
    }
    assert_eq!(page.up_of("hung"), Some(0.0));
    assert!(page.sum("sentry_events_total", &[("server", "well")]) > 0.0);
    gate.open();
}
