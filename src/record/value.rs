//! Writes the values of a row into its line, each as its schema wants it.

use crate::record::convert::{Conversion, convert};
use crate::record::lines::Lines;
use crate::record::notes::{Notes, count};
use crate::record::schema::{Member, Properties, Property, Schema, Shape, Types};
use std::collections::{BTreeMap, HashSet};
use tap_sentry_json::{self as json, Document, Repairs};

/// How many values of a row are remembered: those of its key and the sources of derived columns.
/// Queries of users have up to 19.
pub const SLOTS: usize = 20;

/// Writes the values of one row.
///
/// What fits its schema stays in the body: it becomes a stretch of it, with its label and the comma before it, and
/// stretches that adjoin are one. Anything else becomes text.
pub struct ValueWriter<'a> {
    doc: &'a Document<'a>,
    lines: &'a mut Lines,
    notes: &'a mut Notes,
    /// Nothing in the row needs repair, so that need not be asked of each value.
    clean: bool,
    /// The column that is written, which notes are about.
    column: Option<&'a Property>,
    /// The names of columns that the schema lacks and that are written all the same; `None`: they are only counted.
    kept: Option<HashSet<String>>,
    /// Values of the row by the slots of their properties.
    pub slots: [Option<json::Value>; SLOTS],
}

impl<'a> ValueWriter<'a> {
    pub fn new(
        doc: &'a Document<'a>,
        row: json::Value,
        lines: &'a mut Lines,
        notes: &'a mut Notes,
        keep_unknown: bool,
    ) -> Self {
        Self {
            doc,
            lines,
            notes,
            clean: doc.is_clean(row, 1),
            column: None,
            kept: keep_unknown.then(HashSet::new),
            slots: [None; SLOTS],
        }
    }

    /// Writes the columns of a row. `first`: none is written before.
    #[inline]
    pub fn row(&mut self, columns: &'a Properties, row: json::Value, first: &mut bool) {
        self.members(columns, row, 1, first);
    }

    /// Writes a column whose value was found elsewhere in the row.
    pub fn derived(&mut self, column: &'a Property, value: json::Value, first: &mut bool) {
        self.column = Some(column);
        if let Some(schema) = &column.schema {
            let from = self.label(column, None, value, first);
            self.value(schema, from, value, 1);
        }
    }

    /// Writes a text of ours, which needs no escapes, for what has no name.
    pub fn text(&mut self, column: &Property, text: &str, first: &mut bool) {
        let comma = if std::mem::take(first) { "" } else { "," };
        let out = self.lines.text(self.doc.bytes());
        out.extend_from_slice(comma.as_bytes());
        out.extend_from_slice(column.label.as_bytes());
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    }

    /// Writes the members of an object, with `depth` containers open around each. Of equal keys the first counts.
    fn members(
        &mut self,
        properties: &'a Properties,
        object: json::Value,
        depth: u32,
        first: &mut bool,
    ) {
        let mut seen = Seen::default();
        for Member {
            property,
            label,
            value,
        } in properties.members(self.doc, object)
        {
            let (i, property) = match property {
                Ok(known) => known,
                Err(key) => {
                    self.unknown(properties, key, value, depth, first);
                    continue;
                }
            };
            if !seen.first(i) {
                continue;
            }
            if depth == 1 {
                self.column = Some(property);
            }
            if let Some(schema) = &property.schema {
                let from = self.label(property, label, value, first);
                self.value(schema, from, value, depth);
            }
            if let Some(slot) = property.slot {
                self.slots[slot] = Some(value);
            }
        }
    }

    /// Writes the label of a value, and the comma before it, unless they stand before the value in the body. Returns
    /// where the stretch of the body begins that the value is the end of.
    #[inline]
    fn label(
        &mut self,
        property: &Property,
        at: Option<usize>,
        value: json::Value,
        first: &mut bool,
    ) -> usize {
        let comma = !std::mem::take(first);
        let Some(at) = at else {
            let out = self.lines.text(self.doc.bytes());
            if comma {
                out.push(b',');
            }
            out.extend_from_slice(property.label.as_bytes());
            return value.start();
        };
        if comma { self.comma(at) } else { at }
    }

