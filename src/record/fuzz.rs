//! Answers that nobody should give, made at random from those that one should: no panic, and no line that is not one
//! message.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where, and stop"
)]

use crate::dice::{almost, each_case};
use crate::record::flatten::Flattening;
use crate::record::lines::Batch;
use crate::record::mask::{MaskMode, Masking};
use crate::record::style::RecordStyle;
use crate::singer::catalog::{Selected, Selection};
use crate::streams::{STREAMS, Search, StreamDef};
use chrono::{SubsecRound, Utc};
use rstest::rstest;
use sentry_sandbox::{Options, Sandbox, TOKEN, World};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use tap_sentry_api::params::Params;
use tap_sentry_api::request::INDEXED_DEPTH;
use tap_sentry_json::Document;

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
pub fn project(
    selected: &Selected,
    body: &[u8],
    validator: Option<&jsonschema::Validator>,
) -> usize {
    let Ok(document) = Document::parse(body, INDEXED_DEPTH) else {
        return 0;
    };
    let context = |name: &str| match name {
        "nothing" => None,
        name if name.ends_with("_at") || name == "interval_start" => Some("2026-01-01T00:00:00Z"),
        _ => Some("7"),
    };
    let frame = selected
        .projection
        .frame(context, "2026-01-01T00:00:00.000000Z");
    let mut batch = Batch::new(selected.def, tokio::time::Instant::now());
    let root = document.root();
    let rows: Vec<_> = if document.byte(root) == b'[' {
        document.elements(root).collect()
    } else {
        vec![root]
    };
    for row in &rows {
        let projection = &selected.projection;
        let made = match selected.def.cut {
            None => projection.write(&document, *row, &frame, &mut batch),
            Some(_) => projection.cut(&document, *row, &frame, u32::MAX, &mut batch),
        };
        if made.is_err() {
            // The whole page is refused.
            return 0;
        }
    }
    assert!(selected.def.cut.is_some() || batch.rows.len() == rows.len());
    batch.keep(body.to_vec());
    let (mut start, mut size, mut records) = (0, 0, 0);
    for row in &batch.rows {
        let mut lines = Vec::new();
        batch
            .write(start, row.end, &mut lines)
            .expect("memory can be written to");
        start = row.end;
        size += lines.len();
        assert!(lines.ends_with(b"\n"));
        let lines: Vec<&[u8]> = lines[..lines.len() - 1].split(|b| *b == b'\n').collect();
        assert_eq!(lines.len(), row.records as usize);
        records += lines.len();
        for line in lines {
            is_a_record(selected, line, body, validator);
        }
    }
    assert!(
        size <= 3 * body.len() + 1_000 * records,
        "{size} of {} bytes",
        body.len()
    );
    records
}

/// One line is one message, of a record that fits its schema and has its key.
fn is_a_record(
    selected: &Selected,
    line: &[u8],
    body: &[u8],
    validator: Option<&jsonschema::Validator>,
) {
    let text = String::from_utf8_lossy(line);
    let message: Message = serde_json::from_slice(line).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert_eq!(message.kind, "RECORD");
    for key in selected.def.key {
        assert!(message.record.0.contains(*key), "{text}");
    }
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

fn fetch(sentry: &Sandbox, path: &str) -> Value {
    let address = sentry.url()[7..].to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(stream, "GET /api/0/{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
    serde_json::from_str(body).unwrap()
}

/// One answer of each stream, of few rows.
fn answers() -> Vec<(&'static str, Value)> {
    let now = Utc::now().trunc_subsecs(0);
    let sentry = Sandbox::start(Options::new(World::seeded(now))).unwrap();
    let mut place = {
        let world = sentry.world();
        let issue = world
            .issues
            .values()
            .find(|issue| issue.title.contains("SameIdError"))
            .unwrap();
        Params(vec![
            ("organization_slug", "acme".to_owned()),
            ("project_id", issue.project.to_string()),
            ("team_slug", "backend".to_owned()),
            ("issue_id", issue.id.to_string()),
            ("event_id", issue.events[0].id.clone()),
            ("version", "api@1.128.0".to_owned()),
            ("key", "browser".to_owned()),
            ("interval", "1d".to_owned()),
        ])
    };
    let answer = |place: &Params, def: &'static StreamDef| {
        let endpoint = &def.endpoint;
        let mut query = place.query(endpoint, def.details_query, &["-1".to_owned()]);
        let searches = def.windows().map_or(&[][..], |windows| windows.searches);
        query.extend(searches.first().map(Search::parameters).unwrap_or_default());
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .finish();
        let mut answer = fetch(&sentry, &format!("{}?{query}", place.path(endpoint, false)));
        if let Some(member) = endpoint.envelope {
            answer = answer[member].take();
        }
        if let Some(rows) = answer.as_array_mut() {
            assert!(!rows.is_empty(), "{}", def.name());
            rows.truncate(3);
        }
        answer
    };
    let mut answers = Vec::new();
    for def in STREAMS {
        let answer = answer(&place, def);
        // What the streams below it are asked for by, as its first row tells it.
        let row = answer.get(0).unwrap_or(&answer);
        let below = def.children().filter_map(|child| child.parent);
        for (name, path) in below.flat_map(|parent| parent.bind) {
            let value = path.iter().try_fold(row, |row, key| row.get(*key));
            if let (None, Some(value)) = (place.get(name), value.and_then(Value::as_str)) {
                place.0.push((name, value.to_owned()));
            }
        }
        answers.push((def.name(), answer));
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
