//! Extracts an organization's data from Sentry as Singer messages.
//!
//! ```text
//! cli -> settings -> singer (catalog, state) -> sync (plan, lists) -> record -> singer (queue, writer)
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`cli`], `settings` | what the user says: flags and settings, validated once |
//! | [`streams`] | the streams, as data; their schemas are in `schemas/` |
//! | [`singer`] | what the Singer specification is about: catalogs, messages, states, and the one writer of stdout |
//! | `sync` | what is asked for, and in which order: the plan, windows, lists and what hangs below their rows |
//! | [`record`] | from rows to RECORD lines |
//! | [`report`] | what is told on stderr |
//! | [`run`], `check`, [`about`], [`generate`] | the modes of the program |
//! | [`error`] | what can end a run, and the exit codes |
//!
//! Sentry's web API is `crates/api`, the JSON of its answers `crates/json`, and where settings come from
//! `crates/settings`: those know nothing of Singer. `crates/exporter` is a program of its own, for Prometheus, and
//! `crates/serve` what programs that listen have in common.
//!
//! What keeps the state true: a checkpoint is an event *behind* the records that it covers and those of their
//! children, in one first-in-first-out channel with one consumer; windows are pinned before they are asked for, and a
//! bookmark is the end of a finished window; a gap holds back the bookmark of its partition for the rest of the run.

pub mod about;
mod check;
pub mod cli;
pub mod error;
pub mod generate;
pub mod record;
pub mod report;
pub mod run;
mod runtime;
mod settings;
pub mod singer;
pub mod streams;
mod sync;

#[cfg(test)]
mod fuzz;
