//! Projects that resources name.

use crate::dsl::bridge::Bridge;
use crate::dsl::sentry::sentry;
use crate::dsl::spans::{body, failed, of_resource, span};
use sentry_sandbox::{ORGANIZATION, Sandbox, TOKEN};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn settings(sandbox: &Sandbox, more: &Value) -> Value {
    let mut settings = json!({
        "url": sandbox.url(), "org_slug": ORGANIZATION, "auth_token": TOKEN,
    });
    let all = settings.as_object_mut().expect("an object");
    all.extend(more.as_object().expect("an object").clone());
    settings
}

/// Of all projects.
fn slugs(sandbox: &Sandbox) -> Vec<String> {
    let world = sandbox.world();
    let projects = world.projects.iter();
    projects.map(|project| project.slug.clone()).collect()
}

/// Spans by the slug of the project that took them.
fn by_project(sandbox: &Sandbox) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let world = sandbox.world();
    for one in sandbox.outcomes().of("span") {
        let project = world
            .projects
            .iter()
            .find(|project| project.id == one.project);
        let slug = project.expect("a project").slug.clone();
        *found.entry(slug).or_default() += 1;
    }
    found
}

#[test]
fn each_resource_finds_its_project() {
    let sentry = sentry();
    let slugs = slugs(&sentry);
    let (first, second) = (&slugs[0], &slugs[1]);
    let routing = json!({
        "attribute_to_project_mapping": {"Billing Service": second},
        "default_project": first,
    });
    let bridge = Bridge::start(&settings(&sentry, &json!({"routing": routing})));
    let of = |service: &str, id| of_resource(&[("service.name", service)], vec![span(1, id, 0)]);
    bridge.take(&body(vec![
        of(first, 1),
        of("Billing Service", 2),
        // Of these there is no project.
        of("no-such-project", 3),
        of("../../keys", 4),
        of_resource(&[], vec![span(1, 5, 0)]),
    ]));
    bridge.delivered();
    let expected = [(first.clone(), 4), (second.clone(), 1)];
    assert_eq!(by_project(&sentry), BTreeMap::from(expected));
}

#[test]
fn an_exception_is_an_error_in_each_project_that_it_passed() {
    let sentry = sentry();
    let slugs = slugs(&sentry);
    let routing = json!({"default_project": &slugs[0]});
    let bridge = Bridge::start(&settings(&sentry, &json!({"routing": routing})));
    let of = |service: &str, span| of_resource(&[("service.name", service)], vec![span]);
    bridge.take(&body(vec![
        of(&slugs[0], failed(span(1, 2, 1), "no such order")),
        of(&slugs[1], failed(span(1, 1, 0), "no such order")),
    ]));
    bridge.delivered();
    let outcomes = sentry.outcomes();
    let spans: BTreeSet<String> = outcomes
        .of("event")
        .map(|error| error.payload["contexts"]["trace"]["span_id"].to_string())
        .collect();
    let expected = ["02", "01"].map(|id| format!("\"{}\"", id.repeat(8)));
    assert_eq!(spans, BTreeSet::from(expected));
}

#[test]
fn without_a_default_a_span_that_names_no_project_is_told() {
    let sentry = sentry();
    let bridge = Bridge::start(&settings(&sentry, &json!({})));
    let answer = bridge.send(&body(vec![of_resource(&[], vec![span(1, 1, 0)])]));
    assert_eq!(answer.status, 200);
    assert!(!answer.body.is_empty(), "a partial success");
    assert_eq!(
        bridge.metric("sentry_otlp_rejected_total{reason=\"no_project\"}"),
        1
    );
    bridge.delivered();
}

#[test]
fn what_names_a_project_that_is_not_there_is_given_up_with_a_word() {
    let sentry = sentry();
    let retry = json!({"retry_on_failure": {"max_elapsed_time": "10ms"}});
    let mut bridge = Bridge::start(&settings(&sentry, &retry));
    let named = [("service.name", "no-such-project")];
    bridge.take(&body(vec![of_resource(&named, vec![span(1, 1, 0)])]));
    bridge.line_with("there is no such project; what is received for it waits");
    let line = bridge.line_with("reason=no_project");
    assert!(line.contains("project=no-such-project"), "{line}");
    assert_eq!(
        bridge.metric("sentry_otlp_rejected_total{reason=\"no_project\"}"),
        1
    );
    bridge.delivered();
}

#[test]
fn more_projects_than_can_be_looked_after_are_told_once() {
    let sentry = sentry();
    let slug = sentry.world().projects[0].slug.clone();
    let routing = json!({"default_project": slug});
    let mut bridge = Bridge::start(&settings(&sentry, &json!({"routing": routing})));
    let names = (0..1005).map(|number| format!("no-such-{number}"));
    let of = |name: String| of_resource(&[("service.name", &name)], vec![span(1, 1, 0)]);
    let mut spans: Vec<_> = names.map(of).collect();
    for (number, of_resource) in (1_u64..).zip(&mut spans) {
        of_resource.scope_spans[0].spans[0].span_id = number.to_be_bytes().to_vec();
    }
    bridge.take(&body(spans));
    bridge.line_with("more than 1000 projects");
    let (code, log) = bridge.stop();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(log.matches("more than 1000 projects").count(), 1);
    // Nothing is lost by it.
    assert_eq!(by_project(&sentry), BTreeMap::from([(slug, 1005)]));
}
