//! A request with spans or log records as it came, read in two passes: first its outline, which tells whether it can be read
//! at all and how much is in it, then record by record.
//!
//! Fields that mean the same have the same numbers in both signals.

use crate::receive::crowd::{Of, is_crowded};
use crate::receive::depth::{self, Inside};
use crate::receive::fields::{Broken, Fields};
use crate::receive::json;
use crate::receive::record::Record;
use crate::receive::take::{AROUND_LIMIT, RecordError, Take};
use crate::signal::Signal;
use bytes::Bytes;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tap_sentry_api::text::brief;

/// Field 1 of the request: `resource_spans` or `resource_logs`.
pub const RESOURCES: u32 = 1;
/// Of `ResourceSpans` and `ResourceLogs`: the resource, and `scope_spans` or `scope_logs`.
pub const RESOURCE: u32 = 1;
pub const SCOPES: u32 = 2;
/// Of `ScopeSpans` and `ScopeLogs`: the scope, and `spans` or `log_records`.
pub const SCOPE: u32 = 1;
pub const RECORDS: u32 = 2;
/// Of all four.
pub const SCHEMA_URL: u32 = 3;

/// How much is in a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outline {
    /// Spans, or log records.
    pub spans: usize,
    /// As decoded from what compressed it.
    pub bytes: usize,
    /// Bytes of resources and scopes, as many times as there are records of them.
    pub around: u64,
}

/// A body whose outline could be read.
#[derive(Debug, Clone)]
pub struct Request {
    pub signal: Signal,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    Protobuf(Bytes),
    /// Protobuf that was written here.
    Written(Bytes),
    Json(json::Body),
}

/// Why a body is no request. The text is for the client.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

impl Unreadable {
    pub fn new(signal: Signal, error: &dyn std::error::Error) -> Self {
        // It may repeat what the client sent.
        let error = brief(&error.to_string());
        Self(format!(
            "the body cannot be read as an {}: {error}",
            signal.names().request
        ))
    }
}

impl Request {
    /// Reads the outline of a protobuf body.
    ///
    /// # Errors
    /// When what stands around the records cannot be read.
    pub fn protobuf(signal: Signal, body: Bytes) -> Result<(Self, Outline), Unreadable> {
        let mut outline = Outline {
            bytes: body.len(),
            ..Outline::default()
        };
        let mut count = |field: Result<(u32, &[u8]), Broken>| -> Result<(), Broken> {
            match field? {
                (RESOURCES, of_resource) => outlined(of_resource, &mut outline),
                _ => Ok(()),
            }
        };
        for field in Fields(&body) {
            count(field).map_err(|error| Unreadable::new(signal, &error))?;
        }
        let body = Body::Protobuf(body);
        Ok((Self { signal, body }, outline))
    }

    /// What was written here, whose records may have grown beyond what a client may send.
    pub fn written(signal: Signal, body: Bytes) -> Self {
        let body = Body::Written(body);
        Self { signal, body }
    }

    /// Reads the outline of a JSON body.
    ///
    /// # Errors
    /// When it is no JSON, or what stands around the records cannot be read.
    pub fn json(signal: Signal, body: Bytes) -> Result<(Self, Outline), Unreadable> {
        let bytes = body.len();
        let read = json::Body::read(signal, body);
        let read = read.map_err(|error| Unreadable::new(signal, &error))?;
        let outline = Outline {
            spans: read.records(),
            bytes,
            around: read.around,
        };
        let body = Body::Json(read);
        Ok((Self { signal, body }, outline))
    }

    /// Hands over everything in it.
    pub fn visit(&self, take: &mut impl Take) {
        match (&self.body, self.signal) {
            (Body::Protobuf(body), Signal::Traces) => walk::<Span>(body, Span::LIMIT, take),
            (Body::Protobuf(body), Signal::Logs) => walk::<LogRecord>(body, LogRecord::LIMIT, take),
            (Body::Written(body), Signal::Traces) => walk::<Span>(body, usize::MAX, take),
            (Body::Written(body), Signal::Logs) => walk::<LogRecord>(body, usize::MAX, take),
            (Body::Json(body), Signal::Traces) => body.visit::<Span>(take),
            (Body::Json(body), Signal::Logs) => body.visit::<LogRecord>(take),
        }
    }
}

/// Counts the records of one resource, and decodes what must be readable.
fn outlined(of_resource: &[u8], outline: &mut Outline) -> Result<(), Broken> {
    let mut outer = Around::default();
    for part in of(RESOURCE, of_resource) {
        outer.read::<Resource>(part, Of::Resource)?;
    }
    for field in Fields(of_resource) {
        let (SCOPES, of_scope) = field? else {
            continue;
        };
        let (mut inner, mut records) = (Around::default(), 0);
        for field in Fields(of_scope) {
            match field? {
                (SCOPE, part) => inner.read::<InstrumentationScope>(part, Of::Scope)?,
                (RECORDS, _) => records += 1,
                _ => {}
            }
        }
        outline.spans += records;
        outline.around += (outer.0 + inner.0) as u64 * records as u64;
    }
    Ok(())
}

/// Bytes of a resource or a scope, which may come in several parts.
#[derive(Debug, Default)]
struct Around(usize);

impl Around {
    /// Sees to it that a part can be read, and that all of them are no larger than they may be.
    fn read<M: Inside>(&mut self, part: &[u8], of: Of) -> Result<(), Broken> {
        self.0 += part.len();
        if self.0 > AROUND_LIMIT || is_crowded(part, of) {
            return Err(Broken::TooLarge);
        }
        depth::decode::<M>(part)?;
        Ok(())
    }
}

/// The outline has been read or was written here, so that everything but the records can be. What has none is passed over.
/// `limit` is of one of them, in bytes.
fn walk<R: Record>(body: &[u8], limit: usize, take: &mut impl Take) {
    for of_resource in of(RESOURCES, body) {
        let mut is_new = true;
        for of_scope in of(SCOPES, of_resource) {
            let mut records = of(RECORDS, of_scope).peekable();
            if records.peek().is_none() {
                continue;
            }
            if std::mem::take(&mut is_new) {
                let resource = message::<Resource>(RESOURCE, of_resource).unwrap_or_default();
                take.resource(resource, schema_url(of_resource));
            }
            take.scope(message(SCOPE, of_scope), schema_url(of_scope));
            for record in records {
                R::hand(decoded(record, limit), Some(record), take);
            }
        }
    }
}

fn decoded<R: Record>(record: &[u8], limit: usize) -> Result<R, RecordError> {
    if record.len() > limit {
        return Err(RecordError::TooLarge(limit));
    }
    // What was written here has been counted.
    if limit < usize::MAX && is_crowded(record, R::OF) {
        return Err(RecordError::TooMany);
    }
    depth::decode::<R>(record).map_err(|error| RecordError::Malformed(error.to_string()))
}

/// The fields of that number.
fn of(number: u32, message: &[u8]) -> impl Iterator<Item = &[u8]> {
    Fields(message)
        .flatten()
        .filter(move |(found, _)| *found == number)
        .map(|(_, bytes)| bytes)
}

/// A message that may come in several parts, which protobuf merges.
fn message<M: Message + Default>(number: u32, around: &[u8]) -> Option<M> {
    let mut merged = None;
    for part in of(number, around) {
        let message = merged.get_or_insert_with(M::default);
        // Each part could be decoded when the outline was read.
        let _ = message.merge(part);
    }
    merged
}

fn schema_url(message: &[u8]) -> String {
    let last = of(SCHEMA_URL, message).last();
    last.map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .unwrap_or_default()
}
