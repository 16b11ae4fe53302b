//! Exceptions that spans recorded, as Sentry's error events.
//!
//! ```text
//! span event -> stack trace -> exceptions -> error event -> the same exception of other spans left out
//! ```

pub mod event;
pub mod exception;
pub mod extra;
pub mod outer;
pub mod same;
pub mod stack;

use crate::conventions::left_out::LeftOut;
use crate::errors::event::{OfResource, Recorded, kind, message};
use crate::seen::Seen;
use crate::terms::Terms;
use crate::transactions::span::is_exception;
use opentelemetry_proto::tonic::trace::v1::Span;
use std::cell::OnceCell;

/// What is called so is an exception.
const EXCEPTION: &str = "exception";

/// Of a span no more exceptions become errors: SDKs keep as many events, and each error is larger by far than what it is made
/// of.
const MOST: usize = 128;

/// What a span recorded.
#[derive(Debug, Default)]
pub struct Found<'a> {
    pub recorded: Vec<Recorded<'a>>,
    /// Exceptions that have neither a type nor a message: there is nothing that an error could be made of.
    pub nameless: usize,
    /// Exceptions of which others know that they are doubles.
    pub doubles: usize,
    /// Exceptions beyond those that become errors.
    pub too_many: usize,
    /// What of them Sentry would not keep.
    pub left_out: Vec<LeftOut>,
}

/// Whether a span recorded something that is called an exception.
pub fn has_exceptions(span: &Span) -> bool {
    span.events.iter().any(|event| event.name == EXCEPTION)
}

/// The exceptions of a span, in the order in which they were recorded, without those of which `is_double` knows by type and
/// message that they are. `of_resource` is filled for further spans of the same resource.
pub fn events_of<'a>(
    seen: &Seen<'a>,
    of_resource: &'a OnceCell<OfResource>,
    terms: &'a Terms,
    mut is_double: impl FnMut(&str, &str) -> bool,
) -> Found<'a> {
    let mut found = Found::default();
    for event in seen
        .span
        .events
        .iter()
        .filter(|event| event.name == EXCEPTION)
    {
        if !is_exception(event) {
            found.nameless += 1;
        } else if found.recorded.len() == MOST {
            found.too_many += 1;
        } else if is_double(kind(event), message(event)) {
            found.doubles += 1;
        } else {
            let of_resource = of_resource.get_or_init(|| OfResource::of(seen.resource));
            let tell = |left_out| found.left_out.push(left_out);
            found
                .recorded
                .push(Recorded::of(seen, of_resource, event, terms, tell));
        }
    }
    found
}
