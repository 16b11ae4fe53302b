//! Some rows of a file that is read, whichever its format.

use super::lines::{self, LineCopy};
use super::mark::Mark;
use crate::error::Error;
use crate::format::Format;
use crate::parquet::RecordBatch;
use crate::parquet::batches::{self, BatchCopy};
use crate::row::Layout;
use std::path::Path;

/// Some rows.
pub enum Chunk {
    Batch(RecordBatch),
    Lines(Vec<Vec<u8>>),
}

/// The rows of a file.
pub struct Chunks(Box<dyn Iterator<Item = Result<Chunk, Error>>>);

impl Chunks {
    /// Whole rows.
    pub fn whole(path: &Path, layout: &Layout) -> Result<Self, Error> {
        Self::read(path, layout, None)
    }

    /// At least what [`Chunk::marks`] needs.
    pub fn keys(path: &Path, layout: &Layout) -> Result<Self, Error> {
        Self::read(path, layout, Some(layout))
    }

    fn read(path: &Path, layout: &Layout, keys: Option<&Layout>) -> Result<Self, Error> {
        Ok(Self(match layout.format {
            Format::Parquet => {
                Box::new(batches::read(path, keys)?.map(|batch| batch.map(Chunk::Batch)))
            }
            Format::Jsonl => Box::new(lines::read(path)?.map(|lines| lines.map(Chunk::Lines))),
        }))
    }
}

impl Iterator for Chunks {
    type Item = Result<Chunk, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl Chunk {
    pub fn marks(&self, layout: &Layout, path: &Path) -> Result<Vec<Mark>, Error> {
        match self {
            Self::Batch(batch) => batches::marks(batch, layout, path),
            Self::Lines(lines) => lines::marks(lines, layout, path),
        }
    }

    pub fn sequences(&self, path: &Path) -> Result<Vec<i64>, Error> {
        match self {
            Self::Batch(batch) => batches::sequences(batch, path),
            Self::Lines(lines) => lines::sequences(lines, path),
        }
    }
}

/// A new file of rows that are kept.
pub enum Copy {
    Batches(Box<BatchCopy>),
    Lines(LineCopy),
}

impl Copy {
    pub fn create(path: &Path, layout: &Layout) -> Result<Self, Error> {
        Ok(match layout.format {
            Format::Parquet => Self::Batches(Box::new(BatchCopy::create(path, layout)?)),
            Format::Jsonl => Self::Lines(LineCopy::create(path, layout.compression)?),
        })
    }

    /// Appends the rows that are to be kept.
    pub fn append(&mut self, chunk: &Chunk, keep: &[bool]) -> Result<(), Error> {
        match (self, chunk) {
            (Self::Batches(copy), Chunk::Batch(batch)) => copy.append(batch, keep),
            (Self::Lines(copy), Chunk::Lines(lines)) => copy.append(lines, keep),
            _ => unreachable!("a folder has files of one format"),
        }
    }

    /// Bytes on the disk by now.
    pub fn size(&self) -> Result<u64, Error> {
        match self {
            Self::Batches(copy) => Ok(copy.size()),
            Self::Lines(copy) => copy.size(),
        }
    }

    pub fn finish(self) -> Result<(), Error> {
        match self {
            Self::Batches(copy) => copy.finish(),
            Self::Lines(copy) => copy.finish(),
        }
    }
}
