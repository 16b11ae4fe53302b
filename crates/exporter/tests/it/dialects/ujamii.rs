//! The figures of ujamii/prometheus-sentry-exporter.

use crate::dsl::{Program, labels, sentry};
use chrono::Utc;
use sentry_sandbox::world::{ProjectStatus, Seconds, Status};
use sentry_sandbox::{TOKEN, World};
use std::collections::BTreeMap;

#[test]
fn open_issues_are_shown_one_by_one() {
    let sandbox = sentry(World::seeded(Utc::now()));
    let host = sandbox.url().replace("http://", "");
    let host = host.split('/').next().expect("a host");
    let variables = [
        ("SENTRY_HOST", host),
        ("AUTH_TOKEN", TOKEN),
        ("HTTP_PROTO", "http"),
        ("USE_THROTTLING", "false"),
        ("SENTRY_EXPORTER_DIALECT", "ujamii"),
    ];
    let program = Program::start_bare(&[], &variables);
    assert_eq!(program.get("/metrics/").status, 200);
    let page = program.scrape();
    let world = sandbox.world();
    let kept = world.retained(Seconds::ALL);
    let mut truth = BTreeMap::new();
    for issue in world.issues.values() {
        let project = world.project(issue.project);
        let Some(project) = project.filter(|one| one.status == ProjectStatus::Active) else {
            continue;
        };
        let Some(seen) = issue
            .seen(kept, &[])
            .filter(|_| issue.status == Status::Unresolved && !issue.kind.hidden)
        else {
            continue;
        };
        let link = format!(
            "https://sentry.invalid/organizations/acme/issues/{}/",
            issue.id
        );
        let key = labels(&[
            ("project_slug", &project.slug),
            ("project_name", &project.name),
            ("issue_logger", issue.logger.as_deref().unwrap_or("unknown")),
            ("issue_type", issue.kind.event_type),
            ("issue_link", &link),
            ("issue_level", &issue.level),
        ]);
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let count = seen.count as f64;
        truth.insert(key, count);
    }
    assert!(truth.len() > 10);
    assert_eq!(page.all("sentry_open_issue_events"), truth);
    assert_eq!(page.up(), Some(1.0));
    drop(world);
    let (_, log) = program.stop();
    assert!(
        log.contains("ujamii") && !log.contains(TOKEN) && !log.contains("ERROR"),
        "{log}"
    );
}
