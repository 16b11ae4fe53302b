//! Exceptions that a span recorded after one below it had: an exception passes the inner spans first, and SDKs end them first,
//! so that most doubles are known before an error is made of them.

use crate::errors::same::{Place, SpanId, TraceId, What, Whats};
use foldhash::HashSet;

/// What spans of a request recorded, by the span above each.
#[derive(Debug, Default)]
pub struct Outer {
    whats: Whats,
    above: HashSet<(TraceId, SpanId, What)>,
}

impl Outer {
    /// Whether a span directly below that one recorded the same, so that the error is that span's or one's further below.
    /// Of all that record the same, the first to be asked for is none.
    pub fn is_one(&mut self, place: Place, kind: &str, message: &str) -> bool {
        let what = self.whats.of(kind, message);
        let is_one = self.above.contains(&(place.trace, place.span, what));
        if let Some(parent) = place.parent {
            self.above.insert((place.trace, parent, what));
        }
        is_one
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.above.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(trace: u8, span: u8, parent: u8) -> Place {
        Place {
            trace: [trace; 16],
            span: [span; 8],
            parent: (parent > 0).then_some([parent; 8]),
        }
    }

    #[test]
    fn what_passed_an_inner_span_is_its() {
        let mut outer = Outer::default();
        assert!(!outer.is_one(place(1, 3, 2), "E", "x"));
        assert!(outer.is_one(place(1, 2, 1), "E", "x"));
        assert!(outer.is_one(place(1, 1, 0), "E", "x"));
        assert!(!outer.is_one(place(1, 1, 0), "E", "y"), "another message");
        assert!(!outer.is_one(place(2, 2, 1), "E", "x"), "another trace");
        assert!(!outer.is_one(place(1, 9, 1), "E", "x"), "beside it");
        outer.clear();
        assert!(!outer.is_one(place(1, 1, 0), "E", "x"));
    }

    #[test]
    fn one_is_left_of_spans_that_are_above_each_other() {
        let mut outer = Outer::default();
        let found = [place(1, 1, 2), place(1, 2, 1)].map(|place| outer.is_one(place, "E", "x"));
        assert_eq!(found, [false, true]);
        assert!(!outer.is_one(place(1, 3, 3), "E", "x"));
    }
}
