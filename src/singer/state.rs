//! Bookmarks: how far each stream and partition has been extracted.
//!
//! ```json
//! {"bookmarks": {"issues": {"start": "2026-01-01T00:00:00Z", "partitions": [
//!     {"context": {"organization_slug": "acme", "project_id": "2"}, "start": "2026-01-08T00:00:00Z"}]}}}
//! ```
//! `start` of a partition is the end of its last finished window: everything before it has been written. `start` of
//! the stream is the smallest of the run's partitions; alone, as the older Python tap wrote it, it counts for every
//! partition. A partition of a whole organization, as earlier versions wrote for releases, counts for its projects
//! while none of them has one. Everything else that came in goes out again unchanged.

use crate::streams::StreamDef;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use tap_sentry_api::params::{ORGANIZATION, PROJECT_ID, Params};
use tap_sentry_api::text::brief;
use tap_sentry_api::time::{format_instant, parse_instant};
use tap_sentry_settings::file::{self, FileError};

/// The values that name a partition, in the order of the context.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub Vec<(&'static str, String)>);

impl Partition {
    /// The one that bookmarks of this place are kept by: organization, and project where there is one.
    pub fn of(place: &Params) -> Self {
        Self(
            place
                .0
                .iter()
                .filter(|(name, _)| matches!(*name, ORGANIZATION | PROJECT_ID))
                .cloned()
                .collect(),
        )
    }

    fn to_value(&self) -> Value {
        Value::Object(
            self.0
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect(),
        )
    }

    /// The one that an entry's `context` names; `None` when it has other members than a partition of this tap.
    fn named(context: &Value) -> Option<Self> {
        let context = context.as_object()?;
        let named = [ORGANIZATION, PROJECT_ID].into_iter();
        let named: Option<Vec<_>> = named
            .filter_map(|name| Some((name, context.get(name)?)))
            .map(|(name, value)| Some((name, value.as_str()?.to_owned())))
            .collect();
        named.filter(|named| named.len() == context.len()).map(Self)
    }

    /// That of its whole organization.
    fn organization(&self) -> Self {
        Self(self.0.iter().take(1).cloned().collect())
    }

    fn holds(&self, context: &Value) -> bool {
        self.0
            .iter()
            .all(|(name, value)| context.get(name).and_then(Value::as_str) == Some(value))
    }
}

impl std::fmt::Display for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, (_, value)) in self.0.iter().enumerate() {
            write!(f, "{}{value}", if i == 0 { "" } else { "/" })?;
        }
        Ok(())
    }
}

/// A state file that cannot be believed is refused: starting over in silence would be worse.
#[derive(Debug, thiserror::Error)]
#[error("the state is not usable: {0}")]
pub struct StateError(String);

/// Everything before `start` has been written for the partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub stream: &'static str,
    pub partition: Partition,
    pub start: DateTime<Utc>,
}

/// The state as it came in, changed only by [`Bookmarks::apply`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bookmarks {
    value: Map<String, Value>,
    /// Where in a stream's `partitions` the entry of each is: to search for it is too slow for thousands of projects.
    places: HashMap<&'static str, HashMap<Partition, usize>>,
    planned: BTreeMap<&'static str, Planned>,
}

/// Where the partitions of a run are; a stream's `start` is their minimum.
#[derive(Debug, Clone, Default, PartialEq)]
struct Planned {
    /// `None` is a partition without progress.
    starts: HashMap<Partition, Option<DateTime<Utc>>>,
    /// How many partitions are at each.
    numbers: BTreeMap<Option<DateTime<Utc>>, usize>,
}

impl Planned {
    fn add(&mut self, partition: Partition, start: Option<DateTime<Utc>>) {
        if let Some(before) = self.starts.insert(partition, start) {
            self.leave(before);
        }
        *self.numbers.entry(start).or_default() += 1;
    }

    fn moved(&mut self, partition: &Partition, start: DateTime<Utc>) {
        let Some(known) = self.starts.get_mut(partition) else {
            return;
        };
        let before = known.replace(start);
        *self.numbers.entry(Some(start)).or_default() += 1;
        self.leave(before);
    }

