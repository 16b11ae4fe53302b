//! What extracts an organization's data from Sentry as Singer messages, but for what asks Sentry: that is the program's own, in
//! `main.rs`.
//!
//! ```text
//! cli -> settings -> singer (catalog, state) -> sync (plan, lists) -> record -> singer (queue, writer)
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`cli`], [`settings`] | what the user says: flags and settings, validated once |
//! | [`streams`] | the streams, as data; their schemas are in `schemas/` |
//! | [`singer`] | what the Singer specification is about: catalogs, messages, states, and the one writer of stdout |
//! | [`record`] | from rows to RECORD lines |
//! | [`report`] | what is told on stderr |
//! | [`about`], [`generate`] | what the program tells of itself |
//! | [`error`] | what can end a run, and the exit codes |
//! | `sync`, of the program | what is asked for, and in which order: the plan, windows, lists and what hangs below their rows |
//! | `run`, `check`, of the program | its modes |
//!
//! The program's modules are no part of the library so that an edit there compiles these alone, and no test that reads tables.
//!
//! Sentry's web API is `crates/api`, the JSON of its answers `crates/json`, and where settings come from
//! `crates/settings`: those know nothing of Singer. `crates/exporter` is a program of its own, for Prometheus, and
//! `crates/serve` what programs that listen have in common.
//!
//! What keeps the state true: a checkpoint is an event *behind* the records that it covers and those of their
//! children, in one first-in-first-out channel with one consumer; windows are pinned before they are asked for, and a
//! bookmark is the end of a finished window; a gap holds back the bookmark of its partition for the rest of the run.

pub mod about;
pub mod cli;
pub mod error;
pub mod generate;
pub mod record;
pub mod report;
pub mod settings;
pub mod singer;
pub mod streams;

#[cfg(test)]
mod dice;
#[cfg(test)]
mod fuzz;
