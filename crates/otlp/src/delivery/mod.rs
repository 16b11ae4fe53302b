//! From what was taken to Sentry.

pub mod additions;
pub mod again;
pub mod budget;
pub mod create;
pub mod exporter;
pub mod grouping;
pub mod intake;
pub mod limits;
pub mod logs;
pub mod lookup;
pub mod mode;
pub mod payload;
pub mod project;
pub mod queue;
pub mod regroup;
pub mod reporting;
pub mod retry;
pub mod route;
pub mod sender;
pub mod source;
pub mod spans;
pub mod start;
