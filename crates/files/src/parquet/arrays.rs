//! Rows, which are JSON, as Arrow's arrays: one pass over each row, by the types of the columns.

use crate::column::{Column, Kind};
use crate::row::plain;
use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Float64Builder, Int64Builder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, ListArray, StringArray, StructArray, new_null_array};
use arrow_buffer::{NullBuffer, NullBufferBuilder, OffsetBuffer};
use arrow_schema::{Field, Fields};
use chrono::DateTime;
use rustc_hash::FxHashMap;
use std::mem;
use std::sync::Arc;
use tap_sentry_json::{Document, Value};

/// Bytes of texts that are copied without regard to their length: most have no more.
const SHORT: usize = 32;

/// The member that cannot hold its value, and the value.
#[derive(Debug, PartialEq, Eq)]
pub struct Misfit {
    pub column: String,
    pub value: String,
}

/// An array under construction.
#[derive(Debug)]
enum Array {
    Text(Texts),
    Json(Texts),
    Instant(TimestampMicrosecondBuilder),
    Integer(Int64Builder),
    Number(Float64Builder),
    Boolean(BooleanBuilder),
    Struct(Box<Structs>),
    List(Box<Lists>),
}

/// Structs under construction, and the rows themselves. An array of a member ends with its last value: the nulls after it are
/// appended when a value follows, or at the end, since most members of most rows are null.
#[derive(Debug)]
pub struct Structs {
    fields: Fields,
    members: Vec<Array>,
    /// Their keys as JSON writes them, with the colon.
    labels: Vec<Box<[u8]>>,
    index: FxHashMap<Box<[u8]>, usize>,
    /// The member that came first in the last object, and the one that came behind each.
    next: Vec<usize>,
    nulls: NullBufferBuilder,
}

/// Texts under construction, one behind the other.
#[derive(Debug, Default)]
struct Texts {
    bytes: Vec<u8>,
    ends: Ends,
}

#[derive(Debug)]
struct Lists {
    field: Arc<Field>,
    items: Array,
    ends: Ends,
}

/// Where each text or list ends, and which of them are null.
#[derive(Debug)]
struct Ends {
    /// The first of them is where all begin.
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl Structs {
    pub fn new(columns: &[Column]) -> Self {
        let names = columns.iter().map(|column| column.name.as_bytes().into());
        let labels = columns.iter().map(|column| {
            format!("{}:", serde_json::Value::from(&*column.name))
                .into_bytes()
                .into()
        });
        Self {
            fields: columns.iter().map(Column::field).collect(),
            members: columns
                .iter()
                .map(|column| Array::new(&column.kind))
                .collect(),
            labels: labels.collect(),
            index: names.zip(0..).collect(),
            next: (0..=columns.len()).collect(),
            nulls: NullBufferBuilder::new(0),
        }
    }

    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// How many were appended.
    pub fn len(&self) -> usize {
        self.nulls.len()
    }

    /// Appends an object. What it lacks is null; what the columns lack is passed over; the first of equal keys counts that is
    /// not null.
    ///
    /// # Errors
    /// The first value that is not of its column's type. What was appended is of no use then.
    pub fn append(&mut self, doc: &Document<'_>, object: Value) -> Result<(), Misfit> {
        let rows = self.len();
        let mut members = doc.members(object);
        let mut last = 0;
        loop {
            // Objects of one column mostly have the same keys in the same order.
            let expected = self.next[last];
            let label = self.labels.get(expected);
            let labelled = label.and_then(|label| members.next_labelled(label));
            let (i, value) = if let Some(value) = labelled {
                (expected, value)
            } else {
                let Some((key, value)) = members.next() else {
                    break;
                };
                let Some(i) = self.index.get(&*plain(key)) else {
                    continue;
                };
                self.next[last] = *i;
                (*i, value)
            };
            last = i + 1;
            if doc.byte(value) == b'n' {
                continue;
            }
            let appended = match &mut self.members[i] {
                // Most are texts, which take one branch so and not three.
                Array::Text(texts) => texts.append_behind(rows, doc, value),
                member if member.len() > rows => continue,
                member => {
                    member.fill(rows);
                    member.append(doc, value)
                }
            };
            if appended.is_none() {
                return Err(Misfit {
                    column: self.fields[i].name().clone(),
                    value: String::from_utf8_lossy(doc.text(value)).into_owned(),
                });
            }
        }
        self.nulls.append_non_null();
        Ok(())
    }

    /// Takes what was appended, column by column.
    pub fn finish(&mut self) -> Vec<ArrayRef> {
        let members = self.take_members();
        self.nulls = NullBufferBuilder::new(0);
        members
    }

    fn take_members(&mut self) -> Vec<ArrayRef> {
        let rows = self.len();
        let members = self.members.iter_mut().zip(&self.fields);
        let arrays = members.map(|(member, field)| {
            if member.len() == 0 {
                return new_null_array(field.data_type(), rows);
            }
            member.fill(rows);
            member.finish()
        });
        arrays.collect()
    }
}

impl Array {
    fn new(kind: &Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(Texts::default()),
            Kind::Json => Self::Json(Texts::default()),
            Kind::Instant => Self::Instant(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
            Kind::Integer => Self::Integer(Int64Builder::new()),
            Kind::Number => Self::Number(Float64Builder::new()),
            Kind::Boolean => Self::Boolean(BooleanBuilder::new()),
            Kind::Struct(members) => Self::Struct(Box::new(Structs::new(members))),
            Kind::List(items) => Self::List(Box::new(Lists {
                field: Arc::new(items.field("element")),
                items: Self::new(items),
                ends: Ends::default(),
            })),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(array) | Self::Json(array) => array.ends.len(),
            Self::Instant(array) => array.len(),
            Self::Integer(array) => array.len(),
            Self::Number(array) => array.len(),
            Self::Boolean(array) => array.len(),
            Self::Struct(array) => array.len(),
            Self::List(array) => array.ends.len(),
        }
    }

