//! Catalogs: what is written, what is asked for, and what SCHEMA says about it.

use crate::dsl::{Sentry, Tap, catalog, entry, metadata};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn columns(record: &Value) -> BTreeSet<&str> {
    record
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn a_deselected_stream_is_silent_and_its_endpoint_is_not_asked() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).select(&["issues", "teams"]).run();
    run.is_complete();
    assert_eq!(run.streams(), BTreeSet::from(["issues", "teams"]));
    for silent in ["projects", "events", "releases", "members", "users"] {
        assert!(run.records(silent).is_empty(), "{silent}");
    }
    for path in ["/events/", "/releases/", "/members/", "/users/"] {
        assert_eq!(sentry.asked(path), 0, "{path}");
    }
    assert!(run.state()["bookmarks"].get("events").is_none());
}

#[test]
fn without_a_catalog_everything_is_written_but_what_costs_a_call_each() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).run();
    run.is_complete();
    let all = tap_sentry::streams::STREAMS.iter();
    let on = all.filter(|def| def.selected_by_default);
    let expected: BTreeSet<&str> = on.map(tap_sentry::streams::StreamDef::name).collect();
    for stream in ["projects", "issues", "events", "releases", "repositories"] {
        assert!(expected.contains(stream), "{stream}");
    }
    for stream in ["issue_detail", "event_detail", "team_members"] {
        assert!(!expected.contains(stream), "{stream}");
    }
    assert_eq!(run.streams(), expected);
}

#[test]
fn a_child_is_written_when_its_parents_are_not_selected() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).select(&["events"]).run();
    run.is_complete();
    assert_eq!(run.streams(), BTreeSet::from(["events"]));
    run.keys("events").equal(sentry.expected("events"));
    assert_eq!(
        run.state()["bookmarks"]
            .as_object()
            .unwrap()
            .keys()
            .collect::<Vec<_>>(),
        ["events"]
    );
}

#[test]
fn a_deselected_field_is_in_neither_schema_nor_records() {
    let sentry = Sentry::small();
    let mut catalog = catalog(&["issues"]);
    metadata(entry(&mut catalog, "issues"), &["title"])["selected"] = json!(false);
    let run = Tap::against(&sentry).catalog(catalog).run();
    run.is_complete().is_valid();
    assert!(
        run.schema("issues")["schema"]["properties"]
            .get("title")
            .is_none()
    );
    for record in run.records("issues") {
        assert!(record.get("title").is_none() && record.get("culprit").is_some());
    }
}

#[test]
fn fields_are_deselected_at_every_depth() {
    let sentry = Sentry::small();
    let mut catalog = catalog(&["issues"]);
    metadata(entry(&mut catalog, "issues"), &["project", "name"])["selected"] = json!(false);
    let run = Tap::against(&sentry).catalog(catalog).run();
    run.is_complete().is_valid();
    let schema = &run.schema("issues")["schema"]["properties"]["project"]["properties"];
    assert!(schema.get("name").is_none() && schema.get("slug").is_some());
    for record in run.records("issues") {
        assert!(record["project"].get("name").is_none() && record["project"]["slug"].is_string());
    }
}

#[test]
fn a_deselected_object_takes_its_selected_fields_with_it() {
    let sentry = Sentry::small();
    let mut catalog = catalog(&["issues"]);
    metadata(entry(&mut catalog, "issues"), &["project"])["selected"] = json!(false);
    metadata(entry(&mut catalog, "issues"), &["project", "slug"])["selected"] = json!(true);
    let run = Tap::against(&sentry).catalog(catalog).run();
    run.is_complete();
    assert!(
        run.schema("issues")["schema"]["properties"]
            .get("project")
            .is_none()
    );
    assert!(
        run.records("issues")
            .iter()
            .all(|record| record.get("project").is_none())
    );
}