    fn leave(&mut self, start: Option<DateTime<Utc>>) {
        if let Entry::Occupied(mut number) = self.numbers.entry(start) {
            *number.get_mut() -= 1;
            if *number.get() == 0 {
                number.remove();
            }
        }
    }

    /// `None` as long as a partition is without progress.
    fn least(&self) -> Option<DateTime<Utc>> {
        *self.numbers.keys().next()?
    }
}

impl Bookmarks {
    /// Reads the value of a STATE message, also in the wrappers that Meltano and others put around it.
    ///
    /// # Errors
    /// When the shape or an instant of one of this tap's streams is not as written by it or its predecessor: what counts
    /// for nothing in silence would extract everything again.
    pub fn parse(value: Value) -> Result<Self, StateError> {
        let Value::Object(value) = unwrapped(value, 0) else {
            return Err(StateError("it must be a JSON object".to_owned()));
        };
        match value.get("bookmarks") {
            None if value.values().all(is_nothing) => {}
            None => {
                let names: Vec<String> = value
                    .keys()
                    .map(|key| format!("`{}`", brief(key)))
                    .collect();
                return Err(StateError(format!(
                    "it has no `bookmarks`, only {}",
                    brief(&names.join(", "))
                )));
            }
            Some(Value::Object(bookmarks)) => {
                for def in crate::streams::all() {
                    if let Some(entry) = bookmarks.get(def.name()) {
                        check(def, entry)?;
                    }
                }
                let others: Vec<&str> = bookmarks
                    .keys()
                    .map(String::as_str)
                    .filter(|name| crate::streams::find(name).is_none())
                    .collect();
                if !others.is_empty() && others.len() == bookmarks.len() {
                    log::warn!(
                        "the state only has bookmarks of streams that this tap does not have ({}): every stream starts at start_date",
                        brief(&others.join(", "))
                    );
                }
            }
            Some(_) => return Err(StateError("`bookmarks` must be an object".to_owned())),
        }
        let mut bookmarks = Self {
            value,
            ..Self::default()
        };
        for def in crate::streams::all() {
            let partitions = bookmarks.partitions(def.name()).into_iter().flatten();
            let named = partitions.enumerate().filter_map(|(place, entry)| {
                Some((Partition::named(entry.get("context")?)?, place))
            });
            let mut places = HashMap::new();
            for (partition, place) in named {
                // Of two entries of one partition the first counts.
                places.entry(partition).or_insert(place);
            }
            bookmarks.places.insert(def.name(), places);
        }
        Ok(bookmarks)
    }

    /// How many bytes the state is as JSON.
    pub fn size(&self) -> usize {
        serde_json::to_vec(&self.value).map_or(0, |text| text.len())
    }

    /// Where the partition was left, if it was ever.
    pub fn start(&self, stream: &str, partition: &Partition) -> Option<DateTime<Utc>> {
        match self.partitions(stream) {
            Some(_) => self
                .own(stream, partition)
                .or_else(|| self.whole(stream, partition))?
                .get("start"),
            None => self.find(stream)?.get("start"),
        }
        .and_then(Value::as_str)
        .and_then(|text| parse_instant(text).ok())
    }

    /// Names the partitions of this run. What counts for all of them is written into each, so that a project that
    /// appears later starts at `start_date` and not there.
    pub fn plan(&mut self, stream: &'static str, partitions: Vec<Partition>) {
        let starts: Vec<_> = partitions
            .iter()
            .map(|partition| self.start(stream, partition))
            .collect();
        for (partition, start) in partitions.iter().zip(&starts) {
            if let (None, Some(start)) = (self.own(stream, partition), start) {
                self.set(stream, partition, *start);
            }
        }
        let planned = self.planned.entry(stream).or_default();
        for (partition, start) in partitions.into_iter().zip(starts) {
            planned.add(partition, start);
        }
    }

