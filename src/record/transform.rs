//! What a user asks to be changed in records: personal data masked, nested objects flattened.
//!
//! Both need the record as a tree, so streams that nothing is asked for stay on the fast path.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use tap_sentry_api::time::parse_instant;

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

/// Keys that hold personal data wherever they stand, for the preset; any key that ends in `email` is another.
const PERSONAL: &[&str] = &[
    "emails",
    "ip_address",
    "ipAddress",
    "username",
    "avatarUrl",
    "avatar",
    "headers",
    "cookies",
    "inviterName",
];
/// Keys that show their object to be a person, whose `name` is personal: that of a project is not.
const PERSON: &[&str] = &["username", "ip_address", "ipAddress"];
/// Keys whose object is a person, whatever it holds, unless it says that it is a team.
const PEOPLE: &[&str] = &[
    "actor",
    "assignedTo",
    "author",
    "authors",
    "inviter",
    "owner",
    "owners",
    "participants",
    "seenBy",
    "user",
    "viewers",
];
/// Event tags whose value is personal data.
const PERSONAL_TAGS: &[&str] = &[
    "user",
    "user.email",
    "user.username",
    "user.ip",
    "user.name",
    "email",
    "ip",
    "username",
    "ip_address",
];

/// How a masked value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskMode {
    /// Text becomes the SHA-256 of salt and text, in hexadecimal: rows can still be joined. Anything else, and times,
    /// become `null`.
    Hash,
    Null,
}

/// What to mask in every stream.
#[derive(Debug, Clone)]
pub struct Masking {
    /// Stream (`*`: any) and path below the record (`*`: any key or element).
    pub paths: Vec<(String, Vec<String>)>,
    /// E-mail and IP addresses, user names and names, avatars, request headers and cookies, at every depth.
    pub preset: bool,
    pub mode: MaskMode,
    pub salt: String,
}

/// What to do with the records of one stream.
#[derive(Debug, Clone, Default)]
pub struct Transform {
    paths: Vec<Vec<String>>,
    preset: bool,
    mask: Option<(MaskMode, String)>,
    keep: Vec<String>,
    flatten: Option<Flattening>,
    /// Columns whose name is never shortened: SCHEMA names them as keys.
    named: Vec<String>,
    flat_schema: Map<String, Value>,
}

impl Transform {
    /// `None` when the stream's records stay as they are. `keep` are the columns of the key, which are never masked.
    pub fn new(
        stream: &str,
        keep: Vec<String>,
        masking: Option<&Masking>,
        flatten: Option<&Flattening>,
    ) -> Option<Self> {
        let paths: Vec<Vec<String>> = masking
            .iter()
            .flat_map(|m| &m.paths)
            .filter(|(name, _)| name == "*" || name == stream)
            .map(|(_, path)| path.clone())
            .collect();
        let preset = masking.is_some_and(|m| m.preset);
        let mask = masking
            .filter(|_| preset || !paths.is_empty())
            .map(|m| (m.mode, m.salt.clone()));
        let replication_key =
            crate::streams::find(stream).and_then(crate::streams::StreamDef::replication_key);
        let named = keep
            .iter()
            .cloned()
            .chain(replication_key.map(str::to_owned))
            .collect();
        (mask.is_some() || flatten.is_some()).then(|| Self {
            paths,
            preset,
            mask,
            keep,
            flatten: flatten.cloned(),
            named,
            flat_schema: Map::new(),
        })
    }

