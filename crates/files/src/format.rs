//! The formats that rows are written in.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Columns of the types that the schema declares, compressed by zstd.
    #[default]
    Parquet,
    /// One JSON object a line, as in a RECORD message.
    Jsonl,
}

/// How JSON lines are compressed. Parquet compresses its pages itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    #[default]
    None,
    Zstd,
    Gzip,
}

impl Compression {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::None
    }
}

impl Format {
    /// Whether the program can write and read it: Parquet is a feature of the build.
    pub fn is_built(self) -> bool {
        self != Self::Parquet || cfg!(feature = "parquet")
    }

    /// What the names of its files end in, whatever their compression.
    pub(crate) fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Parquet => &["parquet"],
            Self::Jsonl => &["jsonl", "jsonl.zst", "jsonl.gz"],
        }
    }

    /// What the name of a new file ends in.
    pub(crate) fn ending(self, compression: Compression) -> &'static str {
        match (self, compression) {
            (Self::Parquet, _) => "parquet",
            (Self::Jsonl, Compression::None) => "jsonl",
            (Self::Jsonl, Compression::Zstd) => "jsonl.zst",
            (Self::Jsonl, Compression::Gzip) => "jsonl.gz",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Parquet => "parquet",
            Self::Jsonl => "jsonl",
        })
    }
}
