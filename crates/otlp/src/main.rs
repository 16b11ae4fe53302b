//! sentry-otlp: read the command line, set the log up, run, and turn what happened into an exit code.

fn main() {}
