//! Words that tests are written in.

pub mod bridge;
pub mod logs;
pub mod sentry;
pub mod spans;
