//! What is added to spans that go on as OTLP, because Sentry's intake would not find it out (Relay 26.9): the release, the
//! environment that the settings name, ops of queues, the sample rate, a name for spans without one.

use crate::conventions::environment::environment;
use crate::conventions::left_out::LeftOut;
use crate::conventions::name::span_name;
use crate::conventions::op::op;
use crate::conventions::release::release;
use crate::seen::Seen;
use crate::terms::Terms;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

/// Names of the added attributes.
const RELEASE: &str = "sentry.release";
const ENVIRONMENT: &str = "sentry.environment";
const OP: &str = "sentry.op";
const SAMPLE_RATE: &str = "sentry.client_sample_rate";

/// What is added to one span.
#[derive(Debug, Default)]
pub struct Additions {
    /// Where it has none.
    name: Option<String>,
    attributes: Vec<KeyValue>,
}

impl Additions {
    /// Those of a span. What is left out is handed to `tell`.
    pub fn of(seen: &Seen<'_>, terms: &Terms, mut tell: impl FnMut(LeftOut)) -> Self {
        let mut added = Self::default();
        let span = seen.span;
        let own = seen.attributes();
        for (key, value) in [
            (RELEASE, release(seen, terms)),
            (ENVIRONMENT, environment(seen, terms)),
        ] {
            match value {
                Ok(Some(value)) if own.text(&[key]) != Some(value) => {
                    added.attribute(key, Value::StringValue(value.to_owned()));
                }
                Ok(_) => {}
                Err(left_out) => tell(left_out),
            }
        }
        let is_nameless = span.name.trim().is_empty();
        let is_of_queue = matches!(span.kind(), SpanKind::Producer | SpanKind::Consumer);
        if is_nameless || is_of_queue && own.get(OP).is_none() {
            let op = op(seen);
            if is_nameless {
                added.name = Some(span_name(seen, &op).into_owned());
            }
            if is_of_queue {
                added.attribute(OP, Value::StringValue(op.into_owned()));
            }
        }
        if terms.sample_rate < 1.0 && own.get(SAMPLE_RATE).is_none() {
            added.attribute(SAMPLE_RATE, Value::DoubleValue(terms.sample_rate));
        }
        added
    }

    fn attribute(&mut self, key: &str, value: Value) {
        self.attributes.push(KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue { value: Some(value) }),
            ..KeyValue::default()
        });
    }

    /// Attributes that only have to stand behind those of a span; none: something of it has to be replaced.
    pub fn behind(&self, span: &Span) -> Option<&[KeyValue]> {
        let is_added = |own: &KeyValue| self.attributes.iter().any(|added| added.key == own.key);
        let only_follow = self.name.is_none() && !span.attributes.iter().any(is_added);
        only_follow.then_some(&self.attributes)
    }

    /// Adds them to a span.
    pub fn add_to(self, span: &mut Span) {
        if let Some(name) = self.name {
            span.name = name;
        }
        for added in self.attributes {
            // The setting wins, and of two of a name Sentry would take either.
            span.attributes.retain(|pair| pair.key != added.key);
            span.attributes.push(added);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::Attributes;

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
        let resource: Vec<_> = resource
            .iter()
            .map(|(key, value)| text(key, value))
            .collect();
        let seen = Seen {
            resource: Attributes(&resource),
            ..Seen::alone(&span)
        };
        let mut left_out = Vec::new();
        let added = Additions::of(&seen, terms, |what| left_out.push(what));
        let behind = added.behind(&span).map(|more| {
            let mut span = span.clone();
            span.attributes.extend_from_slice(more);
            span
        });
        added.add_to(&mut span);
        assert!(behind.is_none_or(|behind| behind == span));
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
