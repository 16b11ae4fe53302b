//! A request that is being taken: made into what goes to Sentry.

use crate::attributes::Attributes;
use crate::delivery::additions::Additions;
use crate::delivery::checking::{Checked, Checking};
use crate::delivery::handed::{Handed, Parts};
use crate::delivery::mode::Mode;
use crate::delivery::payload::{Kind, TOGETHER};
use crate::delivery::project::Project;
use crate::delivery::reporting::Reported;
use crate::delivery::route::Route;
use crate::delivery::shared::Shared;
use crate::delivery::spans::Writer;
use crate::errors::event::OfResource;
use crate::errors::events_of;
use crate::errors::outer::Outer;
use crate::errors::same::Place;
use crate::logs::complete::complete;
use crate::privacy::Privacy;
use crate::receive::take::{LOG_LIMIT, RecordError, Take};
use crate::rejection::Reason;
use crate::sample::is_kept;
use crate::seen::Seen;
use crate::signal::Signal;
use crate::transactions::group::Arrived;
use crate::transactions::origin::Origin;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::cell::OnceCell;
use std::sync::Arc;
use tokio::time::Instant;

/// What was made of a request.
pub struct Taken {
    pub checked: Checked,
    pub handed: Handed,
}

/// A request, record by record.
pub struct Taking<'a> {
    shared: &'a Shared,
    checking: Checking<'a>,
    handed: Handed,
    /// Bytes that are reserved for the request.
    room: u64,
    /// Bytes of what has been made of it, but for what is being written.
    made: u64,
    /// The project for which the following has been made.
    project: Option<Arc<Project>>,
    /// What has been made for it so far.
    parts: Parts,
    /// What its spans recorded.
    outer: Outer,
    resource: Resource,
    /// Of the resource, once a span of it goes out as part of a transaction.
    origin: Option<Arc<Origin>>,
    /// Of the resource, once an error comes of it.
    of_resource: OnceCell<OfResource>,
    scope: Option<InstrumentationScope>,
    /// Bytes of resource and scope.
    around: usize,
    writer: Writer,
}

impl<'a> Taking<'a> {
    /// `room` bytes have been reserved for the request.
    pub fn new(
        route: &'a Route,
        shared: &'a Shared,
        privacy: &'a Privacy,
        signal: Signal,
        room: u64,
    ) -> Self {
        let expected = usize::try_from(room).unwrap_or(usize::MAX);
        Self {
            shared,
            checking: Checking::new(route, privacy, signal),
            handed: Handed::new(Kind::of(signal), Instant::now()),
            room,
            made: 0,
            project: None,
            parts: Parts::default(),
            outer: Outer::default(),
            resource: Resource::default(),
            origin: None,
            of_resource: OnceCell::new(),
            scope: None,
            around: 0,
            writer: Writer::expecting(expected),
        }
    }

    /// All of it.
    pub fn taken(mut self) -> Taken {
        self.end_project();
        Taken {
            checked: self.checking.found,
            handed: self.handed,
        }
    }

    /// What has been made for a project stands together.
    fn end_project(&mut self) {
        let (body, records) = self.writer.finish();
        if records > 0 {
            self.made += body.len() as u64;
            self.parts.records = Some((body, records));
        }
        let parts = std::mem::take(&mut self.parts);
        self.outer.clear();
        if let Some(project) = self.project.take() {
            self.handed.add(project, parts);
        }
    }

    /// Rejects a record of a request of which too much has come already.
    fn is_overgrown(&mut self) -> bool {
        let made = self.made + self.writer.bytes() as u64;
        let is = self.shared.budget.is_overgrown(self.room, made);
        if is {
            self.checking.reject(Reason::TooLarge, || {
                "what comes of its request is more than can wait: send fewer at once".to_owned()
            });
        }
        is
    }

    /// The exceptions of a span, which become errors; whether it has some.
    fn report(&mut self, seen: &Seen<'_>) -> bool {
        let place = Place::of(seen.span);
        let is_double = |kind: &str, message: &str| self.outer.is_one(place, kind, message);
        let found = events_of(seen, &self.of_resource, &self.shared.terms, is_double);
        self.handed.left_out.extend(found.left_out);
        let has_some = !found.recorded.is_empty() || found.doubles > 0;
        let (reported, broken) = Reported::of(place, seen.span, found.recorded);
        self.handed.broken += (broken + found.nameless) as u64;
        self.handed.too_many += found.too_many as u64;
        self.made += reported.size() as u64;
        self.parts.recorded.push(reported);
        has_some
    }
}

