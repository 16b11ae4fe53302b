//! One row of an answer -> one RECORD line: selected, stamped with its context, and made to fit its schema.
//!
//! This is the one place where values are changed. What fits is copied as it is written. What does not:
//!
//! | declared | got | written |
//! |---|---|---|
//! | string | number, boolean | the same characters, quoted |
//! | string | object, list | its JSON as text |
//! | date-time | another RFC 3339 form, no offset, epoch seconds | UTC with `Z`, at most 6 digits |
//! | integer | `"12"`, `12.0`, `1e3` | `12`, `1000` |
//! | number | `"1.5"` | `1.5` |
//! | boolean | `"true"`, `0`, `1` | `true`, `false` |
//! | object | `[]` | `{}` |
//! | free-form object | anything else | `{"value": …}` |
//! | list | anything else | a list of that one value |
//! | anything | what none of these can express | `null`, with a warning |
//!
//! Everywhere: U+0000 and lone surrogates become U+FFFD, numbers beyond 64 bits become text, and containers deeper
//! than [`raw::MAX_DEPTH`] become `null`. Of equal keys of one object the first counts.

use crate::raw::{self, Malformed, Repairs};
use crate::streams::{Derived, StreamDef};
use crate::time::{format_instant, parse_instant};
use chrono::DateTime;
use rustc_hash::FxHashMap;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Why a row cannot become a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("a row is not an object")]
    NotAnObject,
    #[error("a row has no `{0}`")]
    NoKey(&'static str),
}

/// The JSON types that a schema admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Types(u8);

impl Types {
    const NULL: u8 = 1;
    const BOOLEAN: u8 = 2;
    const INTEGER: u8 = 4;
    const NUMBER: u8 = 8;
    const STRING: u8 = 16;
    const OBJECT: u8 = 32;
    const ARRAY: u8 = 64;

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
            Value::Array(types) => types.iter().map(bit).try_fold(0, |all, bit| Some(all | bit?)).map(Self),
            one => bit(one).map(Self),
        }
    }

    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }
}

/// A schema, compiled for one pass over a value.
#[derive(Debug)]
struct Node {
    types: Types,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    Plain,
    DateTime,
    Members(Members),
    Items(Box<Node>),
}

#[derive(Debug)]
struct Members {
    /// For messages: where this object stands in the record, ending in a dot unless it is the record itself.
    path: String,
    list: Vec<Member>,
    index: FxHashMap<Box<[u8]>, usize>,
}

#[derive(Debug)]
struct Member {
    /// The name with quotes and colon, as it is written.
    label: String,
    /// `None`: known, but deselected or written from elsewhere.
    node: Option<Node>,
    /// The value's place is kept: it is part of the key or the source of a derived column.
    slot: Option<usize>,
}

/// What was changed or left out while records were made, for one summary a stream.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Notes {
    /// Fields that the schema lacks.
    pub unknown: BTreeMap<String, u64>,
    /// Values that were written in another form, by column.
    pub converted: BTreeMap<String, u64>,
    /// Values that could not be expressed and became `null`, by column.
    pub nulled: BTreeMap<String, u64>,
    /// Characters, numbers and depths repaired, by column.
    pub repaired: BTreeMap<String, u64>,
}

impl Notes {
    pub fn merge(&mut self, other: Self) {
        for (mine, theirs) in [
            (&mut self.unknown, other.unknown),
            (&mut self.converted, other.converted),
            (&mut self.nulled, other.nulled),
            (&mut self.repaired, other.repaired),
        ] {
            for (key, count) in theirs {
                *mine.entry(key).or_default() += count;
            }
        }
    }
}

fn count(map: &mut BTreeMap<String, u64>, path: &str, name: &str) {
    let key = if path.is_empty() { name.to_owned() } else { format!("{path}{name}") };
    *map.entry(key).or_default() += 1;
}

/// One line of a [`Batch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Where the line ends in [`Batch::lines`].
    pub end: usize,
    /// Identity of stream and primary key: 128 bits, so that two keys of any organization differ.
    pub key: u128,
    /// Of the record's content; 0 where a record is written once a run whatever it holds.
    pub content: u64,
}

/// The RECORD lines of one answer.
#[derive(Debug)]
pub struct Batch {
    pub stream: &'static StreamDef,
    pub lines: Vec<u8>,
    pub rows: Vec<Row>,
    pub notes: Notes,
}

impl Batch {
    pub fn new(stream: &'static StreamDef) -> Self {
        Self { stream, lines: Vec::new(), rows: Vec::new(), notes: Notes::default() }
    }
}

