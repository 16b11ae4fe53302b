//! From what was taken to Sentry.
