//! The type of a column, from the JSON Schema of the stream.
//!
//! | schema | Parquet | DuckDB |
//! |---|---|---|
//! | string | UTF-8 | VARCHAR |
//! | string, `format: date-time` | timestamp, UTC, microseconds | TIMESTAMP WITH TIME ZONE |
//! | integer | 64 bits | BIGINT |
//! | number | double | DOUBLE |
//! | boolean | boolean | BOOLEAN |
//! | object with `properties` | struct | STRUCT |
//! | array with `items` | list | list |
//! | anything else | UTF-8, JSON | JSON |

use serde_json::Value;
use std::fmt;

/// The type of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// Text that is JSON: whatever the schema does not describe.
    Json,
    /// Microseconds since 1970, UTC.
    Instant,
    Integer,
    Number,
    Boolean,
    Struct(Vec<Column>),
    List(Box<Kind>),
}

/// A column, or a member of a struct. Each can be null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

impl Column {
    pub fn new(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
        }
    }

    /// The columns of an object that the schema describes.
    pub fn all(schema: &Value) -> Vec<Self> {
        let properties = schema.get("properties").and_then(Value::as_object);
        let properties = properties.into_iter().flatten();
        properties
            .filter(|(_, schema)| !has_no_members(schema))
            .map(|(name, schema)| Self::new(name, Kind::of(schema)))
            .collect()
    }
}

/// Whether it is an object of which no member is selected, or a list of those. That is no column: as JSON it would change its
/// type as soon as a member is selected.
fn has_no_members(schema: &Value) -> bool {
    if schema.get("additionalProperties") == Some(&Value::Bool(true)) {
        return false;
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.is_some_and(|members| members.values().all(has_no_members))
        || schema.get("items").is_some_and(has_no_members)
}

impl Kind {
    fn of(schema: &Value) -> Self {
        let types = match schema.get("type") {
            Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(one)) => vec![one.as_str()],
            _ => Vec::new(),
        };
        let types: Vec<_> = types.into_iter().filter(|one| *one != "null").collect();
        match types[..] {
            ["string"] if schema.get("format").is_some_and(|f| f == "date-time") => Self::Instant,
            ["string"] => Self::Text,
            ["integer"] => Self::Integer,
            ["number"] | ["integer", "number"] | ["number", "integer"] => Self::Number,
            ["boolean"] => Self::Boolean,
            ["object"] if schema.get("additionalProperties") != Some(&Value::Bool(true)) => {
                match Column::all(schema) {
                    members if members.is_empty() => Self::Json,
                    members => Self::Struct(members),
                }
            }
            ["array"] => match schema.get("items").filter(|items| items.is_object()) {
                Some(items) => Self::List(Box::new(Self::of(items))),
                None => Self::Json,
            },
            _ => Self::Json,
        }
    }
}

/// The type as DuckDB spells it.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("VARCHAR"),
            Self::Json => f.write_str("JSON"),
            Self::Instant => f.write_str("TIMESTAMP WITH TIME ZONE"),
            Self::Integer => f.write_str("BIGINT"),
            Self::Number => f.write_str("DOUBLE"),
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::List(items) => write!(f, "{items}[]"),
            Self::Struct(members) => {
                f.write_str("STRUCT(")?;
                for (i, member) in members.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{} {}", quoted(&member.name), member.kind)?;
                }
                f.write_str(")")
            }
        }
    }
}

/// A name as SQL quotes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case::text(json!({"type": ["string", "null"]}), "VARCHAR")]
    #[case::instant(json!({"type": ["null", "string"], "format": "date-time"}), "TIMESTAMP WITH TIME ZONE")]
    #[case::other_format(json!({"type": "string", "format": "uri"}), "VARCHAR")]
    #[case::integer(json!({"type": "integer"}), "BIGINT")]
    #[case::number(json!({"type": ["number", "null"]}), "DOUBLE")]
    #[case::boolean(json!({"type": ["boolean"]}), "BOOLEAN")]
    #[case::declared(
        json!({"type": ["object", "null"], "properties": {"a\"b": {"type": "integer"}, "c": {"type": "object"}}}),
        r#"STRUCT("a""b" BIGINT, "c" JSON)"#
    )]
    #[case::partly_declared(
        json!({"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": true}),
        "JSON"
    )]
    #[case::free_form(json!({"type": ["object", "null"]}), "JSON")]
    #[case::list(json!({"type": "array", "items": {"type": ["string", "null"]}}), "VARCHAR[]")]
    #[case::list_of_anything(json!({"type": "array", "items": {}}), "JSON[]")]
    #[case::free_form_list(json!({"type": "array"}), "JSON")]
    #[case::two_types(json!({"type": ["string", "integer"]}), "JSON")]
    #[case::nothing(json!({}), "JSON")]
    fn a_column_has_the_type_that_the_schema_declares(#[case] schema: Value, #[case] sql: &str) {
        let columns = Column::all(&json!({"properties": {"x": schema}}));
        assert_eq!(columns[0].kind.to_string(), sql);
    }

    #[rstest]
    #[case::object(json!({"type": ["object", "null"], "properties": {}}))]
    #[case::object_of_objects(json!({"type": "object", "properties": {"a": {"type": "object", "properties": {}}}}))]
    #[case::list(json!({"type": "array", "items": {"type": "object", "properties": {}}}))]
    fn an_object_without_a_selected_member_is_no_column(#[case] schema: Value) {
        assert_eq!(Column::all(&json!({"properties": {"x": schema}})), []);
    }
}
