//! The parts of a line that are the same for all records of an answer.

use crate::streams::{Counted, is_error};
use tap_sentry_api::time::format_instant;
use tap_sentry_api::window::Window;
use tap_sentry_json::{self as json, Document};

/// The parts of a line that are the same for all records of an answer.
#[derive(Debug)]
pub struct Frame {
    /// The record's opening bracket and the columns of the context.
    pub(super) head: String,
    /// What follows the record's last column.
    pub(super) tail: String,
    /// What all keys begin with: the stream, and the parts of the key that are columns of the context.
    pub(super) key_seed: Vec<u8>,
    pub(super) counted: Option<Counting>,
}

/// Errors are counted that were created from `start` to before `end`.
#[derive(Debug)]
pub(super) struct Counting {
    counted: Counted,
    start: String,
    end: String,
}

impl Frame {
    /// Counts the errors of a window.
    #[must_use]
    pub fn counting(self, counted: Option<(Counted, Window)>) -> Self {
        let counted = counted.map(|(counted, window)| Counting {
            counted,
            start: format_instant(window.start),
            end: format_instant(window.end),
        });
        Self { counted, ..self }
    }

    /// Whether the row is one of the errors that are counted.
    pub(super) fn counts(&self, doc: &Document<'_>, row: json::Value) -> bool {
        let Some(Counting {
            counted: Counted { kind, at },
            start,
            end,
        }) = &self.counted
        else {
            return false;
        };
        let text = |name| {
            doc.lookup(row, &[name])
                .and_then(|place| doc.scalar_text(place))
        };
        let kind = kind.iter().find_map(|name| text(name));
        // Both are UTC with `Z` in whole seconds, so their texts are in the order of time.
        kind.is_some_and(|kind| is_error(&kind))
            && text(at).is_some_and(|at| *start <= at && at < *end)
    }
}
