//! Nested values as columns of their own.

use crate::dsl::{Sentry, Tap, all_streams};
use rstest::rstest;
use serde_json::Value;

#[rstest]
fn flat_records_have_no_nested_value_and_fit_their_schema(
    #[values(0, 1, 3)] depth: u32,
    #[values(false, true)] details: bool,
) {
    let sentry = Sentry::recent();
    let tap = Tap::against(&sentry)
        .select(&all_streams())
        .with("fetch_event_details", details);
    let plain = tap.clone().run();
    let flat = tap
        .with("flattening_enabled", true)
        .with("flattening_max_depth", depth)
        .run();
    flat.is_complete().is_valid();
    for message in flat.of_type("RECORD") {
        for (name, value) in message["record"].as_object().unwrap() {
            assert!(
                !value.is_object() && !value.is_array(),
                "{}: {name}: {value}",
                message["stream"]
            );
        }
    }
    for message in flat.of_type("SCHEMA") {
        for (name, property) in message["schema"]["properties"].as_object().unwrap() {
            let types = property["type"].to_string();
            assert!(
                !types.contains("object") && !types.contains("array"),
                "{}: {name}: {types}",
                message["stream"]
            );
            assert!(name.matches("__").count() <= depth as usize, "{name}");
        }
    }
    for stream in all_streams() {
        flat.keys(stream).equal(plain.keys(stream).set());
    }
    for (key, nested) in plain
        .keys("issues")
        .set()
        .into_iter()
        .map(|key| (key.clone(), plain.record("issues", &key)))
    {
        let issue = flat.record("issues", &key);
        if depth == 0 {
            let text = issue["project"].as_str().unwrap();
            assert_eq!(
                serde_json::from_str::<Value>(text).unwrap(),
                nested["project"]
            );
        } else {
            assert_eq!(issue["project__slug"], nested["project"]["slug"]);
            assert!(issue.get("project").is_none());
        }
    }
}

#[test]
fn flattened_columns_have_the_separator_and_the_length_that_was_asked_for() {
    let sentry = Sentry::recent();
    let tap = Tap::against(&sentry)
        .select(&["issues", "releases"])
        .with("flattening_enabled", true)
        .with("flattening_max_depth", 1);
    let dotted = tap.clone().with("flattening_separator", ".").run();
    dotted.is_complete().is_valid();
    let short = tap.clone().with("flattening_max_key_length", 17).run();
    short.is_complete().is_valid();
    for issue in dotted.records("issues") {
        assert!(
            issue["project.slug"].is_string() && issue.get("project__slug").is_none(),
            "{issue}"
        );
    }
    for issue in short.records("issues") {
        // As the Singer SDK shortens: parents first, to their capitals or three letters.
        assert!(
            issue["pro__platform"].is_string()
                && issue["project__slug"].is_string()
                && issue["id"].is_string(),
            "{issue}"
        );
        assert!(
            issue["os"].is_string() && issue["lastSeen"].is_string(),
            "{issue}"
        );
    }
    for release in short.records("releases") {
        assert!(
            release["organization_slug"].is_string() && release["dateCreated"].is_string(),
            "the key keeps its name: {release}"
        );
    }
    let run = tap.with("flattening_max_key_length", 3).run();
    run.ends_with(1)
        .prints_nothing()
        .ends_telling("flattening_max_key_length");
}
