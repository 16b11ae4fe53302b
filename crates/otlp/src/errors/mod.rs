//! Exceptions that spans recorded, as Sentry's error events.

pub mod event;
pub mod exception;
pub mod stack;
