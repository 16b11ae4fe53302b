//! What every record of a request goes through before something is made of it: it has a project, is fit and is cleaned.

use crate::attributes::Attributes;
use crate::check::{self, Mended};
use crate::delivery::logs::Takes;
use crate::delivery::mode::Mode;
use crate::delivery::project::Project;
use crate::delivery::route::Route;
use crate::figures::Figures;
use crate::logs::sound;
use crate::privacy::{Cleaner, Privacy};
use crate::receive::answer::Rejected;
use crate::receive::take::RecordError;
use crate::rejection::{Reason, What};
use crate::signal::Signal;
use chrono::{DateTime, Utc};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use std::sync::Arc;

/// What was found out about a request. It is counted when it is known that the request is safe.
pub struct Checked {
    pub signal: Signal,
    pub rejected: Rejected,
    /// Spans or log records that were in it, well-formed or not.
    pub seen: u64,
    pub mended: Vec<Mended>,
    /// Spans of traces that are not kept, of which nothing is left.
    pub sampled: u64,
}

impl Checked {
    /// Counts what was not taken, and what was changed.
    pub fn count(&self, figures: &Figures) {
        self.count_rejected(figures);
        for what in &self.mended {
            figures.mended(*what, 1);
        }
    }

    /// Counts what was not taken: of what is read again, the rest has been counted.
    pub fn count_rejected(&self, figures: &Figures) {
        for (reason, how_many) in self.rejected.by_reason() {
            figures.rejected(What::of(self.signal), reason, how_many);
        }
        figures.rejected(What::Span, Reason::Sampled, self.sampled);
    }
}

/// A request, record by record.
pub struct Checking<'a> {
    route: &'a Route,
    cleaner: Cleaner<'a>,
    now: DateTime<Utc>,
    /// Spans that started before, and log records of before, are too old.
    oldest: u64,
    /// That of the resource; none: there is none for it.
    pub project: Option<Arc<Project>>,
    /// How that project takes spans, if it is known yet; of no matter for logs.
    pub mode: Option<Mode>,
    pub found: Checked,
}

impl<'a> Checking<'a> {
    pub fn new(route: &'a Route, privacy: &'a Privacy, signal: Signal) -> Self {
        Self {
            route,
            cleaner: Cleaner::new(privacy),
            now: Utc::now(),
            oldest: 0,
            project: None,
            mode: None,
            found: Checked {
                signal,
                rejected: Rejected::of(signal),
                seen: 0,
                mended: Vec::new(),
                sampled: 0,
            },
        }
    }

    /// What follows is of this resource, which is cleaned.
    pub fn resource(&mut self, resource: &mut Resource) {
        self.cleaner.clean(&mut resource.attributes);
        self.project = self.route.project(Attributes(&resource.attributes));
        let project = self.project.as_ref();
        let of_spans = project.filter(|_| self.found.signal == Signal::Traces);
        self.mode = of_spans.and_then(|project| project.mode());
        self.oldest = self.mode.unwrap_or(Mode::Otlp).oldest_start(self.now);
    }

    /// Cleans a scope.
    pub fn scope(&mut self, scope: &mut Option<InstrumentationScope>) {
        if let Some(scope) = scope {
            self.cleaner.clean(&mut scope.attributes);
        }
    }

    /// A span that is fit and clean, and whether it still is as it came; none: it is rejected.
    pub fn span(&mut self, span: Result<Span, RecordError>) -> Option<(Span, bool)> {
        self.found.seen += 1;
        let mut span = self.readable(span)?;
        let now = self.now();
        let mended = &mut self.found.mended;
        let fit = check::check(&mut span, now, self.oldest, |what| mended.push(what));
        let is_mended = match fit {
            Ok(is_mended) => is_mended,
            Err(unfit) => {
                self.reject(unfit.reason, || unfit.what);
                return None;
            }
        };
        if self.project.is_none() {
            self.no_project();
            return None;
        }
        let is_cleaned = self.cleaner.clean_span(&mut span);
        Some((span, !is_mended && !is_cleaned))
    }

    /// A log record that is fit and clean; none: it is rejected.
    pub fn log(&mut self, log: Result<LogRecord, RecordError>) -> Option<LogRecord> {
        self.found.seen += 1;
        let mut log = self.readable(log)?;
        let now = self.now();
        let mended = &mut self.found.mended;
        let sound = sound::check(&mut log, now, self.oldest, |what| mended.push(what));
        if let Err(unfit) = sound {
            self.reject(unfit.reason, || unfit.what);
            return None;
        }
        let Some(project) = &self.project else {
            self.no_project();
            return None;
        };
        if project.takes_logs() == Some(Takes::Nothing) {
            self.reject(Reason::NotTaken, || "the server takes no logs".to_owned());
            return None;
        }
        self.cleaner.clean_log(&mut log);
        Some(log)
    }

    pub fn reject(&mut self, reason: Reason, what: impl FnOnce() -> String) {
        self.found.rejected.add(reason, what);
    }

    pub fn unreadable(&mut self, error: &RecordError) {
        let reason = match error {
            RecordError::Malformed(_) => Reason::Malformed,
            RecordError::TooLarge(_) | RecordError::TooMany => Reason::TooLarge,
        };
        self.reject(reason, || error.to_string());
    }

    fn readable<R>(&mut self, record: Result<R, RecordError>) -> Option<R> {
        record.inspect_err(|error| self.unreadable(error)).ok()
    }

    fn no_project(&mut self) {
        self.reject(Reason::NoProject, || {
            "no project: set `routing.default_project`".to_owned()
        });
    }

    /// Nanoseconds since 1970.
    fn now(&self) -> u64 {
        let now = self.now.timestamp_nanos_opt().unwrap_or_default();
        u64::try_from(now).unwrap_or_default()
    }
}
