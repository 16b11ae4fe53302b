//! Who the program is to servers.

/// How it calls itself.
pub const CLIENT: &str = concat!("sentry-otlp/", env!("CARGO_PKG_VERSION"));
