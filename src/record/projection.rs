//! One row of an answer -> one RECORD line: selected, stamped with its context, and made to fit its schema.
//!
//! This is the one place where values are changed. What fits stays as it is written, and where the row as a whole needs
//! no repair it stays where it is, in the body. What does not fit:
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
//! than [`json::MAX_DEPTH`] become `null`. Of equal keys of one object the first counts.

use crate::record::lines::{Batch, Row};
use crate::record::notes::{Notes, count};
use crate::record::transform::Transform;
use crate::streams::{Counted, Derived, StreamDef, is_error};
use chrono::DateTime;
use rustc_hash::FxHashMap;
use serde_json::Value;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use tap_sentry_api::time::{format_instant, parse_instant};
use tap_sentry_api::window::Window;
use tap_sentry_json::{self as json, Document, Repairs};
use xxhash_rust::xxh3::Xxh3;

/// Why a row cannot become a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
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
            Value::Array(types) => types
                .iter()
                .map(bit)
                .try_fold(0, |all, bit| Some(all | bit?))
                .map(Self),
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
    /// The member that came first the last time.
    first: AtomicUsize,
}

#[derive(Debug)]
struct Member {
    /// The name with quotes and colon, as it is written.
    label: String,
    /// `None`: known, but deselected or written from elsewhere.
    node: Option<Node>,
    /// The value's place is kept: it is part of the key or the source of a derived column.
    slot: Option<usize>,
    /// The member that came after it the last time.
    next: AtomicUsize,
}

impl Member {
    fn new(name: &str, node: Option<Node>) -> Self {
        Self {
            label: format!("{}:", Value::from(name)),
            node,
            slot: None,
            next: AtomicUsize::new(usize::MAX),
        }
    }

    /// The name as it is written between quotes.
    fn name(&self) -> &str {
        &self.label[1..self.label.len() - 2]
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
    transform: Option<Transform>,
    version: Option<i64>,
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
    /// Where in `head` the record begins.
    object: usize,
    /// Errors created in this window are counted.
    counted: Option<(Counted, String, String)>,
}

impl Frame {
    /// Counts the errors of a window.
    #[must_use]
    pub fn counting(self, counted: Option<(Counted, Window)>) -> Self {
        let texts = |(counted, window): (Counted, Window)| {
            (
                counted,
                format_instant(window.start),
                format_instant(window.end),
            )
        };
        Self {
            counted: counted.map(texts),
            ..self
        }
    }

