//! The schema of a stream's records, compiled: types, shapes, and which key is expected next.

use crate::record::instant::is_plain_instant;
use rustc_hash::FxHashMap;
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};
use tap_sentry_json::{self as json, Document};

/// The JSON types that a schema admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Types(u8);

impl Types {
    pub const NULL: u8 = 1;
    pub const BOOLEAN: u8 = 2;
    pub const INTEGER: u8 = 4;
    pub const NUMBER: u8 = 8;
    pub const STRING: u8 = 16;
    pub const OBJECT: u8 = 32;
    pub const ARRAY: u8 = 64;
    const ANY: Self = Self(u8::MAX);

    /// The type of a value by its first byte. A number may be an integer too.
    #[inline]
    pub fn of_byte(byte: u8) -> u8 {
        static TYPES: [u8; 256] = {
            let mut types = [Types::NUMBER; 256];
            types[b'"' as usize] = Types::STRING;
            types[b'{' as usize] = Types::OBJECT;
            types[b'[' as usize] = Types::ARRAY;
            types[b't' as usize] = Types::BOOLEAN;
            types[b'f' as usize] = Types::BOOLEAN;
            types[b'n' as usize] = Types::NULL;
            types
        };
        TYPES[byte as usize]
    }

    /// `None`: the schema does not say.
    fn of(schema: &Value) -> Option<Self> {
        let bit = |name: &Value| {
            Some(match name.as_str()? {
                "null" => Self::NULL,
                "boolean" => Self::BOOLEAN,
                "integer" => Self::INTEGER,
                "number" => Self::NUMBER,
                "string" => Self::STRING,
                "object" => Self::OBJECT,
                "array" => Self::ARRAY,
                _ => return None,
            })
        };
        match schema.get("type")? {
            Value::Array(types) => types
                .iter()
                .map(bit)
                .try_fold(0, |all, bit| Some(all | bit?))
                .map(Self),
            one => bit(one).map(Self),
        }
    }

    #[inline]
    pub fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }
}

/// The schema of one value.
#[derive(Debug)]
pub struct Schema {
    pub types: Types,
    pub shape: Shape,
    /// The types of which every value is as it is wanted: nothing is declared about what is inside of it.
    whole: Types,
}

/// What is declared about a value beside its types.
#[derive(Debug)]
pub enum Shape {
    /// Nothing.
    Plain,
    /// Text that is an instant.
    DateTime,
    /// An object of these properties.
    Object(Properties),
    /// An array of such elements.
    Items(Box<Schema>),
}

impl Schema {
    fn new(schema: &Value, path: &mut Vec<String>, selected: &dyn Fn(&[&str]) -> bool) -> Self {
        let Some(types) = Types::of(schema) else {
            return Self {
                types: Types::ANY,
                shape: Shape::Plain,
                whole: Types::ANY,
            };
        };
        let shape = if types.has(Types::OBJECT)
            && schema
                .get("properties")
                .is_some_and(|p| p.as_object().is_some_and(|p| !p.is_empty()))
            && schema.get("additionalProperties") != Some(&Value::Bool(true))
        {
            Shape::Object(Properties::below(schema, path, selected))
        } else if types.has(Types::ARRAY) && schema.get("items").is_some_and(Value::is_object) {
            Shape::Items(Box::new(Self::new(&schema["items"], path, &|_| true)))
        } else if types.has(Types::STRING) && schema.get("format").is_some_and(|f| f == "date-time")
        {
            Shape::DateTime
        } else {
            Shape::Plain
        };
        let looked_into = match shape {
            Shape::Plain => 0,
            Shape::DateTime => Types::STRING,
            Shape::Object(_) => Types::OBJECT,
            Shape::Items(_) => Types::ARRAY,
        };
        Self {
            whole: Types(types.0 & !looked_into),
            types,
            shape,
        }
    }

    /// Whether any value of this type is as it is wanted, if it needs no repair.
    #[inline]
    pub fn admits_whole(&self, kind: u8) -> bool {
        self.whole.has(kind)
    }

