//! What is added to log records because Sentry's intake would not find it out, and what is written otherwise because it would
//! lose it (Relay 26.9): a record without a body vanishes behind the 200, severities become six levels, and of values with
//! others in them parts are dropped.

use crate::attributes::Attributes;
use crate::conventions::environment::environment_of;
use crate::conventions::left_out::LeftOut;
use crate::conventions::release::release_of;
use crate::logs::level::{level, number};
use crate::logs::value::{keepable, text};
use crate::terms::Terms;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;

/// Names of the added attributes.
const RELEASE: &str = "sentry.release";
const ENVIRONMENT: &str = "sentry.environment";
const SEVERITY_NUMBER: &str = "sentry.severity_number";
const SEVERITY_TEXT: &str = "sentry.severity_text";
/// When the record was observed, nanoseconds since 1970 as text.
pub const OBSERVED: &str = "otlp.observed_time_unix_nano";
/// How many attributes the client has dropped.
pub const DROPPED: &str = "otlp.dropped_attributes_count";

/// A record that was observed later than that says so.
const LATE_NANOS: u64 = 1_000_000_000;

/// Completes a record that was checked. What is left out is handed to `tell`.
pub fn complete(
    log: &mut LogRecord,
    resource: Attributes<'_>,
    terms: &Terms,
    mut tell: impl FnMut(LeftOut),
) {
    let mut added = Vec::new();
    let own = Attributes(&log.attributes);
    for (key, value) in [
        (RELEASE, release_of(own, resource, terms)),
        (ENVIRONMENT, environment_of(own, resource, terms)),
    ] {
        match value {
            Ok(Some(value)) => added.push((key, Value::StringValue(value.to_owned()))),
            Ok(None) => {}
            Err(left_out) => tell(left_out),
        }
    }
    added.extend(severity(log));
    if log
        .observed_time_unix_nano
        .saturating_sub(log.time_unix_nano)
        >= LATE_NANOS
    {
        let observed = log.observed_time_unix_nano.to_string();
        added.push((OBSERVED, Value::StringValue(observed)));
    }
    if log.dropped_attributes_count > 0 {
        let count = i64::from(log.dropped_attributes_count);
        added.push((DROPPED, Value::IntValue(count)));
    }
    put(&mut log.attributes, added);
    let body = log.body.take().and_then(|body| body.value).map(text);
    // An event has a name where other logs have a text.
    let body = body.unwrap_or_else(|| log.event_name.clone());
    log.body = Some(AnyValue {
        value: Some(Value::StringValue(body)),
    });
}

/// Writes attributes so that nothing is lost of them, and adds others.
fn put(attributes: &mut Vec<KeyValue>, added: Vec<(&str, Value)>) {
    // The setting wins, and of two of a name Sentry takes the last.
    attributes.retain(|pair| added.iter().all(|(key, _)| pair.key != *key));
    for value in attributes.iter_mut().filter_map(|pair| pair.value.as_mut()) {
        value.value = value.value.take().map(keepable);
    }
    attributes.extend(added.into_iter().map(|(key, value)| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }));
}

