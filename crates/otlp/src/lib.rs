//! OpenTelemetry into Sentry.
//!
//! ```text
//! receive -> check -> privacy -> sample -> route -> otlp | (conventions -> errors, transactions) -> queue -> send
//! ```

pub mod attributes;
pub mod config;
pub mod conventions;
pub mod envelope;
pub mod errors;
pub mod seen;
pub mod terms;
#[cfg(test)]
mod testing;
pub mod transactions;
