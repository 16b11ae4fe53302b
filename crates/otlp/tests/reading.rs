//! Whatever comes as a request: nothing panics, and each record is handed over once, as itself or as what was wrong with it.

use bytes::Bytes;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sentry_otlp::receive::lenient;
use sentry_otlp::receive::request::Request;
use sentry_otlp::receive::take::{RecordError, Take};
use sentry_otlp::signal::Signal;
use serde_json::{Value, json};

/// What was handed over, in its order.
#[derive(Debug, Default)]
struct Taken {
    resources: usize,
    scopes: usize,
    spans: Vec<Result<Span, RecordError>>,
    logs: Vec<Result<LogRecord, RecordError>>,
}

impl Take for Taken {
    fn resource(&mut self, _: Resource, _: String) {
        self.resources += 1;
    }

    fn scope(&mut self, _: Option<InstrumentationScope>, _: String) {
        assert!(self.resources > 0, "a scope is of a resource");
        self.scopes += 1;
    }

    fn span(&mut self, span: Result<Span, RecordError>, _: Option<&[u8]>) {
        assert!(self.scopes > 0, "a span is of a scope");
        self.spans.push(span);
    }

    fn log(&mut self, log: Result<LogRecord, RecordError>) {
        assert!(self.scopes > 0, "a log record is of a scope");
        self.logs.push(log);
    }
}

const SIGNALS: [Signal; 2] = [Signal::Traces, Signal::Logs];

/// What is in a request, if it can be read; as many records as were counted.
fn taken(signal: Signal, body: &[u8], is_json: bool) -> Option<Taken> {
    let body = Bytes::copy_from_slice(body);
    let read = if is_json {
        Request::json(signal, body)
    } else {
        Request::protobuf(signal, body)
    };
    let (request, outline) = read.ok()?;
    let mut taken = Taken::default();
    request.visit(&mut taken);
    assert_eq!(taken.spans.len() + taken.logs.len(), outline.spans);
    Some(taken)
}

/// Names that mean something, and some that do not.
const NAMES: &[&str] = &[
    "resourceSpans",
    "resource_logs",
    "resourceLogs",
    "resource",
    "scopeSpans",
    "scope_logs",
    "scopeLogs",
    "scope",
    "spans",
    "logRecords",
    "schemaUrl",
    "attributes",
    "key",
    "value",
    "stringValue",
    "intValue",
    "doubleValue",
    "boolValue",
    "arrayValue",
    "kvlistValue",
    "bytesValue",
    "values",
    "traceId",
    "span_id",
    "kind",
    "status",
    "code",
    "events",
    "links",
    "startTimeUnixNano",
    "severityNumber",
    "body",
    "flags",
    "droppedAttributesCount",
    "other",
    "",
];

/// Texts that mean something somewhere, and some that do not.
const TEXTS: &[&str] = &[
    "",
    "a",
    "NaN",
    "-Infinity",
    "1",
    "-1",
    "1.5",
    "18446744073709551616",
    "SPAN_KIND_SERVER",
    "STATUS_CODE_ERROR",
    "0a",
    "0g",
    "AAE=",
    "\u{0}",
    "ä",
    "1e400",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        select(TEXTS).prop_map(Value::from),
    ];
    leaf.prop_recursive(7, 60, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((select(NAMES), inner), 0..5).prop_map(|pairs| {
                let pairs = pairs
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value));
                Value::Object(pairs.collect())
            }),
        ]
    })
}

/// A span that can be read, as one of several exporters writes it, and its number.
fn good() -> impl Strategy<Value = Result<(u64, Value), Value>> {
    (any::<u64>(), 0..4).prop_map(|(number, form)| {
        let id = format!("{number:016x}");
        Ok((number, match form {
            0 => json!({"spanId": id, "startTimeUnixNano": number.to_string()}),
            1 => json!({"span_id": id.to_uppercase(), "start_time_unix_nano": number, "events": null}),
            2 => json!({"spanId": id, "startTimeUnixNano": number, "kind": "SPAN_KIND_SERVER", "status": {}, "more": [[]]}),
            _ => json!({"spanId": id, "startTimeUnixNano": number, "attributes": [
                {"key": "nan", "value": {"doubleValue": "NaN"}}, {"key": "null", "value": {"doubleValue": null}},
            ]}),
        }))
    })
}

