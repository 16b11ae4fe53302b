//! Spans as Sentry's transactions.
