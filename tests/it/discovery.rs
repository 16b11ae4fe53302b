//! `--discover`: a catalog that people, Meltano and targets can live with.

use crate::dsl::{Tap, entry};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashSet};

fn discovered() -> Value {
    let run = Tap::bare().arg("--discover").run();
    run.ends_with(0);
    serde_json::from_str(&run.stdout).unwrap()
}

/// Each schema of a stream, at any depth, with the path to it.
fn walk(schema: &Value, path: &str, look: &mut dyn FnMut(&str, &Value)) {
    look(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(property, &format!("{path}.{name}"), look);
    }
    if let Some(items) = schema.get("items") {
        walk(items, &format!("{path}[]"), look);
    }
}

/// The breadcrumbs of all properties; not inside lists, where nothing is selected.
fn collect(schema: &Value, breadcrumb: &[Value], properties: &mut BTreeSet<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let here = [breadcrumb, &[json!("properties"), json!(name)]].concat();
        properties.insert(json!(here).to_string());
        collect(property, &here, properties);
    }
}

#[test]
fn the_catalog_is_as_reviewed() {
    let run = Tap::bare().arg("--discover").run();
    insta::assert_snapshot!("catalog", run.stdout);
}

#[test]
fn discovery_needs_no_configuration_no_token_and_no_network() {
    Tap::bare().arg("--discover").run().ends_with(0);
    let run = Tap::bare()
        .file("empty.json", "{}")
        .arg("--config")
        .arg("empty.json")
        .arg("--discover")
        .run();
    run.ends_with(0);
    assert_eq!(
        run.stdout,
        Tap::bare().arg("--discover").run().stdout,
        "it is the same every time"
    );
    assert_eq!(run.stderr, "");
}

#[test]
fn no_line_is_longer_than_meltano_reads() {
    let run = Tap::bare().arg("--discover").arg("-vv").run();
    for line in run.stdout.lines().chain(run.stderr.lines()) {
        assert!(line.len() < 64 << 10, "{} bytes", line.len());
    }
    assert!(run.stdout.lines().count() > 100, "it is pretty-printed");
}

#[test]
fn every_stream_says_what_the_specification_asks_for() {
    let catalog = discovered();
    let mut names = HashSet::new();
    for entry in catalog["streams"].as_array().unwrap() {
        let name = entry["tap_stream_id"].as_str().unwrap();
        assert!(names.insert(name) && entry["stream"] == name);
        let root = entry["metadata"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["breadcrumb"] == json!([]))
            .unwrap();
        let root = &root["metadata"];
        assert_eq!(root["inclusion"], "available");
        assert_eq!(
            root["table-key-properties"], entry["key_properties"],
            "{name}"
        );
        assert_eq!(
            root["forced-replication-method"],
            entry["replication_method"]
        );
        assert!(root["selected-by-default"].is_boolean());
        match entry.get("replication_key") {
            Some(key) => assert_eq!(root["valid-replication-keys"], json!([key])),
            None => assert_eq!(root["forced-replication-method"], "FULL_TABLE"),
        }
        assert_ne!(entry["key_properties"], json!([]));
    }
    assert_eq!(
        catalog["streams"][0]["tap_stream_id"], "projects",
        "the first record ends `meltano config test`"
    );
}

#[test]
fn children_name_their_parents_and_what_costs_a_call_each_is_off() {
    let mut catalog = discovered();
    for (child, parent) in [
        ("project_detail", "projects"),
        ("issues", "projects"),
        ("issue_detail", "issues"),
        ("events", "issues"),
        ("event_detail", "events"),
        ("release", "releases"),
        ("team_members", "teams"),
        ("project_tags", "projects"),
        ("project_tag_values", "project_tags"),
        ("issue_hashes", "issues"),
        ("issue_tag_values", "issue_tags"),
        ("event_attachments", "events"),
        ("release_deploys", "releases"),
    ] {
        let root = crate::dsl::metadata(entry(&mut catalog, child), &[]);
        assert_eq!(root["parent-tap-stream-id"], parent);
    }
    let on: BTreeSet<&str> = tap_sentry::streams::STREAMS
        .iter()
        .filter(|def| def.parent.is_some() && def.selected_by_default)
        .map(tap_sentry::streams::StreamDef::name)
        .collect();
    assert_eq!(
        on,
        BTreeSet::from(["project_detail", "issues", "events", "release"]),
        "those of before there were more"
    );
}