/// A span that cannot.
fn bad() -> impl Strategy<Value = Result<(u64, Value), Value>> {
    let bad = [
        json!(null),
        json!(7),
        json!("span"),
        json!([]),
        json!({"spanId": "xyz"}),
        json!({"spanId": 5}),
        json!({"startTimeUnixNano": "noon"}),
        json!({"startTimeUnixNano": -1}),
        json!({"kind": "SERVER"}),
        json!({"attributes": {}}),
        json!({"attributes": [null]}),
        json!({"attributes": [{"key": "a", "value": 7}]}),
        json!({"attributes": [{"key": "a", "value": {"boolValue": "true"}}]}),
        json!({"events": [7]}),
        json!({"status": {"code": "BAD"}}),
        json!({"links": [{"traceId": "0"}]}),
    ];
    select(bad.to_vec()).prop_map(Err)
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body in vec(any::<u8>(), 0..200)) {
        for signal in SIGNALS {
            taken(signal, &body, false);
            taken(signal, &body, true);
        }
    }

    /// Lengths and tags that fit, in all depths.
    #[test]
    fn any_fields_are_read_or_refused(
        tree in vec((1_u8..16, vec((1_u8..16, vec((1_u8..16, vec(any::<u8>(), 0..12)), 0..4)), 0..4)), 0..4),
    ) {
        let field = |number: u8, bytes: &[u8]| {
            let mut field = Vec::new();
            prost::encoding::bytes::encode(number.into(), &bytes.to_vec(), &mut field);
            field
        };
        let inner = |(number, leaves): &(u8, Vec<(u8, Vec<u8>)>)| {
            let bytes = leaves.iter().flat_map(|(number, leaf)| field(*number, leaf));
            field(*number, &bytes.collect::<Vec<_>>())
        };
        let outer = tree.iter().flat_map(|(number, below)| {
            field(*number, &below.iter().flat_map(inner).collect::<Vec<_>>())
        });
        let body: Vec<u8> = outer.collect();
        for signal in SIGNALS {
            taken(signal, &body, false);
            taken(signal, &field(1, &field(2, &body)), false);
        }
    }

    #[test]
    fn any_json_is_read_or_refused(value in any_json()) {
        let around = |list: &str, inner: &str, records: &str| {
            json!({list: [{inner: [{records: [value]}]}]})
        };
        for body in [
            value.clone(),
            json!({"resourceSpans": value, "resourceLogs": value}),
            json!({"resourceSpans": [{"scopeSpans": value}], "resourceLogs": [{"scopeLogs": value}]}),
            around("resourceSpans", "scopeSpans", "spans"),
            around("resourceLogs", "scopeLogs", "logRecords"),
        ] {
            for signal in SIGNALS {
                taken(signal, body.to_string().as_bytes(), true);
            }
        }
        let _ = (lenient::span(&value), lenient::log(&value), lenient::resource(&value), lenient::scope(&value));
    }

    #[test]
    fn good_spans_survive_bad_ones(
        batches in vec(vec(prop_oneof![good(), bad()], 0..8), 0..4),
        schema_first in any::<bool>(),
    ) {
        let of_scope = |spans: &Vec<Result<(u64, Value), Value>>| {
            let spans: Vec<_> = spans.iter().map(|one| match one {
                Ok((_, span)) | Err(span) => span.clone(),
            }).collect();
            // The order of fields is of no matter.
            if schema_first { json!({"schemaUrl": "x", "scope": {}, "spans": spans}) } else { json!({"spans": spans, "scope": null}) }
        };
        let scopes: Vec<_> = batches.iter().map(of_scope).collect();
        let body = json!({"resourceSpans": [{"scopeSpans": scopes, "resource": {"attributes": []}}]});
        let taken = taken(Signal::Traces, body.to_string().as_bytes(), true).expect("a request");
        let expected: Vec<_> = batches.concat().into_iter().map(|one| one.ok().map(|(number, _)| number)).collect();
        let found: Vec<_> = taken.spans.iter().map(|one| one.as_ref().ok().map(|span| {
            assert_eq!(span.span_id, span.start_time_unix_nano.to_be_bytes());
            span.start_time_unix_nano
        })).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn numbers_are_the_same_in_each_form(number in any::<i64>(), count in any::<u32>(), kind in 0_i32..6) {
        let attribute = |value: Value| {
            let span = json!({"attributes": [{"key": "a", "value": {"intValue": value}}], "droppedEventsCount": count.to_string()});
            let span = lenient::span(&span).map_err(|error| error.0).expect("a span");
            assert_eq!(span.dropped_events_count, count);
            span.attributes[0].value.clone().and_then(|value| value.value)
        };
        prop_assert_eq!(attribute(json!(number)), Some(Any::IntValue(number)));
        prop_assert_eq!(attribute(json!(number.to_string())), Some(Any::IntValue(number)));
        prop_assert_eq!(attribute(json!(format!(" {number} "))), Some(Any::IntValue(number)));
        let name = SpanKind::try_from(kind).expect("a kind").as_str_name();
        for form in [json!(kind), json!(name), json!(kind.to_string())] {
            let span = lenient::span(&json!({"kind": form})).map_err(|error| error.0);
            prop_assert_eq!(span.expect("a span").kind, kind);
        }
    }

    #[test]
    fn doubles_are_the_same_in_each_form(number in any::<f64>()) {
        for form in [json!(number), json!(number.to_string())] {
            let log = lenient::log(&json!({"body": {"doubleValue": form}}));
            let body = log.map_err(|error| error.0).expect("a log").body;
            let found = body.and_then(|body| body.value);
            // JSON has no number for those that are none.
            if form.is_null() {
                prop_assert_eq!(found, None);
            } else {
                let same = matches!(found, Some(Any::DoubleValue(found)) if found.to_bits() == number.to_bits() || found.is_nan() && number.is_nan());
                prop_assert!(same, "{:?} {}", found, number);
            }
        }
    }
}
