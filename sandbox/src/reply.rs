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
    List { rows: Vec<String>, direct_hit: bool },
}

/// Rows are JSON texts already, so a large page costs one concatenation.
#[derive(Debug)]
pub struct Page {
    pub rows: Vec<String>,
    pub previous: Link,
    pub next: Link,
    /// An estimate, capped.
    pub hits: Option<usize>,
}

impl Reply {
    pub fn value(value: &Value) -> Self {
        Self::Value(value.to_string())
    }

    pub fn list(rows: Vec<String>) -> Self {
        Self::List {
            rows,
            direct_hit: false,
        }
    }

    pub fn page(slice: Slice<String>) -> Self {
        Self::Page(Page {
            rows: slice.rows,
            previous: slice.previous,
            next: slice.next,
            hits: None,
        })
    }
}
