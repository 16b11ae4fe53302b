//! The server's clock, as its answers show it.

use axum::http::{HeaderName, header};
use chrono::{TimeDelta, Utc};

/// What answers say of the time. The data has a clock of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Date {
    /// That of the machine.
    Own,
    /// So many seconds later than that.
    Shifted(i64),
    /// The same, of answers that a cache has kept.
    Aged(i64),
    /// Shifted, but that a cache has kept the list of projects.
    ProjectsAged(i64),
    /// A header that is no date.
    Unreadable,
}

impl Date {
    pub(crate) fn headers(self, path: &str) -> Vec<(HeaderName, String)> {
        let shifted = |seconds: i64| {
            (Utc::now() + TimeDelta::seconds(seconds))
                .format("%a, %d %b %Y %H:%M:%S GMT")
                .to_string()
        };
        match self {
            Self::Own => Vec::new(),
            Self::Shifted(seconds) => vec![(header::DATE, shifted(seconds))],
            Self::Aged(seconds) => vec![
                (header::DATE, shifted(seconds)),
                (header::AGE, seconds.unsigned_abs().to_string()),
            ],
            Self::ProjectsAged(seconds) if path.ends_with("/projects/") => {
                Self::Aged(seconds).headers(path)
            }
            Self::ProjectsAged(seconds) => Self::Shifted(seconds).headers(path),
            Self::Unreadable => vec![(header::DATE, "yesterday".to_owned())],
        }
    }
}
