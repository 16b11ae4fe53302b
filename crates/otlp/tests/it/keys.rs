//! Keys that Sentry's web API tells, and that may change.

use crate::dsl::bridge::Bridge;
use crate::dsl::sentry::{SLUG, sentry};
use crate::dsl::spans::{body, of_resource, span};
use sentry_sandbox::{ORGANIZATION, Sandbox, TOKEN};
use serde_json::json;

/// Another key takes the place of those of the project.
fn rotate(sandbox: &Sandbox) -> String {
    let mut world = sandbox.world();
    let project = world.project_by_slug(SLUG).expect("a project").id;
    for key in world.keys.iter_mut().filter(|key| key.project == project) {
        key.is_active = false;
    }
    world.add_key(project, "Second", None)
}

#[test]
fn a_key_that_is_refused_is_looked_up_again_and_nothing_is_lost() {
    let sentry = sentry();
    let settings = json!({
        "url": sentry.url(), "org_slug": ORGANIZATION, "auth_token": TOKEN, "mode": "otlp",
    });
    let mut bridge = Bridge::start(&settings);
    let of_project = |id| {
        body(vec![of_resource(
            &[("service.name", SLUG)],
            vec![span(1, id, 0)],
        )])
    };
    bridge.take(&of_project(1));
    while bridge.metric("sentry_otlp_sent_total{kind=\"traces\"}") < 1 {}
    let former = sentry.dsn(SLUG).expect("a DSN");
    let second = rotate(&sentry);
    bridge.take(&of_project(2));
    bridge.line_with("Sentry refuses the key");
    while bridge.metric("sentry_otlp_sent_total{kind=\"traces\"}") < 2 {}
    let (code, log) = bridge.stop();
    assert_eq!(code, Some(0), "{log}");
    let (_, former) = former.split_once("://").expect("a scheme");
    let (former, _) = former.split_once('@').expect("a key");
    for secret in [former, &second, TOKEN] {
        assert!(!log.contains(secret), "{log}");
    }
    assert_eq!(sentry.outcomes().of("span").count(), 2);
    let looked_up = |path: &str| path.ends_with(&format!("/{SLUG}/keys/"));
    let requests = sentry.requests();
    let times = requests.iter().filter(|one| looked_up(&one.path)).count();
    assert_eq!(times, 2);
}