/// The slot of a column and the path below it.
type Source = (usize, &'static [&'static str]);

/// How rows of one stream become records.
#[derive(Debug)]
pub struct Projection {
    def: &'static StreamDef,
    root: Members,
    slots: usize,
    /// The slot of each part of the primary key; `None`: a column of the context.
    key: Vec<(&'static str, Option<usize>)>,
    derived: Vec<(Member, Vec<Source>)>,
    columns: Vec<&'static str>,
    keep_unknown: bool,
    /// An event is written once a run; other records again when they have changed.
    once: bool,
}

/// The parts of a line that are the same for all records of an answer.
#[derive(Debug)]
pub struct Frame {
    head: String,
    tail: String,
    key_seed: Vec<u8>,
    empty_head: bool,
}

impl Projection {
    /// Compiles the schema of a catalog entry. `selected` answers for a path of property names.
    pub fn new(def: &'static StreamDef, schema: &Value, selected: &dyn Fn(&[&str]) -> bool, keep_unknown: bool) -> Self {
        let mut root = members(schema, &mut Vec::new(), selected);
        let mut slots = 0;
        let mut slot = |root: &mut Members, name: &str| {
            let i = *root.index.entry(name.as_bytes().into()).or_insert_with(|| {
                root.list.push(Member { label: label(name), node: None, slot: None });
                root.list.len() - 1
            });
            *root.list[i].slot.get_or_insert_with(|| {
                slots += 1;
                slots - 1
            })
        };
        let key = def
            .key
            .iter()
            .map(|name| (*name, (!def.columns.contains(name)).then(|| slot(&mut root, name))))
            .collect();
        let mut columns = Vec::new();
        for column in def.columns {
            if let Some(i) = root.index.get(column.as_bytes())
                && root.list[*i].node.take().is_some()
            {
                columns.push(*column);
            }
        }
        let mut derived = Vec::new();
        for Derived { column, from } in def.derived {
            let sources = from.iter().map(|path| (slot(&mut root, path[0]), &path[1..])).collect();
            if let Some(i) = root.index.get(column.as_bytes())
                && let Some(node) = root.list[*i].node.take()
            {
                derived.push((Member { label: label(column), node: Some(node), slot: None }, sources));
            }
        }
        Self { def, root, slots, key, derived, columns, keep_unknown, once: def.name == "events" || def.name == "event_detail" }
    }

    /// `context` holds the values of the columns that the context supplies.
    pub fn frame<'a>(&self, context: impl Fn(&str) -> Option<&'a str>, extracted: &str) -> Frame {
        let mut head = format!(r#"{{"type":"RECORD","stream":"{}","record":{{"#, self.def.name);
        let empty = head.len();
        for column in &self.columns {
            let value = context(column).map_or(Value::Null, Value::from);
            head.push_str(if head.len() == empty { "" } else { "," });
            head.push_str(&label(column));
            head.push_str(&value.to_string());
        }
        let mut key_seed = self.def.name.as_bytes().to_vec();
        for (name, slot) in &self.key {
            if slot.is_none() {
                key_seed.push(0);
                key_seed.extend_from_slice(context(name).unwrap_or_default().as_bytes());
            }
        }
        Frame { empty_head: head.len() == empty, head, tail: format!("}},\"time_extracted\":\"{extracted}\"}}\n"), key_seed }
    }

    /// Appends the row that starts at `at` and returns its end.
    ///
    /// # Errors
    /// When the text is not JSON, or the row is no object or has no key: a wrong answer.
    pub fn write(&self, json: &[u8], at: usize, frame: &Frame, batch: &mut Batch) -> Result<usize, RowError> {
        if json.get(at) != Some(&b'{') {
            return Err(if raw::skip(json, at).is_ok() { RowError::NotAnObject } else { Malformed { what: "expected an object", at }.into() });
        }
        let Batch { lines, notes, rows, .. } = batch;
        lines.extend_from_slice(frame.head.as_bytes());
        let record_start = lines.len();
        let mut first = frame.empty_head;
        let mut slots: [Option<Range<usize>>; 16] = Default::default();
        debug_assert!(self.slots <= slots.len());
        let mut seen = Seen::default();
        let end = raw::members(json, at, |key, value| {
            let Some(&i) = self.root.get(key) else {
                return if self.keep_unknown {
                    separate(lines, &mut first);
                    lines.push(b'"');
                    lines.extend_from_slice(key);
                    lines.extend_from_slice(b"\":");
                    raw::copy(json, value, 1, lines, &mut Repairs::default())
                } else {
                    count(&mut notes.unknown, "", &String::from_utf8_lossy(key));
                    raw::skip(json, value)
                };
            };
            if !seen.first(i) {
                return raw::skip(json, value);
            }
            let member = &self.root.list[i];
            let end = match &member.node {
                Some(node) => {
                    separate(lines, &mut first);
                    lines.extend_from_slice(member.label.as_bytes());
                    node.write(json, value, 1, lines, &mut Noted { notes, column: &member.label })?
                }
                None => raw::skip(json, value)?,
            };
            if let Some(slot) = member.slot {
                slots[slot] = Some(value..end);
            }
            Ok(end)
        })?;
        for (member, sources) in &self.derived {
            let Some(node) = &member.node else { continue };
            for (slot, path) in sources {
                let Some(range) = &slots[*slot] else { continue };
                let Some(found) = raw::lookup(json, range.start, path)? else { continue };
                if &json[found.clone()] != b"null" {
                    separate(lines, &mut first);
                    lines.extend_from_slice(member.label.as_bytes());
                    node.write(json, found.start, 1, lines, &mut Noted { notes, column: &member.label })?;
                    break;
                }
            }
        }
        let mut key = Xxh3::new();
        key.update(&frame.key_seed);
        for (name, slot) in self.key.iter().filter_map(|(name, slot)| slot.map(|slot| (name, slot))) {
            let value = slots[slot].clone().map_or(&b"null"[..], |range| &json[range]);
            if value == b"null" || value == br#""""# {
                return Err(RowError::NoKey(name));
            }
            key.update(&[0]);
            key.update(value);
        }
        let content = if self.once { 0 } else { xxh3_64(&lines[record_start..]) };
        lines.extend_from_slice(frame.tail.as_bytes());
        rows.push(Row { end: lines.len(), key: key.digest128(), content });
        Ok(end)
    }
}

