//! What stands for [`crate::parquet`] in a program that is built without Parquet: there are no such files. A folder that would
//! have them is refused when it is opened.

use crate::error::Error;
use crate::row::{Layout, Row};
use std::collections::BTreeSet;
use std::path::Path;

/// There is none.
pub enum ParquetFile {}

impl ParquetFile {
    pub fn create(path: &Path, _: &Layout) -> Result<Self, Error> {
        Err(not_built(path))
    }

    pub fn append(&mut self, _: &Row<'_>, _: i64) -> Result<(), Error> {
        match *self {}
    }

    pub fn finish(self) -> Result<(), Error> {
        match self {}
    }
}

/// There is none.
pub enum RecordBatch {}

pub fn leaves(path: &Path) -> Result<BTreeSet<String>, Error> {
    Err(not_built(path))
}

fn not_built(path: &Path) -> Error {
    Error::NotBuilt(path.to_owned())
}

pub mod batches {
    use super::{RecordBatch, not_built};
    use crate::compact::mark::Mark;
    use crate::error::Error;
    use crate::row::Layout;
    use std::path::Path;

    pub fn read(
        path: &Path,
        _: Option<&Layout>,
    ) -> Result<std::iter::Empty<Result<RecordBatch, Error>>, Error> {
        Err(not_built(path))
    }

    pub fn marks(batch: &RecordBatch, _: &Layout, _: &Path) -> Result<Vec<Mark>, Error> {
        match *batch {}
    }

    pub fn sequences(batch: &RecordBatch, _: &Path) -> Result<Vec<i64>, Error> {
        match *batch {}
    }

    /// There is none.
    pub enum BatchCopy {}

    impl BatchCopy {
        pub fn create(path: &Path, _: &Layout) -> Result<Self, Error> {
            Err(not_built(path))
        }

        pub fn append(&mut self, _: &RecordBatch, _: &[bool]) -> Result<(), Error> {
            match *self {}
        }

        pub fn size(&self) -> u64 {
            match *self {}
        }

        pub fn finish(self) -> Result<(), Error> {
            match self {}
        }
    }
}
