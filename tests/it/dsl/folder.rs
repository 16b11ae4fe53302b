//! A folder that runs write to, as readers see it.

use super::keys::key_of;
use chrono::{DateTime, SecondsFormat};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder that runs write to.
pub struct Folder {
    parent: TempDir,
}

impl Folder {
    /// There is none yet.
    pub fn new() -> Self {
        Self {
            parent: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self) -> PathBuf {
        self.parent.path().join("rows")
    }

    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// All files of rows, below their streams.
    pub fn files(&self) -> BTreeSet<String> {
        let streams = entries(&self.path());
        let files = streams.iter().flat_map(|stream| {
            entries(&self.join(stream))
                .into_iter()
                .map(move |file| format!("{stream}/{file}"))
        });
        files.filter(|file| !file.starts_with("schema/")).collect()
    }

    pub fn files_of(&self, stream: &str) -> Vec<String> {
        let files = self.files().into_iter();
        files
            .filter(|file| file.starts_with(&format!("{stream}/")))
            .collect()
    }

    /// Nothing is there that only a run under way should have.
    #[track_caller]
    pub fn is_tidy(&self) -> &Self {
        let all = self.files().into_iter().chain(entries(&self.path()));
        let untidy: Vec<_> = all.filter(|name| name.contains("tmp")).collect();
        assert!(untidy.is_empty(), "{untidy:?}");
        self
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.join(name)).unwrap()).unwrap()
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.join(name)).unwrap()
    }

    /// An empty state where none was written.
    pub fn state(&self) -> Value {
        if self.join("state.json").exists() {
            self.json("state.json")
        } else {
            json!({})
        }
    }

    /// All rows of a stream, as they stand in its files.
    pub fn rows(&self, stream: &str) -> Vec<Map<String, Value>> {
        let files = self.files_of(stream);
        let rows = files.iter().filter(|file| !file.contains("/.tmp"));
        rows.flat_map(|file| rows_of(&self.join(file))).collect()
    }

    /// The last row of each key, without those that are gone: what the views show.
    pub fn last(&self, stream: &str) -> BTreeMap<String, Map<String, Value>> {
        let sequence = |row: &Map<String, Value>| row["_sdc_sequence"].as_i64().unwrap();
        let active = self.json("manifest.json")["streams"][stream]["table_version"].as_i64();
        let mut last: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
        for row in self.rows(stream) {
            if active.is_some() && row["_sdc_table_version"].as_i64() < active {
                continue;
            }
            let key = key_of(stream, &Value::Object(row.clone()));
            let newer = last
                .get(&key)
                .is_none_or(|known| sequence(known) < sequence(&row));
            if newer {
                last.insert(key, row);
            }
        }
        last
    }

    /// The keys of the rows that the views show.
    pub fn keys(&self, stream: &str) -> BTreeSet<String> {
        self.last(stream).into_keys().collect()
    }

    /// No number is given twice.
    #[track_caller]
    pub fn has_each_sequence_once(&self, streams: &[&str]) {
        let rows = streams.iter().flat_map(|stream| self.rows(stream));
        let all: Vec<i64> = rows
            .map(|row| row["_sdc_sequence"].as_i64().unwrap())
            .collect();
        let distinct: BTreeSet<i64> = all.iter().copied().collect();
        assert_eq!(all.len(), distinct.len());
    }
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn rows_of(path: &Path) -> Vec<Map<String, Value>> {
    let file = File::open(path).unwrap();
    let reader: Box<dyn Read> = match path.extension().and_then(|ending| ending.to_str()) {
        Some("parquet") => {
            let reader = SerializedFileReader::new(file).unwrap();
            let rows = reader.get_row_iter(None).unwrap();
            return rows.map(|row| object(&row.unwrap())).collect();
        }
        Some("zst") => Box::new(zstd::Decoder::new(file).unwrap()),
        Some("gz") => Box::new(flate2::read::GzDecoder::new(file)),
        _ => Box::new(file),
    };
    let lines = BufReader::new(reader).lines();
    lines
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect()
}

fn object(row: &Row) -> Map<String, Value> {
    row.get_column_iter()
        .map(|(name, field)| (name.clone(), value(field)))
        .collect()
}

/// As the record has it, but for JSON, which is text in Parquet.
fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => json!(value),
        Field::Long(value) => json!(value),
        Field::Double(value) => json!(value),
        Field::Str(text) => json!(text),
        Field::TimestampMicros(micros) => {
            let instant = DateTime::from_timestamp_micros(*micros).unwrap();
            json!(instant.to_rfc3339_opts(SecondsFormat::AutoSi, true))
        }
        Field::Group(row) => Value::Object(object(row)),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        other => panic!("no column is like {other:?}"),
    }
}
