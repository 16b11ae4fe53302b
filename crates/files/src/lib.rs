//! Rows of streams as files of one folder, for whoever wants rows and no target.
//!
//! ```text
//! DIR/issues/1764412800000001-1764412800040000.parquet   rows, by the first and the last `_sdc_sequence`
//! DIR/schema/issues.json                                 the stream's JSON Schema
//! DIR/views.sql                                          for DuckDB: one view a stream, the last row of each key
//! DIR/attachments/2/fe1…/71                              the body of an attachment, by project, event and its id
//! DIR/state.json                                         what the rows cover; replaced behind them
//! DIR/manifest.json                                      what is known of the folder's streams
//! DIR/.recent                                            which rows need not be written again
//! DIR/.lock                                              held by the run that writes
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `folder` | [`Folder`]: the folder, its lock, and what its files are called |
//! | `manifest` | [`Manifest`]: keys, columns and versions of the streams |
//! | `atomic` | files that are replaced whole |
//! | `attachments` | [`Attachments`]: bodies that belong to rows |
//! | `column` | [`Column`]: the type of a column, from the JSON Schema |
//! | `parquet`, `jsonl` | the two formats, written and read; without the feature `parquet` the former is `without_parquet` |
//! | `recent` | the last rows, which incremental streams read again |
//! | `row` | [`Row`], and what is added to it |
//! | `rows` | the file that rows are written to, whichever its format |
//! | `stream` | the files of one stream, while a run writes them |
//! | `writer` | [`Writer`]: what a run writes, in the order that keeps the state true |
//! | `leaves` | which columns each file has |
//! | `schema` | the schema of a stream's rows, from one run to the next |
//! | `views` | `views.sql` |
//! | `compact` | [`compact()`]: few files where there were many |
//! | `format`, `error` | [`Format`], [`Error`] |
//!
//! # Guarantees
//!
//! - A file has its name only when all of it is on the disk; the state is replaced after that.
//! - Every row has a `_sdc_sequence` that no other row of the folder has, and that is greater than those of all rows before.
//! - One process writes at a time; a lock that a dead process held is free.

mod atomic;
mod attachments;
mod column;
mod compact;
mod error;
mod folder;
mod format;
mod jsonl;
mod leaves;
mod manifest;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(not(feature = "parquet"))]
#[path = "without_parquet.rs"]
mod parquet;
mod recent;
mod row;
mod rows;
mod schema;
mod stream;
mod views;
mod writer;

pub use attachments::{Attachment, Attachments};
pub use column::Column;
pub use compact::{Compacted, compact};
pub use error::Error;
pub use folder::Folder;
pub use format::{Compression, Format};
pub use manifest::{Manifest, Source};
pub use row::Row;
pub use stream::Stream;
pub use writer::{Begin, Writer};
