//! Catalogs: what discovery offers and what a user's catalog selects.

use crate::record::flatten::Flattener;
use crate::record::mask::Mask;
use crate::record::projection::Projection;
use crate::record::style::RecordStyle;
use crate::singer::message::{SchemaMessage, StreamHeader};
use crate::streams::{self, Replication, StreamDef};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use serde_path_to_error::Segment;
use tap_sentry_api::text::brief;

#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("the catalog is not usable: {0}; --discover prints one that is")]
    Shape(String),
    #[error("catalog, stream `{stream}`: {text}")]
    Stream { stream: String, text: String },
}

/// The document that `--discover` prints and `--catalog` reads.
#[derive(Debug, Serialize, Deserialize)]
pub struct Catalog {
    pub streams: Vec<Entry>,
}

/// One stream of a catalog. Lenient where it is read: catalogs are edited by people and by Meltano.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(expecting = "an object with `tap_stream_id`")]
pub struct Entry {
    #[serde(alias = "stream_id")]
    pub tap_stream_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication_method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_properties: Option<Vec<String>>,
    #[serde(default)]
    pub schema: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected: Option<bool>,
    #[serde(default)]
    pub metadata: Vec<Metadata>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(expecting = "an object with `breadcrumb` and `metadata`")]
pub struct Metadata {
    pub breadcrumb: Vec<String>,
    pub metadata: Map<String, Value>,
}

impl Catalog {
    fn read(mut value: Value) -> Result<Self, CatalogError> {
        let Some(streams) = value.get_mut("streams").and_then(Value::as_array_mut) else {
            return Err(CatalogError::Shape(
                "it must be an object with a list `streams`".to_owned(),
            ));
        };
        for (i, entry) in streams.iter_mut().enumerate() {
            if let Some(entry) = entry.as_object_mut() {
                let name = entry
                    .get("tap_stream_id")
                    .or_else(|| entry.get("stream_id"))
                    .and_then(Value::as_str);
                let stream = name
                    .map(|name| format!(" (stream `{}`)", brief(name)))
                    .unwrap_or_default();
                normalize(entry, &format!("streams[{i}]"), &stream)?;
            }
        }
        let catalog: Self = serde_path_to_error::deserialize(&value).map_err(|error| {
            let entry = error.path().iter().find_map(|segment| match segment {
                Segment::Seq { index } => Some(&value["streams"][index]),
                _ => None,
            });
            let name = entry.and_then(|entry| {
                entry
                    .get("tap_stream_id")
                    .or_else(|| entry.get("stream_id"))?
                    .as_str()
            });
            let stream = name
                .map(|name| format!(" (stream `{}`)", brief(name)))
                .unwrap_or_default();
            CatalogError::Shape(format!(
                "`{}`{stream}: {}",
                error.path(),
                brief(&error.inner().to_string())
            ))
        })?;
        catalog.says_everything_once()?;
        Ok(catalog)
    }