    /// The schema of the changed records.
    ///
    /// # Errors
    /// A column that two properties would have.
    pub fn schema(&mut self, schema: &Value) -> Result<Value, String> {
        let Some(flattening) = &self.flatten else {
            return Ok(schema.clone());
        };
        let mut flat = Map::new();
        for (name, property) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            self.flatten_schema(flattening, &[name], property, &mut flat)?;
        }
        self.flat_schema.clone_from(&flat);
        let mut schema = schema.clone();
        schema["properties"] = Value::Object(flat);
        Ok(schema)
    }

    fn column(&self, flattening: &Flattening, path: &[&str]) -> String {
        match path {
            [name] if self.named.iter().any(|named| named == name) => (*name).to_owned(),
            _ => flattening.column(path),
        }
    }

    fn flatten_schema(
        &self,
        flattening: &Flattening,
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
                if path.len() <= flattening.depth as usize && !properties.is_empty() =>
            {
                return properties.iter().try_for_each(|(key, property)| {
                    self.flatten_schema(
                        flattening,
                        &[path, &[key.as_str()]].concat(),
                        property,
                        out,
                    )
                });
            }
            _ if is("object") || is("array") => {
                json!({"type": ["string", "null"], "description": "JSON as text."})
            }
            _ => schema.clone(),
        };
        match out.insert(self.column(flattening, path), property) {
            None => Ok(()),
            Some(_) => Err(self.column(flattening, path)),
        }
    }

    pub fn apply(&self, mut record: Map<String, Value>) -> Map<String, Value> {
        if let Some((mode, salt)) = &self.mask {
            for (name, value) in record
                .iter_mut()
                .filter(|(name, _)| !self.keep.contains(name))
            {
                for path in self
                    .paths
                    .iter()
                    .filter(|path| path[0] == *name || path[0] == "*")
                {
                    mask_path(value, &path[1..], *mode, salt);
                }
            }
            if self.preset {
                let kept: Vec<(String, Value)> = self
                    .keep
                    .iter()
                    .filter_map(|key| Some((key.clone(), record.get(key)?.clone())))
                    .collect();
                mask_personal("", &mut record, *mode, salt);
                record.extend(kept);
            }
        }
        let Some(flattening) = &self.flatten else {
            return record;
        };
        let mut flat = Map::new();
        for (name, value) in record {
            self.flatten(flattening, &[&name], value, &mut flat);
        }
        flat
    }

    fn flatten(
        &self,
        flattening: &Flattening,
        path: &[&str],
        value: Value,
        out: &mut Map<String, Value>,
    ) {
        let column = self.column(flattening, path);
        match value {
            // A declared object has columns of its own; a free-form one is one column of text.
            Value::Object(map)
                if path.len() <= flattening.depth as usize
                    && !self.flat_schema.contains_key(&column) =>
            {
                for (key, value) in map {
                    self.flatten(flattening, &[path, &[key.as_str()]].concat(), value, out);
                }
            }
            Value::Object(_) | Value::Array(_) => {
                out.insert(column, json!(value.to_string()));
            }
            // The null of an object that has columns of its own has no column.
            Value::Null if !self.flat_schema.contains_key(&column) => {}
            scalar => {
                out.insert(column, scalar);
            }
        }
    }
}

fn mask(value: &mut Value, mode: MaskMode, salt: &str) {
    *value = match value {
        Value::String(text) if mode == MaskMode::Hash && parse_instant(text).is_err() => {
            let digest = Sha256::new()
                .chain_update(salt.as_bytes())
                .chain_update(text.as_bytes())
                .finalize();
            json!(digest.iter().fold(String::new(), |mut hex, b| {
                let _ = write!(hex, "{b:02x}");
                hex
            }))
        }
        _ => Value::Null,
    };
}

fn mask_path(value: &mut Value, path: &[String], mode: MaskMode, salt: &str) {
    let Some((first, rest)) = path.split_first() else {
        return mask(value, mode, salt);
    };
    match value {
        Value::Object(map) => {
            for (_, value) in map
                .iter_mut()
                .filter(|(key, _)| first == "*" || first == *key)
            {
                mask_path(value, rest, mode, salt);
            }
        }
        // A list may be named or passed over: `entries.*.data` and `entries.data` are the same.
        Value::Array(items) => {
            let rest = if first == "*" { rest } else { path };
            for item in items {
                mask_path(item, rest, mode, salt);
            }
        }
        _ => {}
    }
}

/// `place` is the key under which the object stands.
fn mask_personal(place: &str, map: &mut Map<String, Value>, mode: MaskMode, salt: &str) {
    let team = map.get("type").is_some_and(|kind| kind == "team");
    let person = map
        .keys()
        .any(|key| is_email(key) || PERSON.contains(&key.as_str()))
        || (PEOPLE.contains(&place) && !team);
    let tag = map
        .get("key")
        .and_then(Value::as_str)
        .is_some_and(|key| PERSONAL_TAGS.contains(&key));
    for (key, value) in map.iter_mut() {
        let named = PERSONAL.contains(&key.as_str()) || is_email(key);
        if named || (person && key == "name") || (tag && matches!(key.as_str(), "value" | "query"))
        {
            mask(value, mode, salt);
        } else {
            mask_personal_value(key, value, mode, salt);
        }
    }
}

fn is_email(key: &str) -> bool {
    key.to_ascii_lowercase().ends_with("email")
}

fn mask_personal_value(place: &str, value: &mut Value, mode: MaskMode, salt: &str) {
    match value {
        Value::Object(map) => mask_personal(place, map, mode, salt),
        Value::Array(items) => {
            for item in items {
                mask_personal_value(place, item, mode, salt);
            }
        }
        _ => {}
    }
}

