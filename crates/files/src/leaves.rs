//! Which columns each file of a stream has: files from before a column came lack it.

use crate::error::Error;
use crate::folder::RowFile;
use crate::parquet;
use std::collections::BTreeSet;

/// The columns of each file, members of structs among them.
#[derive(Debug, Default)]
pub struct Leaves(Vec<BTreeSet<String>>);

impl Leaves {
    /// Reads the columns of these files of Parquet.
    pub fn of(files: &[RowFile]) -> Result<Self, Error> {
        let leaves = |file: &RowFile| parquet::leaves(&file.path);
        files.iter().map(leaves).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a file lacks columns that others have. None does where they are not known.
    pub fn are_fewer(&self, file: usize) -> bool {
        let all = || self.0.iter().flatten();
        self.0
            .get(file)
            .is_some_and(|own| all().any(|leaf| !own.contains(leaf)))
    }

    /// Files that have the same columns, in the order of the first of each.
    pub fn groups(&self) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (i, leaves) in self.0.iter().enumerate() {
            match groups.iter_mut().find(|group| self.0[group[0]] == *leaves) {
                Some(group) => group.push(i),
                None => groups.push(vec![i]),
            }
        }
        groups
    }
}