    /// Moves a partition forward, never back. Returns whether anything changed.
    pub fn apply(&mut self, checkpoint: &Checkpoint) -> bool {
        let Checkpoint {
            stream,
            partition,
            start,
        } = checkpoint;
        if self
            .start(stream, partition)
            .is_some_and(|known| known >= *start)
            && self
                .find(stream)
                .is_some_and(|e| e.get("partitions").is_some())
        {
            return false;
        }
        self.set(stream, partition, *start);
        let Some(planned) = self.planned.get_mut(stream) else {
            return true;
        };
        planned.moved(partition, *start);
        if let Some(least) = planned.least() {
            self.entry(stream)
                .insert("start".to_owned(), json!(format_instant(least)));
        }
        true
    }

    /// Moves bookmarks that are beyond `now` back to it.
    pub fn set_back(&mut self, now: DateTime<Utc>) {
        let Some(bookmarks) = self
            .value
            .get_mut("bookmarks")
            .and_then(Value::as_object_mut)
        else {
            return;
        };
        let ours = bookmarks
            .iter_mut()
            .filter(|(name, _)| crate::streams::find(name).is_some());
        for entry in ours.filter_map(|(_, entry)| entry.as_object_mut()) {
            let back = |start: Option<&mut Value>| {
                if let Some(start) = start.filter(|start| {
                    start
                        .as_str()
                        .is_some_and(|text| parse_instant(text).is_ok_and(|start| start > now))
                }) {
                    *start = json!(format_instant(now));
                }
            };
            back(entry.get_mut("start"));
            for partition in entry
                .get_mut("partitions")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                back(partition.get_mut("start"));
            }
        }
    }

    /// The `start` of a stream: the least of its partitions.
    pub fn least(&self, stream: &str) -> Option<&str> {
        self.find(stream)?.get("start")?.as_str()
    }

    /// The bookmark that is furthest ahead, and its stream.
    pub fn latest(&self) -> Option<(&'static str, DateTime<Utc>)> {
        let starts = |name: &str| {
            let entry = self.find(name)?;
            let partitions = entry
                .get("partitions")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let starts = partitions
                .map(|partition| partition.get("start"))
                .chain([entry.get("start")]);
            starts
                .filter_map(|start| parse_instant(start?.as_str()?).ok())
                .max()
        };
        crate::streams::all()
            .filter_map(|def| Some((def.name(), starts(def.name())?)))
            .max_by_key(|(_, start)| *start)
    }

    /// The value of the next STATE message.
    pub fn to_value(&self) -> Value {
        let mut value = self.value.clone();
        value.entry("bookmarks").or_insert_with(|| json!({}));
        Value::Object(value)
    }

    fn find(&self, stream: &str) -> Option<&Map<String, Value>> {
        self.value.get("bookmarks")?.get(stream)?.as_object()
    }

    fn entry(&mut self, stream: &str) -> &mut Map<String, Value> {
        fn object<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
            let value = map.entry(key).or_insert_with(|| json!({}));
            if !value.is_object() {
                *value = json!({});
            }
            value.as_object_mut().expect("made an object above")
        }
        object(object(&mut self.value, "bookmarks"), stream)
    }

    fn partitions(&self, stream: &str) -> Option<&Vec<Value>> {
        self.find(stream)?.get("partitions")?.as_array()
    }

    /// The partition's own entry.
    fn own(&self, stream: &str, partition: &Partition) -> Option<&Value> {
        let place = self.places.get(stream)?.get(partition)?;
        self.partitions(stream)?.get(*place)
    }

    /// That of its whole organization, if it is the only one there.
    fn whole(&self, stream: &str, partition: &Partition) -> Option<&Value> {
        let organization = partition.organization();
        let own = self.own(stream, &organization)?;
        let entries = self.partitions(stream)?.iter();
        let contexts = entries.filter_map(|entry| entry.get("context"));
        let within = contexts.filter(|context| organization.holds(context));
        (within.take(2).count() == 1).then_some(own)
    }

    fn set(&mut self, stream: &'static str, partition: &Partition, start: DateTime<Utc>) {
        let start = json!(format_instant(start));
        let places = self.places.entry(stream).or_default();
        let known = places.get(partition).copied();
        let partitions = self
            .entry(stream)
            .entry("partitions")
            .or_insert_with(|| json!([]));
        let Value::Array(partitions) = partitions else {
            return;
        };
        if let Some(entry) = known.and_then(|place| partitions.get_mut(place)) {
            entry["start"] = start;
            return;
        }
        let place = partitions.len();
        partitions.push(json!({"context": partition.to_value(), "start": start}));
        let places = self.places.entry(stream).or_default();
        places.insert(partition.clone(), place);
    }
}