    /// Writes a comma, unless it stands before `at` in the body. Returns where the stretch of the body begins.
    #[inline]
    fn comma(&mut self, at: usize) -> usize {
        let body = self.doc.bytes();
        if body[at - 1] == b',' {
            return at - 1;
        }
        self.lines.text(body).push(b',');
        at
    }

    /// Writes a value, with `depth` containers open around it. What stands before it in the body, since `from`, is
    /// written too.
    #[inline]
    fn value(&mut self, schema: &'a Schema, from: usize, value: json::Value, depth: u32) {
        if self.clean && schema.admits_whole(Types::of_byte(self.doc.byte(value))) {
            self.lines.stretch(self.doc.bytes(), from, value.end());
        } else {
            self.checked_value(schema, from, value, depth);
        }
    }

    /// As [`Self::value`], for one that may not fit: its text and what is inside of it are looked at.
    fn checked_value(&mut self, schema: &'a Schema, from: usize, value: json::Value, depth: u32) {
        let body = self.doc.bytes();
        match (&schema.shape, self.doc.byte(value)) {
            (Shape::Object(properties), b'{') if depth < json::MAX_DEPTH => {
                self.lines.stretch(body, from, value.start() + 1);
                self.members(properties, value, depth + 1, &mut true);
                self.lines.stretch(body, value.end() - 1, value.end());
            }
            (Shape::Items(items), b'[') if depth < json::MAX_DEPTH => {
                self.lines.stretch(body, from, value.start() + 1);
                let mut first = true;
                for item in self.doc.elements(value) {
                    let from = if std::mem::take(&mut first) {
                        item.start()
                    } else {
                        self.comma(item.start())
                    };
                    self.value(items, from, item, depth + 1);
                }
                self.lines.stretch(body, value.end() - 1, value.end());
            }
            _ if !schema.fits(self.doc, value) => {
                self.lines.stretch(body, from, value.start());
                self.converted(schema, value, depth);
            }
            _ if self.clean => self.lines.stretch(body, from, value.end()),
            _ => {
                self.lines.stretch(body, from, value.start());
                let repairs = self.copy(value, depth);
                if repairs.any() {
                    let repaired = repairs.characters + repairs.numbers + repairs.depth;
                    self.note(|notes| &mut notes.repaired, u64::from(repaired));
                }
            }
        }
    }

    /// Writes a value whatever it is, repaired where that is needed.
    fn copy(&mut self, value: json::Value, depth: u32) -> Repairs {
        let mut repairs = Repairs::default();
        if self.doc.is_clean(value, depth) {
            self.lines
                .stretch(self.doc.bytes(), value.start(), value.end());
        } else {
            let out = self.lines.text(self.doc.bytes());
            self.doc.copy(value, depth, out, &mut repairs);
        }
        repairs
    }

