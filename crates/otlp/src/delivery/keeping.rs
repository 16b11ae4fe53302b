//! What of a request has to be on the disk before it is acknowledged: all that is fit, cleaned, as OTLP. What goes out is made of
//! it afterwards, so that a client does not wait for that.

use crate::attributes::Attributes;
use crate::delivery::checking::{Checked, Checking};
use crate::delivery::project::Project;
use crate::delivery::reporting::Reported;
use crate::delivery::route::Route;
use crate::delivery::shared::Shared;
use crate::delivery::spans::Writer;
use crate::errors::has_exceptions;
use crate::errors::same::Place;
use crate::logs::complete::complete;
use crate::privacy::Privacy;
use crate::receive::take::{LOG_LIMIT, RecordError, Take};
use crate::sample::is_kept;
use crate::signal::Signal;
use bytes::Bytes;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::sync::Arc;

/// A log record of so many bytes, with what stands around it, is not too large when it is completed: as JSON a text has six bytes
/// for one at most, and what is added has some hundred.
const SURELY_FITS: usize = LOG_LIMIT / 8;

/// What is to be kept.
pub struct ToKeep {
    pub checked: Checked,
    /// Where spans stand in their traces that are not kept, by project: errors of other spans depend on it.
    pub told: Vec<(Arc<Project>, Vec<Reported>)>,
    pub body: Bytes,
    /// How many spans or log records are in it.
    pub records: u64,
}

/// A request, record by record.
pub struct Keeping<'a> {
    shared: &'a Shared,
    checking: Checking<'a>,
    resource: Resource,
    /// Bytes of resource and scope.
    around: usize,
    told: Vec<(Arc<Project>, Vec<Reported>)>,
    writer: Writer,
}

impl<'a> Keeping<'a> {
    /// A request of so many bytes.
    pub fn new(
        route: &'a Route,
        shared: &'a Shared,
        privacy: &'a Privacy,
        signal: Signal,
        bytes: usize,
    ) -> Self {
        Self {
            shared,
            checking: Checking::new(route, privacy, signal),
            resource: Resource::default(),
            around: 0,
            told: Vec::new(),
            writer: Writer::expecting(bytes),
        }
    }

    /// A span that is not kept.
    fn tell(&mut self, span: &Span) {
        self.checking.found.sampled += 1;
        let Some(project) = &self.checking.project else {
            return;
        };
        let (reported, _) = Reported::of(Place::of(span), span, Vec::new());
        match self.told.last_mut() {
            Some((last, told)) if Arc::ptr_eq(last, project) => told.push(reported),
            _ => self.told.push((Arc::clone(project), vec![reported])),
        }
    }

    /// All of it.
    pub fn to_keep(mut self) -> ToKeep {
        let (body, records) = self.writer.finish();
        ToKeep {
            checked: self.checking.found,
            told: self.told,
            body,
            records,
        }
    }
}

impl Take for Keeping<'_> {
    fn resource(&mut self, mut resource: Resource, schema_url: String) {
        self.checking.resource(&mut resource);
        self.writer.resource(resource.clone(), schema_url);
        self.resource = resource;
    }

    fn scope(&mut self, mut scope: Option<InstrumentationScope>, schema_url: String) {
        self.checking.scope(&mut scope);
        let of_scope = scope.as_ref().map_or(0, Message::encoded_len);
        self.around = self.resource.encoded_len() + of_scope;
        self.writer.scope(scope, schema_url);
    }

    fn span(&mut self, span: Result<Span, RecordError>, came: Option<&[u8]>) {
        let Some((span, is_as_it_came)) = self.checking.span(span) else {
            return;
        };
        // Errors are not sampled.
        if !is_kept(&span.trace_id, self.shared.terms.sample_rate) && !has_exceptions(&span) {
            return self.tell(&span);
        }
        match came.filter(|_| is_as_it_came) {
            Some(came) => self.writer.span_as_it_came(came, &[]),
            None => self.writer.span(&span),
        }
    }

    fn log(&mut self, log: Result<LogRecord, RecordError>) {
        let Some(log) = self.checking.log(log) else {
            return;
        };
        // It goes out completed, and may have grown too large by then, which the client is to know.
        if self.around + log.encoded_len() > SURELY_FITS {
            let mut completed = log.clone();
            let resource = Attributes(&self.resource.attributes);
            // What is left out is said when it goes out.
            complete(&mut completed, resource, &self.shared.terms, drop);
            if self.around + completed.encoded_len() > LOG_LIMIT {
                return self.checking.unreadable(&RecordError::TooLarge(LOG_LIMIT));
            }
        }
        self.writer.log(&log);
    }
}