/// The first time that a member is seen in one object.
#[derive(Default)]
struct Seen(u128);

impl Seen {
    fn first(&mut self, i: usize) -> bool {
        let bit = u32::try_from(i).ok().and_then(|i| 1u128.checked_shl(i)).unwrap_or(0);
        let first = self.0 & bit == 0;
        self.0 |= bit;
        first
    }
}

fn separate(out: &mut Vec<u8>, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(b',');
    }
}

fn label(name: &str) -> String {
    format!("{}:", Value::from(name))
}

impl Members {
    #[inline]
    fn get(&self, key: &[u8]) -> Option<&usize> {
        match self.index.get(key) {
            // An escaped key may spell a declared name.
            None if key.contains(&b'\\') => {
                let name: String = serde_json::from_slice(&[b"\"", key, b"\""].concat()).ok()?;
                self.index.get(name.as_bytes())
            }
            found => found,
        }
    }
}

fn members(schema: &Value, path: &mut Vec<String>, selected: &dyn Fn(&[&str]) -> bool) -> Members {
    let mut list = Vec::new();
    let mut index = FxHashMap::default();
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        path.push(name.clone());
        let chosen = selected(&path.iter().map(String::as_str).collect::<Vec<_>>());
        let node = chosen.then(|| Node::new(property, path, selected));
        path.pop();
        index.insert(name.as_bytes().into(), list.len());
        list.push(Member { label: label(name), node, slot: None });
    }
    let path = path.iter().fold(String::new(), |path, name| path + name + ".");
    Members { path, list, index }
}

/// Notes of one column.
struct Noted<'a> {
    notes: &'a mut Notes,
    column: &'a str,
}

impl Noted<'_> {
    /// The label without its quotes and colon.
    fn name(&self) -> &str {
        self.column.trim_end_matches(':').trim_matches('"')
    }

    fn repairs(&mut self, repairs: Repairs) {
        if repairs.any() {
            *self.notes.repaired.entry(self.name().to_owned()).or_default() += u64::from(repairs.characters + repairs.numbers + repairs.depth);
        }
    }

    fn converted(&mut self) {
        *self.notes.converted.entry(self.name().to_owned()).or_default() += 1;
    }

    fn nulled(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"null");
        *self.notes.nulled.entry(self.name().to_owned()).or_default() += 1;
    }
}

