//! What can go wrong in a folder.

use crate::format::Format;
use crate::manifest::Source;
use std::io;
use std::path::{Path, PathBuf};

/// Why a folder cannot be written to, or not by this run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is in use by another run; wait for it, or choose another folder", .0.display())]
    InUse(PathBuf),
    #[error("{}: {problem}", path.display())]
    Unusable { path: PathBuf, problem: String },
    #[error("{} holds {held} files; add `--output-format {held}`, or choose another folder", path.display())]
    OtherFormat { path: PathBuf, held: Format },
    #[error(transparent)]
    OtherSource(Box<OtherSource>),
    #[error(transparent)]
    OtherType(Box<OtherType>),
    #[error("an answer makes {0} bytes of rows; only 2 GiB can be written at once")]
    TooLong(usize),
    #[error("{stream}: column `{column}` cannot hold {value}")]
    Value {
        stream: String,
        column: String,
        value: String,
    },
    #[cfg(feature = "parquet")]
    #[error("{}: {source}", path.display())]
    Parquet {
        path: PathBuf,
        source: parquet::errors::ParquetError,
    },
    #[error(
        "{}: this program is built without Parquet (cargo's feature `parquet`); add `--output-format jsonl`, and choose another folder where there are files", .0.display()
    )]
    NotBuilt(PathBuf),
}

/// Rows that do not belong to those of the folder.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} holds rows of {held}, and this run reads {now}: choose another folder, or change `source` in its manifest.json if both are the same", path.display()
)]
pub struct OtherSource {
    pub path: PathBuf,
    pub held: Source,
    pub now: Source,
}

/// A column that cannot be read together with the files that there are.
#[derive(Debug, thiserror::Error)]
#[error(
    "column `{column}` of {stream} is {now}, and {before} in the files of {}; choose another folder, or write it as before", path.display()
)]
pub struct OtherType {
    pub path: PathBuf,
    pub stream: String,
    pub column: String,
    pub before: String,
    pub now: String,
}

impl Error {
    /// Whether a run could not even begin: the folder is held, or is of another kind. Otherwise it could not be written to.
    pub fn is_of_setup(&self) -> bool {
        matches!(
            self,
            Self::InUse(_)
                | Self::Unusable { .. }
                | Self::OtherFormat { .. }
                | Self::OtherSource(_)
                | Self::OtherType(_)
                | Self::NotBuilt(_)
        )
    }
}

/// Names the file of a failure.
pub(crate) trait At<T> {
    fn at(self, path: &Path) -> Result<T, Error>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })
    }
}
