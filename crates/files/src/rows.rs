//! The file that rows are written to, whichever its format.

use crate::error::Error;
use crate::format::Format;
use crate::jsonl::JsonlFile;
use crate::parquet::ParquetFile;
use crate::row::{Layout, Row};
use std::path::Path;

/// A file under construction.
pub(crate) enum Rows {
    Parquet(Box<ParquetFile>),
    Jsonl(Box<JsonlFile>),
}

impl Rows {
    pub fn create(path: &Path, layout: &Layout) -> Result<Self, Error> {
        Ok(match layout.format {
            Format::Parquet => Self::Parquet(Box::new(ParquetFile::create(path, layout)?)),
            Format::Jsonl => Self::Jsonl(Box::new(JsonlFile::create(path, layout.compression)?)),
        })
    }

    pub fn append(&mut self, row: &Row<'_>, sequence: i64) -> Result<(), Error> {
        match self {
            Self::Parquet(file) => file.append(row, sequence),
            Self::Jsonl(file) => file.append(row, sequence),
        }
    }

    /// Writes what is left, and returns when all of it is on the disk.
    pub fn finish(self) -> Result<(), Error> {
        match self {
            Self::Parquet(file) => file.finish(),
            Self::Jsonl(file) => file.finish(),
        }
    }
}
