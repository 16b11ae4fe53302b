//! Files and answers that nobody should give, made at random from those that one should: no panic, an error that names
//! what is wrong, and no line that is not one message.
//!
//! `FUZZ_CASES` is how many random cases are tried of each kind; each prints the seed by which it can be repeated
//! (`FUZZ_SEED`).

use crate::dsl::{Dice, Sentry, Tap, catalog, entry, setting};
use rstest::rstest;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use tap_sentry::record::flatten::Flattening;
use tap_sentry::record::lines::Batch;
use tap_sentry::record::mask::{MaskMode, Masking};
use tap_sentry::record::style::RecordStyle;
use tap_sentry::settings::{self, Settings};
use tap_sentry::singer::catalog::{Selected, Selection};
use tap_sentry::singer::state::{Bookmarks, Checkpoint, Partition};
use tap_sentry::streams::STREAMS;
use tap_sentry::sync::plan;
use tap_sentry_api::request::INDEXED_DEPTH;
use tap_sentry_api::time;
use tap_sentry_json::Document;
use tap_sentry_settings::problem::SettingsError;

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
fn almost(value: &Value, dice: &mut Dice) -> Vec<u8> {
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

fn each_case(cases: u64, mut test: impl FnMut(&mut Dice)) {
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

#[test]
fn any_catalog_is_refused_by_name_or_followed() {
    let mut usable = 0;
    each_case(100, |dice| {
        let def = dice.one(STREAMS);
        let mut one = catalog(&[def.name()]);
        let stream = entry(&mut one, def.name()).clone();
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
                    let line = tap_sentry::singer::message::line(&selected.header.schema);
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

/// The keys of one object, none of them twice.
struct Unique(BTreeSet<String>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Unique;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
                let mut keys = BTreeSet::new();
                while let Some((key, IgnoredAny)) = map.next_entry::<String, _>()? {
                    assert!(keys.insert(key.clone()), "`{key}` comes twice");
                }
                Ok(Unique(keys))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "type")]
    kind: String,
    record: Unique,
}

/// Makes records of a body, as for a page, and looks at each line. Returns how many there are.
fn project(selected: &Selected, body: &[u8], validator: Option<&jsonschema::Validator>) -> usize {
    let Ok(document) = Document::parse(body, INDEXED_DEPTH) else {
        return 0;
    };
    let context = |name: &str| (name != "nothing").then_some("7");
    let frame = selected
        .projection
        .frame(context, "2026-01-01T00:00:00.000000Z");
    let mut batch = Batch::new(selected.def, tokio::time::Instant::now(), None);
    let root = document.root();
    let rows: Vec<_> = if document.byte(root) == b'[' {
        document.elements(root).collect()
    } else {
        vec![root]
    };
    for row in &rows {
        if selected
            .projection
            .write(&document, *row, &frame, &mut batch)
            .is_err()
        {
            // The whole page is refused.
            return 0;
        }
    }
    assert_eq!(batch.rows.len(), rows.len());
    batch.keep(body.to_vec());
    let (mut start, mut size) = (0, 0);
    for row in &batch.rows {
        let mut line = Vec::new();
        batch
            .write(start, row.end, &mut line)
            .expect("memory can be written to");
        start = row.end;
        size += line.len();
        let line = line.as_slice();
        let text = String::from_utf8_lossy(line);
        let (last, line) = line.split_last().unwrap();
        assert!(*last == b'\n' && !line.contains(&b'\n'), "{text}");
        let message: Message =
            serde_json::from_slice(line).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert_eq!(message.kind, "RECORD");
        assert!(!message.record.0.is_empty());
        assert!(
            !text.contains("\\u0000") || text.contains("\\\\u0000"),
            "{text}"
        );
        if let Some(validator) = validator {
            let message: Value = serde_json::from_slice(line).unwrap();
            if let Err(e) = validator.validate(&message["record"]) {
                panic!(
                    "{} of {}: {e} at {}",
                    selected.def.name(),
                    String::from_utf8_lossy(body),
                    e.instance_path()
                );
            }
        }
    }
    assert!(
        size <= 3 * body.len() + 1_000 * rows.len(),
        "{size} of {} bytes",
        body.len()
    );
    batch.rows.len()
}

fn fetch(sentry: &Sentry, path: &str) -> Value {
    let address = sentry.url()[7..].to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    let token = sentry_sandbox::TOKEN;
    write!(stream, "GET /api/0/{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
    serde_json::from_str(body).unwrap()
}

/// One answer of each stream, of few rows.
fn answers() -> Vec<(&'static str, Value)> {
    let sentry = Sentry::seeded();
    let (issue, project) = (sentry.issue("SameIdError"), sentry.project("api"));
    let event = sentry.world().issues[&issue].events[0].id.clone();
    let of_issue = sentry.world().issues[&issue].project;
    let paths = [
        ("projects", "organizations/acme/projects/".to_owned()),
        ("project_detail", format!("projects/acme/{project}/")),
        ("teams", "organizations/acme/teams/".to_owned()),
        ("users", "organizations/acme/users/".to_owned()),
        ("members", "organizations/acme/members/".to_owned()),
        (
            "issues",
            format!("organizations/acme/issues/?project={project}&limit=5&query="),
        ),
        (
            "issue_detail",
            format!("organizations/acme/issues/{issue}/"),
        ),
        (
            "events",
            format!("organizations/acme/issues/{issue}/events/?full=1"),
        ),
        (
            "event_detail",
            format!("projects/acme/{of_issue}/events/{event}/"),
        ),
        (
            "releases",
            "organizations/acme/releases/?per_page=3".to_owned(),
        ),
        (
            "release",
            "organizations/acme/releases/api%401.128.0/".to_owned(),
        ),
    ];
    assert_eq!(paths.len(), STREAMS.len());
    let mut answers: Vec<_> = paths
        .into_iter()
        .map(|(stream, path)| (stream, fetch(&sentry, &path)))
        .collect();
    for (_, answer) in &mut answers {
        if let Some(rows) = answer.as_array_mut() {
            rows.truncate(3);
        }
    }
    answers
}

fn masked() -> RecordStyle {
    let masking = Masking {
        paths: vec![("*".to_owned(), vec!["x".to_owned()])],
        preset: true,
        mode: MaskMode::Hash,
        salt: "s".to_owned(),
    };
    RecordStyle {
        masking: Some(masking),
        flatten: Some(Flattening {
            depth: 2,
            ..Flattening::default()
        }),
        ..RecordStyle::default()
    }
}

#[rstest]
#[case::as_it_comes(&RecordStyle { version: Some(7), ..RecordStyle::default() })]
#[case::with_unknown_fields(&RecordStyle { keep_unknown_fields: true, ..RecordStyle::default() })]
#[case::masked_and_flat(&masked())]
fn any_answer_is_refused_or_becomes_lines_that_fit_their_schema(#[case] style: &RecordStyle) {
    let selection = Selection::everything(style).unwrap();
    let validators: Vec<_> = selection
        .0
        .iter()
        .map(|selected| {
            jsonschema::draft7::options()
                .should_validate_formats(true)
                .build(&selected.header.schema.schema)
                .unwrap()
        })
        .collect();
    let answers = answers();
    for (stream, answer) in &answers {
        let at = selection
            .0
            .iter()
            .position(|selected| selected.def.name() == *stream)
            .unwrap();
        assert!(
            project(
                &selection.0[at],
                answer.to_string().as_bytes(),
                Some(&validators[at])
            ) > 0,
            "{stream}"
        );
    }
    let mut records = 0;
    each_case(500, |dice| {
        let (stream, answer) = dice.one(&answers);
        let at = selection
            .0
            .iter()
            .position(|selected| selected.def.name() == *stream)
            .unwrap();
        records += project(
            &selection.0[at],
            &almost(answer, dice),
            Some(&validators[at]),
        );
    });
    assert!(records > 0);
}

/// Files as they come out of a crash, another program or an attack.
#[rstest]
#[case::cut(br#"{"bookmarks": {"issues": {"sta"#)]
#[case::not_utf8(b"{\"bookmarks\": \"\xff\"}")]
#[case::nul_bytes(b"\0\0\0\0")]
#[case::half_a_literal(b"nul")]
#[case::two_documents(b"{} {}")]
#[case::lone_surrogate(br#"{"bookmarks": {"issues": {"start": "\ud800"}}}"#)]
#[case::huge_number(br#"{"bookmarks": 1e400}"#)]
#[case::utf16_without_its_mark(b"{\0}\0")]
fn a_file_that_is_no_json_is_named(
    #[case] content: &[u8],
    #[values("--state", "--catalog", "--config")] flag: &str,
) {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .file("odd.json", content)
        .arg(flag)
        .arg("odd.json")
        .run();
    run.ends_with(1)
        .prints_nothing()
        .ends_telling("odd.json")
        .does_not_tell("panicked");
    assert!(sentry.requests().is_empty());
}

#[rstest]
fn a_file_that_is_nested_without_end_is_named(
    #[values("--state", "--catalog", "--config")] flag: &str,
) {
    let sentry = Sentry::small();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let content = format!("{}1{}", open.repeat(200_000), close.repeat(200_000));
        let run = Tap::against(&sentry)
            .file("odd.json", content)
            .arg(flag)
            .arg("odd.json")
            .run();
        run.ends_with(1).prints_nothing().ends_telling("odd.json");
    }
}

#[rstest]
#[case::a_bookmark_of_another_type(
    "--state",
    r#"{"bookmarks": {"events": {"start": {"a": 1}}}}"#,
    "`bookmarks.events.start`"
)]
#[case::a_bookmark_before_all_time(
    "--state",
    r#"{"bookmarks": {"events": {"start": "-262143-01-01"}}}"#,
    "`bookmarks.events.start`"
)]
#[case::a_bookmark_with_nul(
    "--state",
    r#"{"bookmarks": {"events": {"start": "2026-01-01\u0000"}}}"#,
    "`bookmarks.events.start`"
)]
#[case::streams_of_another_type("--catalog", r#"{"streams": {"issues": true}}"#, "`streams`")]
#[case::a_breadcrumb_of_another_type(
    "--catalog",
    r#"{"streams": [{"tap_stream_id": "issues", "metadata": [{"breadcrumb": 5, "metadata": {}}]}]}"#,
    "`streams[0].metadata[0].breadcrumb` (stream `issues`)"
)]
#[case::a_name_of_another_type(
    "--catalog",
    r#"{"streams": [{"tap_stream_id": "teams"}, {"tap_stream_id": 7}]}"#,
    "`streams[1].tap_stream_id`"
)]
#[case::an_entry_without_a_name(
    "--catalog",
    r#"{"streams": [{"stream": "issues"}]}"#,
    "`streams[0]`: missing field `tap_stream_id`"
)]
#[case::a_breadcrumb_of_an_entry_without_a_name(
    "--catalog",
    r#"{"streams": [{"tap_stream_id": "teams"}, {"metadata": [{"metadata": {}}]}]}"#,
    "`streams[1].metadata[0]`: missing field `breadcrumb`"
)]
#[case::an_entry_of_another_type("--catalog", r#"{"streams": ["issues"]}"#, "`streams[0]`")]
#[case::a_flag_of_another_type(
    "--catalog",
    r#"{"streams": [{"tap_stream_id": "teams"}, {"stream_id": "issues", "tap_stream_id": "issues", "selected": "perhaps"}]}"#,
    "`streams[1].selected` (stream `issues`)"
)]
#[case::a_name_of_another_type_by_its_alias(
    "--catalog",
    r#"{"streams": [{"stream_id": 7}]}"#,
    "`streams[0].stream_id`"
)]
#[case::of_an_entry_named_by_its_alias(
    "--catalog",
    r#"{"streams": [{"stream_id": "teams", "selected": 2}]}"#,
    "(stream `teams`)"
)]
#[case::the_list_alone("--catalog", r#"[[{"tap_stream_id": "issues"}]]"#, "`streams`")]
#[case::a_number_too_large(
    "--config",
    r#"{"concurrency": 123456789012345678901234567890}"#,
    "`concurrency`"
)]
#[case::a_header_of_two_lines("--config", r#"{"user_agent": "a\r\nX-Other: b"}"#, "`user_agent`")]
#[case::a_token_with_nul("--config", r#"{"api_token": "a\u0000b"}"#, "`api_token`")]
#[case::a_list_of_all_types("--config", r#"{"project_slugs": ["a", 1]}"#, "`project_slugs`")]
fn what_is_wrong_in_a_file_is_named(#[case] flag: &str, #[case] content: &str, #[case] told: &str) {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .file("odd.json", content)
        .arg(flag)
        .arg("odd.json")
        .run();
    run.ends_with(1).prints_nothing().ends_telling(told);
    assert!(sentry.requests().is_empty());
}

#[test]
fn of_equal_keys_in_a_file_the_last_counts_as_everywhere() {
    let sentry = Sentry::small();
    let config = r#"{"organization": "wrong", "organization": "acme"}"#;
    Tap::against(&sentry)
        .select(&["teams"])
        .file("twice.json", config)
        .arg("--config")
        .arg("twice.json")
        .run()
        .is_complete();
}

#[test]
fn names_from_files_do_not_break_the_lines_of_the_log() {
    let sentry = Sentry::small();
    let mut odd = catalog(&["teams"]);
    let mut other = odd["streams"][0].clone();
    other["tap_stream_id"] = json!("one\ntwo\u{1b}[31m");
    odd["streams"].as_array_mut().unwrap().push(other);
    let run = Tap::against(&sentry)
        .with("three\r\nfour", 1)
        .catalog(odd)
        .run();
    run.is_complete().tells("one").tells("four");
    assert!(
        run.stderr
            .lines()
            .all(|line| line.starts_with("20") && !line.chars().any(char::is_control)),
        "{}",
        run.stderr
    );
}
