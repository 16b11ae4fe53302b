//! Writes what is generated from the settings and the streams: blocks of README.md, docs/settings.md, docs/streams.md and
//! meltano.yml, and all of meltano/extractor.yml and config.example.json. With `--check` writes nothing and fails when one
//! of them differs.

use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use tap_sentry::about::{
    CAPABILITIES, facts, settings, settings_table, streams_by_parent, streams_table,
};
use tap_sentry::streams::STREAMS;
use tap_sentry_settings::docs::Setting;
use tap_sentry_settings::generated::{Make, files, replaced};

#[expect(clippy::print_stderr, reason = "this is a program")]
fn main() -> ExitCode {
    let check = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => {
            eprintln!("usage: cargo run --example generate [-- --check]");
            return ExitCode::from(2);
        }
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    match files(root, FILES, check, "cargo run --example generate") {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            for problem in problems {
                eprintln!("{problem}");
            }
            ExitCode::FAILURE
        }
    }
}

const FILES: &[(&str, Make)] = &[
    ("README.md", |old| {
        let text = replaced(
            old,
            "<!-- generated: main settings -->",
            "<!-- end -->",
            &main_settings(),
        )?;
        replaced(
            &text,
            "<!-- generated: streams -->",
            "<!-- end -->",
            &streams_by_parent(),
        )
    }),
    ("docs/settings.md", |old| {
        replaced(
            old,
            "<!-- generated: settings -->",
            "<!-- end -->",
            &settings_table(),
        )
    }),
    ("docs/streams.md", |old| {
        replaced(
            old,
            "<!-- generated: streams -->",
            "<!-- end -->",
            &stream_sections(),
        )
    }),
    ("meltano.yml", |old| {
        let text = replaced(
            old,
            "# generated: extractor",
            "# end",
            &indented(&extractor(), 4),
        )?;
        replaced(
            &text,
            "# generated: select",
            "# end",
            &indented(&select(), 4),
        )
    }),
    ("meltano/extractor.yml", |_| Ok(hub_definition())),
    ("config.example.json", |_| Ok(example_configuration())),
];

/// The settings that README shows, in its order.
const MAIN_SETTINGS: [&str; 8] = [
    "api_token",
    "start_date",
    "organization",
    "base_url",
    "project_slugs",
    "fetch_event_details",
    "mask_personal_data",
    "rate_limit",
];

/// README's table of the most used settings.
fn main_settings() -> String {
    let settings = settings();
    let mut out = String::from("| setting | default | meaning |\n|---|---|---|\n");
    for name in MAIN_SETTINGS {
        let setting = settings.iter().find(|setting| setting.name == name);
        let setting = setting.expect("a setting of README is a setting");
        let default = match setting.default.as_str() {
            _ if setting.required => "required".to_owned(),
            "" => String::new(),
            default => format!("`{default}`"),
        };
        let _ = writeln!(out, "| `{name}` | {default} | {} |", setting.description);
    }
    out
}

/// A section for each stream, with what it is read by and a table of its columns.
fn stream_sections() -> String {
    let mut out = streams_table();
    for def in STREAMS {
        let schema: Value = serde_json::from_str(def.schema).expect("a schema is JSON");
        let text = schema["description"].as_str().unwrap_or_default();
        let _ = writeln!(out, "\n## {}\n\n{text}.\n\n{}", def.name(), facts(def));
        out.push_str("| column | type | meaning |\n|---|---|---|\n");
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let meaning = property["description"].as_str().unwrap_or_default();
            let _ = writeln!(out, "| `{name}` | {} | {meaning} |", column_type(property));
        }
    }
    out
}

/// The type of a column, beside which `null` is left out: all columns but those of the key may be null.
fn column_type(property: &Value) -> &str {
    let kind = match &property["type"] {
        Value::Array(types) => types
            .iter()
            .filter_map(Value::as_str)
            .find(|t| *t != "null"),
        kind => kind.as_str(),
    };
    match property["format"].as_str() {
        Some(format) => format,
        None => kind.unwrap_or_default(),
    }
}

fn indented(text: &str, spaces: usize) -> String {
    text.lines()
        .map(|line| {
            if line.is_empty() {
                "\n".to_owned()
            } else {
                format!("{:spaces$}{line}\n", "")
            }
        })
        .collect()
}