impl Node {
    fn new(schema: &Value, path: &mut Vec<String>, selected: &dyn Fn(&[&str]) -> bool) -> Self {
        let Some(types) = Types::of(schema) else {
            return Self { types: Types(u8::MAX), shape: Shape::Plain };
        };
        let shape = if types.has(Types::OBJECT) && schema.get("properties").is_some_and(|p| p.as_object().is_some_and(|p| !p.is_empty())) && schema.get("additionalProperties") != Some(&Value::Bool(true)) {
            Shape::Members(members(schema, path, selected))
        } else if types.has(Types::ARRAY) && schema.get("items").is_some_and(Value::is_object) {
            Shape::Items(Box::new(Self::new(&schema["items"], path, &|_| true)))
        } else if types.has(Types::STRING) && schema.get("format").is_some_and(|f| f == "date-time") {
            Shape::DateTime
        } else {
            Shape::Plain
        };
        Self { types, shape }
    }

    fn write(&self, json: &[u8], at: usize, depth: u32, out: &mut Vec<u8>, noted: &mut Noted<'_>) -> Result<usize, Malformed> {
        let fits = match json.get(at) {
            Some(b'"') => self.types.has(Types::STRING),
            Some(b'{') => self.types.has(Types::OBJECT),
            Some(b'[') => self.types.has(Types::ARRAY),
            Some(b't' | b'f') => self.types.has(Types::BOOLEAN),
            // `null` in a column that is declared without it is for `nulled` to tell.
            Some(b'n') => {
                let end = raw::skip(json, at)?;
                if self.types.has(Types::NULL) {
                    out.extend_from_slice(b"null");
                } else {
                    noted.nulled(out);
                }
                return Ok(end);
            }
            Some(b'-' | b'0'..=b'9') if self.types.has(Types::NUMBER) => true,
            Some(b'-' | b'0'..=b'9') if self.types.has(Types::INTEGER) => {
                let end = raw::skip(json, at)?;
                let number = &json[at..end];
                if number.iter().any(|b| matches!(b, b'.' | b'e' | b'E')) || !raw::number_fits(number) {
                    self.convert(json, at..end, depth, out, noted)?;
                } else {
                    out.extend_from_slice(number);
                }
                return Ok(end);
            }
            _ => false,
        };
        if !fits {
            let end = raw::skip(json, at)?;
            self.convert(json, at..end, depth, out, noted)?;
            return Ok(end);
        }
        match (&self.shape, json[at]) {
            (Shape::Members(members), b'{') if depth < raw::MAX_DEPTH => members.write(json, at, depth, out, noted),
            (Shape::Items(items), b'[') if depth < raw::MAX_DEPTH => {
                out.push(b'[');
                let mut first = true;
                let end = raw::elements(json, at, |at| {
                    separate(out, &mut first);
                    items.write(json, at, depth + 1, out, noted)
                })?;
                out.push(b']');
                Ok(end)
            }
            (Shape::DateTime, b'"') => {
                let end = raw::skip(json, at)?;
                if is_plain_instant(&json[at + 1..end - 1]) {
                    out.extend_from_slice(&json[at..end]);
                } else {
                    self.convert(json, at..end, depth, out, noted)?;
                }
                Ok(end)
            }
            _ => {
                let mut repairs = Repairs::default();
                let end = raw::copy(json, at, depth, out, &mut repairs)?;
                noted.repairs(repairs);
                Ok(end)
            }
        }
    }