    fn counts(&self, doc: &Document<'_>, row: json::Value) -> bool {
        let Some((Counted { kind, at }, start, end)) = &self.counted else {
            return false;
        };
        let text = |name| {
            doc.lookup(row, &[name])
                .and_then(|place| doc.scalar_text(place))
        };
        let kind = kind.iter().find_map(|name| text(name));
        // Both are UTC with `Z` in whole seconds, so their texts are in the order of time.
        kind.is_some_and(|kind| is_error(&kind))
            && text(at).is_some_and(|at| *start <= at && at < *end)
    }
}

impl Projection {
    /// Compiles the schema of a catalog entry. `selected` answers for a path of property names.
    pub fn new(
        def: &'static StreamDef,
        schema: &Value,
        selected: &dyn Fn(&[&str]) -> bool,
        keep_unknown: bool,
    ) -> Self {
        let mut root = members(schema, &mut Vec::new(), selected);
        let mut slots = 0;
        let mut slot = |root: &mut Members, name: &str| {
            let i = *root.index.entry(name.as_bytes().into()).or_insert_with(|| {
                root.list.push(Member::new(name, None));
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
            .map(|name| {
                (
                    *name,
                    (!def.columns.contains(name)).then(|| slot(&mut root, name)),
                )
            })
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
            let sources = from
                .iter()
                .map(|path| (slot(&mut root, path[0]), &path[1..]))
                .collect();
            if let Some(i) = root.index.get(column.as_bytes())
                && let Some(node) = root.list[*i].node.take()
            {
                derived.push((Member::new(column, Some(node)), sources));
            }
        }
        Self {
            def,
            root,
            slots,
            key,
            derived,
            columns,
            keep_unknown,
            transform: None,
            version: None,
            once: def.immutable,
        }
    }

    /// Changes every record; `version` is stamped on each.
    #[must_use]
    pub fn changed(self, transform: Option<Transform>, version: Option<i64>) -> Self {
        Self {
            transform,
            version,
            ..self
        }
    }

    /// `context` holds the values of the columns that the context supplies.
    pub fn frame<'a>(&self, context: impl Fn(&str) -> Option<&'a str>, extracted: &str) -> Frame {
        let mut head = format!(
            r#"{{"type":"RECORD","stream":"{}","record":{{"#,
            self.def.name()
        );
        let empty = head.len();
        for column in &self.columns {
            let value = context(column).map_or(Value::Null, Value::from);
            head.push_str(if head.len() == empty { "" } else { "," });
            let _ = write!(head, "{}:{value}", Value::from(*column));
        }
        let mut key_seed = self.def.name().as_bytes().to_vec();
        for (name, slot) in &self.key {
            if slot.is_none() {
                key_seed.push(0);
                key_seed.extend_from_slice(context(name).unwrap_or_default().as_bytes());
            }
        }
        let version = self
            .version
            .map(|version| format!(r#""version":{version},"#))
            .unwrap_or_default();
        let tail = format!("}},{version}\"time_extracted\":\"{extracted}\"}}\n");
        Frame {
            empty_head: head.len() == empty,
            head,
            tail,
            key_seed,
            object: empty - 1,
            counted: None,
        }
    }

    /// Appends a row of the document.
    ///
    /// # Errors
    /// When the row is no object or has no key. Nothing of it is appended then.
    pub fn write(
        &self,
        doc: &Document<'_>,
        row: json::Value,
        frame: &Frame,
        batch: &mut Batch,
    ) -> Result<(), RowError> {
        if doc.byte(row) != b'{' {
            return Err(RowError::NotAnObject);
        }
        let began = batch.lines.mark(doc.bytes());
        self.append(doc, row, frame, batch, began)
            .inspect_err(|_| batch.lines.forget(doc.bytes(), began))
    }

    fn append(
        &self,
        doc: &Document<'_>,
        row: json::Value,
        frame: &Frame,
        batch: &mut Batch,
        began: usize,
    ) -> Result<(), RowError> {
        let Batch {
            lines, notes, rows, ..
        } = batch;
        let body = doc.bytes();
        let out = lines.text(body);
        let object = out.len() + frame.object;
        out.extend_from_slice(frame.head.as_bytes());
        let mut first = frame.empty_head;
        let mut slots: [Option<json::Value>; 16] = Default::default();
        debug_assert!(self.slots <= slots.len());
        let (mut seen, mut unknown) = (Seen::default(), HashSet::new());
        // What is changed afterwards must stand together.
        let stays = self.transform.is_none();
        let clean = doc.is_clean(row, 1);
        for Field {
            member,
            label,
            value,
        } in self.root.fields(doc, row)
        {
            let (i, member) = match member {
                Ok(known) => known,
                Err(key) if self.keep_unknown => {
                    keep(doc, key, value, lines.text(body), &mut first, &mut unknown);
                    continue;
                }
                Err(key) => {
                    count(&mut notes.unknown, "", &String::from_utf8_lossy(key));
                    continue;
                }
            };
            if !seen.first(i) {
                continue;
            }
            if let Some(node) = &member.node {
                if let Some(label) = label
                    .filter(|_| stays && (clean || doc.is_clean(value, 1)) && node.fits(doc, value))
                {
                    // The comma before it is a part of the stretch where there is one.
                    let comma = !std::mem::take(&mut first);
                    if comma && body[label - 1] != b',' {
                        lines.text(body).push(b',');
                        lines.stretch(body, label, value.end());
                    } else {
                        lines.stretch(body, label - usize::from(comma), value.end());
                    }
                } else {
                    let out = lines.text(body);
                    separate(out, &mut first);
                    out.extend_from_slice(member.label.as_bytes());
                    node.write(
                        doc,
                        value,
                        1,
                        out,
                        &mut Noted {
                            notes,
                            column: member.name(),
                        },
                    );
                }
            }
            if let Some(slot) = member.slot {
                slots[slot] = Some(value);
            }
        }
        for (member, sources) in &self.derived {
            let Some(node) = &member.node else { continue };
            let found = sources
                .iter()
                .filter_map(|(slot, path)| doc.lookup(slots[*slot]?, path))
                .find(|found| doc.text(*found) != b"null");
            if let Some(found) = found {
                let out = lines.text(body);
                separate(out, &mut first);
                out.extend_from_slice(member.label.as_bytes());
                node.write(
                    doc,
                    found,
                    1,
                    out,
                    &mut Noted {
                        notes,
                        column: member.name(),
                    },
                );
            }
        }
        let mut key = Xxh3::new();
        key.update(&frame.key_seed);
        for (name, slot) in self
            .key
            .iter()
            .filter_map(|(name, slot)| slot.map(|slot| (name, slot)))
        {
            let value = slots[slot].map_or(&b"null"[..], |place| doc.text(place));
            if value == b"null" || value == br#""""# {
                return Err(RowError::NoKey(name));
            }
            key.update(&[0]);
            key.update(value);
        }
        if let Some(transform) = &self.transform {
            let out = lines.text(body);
            out.push(b'}');
            let Ok(Value::Object(record)) = serde_json::from_slice(&out[object..]) else {
                return Err(RowError::NotAnObject);
            };
            out.truncate(object);
            serde_json::to_writer(&mut *out, &transform.apply(record))
                .map_err(|_| RowError::NotAnObject)?;
            out.pop();
        }
        let content = if self.once {
            0
        } else {
            lines.digest(body, began)
        };
        lines.text(body).extend_from_slice(frame.tail.as_bytes());
        rows.push(Row {
            end: lines.mark(body),
            key: key.digest128(),
            content,
            counted: frame.counts(doc, row),
        });
        Ok(())
    }
}

/// Writes a member that the schema lacks, unless one of that name was written before.
fn keep(
    doc: &Document<'_>,
    key: &[u8],
    value: json::Value,
    out: &mut Vec<u8>,
    first: &mut bool,
    written: &mut HashSet<String>,
) {
    let (before, none) = (out.len(), *first);
    separate(out, first);
    let quote = out.len();
    out.push(b'"');
    doc.copy_key(value, key, out);
    out.push(b'"');
    // As it is read: an escape or a repair may make it equal to another.
    if serde_json::from_slice(&out[quote..]).is_ok_and(|name: String| !written.insert(name)) {
        out.truncate(before);
        *first = none;
        return;
    }
    out.push(b':');
    doc.copy(value, 1, out, &mut Repairs::default());
}

/// The first time that a member is seen in one object.
#[derive(Default)]
struct Seen {
    most: u64,
    /// Of members after the first 64, by 64.
    rest: Vec<u64>,
}

impl Seen {
    fn first(&mut self, i: usize) -> bool {
        let bits = if i < 64 {
            &mut self.most
        } else {
            self.rest(i / 64)
        };
        let bit = 1 << (i % 64);
        let first = *bits & bit == 0;
        *bits |= bit;
        first
    }

    #[cold]
    fn rest(&mut self, block: usize) -> &mut u64 {
        if self.rest.len() < block {
            self.rest.resize(block, 0);
        }
        &mut self.rest[block - 1]
    }
}

fn separate(out: &mut Vec<u8>, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(b',');
    }
}

/// A member of an object.
struct Field<'s, 'a> {
    /// What the schema has for it, and its number there; else its key.
    member: Result<(usize, &'s Member), &'a [u8]>,
    /// Where its label begins in the body, if it is written there as we would.
    label: Option<usize>,
    value: json::Value,
}

/// See [`Members::fields`].
struct Fields<'s, 'd, 'a> {
    schema: &'s Members,
    doc: &'d Document<'a>,
    members: json::Members<'d, 'a>,
    last: Option<usize>,
}

impl<'s, 'a> Iterator for Fields<'s, '_, 'a> {
    type Item = Field<'s, 'a>;

