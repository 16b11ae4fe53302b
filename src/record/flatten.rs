//! Makes columns of nested objects, as the Singer SDK does.

use serde_json::{Map, Value, json};

/// How nested objects become columns. The defaults, and how long names are shortened, are the Singer SDK's.
#[derive(Debug, Clone)]
pub struct Flattening {
    /// Levels of nested objects that become columns.
    pub depth: u32,
    /// Between the names of a column.
    pub separator: String,
    /// Columns are shorter than this, as far as shortening each of their names makes them so.
    pub max_key_length: usize,
}

impl Default for Flattening {
    fn default() -> Self {
        Self {
            depth: 1,
            separator: "__".to_owned(),
            max_key_length: 255,
        }
    }
}

impl Flattening {
    fn column(&self, path: &[&str]) -> String {
        let mut names: Vec<String> = path.iter().map(ToString::to_string).collect();
        let mut column = names.join(&self.separator);
        for i in 0..names.len() {
            if column.chars().count() < self.max_key_length {
                break;
            }
            names[i] = shortened(&names[i]);
            column = names.join(&self.separator);
        }
        column
    }
}

/// The capitals of a name in camel case, or its first three letters when that is one or none.
fn shortened(name: &str) -> String {
    let mut camel = String::new();
    let mut start = true;
    for c in name.chars() {
        match (start, c) {
            (false, '_') => start = true,
            (true, c) => {
                camel.extend(c.to_uppercase());
                start = false;
            }
            (false, c) => camel.push(c),
        }
    }
    camel.retain(|c| !c.is_ascii_lowercase());
    if camel.chars().count() > 1 {
        camel.to_lowercase()
    } else {
        name.chars().take(3).collect::<String>().to_lowercase()
    }
}

/// How the records of one stream are flattened.
#[derive(Debug, Clone)]
pub struct Flattener {
    flattening: Flattening,
    /// Columns whose name is never shortened: SCHEMA names them as keys.
    named: Vec<String>,
    /// The columns, by name.
    columns: Map<String, Value>,
}

impl Flattener {
    /// Also returns the schema of the flattened records. `named` are the columns that SCHEMA names as keys: their names
    /// are never shortened.
    ///
    /// # Errors
    /// A column that two properties would have.
    pub fn new(
        flattening: &Flattening,
        named: Vec<String>,
        mut schema: Value,
    ) -> Result<(Self, Value), String> {
        let mut flattener = Self {
            flattening: flattening.clone(),
            named,
            columns: Map::new(),
        };
        let mut columns = Map::new();
        for (name, property) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            flattener.add_columns(&[name], property, &mut columns)?;
        }
        flattener.columns.clone_from(&columns);
        schema["properties"] = Value::Object(columns);
        Ok((flattener, schema))
    }

    fn column(&self, path: &[&str]) -> String {
        match path {
            [name] if self.named.iter().any(|named| named == name) => (*name).to_owned(),
            _ => self.flattening.column(path),
        }
    }

    fn add_columns(
        &self,
        path: &[&str],
        schema: &Value,
        out: &mut Map<String, Value>,
    ) -> Result<(), String> {
        let is = |kind: &str| {
            schema["type"] == kind
                || schema["type"]
                    .as_array()
                    .is_some_and(|types| types.iter().any(|t| t == kind))
        };
        let property = match schema.get("properties").and_then(Value::as_object) {
            Some(properties)
                if path.len() <= self.flattening.depth as usize && !properties.is_empty() =>
            {
                return properties.iter().try_for_each(|(key, property)| {
                    self.add_columns(&[path, &[key.as_str()]].concat(), property, out)
                });
            }
            _ if is("object") || is("array") => {
                json!({"type": ["string", "null"], "description": "JSON as text."})
            }
            _ => schema.clone(),
        };
        match out.insert(self.column(path), property) {
            None => Ok(()),
            Some(_) => Err(self.column(path)),
        }
    }

    pub fn apply(&self, record: Map<String, Value>) -> Map<String, Value> {
        let mut flat = Map::new();
        for (name, value) in record {
            self.flatten(&[&name], value, &mut flat);
        }
        flat
    }

    fn flatten(&self, path: &[&str], value: Value, out: &mut Map<String, Value>) {
        let column = self.column(path);
        match value {
            // A declared object has columns of its own; a free-form one is one column of text.
            Value::Object(map)
                if path.len() <= self.flattening.depth as usize
                    && !self.columns.contains_key(&column) =>
            {
                for (key, value) in map {
                    self.flatten(&[path, &[key.as_str()]].concat(), value, out);
                }
            }
            Value::Object(_) | Value::Array(_) => {
                out.insert(column, json!(value.to_string()));
            }
            // The null of an object that has columns of its own has no column.
            Value::Null if !self.columns.contains_key(&column) => {}
            scalar => {
                out.insert(column, scalar);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(flattener: &Flattener, record: Value) -> Value {
        let Value::Object(record) = record else {
            panic!("an object")
        };
        Value::Object(flattener.apply(record))
    }

    #[test]
    fn declared_objects_become_columns_and_the_rest_text() {
        let schema = json!({"type": "object", "properties": {
            "id": {"type": "string"},
            "a": {"type": ["object", "null"], "properties": {"b": {"type": ["object", "null"], "properties": {"c": {"type": ["integer", "null"]}}}, "d": {"type": ["string", "null"]}}},
            "free": {"type": ["object", "null"]},
            "list": {"type": ["array", "null"]},
        }});
        let (flattener, flat) =
            Flattener::new(&Flattening::default(), Vec::new(), schema).expect("no column twice");
        let columns: Vec<_> = flat["properties"]
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect();
        assert_eq!(columns, ["id", "a__b", "a__d", "free", "list"]);
        let record = apply(
            &flattener,
            json!({"id": "1", "a": {"b": {"c": 1}, "d": "x"}, "free": {"k": 1}, "list": [1]}),
        );
        assert_eq!(
            record,
            json!({"id": "1", "a__b": r#"{"c":1}"#, "a__d": "x", "free": r#"{"k":1}"#, "list": "[1]"})
        );
        assert_eq!(
            apply(&flattener, json!({"id": "1", "a": null, "free": null})),
            json!({"id": "1", "free": null})
        );
    }

    #[test]
    fn long_names_are_shortened_as_the_sdk_does() {
        let column = |max_key_length, path: &[&str]| {
            Flattening {
                max_key_length,
                ..Flattening::default()
            }
            .column(path)
        };
        assert_eq!(column(255, &["foo", "bar", "baz"]), "foo__bar__baz");
        // flatten_key of singer_sdk.helpers._flattening, 0.54.9
        assert_eq!(column(14, &["project", "platform"]), "pro__platform");
        assert_eq!(column(12, &["organization_slug"]), "os");
        assert_eq!(column(3, &["nextEventID", "first_seen_at"]), "neid__fsa");
    }
}
