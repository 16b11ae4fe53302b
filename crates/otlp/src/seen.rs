//! One span, with what stands around it in its request.

use crate::attributes::Attributes;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::trace::v1::Span;

/// A span that has been checked: its ids are 16 and 8 bytes and not zero, and it does not end before it starts.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Those of the resource.
    pub resource: Attributes<'a>,
    pub scope: Option<&'a InstrumentationScope>,
    pub span: &'a Span,
}

impl<'a> Seen<'a> {
    /// A span of which neither resource nor scope are known.
    pub const fn alone(span: &'a Span) -> Self {
        Self {
            resource: Attributes(&[]),
            scope: None,
            span,
        }
    }

    /// The span's own attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes(&self.span.attributes)
    }
}