    #[expect(
        clippy::inline_always,
        reason = "a field is taken apart where it is used; passing it through memory costs a third"
    )]
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        // Rows of one list have the same keys in the same order, so what came next in the last one is tried first.
        let list = &self.schema.list;
        let next = self
            .last
            .map_or(&self.schema.first, |last| &list[last].next);
        let expected = next.load(Ordering::Relaxed);
        if let Some(member) = list.get(expected)
            && let Some(value) = self.members.next_labelled(member.label.as_bytes())
        {
            self.last = Some(expected);
            return Some(Field {
                member: Ok((expected, member)),
                label: Some(value.start() - member.label.len()),
                value,
            });
        }
        let (key, value) = self.members.next()?;
        let Some(i) = self.schema.search(key) else {
            return Some(Field {
                member: Err(key),
                label: None,
                value,
            });
        };
        next.store(i, Ordering::Relaxed);
        self.last = Some(i);
        let label = self.doc.bytes()[..value.start()].ends_with(list[i].label.as_bytes());
        Some(Field {
            member: Ok((i, &list[i])),
            label: label.then(|| value.start() - list[i].label.len()),
            value,
        })
    }
}

impl Members {
    /// The members of an object of the document.
    #[inline]
    fn fields<'s, 'd, 'a>(
        &'s self,
        doc: &'d Document<'a>,
        object: json::Value,
    ) -> Fields<'s, 'd, 'a> {
        Fields {
            schema: self,
            doc,
            members: doc.members(object),
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

fn members(schema: &Value, path: &mut Vec<String>, selected: &dyn Fn(&[&str]) -> bool) -> Members {
    let mut list = Vec::new();
    let mut index = FxHashMap::default();
    for (name, property) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        path.push(name.clone());
        let chosen = selected(&path.iter().map(String::as_str).collect::<Vec<_>>());
        let node = chosen.then(|| Node::new(property, path, selected));
        path.pop();
        index.insert(name.as_bytes().into(), list.len());
        list.push(Member::new(name, node));
    }
    let path = path
        .iter()
        .fold(String::new(), |path, name| path + name + ".");
    Members {
        path,
        list,
        index,
        first: AtomicUsize::new(usize::MAX),
    }
}

/// Notes of one column.
struct Noted<'a> {
    notes: &'a mut Notes,
    /// Its name.
    column: &'a str,
}

impl Noted<'_> {
    fn repairs(&mut self, repairs: Repairs) {
        if repairs.any() {
            *self
                .notes
                .repaired
                .entry(self.column.to_owned())
                .or_default() += u64::from(repairs.characters + repairs.numbers + repairs.depth);
        }
    }

    fn converted(&mut self) {
        *self
            .notes
            .converted
            .entry(self.column.to_owned())
            .or_default() += 1;
    }

    fn nulled(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"null");
        *self.notes.nulled.entry(self.column.to_owned()).or_default() += 1;
    }
}

impl Node {
    fn new(schema: &Value, path: &mut Vec<String>, selected: &dyn Fn(&[&str]) -> bool) -> Self {
        let Some(types) = Types::of(schema) else {
            return Self {
                types: Types(u8::MAX),
                shape: Shape::Plain,
            };
        };
        let shape = if types.has(Types::OBJECT)
            && schema
                .get("properties")
                .is_some_and(|p| p.as_object().is_some_and(|p| !p.is_empty()))
            && schema.get("additionalProperties") != Some(&Value::Bool(true))
        {
            Shape::Members(members(schema, path, selected))
        } else if types.has(Types::ARRAY) && schema.get("items").is_some_and(Value::is_object) {
            Shape::Items(Box::new(Self::new(&schema["items"], path, &|_| true)))
        } else if types.has(Types::STRING) && schema.get("format").is_some_and(|f| f == "date-time")
        {
            Shape::DateTime
        } else {
            Shape::Plain
        };
        Self { types, shape }
    }

    /// Whether the value can stay as it is written, in a row that needs no repair.
    fn fits(&self, doc: &Document<'_>, place: json::Value) -> bool {
        match doc.byte(place) {
            b'"' => {
                let plain = || {
                    doc.text(place)
                        .get(1..)
                        .and_then(|text| text.strip_suffix(b"\""))
                        .is_some_and(is_plain_instant)
                };
                self.types.has(Types::STRING) && (!matches!(self.shape, Shape::DateTime) || plain())
            }
            b'{' => {
                self.types.has(Types::OBJECT)
                    && if let Shape::Members(members) = &self.shape {
                        members.fit(doc, place)
                    } else {
                        true
                    }
            }
            b'[' => {
                let Shape::Items(items) = &self.shape else {
                    return self.types.has(Types::ARRAY);
                };
                self.types.has(Types::ARRAY)
                    && doc.elements(place).all(|place| items.fits(doc, place))
            }
            b't' | b'f' => self.types.has(Types::BOOLEAN),
            b'n' => self.types.has(Types::NULL),
            _ => {
                self.types.has(Types::NUMBER)
                    || self.types.has(Types::INTEGER) && is_integer(doc.text(place))
            }
        }
    }

    fn write(
        &self,
        doc: &Document<'_>,
        place: json::Value,
        depth: u32,
        out: &mut Vec<u8>,
        noted: &mut Noted<'_>,
    ) {
        let byte = doc.byte(place);
        let fits = match byte {
            b'"' => self.types.has(Types::STRING),
            b'{' => self.types.has(Types::OBJECT),
            b'[' => self.types.has(Types::ARRAY),
            b't' | b'f' => self.types.has(Types::BOOLEAN),
            b'n' if self.types.has(Types::NULL) => return out.extend_from_slice(b"null"),
            // `null` in a column that is declared without it is for the summary to tell.
            b'n' => return noted.nulled(out),
            _ => {
                let number = doc.text(place);
                // Beyond 64 bits a number is copied as text, which only a column that also admits text can hold.
                let fits = self.types.has(Types::STRING) || json::number_fits(number);
                fits && (self.types.has(Types::NUMBER)
                    || self.types.has(Types::INTEGER) && is_integer(number))
            }
        };
        if !fits {
            return self.convert(doc, place, depth, out, noted);
        }
        match (&self.shape, byte) {
            (Shape::Members(members), b'{') if depth < json::MAX_DEPTH => {
                members.write(doc, place, depth, out, noted);
            }
            (Shape::Items(items), b'[') if depth < json::MAX_DEPTH => {
                out.push(b'[');
                let mut first = true;
                for place in doc.elements(place) {
                    separate(out, &mut first);
                    items.write(doc, place, depth + 1, out, noted);
                }
                out.push(b']');
            }
            (Shape::DateTime, b'"') => {
                let text = doc.text(place);
                if is_plain_instant(&text[1..text.len() - 1]) {
                    out.extend_from_slice(text);
                } else {
                    self.convert(doc, place, depth, out, noted);
                }
            }
            _ => {
                let mut repairs = Repairs::default();
                doc.copy(place, depth, out, &mut repairs);
                noted.repairs(repairs);
            }
        }
    }

