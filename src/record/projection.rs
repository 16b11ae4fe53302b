//! One row of an answer -> one RECORD line: selected, stamped with its context, and made to fit its schema.
//!
//! This is the one place where values are changed. What fits stays as it is written, and where it needs no repair it
//! stays where it is, in the body. What does not fit is converted by the table in `convert.rs`.
//!
//! Everywhere: U+0000 and lone surrogates become U+FFFD, numbers beyond 64 bits become text, and containers deeper
//! than [`json::MAX_DEPTH`] become `null`. Of equal keys of one object the first counts.

use crate::record::cut_columns::CutColumns;
use crate::record::flatten::Flattener;
use crate::record::frame::Frame;
use crate::record::lines::{Batch, Content, Lines, Row};
use crate::record::mask::Mask;
use crate::record::notes::Notes;
use crate::record::schema::{Properties, Property};
use crate::record::value::{SLOTS, ValueWriter};
use crate::streams::{Derived, STREAMS, StreamDef};
use serde_json::Value;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use tap_sentry_json::{self as json, Document};
use tokio::time::Instant;
use xxhash_rust::xxh3::Xxh3;

/// Why a row cannot become a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    #[error("a row is not an object")]
    NotAnObject,
    #[error("a row has no `{0}`")]
    NoKey(&'static str),
}

/// The slot of a column and the path below it.
type Source = (usize, &'static [&'static str]);

const MIB: usize = 1 << 20;
/// A derived part of the key that has no value. Sentry's own word for it, where it counts outcomes: targets that write CSV take
/// an empty text for null, which no key can be.
const NOTHING: &str = "none";

/// How rows of one stream become records.
#[derive(Debug)]
pub struct Projection {
    def: &'static StreamDef,
    /// What stands before the record in each line.
    envelope: String,
    pub(super) columns: Properties,
    /// Where its rows stand inside those of the parent.
    pub(super) cut: Option<CutColumns>,
    /// Where each part of the primary key is found; `None`: a column of the context.
    key: Vec<(&'static str, Option<Vec<Source>>)>,
    /// The columns that are found elsewhere in the row, where, and whether they are [`NOTHING`] where there is nothing.
    derived: Vec<(Property, Vec<Source>, bool)>,
    /// The parts of the key that are an empty text where there is nothing, and their slots.
    texts: Vec<(Property, usize)>,
    /// The columns of a row that is a list, and their slots.
    pair: Vec<(Property, Option<usize>)>,
    /// The columns of the context.
    context: Vec<&'static str>,
    keep_unknown: bool,
    mask: Option<Mask>,
    flattener: Option<Flattener>,
    version: Option<i64>,
    /// Tells it from other streams of the same identity.
    bit: u64,
    /// Bytes of text, and pieces, that the last answer's lines had for each MiB of it.
    size: [AtomicUsize; 2],
}

impl Projection {
    /// Compiles the schema of a catalog entry. `selected` answers for a path of property names.
    pub fn new(
        def: &'static StreamDef,
        schema: &Value,
        selected: &dyn Fn(&[&str]) -> bool,
        keep_unknown: bool,
    ) -> Self {
        let mut columns = Properties::new(schema, selected);
        let cut = def.cut.as_ref();
        let cut = cut.map(|cut| CutColumns::new(cut, def.key, &mut columns));
        let mut slots = 0;
        let mut source = |columns: &mut Properties, path: &'static [&'static str]| {
            let slot = columns.get_or_add(path[0]).slot.get_or_insert_with(|| {
                slots += 1;
                slots - 1
            });
            (*slot, &path[1..])
        };
        // What is cut is known by its parent.
        let key = def.key.iter().filter(|_| cut.is_none());
        let key = key
            .map(|name| {
                let in_row = !def.columns.contains(name);
                let mut derived = def.derived.iter();
                let from = derived.find(|derived| derived.column == *name);
                let from = from.map_or(vec![std::slice::from_ref(name)], |it| it.from.to_vec());
                let from = from.into_iter().map(|path| source(&mut columns, path));
                (*name, in_row.then(|| from.collect()))
            })
            .collect();
        let mut context = Vec::new();
        for column in def.columns {
            if let Some(property) = columns.get_mut(column)
                && property.schema.take().is_some()
            {
                context.push(*column);
            }
        }
        let mut derived = Vec::new();
        for Derived { column, from } in def.derived {
            let sources = from.iter().map(|path| source(&mut columns, path)).collect();
            if let Some(property) = columns.get_mut(column)
                && let Some(schema) = property.schema.take()
            {
                let named = def.empty_key && def.key.contains(column);
                derived.push((Property::new(column, Some(schema)), sources, named));
            }
        }
        let mut texts = Vec::new();
        for column in def.empty_as_text {
            let (own, _) = source(&mut columns, std::slice::from_ref(column));
            if let Some(property) = columns.get_mut(column)
                && let Some(schema) = property.schema.take()
            {
                texts.push((Property::new(column, Some(schema)), own));
            }
        }
        let pair = def.pair.iter().flatten().map(|name| {
            let property = columns.get_or_add(name);
            (Property::new(name, property.schema.take()), property.slot)
        });
        let pair = pair.collect();
        debug_assert!(slots <= SLOTS);
        let mut cuts = STREAMS.iter().filter(|other| other.cut.is_some());
        let place = cuts.position(|other| other.name() == def.name());
        Self {
            bit: place.map_or(1, |place| 2 << place),
            def,
            envelope: format!(r#"{{"type":"RECORD","stream":"{}","record":"#, def.name()),
            columns,
            cut,
            key,
            derived,
            texts,
            pair,
            context,
            keep_unknown,
            mask: None,
            flattener: None,
            version: None,
            size: Default::default(),
        }
    }

