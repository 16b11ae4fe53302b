//! Files that nobody should give, made at random from those that one should: no panic, and an error that names what is
//! wrong. Answers are made so in `record/fuzz.rs`.
//!
//! `FUZZ_CASES` is how many random cases are tried of each kind; each that fails prints the seed by which it can be
//! repeated (`FUZZ_SEED`).
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where, and stop"
)]
#![expect(
    clippy::print_stdout,
    reason = "a random case tells its seed; shown when it fails"
)]

use crate::record::flatten::Flattening;
use crate::record::fuzz::project;
use crate::record::style::RecordStyle;
use crate::settings::{self, Settings};
use crate::singer::catalog::{Selection, discover};
use crate::singer::state::{Bookmarks, Checkpoint, Partition};
use crate::streams::STREAMS;
use crate::sync::plan;
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Map, Value, json};
use tap_sentry_api::time;
use tap_sentry_settings::problem::SettingsError;

/// Decisions at random, the same for the same seed.
pub struct Dice(TestRng);

impl Dice {
    fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.0.next_u64() % end as u64).unwrap()
    }

    /// So many times in a thousand.
    pub fn hits(&mut self, rate: usize) -> bool {
        self.below(1_000) < rate
    }

    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Values of other types, and at the edges of what JSON and time can say.
const ODD: &[&str] = &[
    "null",
    "true",
    "0",
    "-1",
    "2.0",
    "1e2",
    "4294967296",
    "1e400",
    "123456789012345678901234567890",
    "9007199254740993.0",
    r#""""#,
    r#"" ""#,
    r#""5""#,
    r#""\ud800""#,
    r#""a\u0000b""#,
    r#""\n\r\u2028\u0007""#,
    r#""*""#,
    r#""..""#,
    r#""2026-01-01""#,
    r#""0000-01-01T00:00:00+23:59""#,
    r#""9999-12-31T23:59:59Z""#,
    r#""+262142-12-31""#,
    r#""-262143-01-01""#,
    "[]",
    "{}",
    "[[]]",
    r#"[{"a":[null]}]"#,
    r#"["id","id"]"#,
    r#"{"type":"object","properties":{"a":{}}}"#,
    r#"{"type":["string","null"],"format":"date-time"}"#,
];

fn odd(dice: &mut Dice) -> String {
    match dice.below(30) {
        0 => format!("{}{}", "[".repeat(120), "]".repeat(120)),
        1 => format!("{}1{}", r#"{"a":"#.repeat(60), "}".repeat(60)),
        2 => format!("{}{}", "[".repeat(5_000), "]".repeat(5_000)),
        3 => format!(r#""{}""#, "x".repeat(20_000)),
        _ => (*dice.one(ODD)).to_owned(),
    }
}

/// The same key as it may also be written.
fn escaped(key: &str) -> String {
    key.chars().fold(String::new(), |text, c| {
        text + &format!("\\u{:04x}", u32::from(c))
    })
}

/// The document as text, with so many oddities in a thousand places.
fn spoil(value: &Value, rate: usize, dice: &mut Dice, out: &mut String) {
    if dice.hits(rate) {
        return out.push_str(&odd(dice));
    }
    let mut first = true;
    let mut comma =
        |out: &mut String| out.push_str(if std::mem::take(&mut first) { "" } else { "," });
    match value {
        Value::Object(map) => {
            out.push('{');
            for (key, value) in map {
                if dice.hits(rate) {
                    continue;
                }
                comma(out);
                let name = if dice.hits(rate) {
                    format!("{key}_")
                } else {
                    key.clone()
                };
                let name = Value::from(name).to_string();
                out.extend([&name, ":"]);
                spoil(value, rate, dice, out);
                if dice.hits(rate) {
                    let again = if dice.hits(500) {
                        format!("\"{}\"", escaped(key))
                    } else {
                        name
                    };
                    out.extend([",", &again, ":", &odd(dice)]);
                }
            }
            if dice.hits(rate) {
                comma(out);
                let key = *dice.one(&["new", "a\\u0000", "\\ud800", "a\\\"b", "", "\\n"]);
                let value = odd(dice);
                out.extend(["\"", key, "\":", &value, ",\"", key, "\":", &value]);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                for _ in 0..if dice.hits(rate) { 2 } else { 1 } {
                    comma(out);
                    spoil(item, rate, dice, out);
                }
            }
            out.push(']');
        }
        scalar => *out += &scalar.to_string(),
    }
}

/// A document that is almost as it should be.
pub fn almost(value: &Value, dice: &mut Dice) -> Vec<u8> {
    let mut text = String::new();
    let rate = *dice.one(&[1, 5, 20, 60]);
    spoil(value, rate, dice, &mut text);
    let mut bytes = text.into_bytes();
    let at = dice.below(bytes.len().max(1)).min(bytes.len());
    match dice.below(12) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, *dice.one(b"\0\xff\xc3\"\\{}[],:\n1")),
        2 => {
            bytes.splice(at..at, *b"\xed\xa0\x80");
        }
        3 => bytes.extend_from_slice(b" {}"),
        4 => {
            bytes.splice(0..0, *b"\xef\xbb\xbf");
        }
        _ => {}
    }
    bytes
}