    /// Writes a value that is not of the declared type; see the table above.
    fn convert(
        &self,
        doc: &Document<'_>,
        place: json::Value,
        depth: u32,
        out: &mut Vec<u8>,
        noted: &mut Noted<'_>,
    ) {
        let text = || doc.scalar_text(place);
        let write =
            |converted: Option<String>, out: &mut Vec<u8>, noted: &mut Noted<'_>| match converted {
                Some(json) => {
                    out.extend_from_slice(json.as_bytes());
                    noted.converted();
                }
                None => noted.nulled(out),
            };
        if matches!(self.shape, Shape::DateTime) {
            write(
                text()
                    .and_then(|text| instant(&text))
                    .map(|text| Value::from(text).to_string()),
                out,
                noted,
            );
        } else if self.types.has(Types::STRING) {
            let mut copied = Vec::new();
            doc.copy(place, depth, &mut copied, &mut Repairs::default());
            write(
                String::from_utf8(copied)
                    .ok()
                    .map(|text| Value::from(text.trim_matches('"')).to_string()),
                out,
                noted,
            );
        } else if self.types.has(Types::NUMBER) {
            let number = text().map(|text| text.trim().to_owned()).filter(|text| {
                json::is_number(text.as_bytes()) && json::number_fits(text.as_bytes())
            });
            write(number, out, noted);
        } else if self.types.has(Types::INTEGER) {
            write(
                text()
                    .and_then(|text| integer(text.trim()))
                    .map(|n| n.to_string()),
                out,
                noted,
            );
        } else if self.types.has(Types::BOOLEAN) {
            let boolean = match text().as_deref().map(str::trim) {
                Some("true" | "True" | "1") => Some("true"),
                Some("false" | "False" | "0") => Some("false"),
                _ => None,
            };
            write(boolean.map(str::to_owned), out, noted);
        } else if self.types.has(Types::OBJECT)
            && doc.byte(place) == b'['
            && doc.elements(place).next().is_none()
        {
            write(Some("{}".to_owned()), out, noted);
        } else if self.types.has(Types::OBJECT)
            && !matches!(self.shape, Shape::Members(_))
            && depth < json::MAX_DEPTH
        {
            out.extend_from_slice(br#"{"value":"#);
            doc.copy(place, depth + 1, out, &mut Repairs::default());
            out.push(b'}');
            noted.converted();
        } else if self.types.has(Types::ARRAY) && depth < json::MAX_DEPTH {
            out.push(b'[');
            match &self.shape {
                Shape::Items(items) => items.write(doc, place, depth + 1, out, noted),
                _ => doc.copy(place, depth + 1, out, &mut Repairs::default()),
            }
            out.push(b']');
            noted.converted();
        } else {
            noted.nulled(out);
        }
    }
}

impl Members {
    fn write(
        &self,
        doc: &Document<'_>,
        place: json::Value,
        depth: u32,
        out: &mut Vec<u8>,
        noted: &mut Noted<'_>,
    ) {
        out.push(b'{');
        let (mut first, mut seen) = (true, Seen::default());
        for Field { member, value, .. } in self.fields(doc, place) {
            match member {
                Ok((
                    i,
                    Member {
                        node: Some(node),
                        label,
                        ..
                    },
                )) if seen.first(i) => {
                    separate(out, &mut first);
                    out.extend_from_slice(label.as_bytes());
                    node.write(doc, value, depth + 1, out, noted);
                }
                Ok(_) => {}
                Err(key) => count(
                    &mut noted.notes.unknown,
                    &self.path,
                    &String::from_utf8_lossy(key),
                ),
            }
        }
        out.push(b'}');
    }

    /// Whether the object holds what is declared and chosen alone, each once and in a form that fits.
    fn fit(&self, doc: &Document<'_>, place: json::Value) -> bool {
        let mut seen = Seen::default();
        self.fields(doc, place).all(|field| match field {
            Field {
                member:
                    Ok((
                        i,
                        Member {
                            node: Some(node), ..
                        },
                    )),
                label: Some(_),
                value,
            } => seen.first(i) && node.fits(doc, value),
            _ => false,
        })
    }
}

fn is_integer(number: &[u8]) -> bool {
    !number.iter().any(|b| matches!(b, b'.' | b'e' | b'E'))
}

/// The integer that the text stands for exactly.
fn integer(text: &str) -> Option<i64> {
    if let Ok(integer) = text.parse() {
        return Some(integer);
    }
    // 2^53: above, a float no longer tells neighbouring integers apart.
    let float: f64 = text
        .parse()
        .ok()
        .filter(|f: &f64| f.fract() == 0.0 && f.abs() < 9_007_199_254_740_992.0)?;
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
    Some(float as i64)
}

