//! What was changed or left out while records were made.

use std::collections::BTreeMap;

/// What was changed or left out while records were made, for one summary a stream.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Notes {
    /// Fields that the schema lacks.
    pub unknown: BTreeMap<String, u64>,
    /// Values that were written in another form, by column.
    pub converted: BTreeMap<String, u64>,
    /// Values that could not be expressed and became `null`, by column.
    pub nulled: BTreeMap<String, u64>,
    /// Characters, numbers and depths repaired, by column.
    pub repaired: BTreeMap<String, u64>,
}

impl Notes {
    pub fn merge(&mut self, other: Self) {
        for (mine, theirs) in [
            (&mut self.unknown, other.unknown),
            (&mut self.converted, other.converted),
            (&mut self.nulled, other.nulled),
            (&mut self.repaired, other.repaired),
        ] {
            for (key, count) in theirs {
                note(mine, key, count);
            }
        }
    }
}

/// Counts the name below `path`.
pub fn count(map: &mut BTreeMap<String, u64>, path: &str, name: &str) {
    match map.get_mut(name).filter(|_| path.is_empty()) {
        Some(count) => *count += 1,
        None => note(map, format!("{path}{name}"), 1),
    }
}

/// Names of unknown fields are the server's: an object keyed by data would fill the memory, and the log.
fn note(map: &mut BTreeMap<String, u64>, mut name: String, count: u64) {
    if let Some((cut, _)) = name.char_indices().nth(MOST_LETTERS) {
        name.replace_range(cut.., "…");
    }
    if map.len() >= MOST_NAMES && !map.contains_key(&name) {
        "…".clone_into(&mut name);
    }
    *map.entry(name).or_default() += count;
}

/// Names that are told apart, for each kind of note.
pub const MOST_NAMES: usize = 200;
/// Characters of a name that are told.
pub const MOST_LETTERS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::{all, write_row};
    use serde_json::json;

    #[test]
    fn the_names_that_are_noted_are_bounded() {
        let properties = json!({"id": {"type": "string"}, "p": {"type": ["object", "null"], "properties": {"a": {"type": "integer"}}}});
        let mut sum = Notes::default();
        for page in 0..5 {
            let keys: Vec<String> = (0..500)
                .map(|i| format!(r#""{}{page}.{i}":1"#, "k".repeat(i)))
                .collect();
            let row = format!(
                r#"{{"id":"1","p":{{{}}},{}}}"#,
                keys.join(","),
                keys.join(",")
            );
            sum.merge(write_row("teams", &properties, &row, &all).1.notes);
        }
        assert_eq!(sum.unknown.values().sum::<u64>(), 5_000);
        assert!(sum.unknown.len() <= MOST_NAMES + 1, "{}", sum.unknown.len());
        assert!(
            sum.unknown
                .keys()
                .all(|name| name.chars().count() <= MOST_LETTERS + 1)
        );
    }
}
