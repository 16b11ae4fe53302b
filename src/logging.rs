//! Log lines on stderr.

use crate::cli::Cli;
use env_logger::{Builder, Target};
use log::LevelFilter;
use std::io::Write;

/// Sets the log up: `-v`/`-q`, then `TAP_SENTRY_LOGLEVEL`, `LOGLEVEL`, `SINGER_LOG_LEVEL`, then `RUST_LOG`, then info.
pub fn init(cli: &Cli) {
    let mut builder = Builder::new();
    let named = ["TAP_SENTRY_LOGLEVEL", "LOGLEVEL", "SINGER_LOG_LEVEL"].iter().find_map(|name| level(&std::env::var(name).ok()?));
    let own = match (cli.quiet, cli.verbose) {
        (true, _) => Some(LevelFilter::Error),
        (_, 0) => named,
        (_, 1) => Some(LevelFilter::Debug),
        _ => Some(LevelFilter::Trace),
    };
    match (own, std::env::var("RUST_LOG")) {
        // The HTTP library logs headers' names at trace; it speaks only when asked twice.
        (Some(LevelFilter::Trace), _) => builder.filter_level(LevelFilter::Trace),
        (Some(level), _) => builder.filter_level(level).filter_module("hyper_util", LevelFilter::Warn).filter_module("reqwest", LevelFilter::Warn).filter_module("rustls", LevelFilter::Warn),
        (None, Ok(filters)) if !filters.is_empty() => builder.parse_filters(&filters),
        (None, _) => builder.filter_level(LevelFilter::Info),
    };
    builder
        .target(Target::Stderr)
        .format(|out, record| {
            let style = out.default_level_style(record.level());
            writeln!(out, "{} {style}{:<5}{style:#} {}: {}", out.timestamp_millis(), record.level(), record.target(), record.args())
        })
        .init();
}

/// A level as Python's logging names it.
fn level(name: &str) -> Option<LevelFilter> {
    match name.trim().to_lowercase().as_str() {
        "debug" => Some(LevelFilter::Debug),
        "info" => Some(LevelFilter::Info),
        "warning" | "warn" => Some(LevelFilter::Warn),
        "error" | "critical" | "fatal" => Some(LevelFilter::Error),
        "trace" => Some(LevelFilter::Trace),
        _ => None,
    }
}