/// Whether the text is `YYYY-MM-DDTHH:MM:SS[.f{1,6}]Z` and an instant of the calendar.
fn is_plain_instant(text: &[u8]) -> bool {
    let [
        y1,
        y2,
        y3,
        y4,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        i1,
        i2,
        b':',
        s1,
        s2,
        rest @ ..,
    ] = text
    else {
        return false;
    };
    let digit = |d: &u8| {
        if d.is_ascii_digit() {
            u32::from(d - b'0')
        } else {
            u32::MAX / 1000
        }
    };
    let two = |a: &u8, b: &u8| digit(a) * 10 + digit(b);
    let fraction = match rest {
        [b'Z'] => true,
        [b'.', digits @ .., b'Z'] => {
            (1..=6).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    };
    let (year, month, day) = (two(y1, y2) * 100 + two(y3, y4), two(m1, m2), two(d1, d2));
    let date = (1..=12).contains(&month)
        && ((1..=28).contains(&day)
            || i32::try_from(year)
                .is_ok_and(|year| chrono::NaiveDate::from_ymd_opt(year, month, day).is_some()));
    fraction && year <= 9999 && date && two(h1, h2) <= 23 && two(i1, i2) <= 59 && two(s1, s2) <= 59
}

/// The instant in UTC with `Z` and at most 6 digits; the text may also be epoch seconds.
fn instant(text: &str) -> Option<String> {
    let parsed = parse_instant(text).ok().or_else(|| {
        let seconds: f64 = text
            .parse()
            .ok()
            .filter(|s: &f64| (0.0..=253_402_300_799.0).contains(s))?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "microseconds of four-digit years fit in 64 bits"
        )]
        DateTime::from_timestamp_micros((seconds * 1e6).round() as i64)
    })?;
    let text = format_instant(parsed);
    (text.len() <= "2026-01-31T00:00:00.000000Z".len() && !text.contains(":60")).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::notes::{MOST_LETTERS, MOST_NAMES};
    use crate::streams::find;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;
    use std::collections::BTreeMap;
    use tap_sentry_api::request::INDEXED_DEPTH;
    use tokio::time::Instant;

    /// A row of `stream` as a record of this schema, chosen by path.
    fn write(
        stream: &str,
        properties: &Value,
        row: &str,
        selected: &dyn Fn(&[&str]) -> bool,
    ) -> (Result<(), RowError>, Batch) {
        let def = find(stream).expect("a stream");
        let projection = Projection::new(
            def,
            &json!({"type": "object", "properties": properties}),
            selected,
            false,
        );
        let frame = projection.frame(
            |name| (name == "organization_slug").then_some("acme"),
            "2026-01-01T00:00:00Z",
        );
        let mut batch = Batch::new(def, Instant::now(), None);
        let document = Document::parse(row.as_bytes(), INDEXED_DEPTH).expect("JSON");
        let result = projection.write(&document, document.root(), &frame, &mut batch);
        batch.keep(row.as_bytes().to_vec());
        (result, batch)
    }

    fn all(_: &[&str]) -> bool {
        true
    }

    fn record(batch: &Batch) -> Value {
        let message: Value = serde_json::from_slice(&batch.bytes()).expect("one line of JSON");
        message["record"].clone()
    }

    /// The value of a column of this type for this answer, as it is written, and what is noted of it.
    fn convert(property: &Value, value: &str) -> (String, Notes) {
        let (result, batch) = write(
            "teams",
            &json!({"id": {"type": "string"}, "v": property}),
            &format!(r#"{{"id":"1","v":{value}}}"#),
            &all,
        );
        assert_eq!(result, Ok(()));
        let line = String::from_utf8(batch.bytes()).expect("UTF-8");
        let start = line.find(r#""v":"#).expect("written") + 4;
        let end = line.find(r#"},"time_extracted""#).expect("a whole line");
        (line[start..end].to_owned(), batch.notes)
    }

    fn schema(kind: &str) -> Value {
        match kind {
            "date-time" => json!({"type": ["string", "null"], "format": "date-time"}),
            "declared object" => {
                json!({"type": ["object", "null"], "properties": {"a": {"type": ["integer", "null"]}}})
            }
            "list of integers" => {
                json!({"type": ["array", "null"], "items": {"type": ["integer", "null"]}})
            }
            kind => json!({"type": [kind, "null"]}),
        }
    }

    #[rstest]
    #[case("string", "\"a \\\"b\\\" \\u00e9\"")]
    #[case("date-time", r#""2026-01-31T10:20:30Z""#)]
    #[case("date-time", r#""2026-01-31T10:20:30.123456Z""#)]
    #[case("date-time", r#""2024-02-29T00:00:00Z""#)]
    #[case("integer", "12")]
    #[case("integer", "-9223372036854775808")]
    #[case("number", "1.50")]
    #[case("number", "3")]
    #[case("boolean", "false")]
    #[case("object", r#"{"k":[1,{"l":null}]}"#)]
    #[case("declared object", r#"{"a":1}"#)]
    #[case("array", r#"[1,"a",{}]"#)]
    #[case("string", "null")]
    fn what_fits_is_copied(#[case] kind: &str, #[case] value: &str) {
        assert_eq!(
            convert(&schema(kind), value),
            (value.to_owned(), Notes::default())
        );
    }

    #[rstest]
    #[case::number("string", "12.50", r#""12.50""#)]
    #[case::boolean("string", "true", r#""true""#)]
    #[case::object("string", r#"{"a":["b"]}"#, r#""{\"a\":[\"b\"]}""#)]
    #[case::list("string", r#"["x"]"#, r#""[\"x\"]""#)]
    #[case::offset(
        "date-time",
        r#""2026-01-31T10:20:30+02:00""#,
        r#""2026-01-31T08:20:30Z""#
    )]
    #[case::offset_before_the_day(
        "date-time",
        r#""2024-03-01T00:30:00+01:00""#,
        r#""2024-02-29T23:30:00Z""#
    )]
    #[case::no_offset("date-time", r#""2026-01-31T10:20:30""#, r#""2026-01-31T10:20:30Z""#)]
    #[case::blank(
        "date-time",
        r#""2026-01-31 10:20:30.5""#,
        r#""2026-01-31T10:20:30.500Z""#
    )]
    #[case::a_date("date-time", r#""2026-01-31""#, r#""2026-01-31T00:00:00Z""#)]
    #[case::nine_digits(
        "date-time",
        r#""2026-01-31T10:20:30.123456789Z""#,
        r#""2026-01-31T10:20:30.123456Z""#
    )]
    #[case::epoch("date-time", "1769854830", r#""2026-01-31T10:20:30Z""#)]
    #[case::epoch_with_fraction("date-time", "1769854830.25", r#""2026-01-31T10:20:30.250Z""#)]
    #[case::epoch_as_text("date-time", r#""1769854830""#, r#""2026-01-31T10:20:30Z""#)]
    #[case::text("integer", r#""12""#, "12")]
    #[case::fraction_of_zero("integer", "12.0", "12")]
    #[case::exponent("integer", "1e3", "1000")]
    #[case::text("number", r#""1.5""#, "1.5")]
    #[case::text_with_blanks("number", r#"" 2 ""#, "2")]
    #[case::text("boolean", r#""true""#, "true")]
    #[case::zero("boolean", "0", "false")]
    #[case::one("boolean", "1", "true")]
    #[case::empty_list("object", "[]", "{}")]
    #[case::empty_list_declared("declared object", "[]", "{}")]
    #[case::scalar("object", "5", r#"{"value":5}"#)]
    #[case::list("object", r#"[1,"a"]"#, r#"{"value":[1,"a"]}"#)]
    #[case::scalar("array", r#""a""#, r#"["a"]"#)]
    #[case::object("array", r#"{"a":1}"#, r#"[{"a":1}]"#)]
    #[case::converted_inside("list of integers", r#""3""#, "[3]")]
    fn what_does_not_fit_is_converted_and_noted(
        #[case] kind: &str,
        #[case] value: &str,
        #[case] expected: &str,
    ) {
        let (written, notes) = convert(&schema(kind), value);
        assert_eq!(written, expected);
        assert!(
            notes.converted.keys().eq(["v"]) && notes.nulled.is_empty(),
            "{notes:?}"
        );
    }

    #[rstest]
    #[case::no_such_day("date-time", r#""2026-02-29T00:00:00Z""#)]
    #[case::leap_second("date-time", r#""2016-12-31T23:59:60Z""#)]
    #[case::words("date-time", r#""yesterday""#)]
    #[case::before_the_epoch("date-time", "-1")]
    #[case::boolean("date-time", "true")]
    #[case::object("date-time", "{}")]
    #[case::fraction("integer", "12.5")]
    #[case::words("integer", r#""twelve""#)]
    #[case::inexact("integer", "9007199254740993.0")]
    #[case::beyond_64_bits("integer", "123456789012345678901234567890")]
    #[case::beyond_64_bits_as_text("number", r#""1e400""#)]
    #[case::words("number", r#""NaN""#)]
    #[case::list("number", "[1]")]
    #[case::words("boolean", r#""maybe""#)]
    #[case::two("boolean", "2")]
    #[case::scalar("declared object", r#""x""#)]
    #[case::list("declared object", "[1]")]
    fn what_cannot_be_expressed_is_null_and_noted(#[case] kind: &str, #[case] value: &str) {
        let (written, notes) = convert(&schema(kind), value);
        assert_eq!(written, "null");
        assert_eq!(notes.nulled, BTreeMap::from([("v".to_owned(), 1)]));
    }

    #[test]
    fn null_where_it_is_not_declared_is_noted() {
        let (written, notes) = convert(&json!({"type": "string"}), "null");
        assert_eq!((written.as_str(), notes.nulled.len()), ("null", 1));
    }

    #[rstest]
    #[case::nul("string", r#""a\u0000b""#, json!("a\u{FFFD}b"))]
    #[case::lone_surrogate("string", r#""\ud800""#, json!("\u{FFFD}"))]
    #[case::a_pair_stays("string", r#""\ud83d\ude00""#, json!("😀"))]
    #[case::number_in_a_free_object("object", r#"{"n":123456789012345678901234567890}"#, json!({"n": "123456789012345678901234567890"}))]
    fn what_targets_choke_on_is_repaired(
        #[case] kind: &str,
        #[case] value: &str,
        #[case] expected: Value,
    ) {
        let (written, notes) = convert(&schema(kind), value);
        assert_eq!(
            serde_json::from_str::<Value>(&written).expect("JSON"),
            expected
        );
        assert_eq!(
            notes.repaired.contains_key("v"),
            !value.contains("ude00"),
            "{notes:?}"
        );
    }

    #[test]
    fn a_number_beyond_64_bits_is_no_text_in_a_column_of_numbers() {
        let (written, _) = convert(&schema("number"), "123456789012345678901234567890");
        assert_eq!(written, "null", "text would not fit the schema");
    }

    #[test]
    fn too_deep_a_value_is_null_there() {
        let depth = json::MAX_DEPTH as usize + 20;
        let (written, notes) = convert(
            &schema("array"),
            &format!("{}{}", "[".repeat(depth), "]".repeat(depth)),
        );
        let open = written.bytes().take_while(|b| *b == b'[').count();
        assert!(
            open < json::MAX_DEPTH as usize && written[open..].starts_with("null"),
            "{written}"
        );
        assert!(notes.repaired.contains_key("v"));
    }

    #[test]
    fn of_equal_keys_the_first_counts_also_when_one_is_escaped() {
        let properties = json!({"id": {"type": "string"}, "o": {"type": ["object", "null"], "properties": {"a": {"type": "integer"}}}});
        let (result, batch) = write(
            "teams",
            &properties,
            r#"{"id":"1","id":"2","\u0069d":"3","o":{"a":1,"\u0061":2,"a":3}}"#,
            &all,
        );
        assert_eq!(result, Ok(()));
        assert_eq!(record(&batch), json!({"id": "1", "o": {"a": 1}}));
        assert_eq!(
            batch
                .bytes()
                .windows(4)
                .filter(|four| *four == b"\"a\":")
                .count(),
            1
        );
    }

    #[test]
    fn of_equal_keys_the_first_counts_however_many_columns_there_are() {
        let names: Vec<String> = (0..300).map(|i| format!("c{i}")).collect();
        let mut properties: serde_json::Map<String, Value> = names
            .iter()
            .map(|name| (name.clone(), json!({"type": "integer"})))
            .collect();
        properties.insert("id".to_owned(), json!({"type": "string"}));
        let twice: Vec<String> = names
            .iter()
            .map(|name| format!(r#""{name}":1,"{name}":2"#))
            .collect();
        let (result, batch) = write(
            "teams",
            &Value::Object(properties),
            &format!(r#"{{"id":"1",{}}}"#, twice.join(",")),
            &all,
        );
        assert_eq!(result, Ok(()));
        assert_eq!(
            batch.bytes().windows(2).filter(|two| *two == b":2").count(),
            0
        );
        assert_eq!(
            record(&batch).as_object().map(serde_json::Map::len),
            Some(301)
        );
    }

    #[test]
    fn of_equal_unknown_keys_that_are_kept_the_first_counts_too() {
        let def = find("teams").expect("a stream");
        let projection = Projection::new(
            def,
            &json!({"properties": {"id": {"type": "string"}}}),
            &all,
            true,
        );
        let row = r#"{"x":1,"x":2,"\u0078":3,"id":"1","a\u0000":4,"a\ud800":5,"a\ufffd":6,"y":7}"#;
        let document = Document::parse(row.as_bytes(), INDEXED_DEPTH).expect("JSON");
        let mut batch = Batch::new(def, Instant::now(), None);
        let frame = projection.frame(|_| None, "2026-01-01T00:00:00Z");
        projection
            .write(&document, document.root(), &frame, &mut batch)
            .expect("a record");
        batch.keep(row.as_bytes().to_vec());
        let line = String::from_utf8(batch.bytes()).expect("UTF-8");
        assert!(
            line.contains("\"record\":{\"x\":1,\"id\":\"1\",\"a\u{fffd}\":4,\"y\":7}"),
            "{line}"
        );
    }

    #[rstest]
    #[case(r#"{"name":"x"}"#, RowError::NoKey("id"))]
    #[case(r#"{"id":null}"#, RowError::NoKey("id"))]
    #[case(r#"{"id":""}"#, RowError::NoKey("id"))]
    #[case("[]", RowError::NotAnObject)]
    #[case(r#""1""#, RowError::NotAnObject)]
    fn a_row_without_its_key_is_refused(#[case] row: &str, #[case] expected: RowError) {
        let (result, batch) = write(
            "teams",
            &json!({"id": {"type": "string"}, "name": {"type": ["string", "null"]}}),
            row,
            &all,
        );
        assert_eq!(result, Err(expected));
        assert!(batch.rows.is_empty());
    }

    #[test]
    fn unknown_fields_are_left_out_and_noted_by_name() {
        let properties = json!({"id": {"type": "string"}, "o": {"type": ["object", "null"], "properties": {}}, "p": {"type": ["object", "null"], "properties": {"a": {"type": "integer"}}}});
        let (_, batch) = write(
            "teams",
            &properties,
            r#"{"id":"1","new":{"x":1},"p":{"a":1,"b":2},"o":{"free":1}}"#,
            &all,
        );
        assert_eq!(
            record(&batch),
            json!({"id": "1", "p": {"a": 1}, "o": {"free": 1}})
        );
        assert_eq!(
            batch.notes.unknown,
            BTreeMap::from([("new".to_owned(), 1), ("p.b".to_owned(), 1)])
        );
        let mut sum = batch.notes.clone();
        sum.merge(batch.notes);
        assert_eq!(sum.unknown["new"], 2);
    }

    #[test]
    fn the_names_that_are_noted_are_bounded() {
        let properties = json!({"id": {"type": "string"}, "p": {"type": ["object", "null"], "properties": {"a": {"type": "integer"}}}});
        let mut sum = Notes::default();
        for page in 0..5 {
            let keys: Vec<String> = (0..500)
                .map(|i| format!(r#""{}{page}.{i}":1"#, "k".repeat(i)))
                .collect();
            let row = format!(
                r#"{{"id":"1","p":{{{}}},{}}}"#,
                keys.join(","),
                keys.join(",")
            );
            sum.merge(write("teams", &properties, &row, &all).1.notes);
        }
        assert_eq!(sum.unknown.values().sum::<u64>(), 5_000);
        assert!(sum.unknown.len() <= MOST_NAMES + 1, "{}", sum.unknown.len());
        assert!(
            sum.unknown
                .keys()
                .all(|name| name.chars().count() <= MOST_LETTERS + 1)
        );
    }

    #[test]
    fn what_is_deselected_is_left_out_at_every_depth_and_not_unknown() {
        let properties = json!({"id": {"type": "string"}, "a": {"type": "integer"}, "o": {"type": "object", "properties": {"x": {"type": "integer"}, "p": {"type": "object", "properties": {"y": {"type": "integer"}, "z": {"type": "integer"}}}}}});
        let selected =
            |path: &[&str]| path != ["a"] && path != ["o", "x"] && path != ["o", "p", "y"];
        let (_, batch) = write(
            "teams",
            &properties,
            r#"{"id":"1","a":1,"o":{"x":1,"p":{"y":1,"z":2}}}"#,
            &selected,
        );
        assert_eq!(record(&batch), json!({"id": "1", "o": {"p": {"z": 2}}}));
        assert_eq!(batch.notes, Notes::default());
    }

    #[test]
    fn a_key_that_is_deselected_still_tells_records_apart() {
        let without = |path: &[&str]| path != ["id"];
        let key = |row: &str| {
            write("teams", &json!({"id": {"type": "string"}}), row, &without)
                .1
                .rows[0]
                .key
        };
        assert_ne!(key(r#"{"id":"1"}"#), key(r#"{"id":"2"}"#));
        assert_eq!(key(r#"{"id":"1"}"#), key(r#"{"x":7,"id":"1"}"#));
    }

    #[test]
    fn context_columns_come_from_the_context_only() {
        let properties = json!({"organization_slug": {"type": "string"}, "id": {"type": "string"}});
        let (_, batch) = write(
            "teams",
            &properties,
            r#"{"id":"1","organization_slug":"theirs"}"#,
            &all,
        );
        assert_eq!(
            record(&batch),
            json!({"organization_slug": "acme", "id": "1"})
        );
        let (_, batch) = write(
            "teams",
            &json!({"id": {"type": "string"}}),
            r#"{"id":"1"}"#,
            &all,
        );
        assert_eq!(record(&batch), json!({"id": "1"}));
    }

    #[test]
    fn the_context_is_part_of_a_key_that_names_it() {
        let def = find("releases").expect("a stream");
        let projection = Projection::new(
            def,
            &json!({"properties": {"version": {"type": "string"}}}),
            &all,
            false,
        );
        let document = Document::parse(br#"{"version":"1.0"}"#, INDEXED_DEPTH).expect("JSON");
        let mut batch = Batch::new(def, Instant::now(), None);
        for organization in ["acme", "other", "acme"] {
            let frame = projection.frame(|_| Some(organization), "2026-01-01T00:00:00Z");
            projection
                .write(&document, document.root(), &frame, &mut batch)
                .expect("a record");
        }
        assert_ne!(batch.rows[0].key, batch.rows[1].key);
        assert_eq!(batch.rows[0].key, batch.rows[2].key);
    }

    #[rstest]
    #[case::lifetime(r#"{"id":"1","count":"2","lifetime":{"count":"9"}}"#, Some("9"))]
    #[case::whatever_the_order(r#"{"id":"1","lifetime":{"count":"9"},"count":"2"}"#, Some("9"))]
    #[case::none(r#"{"id":"1","count":"2","lifetime":null}"#, Some("2"))]
    #[case::null_inside(r#"{"id":"1","count":"2","lifetime":{"count":null}}"#, Some("2"))]
    #[case::older_server(r#"{"id":"1","count":"2"}"#, Some("2"))]
    #[case::nowhere(r#"{"id":"1"}"#, None)]
    fn a_derived_column_is_the_first_that_holds_something(
        #[case] row: &str,
        #[case] expected: Option<&str>,
    ) {
        let properties = json!({"id": {"type": "string"}, "count": {"type": ["string", "null"]}});
        let (result, batch) = write("issues", &properties, row, &all);
        assert_eq!(result, Ok(()));
        assert_eq!(
            record(&batch).get("count").and_then(Value::as_str),
            expected
        );
        assert!(
            batch
                .bytes()
                .windows(8)
                .filter(|eight| *eight == b"\"count\":")
                .count()
                <= 1,
            "once"
        );
        assert!(!batch.notes.unknown.contains_key("count"));
    }

    /// Rows of known, unknown, repeated and escaped keys with values that fit and others; `{0}` and `{1}` stand for the
    /// white space around commas and colons.
    fn rows() -> impl Strategy<Value = String> {
        let long = format!("{:?}", "long ".repeat(80));
        let keys = [
            "id",
            "s",
            "\\u0073",
            "t",
            "n",
            "i",
            "b",
            "o",
            "l",
            "free",
            "off",
            "new",
            "count",
            "lifetime",
            "organization_slug",
        ];
        let values = [
            "null",
            "true",
            "0",
            "-12",
            "1.5",
            "1e400",
            "123456789012345678901234567890",
            "\"\"",
            "\"7\"",
            "\"\\u0000\"",
            "\"\\ud800x\"",
            "\"é\"",
            "\"2026-01-31T10:20:30Z\"",
            "\"2026-01-31T10:20:30+02:00\"",
            "{}",
            "[]",
            "[1,\"2\",3.0]",
            "{\"x\":1,\"y\":\"z\"}",
            "{\"y\":\"z\",\"new\":1}",
            "{\"x\":1,\"x\":2}",
            "{\"count\":\"9\",\"x\":1}",
            "[{\"x\":1,\"y\":null},{\"y\":\"a\"}]",
            "[{\"x\":\"1\"},5]",
            &long,
        ];
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        let member = (
            proptest::sample::select(keys.to_vec()),
            proptest::sample::select(values),
        );
        proptest::collection::vec(member, 0..12).prop_map(|members| {
            let members: Vec<String> = members
                .iter()
                .map(|(key, value)| format!("\"{key}\"{{1}}:{{1}}{value}"))
                .collect();
            format!("{{\"id\":\"1\"{{0}},{}}}", members.join("{0},{0}")).replace("{0},}", "}")
        })
    }

    proptest! {
        #[test]
        fn a_record_is_the_same_whether_its_values_stay_or_are_copied(
            // The one takes values from its place and derives others, the other only from the row.
            stream in proptest::sample::select(vec!["issues", "teams"]), row in rows(), comma in " ?", colon in " ?", keep: bool,
        ) {
            let object = json!({"type": ["object", "null"], "properties": {"x": {"type": ["integer", "null"]}, "y": {"type": ["string", "null"]}}});
            let schema = json!({"properties": {
                "id": {"type": "string"}, "s": schema("string"), "t": schema("date-time"), "n": schema("number"), "i": schema("integer"),
                "b": schema("boolean"), "l": {"type": ["array", "null"], "items": object}, "o": object, "free": schema("object"), "off": schema("string"),
                "count": schema("string"), "lifetime": schema("object"), "organization_slug": schema("string"),
            }});
            let selected = |path: &[&str]| path != ["off"];
            let def = find(stream).expect("a stream");
            let projection = Projection::new(def, &schema, &selected, keep);
            let frame = projection.frame(|_| Some("acme"), "2026-01-01T00:00:00Z");
            let written = |comma: &str, colon: &str| {
                let body = row.replace("{0}", comma).replace("{1}", colon);
                let document = Document::parse(body.as_bytes(), INDEXED_DEPTH).expect(&body);
                let mut batch = Batch::new(def, Instant::now(), None);
                // Twice: the second row finds its members by those of the first.
                for _ in 0..2 {
                    projection.write(&document, document.root(), &frame, &mut batch).expect("a record");
                }
                batch.keep(body.into_bytes());
                batch
            };
            // With line breaks between its tokens nothing of a row can stay.
            let (stays, copied) = (written(&comma, &colon), written("\n", "\n"));
            prop_assert_eq!(&stays.notes, &copied.notes);
            let lines = |batch: &Batch| -> Vec<Value> {
                String::from_utf8(batch.bytes()).expect("UTF-8").lines().map(|line| serde_json::from_str(line).expect(line)).collect()
            };
            prop_assert_eq!(lines(&stays), lines(&copied));
            for (label, line) in ["id", "s", "o", "l", "count", "organization_slug"].iter().zip(std::iter::repeat(stays.bytes())) {
                let label = format!(",\"{label}\":");
                let text = String::from_utf8(line).expect("UTF-8");
                let record = text.lines().next().and_then(|line| line.split_once("\"record\":{")).expect("a record").1;
                prop_assert!(format!(",{record}").matches(&label).count() <= 1, "{label} twice in {record}");
            }
            prop_assert_eq!(lines(&stays).len(), 2);
            prop_assert_eq!(stays.rows[0].content, stays.rows[1].content);
        }
    }

    #[test]
    fn the_content_tells_a_change_but_not_of_an_event() {
        let content = |stream: &str, row: &str| {
            write(stream, &json!({"title": {"type": "string"}}), row, &all)
                .1
                .rows[0]
                .content
        };
        assert_ne!(
            content("issues", r#"{"id":"1","title":"a"}"#),
            content("issues", r#"{"id":"1","title":"b"}"#)
        );
        assert_eq!(
            content("events", r#"{"eventID":"1","projectID":"2","title":"a"}"#),
            0
        );
    }
}