/// What a wrapper holds: a STATE line as it was printed, what `meltano state get` prints, and what its backends store.
fn unwrapped(value: Value, depth: usize) -> Value {
    const WRAPPERS: &[&str] = &[
        "singer_state",
        "completed",
        "completed_state",
        "value",
        "state",
        "partial",
        "partial_state",
    ];
    let Value::Object(mut map) = value else {
        return value;
    };
    if depth > 5 || map.contains_key("bookmarks") {
        return Value::Object(map);
    }
    let inner = |key: &str| {
        let inner = match map.get(key)? {
            // Some stores keep JSON as text.
            Value::String(text) => serde_json::from_str(text).ok().filter(Value::is_object)?,
            inner @ Value::Object(_) => inner.clone(),
            _ => return None,
        };
        (!is_nothing(&inner)).then(|| unwrapped(inner, depth + 1))
    };
    let found = WRAPPERS.iter().find_map(|key| Some((key, inner(key)?)));
    if let Some((key, mut found)) = found {
        // What a later run stored that did not come to its end, Meltano lays over the rest.
        let mut later = ["partial", "partial_state"]
            .iter()
            .filter(|later| *later != key);
        if let Some(later) = later.find_map(|later| inner(later)) {
            lay_over(&mut found, later);
        }
        return found;
    }
    // A wrapper around nothing is nothing.
    map.retain(|key, value| {
        !(WRAPPERS.contains(&key.as_str()) && is_nothing(value)) && key != "type"
    });
    Value::Object(map)
}

/// Objects are merged; anything else is replaced.
fn lay_over(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, value) in above {
                lay_over(below.entry(key).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above,
    }
}

/// `null`, or an object that holds nothing else.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_nothing),
        _ => false,
    }
}

fn check(def: &StreamDef, entry: &Value) -> Result<(), StateError> {
    let stream = def.name();
    let Some(entry) = entry.as_object() else {
        return Err(StateError(format!(
            "`bookmarks.{stream}` must be an object"
        )));
    };
    let instant = |at: &str, value: Option<&Value>| match value {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(text)) if parse_instant(text).is_ok() => Ok(()),
        Some(other) => Err(StateError(format!(
            "`bookmarks.{stream}.{at}` must be an RFC 3339 instant, not {}",
            brief(&other.to_string())
        ))),
    };
    // What another program wrote under the name of an incremental stream would count as no bookmark.
    let foreign = |at: &str, entry: &Map<String, Value>| {
        let names: Vec<String> = entry
            .keys()
            .filter(|key| *key != "context")
            .map(|key| format!("`{}`", brief(key)))
            .collect();
        let text = format!(
            "`bookmarks.{stream}{at}` has no `start`, only {}: set `start` to the time up to which everything has been extracted, or remove the entry",
            names.join(", ")
        );
        Err(StateError(text))
    };
    let says_nothing = |entry: &Map<String, Value>| {
        def.replication_key().is_some()
            && entry.get("start").is_none_or(Value::is_null)
            && entry
                .iter()
                .any(|(key, value)| key != "context" && !is_nothing(value))
    };
    instant("start", entry.get("start"))?;
    match entry.get("partitions") {
        None | Some(Value::Null) if says_nothing(entry) => foreign("", entry),
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(partitions)) => partitions.iter().enumerate().try_for_each(|(i, partition)| {
            let Some(context) = partition.get("context").and_then(Value::as_object) else {
                return Err(StateError(format!("`bookmarks.{stream}.partitions[{i}].context` must be an object")));
            };
            instant(&format!("partitions[{i}].start"), partition.get("start"))?;
            let ours = |key: &String| matches!(key.as_str(), "organization_slug" | "project_id");
            if let Some(key) = context.keys().find(|key| def.replication_key().is_some() && !ours(key)) {
                let text = format!(
                    "`bookmarks.{stream}.partitions[{i}].context` has the key `{}`, which this tap does not use; remove it",
                    brief(key)
                );
                return Err(StateError(text));
            }
            match partition.as_object().filter(|partition| says_nothing(partition)) {
                Some(partition) => foreign(&format!(".partitions[{i}]"), partition),
                None => Ok(()),
            }
        }),
        Some(_) => Err(StateError(format!("`bookmarks.{stream}.partitions` must be a list"))),
    }
}

