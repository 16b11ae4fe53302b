//! Spans that were written as OTLP and go out as parts of transactions after all.

use crate::attributes::Attributes;
use crate::delivery::mode::Mode;
use crate::receive::take::{RecordError, Take};
use crate::seen::Seen;
use chrono::Utc;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;

/// Hands spans to `group`, but for those that are too old for transactions.
pub struct Regroup<F> {
    group: F,
    resource: Resource,
    scope: Option<InstrumentationScope>,
    oldest: u64,
    /// How many were.
    pub too_old: u64,
    /// How many there are, those that are too old among them.
    pub seen: u64,
}

impl<F: FnMut(&Seen<'_>)> Regroup<F> {
    pub fn new(group: F) -> Self {
        Self {
            group,
            resource: Resource::default(),
            scope: None,
            oldest: Mode::Transactions.oldest_start(Utc::now()),
            too_old: 0,
            seen: 0,
        }
    }
}

impl<F: FnMut(&Seen<'_>)> Take for Regroup<F> {
    fn resource(&mut self, resource: Resource, _: String) {
        self.resource = resource;
    }

    fn scope(&mut self, scope: Option<InstrumentationScope>, _: String) {
        self.scope = scope;
    }

    fn span(&mut self, span: Result<Span, RecordError>, _: Option<&[u8]>) {
        let Ok(span) = span else {
            return;
        };
        self.seen += 1;
        if span.start_time_unix_nano < self.oldest {
            self.too_old += 1;
            return;
        }
        (self.group)(&Seen {
            resource: Attributes(&self.resource.attributes),
            scope: self.scope.as_ref(),
            span: &span,
        });
    }

    fn log(&mut self, _: Result<LogRecord, RecordError>) {
        // A request of traces has none.
    }
}
