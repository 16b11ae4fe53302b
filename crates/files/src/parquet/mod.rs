//! Files of Parquet.
//!
//! | file | holds |
//! |---|---|
//! | `fields` | columns as Arrow's fields |
//! | `arrays` | rows as Arrow's arrays |
//! | `file` | a file that a run writes |
//! | `encoder` | arrays on their way to the disk |
//! | `batches` | files as compaction reads and writes them |

mod arrays;
pub mod batches;
mod encoder;
mod fields;
mod file;

use crate::error::{At, Error};
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::errors::Result as ParquetResult;
pub use arrow_array::RecordBatch;
pub use file::ParquetFile;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

/// The columns of a file, members of structs among them.
pub fn leaves(path: &Path) -> Result<BTreeSet<String>, Error> {
    let file = File::open(path).at(path)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).at(path)?;
    let columns = reader.parquet_schema().columns().iter();
    Ok(columns.map(|column| column.path().string()).collect())
}

impl<T> At<T> for ParquetResult<T> {
    fn at(self, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Parquet {
            path: path.to_owned(),
            source,
        })
    }
}