#[test]
fn keys_and_replication_keys_stay_whatever_is_deselected() {
    let sentry = Sentry::small();
    let mut catalog = catalog(&["issues", "events"]);
    for stream in ["issues", "events"] {
        for one in entry(&mut catalog, stream)["metadata"]
            .as_array_mut()
            .unwrap()
        {
            if one["breadcrumb"].as_array().unwrap().len() == 2 {
                one["metadata"]["selected"] = json!(false);
            }
        }
    }
    let run = Tap::against(&sentry).catalog(catalog).run();
    run.is_complete().is_valid();
    for record in run.records("issues") {
        assert_eq!(columns(record), BTreeSet::from(["id", "lastSeen"]));
    }
    for record in run.records("events") {
        assert_eq!(
            columns(record),
            BTreeSet::from(["projectID", "eventID", "dateCreated"])
        );
    }
    run.keys("events").equal(sentry.expected("events"));
}

#[test]
fn an_unsupported_field_is_never_written_and_one_without_metadata_always() {
    let sentry = Sentry::small();
    let mut catalog = catalog(&["teams"]);
    let teams = entry(&mut catalog, "teams");
    *metadata(teams, &["name"]) = json!({"inclusion": "unsupported", "selected": true});
    let list = teams["metadata"].as_array_mut().unwrap();
    list.retain(|one| one["breadcrumb"] != json!(["properties", "slug"]));
    let run = Tap::against(&sentry).catalog(catalog).run();
    run.is_complete();
    for record in run.records("teams") {
        assert!(record.get("name").is_none() && record["slug"].is_string());
    }
}

#[test]
fn a_catalog_as_meltano_writes_it_is_understood() {
    let sentry = Sentry::small();
    let mut catalog = catalog(&["issues"]);
    let issues = entry(&mut catalog, "issues");
    issues["selected"] = json!(true);
    issues["table_key_properties"] = json!(["id"]);
    for one in issues["metadata"].as_array_mut().unwrap() {
        // What no rule of `select` matched, automatic properties among it.
        let unmatched = one["metadata"]["inclusion"] == "automatic"
            || one["breadcrumb"] == json!(["properties", "culprit"]);
        one["metadata"]["selected"] = json!(!unmatched);
    }
    let run = Tap::against(&sentry).catalog(catalog).run();
    run.is_complete().is_valid();
    run.keys("issues").equal(sentry.expected("issues"));
    assert!(
        run.records("issues")
            .iter()
            .all(|record| record.get("culprit").is_none() && record["lastSeen"].is_string())
    );
}

#[test]
fn the_selected_of_before_metadata_still_counts() {
    let sentry = Sentry::small();
    let mut catalog = catalog(&[]);
    for entry in catalog["streams"].as_array_mut().unwrap() {
        entry["metadata"] = json!([]);
        entry["schema"]["selected"] = json!(entry["tap_stream_id"] == "teams");
    }
    let run = Tap::against(&sentry).catalog(catalog).run();
    run.is_complete();
    assert_eq!(run.streams(), BTreeSet::from(["teams"]));
    assert!(run.schema("teams")["schema"].get("selected").is_none());
}

#[test]
fn the_selected_of_before_metadata_counts_for_properties_too() {
    let sentry = Sentry::small();
    let mut catalog = catalog(&[]);
    catalog["streams"]
        .as_array_mut()
        .unwrap()
        .retain(|entry| entry["tap_stream_id"] == "issues");
    let issues = entry(&mut catalog, "issues");
    issues["metadata"] = json!([]);
    issues["schema"]["selected"] = json!(true);
    let properties = &mut issues["schema"]["properties"];
    properties["id"]["inclusion"] = json!("automatic");
    for (name, selected) in [("id", false), ("title", false), ("culprit", true)] {
        properties[name]["selected"] = json!(selected);
    }
    properties["project"]["properties"]["name"]["selected"] = json!(false);
    let run = Tap::against(&sentry).catalog(catalog).run();
    run.is_complete().is_valid();
    let emitted = &run.schema("issues")["schema"]["properties"];
    assert!(
        emitted.get("title").is_none() && emitted["project"]["properties"].get("name").is_none()
    );
    for name in ["id", "culprit"] {
        assert!(
            emitted[name].get("selected").is_none() && emitted[name].get("inclusion").is_none(),
            "{}",
            emitted[name]
        );
    }
    for record in run.records("issues") {
        assert!(
            record.get("title").is_none()
                && record["id"].is_string()
                && record["culprit"].is_string()
        );
        assert!(record["project"].get("name").is_none() && record["project"]["slug"].is_string());
    }
}