#[test]
fn every_property_has_one_entry_of_metadata_and_every_entry_a_property() {
    for entry in discovered()["streams"].as_array().unwrap() {
        let mut properties = BTreeSet::new();
        collect(&entry["schema"], &[], &mut properties);
        let listed: Vec<String> = entry["metadata"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["breadcrumb"].to_string())
            .filter(|crumb| crumb != "[]")
            .collect();
        assert_eq!(listed.len(), properties.len(), "{}", entry["stream"]);
        assert_eq!(
            listed.into_iter().collect::<BTreeSet<_>>(),
            properties,
            "{}",
            entry["stream"]
        );
        for one in entry["metadata"].as_array().unwrap() {
            let [_, name] = one["breadcrumb"].as_array().unwrap().as_slice() else {
                continue;
            };
            let automatic = entry["key_properties"].as_array().unwrap().contains(name)
                || entry.get("replication_key") == Some(name);
            assert_eq!(
                one["metadata"]["inclusion"] == "automatic",
                automatic,
                "{}: {name}",
                entry["stream"]
            );
        }
    }
}

#[test]
fn schemas_hold_nothing_that_a_target_chokes_on() {
    for entry in discovered()["streams"].as_array().unwrap() {
        let stream = entry["stream"].as_str().unwrap();
        assert!(
            jsonschema::draft7::meta::is_valid(&entry["schema"]),
            "{stream}"
        );
        walk(&entry["schema"], stream, &mut |path, schema| {
            for keyword in schema.as_object().unwrap().keys() {
                let known = ["type", "properties", "items", "format", "description"];
                assert!(known.contains(&keyword.as_str()), "{path}: {keyword}");
            }
            let types: Vec<&str> = match &schema["type"] {
                Value::Array(types) => types.iter().map(|one| one.as_str().unwrap()).collect(),
                one => vec![one.as_str().unwrap_or_else(|| panic!("{path} has no type"))],
            };
            assert_eq!(
                types.iter().filter(|one| **one != "null").count(),
                1,
                "{path}: one type and null"
            );
            if let Some(format) = schema.get("format") {
                assert!(
                    format == "date-time" || format == "date",
                    "{path}: {format}"
                );
            }
            assert_ne!(schema.get("properties"), Some(&json!({})), "{path}");
            if let Some(items) = schema.get("items") {
                assert!(
                    items["type"]
                        .as_array()
                        .is_some_and(|types| types.contains(&json!("null"))),
                    "{path}: elements may be null"
                );
            }
        });
    }
}

#[test]
fn columns_have_names_that_every_database_takes() {
    for entry in discovered()["streams"].as_array().unwrap() {
        walk(
            &entry["schema"],
            entry["stream"].as_str().unwrap(),
            &mut |path, schema| {
                let mut folded = HashSet::new();
                for name in schema["properties"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, _)| name)
                {
                    assert!(
                        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'),
                        "{path}.{name}"
                    );
                    assert!(
                        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
                        "{path}.{name}"
                    );
                    assert!(
                        name.len() <= 63 && !name.starts_with("_sdc_") && !name.contains("__"),
                        "{path}.{name}"
                    );
                    let snake = name.replace('_', "").to_lowercase();
                    assert!(
                        folded.insert(snake),
                        "{path}.{name} differs from another only in case or underscores"
                    );
                }
            },
        );
    }
}
