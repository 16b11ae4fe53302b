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

use crate::error::brief;
use crate::time::{format_instant, parse_instant};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};

/// The values that name a partition, in the order of the context.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub Vec<(&'static str, String)>);

impl Partition {
    fn to_value(&self) -> Value {
        Value::Object(self.0.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect())
    }

    fn is(&self, context: &Value) -> bool {
        context.as_object().is_some_and(|map| map.len() == self.0.len()) && self.holds(context)
    }

    fn holds(&self, context: &Value) -> bool {
        self.0.iter().all(|(name, value)| context.get(name).and_then(Value::as_str) == Some(value))
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
#[error("the state is not usable: {0}; mend it, or leave out --state to start at start_date")]
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
    /// Where the partitions of this run are; a stream's `start` is their minimum. They are in `value` too, but to be
    /// searched for: too slow for each of thousands at each checkpoint.
    planned: BTreeMap<&'static str, HashMap<Partition, Option<DateTime<Utc>>>>,
}

impl Bookmarks {
    /// Reads the value of a STATE message.
    ///
    /// # Errors
    /// When the shape or an instant of one of this tap's streams is not as written by it or its predecessor.
    pub fn parse(value: Value) -> Result<Self, StateError> {
        let Value::Object(mut value) = value else {
            return Err(StateError("it must be a JSON object".to_owned()));
        };
        // A STATE line kept as it was printed serves as well.
        if value.get("type").is_some_and(|kind| kind == "STATE")
            && let Some(Value::Object(inner)) = value.remove("value")
        {
            value = inner;
        }
        match value.get("bookmarks") {
            None => {}
            Some(Value::Object(bookmarks)) => {
                for def in crate::streams::STREAMS {
                    if let Some(entry) = bookmarks.get(def.name) {
                        check(def.name, entry)?;
                    }
                }
            }
            Some(_) => return Err(StateError("`bookmarks` must be an object".to_owned())),
        }
        Ok(Self { value, planned: BTreeMap::new() })
    }

    /// How many bytes the state is as JSON.
    pub fn size(&self) -> usize {
        serde_json::to_vec(&self.value).map_or(0, |text| text.len())
    }

    /// Where the partition was left, if it was ever.
    pub fn start(&self, stream: &str, partition: &Partition) -> Option<DateTime<Utc>> {
        let entry = self.find(stream)?;
        match entry.get("partitions").and_then(Value::as_array) {
            Some(partitions) => own(partitions, partition).or_else(|| whole(partitions, partition))?.get("start"),
            None => entry.get("start"),
        }
        .and_then(Value::as_str)
        .and_then(|text| parse_instant(text).ok())
    }

    /// Names the partitions of this run. What counts for all of them is written into each, so that a project that
    /// appears later starts at `start_date` and not there.
    pub fn plan(&mut self, stream: &'static str, partitions: Vec<Partition>) {
        let starts: Vec<_> = partitions.iter().map(|partition| self.start(stream, partition)).collect();
        for (partition, start) in partitions.iter().zip(&starts) {
            let known = self.find(stream).and_then(|entry| entry.get("partitions")?.as_array()).and_then(|list| own(list, partition));
            if let (None, Some(start)) = (known, start) {
                self.set(stream, partition, *start);
            }
        }
        self.planned.entry(stream).or_default().extend(partitions.into_iter().zip(starts));
    }

    /// Moves a partition forward, never back. Returns whether anything changed.
    pub fn apply(&mut self, checkpoint: &Checkpoint) -> bool {
        let Checkpoint { stream, partition, start } = checkpoint;
        if self.start(stream, partition).is_some_and(|known| known >= *start)
            && self.find(stream).is_some_and(|e| e.get("partitions").is_some())
        {
            return false;
        }
        self.set(stream, partition, *start);
        let Some(planned) = self.planned.get_mut(stream) else { return true };
        if let Some(known) = planned.get_mut(partition) {
            *known = Some(*start);
        }
        // `None` is the least: a partition without progress.
        if let Some(least) = planned.values().min().copied().flatten() {
            self.entry(stream).insert("start".to_owned(), json!(format_instant(least)));
        }
        true
    }