    /// `None`: the value is not of this type.
    fn append(&mut self, doc: &Document<'_>, value: Value) -> Option<()> {
        let text = doc.text(value);
        if text[0] == b'n' {
            self.append_nulls(1);
            return Some(());
        }
        match self {
            Self::Text(array) => array.append_string(doc, value)?,
            Self::Json(array) => array.append(text)?,
            Self::Instant(array) if text[0] == b'"' => {
                let text = str::from_utf8(&text[1..text.len() - 1]).ok()?;
                array.append_value(DateTime::parse_from_rfc3339(text).ok()?.timestamp_micros());
            }
            Self::Integer(array) => array.append_value(str::from_utf8(text).ok()?.parse().ok()?),
            Self::Number(array) => {
                let number: f64 = str::from_utf8(text).ok()?.parse().ok()?;
                array.append_value(Some(number).filter(|number| number.is_finite())?);
            }
            Self::Boolean(array) if matches!(text[0], b't' | b'f') => {
                array.append_value(text[0] == b't');
            }
            Self::Struct(array) if text[0] == b'{' => array.append(doc, value).ok()?,
            Self::List(list) if text[0] == b'[' => {
                for item in doc.elements(value) {
                    list.items.append(doc, item)?;
                }
                list.ends.push(list.items.len())?;
            }
            _ => return None,
        }
        Some(())
    }

    /// Appends nulls until there are so many elements.
    fn fill(&mut self, len: usize) {
        let missing = len - self.len();
        if missing > 0 {
            self.append_nulls(missing);
        }
    }

