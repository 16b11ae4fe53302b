//! Extracts from Sentry's API description which fields each stream's answers are documented to have, as
//! `tests/contract/documented.json` keeps them:
//!
//! ```sh
//! cargo run --example documented -- openapi.json 0.272.0 2026-08-16 > tests/contract/documented.json
//! ```
//!
//! The description is `openapi-derefed.json` of github.com/getsentry/sentry-api-schema; version and date are those of its
//! release, which it does not tell itself.

use serde_json::{Map, Value, json};
use std::io::Write;
use std::process::ExitCode;
use tap_sentry::streams::{STREAMS, StreamDef};

/// How deep fields are told: what is deeper is data.
const DEPTH: usize = 3;

#[expect(clippy::print_stderr, reason = "this is a program")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, version, date] = arguments.as_slice() else {
        eprintln!("usage: cargo run --example documented -- openapi.json VERSION DATE");
        return ExitCode::from(2);
    };
    let read = std::fs::read(file).map_err(|e| e.to_string());
    let description =
        read.and_then(|text| serde_json::from_slice(&text).map_err(|e| e.to_string()));
    match description {
        Ok(description) => {
            let description = Description(description);
            let text = serde_json::to_string_pretty(&description.extract(version, date));
            let text = text.expect("a JSON value") + "\n";
            match std::io::stdout().lock().write_all(text.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            }
        }
        Err(problem) => {
            eprintln!("{file}: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// A description of the API, as `OpenAPI` has it.
struct Description(Value);

impl Description {
    fn extract(&self, version: &str, date: &str) -> Value {
        let (mut streams, mut undocumented) = (Map::new(), Vec::new());
        // What is cut out of rows is documented with them.
        for def in STREAMS.iter().filter(|def| def.cut.is_none()) {
            match self.row(def) {
                Some((operation, row)) => {
                    let mut fields = Map::new();
                    self.fields(&row, "", 1, &mut fields);
                    let stream = json!({"operation": operation, "fields": fields});
                    streams.insert(def.name().to_owned(), stream);
                }
                None => undocumented.push(def.name()),
            }
        }
        json!({
            "generated": "by `cargo run --example documented`",
            "version": version,
            "date": date,
            "streams": streams,
            "undocumented": undocumented,
        })
    }

    /// The operation behind a stream, and the schema of a row of it; `None` where the description has neither.
    fn row(&self, def: &StreamDef) -> Option<(String, Value)> {
        let wanted = format!("/api/0/{}", nameless(def.endpoint.path));
        let mut paths = self.0["paths"].as_object()?.iter();
        let (_, methods) = paths.find(|(path, _)| nameless(path) == wanted)?;
        let operation = &methods["get"];
        let answer = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        let mut schema = self.whole(answer);
        if let Some(member) = def.endpoint.envelope {
            schema = self.whole(&schema["properties"][member]);
        }
        if schema["type"] == "array" {
            schema = self.whole(&schema["items"]);
        }
        let documented = schema["properties"].as_object();
        documented.filter(|fields| !fields.is_empty())?;
        let name = operation["operationId"].as_str().unwrap_or_default();
        Some((name.to_owned(), schema))
    }

    /// Follows references, and makes one of what is composed of objects.
    fn whole(&self, schema: &Value) -> Value {
        if let Some(reference) = schema["$ref"].as_str() {
            let pointer = reference.trim_start_matches('#');
            return self.whole(self.0.pointer(pointer).unwrap_or(&Value::Null));
        }
        for composed in ["allOf", "anyOf", "oneOf"] {
            let Some(parts) = schema[composed].as_array() else {
                continue;
            };
            let parts: Vec<Value> = parts.iter().map(|part| self.whole(part)).collect();
            if parts.iter().all(|part| part["type"] == "object") {
                let own = schema["properties"].as_object().into_iter().flatten();
                let all = parts
                    .iter()
                    .filter_map(|part| part["properties"].as_object());
                let mut properties = Map::new();
                for (name, property) in all.flatten().chain(own) {
                    properties
                        .entry(name.clone())
                        .or_insert_with(|| property.clone());
                }
                return json!({"type": "object", "properties": properties});
            }
            let mut kinds: Vec<String> = parts.iter().map(kind).collect();
            kinds.sort();
            kinds.dedup();
            return json!({"kind": kinds.join("|")});
        }
        schema.clone()
    }

    fn fields(&self, schema: &Value, above: &str, depth: usize, fields: &mut Map<String, Value>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{above}{name}");
            let property = self.whole(property);
            fields.insert(path.clone(), json!(kind(&property)));
            if depth == DEPTH {
                continue;
            }
            if property["type"] == "array" {
                let item = self.whole(&property["items"]);
                self.fields(&item, &format!("{path}[]."), depth + 1, fields);
            } else {
                self.fields(&property, &format!("{path}."), depth + 1, fields);
            }
        }
    }
}

/// The path with all parameters alike: the description calls them otherwise.
fn nameless(path: &str) -> String {
    let mut parts = path.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |path, part| {
        let rest = part.split_once('}').map_or("", |(_, rest)| rest);
        format!("{path}{{}}{rest}")
    })
}

/// What a value is: its types, or `date-time`, or `any`.
fn kind(schema: &Value) -> String {
    if let Some(kind) = schema["kind"].as_str() {
        return kind.to_owned();
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("string"), Some("date-time")) => "date-time".to_owned(),
        (Some(kind), _) => kind.to_owned(),
        (None, _) => "any".to_owned(),
    }
}
