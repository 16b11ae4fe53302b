//! The tap as its users run it: the real executable against a strict Sentry inside the test.
//!
//! [`dsl`] makes the tests read as sentences; every other module holds the promises about one subject, but for [`layout`]: which source
//! may know which.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where, and stop"
)]
#![expect(
    clippy::print_stdout,
    reason = "a random case tells its seed; shown when it fails"
)]

mod access;
mod activate_version;
mod address;
mod api_facts;
mod attachments;
mod budget;
mod by_project;
mod by_time;
mod catalogue;
mod check_counts;
mod chosen;
mod cli;
mod clock;
mod config;
mod contract;
mod discovery;
mod dsl;
mod environment;
mod event_parts;
mod explore;
mod files;
mod files_kill;
mod flattening;
mod fuzz;
mod gaps;
mod gateways;
mod generate;
mod incremental;
mod kill;
mod layout;
mod limits;
mod logging;
mod malformed;
mod masking;
mod metrics;
mod pagination;
mod readme;
mod releases;
mod resume;
mod rows;
mod secrets;
mod selection;
mod setting_names;
mod span;
mod state;
mod state_volume;
mod statistics;
mod streams;
mod terminal;
mod transport;
mod vanished;
mod wide;
mod windows;
