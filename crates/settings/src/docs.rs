//! What documentation shows of settings.

use serde_json::Value;
use std::fmt::Write as _;

/// One setting, as documentation shows it.
#[derive(Debug)]
pub struct Setting {
    pub name: String,
    pub kind: String,
    pub required: bool,
    pub default: String,
    pub title: String,
    pub description: String,
    pub secret: bool,
}

/// The settings, from their JSON Schema.
pub fn settings(schema: &Value) -> Vec<Setting> {
    let required = |name: &str| {
        schema["required"]
            .as_array()
            .is_some_and(|names| names.iter().any(|n| n == name))
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties
        .map(|(name, property)| Setting {
            name: name.clone(),
            kind: text(&property["type"]),
            required: required(name),
            default: match property.get("default") {
                None => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            },
            title: text(&property["title"]),
            description: text(&property["description"])
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                + &bounds(property),
            secret: property.get("secret").is_some(),
        })
        .collect()
}

/// What a number may be, as a sentence.
fn bounds(property: &Value) -> String {
    let bound = |keyword: &str| property.get(keyword).and_then(Value::as_f64);
    match (bound("minimum"), bound("maximum")) {
        (Some(least), Some(most)) => format!(" From {least} to {most}."),
        _ => String::new(),
    }
}

/// A Markdown table of them.
pub fn settings_table(settings: &[Setting]) -> String {
    let mut out =
        String::from("| setting | type | required | default | meaning |\n|---|---|---|---|---|\n");
    for s in settings {
        let default = if s.default.is_empty() {
            String::new()
        } else {
            format!("`{}`", s.default)
        };
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {default} | {} |",
            s.name,
            s.kind,
            if s.required { "yes" } else { "no" },
            s.description
        );
    }
    out
}
