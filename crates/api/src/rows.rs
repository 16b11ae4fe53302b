//! Rows as programs use them that want figures and not records: what is the same on all servers since 2020.

use chrono::{DateTime, Utc};
use serde::Deserialize;

/// A row of [`crate::endpoints::ORGANIZATIONS`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Organization {
    pub id: String,
    pub slug: String,
    pub name: String,
}

/// A row of [`crate::endpoints::PROJECTS`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Project {
    pub id: String,
    pub slug: String,
    pub name: String,
    /// Such as `python`; `None` until an event tells it.
    pub platform: Option<String>,
}

/// A row of [`crate::endpoints::TEAMS`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Team {
    pub id: String,
    pub slug: String,
}

/// A row of [`crate::endpoints::ISSUES`]. The numbers are those of the window that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Issue {
    pub id: String,
    pub short_id: String,
    pub title: String,
    /// `unresolved`, `resolved` or `ignored`.
    pub status: String,
    /// `fatal`, `error`, `warning`, `info`, `debug` or `sample`.
    pub level: String,
    /// Events; a number as text.
    pub count: String,
    pub user_count: u64,
    pub last_seen: DateTime<Utc>,
}
