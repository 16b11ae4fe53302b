//! From what was taken to Sentry.

pub mod budget;
pub mod intake;
pub mod limits;
pub mod mode;
pub mod payload;
pub mod queue;
pub mod retry;
pub mod sender;
