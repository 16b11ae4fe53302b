//! The file as a whole: what it means, what is refused, what is told.

use super::*;
use crate::config::exporter_keys::EXPORTER;
use crate::config::key::{Form, Key};
use crate::config::receiver::Auth;
use crate::config::receiver_keys::RECEIVER;
use crate::delivery::budget::Sizer;
use crate::delivery::mode::Wanted;
use crate::delivery::retry::Retry;
use rstest::rstest;
use secrecy::ExposeSecret;
use serde_json::json;
use std::time::Duration;

mod exporters;
mod files;
mod pipelines;
mod receivers;
mod tables;
mod whole;

fn variables(name: &str) -> Option<String> {
    let value = match name {
        "SENTRY_DSN" => "https://abc@sentry.example.com:8443/sub/path/42",
        "SENTRY_AUTH_TOKEN" => "00123",
        "EMPTY" => "",
        "PORT" => "5000",
        "CONSUMERS" => "3",
        _ => return None,
    };
    Some(value.to_owned())
}

fn parse(text: &str) -> Result<Config, SettingsError> {
    Config::parse(text, Path::new("otlp.yml"), &variables)
}

fn config(text: &str) -> Config {
    parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Each mistake as it is shown.
fn mistakes(text: &str) -> Vec<String> {
    match parse(text) {
        Err(SettingsError::Problems(problems)) => {
            problems.iter().map(ToString::to_string).collect()
        }
        other => panic!("{other:?}\n{text}"),
    }
}

fn warnings(text: &str) -> Vec<String> {
    config(text)
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// The lines, behind so many spaces.
fn indented(lines: &str, spaces: usize) -> String {
    let space = " ".repeat(spaces);
    let lines = lines.lines().flat_map(|line| [&space, line, "\n"]);
    lines.collect()
}

/// A file with these lines in its only exporter.
fn exporter(lines: &str) -> String {
    let lines = indented(lines, 4);
    format!("exporters:\n  sentry:\n    dsn: https://key@host/42\n{lines}")
}

/// A file whose exporter has the form of today, with these lines in it.
fn organization(lines: &str) -> String {
    let lines = indented(lines, 4);
    format!(
        "exporters:\n  sentry:\n    url: https://sentry.io\n    org_slug: acme\n    auth_token: sntrys_x\n{lines}"
    )
}

/// A file with these lines below `protocols` of its only receiver.
fn receiver(lines: &str) -> String {
    let lines = indented(lines, 6);
    format!(
        "receivers:\n  otlp:\n    protocols:\n{lines}{}",
        exporter("")
    )
}

fn listens(config: &Config) -> Vec<String> {
    let listeners = config.receivers.iter().flat_map(Receiver::listeners);
    listeners
        .map(|listener| listener.endpoint.to_string())
        .collect()
}
