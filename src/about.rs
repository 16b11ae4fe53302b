//! `--about`: name, version, capabilities, settings and streams.

use crate::cli::{EXIT_CODES, Format};
use crate::streams::{Replication, STREAMS, StreamDef};
use serde_json::{Value, json};
use std::fmt::Write as _;
use tap_sentry_api::endpoint::{Endpoint, Rows};
use tap_sentry_settings::docs::{self, Setting};

/// Capabilities that the tap really has, by the hub's names.
pub const CAPABILITIES: &[&str] = &[
    "catalog",
    "discover",
    "state",
    "about",
    "properties",
    "test",
    "structured-logging",
    "activate-version",
    "schema-flattening",
];

const DESCRIPTION: &str = env!("CARGO_PKG_DESCRIPTION");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The text that `--about` prints.
pub fn render(format: Format) -> String {
    match format {
        Format::Json => {
            let mut text = serde_json::to_string_pretty(&document()).expect("a JSON value");
            text.push('\n');
            text
        }
        Format::Text => text(),
        Format::Markdown => markdown(),
    }
}

fn document() -> Value {
    let streams: Vec<Value> = STREAMS
        .iter()
        .map(|def| {
            json!({
                "name": def.name(),
                "key_properties": def.key,
                "replication_method": method(def.replication),
                "replication_key": def.replication_key(),
                "parent": def.parent.map(|parent| parent.stream),
                "selected_by_default": def.selected_by_default,
                "scopes": def.endpoint.scopes,
                "note": def.note,
            })
        })
        .collect();
    json!({
        "name": "tap-sentry",
        "description": DESCRIPTION,
        "version": VERSION,
        "sdk_version": null,
        "supported_python_versions": null,
        "capabilities": CAPABILITIES,
        "settings": crate::settings::schema(),
        "streams": streams,
    })
}

fn method(replication: Replication) -> &'static str {
    match replication {
        Replication::FullTable => "FULL_TABLE",
        Replication::Incremental { .. } => "INCREMENTAL",
    }
}

fn text() -> String {
    let mut out = format!(
        "Name: tap-sentry\nDescription: {DESCRIPTION}\nVersion: {VERSION}\nCapabilities: {}\n\nSettings:\n",
        CAPABILITIES.join(", ")
    );
    for setting in settings() {
        let _ = writeln!(
            out,
            "  {} ({}{}): {}",
            setting.name,
            setting.kind,
            if setting.required { ", required" } else { "" },
            setting.description
        );
        if !setting.default.is_empty() {
            let _ = writeln!(out, "      default: {}", setting.default);
        }
    }
    out.push_str("\nStreams:\n");
    for def in STREAMS {
        let _ = writeln!(
            out,
            "  {}: key {}; {}{}",
            def.name(),
            def.key.join(" + "),
            replication_text(def),
            if def.selected_by_default {
                ""
            } else {
                "; not selected by default"
            }
        );
    }
    let _ = writeln!(out, "\n{EXIT_CODES}");
    out
}

fn markdown() -> String {
    format!(
        "# tap-sentry {VERSION}\n\n{DESCRIPTION}\n\n## Capabilities\n\n{}\n\n## Settings\n\n{}\n## Streams\n\n{}",
        CAPABILITIES
            .iter()
            .map(|c| format!("- `{c}`"))
            .collect::<Vec<_>>()
            .join("\n"),
        settings_table(),
        streams_table()
    )
}

/// The settings, from their JSON Schema.
pub fn settings() -> Vec<Setting> {
    docs::settings(&crate::settings::schema())
}

/// The table of docs/settings.md.
pub fn settings_table() -> String {
    docs::settings_table(&settings())
}

/// What a stream costs in requests.
pub fn cost(def: &StreamDef) -> String {
    if let Some(parent) = def.parent.filter(|_| def.cut.is_some()) {
        return format!("No request but those of `{}`", parent.stream);
    }
    if let Some((windows, sums)) = def.windows().and_then(|w| Some((w, w.sums?))) {
        return match def.parent {
            None => "One request for each `stats_interval`".to_owned(),
            Some(parent) => format!(
                "{} requests for each row of `{}` and each {} times `stats_interval`",
                windows.searches.len(),
                parent.stream,
                sums.at_once
            ),
        };
    }
    let pages = matches!(def.endpoint.rows, Rows::Pages { .. });
    // Windows of its own make it a list of many parents.
    match def.parent.filter(|_| def.windows().is_none()) {
        Some(parent) => {
            let least = if pages { "At least one" } else { "One" };
            format!("{least} request for each row of `{}`", parent.stream)
        }
        None if pages => "One request for each 100 rows".to_owned(),
        None => "One request".to_owned(),
    }
}

