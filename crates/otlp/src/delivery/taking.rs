//! A request that is being taken: checked, cleaned, and made into what goes to Sentry.

use crate::attributes::Attributes;
use crate::check::{self, Mended};
use crate::delivery::additions::Additions;
use crate::delivery::handed::{Handed, Parts};
use crate::delivery::logs::Takes;
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
use crate::figures::Figures;
use crate::logs::complete::complete;
use crate::logs::sound;
use crate::privacy::{Cleaner, Privacy};
use crate::receive::answer::Rejected;
use crate::receive::take::{LOG_LIMIT, RecordError, Take};
use crate::rejection::{Reason, What};
use crate::sample::is_kept;
use crate::seen::Seen;
use crate::signal::Signal;
use crate::transactions::group::Arrived;
use crate::transactions::origin::Origin;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::cell::OnceCell;
use std::sync::Arc;
use tokio::time::Instant;

/// What was made of a request. It is counted when it is known that it is safe.
pub struct Taken {
    pub signal: Signal,
    pub rejected: Rejected,
    /// Spans or log records that were in it, well-formed or not.
    pub seen: u64,
    pub handed: Handed,
    /// What of it has to be on the disk, as OTLP, and how many spans or log records that is.
    pub kept: (Bytes, u64),
    mended: Vec<Mended>,
    /// Spans of traces that are not kept, of which nothing is left.
    sampled: u64,
}

impl Taken {
    /// Counts what was not taken, and what was changed.
    pub fn count(&self, figures: &Figures) {
        for (reason, how_many) in self.rejected.by_reason() {
            figures.rejected(What::of(self.signal), reason, how_many);
        }
        figures.rejected(What::Span, Reason::Sampled, self.sampled);
        for what in &self.mended {
            figures.mended(*what, 1);
        }
    }
}

/// A request, record by record.
pub struct Taking<'a> {
    route: &'a Route,
    shared: &'a Shared,
    cleaner: Cleaner<'a>,
    signal: Signal,
    now: DateTime<Utc>,
    handed: Handed,
    rejected: Rejected,
    seen: u64,
    mended: Vec<Mended>,
    sampled: u64,
    /// Bytes that are reserved for the request.
    room: u64,
    /// Bytes of what has been made of it, but for what is being written.
    made: u64,
    /// What has been made for the project so far.
    parts: Parts,
    /// What spans of the project recorded.
    outer: Outer,
    /// Spans that started before, and log records of before, are too old.
    oldest: u64,
    /// That of the resource; none: there is none for it.
    project: Option<Arc<Project>>,
    /// How that project takes spans, if it is known yet; of no matter for logs.
    mode: Option<Mode>,
    resource: Resource,
    /// Of the resource, once a span of it goes out as part of a transaction.
    origin: Option<Arc<Origin>>,
    /// Of the resource, once an error comes of it.
    of_resource: OnceCell<OfResource>,
    scope: Option<InstrumentationScope>,
    /// Bytes of resource and scope.
    around: usize,
    writer: Writer,
    /// What has to be on the disk; none: nothing has.
    kept: Option<Writer>,
}

impl<'a> Taking<'a> {
    /// `room` bytes have been reserved for the request. With `keeps`, what has to be on the disk is written, too.
    pub fn new(
        route: &'a Route,
        shared: &'a Shared,
        privacy: &'a Privacy,
        signal: Signal,
        room: u64,
        keeps: bool,
    ) -> Self {
        let expected = usize::try_from(room).unwrap_or(usize::MAX);
        Self {
            route,
            shared,
            cleaner: Cleaner::new(privacy),
            signal,
            now: Utc::now(),
            handed: Handed::new(Kind::of(signal), Instant::now()),
            rejected: Rejected::of(signal),
            seen: 0,
            mended: Vec::new(),
            sampled: 0,
            room,
            made: 0,
            parts: Parts::default(),
            outer: Outer::default(),
            oldest: 0,
            project: None,
            mode: None,
            resource: Resource::default(),
            origin: None,
            of_resource: OnceCell::new(),
            scope: None,
            around: 0,
            writer: Writer::expecting(expected),
            kept: keeps.then(|| Writer::expecting(expected)),
        }
    }

