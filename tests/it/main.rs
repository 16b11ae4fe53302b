//! The tap as its users run it: the real executable against a strict Sentry inside the test.
//!
//! [`dsl`] makes the tests read as sentences; every other module holds the promises about one subject.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where, and stop"
)]
#![expect(
    clippy::print_stdout,
    reason = "a random case tells its seed; shown when it fails"
)]

mod cli;
mod clock;
mod config;
mod discovery;
mod dsl;
mod errors;
mod features;
mod fuzz;
mod hostile;
mod incremental;
mod kill;
mod law;
mod limits;
mod naive;
mod pagination;
mod rows;
mod secrets;
mod selection;
mod state_volume;
mod streams;
mod terminal;
mod transport;
mod windows;
