//! What is known of a folder's streams: `manifest.json`. It has what the names of files do not tell, and what a run has to
//! know of streams that it does not select.

use crate::format::Format;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
    /// The greatest `_sdc_sequence` ever given.
    #[serde(default)]
    pub sequence: i64,
    #[serde(default)]
    pub streams: BTreeMap<String, StreamEntry>,
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
    /// Columns came when there were files already: these may lack some.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub widened: bool,
    /// What that version holds, where no rows of another came since: a list that is the same is not written again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

impl Manifest {
    pub fn new(format: Format) -> Self {
        Self {
            version: VERSION,
            format,
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
        let manifest: Self = serde_json::from_slice(text).map_err(|e| e.to_string())?;
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
