//! Rows that stand inside a row of the parent stream -> RECORD lines: found by the steps of the stream's entry, numbered
//! by their places, and stamped with what they have of the parent's row.

use crate::record::cut_columns::{CutColumns, List};
use crate::record::frame::Frame;
use crate::record::lines::{Batch, Lines, Row};
use crate::record::notes::{Notes, count};
use crate::record::projection::{Projection, RowError, is_nothing};
use crate::record::value::ValueWriter;
use crate::streams::Step;
use std::io::Write as _;
use std::ops::Range;
use tap_sentry_json::{self as json, Document};
use xxhash_rust::xxh3::Xxh3;

/// More lists within lists are in no entry.
const MOST_LEVELS: usize = 4;
/// What is noted of an element that cannot be a row.
const NO_ROW: &str = "elements that are no objects";

impl Projection {
    /// Appends what stands inside a row of the parent, `most` at most, as one [`Row`] of as many lines. A projection of
    /// rows that stand for themselves appends nothing.
    ///
    /// # Errors
    /// When the parent's row is no object or has no key. Nothing is appended then.
    pub fn cut(
        &self,
        doc: &Document<'_>,
        row: json::Value,
        frame: &Frame,
        most: u32,
        batch: &mut Batch,
    ) -> Result<(), RowError> {
        let Some(columns) = &self.cut else {
            return Ok(());
        };
        if doc.byte(row) != b'{' {
            return Err(RowError::NotAnObject);
        }
        let Batch {
            lines, notes, rows, ..
        } = batch;
        let (head, key) = head(columns, doc, row, frame, notes)?;
        let body = doc.bytes();
        let began = lines.mark(body);
        let mut cutting = Cutting {
            projection: self,
            columns,
            doc,
            head: &head,
            tail: frame.tail.as_bytes(),
            lines,
            notes,
            at: Place::default(),
            joint: None,
            most,
            records: 0,
            failed: None,
        };
        for list in &columns.lists {
            cutting.at = Place::default();
            cutting.walk(list, list.steps, row, 0);
        }
        let (records, failed) = (cutting.records, cutting.failed);
        if let Some(error) = failed {
            lines.forget(body, began);
            return Err(error);
        }
        if records > 0 {
            lines.text(body).extend_from_slice(frame.tail.as_bytes());
            let content = self.content(lines, body, began);
            rows.push(Row {
                end: lines.mark(body),
                key,
                content,
                records,
                counted: false,
            });
        }
        Ok(())
    }
}

/// What all lines of a row begin with, and the identity of the row.
fn head(
    columns: &CutColumns,
    doc: &Document<'_>,
    row: json::Value,
    frame: &Frame,
    notes: &mut Notes,
) -> Result<(Vec<u8>, u128), RowError> {
    let mut lines = Lines::default();
    let body = doc.bytes();
    lines.text(body).extend_from_slice(frame.head.as_bytes());
    let mut first = frame.head.ends_with('{');
    let mut key = Xxh3::new();
    key.update(&frame.key_seed);
    let mut writer = ValueWriter::new(doc, row, &mut lines, notes, false);
    for carried in &columns.carried {
        let value = doc.lookup(row, carried.path);
        let text = value.map_or(&b"null"[..], |value| doc.text(value));
        if let Some(name) = carried.key {
            if is_nothing(text) {
                return Err(RowError::NoKey(name));
            }
            key.update(&[0]);
            key.update(text);
        }
        if let Some(value) = value {
            writer.derived(&carried.column, value, &mut first);
        }
    }
    Ok((lines.take(body, 0), key.digest128()))
}

/// Where an element stands, by level.
#[derive(Default)]
struct Place {
    now: [u32; MOST_LEVELS],
    next: [u32; MOST_LEVELS],
}

impl Place {
    /// Of two lists on the same level the second goes on counting, unless there is a level above that tells them apart.
    fn step(&mut self, level: usize) {
        self.now[level] = self.next[level];
        self.next[level] += 1;
        self.next[level + 1..].fill(0);
    }
}

/// An element of a list.
#[derive(Clone, Copy)]
enum Element<'a> {
    Value(json::Value),
    /// A member where an object stands in place of the list: the bytes between the quotes of its key.
    Member(&'a [u8], json::Value),
}

/// One row of the parent, while it is cut.
struct Cutting<'c, 'a> {
    projection: &'c Projection,
    columns: &'c CutColumns,
    doc: &'c Document<'a>,
    head: &'c [u8],
    tail: &'c [u8],
    lines: &'c mut Lines,
    notes: &'c mut Notes,
    at: Place,
    /// Where the text has what stands between the members of one element and the place of the next: it is the same for all.
    joint: Option<Range<usize>>,
    most: u32,
    records: u32,
    failed: Option<RowError>,
}

