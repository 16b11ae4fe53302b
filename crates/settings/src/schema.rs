//! The JSON Schema of a program's settings, and what it refuses.

use crate::problem::Problem;
use crate::program::FILE_SUFFIX;
use crate::sources::typed;
use jsonschema::error::ValidationErrorKind;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The JSON Schema of the settings that `T` reads, draft 7. `required` are the keys that have no default.
pub fn of<T: JsonSchema>(required: &[&str]) -> Value {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.meta_schema = None;
        settings.inline_subschemas = true;
    });
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    schema["required"] = json!(required);
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return schema;
    };
    let mut shown = Map::new();
    for (name, mut property) in std::mem::take(properties) {
        if let Some(property) = property.as_object_mut() {
            simplify(property);
        }
        let file = property.get("secret").map(|_| in_file(&name, &property));
        shown.insert(name.clone(), property);
        if let Some(file) = file {
            shown.insert(name + FILE_SUFFIX, file);
        }
    }
    *properties = shown;
    schema
}

/// `null` is how a setting is left out, and Rust's number types have bounds of their own: shown to users both would only
/// be noise.
fn simplify(property: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = property.get("type").cloned() {
        let kind = types.into_iter().find(|kind| kind != "null");
        property.insert("type".to_owned(), kind.unwrap_or_default());
    }
    let unbounded = property.get("maximum").is_none();
    property.retain(|keyword, value| match keyword.as_str() {
        "format" => !matches!(
            value.as_str(),
            Some("uint" | "uint32" | "uint64" | "double")
        ),
        "minimum" => !(unbounded && *value == 0.0),
        "default" => !value.is_null(),
        _ => true,
    });
}

/// The setting that names a file with the secret `name`.
fn in_file(name: &str, property: &Value) -> Value {
    json!({
        "title": format!("{} file", property["title"].as_str().unwrap_or(name)),
        "description": format!("File to read `{name}` from, instead of setting it."),
        "type": "string",
    })
}

/// Settings under inspection: what is wrong with them, and those that are not.
#[derive(Debug)]
pub struct Checked {
    values: Map<String, Value>,
    problems: Vec<Problem>,
}

impl Checked {
    /// Checks the shape of all settings. `found` are mistakes that are known already; `own_form` are the settings whose
    /// form is checked where they are read.
    pub fn new(
        schema: &Value,
        mut values: Map<String, Value>,
        found: Vec<Problem>,
        own_form: &[&str],
    ) -> Self {
        for (key, value) in &mut values {
            let kind = schema["properties"][key]["type"].as_str();
            // Some programs write every value as text.
            if let (Some(text), Some(kind @ ("integer" | "number" | "boolean"))) =
                (value.as_str(), kind)
            {
                *value = typed(text, kind);
            }
        }
        let mut problems = found;
        problems.extend(shape_problems(schema, &values, own_form));
        for (key, value) in &mut values {
            // JSON Schema takes 3.0 and -0.0 for whole numbers; none is below zero, or it is wrong already.
            if schema["properties"][key]["type"] == "integer"
                && let Some(whole) = value
                    .as_f64()
                    .and_then(|number| format!("{:.0}", number.abs()).parse::<u64>().ok())
            {
                *value = json!(whole);
            }
        }
        Self { values, problems }
    }

    /// The settings that are not wrong, with defaults in place of the others. The numbers of `T` must be those that the
    /// schema allows.
    pub fn read<T: DeserializeOwned + Default>(&mut self) -> T {
        let wrong = |key: &String| self.problems.iter().any(|problem| problem.key == *key);
        let sound = self
            .values
            .iter()
            .filter(|(key, value)| !wrong(key) && !value.is_null());
        let sound: Map<String, Value> = sound
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        serde_json::from_value(Value::Object(sound)).unwrap_or_else(|error| {
            self.problem("settings", format!("cannot be read: {error}"));
            T::default()
        })
    }

    /// Whether there is such a setting in any source.
    pub fn is_set(&self, key: &str) -> bool {
        self.values.get(key).is_some_and(|value| !value.is_null())
    }

    /// The value, or its mistake is noted.
    pub fn keep<T, E: Into<String>>(&mut self, key: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|text| self.problem(key, text)).ok()
    }

    /// Notes a mistake. Of one setting the first counts.
    pub fn problem(&mut self, key: &str, text: impl Into<String>) {
        if self.problems.iter().all(|known| known.key != key) {
            self.problems.push(Problem::new(key, text));
        }
    }

    /// # Errors
    /// All mistakes, if there are any.
    pub fn finish(self) -> Result<(), Vec<Problem>> {
        if self.problems.is_empty() {
            Ok(())
        } else {
            Err(self.problems)
        }
    }
}

/// What the JSON Schema refuses. The texts never repeat a value: it may be the token.
fn shape_problems(schema: &Value, values: &Map<String, Value>, own_form: &[&str]) -> Vec<Problem> {
    let mut lenient = schema.clone();
    for (key, property) in lenient["properties"].as_object_mut().into_iter().flatten() {
        match property.as_object_mut() {
            Some(property) if own_form.contains(&key.as_str()) => property.clear(),
            // Formats say what programs show; what is read is checked where it is read.
            Some(property) => _ = property.remove("format"),
            None => {}
        }
    }
    let validator =
        jsonschema::draft7::new(&lenient).expect("the schema of the settings is a JSON Schema");
    let values = Value::Object(values.clone());
    let errors = validator.iter_errors(&values).map(|error| {
        let key = error.instance_path().to_string();
        let key = key.trim_start_matches('/');
        match error.kind() {
            ValidationErrorKind::Required { property } => {
                Problem::new(property.as_str().unwrap_or_default(), "is required")
            }
            ValidationErrorKind::Type { .. } => {
                let expected = schema["properties"][key]["type"].as_str();
                let expected = expected.unwrap_or("of another type");
                let article = if expected.starts_with(['a', 'i', 'o']) {
                    "an"
                } else {
                    "a"
                };
                Problem::new(key, format!("must be {article} {expected}"))
            }
            ValidationErrorKind::Minimum { limit } => {
                Problem::new(key, format!("must be at least {limit}"))
            }
            ValidationErrorKind::Maximum { limit } => {
                Problem::new(key, format!("must be at most {limit}"))
            }
            _ => Problem::new(key, "is not valid"),
        }
    });
    errors.collect()
}