/// Tells the seed of a case that fails.
struct Case(u64);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("FUZZ_SEED={}", self.0);
        }
    }
}

pub fn each_case(cases: u64, mut test: impl FnMut(&mut Dice)) {
    let first = setting("FUZZ_SEED", 1);
    for seed in first..first + setting("FUZZ_CASES", cases) {
        let _case = Case(seed);
        test(&mut Dice::new(seed));
    }
}

/// An error is one line that fits on a screen.
#[track_caller]
fn is_plain(text: &str) {
    assert!(
        text.len() < 4_000 && !text.chars().any(char::is_control),
        "{} bytes: {text:.4000}",
        text.len()
    );
}

/// As the program reads its files.
fn read(bytes: &[u8]) -> Option<Value> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    match tap_sentry_settings::file::read_json(file.path()) {
        Ok(value) => Some(value),
        Err(e) => {
            assert!(
                e.to_string().contains(&file.path().display().to_string()),
                "{e}"
            );
            is_plain(&e.to_string());
            None
        }
    }
}

fn partition(project: &str) -> Partition {
    Partition(vec![
        ("organization_slug", "acme".to_owned()),
        ("project_id", project.to_owned()),
    ])
}

#[test]
fn any_state_is_refused_by_name_or_kept() {
    let at = |stream: &str| {
        let one = |project: &str| json!({"context": {"organization_slug": "acme", "project_id": project}, "start": "2026-01-08T00:00:00Z"});
        (
            stream.to_owned(),
            json!({"start": "2026-01-01T00:00:00Z", "partitions": [one("1"), one("2")]}),
        )
    };
    let bookmarks: Map<String, Value> = ["issues", "events", "releases", "of_another_tap"]
        .into_iter()
        .map(at)
        .collect();
    let state = json!({"bookmarks": bookmarks, "beside": [1, {"a": null}]});
    let message = json!({"type": "STATE", "value": state});
    let older = json!({"bookmarks": {"issues": {"start": "2026-01-01T00:00:00Z"}, "events": {"start": "2026-01-01"}}});
    let settings = Settings::new(
        json!({"api_token": "t", "start_date": "2026-01-01"})
            .as_object()
            .unwrap()
            .clone(),
        Vec::new(),
    )
    .unwrap();
    let tree = plan::tree(Selection::new(None, &RecordStyle::default()).unwrap());
    let mut usable = 0;
    each_case(500, |dice| {
        let sample = *dice.one(&[&state, &message, &older]);
        let Some(value) = read(&almost(sample, dice)) else {
            return;
        };
        let mut bookmarks = match Bookmarks::parse(value) {
            Ok(bookmarks) => bookmarks,
            Err(e) => {
                let text = e.to_string();
                is_plain(&text);
                assert!(
                    text.contains("the state is not usable")
                        && (text.contains("`bookmarks") || text.contains("JSON object")),
                    "{text}"
                );
                return;
            }
        };
        usable += 1;
        // What a run does with it.
        let mut pending: Vec<&plan::Node> = tree.iter().collect();
        while let Some(node) = pending.pop() {
            pending.extend(&node.children);
            if node.def.windows().is_some() {
                let starts = plan::Starts::new(node, &partition("1"), &settings, &bookmarks);
                let windows = plan::windows(node, &starts, &settings);
                assert!(windows.len() < 10_000, "{} windows", windows.len());
            }
        }
        let untouched = bookmarks.to_value();
        for stream in ["issues", "events"] {
            bookmarks.plan(stream, vec![partition("1"), partition("3")]);
            let start = time::parse_instant("2026-02-01").unwrap();
            bookmarks.apply(&Checkpoint {
                stream,
                partition: partition("1"),
                start,
            });
            assert!(bookmarks.start(stream, &partition("1")) >= Some(start));
        }
        let next = bookmarks.to_value();
        assert_eq!(next.get("beside"), untouched.get("beside"));
        assert!(
            Bookmarks::parse(next).is_ok(),
            "what is written can be read again"
        );
    });
    assert!(usable > 0);
}

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
