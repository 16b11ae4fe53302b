//! One exporter of the configuration: what it takes of a request, and what becomes of it.

use crate::attributes::Attributes;
use crate::check::{self, Mended};
use crate::delivery::additions::add;
use crate::delivery::budget::{Slot, Used};
use crate::delivery::logs::Takes;
use crate::delivery::mode::Mode;
use crate::delivery::payload::{Kind, Payload, TOGETHER};
use crate::delivery::project::{Project, Shared};
use crate::delivery::route::Route;
use crate::delivery::spans::Writer;
use crate::logs::complete::complete;
use crate::logs::sound;
use crate::privacy::{Cleaner, Privacy};
use crate::receive::answer::Rejected;
use crate::receive::request::{Outline, Request};
use crate::receive::take::{LOG_LIMIT, RecordError, Take};
use crate::rejection::{Reason, What};
use crate::sample::is_kept;
use crate::seen::Seen;
use crate::signal::Signal;
use chrono::{DateTime, Utc};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
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
            signal: request.signal,
            rejected: Rejected::of(request.signal),
            now: Utc::now(),
            since: Instant::now(),
            oldest: 0,
            room: slot.bytes(),
            project: None,
            mode: None,
            resource: Resource::default(),
            scope: None,
            around: 0,
            writer: Writer::default(),
            mended: Vec::new(),
        };
        request.visit(&mut taking);
        taking.hand_over();
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

    /// Spans, log records and events that have not come to an end.
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
    signal: Signal,
    rejected: Rejected,
    now: DateTime<Utc>,
    since: Instant,
    /// Spans that started before, and log records of before, are too old.
    oldest: u64,
    /// Bytes that have been reserved, and for which nothing has been written.
    room: u64,
    /// That of the resource; none: there is none for it.
    project: Option<Arc<Project>>,
    /// How that project takes spans, if it is known yet; of no matter for logs.
    mode: Option<Mode>,
    resource: Resource,
    scope: Option<InstrumentationScope>,
    /// Bytes of both.
    around: usize,
    writer: Writer,
    mended: Vec<Mended>,
}

impl Taking<'_> {
    /// Hands over what has been written for a project.
    fn hand_over(&mut self) {
        let (body, spans) = self.writer.finish();
        let Some(project) = self.project.take() else {
            return;
        };
        if spans > 0 {
            let mut slots = vec![Arc::clone(self.slot)];
            let bytes = body.len() as u64;
            let grown = bytes.saturating_sub(self.room);
            self.room = self.room.saturating_sub(bytes);
            if grown > 0 {
                let grown = Used {
                    bytes: grown,
                    ..Used::default()
                };
                slots.push(Arc::new(self.exporter.shared.budget.hold(grown)));
            }
            project.push(Payload {
                kind: Kind::of(self.signal),
                event_id: String::new(),
                body,
                spans,
                since: self.since,
                alone: false,
                sampled: None,
                slots,
            });
        }
    }

    fn reject(&mut self, reason: Reason, what: impl FnOnce() -> String) {
        let figures = &self.exporter.shared.figures;
        figures.rejected(What::of(self.signal), reason, 1);
        self.rejected.add(reason, what);
    }

    fn unreadable(&mut self, error: &RecordError) {
        let reason = match error {
            RecordError::Malformed(_) => Reason::Malformed,
            RecordError::TooLarge(_) | RecordError::TooMany => Reason::TooLarge,
        };
        self.reject(reason, || error.to_string());
    }

    /// Nanoseconds since 1970.
    fn now(&self) -> u64 {
        let now = self.now.timestamp_nanos_opt().unwrap_or_default();
        u64::try_from(now).unwrap_or_default()
    }

    /// Rejects a record of a request of which too much has come already.
    fn is_overgrown(&mut self) -> bool {
        let is = self.exporter.shared.budget.is_overgrown(self.slot);
        if is {
            self.reject(Reason::TooLarge, || {
                "what comes of its request is more than can wait: send fewer at once".to_owned()
            });
        }
        is
    }

    fn no_project(&mut self) {
        self.reject(Reason::NoProject, || {
            "no project: set `routing.default_project`".to_owned()
        });
    }
}

impl Take for Taking<'_> {
    fn resource(&mut self, mut resource: Resource, schema_url: String) {
        self.cleaner.clean(&mut resource.attributes);
        let attributes = Attributes(&resource.attributes);
        let project = self.exporter.route.project(attributes);
        let place = |project: &Option<Arc<Project>>| project.as_ref().map(Arc::as_ptr);
        // Hundreds of thousands of resources would be as many payloads.
        let most = self.writer.bytes() >= TOGETHER.bytes || self.writer.count() >= TOGETHER.items;
        if most || place(&self.project) != place(&project) {
            self.hand_over();
        }
        self.project = project;
        let project = self.project.as_ref();
        let of_spans = project.filter(|_| self.signal == Signal::Traces);
        let mode = of_spans.and_then(|project| project.mode());
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
        let of_scope = scope.as_ref().map_or(0, Message::encoded_len);
        self.around = self.resource.encoded_len() + of_scope;
        self.scope = scope;
    }

    fn span(&mut self, span: Result<Span, RecordError>) {
        let mut span = match span {
            Ok(span) => span,
            Err(error) => return self.unreadable(&error),
        };
        let now = self.now();
        let mended = &mut self.mended;
        let fit = check::check(&mut span, now, self.oldest, |what| mended.push(what));
        if let Err(unfit) = fit {
            return self.reject(unfit.reason, || unfit.what);
        }
        if self.project.is_none() {
            return self.no_project();
        }
        if self.is_overgrown() {
            return;
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
            return shared.figures.rejected(What::Span, Reason::Sampled, 1);
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

    fn log(&mut self, log: Result<LogRecord, RecordError>) {
        let mut log = match log {
            Ok(log) => log,
            Err(error) => return self.unreadable(&error),
        };
        let now = self.now();
        let mended = &mut self.mended;
        let sound = sound::check(&mut log, now, self.oldest, |what| mended.push(what));
        if let Err(unfit) = sound {
            return self.reject(unfit.reason, || unfit.what);
        }
        let Some(project) = &self.project else {
            return self.no_project();
        };
        if project.takes_logs() == Some(Takes::Nothing) {
            return self.reject(Reason::NotTaken, || "the server takes no logs".to_owned());
        }
        if self.is_overgrown() {
            return;
        }
        self.cleaner.clean_log(&mut log);
        let shared = &self.exporter.shared;
        let resource = Attributes(&self.resource.attributes);
        complete(&mut log, resource, &shared.terms, |left_out| {
            shared.left_out(left_out);
        });
        // What is written as text has grown, and Sentry counts what stands around a record too.
        if self.around + log.encoded_len() > LOG_LIMIT {
            return self.unreadable(&RecordError::TooLarge(LOG_LIMIT));
        }
        self.writer.log(&log);
    }
}