/// What Sentry's level does not say; a number for a text that Relay does not know.
fn severity(log: &mut LogRecord) -> Vec<(&'static str, Value)> {
    let mut added = Vec::new();
    let text = log.severity_text.trim();
    if !(1..=24).contains(&log.severity_number)
        && let Some(number) = number(text)
    {
        log.severity_number = number;
    } else if log.severity_number != 0 {
        let number = i64::from(log.severity_number);
        added.push((SEVERITY_NUMBER, Value::IntValue(number)));
    }
    let level = level(log.severity_number, text);
    if !text.is_empty() && !text.eq_ignore_ascii_case(level) {
        added.push((SEVERITY_TEXT, Value::StringValue(text.to_owned())));
    }
    added
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::attributes;
    use rstest::rstest;

    fn completed(mut log: LogRecord, resource: &[(&str, &str)], terms: &Terms) -> LogRecord {
        let resource = attributes(resource);
        complete(&mut log, Attributes(&resource), terms, |left_out| {
            panic!("{left_out}");
        });
        log
    }

    fn body(value: Option<Value>, event_name: &str) -> LogRecord {
        LogRecord {
            body: value.map(|value| AnyValue { value: Some(value) }),
            event_name: event_name.to_owned(),
            ..LogRecord::default()
        }
    }

    #[rstest]
    #[case::text(body(Some(Value::StringValue("sold".to_owned())), "e"), "sold")]
    #[case::number(body(Some(Value::IntValue(3)), "e"), "3")]
    #[case::event(body(None, "shop.sold"), "shop.sold")]
    #[case::nothing(body(None, ""), "")]
    fn every_record_has_a_text(#[case] log: LogRecord, #[case] expected: &str) {
        let log = completed(log, &[], &Terms::default());
        let body = log.body.and_then(|body| body.value);
        assert_eq!(body, Some(Value::StringValue(expected.to_owned())));
    }

    #[rstest]
    #[case::nothing(0, "", 0, &[])]
    #[case::plain(9, "INFO", 9, &[(SEVERITY_NUMBER, Value::IntValue(9))])]
    #[case::between(
        10, "INFO2", 10,
        &[(SEVERITY_NUMBER, Value::IntValue(10)), (SEVERITY_TEXT, Value::StringValue("INFO2".to_owned()))]
    )]
    #[case::text(0, "critical", 21, &[(SEVERITY_TEXT, Value::StringValue("critical".to_owned()))])]
    #[case::beyond(99, "loud", 99, &[(SEVERITY_NUMBER, Value::IntValue(99)), (SEVERITY_TEXT, Value::StringValue("loud".to_owned()))])]
    fn what_a_level_does_not_say_is_added(
        #[case] given: i32,
        #[case] text: &str,
        #[case] number: i32,
        #[case] expected: &[(&str, Value)],
    ) {
        let log = LogRecord {
            severity_number: given,
            severity_text: text.to_owned(),
            ..LogRecord::default()
        };
        let log = completed(log, &[], &Terms::default());
        assert_eq!(log.severity_number, number);
        let found: Vec<_> = Attributes(&log.attributes).iter().collect();
        let expected: Vec<_> = expected.iter().map(|(key, value)| (*key, value)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn settings_and_resource_say_release_and_environment() {
        let terms = Terms {
            environment: Some("ours".to_owned()),
            ..Terms::default()
        };
        let log = LogRecord {
            attributes: attributes(&[("sentry.environment", "theirs"), ("a", "b")]),
            ..LogRecord::default()
        };
        let log = completed(log, &[("service.version", "1.2")], &terms);
        let found: Vec<_> = log
            .attributes
            .iter()
            .map(|pair| pair.key.as_str())
            .collect();
        assert_eq!(found, ["a", RELEASE, ENVIRONMENT]);
        let own = Attributes(&log.attributes);
        assert_eq!(own.text(&[ENVIRONMENT]), Some("ours"));
        assert_eq!(own.text(&[RELEASE]), Some("1.2"));
    }

    #[rstest]
    #[case::at_once(1_000, None)]
    #[case::late(1_000_000_001, Some("1000000001"))]
    fn a_record_that_was_observed_late_says_so(
        #[case] observed: u64,
        #[case] expected: Option<&str>,
    ) {
        let log = LogRecord {
            time_unix_nano: 1,
            observed_time_unix_nano: observed,
            dropped_attributes_count: 2,
            ..LogRecord::default()
        };
        let log = completed(log, &[], &Terms::default());
        let own = Attributes(&log.attributes);
        assert_eq!(own.text(&[OBSERVED]), expected);
        assert_eq!(own.integer(&[DROPPED]), Some(2));
    }
}