    /// Writes what stands for a value that does not fit.
    #[cold]
    fn converted(&mut self, schema: &'a Schema, value: json::Value, depth: u32) {
        let body = self.doc.bytes();
        match convert(schema, self.doc, value, depth) {
            Conversion::Null => {
                self.lines.text(body).extend_from_slice(b"null");
                return self.note(|notes| &mut notes.nulled, 1);
            }
            Conversion::Json(json) => self.lines.text(body).extend_from_slice(json.as_bytes()),
            Conversion::InObject => {
                self.lines.text(body).extend_from_slice(br#"{"value":"#);
                self.copy(value, depth + 1);
                self.lines.text(body).push(b'}');
            }
            Conversion::InList => {
                self.lines.text(body).push(b'[');
                if let Shape::Items(items) = &schema.shape {
                    // It stands deeper than in the row, so what is known of the row does not hold.
                    let clean = std::mem::take(&mut self.clean);
                    self.value(items, value.start(), value, depth + 1);
                    self.clean = clean;
                } else {
                    self.copy(value, depth + 1);
                }
                self.lines.text(body).push(b']');
            }
        }
        self.note(|notes| &mut notes.converted, 1);
    }

    fn note(&mut self, kind: impl Fn(&mut Notes) -> &mut BTreeMap<String, u64>, times: u64) {
        let column = self.column.map_or("", Property::name);
        *kind(self.notes).entry(column.to_owned()).or_default() += times;
    }

    /// Counts or keeps a member that the schema lacks.
    #[cold]
    fn unknown(
        &mut self,
        properties: &Properties,
        key: &[u8],
        value: json::Value,
        depth: u32,
        first: &mut bool,
    ) {
        let Some(kept) = self.kept.as_mut().filter(|_| depth == 1) else {
            let name = String::from_utf8_lossy(key);
            return count(&mut self.notes.unknown, &properties.path, &name);
        };
        let out = self.lines.text(self.doc.bytes());
        let before = out.len();
        if !*first {
            out.push(b',');
        }
        let quote = out.len();
        out.push(b'"');
        self.doc.copy_key(value, key, out);
        out.push(b'"');
        // As it is read: an escape or a repair may make it equal to another.
        if serde_json::from_slice(&out[quote..]).is_ok_and(|name: String| !kept.insert(name)) {
            return out.truncate(before);
        }
        out.push(b':');
        *first = false;
        self.copy(value, 1);
    }
}

/// The properties that an object had so far.
#[derive(Default)]
struct Seen {
    /// Those of the first 64, a bit each.
    most: u64,
    /// Those of later ones, by 64.
    rest: Vec<u64>,
}

impl Seen {
    /// Whether the property is seen for the first time.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::lines::Batch;
    use crate::record::projection::Projection;
    use crate::record::testing::{all, record, schema, write_row, written_as};
    use crate::streams::find;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::{Value, json};
    use tap_sentry_api::request::INDEXED_DEPTH;
    use tokio::time::Instant;

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
            written_as(&schema(kind), value),
            (value.to_owned(), Notes::default())
        );
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
        let (written, notes) = written_as(&schema(kind), value);
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
        let (written, _) = written_as(&schema("number"), "123456789012345678901234567890");
        assert_eq!(written, "null", "text would not fit the schema");
    }

    #[test]
    fn too_deep_a_value_is_null_there() {
        let depth = json::MAX_DEPTH as usize + 20;
        let (written, notes) = written_as(
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
        let (result, batch) = write_row(
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
        let (result, batch) = write_row(
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
        let mut batch = Batch::new(def, Instant::now());
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

    #[test]
    fn unknown_fields_are_left_out_and_noted_by_name() {
        let properties = json!({"id": {"type": "string"}, "o": {"type": ["object", "null"], "properties": {}}, "p": {"type": ["object", "null"], "properties": {"a": {"type": "integer"}}}});
        let (_, batch) = write_row(
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
    fn what_is_deselected_is_left_out_at_every_depth_and_not_unknown() {
        let properties = json!({"id": {"type": "string"}, "a": {"type": "integer"}, "o": {"type": "object", "properties": {"x": {"type": "integer"}, "p": {"type": "object", "properties": {"y": {"type": "integer"}, "z": {"type": "integer"}}}}}});
        let selected =
            |path: &[&str]| path != ["a"] && path != ["o", "x"] && path != ["o", "p", "y"];
        let (_, batch) = write_row(
            "teams",
            &properties,
            r#"{"id":"1","a":1,"o":{"x":1,"p":{"y":1,"z":2}}}"#,
            &selected,
        );
        assert_eq!(record(&batch), json!({"id": "1", "o": {"p": {"z": 2}}}));
        assert_eq!(batch.notes, Notes::default());
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
                let mut batch = Batch::new(def, Instant::now());
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
}