    /// The `start` of a stream: the least of its partitions.
    pub fn least(&self, stream: &str) -> Option<&str> {
        self.find(stream)?.get("start")?.as_str()
    }

    /// The bookmark that is furthest ahead, and its stream.
    pub fn latest(&self) -> Option<(&'static str, DateTime<Utc>)> {
        let starts = |name: &str| {
            let entry = self.find(name)?;
            let partitions = entry.get("partitions").and_then(Value::as_array).into_iter().flatten();
            let starts = partitions.map(|partition| partition.get("start")).chain([entry.get("start")]);
            starts.filter_map(|start| parse_instant(start?.as_str()?).ok()).max()
        };
        crate::streams::STREAMS.iter().filter_map(|def| Some((def.name, starts(def.name)?))).max_by_key(|(_, start)| *start)
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

    fn set(&mut self, stream: &str, partition: &Partition, start: DateTime<Utc>) {
        let start = json!(format_instant(start));
        let partitions = self.entry(stream).entry("partitions").or_insert_with(|| json!([]));
        let Value::Array(partitions) = partitions else { return };
        match partitions.iter_mut().find(|p| p.get("context").is_some_and(|c| partition.is(c))) {
            Some(known) => known["start"] = start,
            None => partitions.push(json!({"context": partition.to_value(), "start": start})),
        }
    }
}

/// The partition's own entry.
fn own<'a>(partitions: &'a [Value], partition: &Partition) -> Option<&'a Value> {
    partitions.iter().find(|p| p.get("context").is_some_and(|c| partition.is(c)))
}

/// That of its whole organization, if it is the only one there.
fn whole<'a>(partitions: &'a [Value], partition: &Partition) -> Option<&'a Value> {
    let organization = Partition(partition.0.iter().take(1).cloned().collect());
    let mut within = partitions.iter().filter(|p| p.get("context").is_some_and(|c| organization.holds(c)));
    within.next().filter(|p| organization.is(&p["context"]) && within.next().is_none())
}

