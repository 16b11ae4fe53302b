//! A folder through the crate's own interface: what was written comes back, whatever it is, before and after compaction.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where, and stop"
)]

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row as FileRow};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tap_sentry_files::{Begin, Folder, Format, Row, Stream, Writer, compact};
use tap_sentry_json::Document;

const AT: &str = "2026-11-29T12:00:00.000001Z";

fn schema() -> Value {
    json!({"type": "object", "properties": {
        "id": {"type": "string"},
        "text": {"type": ["string", "null"]},
        "at": {"type": ["string", "null"], "format": "date-time"},
        "count": {"type": ["integer", "null"]},
        "share": {"type": ["number", "null"]},
        "is_open": {"type": ["boolean", "null"]},
        "anything": {"type": ["object", "null"]},
        "user": {"type": ["object", "null"], "properties": {
            "name": {"type": ["string", "null"]},
            "tags": {"type": ["array", "null"], "items": {"type": ["object", "null"], "properties": {"key": {"type": ["string", "null"]}}}},
        }},
        "numbers": {"type": ["array", "null"], "items": {"type": ["integer", "null"]}},
    }})
}

fn stream(schema: Value, table_version: Option<i64>) -> Stream {
    Stream {
        name: "things".to_owned(),
        schema,
        key_properties: vec!["id".to_owned()],
        table_version,
    }
}

/// Writes records as a run of its own.
fn run(path: &Path, format: Format, stream: Stream, records: &[Value]) {
    let folder = Folder::open(path, Some(format)).unwrap();
    let version = stream.table_version;
    let mut writer = Writer::begin(folder, &[stream], Begin::GoOn).unwrap();
    for record in records {
        append(&mut writer, record, version);
    }
    writer.commit(b"{}").unwrap();
    if version.is_some() {
        writer.whole(0).unwrap();
    }
    writer.finish().unwrap();
}

/// Begins a run of its own, in the format that the folder has.
fn begin(path: &Path, stream: Stream, begin: Begin) -> Writer {
    let folder = Folder::open(path, None).unwrap();
    Writer::begin(folder, &[stream], begin).unwrap()
}

fn append(writer: &mut Writer, record: &Value, table_version: Option<i64>) {
    let text = record.to_string();
    let document = Document::parse(text.as_bytes(), 3).unwrap();
    let row = Row {
        document: &document,
        record: document.root(),
        extracted_at: AT,
        table_version,
    };
    let number = writer.stream("things").unwrap();
    writer.append(number, &row).unwrap();
}

fn files(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path.join("things")).into_iter().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn rows(path: &Path) -> Vec<Value> {
    let rows = files(path).into_iter().flat_map(|file| {
        if file.extension().unwrap() == "jsonl" {
            let text = fs::read_to_string(file).unwrap();
            return text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect::<Vec<_>>();
        }
        let reader = SerializedFileReader::new(File::open(file).unwrap()).unwrap();
        let rows = reader.get_row_iter(None).unwrap();
        rows.map(|row| object(&row.unwrap())).collect()
    });
    rows.collect()
}

fn object(row: &FileRow) -> Value {
    let members = row
        .get_column_iter()
        .map(|(name, field)| (name.clone(), value(field)));
    Value::Object(members.collect())
}

fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => json!(value),
        Field::Long(value) | Field::TimestampMicros(value) => json!(value),
        Field::Double(value) => json!(value),
        Field::Str(text) => json!(text),
        Field::Group(row) => object(row),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        other => panic!("no column is like {other:?}"),
    }
}

/// The rows of keys that are not gone, by key, the last of each.
fn last(path: &Path, least_version: i64) -> BTreeMap<String, Value> {
    let mut rows = rows(path);
    rows.sort_by_key(|row| row["_sdc_sequence"].as_i64());
    let rows = rows.into_iter().filter(|row| {
        row["_sdc_table_version"]
            .as_i64()
            .is_none_or(|version| version >= least_version)
    });
    rows.map(|row| (row["id"].as_str().unwrap().to_owned(), row))
        .collect()
}

/// What Parquet has of a record: every column, JSON as text, times as microseconds.
fn in_parquet(record: &Value) -> Value {
    let micros = |at: &Value| {
        at.as_str().map(|at| {
            chrono::DateTime::parse_from_rfc3339(at)
                .unwrap()
                .timestamp_micros()
        })
    };
    let anything = &record["anything"];
    let user = &record["user"];
    let members = |object: &Value, names: &[&str]| -> Value {
        let members: Map<_, _> = names
            .iter()
            .map(|name| ((*name).to_owned(), object[*name].clone()))
            .collect();
        Value::Object(members)
    };
    let tag = |tag: &Value| {
        if tag.is_null() {
            Value::Null
        } else {
            members(tag, &["key"])
        }
    };
    let mut expected = members(
        record,
        &["id", "text", "count", "share", "is_open", "numbers"],
    );
    expected["at"] = json!(micros(&record["at"]));
    expected["anything"] = if anything.is_null() {
        Value::Null
    } else {
        json!(anything.to_string())
    };
    expected["user"] = if user.is_null() {
        Value::Null
    } else {
        let tags = user["tags"]
            .as_array()
            .map(|tags| tags.iter().map(tag).collect::<Value>());
        json!({"name": user["name"], "tags": tags})
    };
    expected
}

