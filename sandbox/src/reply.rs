//! Answers and refusals, before they become HTTP.

use crate::cursor::{Link, Slice};
use serde_json::Value;

/// What an endpoint answers when it answers.
#[derive(Debug)]
pub enum Reply {
    /// One JSON value.
    Value(String),
    /// A list that pages.
    Page(Page),
    /// A list that does not page: no Link header.
    List {
        rows: Vec<String>,
        direct_hit: bool,
        envelope: Option<&'static str>,
    },
}

/// Rows are JSON texts already, so a large page costs one concatenation.
#[derive(Debug)]
pub struct Page {
    pub rows: Vec<String>,
    pub previous: Link,
    pub next: Link,
    /// An estimate, capped.
    pub hits: Option<usize>,
    /// The member of the answer that the rows are in.
    pub envelope: Option<&'static str>,
    /// Another member of it, as JSON.
    pub beside: Option<(&'static str, String)>,
}

impl Reply {
    pub fn value(value: &Value) -> Self {
        Self::Value(value.to_string())
    }

    pub fn list(rows: Vec<String>) -> Self {
        Self::List {
            rows,
            direct_hit: false,
            envelope: None,
        }
    }

    pub fn page(slice: Slice<String>) -> Self {
        Self::Page(Page {
            rows: slice.rows,
            previous: slice.previous,
            next: slice.next,
            hits: None,
            envelope: None,
            beside: None,
        })
    }

    /// The same page with another member beside the list.
    #[must_use]
    pub fn beside(mut self, member: &'static str, value: &Value) -> Self {
        if let Self::Page(page) = &mut self {
            page.beside = Some((member, value.to_string()));
        }
        self
    }

    /// The same list, in this member of an object.
    #[must_use]
    pub fn inside(mut self, member: Option<&'static str>) -> Self {
        match &mut self {
            Self::Value(_) => {}
            Self::List { envelope, .. } | Self::Page(Page { envelope, .. }) => *envelope = member,
        }
        self
    }
}