/// Reads a state file: a state, or several lines of which the last is one, as `>>` makes them. One that is missing or empty is
/// a first run.
///
/// # Errors
/// When it cannot be read, or holds no state.
pub fn read(path: &Path) -> Result<Value, FileError> {
    if !path.exists() {
        log::info!(
            "the state file {} does not exist: this is a first run, from start_date on",
            path.display()
        );
        return Ok(json!({}));
    }
    let text = file::read(path)?;
    if text.trim().is_empty() {
        // The shell makes it for `>>` before the first run begins.
        log::warn!(
            "the state file {} is empty: this is a first run, from start_date on",
            path.display()
        );
        return Ok(json!({}));
    }
    parse(path, &text)
}

/// A state of the text of a file.
///
/// # Errors
/// When it holds none.
pub fn parse(path: &Path, text: &str) -> Result<Value, FileError> {
    let error = match file::parse_json(path, text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let is_state = |value: &Value| {
        unwrapped(value.clone(), 0).get("bookmarks").is_some() || value == &json!({})
    };
    for (after, line) in lines.iter().rev().enumerate() {
        if let Some(value) = serde_json::from_str(line).ok().filter(is_state) {
            if after > 0 {
                log::warn!(
                    "{}: the last {after} lines are not a state; using the line before them",
                    path.display()
                );
            }
            return Ok(value);
        }
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn project(id: &str) -> Partition {
        Partition(vec![
            ("organization_slug", "acme".to_owned()),
            ("project_id", id.to_owned()),
        ])
    }

    fn at(text: &str) -> DateTime<Utc> {
        parse_instant(text).expect(text)
    }

    fn checkpoint(id: &str, start: &str) -> Checkpoint {
        Checkpoint {
            stream: "issues",
            partition: project(id),
            start: at(start),
        }
    }

    #[test]
    fn what_a_run_stored_that_did_not_end_lies_over_the_rest() {
        let completed = json!({"singer_state": {"bookmarks": {"issues": {"start": "2026-01-01T00:00:00Z"}, "events": {"start": "2026-01-01T00:00:00Z"}}}});
        let partial =
            json!({"singer_state": {"bookmarks": {"issues": {"start": "2026-02-01T00:00:00Z"}}}});
        let wrapped = json!({"completed": completed, "partial": partial});
        let bookmarks = Bookmarks::parse(wrapped).expect("a state").to_value();
        assert_eq!(
            bookmarks["bookmarks"]["issues"]["start"],
            "2026-02-01T00:00:00Z"
        );
        assert_eq!(
            bookmarks["bookmarks"]["events"]["start"],
            "2026-01-01T00:00:00Z"
        );
    }

    #[test]
    fn the_partition_is_organization_and_project() {
        let place = Params(vec![
            ("organization_slug", "acme".to_owned()),
            ("project_id", "2".to_owned()),
            ("project_slug", "api".to_owned()),
            ("issue_id", "21".to_owned()),
        ]);
        assert_eq!(Partition::of(&place).to_string(), "acme/2");
    }

    #[test]
    fn a_state_of_the_older_tap_counts_for_every_project_of_the_run() {
        let mut bookmarks =
            Bookmarks::parse(json!({"bookmarks": {"issues": {"start": "2026-01-01T00:00:00Z"}, "other": 1}, "x": [1]})).expect("a state");
        assert_eq!(
            bookmarks.start("issues", &project("1")),
            Some(at("2026-01-01"))
        );
        bookmarks.plan("issues", vec![project("1"), project("2")]);
        assert!(bookmarks.apply(&checkpoint("1", "2026-02-01")));
        assert_eq!(
            bookmarks.start("issues", &project("2")),
            Some(at("2026-01-01"))
        );
        assert_eq!(
            bookmarks.start("issues", &project("3")),
            None,
            "a project that appears later starts at start_date"
        );
        let value = bookmarks.to_value();
        assert_eq!(
            value["bookmarks"]["issues"]["start"],
            "2026-01-01T00:00:00Z"
        );
        assert_eq!(
            (&value["bookmarks"]["other"], &value["x"]),
            (&json!(1), &json!([1]))
        );
    }

    #[test]
    fn a_bookmark_of_an_organization_counts_for_every_project_of_the_run() {
        let entry = json!({"start": "2026-01-01T00:00:00Z", "partitions": [
            {"context": {"organization_slug": "other"}, "start": "2026-03-01T00:00:00Z"},
            {"context": {"organization_slug": "acme"}, "start": "2026-01-01T00:00:00Z"}]});
        let mut bookmarks =
            Bookmarks::parse(json!({"bookmarks": {"issues": entry}})).expect("a state");
        bookmarks.plan("issues", vec![project("1"), project("2")]);
        assert!(bookmarks.apply(&checkpoint("1", "2026-02-01")));
        assert_eq!(
            bookmarks.start("issues", &project("2")),
            Some(at("2026-01-01"))
        );
        assert_eq!(
            bookmarks.start("issues", &project("3")),
            None,
            "a project that appears later starts at start_date"
        );
    }

    #[test]
    fn the_start_of_a_stream_is_the_least_of_its_partitions() {
        let mut bookmarks = Bookmarks::default();
        bookmarks.plan("issues", vec![project("1"), project("2")]);
        bookmarks.apply(&checkpoint("1", "2026-02-01"));
        assert_eq!(
            bookmarks.to_value()["bookmarks"]["issues"].get("start"),
            None,
            "project 2 has no progress yet"
        );
        bookmarks.apply(&checkpoint("2", "2026-03-01"));
        assert_eq!(
            bookmarks.to_value()["bookmarks"]["issues"]["start"],
            "2026-02-01T00:00:00Z"
        );
    }

    #[test]
    fn a_checkpoint_of_one_among_thousands_is_cheap() {
        // By looking for all among all at each, this takes minutes.
        let partitions: Vec<_> = (0..1_000).map(|i| project(&i.to_string())).collect();
        let mut bookmarks = Bookmarks::default();
        bookmarks.plan("issues", partitions.clone());
        for start in ["2026-01-01", "2026-01-02"] {
            for partition in &partitions {
                assert!(bookmarks.apply(&Checkpoint {
                    stream: "issues",
                    partition: partition.clone(),
                    start: at(start)
                }));
            }
        }
        assert_eq!(bookmarks.least("issues"), Some("2026-01-02T00:00:00Z"));
    }

    #[test]
    fn of_two_entries_of_one_project_the_first_counts_and_moves() {
        let entry = |start: &str| json!({"context": {"project_id": "1", "organization_slug": "acme"}, "start": start});
        let entries = [entry("2026-01-05T00:00:00Z"), entry("2026-01-09T00:00:00Z")];
        let state = json!({"bookmarks": {"issues": {"partitions": entries}}});
        let mut bookmarks = Bookmarks::parse(state).expect("a state");
        let known = bookmarks.start("issues", &project("1"));
        assert_eq!(known, Some(at("2026-01-05")));
        assert!(bookmarks.apply(&checkpoint("1", "2026-02-01")));
        let value = bookmarks.to_value();
        let partitions = &value["bookmarks"]["issues"]["partitions"];
        assert_eq!(partitions[0], entry("2026-02-01T00:00:00Z"));
        assert_eq!(partitions[1], entry("2026-01-09T00:00:00Z"));
    }

    #[test]
    fn a_bookmark_never_goes_back() {
        let mut bookmarks = Bookmarks::default();
        assert!(bookmarks.apply(&checkpoint("1", "2026-02-01")));
        assert!(!bookmarks.apply(&checkpoint("1", "2026-01-01")));
        assert_eq!(
            bookmarks.start("issues", &project("1")),
            Some(at("2026-02-01"))
        );
    }

    #[test]
    fn a_corrupt_state_is_refused_by_name() {
        for (state, part) in [
            (json!([]), "object"),
            (json!({"bookmarks": []}), "`bookmarks`"),
            (
                json!({"bookmarks": {"issues": "2026"}}),
                "`bookmarks.issues`",
            ),
            (
                json!({"bookmarks": {"events": {"start": "yesterday"}}}),
                "`bookmarks.events.start`",
            ),
            (
                json!({"bookmarks": {"events": {"start": 5}}}),
                "`bookmarks.events.start`",
            ),
            (
                json!({"bookmarks": {"events": {"partitions": {}}}}),
                "partitions",
            ),
            (
                json!({"bookmarks": {"events": {"partitions": [{"start": "2026-01-01"}]}}}),
                "partitions[0].context",
            ),
        ] {
            let error = Bookmarks::parse(state).expect_err(part).to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(Bookmarks::parse(json!({})).is_ok());
    }

    #[rstest]
    #[case::of_meltano(|state| json!({"singer_state": state}))]
    #[case::of_its_backends(|state| json!({"completed": {"singer_state": state}, "partial": {}}))]
    #[case::of_its_database(|state| json!({"completed_state": {"singer_state": state}, "partial_state": {}}))]
    #[case::a_partial_one(|state| json!({"completed": {}, "partial": {"singer_state": state}}))]
    #[case::a_message(|state| json!({"type": "STATE", "value": state}))]
    #[case::a_value(|state| json!({"value": state}))]
    #[case::as_text(|state: Value| json!({"state": state.to_string()}))]
    fn a_state_in_its_wrapper(#[case] wrap: fn(Value) -> Value) {
        let state = json!({"bookmarks": {"issues": {"start": "2026-01-01T00:00:00Z"}}});
        assert_eq!(
            Bookmarks::parse(wrap(state.clone())).expect("a state"),
            Bookmarks::parse(state).expect("a state")
        );
    }

    #[rstest]
    #[case(json!({}))]
    #[case(json!({"bookmarks": {}}))]
    #[case(json!({"singer_state": {}}))]
    #[case(json!({"completed": {}, "partial": {}}))]
    #[case(json!({"type": "STATE", "value": {}}))]
    #[case(json!({"bookmarks": {"issues": {}}}))]
    #[case(json!({"currently_syncing": null}))]
    fn a_state_that_is_empty(#[case] state: Value) {
        let bookmarks = Bookmarks::parse(state).expect("a state");
        assert_eq!(bookmarks.start("issues", &project("1")), None);
    }

    #[rstest]
    #[case::of_the_sdk(json!({"bookmarks": {"issues": {"replication_key": "lastSeen", "replication_key_value": "2026-01-01T00:00:00Z"}}}), "`replication_key_value`")]
    #[case::of_its_partitions(json!({"bookmarks": {"events": {"partitions": [{"context": {"project": "api"}, "replication_key_value": "2026-01-01"}]}}}), "`project`")]
    #[case::of_a_partition(json!({"bookmarks": {"events": {"partitions": [{"context": {"project_id": "1"}, "replication_key_value": "2026-01-01"}]}}}), "partitions[0]")]
    #[case::of_singer_python(json!({"bookmarks": {"issues": {"lastSeen": "2026-01-01T00:00:00Z"}}}), "`lastSeen`")]
    #[case::without_bookmarks(json!({"issues": {"start": "2026-01-01T00:00:00Z"}}), "no `bookmarks`, only `issues`")]
    #[case::of_something_else(json!({"last_run": "2026-01-01"}), "`last_run`")]
    fn a_bookmark_that_cannot_be_read_is_refused_by_name(#[case] state: Value, #[case] told: &str) {
        let error = Bookmarks::parse(state).expect_err("refused").to_string();
        assert!(error.contains(told), "{error}");
    }

    #[test]
    fn a_state_line_serves_as_a_state() {
        let state = json!({"bookmarks": {"issues": {"start": "2026-01-01T00:00:00Z"}}});
        let message = Bookmarks::parse(json!({"type": "STATE", "value": state})).expect("a state");
        assert_eq!(message, Bookmarks::parse(state).expect("a state"));
    }
}