/// How records are written, whatever is selected.
#[derive(Debug, Clone, Default)]
pub struct RecordStyle {
    pub keep_unknown_fields: bool,
    pub masking: Option<Masking>,
    pub flatten: Option<Flattening>,
    /// Version of full-table streams.
    pub version: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masking(paths: &[(&str, &str)], preset: bool, mode: MaskMode) -> Masking {
        let paths = paths
            .iter()
            .map(|(stream, path)| {
                (
                    (*stream).to_owned(),
                    path.split('.').map(str::to_owned).collect(),
                )
            })
            .collect();
        Masking {
            paths,
            preset,
            mode,
            salt: "s".to_owned(),
        }
    }

    fn apply(transform: &Transform, record: Value) -> Value {
        let Value::Object(record) = record else {
            panic!("an object")
        };
        Value::Object(transform.apply(record))
    }

    #[test]
    fn a_path_is_masked_through_lists_and_keys_never() {
        let masking = masking(
            &[
                ("events", "entries.data.headers"),
                ("*", "id"),
                ("events", "user.*"),
            ],
            false,
            MaskMode::Null,
        );
        let transform =
            Transform::new("events", vec!["id".to_owned()], Some(&masking), None).expect("masks");
        let record = json!({"id": "1", "entries": [{"type": "request", "data": {"headers": [["a", "b"]], "url": "u"}}], "user": {"id": "7", "x": 1}});
        let masked = json!({"id": "1", "entries": [{"type": "request", "data": {"headers": null, "url": "u"}}], "user": {"id": null, "x": null}});
        assert_eq!(apply(&transform, record), masked);
        assert!(
            Transform::new(
                "teams",
                Vec::new(),
                Some(&Masking {
                    paths: vec![("events".to_owned(), vec!["x".to_owned()])],
                    ..masking
                }),
                None
            )
            .is_none()
        );
    }

    #[test]
    fn a_hash_is_salted_and_the_same_for_the_same_text() {
        let masking = masking(&[("*", "a"), ("*", "b"), ("*", "t")], false, MaskMode::Hash);
        let transform = Transform::new("x", Vec::new(), Some(&masking), None).expect("masks");
        let masked = apply(
            &transform,
            json!({"a": "me", "b": "me", "t": "2026-01-01T00:00:00Z"}),
        );
        // printf 'sme' | sha256sum
        assert_eq!(masked["a"].as_str().map(str::len), Some(64));
        assert_eq!(masked["a"], masked["b"]);
        assert_ne!(masked["a"], json!("me"));
        assert_eq!(
            masked["t"],
            Value::Null,
            "a time would no longer fit its column"
        );
    }

    #[test]
    fn the_preset_finds_people_at_every_depth() {
        let transform = Transform::new(
            "events",
            vec!["id".to_owned()],
            Some(&masking(&[], true, MaskMode::Null)),
            None,
        )
        .expect("masks");
        let record = json!({
            "id": "1",
            "user": {"id": "2", "email": "a@b", "username": "a", "ip_address": "::1", "name": "A"},
            "project": {"name": "API"},
            "tags": [{"key": "user", "value": "email:a@b", "query": "user.email:a@b"}, {"key": "os", "value": "Linux"}],
            "entries": [{"type": "request", "data": {"headers": [["Cookie", "x"]], "cookies": [["a", "b"]], "url": "u"}}],
        });
        let text = apply(&transform, record).to_string();
        assert!(
            !text.contains("a@b")
                && !text.contains("::1")
                && !text.contains("Cookie")
                && !text.contains(r#""A""#),
            "{text}"
        );
        assert!(
            text.contains("API") && text.contains("Linux") && text.contains(r#""id":"2""#),
            "{text}"
        );
    }

    #[test]
    fn declared_objects_become_columns_and_the_rest_text() {
        let schema = json!({"type": "object", "properties": {
            "id": {"type": "string"},
            "a": {"type": ["object", "null"], "properties": {"b": {"type": ["object", "null"], "properties": {"c": {"type": ["integer", "null"]}}}, "d": {"type": ["string", "null"]}}},
            "free": {"type": ["object", "null"]},
            "list": {"type": ["array", "null"]},
        }});
        let mut transform =
            Transform::new("x", Vec::new(), None, Some(&Flattening::default())).expect("flattens");
        let flat = transform.schema(&schema).expect("no column twice");
        let columns: Vec<_> = flat["properties"]
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect();
        assert_eq!(columns, ["id", "a__b", "a__d", "free", "list"]);
        let record = apply(
            &transform,
            json!({"id": "1", "a": {"b": {"c": 1}, "d": "x"}, "free": {"k": 1}, "list": [1]}),
        );
        assert_eq!(
            record,
            json!({"id": "1", "a__b": r#"{"c":1}"#, "a__d": "x", "free": r#"{"k":1}"#, "list": "[1]"})
        );
        assert_eq!(
            apply(&transform, json!({"id": "1", "a": null, "free": null})),
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