fn maybe(value: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Option<Value>> {
    prop_oneof![1 => Just(None), 1 => Just(Some(Value::Null)), 4 => value.prop_map(Some)].boxed()
}

fn text() -> BoxedStrategy<Value> {
    any::<String>().prop_map(Value::from).boxed()
}

fn record() -> impl Strategy<Value = Value> {
    let instant = (0..4_000_000_000_000_000_i64).prop_map(|micros| {
        let at = chrono::DateTime::from_timestamp_micros(micros).unwrap();
        json!(at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
    });
    let tag = prop_oneof![
        Just(Value::Null),
        maybe(text()).prop_map(|key| object_of([("key", key)]))
    ];
    let tags = proptest::collection::vec(tag, 0..4).prop_map(Value::from);
    let user = (maybe(text()), maybe(tags))
        .prop_map(|(name, tags)| object_of([("tags", tags), ("name", name)]));
    let anything = proptest::collection::btree_map(any::<String>(), any::<i32>(), 0..3)
        .prop_map(|map| json!(map));
    let numbers = proptest::collection::vec(proptest::option::of(any::<i64>()), 0..5)
        .prop_map(|list| json!(list));
    let scalars = (
        maybe(text()),
        maybe(instant),
        maybe(any::<i64>().prop_map(Value::from)),
        maybe(any::<i32>().prop_map(|eighths| json!(f64::from(eighths) / 8.0))),
        maybe(any::<bool>().prop_map(Value::from)),
    );
    (
        "[a-d]",
        scalars,
        maybe(anything),
        maybe(user),
        maybe(numbers),
    )
        .prop_map(
            |(id, (text, at, count, share, is_open), anything, user, numbers)| {
                object_of([
                    ("numbers", numbers),
                    ("id", Some(json!(id))),
                    ("text", text),
                    ("at", at),
                    ("count", count),
                    ("share", share),
                    ("is_open", is_open),
                    ("anything", anything),
                    ("user", user),
                ])
            },
        )
}

fn object_of<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let members = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(members.collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// The last row of each key, in runs of any length, is what it was, before and after compaction.
    #[test]
    fn rows_come_back_as_they_went(runs in proptest::collection::vec(proptest::collection::vec(record(), 0..6), 1..4)) {
        for format in [Format::Parquet, Format::Jsonl] {
            let folder = tempfile::tempdir().unwrap();
            let mut expected = BTreeMap::new();
            for records in &runs {
                run(folder.path(), format, stream(schema(), None), records);
                for record in records {
                    expected.insert(record["id"].as_str().unwrap().to_owned(), record.clone());
                }
            }
            let check = || -> Result<(), TestCaseError> {
                let mut found = last(folder.path(), 0);
                prop_assert_eq!(found.len(), expected.len());
                for (id, record) in &expected {
                    let row = found.remove(id).unwrap();
                    let mut own = row.as_object().unwrap().clone();
                    own.retain(|name, _| !name.starts_with("_sdc_"));
                    let as_written = if format == Format::Parquet { in_parquet(record) } else { record.clone() };
                    prop_assert_eq!(sorted(&Value::Object(own)), sorted(&as_written));
                }
                Ok(())
            };
            check()?;
            let mut opened = Folder::existing(folder.path()).unwrap();
            compact(&mut opened).unwrap();
            drop(opened);
            check()?;
            prop_assert_eq!(rows(folder.path()).len(), expected.len());
            prop_assert!(files(folder.path()).len() <= 1);
        }
    }
}

/// With the members of each object in one order.
fn sorted(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<_, _> = members
                .iter()
                .map(|(name, value)| (name, sorted(value)))
                .collect();
            format!("{members:?}")
        }
        Value::Array(items) => format!("{:?}", items.iter().map(sorted).collect::<Vec<_>>()),
        other => other.to_string(),
    }
}

#[test]
fn a_list_that_is_the_same_is_not_written_again_and_one_that_is_not_replaces_it() {
    let folder = tempfile::tempdir().unwrap();
    let list = |version, ids: &[&str]| {
        let records: Vec<_> = ids.iter().map(|id| json!({"id": id})).collect();
        run(
            folder.path(),
            Format::Jsonl,
            stream(schema(), Some(version)),
            &records,
        );
    };
    list(1, &["a", "b"]);
    list(2, &["b", "a"]);
    assert_eq!(files(folder.path()).len(), 1, "the order says nothing");
    list(3, &["a"]);
    assert_eq!(files(folder.path()).len(), 2);
    let mut opened = Folder::existing(folder.path()).unwrap();
    assert_eq!(opened.manifest.streams["things"].table_version, Some(3));
    let compacted = compact(&mut opened).unwrap();
    assert_eq!(
        (compacted[0].files_after, compacted[0].rows_removed),
        (1, 2)
    );
    assert_eq!(rows(folder.path()).len(), 1);
}

