//! What is told on stderr.

pub mod logging;
pub mod metrics;
pub mod progress;
pub mod run;
pub(crate) mod terminal;