impl Cutting<'_, '_> {
    /// Goes on from a value by the steps that are left, below so many lists.
    fn walk(&mut self, list: &List, steps: &[Step], value: json::Value, level: usize) {
        let doc = self.doc;
        let Some((step, rest)) = steps.split_first() else {
            return self.element(list, Element::Value(value));
        };
        match step {
            Step::Member(names) => {
                let mut found = names.iter().filter_map(|name| doc.lookup(value, &[name]));
                if let Some(found) = found.find(|found| doc.byte(*found) != b'n') {
                    self.walk(list, rest, found, level);
                }
            }
            Step::Where(name, text) => {
                for element in doc.elements(value) {
                    let member = doc.lookup(element, &[name]);
                    if member.is_some_and(|member| is_text(doc.text(member), text)) {
                        self.walk(list, rest, element, level);
                    }
                }
            }
            Step::Each(_) => match (doc.byte(value), self.columns.pair) {
                (b'[', _) => {
                    for element in doc.elements(value) {
                        self.at.step(level);
                        if doc.byte(element) != b'n' {
                            self.walk(list, rest, element, level + 1);
                        }
                    }
                }
                (b'{', Some(_)) if rest.is_empty() => {
                    for (key, value) in doc.members(value) {
                        self.at.step(level);
                        self.element(list, Element::Member(key, value));
                    }
                }
                (b'{', _) => {
                    self.at.step(level);
                    self.walk(list, rest, value, level + 1);
                }
                _ => count(&mut self.notes.unknown, "", NO_ROW),
            },
        }
    }

    /// Writes the line of an element.
    fn element(&mut self, list: &List, element: Element<'_>) {
        let (doc, body) = (self.doc, self.doc.bytes());
        let pair = match element {
            Element::Value(value) => match doc.byte(value) {
                b'{' => None,
                b'[' if self.columns.pair.is_some() && doc.elements(value).count() == 2 => {
                    Some(element)
                }
                _ => return count(&mut self.notes.unknown, "", NO_ROW),
            },
            Element::Member(..) => Some(element),
        };
        if self.records == self.most {
            return;
        }
        let record = self.begin(body);
        let out = self.lines.text(body);
        let own = out.len();
        out.extend_from_slice(list.fixed.as_bytes());
        for (label, place) in list.places.iter().zip(self.at.now) {
            if !label.is_empty() {
                out.extend_from_slice(label.as_bytes());
                write!(out, "{place}").expect("memory can be written to");
            }
        }
        let mut first = self.head.ends_with(b"{");
        if first && out.len() > own {
            // A catalog with a key of its own may have deselected what stands before.
            out.remove(own);
            first = false;
        }
        match (pair, element) {
            (Some(pair), _) => self.pair(pair, &mut first),
            (None, Element::Value(value) | Element::Member(_, value)) => {
                self.projection
                    .members(doc, value, self.lines, self.notes, &mut first);
            }
        }
        match self.projection.close(self.lines, body, record) {
            Ok(()) => self.records += 1,
            Err(error) => self.failed = Some(error),
        }
    }

    /// Ends the line before, if there is one, and writes what all lines begin with. Returns where the record begins, if it
    /// is to be changed.
    fn begin(&mut self, body: &[u8]) -> Option<usize> {
        if let Some(joint) = &self.joint {
            self.lines.again(body, joint.clone());
            return None;
        }
        let out = self.lines.text(body);
        let start = out.len();
        if self.records > 0 {
            out.extend_from_slice(self.tail);
        }
        let record = self.projection.open(self.lines, body);
        let out = self.lines.text(body);
        out.extend_from_slice(self.head);
        // A record that is changed is taken out of the text.
        if self.records > 0 && record.is_none() {
            self.joint = Some(start..out.len());
        }
        record
    }

    /// Writes the columns of a key and a value.
    fn pair(&mut self, element: Element<'_>, first: &mut bool) {
        let (doc, body) = (self.doc, self.doc.bytes());
        let Some(names) = self.columns.pair else {
            return;
        };
        let columns = names.map(|name| self.projection.columns.get(name));
        let values: Vec<json::Value> = match element {
            Element::Value(list) => doc.elements(list).collect(),
            Element::Member(key, value) => {
                if let Some(column) = columns[0].filter(|column| column.schema.is_some()) {
                    let out = self.lines.text(body);
                    if !std::mem::take(first) {
                        out.push(b',');
                    }
                    out.extend_from_slice(column.label.as_bytes());
                    out.push(b'"');
                    doc.copy_key(value, key, out);
                    out.push(b'"');
                }
                vec![value]
            }
        };
        // Of a member only the value is left.
        let columns = columns.into_iter().skip(2 - values.len());
        for (column, value) in columns.zip(values) {
            let mut writer = ValueWriter::new(doc, value, self.lines, self.notes, false);
            if let Some(column) = column {
                writer.derived(column, value, first);
            }
        }
    }
}

/// Whether a value is this text, as it is written without escapes.
fn is_text(value: &[u8], text: &str) -> bool {
    value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""))
        == Some(text.as_bytes())
}