#[test]
fn a_list_that_has_not_come_whole_makes_nothing_gone_and_is_not_taken_for_the_next() {
    let folder = tempfile::tempdir().unwrap();
    run(
        folder.path(),
        Format::Jsonl,
        stream(schema(), Some(1)),
        &[json!({"id": "a"})],
    );
    let mut writer = begin(folder.path(), stream(schema(), Some(2)), Begin::GoOn);
    append(&mut writer, &json!({"id": "b"}), Some(2));
    writer.commit(b"{}").unwrap();
    writer.finish().unwrap();
    drop(writer);
    assert_eq!(last(folder.path(), 1).len(), 2);
    // The first list again: had nothing come between, it would not be written.
    run(
        folder.path(),
        Format::Jsonl,
        stream(schema(), Some(3)),
        &[json!({"id": "a"})],
    );
    let opened = Folder::existing(folder.path()).unwrap();
    assert_eq!(opened.manifest.streams["things"].table_version, Some(3));
    assert_eq!(
        last(folder.path(), 3).into_keys().collect::<Vec<_>>(),
        ["a"]
    );
}

#[test]
fn what_a_writer_has_not_committed_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = begin(folder.path(), stream(schema(), None), Begin::GoOn);
    append(&mut writer, &json!({"id": "a"}), None);
    drop(writer);
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    assert_eq!(Folder::open(folder.path(), None).unwrap().state(), None);
}

#[test]
fn a_value_that_is_not_of_its_columns_type_is_told_and_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = begin(folder.path(), stream(schema(), None), Begin::GoOn);
    let text = r#"{"id": "a", "count": "many"}"#;
    let document = Document::parse(text.as_bytes(), 3).unwrap();
    let row = Row {
        document: &document,
        record: document.root(),
        extracted_at: AT,
        table_version: None,
    };
    let told = writer.append(0, &row).unwrap_err().to_string();
    assert_eq!(told, "things: column `count` cannot hold \"many\"");
}

#[test]
fn a_stream_cannot_be_called_as_the_folders_of_other_things() {
    for name in ["schema", "attachments"] {
        let folder = tempfile::tempdir().unwrap();
        let opened = Folder::open(folder.path(), None).unwrap();
        let stream = Stream {
            name: name.to_owned(),
            ..stream(schema(), None)
        };
        let begun = Writer::begin(opened, &[stream], Begin::GoOn);
        assert!(begun.is_err_and(|error| error.is_of_setup()));
    }
}

/// A run of a whole list that is killed when its files have their names, and nothing of it is written down.
#[test]
fn rows_of_a_killed_run_do_not_come_back_with_a_list_that_is_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let list = |version: i64, id: &str| {
        let records = [json!({"id": id})];
        run(
            folder.path(),
            Format::Jsonl,
            stream(schema(), Some(version)),
            &records,
        );
    };
    list(1, "a");
    let mut writer = begin(folder.path(), stream(schema(), Some(2)), Begin::GoOn);
    append(&mut writer, &json!({"id": "b"}), Some(2));
    writer.whole(0).unwrap();
    drop(writer);
    assert_eq!(files(folder.path()).len(), 2);
    list(3, "a");
    let opened = Folder::existing(folder.path()).unwrap();
    let version = opened.manifest.streams["things"].table_version.unwrap();
    assert_eq!(
        last(folder.path(), version).into_keys().collect::<Vec<_>>(),
        ["a"]
    );
}

#[test]
fn a_list_whose_files_are_gone_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    for version in [1, 2] {
        let list = stream(schema(), Some(version));
        run(folder.path(), Format::Parquet, list, &[json!({"id": "a"})]);
        assert_eq!(files(folder.path()).len(), 1);
        fs::remove_dir_all(folder.path().join("things")).unwrap();
    }
}

#[test]
fn what_a_refresh_has_replaced_is_gone_though_it_is_killed_behind_its_state() {
    let folder = tempfile::tempdir().unwrap();
    let records = [json!({"id": "a"}), json!({"id": "b"})];
    run(
        folder.path(),
        Format::Jsonl,
        stream(schema(), None),
        &records,
    );
    let mut writer = begin(folder.path(), stream(schema(), None), Begin::Refresh);
    append(&mut writer, &json!({"id": "b"}), None);
    writer.whole(0).unwrap();
    writer.commit(b"{}").unwrap();
    drop(writer);
    let views = fs::read_to_string(folder.path().join("views.sql")).unwrap();
    assert!(views.contains("WHERE \"_sdc_sequence\" >= "), "{views}");
    run(folder.path(), Format::Jsonl, stream(schema(), None), &[]);
    assert_eq!(
        last(folder.path(), 0).into_keys().collect::<Vec<_>>(),
        ["b"]
    );
    let views = fs::read_to_string(folder.path().join("views.sql")).unwrap();
    assert!(!views.contains("WHERE"), "{views}");
}

#[test]
fn a_folder_is_no_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let told = Folder::open(file.path(), None).unwrap_err();
    assert!(told.is_of_setup() && told.to_string().ends_with("it is no folder"));
}