/// Capabilities and settings, as Meltano's plugin definitions have them.
fn extractor() -> String {
    let mut out = String::from("capabilities:\n");
    for capability in CAPABILITIES {
        let _ = writeln!(out, "- {capability}");
    }
    let required: Vec<_> = settings()
        .into_iter()
        .filter(|s| s.required)
        .map(|s| s.name)
        .collect();
    let _ = writeln!(
        out,
        "settings_group_validation:\n- [{}]\nsettings:",
        required.join(", ")
    );
    for setting in settings() {
        let _ = writeln!(
            out,
            "- name: {}\n  label: {}\n  kind: {}",
            setting.name,
            text(&setting.title),
            kind(&setting)
        );
        if setting.secret {
            out.push_str("  sensitive: true\n");
        }
        match default(&setting) {
            Value::Null => {}
            Value::String(value) => {
                let _ = writeln!(out, "  value: {}", text(&value));
            }
            value => {
                let _ = writeln!(out, "  value: {value}");
            }
        }
        let _ = writeln!(out, "  description: {}", text(&setting.description));
    }
    out
}

/// The streams that are selected by default, each with all of its properties. Meltano's own default is every stream. A
/// list of what is wanted, not `*.*` and exclusions: of those `meltano select tap-sentry issue_detail '*'` would add
/// nothing, since an exclusion wins over any pattern.
fn select() -> String {
    let mut out = String::from("select:\n");
    for stream in STREAMS.iter().filter(|stream| stream.selected_by_default) {
        let _ = writeln!(out, "- {}.*", stream.name());
    }
    out
}

/// Meltano's name of the type. Its `password` is deprecated in favour of `sensitive`. Its `decimal` ends with `Object of
/// type Decimal is not JSON serializable` when the value comes from a variable (4.4.1), and `integer` refuses 2.5: a
/// number is text, which the tap reads as a number.
fn kind(setting: &Setting) -> &str {
    match (setting.name.as_str(), setting.kind.as_str()) {
        (name, "string") if name.ends_with("_date") => "date_iso8601",
        (_, "number") => "string",
        (_, kind) => kind,
    }
}

/// The default as a value; none when it changes with each version, and would be frozen in users' projects.
fn default(setting: &Setting) -> Value {
    match setting.kind.as_str() {
        _ if setting.default.is_empty() || setting.default.contains(env!("CARGO_PKG_VERSION")) => {
            Value::Null
        }
        "string" => json!(setting.default),
        _ => serde_json::from_str(&setting.default).expect("a default fits its type"),
    }
}

/// A YAML scalar that is text whatever it holds.
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// As the hub keeps definitions; for `meltano add --from-ref`. That drops what it does not know at the top, `select` among
/// it, and keeps it in a variant (4.4.1): so the definition is there once more as its only variant, by YAML's anchors.
fn hub_definition() -> String {
    let mut definition = format!("\n{}{}", extractor(), select());
    let mut variant = String::new();
    for key in [
        "capabilities",
        "settings_group_validation",
        "settings",
        "select",
    ] {
        definition = definition.replace(&format!("\n{key}:\n"), &format!("\n{key}: &{key}\n"));
        let _ = writeln!(variant, "  {key}: *{key}");
    }
    format!(
        "# Generated by `cargo run --example generate`. `meltano add --from-ref` takes `select` from a variant only.\n\
         name: tap-sentry\n\
         namespace: tap_sentry\n\
         variant: rust\n\
         label: Sentry\n\
         description: {}\n\
         domain_url: https://sentry.io/\n\
         maintenance_status: active\n\
         keywords: [api, rust]\n\
         pip_url: tap-sentry\n\
         executable: tap-sentry\
         {definition}\
         variants:\n\
         - name: rust\n  pip_url: tap-sentry\n  executable: tap-sentry\n{variant}",
        text(env!("CARGO_PKG_DESCRIPTION"))
    )
}

/// Every setting: what must be given, as an example; defaults; and `null` for what is usually left out.
fn example_configuration() -> String {
    let example = |setting: &Setting| match setting.name.as_str() {
        "api_token" => json!("YOUR_TOKEN"),
        "start_date" => json!("2026-01-01"),
        "organization" => json!("my-org"),
        _ => default(setting),
    };
    let map: Map<String, Value> = settings()
        .iter()
        .map(|setting| (setting.name.clone(), example(setting)))
        .collect();
    let mut out = serde_json::to_string_pretty(&map).expect("a map of values");
    out.push('\n');
    out
}
