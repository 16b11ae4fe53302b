//! What can go wrong with a spool.

use std::path::PathBuf;

/// Why a spool cannot be opened. The texts say what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{}: {error}; the folder has to be on a disk that this program may write to", file.display())]
    Unusable {
        file: PathBuf,
        error: std::io::Error,
    },
    #[error("{} is in use by another process: stop that one, or name another folder", .0.display())]
    Locked(PathBuf),
    #[error(
        "{} is of another version of this program ({found}; this one reads {known}): start that version until it is empty, or move the file away", file.display()
    )]
    OtherVersion {
        file: PathBuf,
        found: String,
        known: u64,
    },
    #[error("{} cannot be read ({why}): if it is a spool it is damaged; move it away to start with an empty one", file.display())]
    Unreadable { file: PathBuf, why: String },
}

/// Why a request is not on the disk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unkept {
    #[error("the spool is full: Sentry takes less at the moment than comes in")]
    Full,
    #[error("the spool cannot be written: {0}")]
    Failed(String),
    /// What is received would wait behind what cannot be read.
    #[error("the spool cannot be read: {0}")]
    Stuck(String),
    #[error("the spool is closed")]
    Closed,
}

/// Why the store cannot do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The disk fails, which may pass.
    #[error("{0}")]
    Passing(String),
    /// What is on the disk is not what was written.
    #[error("the spool is damaged: {0}")]
    Damaged(String),
}

impl Failure {
    /// What the store says.
    pub fn of(error: impl Into<redb::Error>) -> Self {
        match error.into() {
            redb::Error::Corrupted(why) => Self::Damaged(why),
            other => Self::Passing(other.to_string()),
        }
    }
}
