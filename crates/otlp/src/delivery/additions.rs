//! What is added to spans that go on as OTLP, because Sentry's intake would not find it out (Relay 26.9): the release, the
//! environment that the settings name, ops of queues, the sample rate, a name for spans without one.

use crate::attributes::Attributes;
use crate::conventions::environment::environment;
use crate::conventions::left_out::LeftOut;
use crate::conventions::name::span_name;
use crate::conventions::op::op;
use crate::conventions::release::release;
use crate::seen::Seen;
use crate::terms::Terms;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

/// Names of the added attributes.
const RELEASE: &str = "sentry.release";
const ENVIRONMENT: &str = "sentry.environment";
const OP: &str = "sentry.op";
const SAMPLE_RATE: &str = "sentry.client_sample_rate";

/// Adds them to a span. What is left out is handed to `tell`.
pub fn add(
    span: &mut Span,
    resource: &Resource,
    scope: Option<&InstrumentationScope>,
    terms: &Terms,
    mut tell: impl FnMut(LeftOut),
) {
    let mut added = Vec::new();
    let mut name = None;
    let seen = Seen {
        resource: Attributes(&resource.attributes),
        scope,
        span,
    };
    let own = seen.attributes();
    for (key, value) in [
        (RELEASE, release(&seen, terms)),
        (ENVIRONMENT, environment(&seen, terms)),
    ] {
        match value {
            Ok(Some(value)) if own.text(&[key]) != Some(value) => {
                added.push((key, Value::StringValue(value.to_owned())));
            }
            Ok(_) => {}
            Err(left_out) => tell(left_out),
        }
    }
    let is_of_queue = matches!(span.kind(), SpanKind::Producer | SpanKind::Consumer);
    if span.name.trim().is_empty() || is_of_queue && own.get(OP).is_none() {
        let op = op(&seen);
        if span.name.trim().is_empty() {
            name = Some(span_name(&seen, &op).into_owned());
        }
        if is_of_queue {
            added.push((OP, Value::StringValue(op.into_owned())));
        }
    }
    if terms.sample_rate < 1.0 && own.get(SAMPLE_RATE).is_none() {
        added.push((SAMPLE_RATE, Value::DoubleValue(terms.sample_rate)));
    }
    if let Some(name) = name {
        span.name = name;
    }
    for (key, value) in added {
        // The setting wins, and of two of a name Sentry would take either.
        span.attributes.retain(|pair| pair.key != key);
        span.attributes.push(KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue { value: Some(value) }),
            ..KeyValue::default()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(key: &str, value: &str) -> KeyValue {
        KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue {
                value: Some(Value::StringValue(value.to_owned())),
            }),
            ..KeyValue::default()
        }
    }

    fn added(mut span: Span, resource: &[(&str, &str)], terms: &Terms) -> (Span, Vec<LeftOut>) {
        let resource = Resource {
            attributes: resource
                .iter()
                .map(|(key, value)| text(key, value))
                .collect(),
            ..Resource::default()
        };
        let mut left_out = Vec::new();
        add(&mut span, &resource, None, terms, |what| {
            left_out.push(what);
        });
        (span, left_out)
    }

    fn value<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
        Attributes(&span.attributes).text(&[key])
    }

    #[test]
    fn release_and_environment_come_from_resource_and_settings() {
        let terms = Terms {
            environment: Some("from-settings".to_owned()),
            sample_rate: 0.25,
            ..Terms::default()
        };
        let span = Span {
            name: "work".to_owned(),
            attributes: vec![text(ENVIRONMENT, "from-span")],
            ..Span::default()
        };
        let resource = [
            ("service.version", "1.2"),
            ("deployment.environment", "from-resource"),
        ];
        let (span, left_out) = added(span, &resource, &terms);
        assert_eq!(value(&span, RELEASE), Some("1.2"));
        assert_eq!(value(&span, ENVIRONMENT), Some("from-settings"));
        assert_eq!(span.attributes.len(), 3);
        let rate = Attributes(&span.attributes).get(SAMPLE_RATE);
        assert_eq!(rate, Some(&Value::DoubleValue(0.25)));
        assert_eq!(left_out, []);
    }

    #[test]
    fn what_sentry_would_not_keep_is_told() {
        let (span, left_out) = added(
            Span::default(),
            &[("service.version", "a/b")],
            &Terms::default(),
        );
        assert_eq!(value(&span, RELEASE), None);
        assert_eq!(left_out.len(), 1);
    }

    #[test]
    fn queues_get_an_op_and_nameless_spans_a_name() {
        let span = Span {
            kind: SpanKind::Producer.into(),
            ..Span::default()
        };
        let (span, _) = added(span, &[], &Terms::default());
        assert_eq!(value(&span, OP), Some("queue.publish"));
        assert!(!span.name.is_empty());
        let (span, _) = added(
            Span {
                name: "work".to_owned(),
                ..Span::default()
            },
            &[],
            &Terms::default(),
        );
        assert_eq!(span.attributes, []);
    }
}