    /// A batch for the lines of an answer of so many bytes. It has room for as much as the last one had: what grows beside
    /// others is copied again and again, and leaves holes in memory.
    pub fn batch(&self, sent: Instant, bytes: usize) -> Batch {
        let expected = self.size.each_ref().map(|of_a_mib| {
            let expected = of_a_mib.load(Ordering::Relaxed) * bytes / MIB;
            expected + expected / 16
        });
        let mut batch = Batch::new(self.def, sent);
        batch.lines = Lines::expecting(expected[0], expected[1]);
        batch
    }

    /// The batch is complete.
    pub fn complete(&self, batch: &mut Batch, bytes: usize) {
        let (text, pieces) = batch.lines.complete();
        for (of_a_mib, now) in self.size.iter().zip([text, pieces]) {
            // What small answers have says little of large ones.
            let now = (now * MIB / bytes.max(1)).min(2 * MIB);
            of_a_mib.store(now, Ordering::Relaxed);
        }
    }

    /// Changes every record; `version` is stamped on each.
    #[must_use]
    pub fn changed(
        self,
        mask: Option<Mask>,
        flattener: Option<Flattener>,
        version: Option<i64>,
    ) -> Self {
        Self {
            mask,
            flattener,
            version,
            ..self
        }
    }

    /// `context` holds the values of the columns that the context supplies.
    pub fn frame<'a>(&self, context: impl Fn(&str) -> Option<&'a str>, extracted: &str) -> Frame {
        let mut head = "{".to_owned();
        for (i, column) in self.context.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let value = context(column).map_or(Value::Null, Value::from);
            let _ = write!(head, "{comma}{}:{value}", Value::from(*column));
        }
        // What is cut has the identity of the row that it is cut from.
        let parent = self.def.parent.filter(|_| self.cut.is_some());
        let stream = parent.map_or(self.def.name(), |parent| parent.stream);
        let mut key_seed = stream.as_bytes().to_vec();
        for (name, sources) in &self.key {
            if sources.is_none() {
                key_seed.push(0);
                key_seed.extend_from_slice(context(name).unwrap_or_default().as_bytes());
            }
        }
        let version = self
            .version
            .map(|version| format!(r#""version":{version},"#))
            .unwrap_or_default();
        Frame {
            head,
            tail: format!("}},{version}\"time_extracted\":\"{extracted}\"}}\n"),
            key_seed,
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
        let is_pair = doc.byte(row) == b'[' && !self.pair.is_empty();
        if doc.byte(row) != b'{' && !is_pair {
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
        let record = self.open(lines, body);
        lines.text(body).extend_from_slice(frame.head.as_bytes());
        let mut first = self.context.is_empty();
        let slots = self.members(doc, row, lines, notes, &mut first);

        let mut key = Xxh3::new();
        key.update(&frame.key_seed);
        for (name, sources) in &self.key {
            let Some(sources) = sources else { continue };
            let value = found(doc, &slots, sources).map_or(&b"null"[..], |value| doc.text(value));
            let identifies = match value {
                b"null" if self.def.empty_as_text.contains(name) => true,
                b"null" => self.def.empty_key && self.def.is_derived(name),
                br#""""# => self.def.empty_key,
                _ => true,
            };
            if !identifies {
                return Err(RowError::NoKey(name));
            }
            key.update(&[0]);
            // Written alike, and so the same.
            match value {
                b"null" | br#""""# if self.def.is_derived(name) => {
                    for part in [r#"""#, NOTHING, r#"""#] {
                        key.update(part.as_bytes());
                    }
                }
                b"null" => key.update(br#""""#),
                value => key.update(value),
            }
        }

        self.close(lines, body, record)?;
        let content = self.content(lines, body, began);
        lines.text(body).extend_from_slice(frame.tail.as_bytes());
        rows.push(Row {
            end: lines.mark(body),
            key: key.digest128(),
            content,
            records: 1,
            counted: false,
        });
        Ok(())
    }

    /// Begins a line. Returns where its record begins, if it is to be changed.
    pub(super) fn open(&self, lines: &mut Lines, body: &[u8]) -> Option<usize> {
        lines.text(body).extend_from_slice(self.envelope.as_bytes());
        let is_changed = self.mask.is_some() || self.flattener.is_some();
        is_changed.then(|| lines.mark(body))
    }

    /// Writes the columns that stand in a row, and those derived from it. Returns the values of the slots.
    #[inline]
    pub(super) fn members(
        &self,
        doc: &Document<'_>,
        row: json::Value,
        lines: &mut Lines,
        notes: &mut Notes,
        first: &mut bool,
    ) -> [Option<json::Value>; SLOTS] {
        let mut writer = ValueWriter::new(doc, row, lines, notes, self.keep_unknown);
        if doc.byte(row) == b'[' {
            for ((column, slot), value) in self.pair.iter().zip(doc.elements(row)) {
                if let Some(slot) = slot {
                    writer.slots[*slot] = Some(value);
                }
                writer.derived(column, value, first);
            }
        } else {
            writer.row(&self.columns, row, first);
        }
        for (column, sources, named) in &self.derived {
            // Some versions of a server leave it out, others say it by an empty text: the key must not change with them.
            let found = found(doc, &writer.slots, sources)
                .filter(|found| !(*named && doc.text(*found) == br#""""#));
            if let Some(found) = found {
                writer.derived(column, found, first);
            } else if *named {
                writer.text(column, NOTHING, first);
            }
        }
        for (column, slot) in &self.texts {
            match writer.slots[*slot].filter(|value| doc.text(*value) != b"null") {
                Some(value) => writer.derived(column, value, first),
                None => writer.text(column, "", first),
            }
        }
        writer.slots
    }

    /// Ends a record, which is changed now if it is to be.
    pub(super) fn close(
        &self,
        lines: &mut Lines,
        body: &[u8],
        record: Option<usize>,
    ) -> Result<(), RowError> {
        let Some(record) = record else {
            return Ok(());
        };
        lines.text(body).push(b'}');
        let written = lines.take(body, record);
        let out = lines.text(body);
        self.change(&written, out)?;
        out.pop();
        Ok(())
    }

    /// By what a record is known to have changed since it was written.
    pub(super) fn content(&self, lines: &mut Lines, body: &[u8], began: usize) -> Content {
        if self.def.immutable {
            Content::Once(self.bit)
        } else {
            Content::Digest(lines.digest(body, began))
        }
    }

    /// Writes a record masked and flattened. Both need it as a tree, so it is parsed again: streams for which neither is
    /// asked do not pay for it.
    fn change(&self, written: &[u8], out: &mut Vec<u8>) -> Result<(), RowError> {
        let Ok(Value::Object(mut record)) = serde_json::from_slice(written) else {
            return Err(RowError::NotAnObject);
        };
        if let Some(mask) = &self.mask {
            mask.apply(&mut record);
        }
        if let Some(flattener) = &self.flattener {
            record = flattener.apply(record);
        }
        serde_json::to_writer(out, &record).map_err(|_| RowError::NotAnObject)
    }
}

/// The first of the sources that holds something.
fn found(
    doc: &Document<'_>,
    slots: &[Option<json::Value>; SLOTS],
    sources: &[Source],
) -> Option<json::Value> {
    sources
        .iter()
        .filter_map(|(slot, path)| doc.lookup(slots[*slot]?, path))
        .find(|found| doc.text(*found) != b"null")
}

/// Whether a value of the key identifies nothing.
pub(super) fn is_nothing(value: &[u8]) -> bool {
    value == b"null" || value == br#""""#
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::{all, record, write_row};
    use crate::streams::find;
    use rstest::rstest;
    use serde_json::json;
    use tap_sentry_api::request::INDEXED_DEPTH;
    use tokio::time::Instant;

    #[rstest]
    #[case(r#"{"name":"x"}"#, RowError::NoKey("id"))]
    #[case(r#"{"id":null}"#, RowError::NoKey("id"))]
    #[case(r#"{"id":""}"#, RowError::NoKey("id"))]
    #[case("[]", RowError::NotAnObject)]
    #[case(r#""1""#, RowError::NotAnObject)]
    fn a_row_without_its_key_is_refused(#[case] row: &str, #[case] expected: RowError) {
        let (result, batch) = write_row(
            "teams",
            &json!({"id": {"type": "string"}, "name": {"type": ["string", "null"]}}),
            row,
            &all,
        );
        assert_eq!(result, Err(expected));
        assert!(batch.rows.is_empty());
    }

    #[test]
    fn a_key_that_is_deselected_still_tells_records_apart() {
        let without = |path: &[&str]| path != ["id"];
        let key = |row: &str| {
            write_row("teams", &json!({"id": {"type": "string"}}), row, &without)
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
        let (_, batch) = write_row(
            "teams",
            &properties,
            r#"{"id":"1","organization_slug":"theirs"}"#,
            &all,
        );
        assert_eq!(
            record(&batch),
            json!({"organization_slug": "acme", "id": "1"})
        );
        let (_, batch) = write_row(
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
        let mut batch = Batch::new(def, Instant::now());
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
        let (result, batch) = write_row("issues", &properties, row, &all);
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

    #[rstest]
    #[case::left_out(r#"{"by":{"project":2,"session.status":"healthy","release":"1.0"}}"#)]
    #[case::null(
        r#"{"by":{"project":2,"session.status":"healthy","release":"1.0","environment":null}}"#
    )]
    #[case::empty(
        r#"{"by":{"project":2,"session.status":"healthy","release":"1.0","environment":""}}"#
    )]
    fn a_derived_part_of_the_key_is_none_however_a_server_says_that(#[case] row: &str) {
        let text = json!({"type": "string"});
        let properties = json!({
            "project_id": text, "release": text, "environment": text, "status": text,
        });
        let (result, batch) = write_row("sessions", &properties, row, &all);
        assert_eq!(result, Ok(()));
        assert_eq!(record(&batch)["environment"], "none");
        let named = row.replace("}}", r#","environment":"none"}}"#);
        let (_, other) = write_row("sessions", &properties, &named, &all);
        if !row.contains("environment") {
            assert_eq!(
                batch.rows[0].key, other.rows[0].key,
                "written alike, and so the same"
            );
        }
    }

    #[test]
    fn the_content_tells_a_change_but_not_of_an_event() {
        let content = |stream: &str, row: &str| {
            write_row(stream, &json!({"title": {"type": "string"}}), row, &all)
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
            Content::Once(1)
        );
    }

    #[test]
    fn what_is_cut_has_the_identity_of_its_row_and_a_bit_of_its_own() {
        let row = r#"{"eventID":"1","projectID":"2","groupID":"3","dateCreated":null,"tags":[["a","b"]],
            "entries":[{"type":"exception","data":{"values":[{"type":"E"}]}}]}"#;
        let properties = json!({"eventID": {"type": "string"}, "projectID": {"type": "string"}, "type": {"type": "string"},
            "key": {"type": "string"}, "value": {"type": "string"}});
        let streams = ["events", "event_tags", "event_exceptions"];
        let [own, tags, exceptions] =
            streams.map(|stream| write_row(stream, &properties, row, &all).1.rows[0]);
        assert_eq!([tags.key, exceptions.key], [own.key; 2]);
        let contents = [own.content, tags.content, exceptions.content];
        assert_eq!(contents, [1, 2, 4].map(Content::Once));
    }
}
