//! The head of an answer, as a probe shows it.

use tap_sentry_api::request::Seen;

/// The head of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    pub status: u16,
    /// Bytes; `None`: it does not tell.
    pub content_length: Option<u64>,
}

impl From<&Seen> for Answered {
    fn from(seen: &Seen) -> Self {
        Self {
            status: seen.status,
            content_length: seen.content_length,
        }
    }
}
