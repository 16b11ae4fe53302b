//! What attributes mean in Sentry's terms.
