//! What is asked for in a dialect, beside what is asked for in all of them.

use crate::dialect::Dialect;
use chrono::TimeDelta;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub dialect: Dialect,
    /// Italux: up to which ages issues are counted, the least first.
    pub ages: Vec<Age>,
    /// Maggotmouth: which counts of a project are shown, of [`QUERIES`].
    pub queries: Vec<&'static str>,
    /// Maggotmouth: slugs of the teams whose projects are shown; empty: all.
    pub teams: Vec<String>,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            dialect: Dialect::default(),
            ages: Age::ALL.to_vec(),
            queries: QUERIES.to_vec(),
            teams: Vec::new(),
        }
    }
}

/// What a project's events are counted by.
pub const QUERIES: [&str; 4] = ["received", "rejected", "blacklisted", "generated"];

/// An age of issues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Age {
    Hour,
    Day,
    Fortnight,
}

impl Age {
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Fortnight];

    /// As the label `le` has it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Fortnight => "+Inf",
        }
    }

    pub fn length(self) -> TimeDelta {
        match self {
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::hours(24),
            Self::Fortnight => TimeDelta::days(14),
        }
    }

    /// How Sentry is asked for issues that are not older.
    pub fn query(self) -> &'static str {
        match self {
            Self::Hour => "age:-1h",
            Self::Day => "age:-24h",
            Self::Fortnight => "age:-14d",
        }
    }
}
