//! An exception as one of Sentry's error events.