#[test]
fn what_a_catalog_requires_shrinks_with_the_selection() {
    let sentry = Sentry::small();
    let mut catalog = catalog(&["issues"]);
    let issues = entry(&mut catalog, "issues");
    issues["schema"]["required"] = json!(["id", "title"]);
    issues["schema"]["properties"]["project"]["required"] = json!(["name", "slug"]);
    metadata(issues, &["title"])["selected"] = json!(false);
    metadata(issues, &["project", "name"])["selected"] = json!(false);
    let run = Tap::against(&sentry).catalog(catalog).run();
    run.is_complete().is_valid();
    let schema = &run.schema("issues")["schema"];
    assert_eq!(
        (
            &schema["required"],
            &schema["properties"]["project"]["required"]
        ),
        (&json!(["id"]), &json!(["slug"]))
    );
}

#[test]
fn a_stream_of_which_nothing_is_said_follows_its_default() {
    let sentry = Sentry::small();
    let mut catalog = catalog(&[]);
    for entry in catalog["streams"].as_array_mut().unwrap() {
        metadata(entry, &[])
            .as_object_mut()
            .unwrap()
            .remove("selected");
    }
    let run = Tap::against(&sentry).catalog(catalog).run();
    run.is_complete();
    assert!(run.streams().contains("events") && !run.streams().contains("event_detail"));
}

#[test]
fn a_stream_that_the_tap_does_not_have_is_passed_over_with_a_word() {
    let sentry = Sentry::small();
    let mut catalog = catalog(&["teams"]);
    catalog["streams"].as_array_mut().unwrap().push(json!({"tap_stream_id": "unicorns", "stream": "unicorns", "schema": {}, "metadata": [{"breadcrumb": [], "metadata": {"selected": true}}]}));
    let run = Tap::against(&sentry).catalog(catalog).run();
    run.is_complete().tells("unicorns");
    assert_eq!(run.streams(), BTreeSet::from(["teams"]));
}

#[test]
fn a_stream_missing_from_the_catalog_is_not_synced() {
    let sentry = Sentry::small();
    let mut catalog = catalog(&["teams", "members"]);
    catalog["streams"]
        .as_array_mut()
        .unwrap()
        .retain(|entry| entry["tap_stream_id"] != "members");
    let run = Tap::against(&sentry).catalog(catalog).run();
    run.is_complete();
    assert_eq!(run.streams(), BTreeSet::from(["teams"]));
}

#[test]
fn a_catalog_that_selects_nothing_extracts_nothing_and_passes_the_state_on() {
    let sentry = Sentry::small();
    Tap::against(&sentry)
        .select(&[])
        .run()
        .is_complete()
        .prints_nothing()
        .tells("selects no stream");
    let state =
        json!({"bookmarks": {"issues": {"start": "2026-01-01T00:00:00Z"}, "other": {"x": 1}}});
    let run = Tap::against(&sentry).select(&[]).state(&state).run();
    run.is_complete();
    assert_eq!(run.states(), [&state]);
    assert!(sentry.requests().is_empty());
}

