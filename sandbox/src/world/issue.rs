//! Issues, and their numbers over a window.

use crate::seconds::Seconds;
use crate::synthetic::Synthetic;
use crate::world::event::{Event, EventRef};
use serde_json::Value;
use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Unresolved,
    Resolved,
    Ignored,
    Reprocessing,
    PendingDeletion,
    DeletionInProgress,
    PendingMerge,
}

impl Status {
    /// Whether lists and details know issues of this status.
    pub fn visible(self) -> bool {
        !matches!(
            self,
            Self::PendingDeletion | Self::DeletionInProgress | Self::PendingMerge
        )
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Unresolved => "unresolved",
            Self::Resolved => "resolved",
            Self::Ignored => "ignored",
            Self::Reprocessing => "reprocessing",
            Self::PendingDeletion | Self::DeletionInProgress => "pending_deletion",
            Self::PendingMerge => "pending_merge",
        }
    }
}

/// What sort of problem an issue is; decides which searches see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    pub issue_type: &'static str,
    pub category: &'static str,
    /// The `type` of the record and of its events.
    pub event_type: &'static str,
    /// Absent from searches that name neither a type nor a category.
    pub hidden: bool,
}

impl Kind {
    pub const ERROR: Self = Self::new("error", "error", "error", false);
    pub const MESSAGE: Self = Self::new("error", "error", "default", false);
    pub const CSP: Self = Self::new("error", "error", "csp", false);
    pub const PERFORMANCE: Self = Self::new(
        "performance_n_plus_one_db_queries",
        "performance",
        "transaction",
        false,
    );
    pub const CRON: Self = Self::new("monitor_check_in_failure", "cron", "generic", false);
    pub const OUTAGE: Self = Self::new("uptime_domain_failure", "outage", "generic", false);
    pub const FEEDBACK: Self = Self::new("feedback", "feedback", "feedback", true);
    pub const EXPERIMENT: Self =
        Self::new("query_injection_vulnerability", "db_query", "generic", true);

    const fn new(
        issue_type: &'static str,
        category: &'static str,
        event_type: &'static str,
        hidden: bool,
    ) -> Self {
        Self {
            issue_type,
            category,
            event_type,
            hidden,
        }
    }

    /// Errors live in another store than the rest: project events know only errors.
    pub fn is_error(&self) -> bool {
        self.category == "error"
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignee {
    User(u64),
    Team(u64),
}

/// What issue detail says about the first and last release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReleaseForm {
    None,
    VersionOnly(String),
    Full(String),
}

#[derive(Clone, Debug)]
pub struct Issue {
    pub id: u64,
    pub project: u64,
    pub short_id: String,
    pub title: String,
    pub culprit: Option<String>,
    pub logger: Option<String>,
    pub level: String,
    pub platform: Option<String>,
    pub kind: Kind,
    pub status: Status,
    pub substatus: Option<String>,
    pub status_details: Value,
    pub priority: Option<String>,
    pub assignee: Option<Assignee>,
    /// `(displayName, url)`.
    pub annotations: Vec<(String, String)>,
    pub metadata: Value,
    pub comments: u64,
    pub unhandled: bool,
    pub first_release: ReleaseForm,
    pub events: Vec<Event>,
    /// Events that are computed when asked for, beside the stored ones.
    pub synthetic: Option<Synthetic>,
}

/// Numbers of an issue over a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub count: u64,
    pub users: u64,
    pub first: i64,
    pub last: i64,
}

impl Issue {
    /// Events in the window, in no order.
    pub fn events_in(&self, window: Seconds) -> impl Iterator<Item = EventRef<'_>> {
        let stored = self
            .events
            .iter()
            .filter(move |event| window.holds(event.second()))
            .map(EventRef::Stored);
        let synthetic = self.synthetic.iter().flat_map(move |synthetic| {
            synthetic
                .range(window)
                .map(move |index| EventRef::Synthetic(synthetic, index))
        });
        stored.chain(synthetic)
    }

    pub fn count_in(&self, window: Seconds) -> u64 {
        let stored = self
            .events
            .iter()
            .filter(|event| window.holds(event.second()))
            .count();
        let synthetic = self.synthetic.as_ref().map_or(0, |synthetic| {
            let range = synthetic.range(window);
            range.end - range.start
        });
        stored as u64 + synthetic
    }

    /// `None` without an event in the window (and, if asked, in the environments).
    pub fn seen(&self, window: Seconds, environments: &[String]) -> Option<Seen> {
        let mut seen: Option<Seen> = None;
        let mut users = BTreeSet::new();
        let mut note = |count: u64, first: i64, last: i64| {
            let seen = seen.get_or_insert(Seen {
                first,
                last,
                ..Seen::default()
            });
            seen.count += count;
            seen.first = seen.first.min(first);
            seen.last = seen.last.max(last);
        };
        for event in &self.events {
            if window.holds(event.second()) && event.in_environments(environments) {
                note(1, event.second(), event.second());
                if let Some(id) = event.user.as_ref().and_then(|user| user.get("id")) {
                    users.insert(id.to_string());
                }
            }
        }
        let mut more_users = 0;
        if let Some(synthetic) = &self.synthetic
            && environments.iter().all(|name| name == "production")
        {
            let range = synthetic.range(window);
            if !range.is_empty() {
                note(
                    range.end - range.start,
                    synthetic.second(range.start),
                    synthetic.second(range.end - 1),
                );
                more_users = (range.end - range.start).min(97);
            }
        }
        seen.map(|seen| Seen {
            users: users.len() as u64 + more_users,
            ..seen
        })
    }

    pub fn event_count(&self) -> u64 {
        self.events.len() as u64
            + self
                .synthetic
                .as_ref()
                .map_or(0, |synthetic| synthetic.count)
    }
}