    /// Whether the value is of a declared type, and an instant in the form that records have. What is inside of objects
    /// and arrays is not looked at.
    pub fn fits(&self, doc: &Document<'_>, value: json::Value) -> bool {
        let text = doc.text(value);
        match Types::of_byte(text[0]) {
            Types::STRING if matches!(self.shape, Shape::DateTime) => {
                is_plain_instant(&text[1..text.len() - 1])
            }
            // Beyond 64 bits a number is copied as text, which only a column that also admits text can hold.
            Types::NUMBER => {
                let is_integer = || !text.iter().any(|b| matches!(b, b'.' | b'e' | b'E'));
                (self.types.has(Types::NUMBER) || self.types.has(Types::INTEGER) && is_integer())
                    && (self.types.has(Types::STRING) || json::number_fits(text))
            }
            kind => self.types.has(kind),
        }
    }
}

/// The properties of an object.
#[derive(Debug)]
pub struct Properties {
    /// For messages: where this object stands in the record, ending in a dot unless it is the record itself.
    pub path: String,
    list: Vec<Property>,
    /// Positions in `list` by name.
    index: FxHashMap<Box<[u8]>, usize>,
    /// The position in `list` of the property that came first in the last object.
    first: AtomicUsize,
}

/// A property of an object.
#[derive(Debug)]
pub struct Property {
    /// The name with quotes and colon, as it is written.
    pub label: String,
    /// `None`: known, but deselected or written from elsewhere.
    pub schema: Option<Schema>,
    /// The value's place is kept: it is part of the key or the source of a derived column.
    pub slot: Option<usize>,
    /// The position of the property that came after this one in the last object.
    next: AtomicUsize,
}

impl Property {
    pub fn new(name: &str, schema: Option<Schema>) -> Self {
        Self {
            label: format!("{}:", Value::from(name)),
            schema,
            slot: None,
            next: AtomicUsize::new(usize::MAX),
        }
    }

    /// The name as it is written between quotes.
    pub fn name(&self) -> &str {
        &self.label[1..self.label.len() - 2]
    }
}

impl Properties {
    /// Compiles the schema of a record. `selected` answers for a path of property names.
    pub fn new(schema: &Value, selected: &dyn Fn(&[&str]) -> bool) -> Self {
        Self::below(schema, &mut Vec::new(), selected)
    }

    fn below(schema: &Value, path: &mut Vec<String>, selected: &dyn Fn(&[&str]) -> bool) -> Self {
        let mut properties = Self {
            path: path
                .iter()
                .fold(String::new(), |path, name| path + name + "."),
            list: Vec::new(),
            index: FxHashMap::default(),
            first: AtomicUsize::new(usize::MAX),
        };
        for (name, property) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            path.push(name.clone());
            let chosen = selected(&path.iter().map(String::as_str).collect::<Vec<_>>());
            let schema = chosen.then(|| Schema::new(property, path, selected));
            path.pop();
            properties.add(name, schema);
        }
        properties
    }

    fn add(&mut self, name: &str, schema: Option<Schema>) -> usize {
        self.index.insert(name.as_bytes().into(), self.list.len());
        self.list.push(Property::new(name, schema));
        self.list.len() - 1
    }

    /// The property of this name.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Property> {
        self.index.get(name.as_bytes()).map(|i| &mut self.list[*i])
    }

    /// The property of this name.
    pub fn get(&self, name: &str) -> Option<&Property> {
        self.index.get(name.as_bytes()).map(|i| &self.list[*i])
    }

    /// The property of this name, which is known but not written where the schema lacks it.
    pub fn get_or_add(&mut self, name: &str) -> &mut Property {
        let i = match self.index.get(name.as_bytes()) {
            Some(i) => *i,
            None => self.add(name, None),
        };
        &mut self.list[i]
    }

    /// The members of an object of the document, and what is declared about each.
    #[inline]
    pub fn members<'s, 'd, 'a>(
        &'s self,
        doc: &'d Document<'a>,
        object: json::Value,
    ) -> Members<'s, 'd, 'a> {
        Members {
            properties: self,
            doc,
            rest: doc.members(object),
            last: None,
        }
    }

    fn search(&self, key: &[u8]) -> Option<usize> {
        match self.index.get(key) {
            // An escaped key may spell a declared name.
            None if key.contains(&b'\\') => {
                let name: String = serde_json::from_slice(&[b"\"", key, b"\""].concat()).ok()?;
                self.index.get(name.as_bytes()).copied()
            }
            found => found.copied(),
        }
    }
}