    fn append_nulls(&mut self, n: usize) {
        match self {
            Self::Text(array) | Self::Json(array) => array.ends.append_nulls(n),
            Self::Instant(array) => array.append_nulls(n),
            Self::Integer(array) => array.append_nulls(n),
            Self::Number(array) => array.append_nulls(n),
            Self::Boolean(array) => array.append_nulls(n),
            Self::Struct(array) => array.nulls.append_n_nulls(n),
            Self::List(list) => list.ends.append_nulls(n),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(array) | Self::Json(array) => Arc::new(array.finish()),
            Self::Instant(array) => Arc::new(array.finish()),
            Self::Integer(array) => Arc::new(array.finish()),
            Self::Number(array) => Arc::new(array.finish()),
            Self::Boolean(array) => Arc::new(array.finish()),
            Self::Struct(array) => {
                let members = array.take_members();
                let nulls = array.nulls.finish();
                Arc::new(StructArray::new(array.fields.clone(), members, nulls))
            }
            Self::List(list) => {
                let (offsets, nulls) = list.ends.finish();
                let items = list.items.finish();
                Arc::new(ListArray::new(
                    Arc::clone(&list.field),
                    offsets,
                    items,
                    nulls,
                ))
            }
        }
    }
}

impl Texts {
    /// Appends what a JSON string says as that of a row, unless the row has one.
    #[inline]
    fn append_behind(&mut self, rows: usize, doc: &Document<'_>, string: Value) -> Option<()> {
        let len = self.ends.len();
        if len > rows {
            return Some(());
        }
        if len < rows {
            self.ends.append_nulls(rows - len);
        }
        self.append_string(doc, string)
    }

    /// Appends what a JSON string says. `None`: it is none, has half of a surrogate pair, or as [`Self::append`].
    #[inline]
    fn append_string(&mut self, doc: &Document<'_>, string: Value) -> Option<()> {
        let text = doc.text(string);
        let [b'"', inside @ .., b'"'] = text else {
            return None;
        };
        let start = self.bytes.len();
        // As many bytes whatever the length, so that the processor need not guess it. What is of others is cut off again.
        let ahead = doc.bytes()[string.start() + 1..].first_chunk::<SHORT>();
        if let Some(chunk) = ahead
            && inside.len() <= SHORT
            && chunk
                .iter()
                .fold(0, |any, byte| any | u8::from(*byte == b'\\'))
                == 0
        {
            self.bytes.extend_from_slice(chunk);
            self.bytes.truncate(start + inside.len());
            return self.ends.push(start + inside.len());
        }
        if !inside.contains(&b'\\') {
            return self.append(inside);
        }
        let mut rest = inside;
        while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
            self.bytes.extend_from_slice(&rest[..at]);
            self.bytes.push(match rest[at + 1] {
                b'n' => b'\n',
                b't' => b'\t',
                b'r' => b'\r',
                b'b' => 8,
                b'f' => 12,
                b'u' => {
                    self.bytes.truncate(start);
                    return self.append(serde_json::from_slice::<String>(text).ok()?.as_bytes());
                }
                quoted => quoted,
            });
            rest = &rest[at + 2..];
        }
        self.append(rest)
    }

    /// `None`: all of them have more than 2^31 bytes.
    fn append(&mut self, text: &[u8]) -> Option<()> {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len())
    }

    fn finish(&mut self) -> StringArray {
        // The next will be about as long: what grows bit by bit is copied again and again.
        let next = Vec::with_capacity(self.bytes.len() + self.bytes.len() / 16);
        let bytes = mem::replace(&mut self.bytes, next);
        let (offsets, nulls) = self.ends.finish();
        // All are checked at once, as UTF-8.
        StringArray::new(offsets, bytes.into(), nulls)
    }
}

impl Ends {
    fn expecting(len: usize) -> Self {
        let mut offsets = Vec::with_capacity(1 + len + len / 16);
        offsets.push(0);
        Self {
            offsets,
            nulls: NullBufferBuilder::new(len),
        }
    }

    fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// `None`: it is beyond 2^31.
    #[inline]
    fn push(&mut self, end: usize) -> Option<()> {
        self.offsets.push(i32::try_from(end).ok()?);
        self.nulls.append_non_null();
        Some(())
    }

    fn append_nulls(&mut self, n: usize) {
        let end = self.offsets[self.len()];
        self.offsets.resize(self.offsets.len() + n, end);
        self.nulls.append_n_nulls(n);
    }

    fn finish(&mut self) -> (OffsetBuffer<i32>, Option<NullBuffer>) {
        let next = Self::expecting(self.len());
        let Self { offsets, mut nulls } = mem::replace(self, next);
        (OffsetBuffer::new(offsets.into()), nulls.finish())
    }
}

