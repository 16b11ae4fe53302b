//! The last rows of the folder, by key: incremental streams are read again from a little before their bookmark, and what has
//! not changed since is not written again.
//!
//! It is kept from one run to the next in `.recent`, which is removed while a run writes: after a kill nothing is known, and
//! rows are written twice. A row that is not known is written; what is known is always in the files.

use crate::atomic;
use crate::error::{At, Error};
use rustc_hash::FxHashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// The first bytes of the file: what it is, and its version.
const MAGIC: &[u8; 8] = b"recent 1";
/// Bytes of a row: its key, and what it holds.
const ENTRY: usize = 16 + 8;

/// Keys of rows, and digests of what they hold. Two generations of bounded size.
#[derive(Debug, Default)]
pub struct Recent {
    young: FxHashMap<u128, u64>,
    old: FxHashMap<u128, u64>,
}

impl Recent {
    const GENERATION: usize = 50_000;

    /// What the last run has left. It is gone from the disk then.
    pub fn take(path: &Path) -> Result<Self, Error> {
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            bytes => bytes.at(path)?,
        };
        atomic::remove(path)?;
        Ok(Self {
            young: FxHashMap::default(),
            // Of another version: nothing is known.
            old: bytes.strip_prefix(MAGIC).map(entries).unwrap_or_default(),
        })
    }

    /// Leaves it for the next run.
    pub fn leave(&self, path: &Path) -> Result<(), Error> {
        let mut bytes = MAGIC.to_vec();
        let old = self
            .old
            .iter()
            .filter(|(key, _)| !self.young.contains_key(key));
        for (key, content) in self.young.iter().chain(old) {
            bytes.extend_from_slice(&key.to_le_bytes());
            bytes.extend_from_slice(&content.to_le_bytes());
        }
        atomic::replace(path, &bytes)
    }

    /// Whether the last row of this key does not hold the same.
    pub fn is_new(&mut self, key: u128, content: u64) -> bool {
        let known = self.young.get(&key).or_else(|| self.old.get(&key));
        let is_new = known != Some(&content);
        // Rows that come again stay, as long as there is room.
        if self.young.len() >= Self::GENERATION && !self.young.contains_key(&key) {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        // All at once: a table that grows is copied again and again.
        if self.young.capacity() == 0 {
            self.young.reserve(Self::GENERATION);
        }
        self.young.insert(key, content);
        is_new
    }
}

fn entries(bytes: &[u8]) -> FxHashMap<u128, u64> {
    let (entries, _) = bytes.as_chunks::<ENTRY>();
    let entry = |entry: &[u8; ENTRY]| {
        let (key, content) = entry.split_at(16);
        Some((
            u128::from_le_bytes(key.try_into().ok()?),
            u64::from_le_bytes(content.try_into().ok()?),
        ))
    };
    entries.iter().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_known_as_long_as_it_is_the_last_of_its_key() {
        let mut recent = Recent::default();
        assert!(recent.is_new(1, 10) && !recent.is_new(1, 10));
        assert!(recent.is_new(1, 11), "it has changed");
        assert!(recent.is_new(1, 10), "and changed back");
        for key in 2..=Recent::GENERATION as u128 {
            recent.is_new(key, 0);
        }
        assert!(!recent.is_new(1, 10), "it is of the older generation");
    }

    #[test]
    fn what_is_known_is_known_in_the_next_run_unless_this_one_is_killed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(".recent");
        let mut recent = Recent::take(&path).expect("there is none");
        recent.is_new(7, 1);
        recent.is_new(u128::MAX, 2);
        recent.leave(&path).expect("it is written");
        let mut recent = Recent::take(&path).expect("it is read");
        assert!(!recent.is_new(7, 1) && !recent.is_new(u128::MAX, 2) && recent.is_new(8, 0));
        let mut recent = Recent::take(&path).expect("the run before was killed");
        assert!(recent.is_new(7, 1));
        fs::write(&path, "recent 2........................").expect("it is written");
        assert!(Recent::take(&path).expect("another version").is_new(7, 1));
    }
}
