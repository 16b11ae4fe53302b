//! What is told on stderr.

pub mod logging;
pub(crate) mod metrics;
pub(crate) mod progress;
pub(crate) mod run;
pub(crate) mod terminal;