#[test]
fn a_stream_that_is_listed_twice_is_refused_unless_both_are_alike() {
    let sentry = Sentry::small();
    let mut twice = catalog(&["teams"]);
    let streams = twice["streams"].as_array_mut().unwrap();
    let teams = streams
        .iter()
        .find(|entry| entry["tap_stream_id"] == "teams")
        .unwrap()
        .clone();
    streams.push(teams);
    Tap::against(&sentry)
        .catalog(twice.clone())
        .run()
        .is_complete()
        .keys("teams")
        .equal(sentry.expected("teams"));
    let last = twice["streams"].as_array_mut().unwrap().last_mut().unwrap();
    metadata(last, &["dateCreated"])["selected"] = json!(false);
    Tap::against(&sentry)
        .catalog(twice)
        .run()
        .ends_with(1)
        .prints_nothing()
        .ends_telling("stream `teams`: it is listed twice");
}

#[test]
fn metadata_that_stands_twice_is_refused_unless_both_are_alike() {
    let sentry = Sentry::small();
    let mut twice = catalog(&["teams"]);
    let list = entry(&mut twice, "teams")["metadata"]
        .as_array_mut()
        .unwrap();
    list.push(json!({"breadcrumb": ["properties", "name"], "metadata": {"inclusion": "available", "selected": false}}));
    let run = Tap::against(&sentry).catalog(twice).run();
    run.ends_with(1)
        .prints_nothing()
        .ends_telling("[properties.name] has two different metadata entries");
}

#[test]
fn a_path_that_deselects_nothing_is_told() {
    let sentry = Sentry::small();
    let mut catalog = catalog(&["teams"]);
    let list = entry(&mut catalog, "teams")["metadata"]
        .as_array_mut()
        .unwrap();
    for breadcrumb in [
        json!(["properties", "nmae"]),
        json!(["properties", "avatar", "properties", "nothing"]),
        json!(["slug"]),
    ] {
        list.push(json!({"breadcrumb": breadcrumb, "metadata": {"selected": false}}));
    }
    let run = Tap::against(&sentry).catalog(catalog).run();
    run.is_complete().tells(
        "deselects fields that `teams` does not have; this has no effect: properties.nmae, properties.avatar.properties.nothing, slug",
    );
}

#[test]
fn a_catalog_that_cannot_be_used_is_named_with_its_file() {
    let sentry = Sentry::small();
    let mut catalog = catalog(&["teams"]);
    metadata(entry(&mut catalog, "teams"), &["name"])["selected"] = json!("perhaps");
    let run = Tap::against(&sentry).catalog(catalog).run();
    run.ends_with(1)
        .prints_nothing()
        .ends_telling("catalog.json: ")
        .ends_telling(".metadata.selected` (stream `teams`) is \"perhaps\"");
}

