//! Monitors of scheduled jobs.

use chrono::{DateTime, Utc};

#[derive(Clone, Debug)]
pub struct Monitor {
    /// A GUID.
    pub id: String,
    pub project: u64,
    pub slug: String,
    pub name: String,
    /// `active`, `disabled` or one on its way out.
    pub status: String,
    pub is_muted: bool,
    /// Name and status (`active`: none has checked in yet; `ok`, `error`, `missed_checkin`, `timeout`).
    pub environments: Vec<(String, String)>,
    pub date_created: DateTime<Utc>,
}
