//! Exceptions as Sentry has them: the one that went wrong first is the first, the one that is reported the last.

use crate::errors::stack::frame::Frame;
use crate::errors::stack::thrown::{Stack, Thrown};
use serde::Serialize;
use std::borrow::Cow;

/// Sentry's `exception`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exceptions<'a> {
    pub values: Vec<Exception<'a>>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exception<'a> {
    #[serde(rename = "type", skip_serializing_if = "str::is_empty")]
    pub kind: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub value: Cow<'a, str>,
    /// Sentry refuses one without frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stacktrace: Option<Stacktrace<'a>>,
    pub mechanism: Mechanism,
}

/// Calls, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stacktrace<'a> {
    pub frames: Vec<Frame<'a>>,
}

/// How Sentry came to know of an exception, and how it belongs to the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Mechanism {
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exception_id: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<usize>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_exception_group: bool,
}

/// What a span tells of the exception itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told<'a> {
    /// Empty where it is not told, as the message.
    pub kind: &'a str,
    pub message: &'a str,
    /// Whether the exception left the span.
    pub escaped: Option<bool>,
}

impl<'a> Exceptions<'a> {
    /// What is told, with what its stack trace says more.
    pub fn new(told: Told<'a>, stack: Option<Stack<'a>>) -> Self {
        let mut thrown = stack.map(|stack| stack.thrown).unwrap_or_default();
        let first = if thrown.is_empty() {
            Thrown::default()
        } else {
            thrown.remove(0)
        };
        let first = first.named(told.kind, told.message);
        let alone = thrown.is_empty();
        let numbered = std::iter::once(first).chain(thrown).enumerate();
        let mut values: Vec<_> = numbered
            .map(|(id, thrown)| exception(thrown, id, alone, told.escaped))
            .collect();
        values.reverse();
        Self { values }
    }
}

fn exception(thrown: Thrown<'_>, id: usize, alone: bool, escaped: Option<bool>) -> Exception<'_> {
    let (parent_id, source) = thrown.cause_of.unzip();
    let mechanism = Mechanism {
        kind: if id == 0 { "otlp" } else { "chained" },
        handled: escaped.filter(|_| id == 0).map(|escaped| !escaped),
        source: source.filter(|source| !source.is_empty()),
        exception_id: (!alone).then_some(id),
        parent_id,
        is_exception_group: thrown.has_members,
    };
    let frames = thrown.frames;
    Exception {
        kind: thrown.kind,
        value: thrown.value,
        stacktrace: (!frames.is_empty()).then_some(Stacktrace { frames }),
        mechanism,
    }
}