impl Default for Ends {
    fn default() -> Self {
        Self::expecting(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Array as _;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use serde_json::json;

    #[test]
    fn names_with_quotes_and_keys_with_escapes_are_found() {
        let schema = json!({"properties": {"a\"b": {"type": "integer"}, "c": {"type": "integer"}}});
        let mut rows = Structs::new(&Column::all(&schema));
        for row in [r#"{"a\"b":1,"c":2}"#, r#"{"a\u0022b":3,"\u0063":4}"#] {
            let doc = Document::parse(row.as_bytes(), 4).expect("JSON");
            rows.append(&doc, doc.root()).expect("it fits");
        }
        let found = rows.finish();
        let found = found
            .iter()
            .map(|array| array.as_primitive::<Int64Type>().values().to_vec());
        assert_eq!(found.collect::<Vec<_>>(), [[1, 3], [2, 4]]);
    }

    #[test]
    fn a_text_is_what_its_json_says() {
        let plain = "x".repeat(2 * SHORT);
        let exact = "y".repeat(SHORT);
        let said = [
            "",
            "\"",
            "C:\\new\\",
            "a/b\u{8}\u{c}\n\r\t\u{1}",
            "\u{1f600} and \"quotes\" behind what is short",
            &plain,
            &exact,
        ];
        let written = [
            r#""""#,
            r#""\"""#,
            r#""C:\\new\\""#,
            r#""a\/b\b\f\n\r\t\u0001""#,
            r#""\ud83d\ude00 and \"quotes\" behind what is short""#,
            &format!("\"{plain}\""),
            &format!("\"{exact}\""),
        ];
        let schema = json!({"properties": {"t": {"type": "string"}}});
        let mut rows = Structs::new(&Column::all(&schema));
        for behind in ["", r#","o":"\n""#, &format!(r#","t":"{plain}""#)] {
            for text in written {
                let row = format!("{{\"t\":{text}{behind}}}");
                let doc = Document::parse(row.as_bytes(), 4).expect("JSON");
                rows.append(&doc, doc.root()).expect("it fits");
            }
            let columns = rows.finish();
            assert!(columns[0].as_string::<i32>().iter().eq(said.map(Some)));
        }
        for misfit in [r#""\"\ud83d""#, "7"] {
            let row = format!("{{\"t\":{misfit}}}");
            let doc = Document::parse(row.as_bytes(), 4).expect("JSON");
            let found = rows.append(&doc, doc.root()).expect_err("it is no text");
            assert_eq!(found.value, misfit);
        }
    }

    #[test]
    fn what_a_row_lacks_is_null_in_it_and_in_no_other() {
        let schema = json!({"properties": {
            "id": {"type": "integer"},
            "o": {"type": "object", "properties": {"a": {"type": "integer"}, "l": {"type": "array", "items": {"type": "string"}}}},
        }});
        let mut rows = Structs::new(&Column::all(&schema));
        for _ in 0..2 {
            for row in [
                r#"{"o":null}"#,
                r#"{"id":1,"o":{}}"#,
                r#"{"o":{"l":["x",null]},"id":null}"#,
                r#"{"id":2,"id":3,"o":{"a":7}}"#,
                "{}",
            ] {
                let doc = Document::parse(row.as_bytes(), 4).expect("JSON");
                rows.append(&doc, doc.root()).expect("it fits");
            }
            let columns = rows.finish();
            let integers =
                |array: &ArrayRef| array.as_primitive::<Int64Type>().iter().collect::<Vec<_>>();
            assert_eq!(integers(&columns[0]), [None, Some(1), None, Some(2), None]);
            let objects = columns[1].as_struct();
            let valid: Vec<_> = (0..5).map(|row| objects.is_valid(row)).collect();
            assert_eq!(valid, [false, true, true, true, false]);
            assert_eq!(
                integers(objects.column(0)),
                [None, None, None, Some(7), None]
            );
            let lists = objects.column(1).as_list::<i32>();
            let lengths: Vec<_> = lists.offsets().lengths().collect();
            assert_eq!((lengths, lists.null_count()), (vec![0, 0, 2, 0, 0], 4));
        }
    }
}