/// What the table says of a stream beside its columns.
fn remarks(def: &StreamDef) -> String {
    let mut remarks = Vec::new();
    if !def.selected_by_default {
        remarks.push("Off by default.".to_owned());
    }
    if def.parent.is_some() && def.windows().is_none() {
        remarks.push(format!("{}.", cost(def)));
    }
    if !def.note.is_empty() {
        remarks.push(def.note.to_owned());
    }
    remarks.join(" ")
}

/// What a page says of a stream before its columns, as a list.
pub fn facts(def: &StreamDef) -> String {
    let Endpoint {
        path,
        query,
        scopes,
        ..
    } = &def.endpoint;
    let parameters = query.iter().map(|(name, value)| format!("{name}={value}"));
    let parameters = parameters.collect::<Vec<_>>().join("&");
    let query = if parameters.is_empty() {
        parameters
    } else {
        format!("?{parameters}")
    };
    let code = |names: &[&str], and: &str| {
        let names = names.iter().map(|name| format!("`{name}`"));
        names.collect::<Vec<_>>().join(and)
    };
    let mut facts = vec![
        format!("Endpoint: `GET /api/0/{path}{query}`"),
        format!("Key: {}", code(def.key, " + ")),
        format!("Replication: {}", replication_text(def)),
        format!("Scope: {}", code(scopes, " or ")),
        format!("Cost: {}", lower(&cost(def))),
    ];
    if def.endpoint.optional {
        facts.push("A server or plan may lack it".to_owned());
    }
    if !def.secrets.is_empty() {
        let secrets = def
            .secrets
            .iter()
            .map(|path| format!("`{}`", path.join(".")));
        let secrets = secrets.collect::<Vec<_>>().join(", ");
        facts.push(format!(
            "Secret, and null unless `include_secrets` is set: {secrets}"
        ));
    }
    if !def.selected_by_default {
        facts.push("Off by default".to_owned());
    }
    facts.iter().fold(String::new(), |mut out, fact| {
        let _ = writeln!(out, "- {fact}");
        out
    })
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}

/// The table of README: the names of all streams, by what they are listed below.
pub fn streams_by_parent() -> String {
    let mut parents: Vec<Option<&str>> = STREAMS.iter().map(parent_name).collect();
    parents.sort_by_key(|parent| STREAMS.iter().position(|def| parent_name(def) == *parent));
    parents.dedup();
    let mut out = String::from("| of | by default | chosen |\n|---|---|---|\n");
    for parent in parents {
        let names = |by_default| {
            let streams = STREAMS.iter().filter(|def| parent_name(def) == parent);
            let streams = streams.filter(|def| def.selected_by_default == by_default);
            let names: Vec<_> = streams.map(|def| format!("`{}`", def.name())).collect();
            names.join(", ")
        };
        let of = parent.map_or("the organization".to_owned(), |name| format!("`{name}`"));
        let _ = writeln!(out, "| {of} | {} | {} |", names(true), names(false));
    }
    out
}

fn parent_name(def: &StreamDef) -> Option<&'static str> {
    def.parent.map(|parent| parent.stream)
}

/// The table of docs/streams.md and `--about`.
pub fn streams_table() -> String {
    let mut out =
        String::from("| stream | key | replication | scope | notes |\n|---|---|---|---|---|\n");
    for def in STREAMS {
        let key = def
            .key
            .iter()
            .map(|key| format!("`{key}`"))
            .collect::<Vec<_>>()
            .join(" + ");
        let scopes = def
            .endpoint
            .scopes
            .iter()
            .map(|scope| format!("`{scope}`"))
            .collect::<Vec<_>>()
            .join(" or ");
        let _ = writeln!(
            out,
            "| `{}` | {key} | {} | {scopes} | {} |",
            def.name(),
            replication_text(def),
            remarks(def)
        );
    }
    out
}

fn replication_text(def: &StreamDef) -> String {
    match (def.replication_key(), def.parent) {
        (Some(key), Some(parent)) => format!("incremental by {key}, child of {}", parent.stream),
        (Some(key), None) => format!("incremental by {key}"),
        (None, Some(parent)) => format!("full table, child of {}", parent.stream),
        (None, None) => "full table".to_owned(),
    }
}