impl Take for Taking<'_> {
    fn resource(&mut self, mut resource: Resource, schema_url: String) {
        self.checking.resource(&mut resource);
        let project = &self.checking.project;
        let place = |project: &Option<Arc<Project>>| project.as_ref().map(Arc::as_ptr);
        // Hundreds of thousands of resources would be as many payloads.
        let most = self.writer.bytes() >= TOGETHER.bytes || self.writer.count() >= TOGETHER.items;
        if most || place(&self.project) != place(project) {
            let project = project.clone();
            self.end_project();
            self.project = project;
        }
        self.writer.resource(resource.clone(), schema_url);
        self.resource = resource;
        self.origin = None;
        self.of_resource = OnceCell::new();
    }

    fn scope(&mut self, mut scope: Option<InstrumentationScope>, schema_url: String) {
        self.checking.scope(&mut scope);
        self.writer.scope(scope.clone(), schema_url);
        let of_scope = scope.as_ref().map_or(0, Message::encoded_len);
        self.around = self.resource.encoded_len() + of_scope;
        self.scope = scope;
    }

    fn span(&mut self, span: Result<Span, RecordError>, came: Option<&[u8]>) {
        let Some((span, is_as_it_came)) = self.checking.span(span) else {
            return;
        };
        if self.is_overgrown() {
            return;
        }
        let came = came.filter(|_| is_as_it_came);
        let (resource, scope) = (std::mem::take(&mut self.resource), self.scope.take());
        self.sound(&resource, scope.as_ref(), span, came);
        (self.resource, self.scope) = (resource, scope);
    }

    fn log(&mut self, log: Result<LogRecord, RecordError>) {
        let Some(mut log) = self.checking.log(log) else {
            return;
        };
        if self.is_overgrown() {
            return;
        }
        let resource = Attributes(&self.resource.attributes);
        let left_out = &mut self.handed.left_out;
        complete(&mut log, resource, &self.shared.terms, |what| {
            left_out.push(what);
        });
        // What is written as text has grown, and Sentry counts what stands around a record too.
        if self.around + log.encoded_len() > LOG_LIMIT {
            return self.checking.unreadable(&RecordError::TooLarge(LOG_LIMIT));
        }
        self.writer.log(&log);
    }
}

impl Taking<'_> {
    /// A span that has been checked and cleaned, and how it came where that is still the same.
    fn sound(
        &mut self,
        resource: &Resource,
        scope: Option<&InstrumentationScope>,
        mut span: Span,
        came: Option<&[u8]>,
    ) {
        let seen = Seen {
            resource: Attributes(&resource.attributes),
            scope,
            span: &span,
        };
        // Errors are not sampled.
        let has_errors = self.report(&seen);
        let is_kept = is_kept(&span.trace_id, self.shared.terms.sample_rate);
        if !is_kept {
            // Asked for, and no failure of the client's: it is counted, and not told.
            let sampled = if has_errors {
                &mut self.handed.sampled
            } else {
                &mut self.checking.found.sampled
            };
            *sampled += 1;
            return;
        }
        if self.checking.mode == Some(Mode::Transactions)
            && let Some(project) = &self.project
        {
            let origin = self
                .origin
                .get_or_insert_with(|| project.origin(seen.resource));
            return match Arrived::of(&seen, Arc::clone(origin)) {
                Ok(arrived) => {
                    self.made += arrived.size() as u64;
                    self.parts.spans.push(arrived);
                }
                Err(broken) => self
                    .checking
                    .reject(Reason::Malformed, || broken.to_string()),
            };
        }
        let left_out = &mut self.handed.left_out;
        let added = Additions::of(&seen, &self.shared.terms, |what| left_out.push(what));
        if let (Some(came), Some(more)) = (came, added.behind(&span)) {
            self.writer.span_as_it_came(came, more);
        } else {
            added.add_to(&mut span);
            self.writer.span(&span);
        }
    }
}
