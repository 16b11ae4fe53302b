//! Spans of time as the event store compares them.

use chrono::{DateTime, Utc};

/// Half-open, in whole seconds, as the event store compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds {
    pub from: i64,
    pub to: i64,
}

impl Seconds {
    pub const ALL: Self = Self {
        from: i64::MIN,
        to: i64::MAX,
    };

    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        Self {
            from: start.timestamp(),
            to: end.timestamp(),
        }
    }

    pub fn holds(self, second: i64) -> bool {
        self.from <= second && second < self.to
    }
}