#[test]
fn an_edited_schema_is_what_schema_says_and_what_records_follow() {
    let sentry = Sentry::small();
    let mut catalog = catalog(&["issues"]);
    let schema = &mut entry(&mut catalog, "issues")["schema"];
    schema["properties"]["count"] = json!({"type": ["string", "null"], "description": "as text"});
    schema["properties"]
        .as_object_mut()
        .unwrap()
        .remove("title");
    let expected = schema["properties"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect::<BTreeSet<_>>();
    let run = Tap::against(&sentry).catalog(catalog).run();
    run.is_complete().is_valid();
    let emitted = &run.schema("issues")["schema"]["properties"];
    assert_eq!(
        emitted
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<BTreeSet<_>>(),
        expected
    );
    assert_eq!(emitted["count"]["description"], "as text");
    for record in run.records("issues") {
        assert!(
            record["count"].is_string() && record.get("title").is_none(),
            "{record}"
        );
    }
}

#[test]
fn the_key_of_the_catalog_is_the_key_of_the_schema() {
    let sentry = Sentry::small();
    let mut catalog = catalog(&["teams", "users"]);
    entry(&mut catalog, "teams")["key_properties"] = json!(["slug"]);
    entry(&mut catalog, "users")
        .as_object_mut()
        .unwrap()
        .remove("key_properties");
    metadata(entry(&mut catalog, "users"), &[])["table-key-properties"] = json!(["email"]);
    metadata(entry(&mut catalog, "teams"), &["slug"])["selected"] = json!(false);
    let run = Tap::against(&sentry).catalog(catalog).run();
    run.is_complete().is_valid();
    assert_eq!(run.schema("teams")["key_properties"], json!(["slug"]));
    assert_eq!(run.schema("users")["key_properties"], json!(["email"]));
}

#[test]
fn full_table_ignores_the_bookmark_and_leaves_it_where_it_is() {
    let sentry = Sentry::small();
    let first = Tap::against(&sentry).select(&["events"]).run();
    for place in ["entry", "metadata", "forced"] {
        let mut catalog = catalog(&["events"]);
        let events = entry(&mut catalog, "events");
        if place == "entry" {
            events["replication_method"] = json!("FULL_TABLE");
        } else {
            events.as_object_mut().unwrap().remove("replication_method");
            let name = if place == "metadata" {
                "replication-method"
            } else {
                "forced-replication-method"
            };
            metadata(events, &[])[name] = json!("FULL_TABLE");
        }
        let run = Tap::against(&sentry)
            .catalog(catalog)
            .state(&first.state())
            .run();
        run.is_complete();
        run.keys("events").equal(sentry.expected("events"));
        assert_eq!(run.state(), first.state(), "{place}");
        assert!(run.schema("events").get("bookmark_properties").is_none());
    }
}

/// In a discovered catalog the entry repeats the defaults, and people edit the metadata.
#[test]
fn metadata_that_was_edited_counts_though_the_entry_repeats_the_default() {
    let sentry = Sentry::small();
    let first = Tap::against(&sentry).select(&["events"]).run();
    for name in ["replication-method", "forced-replication-method"] {
        let mut catalog = catalog(&["events", "teams"]);
        metadata(entry(&mut catalog, "events"), &[])[name] = json!("FULL_TABLE");
        metadata(entry(&mut catalog, "teams"), &[])["table-key-properties"] = json!(["slug"]);
        let run = Tap::against(&sentry)
            .catalog(catalog)
            .state(&first.state())
            .run();
        run.is_complete().is_valid();
        run.keys("events").equal(sentry.expected("events"));
        assert_eq!(run.state(), first.state(), "{name}");
        assert_eq!(run.schema("teams")["key_properties"], json!(["slug"]));
    }
    let mut catalog = catalog(&["events"]);
    metadata(entry(&mut catalog, "events"), &[])["replication-key"] = json!("dateReceived");
    Tap::against(&sentry)
        .catalog(catalog)
        .run()
        .ends_with(1)
        .prints_nothing()
        .ends_telling("`dateReceived`");
}

#[test]
fn a_replication_key_that_the_stream_cannot_have_is_refused() {
    let sentry = Sentry::small();
    let mut catalog = catalog(&["events"]);
    entry(&mut catalog, "events")["replication_key"] = json!("dateReceived");
    Tap::against(&sentry)
        .catalog(catalog)
        .run()
        .ends_with(1)
        .prints_nothing()
        .ends_telling("dateReceived");
}

#[test]
fn properties_is_the_old_name_of_catalog() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .file("p.json", catalog(&["teams"]).to_string())
        .arg("--properties")
        .arg("p.json")
        .run();
    run.is_complete();
    assert_eq!(run.streams(), BTreeSet::from(["teams"]));
}

#[test]
fn bookmark_properties_name_the_replication_key() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).run();
    assert_eq!(
        run.schema("issues")["bookmark_properties"],
        json!(["lastSeen"])
    );
    assert_eq!(
        run.schema("events")["bookmark_properties"],
        json!(["dateCreated"])
    );
    assert!(run.schema("teams").get("bookmark_properties").is_none());
}
