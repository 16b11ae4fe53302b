//! Extracts an organization's data from Sentry as Singer messages.
//!
//! ```text
//! cli -> config -> catalog + state -> plan -> sync (pager -> client, record) -> writer (state)
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`cli`], [`config`] | what the user says: flags and settings, validated once |
//! | [`sources`], [`dotenv`], [`text_file`] | where settings come from, and the files that a user hands over |
//! | [`streams`] | the streams, as data; their schemas are in `schemas/` |
//! | [`catalog`] | discovery, and what a catalog selects |
//! | [`state`] | bookmarks: parsed, moved forward by checkpoints, written |
//! | [`plan`] | the tree of the run and the windows of each partition; pure |
//! | [`clock`] | the run's one `now` |
//! | [`client`], [`answer`], [`route`], [`paging`], [`throttle`] | one page: authorisation, refusals, proxies, cursors, retries, rate budgets |
//! | [`context`], [`pager`] | where a request hangs; one list page by page |
//! | [`sync`] | walks the tree; sends records, checkpoints and gaps |
//! | [`raw`], [`record`], [`batch`], [`message`] | raw JSON to RECORD lines in one pass; the other messages |
//! | [`transform`] | masking and flattening, where asked for |
//! | [`outbox`] | the queue between the walk and the writer |
//! | [`writer`], [`pace`] | the one owner of stdout and of the outgoing state; when the next STATE is due |
//! | [`check`], [`about`], [`reconcile`] | `--test`, `--about`, `--check-counts` |
//! | [`report`], [`logging`], [`progress`], [`error`] | what happens and happened, and the exit code |
//!
//! What keeps the state true: a checkpoint is an event *behind* the records that it covers and those of their
//! children, in one first-in-first-out channel with one consumer; windows are pinned before they are asked for, and a
//! bookmark is the end of a finished window; a gap holds back the bookmark of its partition for the rest of the run.

pub mod about;
pub mod batch;
pub mod catalog;
pub mod check;
pub mod cli;
pub mod config;
pub mod dotenv;
pub mod error;
pub mod logging;
pub mod man;
pub mod message;
pub mod outbox;
pub mod pace;
pub mod pager;
pub mod plan;
pub mod progress;
pub mod reconcile;
pub mod record;
pub mod report;
pub mod run;
pub mod sources;
pub mod state;
pub mod streams;
pub mod sync;
pub mod text_file;
pub mod transform;
pub mod writer;
