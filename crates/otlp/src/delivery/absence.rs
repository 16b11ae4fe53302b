//! A project that is not there, and until when what is for it waits.

use std::time::Duration;
use tokio::time::Instant;

/// Since when a project is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absence {
    /// When that was found first: what had been waiting for long by then has waited for something else.
    pub found: Instant,
    /// When it was looked for last.
    pub looked: Instant,
}

impl Absence {
    /// Found missing now.
    pub fn begun() -> Self {
        let now = Instant::now();
        Self {
            found: now,
            looked: now,
        }
    }

    /// Looked for again, and still not there.
    #[must_use]
    pub fn again(self) -> Self {
        Self {
            looked: Instant::now(),
            ..self
        }
    }

    /// When what came at that time has waited for so long; none: never.
    pub fn end(self, since: Instant, age: Duration) -> Option<Instant> {
        since.max(self.found).checked_add(age)
    }
}
