//! OpenTelemetry into Sentry.
//!
//! ```text
//! receive -> route, check, privacy, sample -> [spool] -> otlp | (conventions -> errors, transactions) -> queue -> send
//! ```

pub mod attributes;
pub mod bridge;
pub mod check;
pub mod cli;
pub mod client;
pub mod config;
pub mod conventions;
pub mod delivery;
pub mod docs;
pub mod envelope;
pub mod error;
pub mod errors;
pub mod figures;
pub mod generate;
pub mod json;
pub mod logs;
pub mod privacy;
pub mod receive;
pub mod rejection;
pub mod run;
pub mod sample;
pub mod seen;
pub mod signal;
pub mod spool;
pub mod terms;
#[cfg(test)]
mod testing;
pub mod told;
pub mod transactions;
pub mod web;
