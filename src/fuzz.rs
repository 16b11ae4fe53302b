//! Files that nobody should give, made at random from those that one should: no panic, and an error that names what is
//! wrong. Answers are made so in `record/fuzz.rs`, states in `sync/fuzz.rs`.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where, and stop"
)]

use crate::dice::{almost, each_case, is_plain, read};
use crate::record::flatten::Flattening;
use crate::record::fuzz::project;
use crate::record::style::RecordStyle;
use crate::settings::{self, Settings};
use crate::singer::catalog::{Selection, discover};
use crate::streams::STREAMS;
use serde_json::{Value, json};
use tap_sentry_settings::problem::SettingsError;

/// The entry of a stream in the catalog of `--discover`, selected.
fn entry(stream: &str) -> Value {
    let mut catalog = serde_json::to_value(discover()).unwrap();
    let entries = catalog["streams"].as_array_mut().unwrap();
    let mut entry = entries
        .iter()
        .find(|entry| entry["tap_stream_id"] == stream)
        .unwrap()
        .clone();
    let metadata = entry["metadata"].as_array_mut().unwrap();
    let root = metadata
        .iter_mut()
        .find(|one| one["breadcrumb"] == json!([]))
        .unwrap();
    root["metadata"]["selected"] = json!(true);
    entry
}

#[test]
fn any_catalog_is_refused_by_name_or_followed() {
    let mut usable = 0;
    each_case(100, |dice| {
        let def = dice.one(STREAMS);
        let stream = entry(def.name());
        let Some(value) = read(&almost(&json!({"streams": [stream]}), dice)) else {
            return;
        };
        let flatten = dice.hits(300).then(Flattening::default);
        match Selection::new(
            Some(value),
            &RecordStyle {
                flatten,
                ..RecordStyle::default()
            },
        ) {
            Ok(selection) => {
                usable += 1;
                for selected in &selection.0 {
                    let line = crate::singer::message::line(&selected.header.schema);
                    let message: Value = serde_json::from_slice(&line).expect("a SCHEMA");
                    for key in message["key_properties"].as_array().unwrap() {
                        assert!(
                            message["schema"]["properties"]
                                .get(key.as_str().unwrap())
                                .is_some(),
                            "{key} has no column"
                        );
                    }
                    project(selected, br#"[{"id":"1","version":"1","projectID":"1","eventID":"1","title":{"a":[1]},"lastSeen":5}]"#, None);
                }
            }
            Err(e) => {
                let text = e.to_string();
                is_plain(&text);
                assert!(
                    text.contains("catalog")
                        && (text.contains('`') || text.contains("JSON object")),
                    "{text}"
                );
            }
        }
    });
    assert!(usable > 0);
}

fn whole_config() -> Value {
    json!({
        "api_token": "secret-0123456789", "start_date": "2026-01-01", "base_url": "https://sentry.example.com", "organization": "acme",
        "project_slugs": ["api", "web-*"], "exclude_project_slugs": "old, older", "end_date": "2026-02-01T00:00:00Z",
        "fetch_event_details": true, "lookback_minutes": 10, "issue_refresh_days": 0, "window_days": 5, "concurrency": 4,
        "rate_limit": 2.5, "request_timeout_seconds": 5, "max_retries": 3, "user_agent": "acme/1", "ca_certificate": "ca.pem",
        "proxy_url": "http://me:secret-0123456789@127.0.0.1:1", "keep_unknown_fields": true, "emit_activate_version_messages": true,
        "mask_fields": ["events.user.email", "*.x"], "mask_personal_data": true, "mask_mode": "hash", "mask_salt": "secret-0123456789",
        "flattening_enabled": true, "flattening_max_depth": 3,
    })
}

#[test]
fn any_configuration_is_refused_by_key_or_used() {
    let schema = settings::schema();
    let mut usable = 0;
    each_case(500, |dice| {
        let Some(Value::Object(config)) = read(&almost(&whole_config(), dice)) else {
            return;
        };
        match Settings::new(config, Vec::new()) {
            Ok(_) => usable += 1,
            Err(SettingsError::Problems(problems)) => {
                for problem in problems {
                    assert!(
                        schema["properties"].get(&problem.key).is_some(),
                        "{problem}"
                    );
                    is_plain(&problem.to_string());
                    assert!(!problem.text.contains("secret-0123456789"), "{problem}");
                }
            }
            Err(other) => panic!("{other}"),
        }
    });
    assert!(usable > 0);
}

#[test]
fn a_whole_number_may_be_written_with_a_fraction_of_zero() {
    let config = json!({"api_token": "t", "start_date": "2026-01-01", "lookback_minutes": 0.0, "window_days": 3e0, "max_retries": 2.0});
    let settings = Settings::new(config.as_object().unwrap().clone(), Vec::new()).unwrap();
    assert_eq!(
        (
            settings.lookback.num_minutes(),
            settings.window.num_days(),
            settings.connection.max_retries
        ),
        (0, 3, 2)
    );
}
