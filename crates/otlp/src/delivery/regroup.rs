//! Spans that were written as OTLP and go out as parts of transactions after all.

use crate::attributes::Attributes;
use crate::delivery::mode::Mode;
use crate::delivery::project::Project;
use crate::receive::take::{SpanError, Take};
use crate::seen::Seen;
use chrono::Utc;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;

/// Hands spans to a project once more.
pub struct Regroup<'a> {
    project: &'a Project,
    resource: Resource,
    scope: Option<InstrumentationScope>,
    oldest: u64,
    too_old: u64,
}

impl<'a> Regroup<'a> {
    pub fn new(project: &'a Project) -> Self {
        Self {
            project,
            resource: Resource::default(),
            scope: None,
            oldest: Mode::Transactions.oldest_start(Utc::now()),
            too_old: 0,
        }
    }
}

impl Take for Regroup<'_> {
    fn resource(&mut self, resource: Resource, _: String) {
        self.resource = resource;
    }

    fn scope(&mut self, scope: Option<InstrumentationScope>, _: String) {
        self.scope = scope;
    }

    fn span(&mut self, span: Result<Span, SpanError>) {
        let Ok(span) = span else {
            return;
        };
        if span.start_time_unix_nano < self.oldest {
            self.too_old += 1;
            return;
        }
        self.project.group(&Seen {
            resource: Attributes(&self.resource.attributes),
            scope: self.scope.as_ref(),
            span: &span,
        });
    }
}

impl Drop for Regroup<'_> {
    fn drop(&mut self) {
        if self.too_old > 0 {
            self.project.too_old(self.too_old);
        }
    }
}
