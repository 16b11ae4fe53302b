//! Exceptions that spans recorded, as Sentry's error events.