    /// Writes a value that is not of the declared type; see the table above.
    fn convert(&self, json: &[u8], range: Range<usize>, depth: u32, out: &mut Vec<u8>, noted: &mut Noted<'_>) -> Result<(), Malformed> {
        let value = &json[range.clone()];
        let text = || raw::scalar_text(json, range.clone());
        let write = |converted: Option<String>, out: &mut Vec<u8>, noted: &mut Noted<'_>| match converted {
            Some(json) => {
                out.extend_from_slice(json.as_bytes());
                noted.converted();
            }
            None => noted.nulled(out),
        };
        if matches!(self.shape, Shape::DateTime) {
            write(text().and_then(|text| instant(&text)).map(|text| Value::from(text).to_string()), out, noted);
        } else if self.types.has(Types::STRING) {
            let (mut copied, mut repairs) = (Vec::new(), Repairs::default());
            raw::copy(json, range.start, depth, &mut copied, &mut repairs)?;
            write(String::from_utf8(copied).ok().map(|text| Value::from(text.trim_matches('"')).to_string()), out, noted);
        } else if self.types.has(Types::NUMBER) {
            let number = text().map(|text| text.trim().to_owned()).filter(|t| raw::skip(t.as_bytes(), 0) == Ok(t.len()) && t.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']));
            write(number.filter(|t| raw::number_fits(t.as_bytes())), out, noted);
        } else if self.types.has(Types::INTEGER) {
            write(text().and_then(|text| integer(text.trim())).map(|n| n.to_string()), out, noted);
        } else if self.types.has(Types::BOOLEAN) {
            let boolean = match text().as_deref().map(str::trim) {
                Some("true" | "True" | "1") => Some("true"),
                Some("false" | "False" | "0") => Some("false"),
                _ => None,
            };
            write(boolean.map(str::to_owned), out, noted);
        } else if self.types.has(Types::OBJECT) && value.first() == Some(&b'[') && raw::skip_space(value, 1) + 1 == value.len() {
            write(Some("{}".to_owned()), out, noted);
        } else if self.types.has(Types::OBJECT) && !matches!(self.shape, Shape::Members(_)) && depth < raw::MAX_DEPTH {
            out.extend_from_slice(br#"{"value":"#);
            raw::copy(json, range.start, depth + 1, out, &mut Repairs::default())?;
            out.push(b'}');
            noted.converted();
        } else if self.types.has(Types::ARRAY) && depth < raw::MAX_DEPTH {
            out.push(b'[');
            match &self.shape {
                Shape::Items(items) => items.write(json, range.start, depth + 1, out, noted).map(drop)?,
                _ => raw::copy(json, range.start, depth + 1, out, &mut Repairs::default()).map(drop)?,
            }
            out.push(b']');
            noted.converted();
        } else {
            noted.nulled(out);
        }
        Ok(())
    }
}

impl Members {
    fn write(&self, json: &[u8], at: usize, depth: u32, out: &mut Vec<u8>, noted: &mut Noted<'_>) -> Result<usize, Malformed> {
        out.push(b'{');
        let (mut first, mut seen) = (true, Seen::default());
        let end = raw::members(json, at, |key, value| {
            let Some(&i) = self.get(key) else {
                count(&mut noted.notes.unknown, &self.path, &String::from_utf8_lossy(key));
                return raw::skip(json, value);
            };
            match &self.list[i] {
                Member { node: Some(node), label, .. } if seen.first(i) => {
                    separate(out, &mut first);
                    out.extend_from_slice(label.as_bytes());
                    node.write(json, value, depth + 1, out, noted)
                }
                _ => raw::skip(json, value),
            }
        })?;
        out.push(b'}');
        Ok(end)
    }
}

/// The integer that the text stands for exactly.
fn integer(text: &str) -> Option<i64> {
    if let Ok(integer) = text.parse() {
        return Some(integer);
    }
    // 2^53: above, a float no longer tells neighbouring integers apart.
    let float: f64 = text.parse().ok().filter(|f: &f64| f.fract() == 0.0 && f.abs() <= 9_007_199_254_740_992.0)?;
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
    Some(float as i64)
}

/// Whether the text is `YYYY-MM-DDTHH:MM:SS[.f{1,6}]Z` and an instant of the calendar.
fn is_plain_instant(text: &[u8]) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2, rest @ ..] = text else { return false };
    let digit = |d: &u8| if d.is_ascii_digit() { u32::from(d - b'0') } else { u32::MAX / 1000 };
    let two = |a: &u8, b: &u8| digit(a) * 10 + digit(b);
    let fraction = match rest {
        [b'Z'] => true,
        [b'.', digits @ .., b'Z'] => (1..=6).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let (year, month, day) = (two(y1, y2) * 100 + two(y3, y4), two(m1, m2), two(d1, d2));
    let date = (1..=12).contains(&month)
        && ((1..=28).contains(&day) || i32::try_from(year).is_ok_and(|year| chrono::NaiveDate::from_ymd_opt(year, month, day).is_some()));
    fraction && year <= 9999 && date && two(h1, h2) <= 23 && two(i1, i2) <= 59 && two(s1, s2) <= 59
}

/// The instant in UTC with `Z` and at most 6 digits; the text may also be epoch seconds.
fn instant(text: &str) -> Option<String> {
    let parsed = parse_instant(text).ok().or_else(|| {
        let seconds: f64 = text.parse().ok().filter(|s: &f64| (0.0..=253_402_300_799.0).contains(s))?;
        #[expect(clippy::cast_possible_truncation, reason = "microseconds of four-digit years fit in 64 bits")]
        DateTime::from_timestamp_micros((seconds * 1e6).round() as i64)
    })?;
    let text = format_instant(parsed);
    (text.len() <= "2026-01-31T00:00:00.000000Z".len() && !text.contains(":60")).then_some(text)
}
