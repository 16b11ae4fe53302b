//! A run that has ended, and what one can say about it.

use super::keys::{Keys, bookmark, key_of};
use super::parts::PARTS;
use super::sentry::Sentry;
use super::time::instant;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A run that has ended.
#[derive(Clone)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub messages: Vec<Value>,
}

impl Run {
    pub(super) fn new(code: Option<i32>, stdout: &str, stderr: String) -> Self {
        // What is no Singer message is left to the tests of the modes that print something else.
        let messages: Option<Vec<Value>> = stdout
            .lines()
            .map(|line| serde_json::from_str(line).ok())
            .collect();
        let messages = messages
            .filter(|all| all.iter().all(|one: &Value| one.get("type").is_some()))
            .unwrap_or_default();
        Self {
            code,
            stdout: stdout.to_owned(),
            stderr,
            messages,
        }
    }

    #[track_caller]
    pub fn ends_with(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "exit code; stderr:\n{}", self.stderr);
        self
    }

    #[track_caller]
    pub fn is_complete(&self) -> &Self {
        self.ends_with(0)
    }

    /// Complete, each issue and event that there is once, and no state before its records.
    #[track_caller]
    pub fn has_each_event_once(&self, sentry: &Sentry) -> &Self {
        self.is_complete().no_state_is_ahead(sentry, &[]);
        for stream in ["issues", "events"] {
            self.keys(stream)
                .equal(sentry.expected(stream))
                .are_distinct();
        }
        self
    }

    #[track_caller]
    pub fn is_incomplete(&self) -> &Self {
        self.ends_with(4)
    }

    /// Somewhere on stderr.
    #[track_caller]
    pub fn tells(&self, what: &str) -> &Self {
        assert!(
            self.stderr.contains(what),
            "`{what}` is not in stderr:\n{}",
            self.stderr
        );
        self
    }

    #[track_caller]
    pub fn does_not_tell(&self, what: &str) -> &Self {
        assert!(
            !self.stderr.contains(what),
            "`{what}` is in stderr:\n{}",
            self.stderr
        );
        self
    }

    /// On the last line of stderr, which is all that `meltano config test` shows.
    #[track_caller]
    pub fn ends_telling(&self, what: &str) -> &Self {
        let last = self.stderr.lines().next_back().unwrap_or_default();
        assert!(
            last.contains(what),
            "`{what}` is not in the last line of stderr:\n{}",
            self.stderr
        );
        self
    }

    #[track_caller]
    pub fn prints_nothing(&self) -> &Self {
        assert_eq!(self.stdout, "", "stdout; stderr:\n{}", self.stderr);
        self
    }

    pub fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.messages
            .iter()
            .filter(move |message| message["type"] == kind)
    }

    pub fn records(&self, stream: &str) -> Vec<&Value> {
        self.of_type("RECORD")
            .filter(|message| message["stream"] == stream)
            .map(|message| &message["record"])
            .collect()
    }

    /// The last record with that primary key, whose parts are joined with `|`.
    #[track_caller]
    pub fn record(&self, stream: &str, key: &str) -> &Value {
        let found = self
            .records(stream)
            .into_iter()
            .rfind(|record| key_of(stream, record) == key);
        found.unwrap_or_else(|| panic!("no record {key} of {stream}; stderr:\n{}", self.stderr))
    }

    pub fn keys(&self, stream: &'static str) -> Keys {
        Keys::of(stream, self)
    }

    /// The streams that have a SCHEMA.
    pub fn streams(&self) -> BTreeSet<&str> {
        self.of_type("SCHEMA")
            .map(|message| message["stream"].as_str().unwrap())
            .collect()
    }

    /// The SCHEMA message of a stream.
    #[track_caller]
    pub fn schema(&self, stream: &str) -> &Value {
        self.of_type("SCHEMA")
            .find(|message| message["stream"] == stream)
            .expect("a SCHEMA")
    }

    pub fn states(&self) -> Vec<&Value> {
        self.of_type("STATE")
            .map(|message| &message["value"])
            .collect()
    }

    /// The last one, or an empty state when there is none.
    pub fn state(&self) -> Value {
        self.states()
            .last()
            .map_or_else(|| json!({}), |value| (*value).clone())
    }

    /// The bookmark of a project.
    pub fn bookmark(&self, stream: &str, project: u64) -> Option<DateTime<Utc>> {
        bookmark(&self.state(), stream, project)
    }

    /// The run as a target sees it that has read so many messages.
    pub fn first(&self, messages: usize) -> Self {
        Self {
            messages: self.messages[..messages].to_vec(),
            ..self.clone()
        }
    }

    /// What every run promises: whole lines, each a message; SCHEMA first; STATE last.
    pub(super) fn keeps_to_the_protocol(&self) {
        if self.messages.is_empty() || self.code == Some(5) {
            return;
        }
        assert!(self.stdout.ends_with('\n'), "the last line is cut");
        let mut schemas = BTreeSet::new();
        for message in &self.messages {
            match message["type"].as_str().unwrap() {
                "SCHEMA" => {
                    schemas.insert(message["stream"].as_str().unwrap());
                }
                "RECORD" => {
                    let stream = message["stream"].as_str().unwrap();
                    assert!(
                        schemas.contains(stream),
                        "a record of {stream} before its SCHEMA"
                    );
                    assert!(message["time_extracted"].as_str().unwrap().ends_with('Z'));
                }
                "STATE" => assert!(message["value"]["bookmarks"].is_object(), "{message}"),
                "ACTIVATE_VERSION" => {
                    let stream = message["stream"].as_str().unwrap();
                    assert!(
                        schemas.contains(stream) && message["version"].is_i64(),
                        "{message}"
                    );
                }
                other => panic!("a message of type {other}"),
            }
        }
        if self
            .messages
            .iter()
            .all(|message| message["type"] == "SCHEMA")
        {
            // What `--test=schema` prints.
            return;
        }
        assert_eq!(
            self.messages.last().unwrap()["type"],
            "STATE",
            "the last message; stderr:\n{}",
            self.stderr
        );
    }

    /// Every record is valid against the SCHEMA that was printed, formats included, and has its key.
    #[track_caller]
    pub fn is_valid(&self) -> &Self {
        let validators: BTreeMap<&str, _> = self
            .of_type("SCHEMA")
            .map(|message| {
                let validator = jsonschema::draft7::options()
                    .should_validate_formats(true)
                    .build(&message["schema"])
                    .unwrap();
                (message["stream"].as_str().unwrap(), (validator, message))
            })
            .collect();
        for message in self.of_type("RECORD") {
            let stream = message["stream"].as_str().unwrap();
            let (validator, schema) = &validators[stream];
            let record = &message["record"];
            if let Err(error) = validator.validate(record) {
                panic!("{stream}: {error} at {}: {record}", error.instance_path());
            }
            let declared = schema["schema"]["properties"].as_object().unwrap();
            for name in record.as_object().unwrap().keys() {
                assert!(
                    declared.contains_key(name),
                    "{stream}: `{name}` is not in the SCHEMA"
                );
            }
            for key in schema["key_properties"].as_array().unwrap() {
                let value = &record[key.as_str().unwrap()];
                assert!(
                    value.is_string() || value.is_number(),
                    "{stream}: key {key} is {value}"
                );
            }
        }
        self
    }

    /// Whatever a bookmark of a STATE covers was printed before it, by this run or by the earlier ones.
    #[track_caller]
    pub fn no_state_is_ahead(&self, sentry: &Sentry, earlier: &[&Run]) -> &Self {
        for stream in [
            "issues",
            "events",
            "releases",
            "replays",
            "monitor_checkins",
            "user_feedback",
            "organization_stats",
            "project_stats",
            "sessions",
        ]
        .into_iter()
        .chain(PARTS)
        {
            if !self.streams().contains(stream) {
                continue;
            }
            // An issue that took in another lies in the other's windows too, by now; it is written with its own.
            let survivors: BTreeSet<String> = sentry
                .world()
                .merged
                .values()
                .filter(|_| stream == "issues")
                .map(u64::to_string)
                .collect();
            let mut written: BTreeSet<String> = earlier
                .iter()
                .flat_map(|run| run.records(stream))
                .map(|record| key_of(stream, record))
                .collect();
            for (at, message) in self.messages.iter().enumerate() {
                if message["type"] == "RECORD" && message["stream"] == stream {
                    written.insert(key_of(stream, &message["record"]));
                }
                if message["type"] != "STATE" {
                    continue;
                }
                let partitions = message["value"]["bookmarks"][stream]["partitions"].as_array();
                for partition in partitions.into_iter().flatten() {
                    let project = partition["context"]["project_id"]
                        .as_str()
                        .unwrap()
                        .parse()
                        .unwrap();
                    let reached = instant(&partition["start"]);
                    let due = sentry.truth(stream, Some(project), reached);
                    let missing: Vec<_> = due
                        .difference(&written)
                        .filter(|key| !survivors.contains(*key))
                        .take(5)
                        .collect();
                    assert!(
                        missing.is_empty(),
                        "message {at}: {stream} of {project} until {reached} lacks {missing:?}"
                    );
                }
            }
        }
        self
    }
}
