//! Primary keys that runs wrote, and the bookmarks of their states.

use super::run::Run;
use super::time::instant;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The bookmark of a project in a state.
pub fn bookmark(state: &Value, stream: &str, project: u64) -> Option<DateTime<Utc>> {
    let partitions = state["bookmarks"][stream]["partitions"].as_array()?;
    let found = partitions
        .iter()
        .find(|one| one["context"]["project_id"] == json!(project.to_string()))?;
    Some(instant(&found["start"]))
}

pub(super) fn key_of(stream: &str, record: &Value) -> String {
    let key = tap_sentry::streams::find(stream).unwrap().key;
    let parts = key.iter().map(|name| match &record[*name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    parts.collect::<Vec<_>>().join("|")
}

/// The primary keys that a run wrote.
pub struct Keys {
    stream: &'static str,
    list: Vec<String>,
    stderr: String,
}

impl Keys {
    /// Those of one run.
    pub(super) fn of(stream: &'static str, run: &Run) -> Self {
        let records = run.records(stream);
        Self {
            stream,
            list: records
                .iter()
                .map(|record| key_of(stream, record))
                .collect(),
            stderr: run.stderr.clone(),
        }
    }

    pub fn set(&self) -> BTreeSet<String> {
        self.list.iter().cloned().collect()
    }

    #[track_caller]
    pub fn equal(&self, expected: impl IntoIterator<Item = impl ToString>) -> &Self {
        let expected: BTreeSet<String> = expected.into_iter().map(|key| key.to_string()).collect();
        let found = self.set();
        let some = |a: &BTreeSet<String>, b: &BTreeSet<String>| {
            a.difference(b).take(8).cloned().collect::<Vec<_>>()
        };
        assert!(
            found == expected,
            "{}: {} found, {} expected; missing {:?}, not expected {:?}; stderr:\n{}",
            self.stream,
            found.len(),
            expected.len(),
            some(&expected, &found),
            some(&found, &expected),
            self.stderr
        );
        self
    }

    #[track_caller]
    pub fn include(&self, expected: impl IntoIterator<Item = impl ToString>) -> &Self {
        let found = self.set();
        let missing: Vec<_> = expected
            .into_iter()
            .map(|key| key.to_string())
            .filter(|key| !found.contains(key))
            .collect();
        assert!(
            missing.is_empty(),
            "{}: {} are missing: {:?}; stderr:\n{}",
            self.stream,
            missing.len(),
            &missing[..missing.len().min(8)],
            self.stderr
        );
        self
    }

    #[track_caller]
    pub fn exclude(&self, other: impl IntoIterator<Item = impl ToString>) -> &Self {
        let found = self.set();
        let extra: Vec<_> = other
            .into_iter()
            .map(|key| key.to_string())
            .filter(|key| found.contains(key))
            .collect();
        assert!(
            extra.is_empty(),
            "{}: should not be there: {extra:?}",
            self.stream
        );
        self
    }

    /// No key comes twice.
    #[track_caller]
    pub fn are_distinct(&self) -> &Self {
        assert_eq!(
            self.list.len(),
            self.set().len(),
            "{}: some are written more than once",
            self.stream
        );
        self
    }
}

/// The keys of several runs together, as a target holds them.
pub fn union(stream: &'static str, runs: &[&Run]) -> Keys {
    let stderr = runs
        .iter()
        .map(|run| run.stderr.as_str())
        .collect::<Vec<_>>()
        .join("\n--- next run\n");
    Keys {
        stream,
        list: runs.iter().flat_map(|run| run.keys(stream).list).collect(),
        stderr,
    }
}
