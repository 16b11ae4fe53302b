//! Words that tests are written in.

pub mod bridge;
pub mod compressed;
pub mod grpc;
pub mod hostile;
pub mod logs;
pub mod sentry;
pub mod spans;
