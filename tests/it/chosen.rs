//! Which organizations and projects are extracted.

use crate::dsl::{Sentry, Tap, text};
use rstest::rstest;
use sentry_sandbox::INTEGRATION_TOKEN;
use serde_json::{Value, json};

#[test]
fn several_organizations_may_be_named() {
    let sentry = Sentry::small();
    sentry.adds_an_organization("other");
    for named in [json!("acme, other"), json!(["acme", "other", "acme"])] {
        let run = Tap::against(&sentry)
            .with("organization", named)
            .select(&["releases"])
            .run();
        run.is_complete().keys("releases").equal([
            "acme|api@1.0",
            "acme|web@1.0",
            "other|api@1.0",
            "other|web@1.0",
        ]);
    }
    let run = Tap::against(&sentry)
        .with("organization", "acme,nowhere")
        .select(&["releases"])
        .run();
    run.is_incomplete()
        .tells("`nowhere` was not found")
        .keys("releases")
        .equal(["acme|api@1.0", "acme|web@1.0"]);
}

#[test]
fn without_an_organization_all_that_the_token_sees_are_extracted() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).without("organization").run();
    run.is_complete()
        .keys("events")
        .equal(sentry.expected("events"));
}

#[test]
fn several_organizations_are_extracted_each() {
    let sentry = Sentry::small();
    sentry.adds_an_organization("other");
    let run = Tap::against(&sentry)
        .without("organization")
        .select(&["releases"])
        .run();
    run.is_complete().keys("releases").equal([
        "acme|api@1.0",
        "acme|web@1.0",
        "other|api@1.0",
        "other|web@1.0",
    ]);
    let partitions = run.state()["bookmarks"]["releases"]["partitions"].clone();
    assert_eq!(partitions.as_array().unwrap().len(), 4, "{partitions}");
}

#[test]
fn a_token_that_sees_no_organization_is_told_to_name_it() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .without("organization")
        .with("api_token", INTEGRATION_TOKEN)
        .run();
    run.ends_with(1).ends_telling("`organization`");
    assert_eq!(run.of_type("RECORD").count(), 0);
}

#[rstest]
#[case::one(json!(["api"]), json!([]), &["api"])]
#[case::as_text(json!("api, worker"), json!(null), &["api", "worker"])]
#[case::glob(json!(["w*"]), json!([]), &["web", "worker"])]
#[case::exclude(json!(null), json!(["w*", "quiet", "mobile-app"]), &["Legacy_PHP", "api"])]
#[case::both(json!(["w*"]), json!("web"), &["worker"])]
fn projects_are_chosen_by_slug(
    #[case] include: Value,
    #[case] exclude: Value,
    #[case] expected: &[&str],
) {
    let sentry = Sentry::seeded();
    let tap = Tap::against(&sentry)
        .with("project_slugs", include)
        .with("exclude_project_slugs", exclude);
    let run = tap
        .select(&["projects", "project_detail", "issues", "releases"])
        .with("start_date", text(sentry.now - chrono::TimeDelta::days(4)))
        .run();
    run.is_complete();
    let mut slugs: Vec<&str> = run
        .records("projects")
        .iter()
        .map(|record| record["slug"].as_str().unwrap())
        .collect();
    slugs.sort_unstable();
    assert_eq!(slugs, expected);
    assert_eq!(run.keys("project_detail").set(), run.keys("projects").set());
    for record in run.records("issues") {
        assert!(expected.contains(&record["project_slug"].as_str().unwrap()));
    }
    for record in run.records("releases") {
        let projects = record["projects"].as_array().unwrap();
        assert!(
            projects
                .iter()
                .any(|project| expected.contains(&project["slug"].as_str().unwrap())),
            "{record}"
        );
    }
}

#[test]
fn a_project_slug_that_does_not_exist_is_an_error() {
    let sentry = Sentry::small();
    Tap::against(&sentry)
        .with("project_slugs", json!(["api", "nope"]))
        .run()
        .ends_with(1)
        .ends_telling("nope");
}

#[test]
fn every_organization_can_be_asked_for_by_name() {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry).select(&["teams"]);
    let run = tap.with("organization", json!(["*"])).run();
    run.is_complete()
        .keys("teams")
        .equal(sentry.expected("teams"));
    for mixed in [json!(["*", "acme"]), json!("ac*")] {
        Tap::against(&sentry)
            .with("organization", mixed)
            .run()
            .ends_with(1)
            .tells("must be a slug");
    }
}

#[test]
fn an_excluded_project_that_is_not_there_is_told() {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry).select(&["projects"]);
    let run = tap
        .clone()
        .with("exclude_project_slugs", json!(["WEB", "no*"]))
        .run();
    run.is_complete().tells(
        "`exclude_project_slugs` names what the token does not see, which leaves out nothing: WEB",
    );
    let run = tap.with("exclude_project_slugs", json!(["web"])).run();
    run.is_complete().does_not_tell("leaves out nothing");
}
