//! How many values are in a record: what is small in bytes can be large in memory. An attribute of two bytes is one of sixty
//! when it is decoded, and much is done for each.

use crate::receive::fields::Fields;

/// A record or a resource may have so many attributes, events, links and values in lists. SDKs have 128 of each at most,
/// unless they are told otherwise.
pub const MOST: usize = 100_000;

/// What has fewer bytes cannot have too many, or too little comes of it.
const SMALL: usize = 64 << 10;

/// Deeper messages are refused when they are decoded.
const DEEPEST: usize = 100;

/// So many commas and brackets are no more than [`MOST`] attributes in JSON: each of these is three objects.
const MOST_MARKS: usize = 6 * MOST;

/// Messages that hold others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    Resource,
    Scope,
    Span,
    Log,
    Event,
    Link,
    Pair,
    Value,
    Values,
    Pairs,
}

impl Of {
    /// What a field of that number is, where it may come often or holds what may.
    const fn field(self, number: u32) -> Option<Self> {
        Some(match (self, number) {
            (Self::Resource | Self::Pairs, 1)
            | (Self::Scope | Self::Event, 3)
            | (Self::Link, 4)
            | (Self::Log, 6)
            | (Self::Span, 9) => Self::Pair,
            (Self::Span, 11) => Self::Event,
            (Self::Span, 13) => Self::Link,
            (Self::Log, 5) | (Self::Pair, 2) | (Self::Values, 1) => Self::Value,
            (Self::Value, 5) => Self::Values,
            (Self::Value, 6) => Self::Pairs,
            _ => return None,
        })
    }
}

/// Whether a message of protobuf holds more than [`MOST`].
pub fn is_crowded(message: &[u8], of: Of) -> bool {
    let mut left = MOST;
    message.len() > SMALL && !counted(message, of, &mut left, 0)
}

/// Whether there are no more than `left`, which is counted down.
fn counted(message: &[u8], of: Of, left: &mut usize, depth: usize) -> bool {
    if depth > DEEPEST {
        return true;
    }
    // What is broken ends it, and is found when it is decoded.
    for (number, inner) in Fields(message).flatten() {
        let Some(of) = of.field(number) else {
            continue;
        };
        let Some(less) = left.checked_sub(1) else {
            return false;
        };
        *left = less;
        if !counted(inner, of, left, depth + 1) {
            return false;
        }
    }
    true
}

/// The same of a text of JSON.
pub fn is_crowded_json(text: &str) -> bool {
    if text.len() <= SMALL {
        return false;
    }
    let (mut marks, mut in_text, mut is_escaped) = (0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b',' | b'{' | b'[' if !in_text => marks += 1,
            _ => {}
        }
    }
    marks > MOST_MARKS
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
    use opentelemetry_proto::tonic::logs::v1::LogRecord;
    use opentelemetry_proto::tonic::trace::v1::Span;
    use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
    use prost::Message;
    use rstest::rstest;

    fn bytes(message: &impl Message) -> Vec<u8> {
        message.encode_to_vec()
    }

    fn value(value: Any) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    fn list(values: usize) -> Any {
        let values = vec![AnyValue::default(); values];
        Any::ArrayValue(ArrayValue { values })
    }

    fn pair(key: &str, of: Any) -> KeyValue {
        let value = Some(value(of));
        let key = key.to_owned();
        KeyValue {
            key,
            value,
            ..KeyValue::default()
        }
    }

    fn of_attributes(attributes: Vec<KeyValue>) -> Span {
        Span {
            attributes,
            ..Span::default()
        }
    }

    #[rstest]
    #[case::attributes(of_attributes(vec![KeyValue::default(); MOST]), false)]
    #[case::one_more(of_attributes(vec![KeyValue::default(); MOST + 1]), true)]
    #[case::a_long_text(of_attributes(vec![pair("a", Any::StringValue("\n\0".repeat(MOST)))]), false)]
    #[case::a_list(of_attributes(vec![pair("a", list(MOST))]), true)]
    #[case::a_list_in_a_map(of_attributes(vec![pair("a", Any::KvlistValue(KeyValueList {
        values: vec![pair("b", list(MOST))],
    }))]), true)]
    #[case::events(Span { events: vec![Event::default(); MOST + 1], ..Span::default() }, true)]
    #[case::links(Span { links: vec![Link::default(); MOST + 1], ..Span::default() }, true)]
    #[case::of_an_event(Span { events: vec![Event {
        attributes: vec![KeyValue::default(); MOST], ..Event::default()
    }], ..Span::default() }, true)]
    fn spans_are_counted(#[case] span: Span, #[case] is: bool) {
        assert_eq!(is_crowded(&bytes(&span), Of::Span), is);
        let json = serde_json::to_string(&span).expect("JSON");
        // Where the JSON of that crate has fewer marks than that of exporters, it is taken.
        assert!(is || !is_crowded_json(&json));
    }

    #[test]
    fn bodies_of_logs_are_counted() {
        let log = LogRecord {
            body: Some(value(list(MOST))),
            ..LogRecord::default()
        };
        assert!(is_crowded(&bytes(&log), Of::Log));
    }

    #[test]
    fn marks_in_texts_do_not_count() {
        let text = format!(
            "[\"{}\\\"{}\"]",
            "{,".repeat(MOST_MARKS),
            "[".repeat(MOST_MARKS)
        );
        assert!(!is_crowded_json(&text));
        assert!(is_crowded_json(&format!("[{}]", "0,".repeat(MOST_MARKS))));
    }

    #[test]
    fn nesting_without_end_is_no_overflow() {
        let mut message = Vec::new();
        for _ in 0..5_000 {
            let mut outer = Vec::new();
            prost::encoding::bytes::encode(5, &message, &mut outer);
            message = Vec::new();
            prost::encoding::bytes::encode(1, &outer, &mut message);
        }
        let mut body = Vec::new();
        prost::encoding::bytes::encode(5, &message, &mut body);
        body.resize(body.len() + SMALL, 0);
        assert!(!is_crowded(&body, Of::Log));
    }
}