    /// What stands twice must be the same: which of both is meant nobody can tell.
    fn says_everything_once(&self) -> Result<(), CatalogError> {
        for (i, entry) in self.streams.iter().enumerate() {
            let wrong = |text: String| CatalogError::Stream {
                stream: brief(&entry.tap_stream_id),
                text,
            };
            if self.streams[..i]
                .iter()
                .any(|earlier| earlier.tap_stream_id == entry.tap_stream_id && earlier != entry)
            {
                return Err(wrong(
                    "it is listed twice with different content; remove one".to_owned(),
                ));
            }
            for (at, one) in entry.metadata.iter().enumerate() {
                if entry.metadata[..at]
                    .iter()
                    .any(|earlier| earlier.breadcrumb == one.breadcrumb && earlier != one)
                {
                    let path = brief(&one.breadcrumb.join("."));
                    return Err(wrong(format!(
                        "the breadcrumb [{path}] has two different metadata entries; remove one"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// Brings an entry into the one form that is read here, from those of other programs, of people, and of earlier times.
fn normalize(entry: &mut Map<String, Value>, at: &str, stream: &str) -> Result<(), CatalogError> {
    if entry.contains_key("tap_stream_id") {
        // Its alias, which would be the same key again.
        entry.remove("stream_id");
    }
    for key in ["replication_method", "replication_key"] {
        if entry
            .get(key)
            .is_some_and(|value| value.as_str().is_some_and(|text| text.trim().is_empty()))
        {
            entry.remove(key);
        }
    }
    one_of_a_list(entry, "replication_key");
    a_list_of_one(entry, "key_properties");
    flag(entry, "selected", at, stream)?;
    if let Some(schema) = entry.get_mut("schema") {
        flags_of_schema(schema, &format!("{at}.schema"), stream)?;
    }
    match entry.remove("metadata") {
        None | Some(Value::Null) => {}
        // That of the stream alone, without a breadcrumb.
        Some(Value::Object(root)) => {
            _ = entry.insert(
                "metadata".to_owned(),
                json!([{"breadcrumb": [], "metadata": root}]),
            );
        }
        Some(other) => _ = entry.insert("metadata".to_owned(), other),
    }
    for (i, one) in entry
        .get_mut("metadata")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
        .enumerate()
    {
        let Some(one) = one.as_object_mut() else {
            continue;
        };
        if let Some(text) = one.get("breadcrumb").and_then(Value::as_str) {
            let parts: Vec<&str> = text
                .split('.')
                .filter(|part| !matches!(*part, "" | "()"))
                .collect();
            let parts = json!(parts);
            one.insert("breadcrumb".to_owned(), parts);
        }
        if one.get("metadata").is_some_and(Value::is_null) {
            one.insert("metadata".to_owned(), json!({}));
        }
        if let Some(metadata) = one.get_mut("metadata").and_then(Value::as_object_mut) {
            let at = format!("{at}.metadata[{i}].metadata");
            flag(metadata, "selected", &at, stream)?;
            flag(metadata, "selected-by-default", &at, stream)?;
            for key in ["replication-key", "replication_key"] {
                one_of_a_list(metadata, key);
            }
            for key in ["table-key-properties", "table_key_properties"] {
                a_list_of_one(metadata, key);
            }
        }
    }
    Ok(())
}

/// What plainly means yes or no becomes a boolean, and `null` is left out.
fn flag(
    map: &mut Map<String, Value>,
    key: &str,
    at: &str,
    stream: &str,
) -> Result<(), CatalogError> {
    let Some(value) = map.get_mut(key) else {
        return Ok(());
    };
    let plain = match &*value {
        Value::Bool(_) => return Ok(()),
        Value::Null => {
            map.remove(key);
            return Ok(());
        }
        Value::Number(number) => number
            .as_u64()
            .filter(|number| *number < 2)
            .map(|number| number == 1),
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    };
    match plain {
        Some(plain) => *value = json!(plain),
        None => {
            return Err(CatalogError::Shape(format!(
                "`{at}.{key}`{stream} is {}; write true or false",
                brief(&value.to_string())
            )));
        }
    }
    Ok(())
}

/// The flags of before there was metadata.
fn flags_of_schema(schema: &mut Value, at: &str, stream: &str) -> Result<(), CatalogError> {
    let Some(schema) = schema.as_object_mut() else {
        return Ok(());
    };
    flag(schema, "selected", at, stream)?;
    flag(schema, "selected-by-default", at, stream)?;
    for (name, property) in schema
        .get_mut("properties")
        .and_then(Value::as_object_mut)
        .into_iter()
        .flatten()
    {
        flags_of_schema(
            property,
            &format!("{at}.properties.{}", brief(name)),
            stream,
        )?;
    }
    Ok(())
}

fn one_of_a_list(map: &mut Map<String, Value>, key: &str) {
    if let Some([one]) = map.get(key).and_then(Value::as_array).map(Vec::as_slice) {
        let one = one.clone();
        map.insert(key.to_owned(), one);
    }
}

fn a_list_of_one(map: &mut Map<String, Value>, key: &str) {
    if let Some(text) = map.get(key).and_then(Value::as_str) {
        let list = if text.trim().is_empty() {
            json!([])
        } else {
            json!([text])
        };
        map.insert(key.to_owned(), list);
    }
}

/// Everything that this tap offers. Needs neither a token nor the network, and is the same at every call after what the user
/// defines is defined.
pub fn discover() -> Catalog {
    Catalog {
        streams: streams::all().map(discover_stream).collect(),
    }
}

fn discover_stream(def: &StreamDef) -> Entry {
    let schema: Value = serde_json::from_str(def.schema).expect("schemas/*.json are tested");
    let replication_key = def.replication_key();
    let method = method_name(def);
    let mut root = json!({
        "inclusion": "available",
        "selected-by-default": def.selected_by_default,
        "table-key-properties": def.key,
        "forced-replication-method": method,
    });
    if let Some(key) = replication_key {
        root["replication-key"] = json!(key);
        root["valid-replication-keys"] = json!([key]);
    }
    if let Some(parent) = def.parent {
        root["parent-tap-stream-id"] = json!(parent.stream);
    }
    let Value::Object(root) = root else {
        unreachable!("an object literal")
    };
    let mut metadata = vec![Metadata {
        breadcrumb: Vec::new(),
        metadata: root,
    }];
    describe(&schema, &mut Vec::new(), &mut metadata, &|name| {
        def.key.contains(&name) || replication_key == Some(name)
    });
    Entry {
        tap_stream_id: def.name().to_owned(),
        stream: Some(def.name().to_owned()),
        replication_method: Some(method.to_owned()),
        replication_key: replication_key.map(str::to_owned),
        key_properties: Some(def.key.iter().map(ToString::to_string).collect()),
        schema,
        selected: None,
        metadata,
    }
}

fn method_name(def: &StreamDef) -> &'static str {
    match def.replication {
        Replication::FullTable => "FULL_TABLE",
        Replication::Incremental { .. } => "INCREMENTAL",
    }
}

/// An entry for each property, nested ones too; those of the key are always included.
fn describe(
    schema: &Value,
    breadcrumb: &mut Vec<String>,
    metadata: &mut Vec<Metadata>,
    automatic: &dyn Fn(&str) -> bool,
) {
    for (name, property) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        breadcrumb.extend(["properties".to_owned(), name.clone()]);
        let inclusion = if breadcrumb.len() == 2 && automatic(name) {
            "automatic"
        } else {
            "available"
        };
        metadata.push(Metadata {
            breadcrumb: breadcrumb.clone(),
            metadata: Map::from_iter([("inclusion".to_owned(), json!(inclusion))]),
        });
        describe(property, breadcrumb, metadata, automatic);
        breadcrumb.truncate(breadcrumb.len() - 2);
    }
}

/// What a catalog decides about one stream that is to be written.
#[derive(Debug)]
pub struct Selected {
    pub def: &'static StreamDef,
    pub header: StreamHeader,
    pub projection: Projection,
    /// `FULL_TABLE` in the catalog of an incremental stream: bookmarks are neither used nor moved.
    pub ignore_bookmark: bool,
    /// The catalog says so itself, and not only that it is so by default.
    pub by_name: bool,
}

/// The selected streams, in the order of [`streams::all`].
#[derive(Debug)]
pub struct Selection(pub Vec<Selected>);

impl Selection {
    pub fn get(&self, name: &str) -> Option<&Selected> {
        self.0.iter().find(|selected| selected.def.name() == name)
    }

    /// Reads a catalog; `None` selects what is selected by default.
    ///
    /// # Errors
    /// When the catalog is malformed, or asks for a key or method that a stream cannot have.
    pub fn new(catalog: Option<Value>, style: &RecordStyle) -> Result<Self, CatalogError> {
        let catalog = match catalog {
            Some(value) => Catalog::read(value)?,
            None => discover(),
        };
        Self::from_catalog(&catalog, style, false)
    }

    /// Every stream with every field, as `--test` wants them.
    pub fn everything(style: &RecordStyle) -> Result<Self, CatalogError> {
        Self::from_catalog(&discover(), style, true)
    }

    fn from_catalog(
        catalog: &Catalog,
        style: &RecordStyle,
        all: bool,
    ) -> Result<Self, CatalogError> {
        let mut selected: Vec<Option<Selected>> = streams::all().map(|_| None).collect();
        for entry in &catalog.streams {
            let mut known = streams::all().enumerate();
            let known = known.find(|(_, def)| def.name() == entry.tap_stream_id);
            let Some((i, def)) = known else {
                log::warn!(
                    "the catalog's stream `{}` is not a stream of this tap; ignored",
                    brief(&entry.tap_stream_id)
                );
                continue;
            };
            if all || entry.is_selected(&[]) {
                selected[i] = Some(Selected {
                    by_name: !all && entry.is_named(),
                    ..entry.select(def, style)?
                });
            }
        }
        Ok(Self(selected.into_iter().flatten().collect()))
    }
}

impl Entry {
    fn metadata(&self, path: &[&str]) -> Option<&Map<String, Value>> {
        self.metadata
            .iter()
            .find(|m| {
                m.breadcrumb.len() == path.len() * 2
                    && m.breadcrumb
                        .chunks(2)
                        .zip(path)
                        .all(|(crumb, name)| crumb[0] == "properties" && crumb[1] == **name)
            })
            .map(|m| &m.metadata)
    }

    /// The selection algorithm of the Singer SDK: `unsupported` never, `automatic` always, then `selected`, then
    /// `selected-by-default`, then as the parent; a stream of which nothing is said is not selected.
    fn is_selected(&self, path: &[&str]) -> bool {
        if path.is_empty() {
            // What preceded metadata, which comes before what is only a default.
            let flag = self.selected.or_else(|| flag_of(&self.schema));
            return match self.metadata(&[]) {
                Some(root) => explicit(root, flag).unwrap_or(false),
                // A catalog without metadata selects by presence.
                None => flag.unwrap_or(self.metadata.is_empty()),
            };
        }
        let property = path.iter().try_fold(&self.schema, |schema, name| {
            schema.get("properties")?.get(name)
        });
        let selected = match self.metadata(path) {
            Some(metadata) => explicit(metadata, property.and_then(flag_of)),
            None => property
                .and_then(Value::as_object)
                .and_then(|property| explicit(property, None)),
        };
        selected.unwrap_or(true)
    }

    /// Whether the stream is selected by more than its default.
    fn is_named(&self) -> bool {
        let flag = self.selected.or_else(|| flag_of(&self.schema));
        let root = self.metadata(&[]);
        let said = root.and_then(|root| root.get("selected"));
        said.and_then(Value::as_bool).or(flag) == Some(true) || self.metadata.is_empty()
    }

    /// In a discovered catalog the entry and its metadata repeat the stream's own values, so what differs from them was
    /// chosen: first that of the entry, where Meltano and the SDK write, then that of the metadata.
    fn select(
        &self,
        def: &'static StreamDef,
        style: &RecordStyle,
    ) -> Result<Selected, CatalogError> {
        let wrong = |text: &str| CatalogError::Stream {
            stream: def.name().to_owned(),
            text: text.to_owned(),
        };
        let root = self.metadata(&[]);
        let built_in: Value = serde_json::from_str(def.schema).expect("schemas/*.json are tested");
        let mut schema = if self.schema.get("properties").is_some_and(Value::is_object) {
            self.schema.clone()
        } else {
            built_in.clone()
        };

        let listed = |value: Option<&Value>| {
            value
                .and_then(|v| serde_json::from_value::<Vec<String>>(v.clone()).ok())
                .filter(|keys| !keys.is_empty())
        };
        let key: Vec<String> = self
            .key_properties
            .clone()
            .filter(|keys| !keys.is_empty() && *keys != def.key)
            .or_else(|| {
                listed(root.and_then(|r| {
                    r.get("table-key-properties")
                        .or_else(|| r.get("table_key_properties"))
                }))
            })
            .unwrap_or_else(|| def.key.iter().map(ToString::to_string).collect());
        for name in key.iter().map(String::as_str).chain(def.replication_key()) {
            if schema["properties"].get(name).is_none() {
                let property = built_in["properties"].get(name).ok_or_else(|| {
                    wrong(&format!(
                        "the key property `{}` is not in the schema",
                        brief(name)
                    ))
                })?;
                schema["properties"][name] = property.clone();
            }
        }

        let text = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| root?.get(*name)?.as_str())
                .filter(|text| !text.trim().is_empty())
        };
        let method = self
            .replication_method
            .as_deref()
            .filter(|method| *method != method_name(def))
            .or_else(|| {
                text(&[
                    "replication-method",
                    "replication_method",
                    "forced-replication-method",
                ])
            })
            .map_or_else(
                || method_name(def).to_owned(),
                |method| method.trim().to_uppercase().replace(['-', ' '], "_"),
            );
        let ignore_bookmark = match (method.as_str(), def.replication) {
            ("FULL_TABLE", Replication::Incremental { .. }) => true,
            ("FULL_TABLE", Replication::FullTable)
            | ("INCREMENTAL", Replication::Incremental { .. }) => false,
            ("INCREMENTAL", Replication::FullTable) => {
                log::warn!(
                    "{}: Sentry has no replication key for it; the full table is extracted",
                    def.name()
                );
                false
            }
            (other, _) => {
                return Err(wrong(&format!(
                    "the replication method `{}` is not supported; use FULL_TABLE or INCREMENTAL",
                    brief(other)
                )));
            }
        };
        let replication_key = self
            .replication_key
            .as_deref()
            .filter(|key| Some(*key) != def.replication_key())
            .or_else(|| text(&["replication-key", "replication_key"]));
        if let (Some(asked), Some(own)) = (replication_key, def.replication_key())
            && asked != own
            && !ignore_bookmark
        {
            if [&schema, &built_in]
                .iter()
                .all(|schema| schema["properties"].get(asked).is_none())
            {
                log::warn!(target: def.name(), "the catalog's replication key `{}` is not a property of the stream; using `{own}`", brief(asked));
                return self.selected(def, style, schema, key, ignore_bookmark);
            }
            return Err(wrong(&format!(
                "the replication key `{}` is not supported; the only one is `{own}`",
                brief(asked)
            )));
        }

        self.selected(def, style, schema, key, ignore_bookmark)
    }

    /// A field that is deselected by a path that leads to no property is still written: that must be known.
    fn warn_of_paths_that_lead_nowhere(&self, def: &StreamDef, schema: &Value) {
        let leads_nowhere = |one: &&Metadata| {
            let mut crumbs = one.breadcrumb.chunks(2);
            let property = crumbs.try_fold(schema, |schema, crumb| match crumb {
                [properties, name] if properties == "properties" => {
                    schema.get("properties")?.get(name)
                }
                _ => None,
            });
            explicit(&one.metadata, None) == Some(false) && property.is_none()
        };
        let paths: Vec<String> = self
            .metadata
            .iter()
            .filter(leads_nowhere)
            .map(|one| one.breadcrumb.join("."))
            .collect();
        if !paths.is_empty() {
            let stream = def.name();
            log::warn!(
                target: stream,
                "the catalog deselects fields that `{stream}` does not have; this has no effect: {}",
                brief(&paths.join(", "))
            );
        }
    }

    fn selected(
        &self,
        def: &'static StreamDef,
        style: &RecordStyle,
        mut schema: Value,
        key: Vec<String>,
        ignore_bookmark: bool,
    ) -> Result<Selected, CatalogError> {
        let wrong = |text: &str| CatalogError::Stream {
            stream: def.name().to_owned(),
            text: text.to_owned(),
        };
        let automatic =
            |name: &str| key.iter().any(|k| k == name) || def.replication_key() == Some(name);
        let chosen = |path: &[&str]| {
            (1..=path.len()).all(|n| (n == 1 && automatic(path[0])) || self.is_selected(&path[..n]))
        };
        self.warn_of_paths_that_lead_nowhere(def, &schema);
        let projection = Projection::new(def, &schema, &chosen, style.keep_unknown_fields);
        prune(&mut schema, &mut Vec::new(), &chosen);
        let secrets = if style.include_secrets {
            &[]
        } else {
            def.secrets
        };
        let mask = Mask::new(def.name(), &key, style.masking.as_ref(), secrets);
        let mut flattener = None;
        if let Some(flattening) = &style.flatten {
            let named = key
                .iter()
                .map(String::as_str)
                .chain(def.replication_key())
                .map(str::to_owned)
                .collect();
            let (new, flat) = Flattener::new(flattening, named, schema).map_err(|column| {
                wrong(&format!(
                    "flattening would make two columns `{}`; change flattening_max_key_length or flattening_separator",
                    brief(&column)
                ))
            })?;
            flattener = Some(new);
            schema = flat;
        }
        let version = style
            .version
            .filter(|_| matches!(def.replication, Replication::FullTable));
        let bookmark_properties = def
            .replication_key()
            .filter(|_| !ignore_bookmark)
            .map(|key| vec![key.to_owned()]);
        let schema = SchemaMessage {
            stream: def.name().to_owned(),
            schema,
            key_properties: key,
            bookmark_properties,
        };
        let projection = projection.changed(mask, flattener, version);
        Ok(Selected {
            def,
            header: StreamHeader { schema, version },
            projection,
            ignore_bookmark,
            by_name: false,
        })
    }
}

/// What the metadata of one breadcrumb says by itself. `flag` is what stands in the schema, where flags stood before there
/// was metadata.
fn explicit(metadata: &Map<String, Value>, flag: Option<bool>) -> Option<bool> {
    let says = |key: &str| metadata.get(key).and_then(Value::as_bool);
    match metadata.get("inclusion").and_then(Value::as_str) {
        Some("unsupported") => Some(false),
        Some("automatic") => Some(true),
        _ => says("selected")
            .or(flag)
            .or_else(|| says("selected-by-default")),
    }
}

/// The flag of before there was metadata.
fn flag_of(schema: &Value) -> Option<bool> {
    schema.get("selected").and_then(Value::as_bool)
}

/// Removes deselected properties at every depth, but not inside lists, and what selected before there was metadata.
fn prune(schema: &mut Value, path: &mut Vec<String>, chosen: &dyn Fn(&[&str]) -> bool) {
    if let Some(object) = schema.as_object_mut() {
        object.retain(|keyword, _| {
            !matches!(
                keyword.as_str(),
                "selected" | "selected-by-default" | "inclusion"
            )
        });
        if let Some(required) = object.get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|name| {
                name.as_str().is_none_or(|name| {
                    chosen(
                        &path
                            .iter()
                            .map(String::as_str)
                            .chain([name])
                            .collect::<Vec<_>>(),
                    )
                })
            });
        }
    }
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    properties.retain(|name, property| {
        path.push(name.clone());
        let keep = chosen(&path.iter().map(String::as_str).collect::<Vec<_>>());
        if keep {
            prune(property, path, chosen);
        }
        path.pop();
        keep
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::STREAMS;
    use rstest::rstest;

    fn entry(value: Value) -> Entry {
        serde_json::from_value(value).expect("an entry")
    }

    #[rstest]
    #[case::present_and_without_metadata(json!({}), true)]
    #[case::the_flag_of_before_metadata(json!({"selected": false}), false)]
    #[case::the_flag_in_the_schema(json!({"schema": {"selected": false}}), false)]
    #[case::the_nearer_flag_wins(json!({"selected": true, "schema": {"selected": false}}), true)]
    #[case::selected(json!({"metadata": [{"breadcrumb": [], "metadata": {"selected": true}}]}), true)]
    #[case::deselected_by_the_flag(json!({"selected": false, "metadata": [{"breadcrumb": [], "metadata": {"selected-by-default": true}}]}), false)]
    #[case::deselected_in_the_schema(json!({"schema": {"selected": false}, "metadata": [{"breadcrumb": [], "metadata": {"selected-by-default": true}}]}), false)]
    #[case::deselected(json!({"selected": true, "metadata": [{"breadcrumb": [], "metadata": {"selected": false}}]}), false)]
    #[case::by_default(json!({"metadata": [{"breadcrumb": [], "metadata": {"selected-by-default": true}}]}), true)]
    #[case::not_by_default(json!({"metadata": [{"breadcrumb": [], "metadata": {"selected-by-default": false}}]}), false)]
    #[case::selected_beats_default(json!({"metadata": [{"breadcrumb": [], "metadata": {"selected": false, "selected-by-default": true}}]}), false)]
    #[case::selected_null_says_nothing(json!({"metadata": [{"breadcrumb": [], "metadata": {"selected": null, "selected-by-default": true}}]}), true)]
    #[case::unsupported(json!({"metadata": [{"breadcrumb": [], "metadata": {"inclusion": "unsupported", "selected": true}}]}), false)]
    #[case::automatic(json!({"metadata": [{"breadcrumb": [], "metadata": {"inclusion": "automatic", "selected": false}}]}), true)]
    #[case::nothing_said_of_the_stream(json!({"metadata": [{"breadcrumb": [], "metadata": {"inclusion": "available"}}]}), false)]
    #[case::nothing_said_but_the_flag(json!({"selected": true, "metadata": [{"breadcrumb": [], "metadata": {"inclusion": "available"}}]}), true)]
    #[case::metadata_of_properties_only(json!({"metadata": [{"breadcrumb": ["properties", "id"], "metadata": {"selected": true}}]}), false)]
    fn whether_a_stream_is_selected(#[case] mut value: Value, #[case] expected: bool) {
        value["tap_stream_id"] = json!("teams");
        assert_eq!(entry(value).is_selected(&[]), expected);
    }

    #[rstest]
    #[case::of_which_nothing_is_said(json!({}), true)]
    #[case::selected(json!({"selected": true}), true)]
    #[case::deselected(json!({"selected": false}), false)]
    #[case::deselected_by_default(json!({"selected-by-default": false}), false)]
    #[case::selected_beats_default(json!({"selected": true, "selected-by-default": false}), true)]
    #[case::unsupported(json!({"inclusion": "unsupported", "selected": true}), false)]
    #[case::automatic(json!({"inclusion": "automatic", "selected": false}), true)]
    fn whether_a_property_is_selected(#[case] metadata: Value, #[case] expected: bool) {
        let entry = entry(
            json!({"tap_stream_id": "teams", "metadata": [{"breadcrumb": ["properties", "a", "properties", "b"], "metadata": metadata}]}),
        );
        assert_eq!(entry.is_selected(&["a", "b"]), expected);
        assert!(
            entry.is_selected(&["a"])
                && entry.is_selected(&["a", "b", "c"])
                && entry.is_selected(&["b"])
        );
    }

    /// Breadcrumbs of all properties, but for those of rows in lists.
    fn breadcrumbs(schema: &Value, above: &[String], out: &mut Vec<Vec<String>>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let crumb = [above, &["properties".to_owned(), name.clone()]].concat();
            out.push(crumb.clone());
            breadcrumbs(property, &crumb, out);
        }
    }

    #[test]
    fn discovery_describes_every_property_at_every_depth() {
        let catalog = discover();
        assert_eq!(catalog.streams.len(), STREAMS.len());
        let mut nested = 0;
        for (entry, def) in catalog.streams.iter().zip(STREAMS) {
            let mut expected = vec![Vec::new()];
            breadcrumbs(&entry.schema, &[], &mut expected);
            let found: Vec<_> = entry
                .metadata
                .iter()
                .map(|one| one.breadcrumb.clone())
                .collect();
            assert_eq!(found, expected, "{}", def.name());
            nested += found.iter().filter(|crumb| crumb.len() > 2).count();
            for one in &entry.metadata[1..] {
                let own = one.breadcrumb.len() == 2
                    && (def.key.contains(&one.breadcrumb[1].as_str())
                        || def.replication_key() == Some(&one.breadcrumb[1]));
                assert_eq!(
                    one.metadata["inclusion"],
                    if own { "automatic" } else { "available" },
                    "{}: {:?}",
                    def.name(),
                    one.breadcrumb
                );
            }
            let root = &entry.metadata[0].metadata;
            assert_eq!(root["table-key-properties"], json!(def.key));
            assert_eq!(root["selected-by-default"], json!(def.selected_by_default));
            assert_eq!(
                root.get("valid-replication-keys"),
                def.replication_key().map(|key| json!([key])).as_ref()
            );
            assert_eq!(
                root["forced-replication-method"],
                json!(entry.replication_method)
            );
            assert_eq!(
                root.get("parent-tap-stream-id").and_then(Value::as_str),
                def.parent.map(|parent| parent.stream)
            );
        }
        assert!(nested > 20, "{nested}");
    }

    fn select(mut value: Value) -> Result<Selected, CatalogError> {
        if value.get("tap_stream_id").is_none() {
            value["tap_stream_id"] = json!("issues");
        }
        Selection::new(Some(json!({"streams": [value]})), &RecordStyle::default())
            .map(|mut selection| selection.0.remove(0))
    }

    #[rstest]
    #[case::the_method(json!({"replication_method": "LOG_BASED"}), "replication method `LOG_BASED` is not supported")]
    #[case::the_method_in_metadata(json!({"metadata": [{"breadcrumb": [], "metadata": {"selected": true, "replication-method": "log_based"}}]}), "replication method `LOG_BASED`")]
    #[case::the_key(json!({"replication_key": "firstSeen"}), "the only one is `lastSeen`")]
    #[case::the_key_in_metadata(json!({"metadata": [{"breadcrumb": [], "metadata": {"selected": true, "replication-key": "firstSeen"}}]}), "the only one is `lastSeen`")]
    #[case::a_primary_key_that_is_nowhere(json!({"key_properties": ["uuid"]}), "`uuid` is not in the schema")]
    fn what_a_stream_cannot_do_is_refused_by_name(#[case] value: Value, #[case] told: &str) {
        let error = select(value).expect_err("refused").to_string();
        assert!(
            error.contains(told) && error.contains("`issues`"),
            "{error}"
        );
    }

    #[test]
    fn the_catalog_of_the_older_tap_is_accepted() {
        let root = json!({"selected": true, "replication-method": "INCREMENTAL", "replication-key": "updated_at", "table-key-properties": ["id"]});
        for metadata in [root.clone(), json!([{"breadcrumb": [], "metadata": root}])] {
            let selected = select(json!({"metadata": metadata})).expect("accepted");
            assert!(!selected.ignore_bookmark);
            assert_eq!(
                selected.header.schema.bookmark_properties,
                Some(vec!["lastSeen".to_owned()])
            );
        }
    }

    #[rstest]
    #[case::no(json!("false"), Some(false))]
    #[case::zero(json!(0), Some(false))]
    #[case::off(json!("Off"), Some(false))]
    #[case::yes(json!("yes"), Some(true))]
    #[case::one(json!(1), Some(true))]
    #[case::nothing(json!(null), Some(true))]
    #[case::perhaps(json!("perhaps"), None)]
    #[case::two(json!(2), None)]
    #[case::a_list(json!([]), None)]
    fn a_flag_that_is_no_boolean(#[case] flag: Value, #[case] expected: Option<bool>) {
        let schema =
            json!({"type": "object", "properties": {"id": {}, "lastSeen": {}, "title": {}}});
        let mut by_schema = schema.clone();
        by_schema["properties"]["title"]["selected"] = flag.clone();
        for (entry, path) in [
            (
                json!({"schema": schema, "metadata": [{"breadcrumb": [], "metadata": {"selected": true}}, {"breadcrumb": ["properties", "title"], "metadata": {"selected": flag}}]}),
                "streams[0].metadata[1].metadata.selected",
            ),
            (
                json!({"schema": by_schema}),
                "streams[0].schema.properties.title.selected",
            ),
        ] {
            match (select(entry), expected) {
                (Ok(selected), Some(expected)) => {
                    assert_eq!(
                        selected.header.schema.schema["properties"]
                            .get("title")
                            .is_some(),
                        expected
                    );
                }
                (Err(e), None) => assert!(e.to_string().contains(path), "{e}"),
                (other, _) => panic!("{other:?}"),
            }
        }
    }

    #[rstest]
    #[case::an_empty_method(json!({"replication_method": "", "replication_key": ""}), false)]
    #[case::in_lower_case(json!({"replication_method": "incremental"}), false)]
    #[case::full_table_in_lower_case(json!({"replication_method": "full_table"}), true)]
    #[case::metadata_null(json!({"metadata": null, "selected": true}), false)]
    #[case::metadata_of_one_null(json!({"selected": true, "metadata": [{"breadcrumb": [], "metadata": null}]}), false)]
    #[case::keys_as_text(json!({"key_properties": "id"}), false)]
    #[case::keys_null(json!({"key_properties": null}), false)]
    #[case::a_replication_key_in_a_list(json!({"replication_key": ["lastSeen"]}), false)]
    #[case::breadcrumbs_as_text(json!({"metadata": [{"breadcrumb": "", "metadata": {"selected": true}}, {"breadcrumb": "properties.title", "metadata": {"selected": false}}]}), false)]
    fn an_entry_as_other_programs_write_it(#[case] value: Value, #[case] full_table: bool) {
        let selected = select(value).expect("accepted");
        assert_eq!(selected.ignore_bookmark, full_table);
        assert_eq!(selected.header.schema.key_properties, ["id"]);
    }

    #[rstest]
    #[case::as_discovered(json!({}), false)]
    #[case::full_table(json!({"replication_method": "FULL_TABLE"}), true)]
    #[case::full_table_in_metadata(json!({"metadata": [{"breadcrumb": [], "metadata": {"selected": true, "replication-method": "FULL_TABLE"}}]}), true)]
    #[case::full_table_by_a_key_that_does_not_matter(json!({"replication_method": "FULL_TABLE", "replication_key": "firstSeen"}), true)]
    fn a_method_that_fits(#[case] value: Value, #[case] full_table: bool) {
        let selected = select(value).expect("accepted");
        assert_eq!(selected.ignore_bookmark, full_table);
        assert_eq!(
            selected.header.schema.bookmark_properties,
            (!full_table).then(|| vec!["lastSeen".to_owned()])
        );
    }

    #[test]
    fn a_stream_without_a_key_to_replicate_by_is_whole_whatever_is_asked_for() {
        let selected = select(json!({"tap_stream_id": "teams", "replication_method": "INCREMENTAL", "replication_key": "dateCreated"}))
            .expect("accepted");
        assert!(!selected.ignore_bookmark);
        assert_eq!(selected.header.schema.bookmark_properties, None);
    }

    #[test]
    fn keys_are_added_to_a_schema_that_lacks_them() {
        let schema =
            json!({"type": "object", "properties": {"title": {"type": ["string", "null"]}}});
        let selected = select(json!({"schema": schema, "key_properties": []})).expect("accepted");
        let names: Vec<&String> = selected.header.schema.schema["properties"]
            .as_object()
            .expect("an object")
            .keys()
            .collect();
        assert_eq!(names, ["title", "id", "lastSeen"]);
        assert_eq!(selected.header.schema.key_properties, ["id"]);
    }

    #[test]
    fn a_catalog_that_cannot_be_used_is_told_apart() {
        let new = |value: Value| {
            Selection::new(Some(value), &RecordStyle::default()).map(|selection| selection.0.len())
        };
        assert!(matches!(new(json!([])), Err(CatalogError::Shape(_))));
        assert!(matches!(
            new(json!({"streams": [{"stream": "issues"}]})),
            Err(CatalogError::Shape(_))
        ));
        assert!(matches!(new(json!({"streams": []})), Ok(0)));
        assert!(matches!(
            new(json!({"streams": [{"tap_stream_id": "unicorns"}]})),
            Ok(0)
        ));
        assert!(matches!(
            new(json!({"streams": [{"stream_id": "teams"}, {"tap_stream_id": "unicorns"}]})),
            Ok(1)
        ));
        assert!(matches!(
            new(json!({"streams": [{"stream_id": "teams", "tap_stream_id": "teams"}]})),
            Ok(1)
        ));
    }

    #[test]
    fn without_a_catalog_the_defaults_are_selected_and_everything_for_a_test() {
        let names = |selection: Selection| {
            selection
                .0
                .iter()
                .map(|selected| selected.def.name())
                .collect::<Vec<_>>()
        };
        let expected: Vec<_> = STREAMS
            .iter()
            .filter(|def| def.selected_by_default)
            .map(crate::streams::StreamDef::name)
            .collect();
        assert_eq!(
            names(Selection::new(None, &RecordStyle::default()).expect("the own catalog")),
            expected
        );
        assert_eq!(
            names(Selection::everything(&RecordStyle::default()).expect("the own catalog")).len(),
            STREAMS.len()
        );
    }
}
