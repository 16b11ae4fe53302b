//! A request with spans as it came, read in two passes: first its outline, which tells whether it can be read at all and how
//! much is in it, then span by span.

use crate::receive::fields::{Broken, Fields};
use crate::receive::json;
use crate::receive::take::{SPAN_LIMIT, SpanError, Take};
use bytes::Bytes;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// Field 1 of the request: `resource_spans`.
pub const RESOURCE_SPANS: u32 = 1;
/// Of `ResourceSpans`.
pub const RESOURCE: u32 = 1;
pub const SCOPE_SPANS: u32 = 2;
/// Of `ScopeSpans`.
pub const SCOPE: u32 = 1;
pub const SPANS: u32 = 2;
/// Of both.
pub const SCHEMA_URL: u32 = 3;

/// How much is in a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outline {
    pub spans: usize,
    /// As decoded from what compressed it.
    pub bytes: usize,
}

/// A body whose outline could be read.
#[derive(Debug, Clone)]
pub enum Request {
    Protobuf(Bytes),
    Json(json::Body),
}

/// Why a body is no request. The text is for the client.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

impl Unreadable {
    pub fn new(error: &dyn std::error::Error) -> Self {
        Self(format!(
            "the body cannot be read as an ExportTraceServiceRequest: {error}"
        ))
    }
}

impl Request {
    /// Reads the outline of a protobuf body.
    ///
    /// # Errors
    /// When what stands around the spans cannot be read.
    pub fn protobuf(body: Bytes) -> Result<(Self, Outline), Unreadable> {
        let mut outline = Outline {
            spans: 0,
            bytes: body.len(),
        };
        let mut count = |counted: Result<usize, Broken>| -> Result<(), Unreadable> {
            outline.spans += counted.map_err(|error| Unreadable::new(&error))?;
            Ok(())
        };
        for field in Fields(body.clone()) {
            count(field.and_then(|(number, resource_spans)| {
                if number == RESOURCE_SPANS {
                    outlined(resource_spans)
                } else {
                    Ok(0)
                }
            }))?;
        }
        Ok((Self::Protobuf(body), outline))
    }

    /// Reads the outline of a JSON body.
    ///
    /// # Errors
    /// When it is no JSON, or what stands around the spans cannot be read.
    pub fn json(body: &[u8]) -> Result<(Self, Outline), Unreadable> {
        let read = json::Body::read(body).map_err(|error| Unreadable::new(&error))?;
        let outline = Outline {
            spans: read.spans(),
            bytes: body.len(),
        };
        Ok((Self::Json(read), outline))
    }

    /// Hands over everything in it.
    pub fn visit(&self, take: &mut impl Take) {
        match self {
            Self::Protobuf(body) => walk(body, take),
            Self::Json(body) => body.visit(take),
        }
    }
}

/// Counts the spans of one `ResourceSpans`, and decodes what must be readable.
fn outlined(resource_spans: Bytes) -> Result<usize, Broken> {
    let mut spans = 0;
    for field in Fields(resource_spans) {
        match field? {
            (RESOURCE, resource) => {
                Resource::decode(resource)?;
            }
            (SCOPE_SPANS, scope_spans) => {
                for field in Fields(scope_spans) {
                    match field? {
                        (SCOPE, scope) => {
                            InstrumentationScope::decode(scope)?;
                        }
                        (SPANS, _) => spans += 1,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(spans)
}

/// The outline has been read, so that everything but the spans can be.
fn walk(body: &Bytes, take: &mut impl Take) {
    for resource_spans in of(RESOURCE_SPANS, body) {
        let resource = message::<Resource>(RESOURCE, &resource_spans).unwrap_or_default();
        take.resource(resource, schema_url(&resource_spans));
        for scope_spans in of(SCOPE_SPANS, &resource_spans) {
            take.scope(message(SCOPE, &scope_spans), schema_url(&scope_spans));
            for span in of(SPANS, &scope_spans) {
                take.span(decoded(span));
            }
        }
    }
}

fn decoded(span: Bytes) -> Result<Span, SpanError> {
    if span.len() > SPAN_LIMIT {
        return Err(SpanError::TooLarge);
    }
    Span::decode(span).map_err(|error| SpanError::Malformed(error.to_string()))
}

/// The fields of that number.
fn of(number: u32, message: &Bytes) -> impl Iterator<Item = Bytes> + use<> {
    Fields(message.clone())
        .flatten()
        .filter(move |(found, _)| *found == number)
        .map(|(_, bytes)| bytes)
}

/// A message that may come in several parts, which protobuf merges.
fn message<M: Message + Default>(number: u32, around: &Bytes) -> Option<M> {
    let mut merged = None;
    for part in of(number, around) {
        let message = merged.get_or_insert_with(M::default);
        // Each part could be decoded when the outline was read.
        let _ = message.merge(part);
    }
    merged
}

fn schema_url(message: &Bytes) -> String {
    let last = of(SCHEMA_URL, message).last();
    last.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}
