//! What is written instead of a value that is not of its declared type.
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

use crate::record::instant::instant;
use crate::record::schema::{Schema, Shape, Types};
use serde_json::Value;
use tap_sentry_json::{self as json, Document, Repairs};

/// What is written instead of a value.
#[derive(Debug, PartialEq, Eq)]
pub enum Conversion {
    /// This JSON.
    Json(String),
    /// An object of one member, which is the value.
    InObject,
    /// A list of one element, which is the value.
    InList,
    /// `null`: nothing of the declared types can express it.
    Null,
}

/// Looks a value up in the table above; it does not fit the schema. `depth` containers are open around it.
pub fn convert(schema: &Schema, doc: &Document<'_>, value: json::Value, depth: u32) -> Conversion {
    if doc.byte(value) == b'n' {
        return Conversion::Null;
    }
    let types = schema.types;
    let text = || doc.scalar_text(value);
    let json = if matches!(schema.shape, Shape::DateTime) {
        text()
            .and_then(|text| instant(&text))
            .map(|text| Value::from(text).to_string())
    } else if types.has(Types::STRING) {
        let mut copied = Vec::new();
        doc.copy(value, depth, &mut copied, &mut Repairs::default());
        // A number beyond 64 bits is quoted by the copy already.
        String::from_utf8(copied)
            .ok()
            .map(|text| Value::from(text.trim_matches('"')).to_string())
    } else if types.has(Types::NUMBER) {
        text()
            .map(|text| text.trim().to_owned())
            .filter(|text| json::is_number(text.as_bytes()) && json::number_fits(text.as_bytes()))
    } else if types.has(Types::INTEGER) {
        text()
            .and_then(|text| integer(text.trim()))
            .map(|n| n.to_string())
    } else if types.has(Types::BOOLEAN) {
        match text().as_deref().map(str::trim) {
            Some("true" | "True" | "1") => Some("true".to_owned()),
            Some("false" | "False" | "0") => Some("false".to_owned()),
            _ => None,
        }
    } else if types.has(Types::OBJECT)
        && doc.byte(value) == b'['
        && doc.elements(value).next().is_none()
    {
        Some("{}".to_owned())
    } else if types.has(Types::OBJECT)
        && !matches!(schema.shape, Shape::Object(_))
        && depth < json::MAX_DEPTH
    {
        return Conversion::InObject;
    } else if types.has(Types::ARRAY) && depth < json::MAX_DEPTH {
        return Conversion::InList;
    } else {
        None
    };
    json.map_or(Conversion::Null, Conversion::Json)
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

#[cfg(test)]
mod tests {
    use crate::record::testing::{schema, written_as};
    use rstest::rstest;
    use serde_json::json;
    use std::collections::BTreeMap;

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
        let (written, notes) = written_as(&schema(kind), value);
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
        let (written, notes) = written_as(&schema(kind), value);
        assert_eq!(written, "null");
        assert_eq!(notes.nulled, BTreeMap::from([("v".to_owned(), 1)]));
    }

    #[test]
    fn null_where_it_is_not_declared_is_noted() {
        let (written, notes) = written_as(&json!({"type": "string"}), "null");
        assert_eq!((written.as_str(), notes.nulled.len()), ("null", 1));
    }
}
