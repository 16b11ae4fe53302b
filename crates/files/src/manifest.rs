//! What is known of a folder's streams: `manifest.json`. It has what the names of files do not tell, and what a run has to
//! know of streams that it does not select.

use crate::format::{Compression, Format};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What this program writes, and reads.
const VERSION: u32 = 1;

/// What is known of a folder's streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Of this file's layout.
    version: u32,
    /// All files of rows are of one format.
    pub format: Format,
    /// Of new files of JSON lines, unless a run names another one.
    #[serde(default, skip_serializing_if = "Compression::is_none")]
    pub compression: Compression,
    /// Where the rows come from; not known before the first run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The greatest `_sdc_sequence` ever given.
    #[serde(default)]
    pub sequence: i64,
    #[serde(default)]
    pub streams: BTreeMap<String, StreamEntry>,
}

/// Where rows come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The address of the server.
    pub server: String,
    /// Slugs; none where a run reads all organizations that its token sees.
    pub organizations: Vec<String>,
}

impl Source {
    /// Whether rows of both can be in one folder: those of another organization have keys of their own, but its lists would
    /// be taken for news of the same.
    pub(crate) fn is_with(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.organizations, &other.organizations);
        let is_any = ours.is_empty() || theirs.is_empty();
        self.server == other.server && (is_any || ours.iter().any(|slug| theirs.contains(slug)))
    }

    /// Where the rows of a folder come from once it has those of a run from there too. All that a token sees may have any name.
    pub(crate) fn with(mut self, other: Self) -> Self {
        if !self.organizations.is_empty() {
            for slug in other.organizations {
                if !self.organizations.contains(&slug) {
                    self.organizations.push(slug);
                }
            }
        }
        self
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.organizations.is_empty() {
            write!(f, "{} at ", self.organizations.join(", "))?;
        }
        f.write_str(&self.server)
    }
}

/// What is known of one stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamEntry {
    pub key_properties: Vec<String>,
    /// Every run reads the whole list, and its rows have a `_sdc_table_version`.
    #[serde(default)]
    pub full_table: bool,
    /// Of a full-table stream: rows of versions before are gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_version: Option<i64>,
    /// A refresh has read it whole: files whose rows are all of before this `_sdc_sequence` are replaced, and are being removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_before: Option<i64>,
    /// How many columns of the files the last run did not select.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unselected: usize,
    /// Columns came when there were files already: these may lack some.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub widened: bool,
    /// What that version holds, where no rows of another came since: a list that is the same is not written again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Manifest {
    pub fn new(format: Format) -> Self {
        Self {
            version: VERSION,
            format,
            compression: Compression::None,
            source: None,
            sequence: 0,
            streams: BTreeMap::new(),
        }
    }

    /// What is known of a stream, which is nothing so far where it is new.
    pub(crate) fn entry(&mut self, stream: &str) -> &mut StreamEntry {
        self.streams.entry(stream.to_owned()).or_default()
    }

    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(text).map_err(|problem| {
            format!("it is no manifest of this program ({problem}): choose another folder, or restore it")
        })?;
        if manifest.version == VERSION {
            Ok(manifest)
        } else {
            Err(format!(
                "version {} is not known to this program, which writes {VERSION}",
                manifest.version
            ))
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("a manifest is JSON");
        text.push(b'\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn source(server: &str, organizations: &[&str]) -> Source {
        Source {
            server: server.to_owned(),
            organizations: organizations.iter().map(|&slug| slug.to_owned()).collect(),
        }
    }

    #[rstest]
    #[case::same(&["a"], &["a"], &["a"])]
    #[case::more(&["a"], &["b", "a"], &["a", "b"])]
    #[case::fewer(&["a", "b"], &["b"], &["a", "b"])]
    #[case::all_that_is_seen(&["a"], &[], &["a"])]
    #[case::one_of_all(&[], &["a"], &[])]
    fn rows_of_one_organization_go_together(
        #[case] held: &[&str],
        #[case] now: &[&str],
        #[case] both: &[&str],
    ) {
        let (held, now) = (source("s", held), source("s", now));
        assert!(held.is_with(&now));
        assert_eq!(held.with(now), source("s", both));
    }

    #[test]
    fn rows_of_others_do_not() {
        let held = source("s", &["a", "b"]);
        assert!(!held.is_with(&source("s", &["c"])));
        assert!(!held.is_with(&source("t", &["a"])));
        assert!(!held.is_with(&source("t", &[])));
    }
}