/// A member of an object.
pub struct Member<'s, 'a> {
    /// What is declared about it, and its number among the properties; else its key.
    pub property: Result<(usize, &'s Property), &'a [u8]>,
    /// Where its label begins in the body, if it is written there as we would.
    pub label: Option<usize>,
    pub value: json::Value,
}

/// Iterates over the members of an object; see [`Properties::members`].
pub struct Members<'s, 'd, 'a> {
    properties: &'s Properties,
    doc: &'d Document<'a>,
    /// What is not looked at yet.
    rest: json::Members<'d, 'a>,
    last: Option<usize>,
}

impl<'s, 'a> Iterator for Members<'s, '_, 'a> {
    type Item = Member<'s, 'a>;

    #[expect(
        clippy::inline_always,
        reason = "a member is taken apart where it is used; passing it through memory costs a third"
    )]
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        // Rows of one list have the same keys in the same order, so what came next in the last one is tried first.
        let list = &self.properties.list;
        let next = self
            .last
            .map_or(&self.properties.first, |last| &list[last].next);
        let expected = next.load(Ordering::Relaxed);
        if let Some(property) = list.get(expected)
            && let Some(value) = self.rest.next_labelled(property.label.as_bytes())
        {
            self.last = Some(expected);
            return Some(Member {
                property: Ok((expected, property)),
                label: Some(value.start() - property.label.len()),
                value,
            });
        }
        let (key, value) = self.rest.next()?;
        let Some(i) = self.properties.search(key) else {
            return Some(Member {
                property: Err(key),
                label: None,
                value,
            });
        };
        next.store(i, Ordering::Relaxed);
        self.last = Some(i);
        let label = self.doc.bytes()[..value.start()].ends_with(list[i].label.as_bytes());
        Some(Member {
            property: Ok((i, &list[i])),
            label: label.then(|| value.start() - list[i].label.len()),
            value,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tap_sentry_api::request::INDEXED_DEPTH;

    #[test]
    fn members_are_known_in_any_order_and_spelling() {
        let schema = json!({"properties": {"a": {}, "b": {"type": "string"}}});
        let properties = Properties::new(&schema, &|path| path != ["b"]);
        // Each object leaves behind what is expected of the next.
        for (object, expected) in [
            (r#"{"a":1,"b":2}"#, ["a true", "b true"]),
            (r#"{"b":2,"a":1}"#, ["b true", "a true"]),
            (r#"{"a":1,"b":2}"#, ["a true", "b true"]),
            (r#"{"a" :1,"\u0062":2}"#, ["a false", "b false"]),
            (r#"{"c":1, "a":2}"#, ["c unknown", "a true"]),
        ] {
            let doc = Document::parse(object.as_bytes(), INDEXED_DEPTH).expect("JSON");
            let members = properties.members(&doc, doc.root());
            let found: Vec<String> = members
                .map(|member| match member.property {
                    Ok((_, known)) => format!("{} {}", known.name(), member.label.is_some()),
                    Err(key) => format!("{} unknown", String::from_utf8_lossy(key)),
                })
                .collect();
            assert_eq!(found, expected, "{object}");
        }
        assert!(properties.list[0].schema.is_some() && properties.list[1].schema.is_none());
    }

    #[test]
    fn a_schema_without_types_admits_anything() {
        for schema in [json!({}), json!({"type": "unheard of"})] {
            let schema = Schema::new(&schema, &mut Vec::new(), &|_| true);
            assert!(
                b"\"{[tfn-0"
                    .iter()
                    .all(|byte| schema.admits_whole(Types::of_byte(*byte)))
            );
        }
    }
}