fn check(stream: &str, entry: &Value) -> Result<(), StateError> {
    let Some(entry) = entry.as_object() else {
        return Err(StateError(format!("`bookmarks.{stream}` must be an object")));
    };
    let instant = |at: &str, value: Option<&Value>| match value {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(text)) if parse_instant(text).is_ok() => Ok(()),
        Some(other) => Err(StateError(format!("`bookmarks.{stream}.{at}` must be an RFC 3339 instant, not {}", brief(&other.to_string())))),
    };
    instant("start", entry.get("start"))?;
    match entry.get("partitions") {
        None => Ok(()),
        Some(Value::Array(partitions)) => partitions.iter().enumerate().try_for_each(|(i, partition)| {
            if !partition.get("context").is_some_and(Value::is_object) {
                return Err(StateError(format!("`bookmarks.{stream}.partitions[{i}].context` must be an object")));
            }
            instant(&format!("partitions[{i}].start"), partition.get("start"))
        }),
        Some(_) => Err(StateError(format!("`bookmarks.{stream}.partitions` must be a list"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(id: &str) -> Partition {
        Partition(vec![("organization_slug", "acme".to_owned()), ("project_id", id.to_owned())])
    }

    fn at(text: &str) -> DateTime<Utc> {
        parse_instant(text).expect(text)
    }

    fn checkpoint(id: &str, start: &str) -> Checkpoint {
        Checkpoint { stream: "issues", partition: project(id), start: at(start) }
    }

    #[test]
    fn a_state_of_the_older_tap_counts_for_every_project_of_the_run() {
        let mut bookmarks =
            Bookmarks::parse(json!({"bookmarks": {"issues": {"start": "2026-01-01T00:00:00Z"}, "other": 1}, "x": [1]})).expect("a state");
        assert_eq!(bookmarks.start("issues", &project("1")), Some(at("2026-01-01")));
        bookmarks.plan("issues", vec![project("1"), project("2")]);
        assert!(bookmarks.apply(&checkpoint("1", "2026-02-01")));
        assert_eq!(bookmarks.start("issues", &project("2")), Some(at("2026-01-01")));
        assert_eq!(bookmarks.start("issues", &project("3")), None, "a project that appears later starts at start_date");
        let value = bookmarks.to_value();
        assert_eq!(value["bookmarks"]["issues"]["start"], "2026-01-01T00:00:00Z");
        assert_eq!((&value["bookmarks"]["other"], &value["x"]), (&json!(1), &json!([1])));
    }

    #[test]
    fn a_bookmark_of_an_organization_counts_for_every_project_of_the_run() {
        let entry = json!({"start": "2026-01-01T00:00:00Z", "partitions": [
            {"context": {"organization_slug": "other"}, "start": "2026-03-01T00:00:00Z"},
            {"context": {"organization_slug": "acme"}, "start": "2026-01-01T00:00:00Z"}]});
        let mut bookmarks = Bookmarks::parse(json!({"bookmarks": {"issues": entry}})).expect("a state");
        bookmarks.plan("issues", vec![project("1"), project("2")]);
        assert!(bookmarks.apply(&checkpoint("1", "2026-02-01")));
        assert_eq!(bookmarks.start("issues", &project("2")), Some(at("2026-01-01")));
        assert_eq!(bookmarks.start("issues", &project("3")), None, "a project that appears later starts at start_date");
    }

    #[test]
    fn the_start_of_a_stream_is_the_least_of_its_partitions() {
        let mut bookmarks = Bookmarks::default();
        bookmarks.plan("issues", vec![project("1"), project("2")]);
        bookmarks.apply(&checkpoint("1", "2026-02-01"));
        assert_eq!(bookmarks.to_value()["bookmarks"]["issues"].get("start"), None, "project 2 has no progress yet");
        bookmarks.apply(&checkpoint("2", "2026-03-01"));
        assert_eq!(bookmarks.to_value()["bookmarks"]["issues"]["start"], "2026-02-01T00:00:00Z");
    }

    #[test]
    fn a_checkpoint_of_one_among_thousands_is_cheap() {
        // By looking for all among all at each, this takes minutes.
        let partitions: Vec<_> = (0..1_000).map(|i| project(&i.to_string())).collect();
        let mut bookmarks = Bookmarks::default();
        bookmarks.plan("issues", partitions.clone());
        for start in ["2026-01-01", "2026-01-02"] {
            for partition in &partitions {
                assert!(bookmarks.apply(&Checkpoint { stream: "issues", partition: partition.clone(), start: at(start) }));
            }
        }
        assert_eq!(bookmarks.least("issues"), Some("2026-01-02T00:00:00Z"));
    }

    #[test]
    fn a_bookmark_never_goes_back() {
        let mut bookmarks = Bookmarks::default();
        assert!(bookmarks.apply(&checkpoint("1", "2026-02-01")));
        assert!(!bookmarks.apply(&checkpoint("1", "2026-01-01")));
        assert_eq!(bookmarks.start("issues", &project("1")), Some(at("2026-02-01")));
    }

    #[test]
    fn a_corrupt_state_is_refused_by_name() {
        for (state, part) in [
            (json!([]), "object"),
            (json!({"bookmarks": []}), "`bookmarks`"),
            (json!({"bookmarks": {"issues": "2026"}}), "`bookmarks.issues`"),
            (json!({"bookmarks": {"events": {"start": "yesterday"}}}), "`bookmarks.events.start`"),
            (json!({"bookmarks": {"events": {"start": 5}}}), "`bookmarks.events.start`"),
            (json!({"bookmarks": {"events": {"partitions": {}}}}), "partitions"),
            (json!({"bookmarks": {"events": {"partitions": [{"start": "2026-01-01"}]}}}), "partitions[0].context"),
        ] {
            let error = Bookmarks::parse(state).expect_err(part).to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(Bookmarks::parse(json!({})).is_ok());
    }

    #[test]
    fn a_state_line_serves_as_a_state() {
        let state = json!({"bookmarks": {"issues": {"start": "2026-01-01T00:00:00Z"}}});
        let message = Bookmarks::parse(json!({"type": "STATE", "value": state})).expect("a state");
        assert_eq!(message, Bookmarks::parse(state).expect("a state"));
    }
}
