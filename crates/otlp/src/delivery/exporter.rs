//! One exporter of the configuration: what it takes of a request, and what becomes of it.

use crate::attributes::Attributes;
use crate::check::{self, Mended};
use crate::delivery::additions::add;
use crate::delivery::budget::Slot;
use crate::delivery::mode::Mode;
use crate::delivery::payload::{Kind, Payload};
use crate::delivery::project::{Project, Shared};
use crate::delivery::route::Route;
use crate::delivery::spans::Writer;
use crate::privacy::{Cleaner, Privacy};
use crate::receive::answer::Rejected;
use crate::receive::request::{Outline, Request};
use crate::receive::take::{SpanError, Take};
use crate::rejection::Reason;
use crate::sample::is_kept;
use crate::seen::Seen;
use chrono::{DateTime, Utc};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use std::sync::Arc;
use tokio::time::Instant;

/// An exporter, shared by all receivers that feed it.
pub struct Exporter {
    pub privacy: Privacy,
    pub route: Route,
    pub shared: Arc<Shared>,
}

impl Exporter {
    /// A place in the queue for a request; none: it has to be sent again later.
    pub fn reserve(&self, outline: Outline) -> Option<Arc<Slot>> {
        self.shared.budget.reserve(outline)
    }

    /// Takes what is in a request, and tells what is not taken.
    pub fn take(&self, request: &Request, slot: &Arc<Slot>) -> Rejected {
        let mut taking = Taking {
            exporter: self,
            cleaner: Cleaner::new(&self.privacy),
            slot,
            rejected: Rejected::default(),
            now: Utc::now(),
            since: Instant::now(),
            oldest: 0,
            project: None,
            mode: None,
            resource: Resource::default(),
            scope: None,
            writer: Writer::default(),
            mended: Vec::new(),
        };
        request.visit(&mut taking);
        taking.end_resource();
        for what in taking.mended {
            self.shared.figures.mended(what, 1);
        }
        taking.rejected
    }
}

impl Exporter {
    /// Sends everything that waits for more of its kind.
    pub fn flush(&self) {
        for project in self.route.projects() {
            project.flush();
        }
    }

    /// Spans and events that have not come to an end.
    pub fn pending(&self) -> u64 {
        // Nothing is between two places meanwhile.
        let _moving = self.shared.moving.lock();
        let projects = self.route.projects();
        projects.iter().map(|project| project.pending()).sum()
    }
}

/// A request that is being taken.
struct Taking<'a> {
    exporter: &'a Exporter,
    cleaner: Cleaner<'a>,
    slot: &'a Arc<Slot>,
    rejected: Rejected,
    now: DateTime<Utc>,
    since: Instant,
    /// Spans that started before are too old.
    oldest: u64,
    /// That of the resource; none: there is none for it.
    project: Option<Arc<Project>>,
    /// How that project takes spans, if it is known yet.
    mode: Option<Mode>,
    resource: Resource,
    scope: Option<InstrumentationScope>,
    writer: Writer,
    mended: Vec<Mended>,
}

impl Taking<'_> {
    /// Hands over what has been written for a project.
    fn end_resource(&mut self) {
        let (body, spans) = self.writer.finish();
        let Some(project) = self.project.take() else {
            return;
        };
        if spans > 0 {
            project.push(Payload {
                kind: Kind::Traces,
                event_id: String::new(),
                body,
                spans,
                since: self.since,
                alone: false,
                sampled: None,
                slots: vec![Arc::clone(self.slot)],
            });
        }
    }

    fn reject(&mut self, reason: Reason, what: impl FnOnce() -> String) {
        self.exporter.shared.figures.rejected(reason, 1);
        self.rejected.add(reason, what);
    }
}

impl Take for Taking<'_> {
    fn resource(&mut self, mut resource: Resource, schema_url: String) {
        self.end_resource();
        self.cleaner.clean(&mut resource.attributes);
        self.project = self
            .exporter
            .route
            .project(Attributes(&resource.attributes));
        let mode = self.project.as_ref().and_then(|project| project.mode());
        self.oldest = mode.unwrap_or(Mode::Otlp).oldest_start(self.now);
        self.mode = mode;
        self.writer.resource(resource.clone(), schema_url);
        self.resource = resource;
    }

    fn scope(&mut self, mut scope: Option<InstrumentationScope>, schema_url: String) {
        if let Some(scope) = &mut scope {
            self.cleaner.clean(&mut scope.attributes);
        }
        self.writer.scope(scope.clone(), schema_url);
        self.scope = scope;
    }

    fn span(&mut self, span: Result<Span, SpanError>) {
        let mut span = match span {
            Ok(span) => span,
            Err(error) => {
                let reason = match error {
                    SpanError::Malformed(_) => Reason::Malformed,
                    SpanError::TooLarge => Reason::TooLarge,
                };
                return self.reject(reason, || error.to_string());
            }
        };
        let now = self.now.timestamp_nanos_opt().unwrap_or_default();
        let now = u64::try_from(now).unwrap_or_default();
        let mended = &mut self.mended;
        let fit = check::check(&mut span, now, self.oldest, |what| mended.push(what));
        if let Err(unfit) = fit {
            return self.reject(unfit.reason, || unfit.what);
        }
        if self.project.is_none() {
            return self.reject(Reason::NoProject, || {
                "no project: set `routing.default_project`".to_owned()
            });
        }
        self.cleaner.clean_span(&mut span);
        let (shared, Some(project)) = (&self.exporter.shared, &self.project) else {
            return;
        };
        let seen = Seen {
            resource: Attributes(&self.resource.attributes),
            scope: self.scope.as_ref(),
            span: &span,
        };
        // Errors are not sampled.
        project.report(&seen);
        if !is_kept(&span.trace_id, shared.terms.sample_rate) {
            // Asked for, and no failure of the client's: it is counted, and not told.
            return shared.figures.rejected(Reason::Sampled, 1);
        }
        if self.mode == Some(Mode::Transactions) {
            return project.group(&seen);
        }
        let (resource, scope) = (&self.resource, self.scope.as_ref());
        add(&mut span, resource, scope, &shared.terms, |left_out| {
            shared.left_out(left_out);
        });
        self.writer.span(&span);
    }
}