    /// All of it.
    pub fn taken(mut self) -> Taken {
        self.end_project();
        let kept = self.kept.map(|mut kept| kept.finish());
        Taken {
            signal: self.signal,
            rejected: self.rejected,
            seen: self.seen,
            handed: self.handed,
            kept: kept.unwrap_or_default(),
            mended: self.mended,
            sampled: self.sampled,
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

    fn reject(&mut self, reason: Reason, what: impl FnOnce() -> String) {
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
        let made = self.made + self.writer.bytes() as u64;
        let is = self.shared.budget.is_overgrown(self.room, made);
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
        self.cleaner.clean(&mut resource.attributes);
        let project = self.route.project(Attributes(&resource.attributes));
        let place = |project: &Option<Arc<Project>>| project.as_ref().map(Arc::as_ptr);
        // Hundreds of thousands of resources would be as many payloads.
        let most = self.writer.bytes() >= TOGETHER.bytes || self.writer.count() >= TOGETHER.items;
        if most || place(&self.project) != place(&project) {
            self.end_project();
        }
        self.project = project;
        let project = self.project.as_ref();
        let of_spans = project.filter(|_| self.signal == Signal::Traces);
        let mode = of_spans.and_then(|project| project.mode());
        self.oldest = mode.unwrap_or(Mode::Otlp).oldest_start(self.now);
        self.mode = mode;
        if let Some(kept) = &mut self.kept {
            kept.resource(resource.clone(), schema_url.clone());
        }
        self.writer.resource(resource.clone(), schema_url);
        self.resource = resource;
        self.origin = None;
        self.of_resource = OnceCell::new();
    }

    fn scope(&mut self, mut scope: Option<InstrumentationScope>, schema_url: String) {
        if let Some(scope) = &mut scope {
            self.cleaner.clean(&mut scope.attributes);
        }
        if let Some(kept) = &mut self.kept {
            kept.scope(scope.clone(), schema_url.clone());
        }
        self.writer.scope(scope.clone(), schema_url);
        let of_scope = scope.as_ref().map_or(0, Message::encoded_len);
        self.around = self.resource.encoded_len() + of_scope;
        self.scope = scope;
    }

    fn span(&mut self, span: Result<Span, RecordError>, came: Option<&[u8]>) {
        self.seen += 1;
        let mut span = match span {
            Ok(span) => span,
            Err(error) => return self.unreadable(&error),
        };
        let now = self.now();
        let mended = &mut self.mended;
        let fit = check::check(&mut span, now, self.oldest, |what| mended.push(what));
        let is_mended = match fit {
            Ok(is_mended) => is_mended,
            Err(unfit) => return self.reject(unfit.reason, || unfit.what),
        };
        let Some(project) = self.project.clone() else {
            return self.no_project();
        };
        if self.is_overgrown() {
            return;
        }
        let is_cleaned = self.cleaner.clean_span(&mut span);
        let came = came.filter(|_| !is_mended && !is_cleaned);
        let (resource, scope) = (std::mem::take(&mut self.resource), self.scope.take());
        self.sound(&project, &resource, scope.as_ref(), span, came);
        (self.resource, self.scope) = (resource, scope);
    }

    fn log(&mut self, log: Result<LogRecord, RecordError>) {
        self.seen += 1;
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
        let kept = self.kept.is_some().then(|| log.clone());
        let resource = Attributes(&self.resource.attributes);
        let left_out = &mut self.handed.left_out;
        complete(&mut log, resource, &self.shared.terms, |what| {
            left_out.push(what);
        });
        // What is written as text has grown, and Sentry counts what stands around a record too.
        if self.around + log.encoded_len() > LOG_LIMIT {
            return self.unreadable(&RecordError::TooLarge(LOG_LIMIT));
        }
        if let (Some(writer), Some(log)) = (&mut self.kept, &kept) {
            writer.log(log);
        }
        self.writer.log(&log);
    }
}

impl Taking<'_> {
    /// A span that has been checked and cleaned, and how it came where that is still the same.
    fn sound(
        &mut self,
        project: &Project,
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
        if let Some(kept) = &mut self.kept
            && (is_kept || has_errors)
        {
            match came {
                Some(came) => kept.span_as_it_came(came, &[]),
                None => kept.span(&span),
            }
        }
        if !is_kept {
            // Asked for, and no failure of the client's: it is counted, and not told.
            let sampled = if has_errors {
                &mut self.handed.sampled
            } else {
                &mut self.sampled
            };
            *sampled += 1;
            return;
        }
        if self.mode == Some(Mode::Transactions) {
            let origin = self
                .origin
                .get_or_insert_with(|| project.origin(seen.resource));
            return match Arrived::of(&seen, Arc::clone(origin)) {
                Ok(arrived) => {
                    self.made += arrived.size() as u64;
                    self.parts.spans.push(arrived);
                }
                Err(broken) => self.reject(Reason::Malformed, || broken.to_string()),
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
