//! Rows of answers, as far as figures are made of them.

use chrono::{DateTime, Utc};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A whole number that is written as text. What is none makes the answer wrong: nothing of it vanishes in silence.
fn number<'de, D: Deserializer<'de>>(value: D) -> Result<u64, D::Error> {
    let text = String::deserialize(value)?;
    let number = text.parse();
    number.map_err(|_| D::Error::custom(format!("expected a number as text, not {text:?}")))
}

/// A row of the projects.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Project {
    #[serde(deserialize_with = "number")]
    pub id: u64,
    pub slug: String,
    #[serde(default)]
    pub name: String,
    pub platform: Option<String>,
    /// Those that are not hidden, where the answer tells them.
    pub environments: Option<Vec<String>>,
    #[serde(default)]
    pub teams: Vec<Team>,
    /// The token may read what is in it.
    #[serde(default = "yes")]
    pub has_access: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, Deserialize)]
pub struct Team {
    pub slug: String,
}

/// An answer of statistics.
#[derive(Debug, Deserialize)]
pub struct Outcomes {
    pub groups: Vec<OutcomeGroup>,
}

#[derive(Debug, Deserialize)]
pub struct OutcomeGroup {
    pub by: OutcomeKey,
    pub totals: Quantity,
}

#[derive(Debug, Deserialize)]
pub struct OutcomeKey {
    /// A number, where other answers have a text.
    pub project: u64,
    pub category: String,
    pub outcome: String,
    /// `None` and `none` are the same.
    pub reason: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Quantity {
    #[serde(rename = "sum(quantity)")]
    pub quantity: u64,
}

/// A row of the issues.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Issue {
    #[serde(deserialize_with = "number")]
    pub id: u64,
    pub short_id: String,
    pub level: String,
    /// Events in the window.
    #[serde(deserialize_with = "number")]
    pub count: u64,
    /// In the window.
    pub first_seen: DateTime<Utc>,
    pub lifetime: Option<Lifetime>,
    /// Absent on servers before 2023.
    #[serde(default, deserialize_with = "there")]
    pub substatus: Option<Value>,
    pub project: IssueProject,
}

/// Tells what is `null` from what is absent.
fn there<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

#[derive(Debug, Clone, Deserialize)]
pub struct IssueProject {
    #[serde(deserialize_with = "number")]
    pub id: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lifetime {
    pub first_seen: Option<DateTime<Utc>>,
}

impl Issue {
    /// Ever, where the answer tells it.
    pub fn first_seen_ever(&self) -> DateTime<Utc> {
        let lifetime = self.lifetime.as_ref();
        let ever = lifetime.and_then(|lifetime| lifetime.first_seen);
        ever.unwrap_or(self.first_seen)
    }
}

/// A row of any search for issues.
pub trait IssueRow: DeserializeOwned {
    fn id(&self) -> u64;
    /// The id of its project.
    fn project(&self) -> u64;
}

macro_rules! issue_rows {
    ($($row:ty),*) => {
        $(impl IssueRow for $row {
            fn id(&self) -> u64 {
                self.id
            }

            fn project(&self) -> u64 {
                self.project.id
            }
        })*
    };
}

issue_rows!(Issue, RecentIssue, OpenIssue);

/// A row of the issues, as italux shows it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecentIssue {
    #[serde(deserialize_with = "number")]
    pub id: u64,
    pub logger: Option<String>,
    pub level: Option<String>,
    pub status: String,
    pub platform: Option<String>,
    /// Events in the window and the environment.
    #[serde(deserialize_with = "number")]
    pub count: u64,
    /// In the environment.
    pub first_seen: DateTime<Utc>,
    pub last_seen: DateTime<Utc>,
    pub is_unhandled: Option<bool>,
    pub project: IssueProject,
}

/// A row of the issues, as ujamii shows it.
#[derive(Debug, Clone, Deserialize)]
pub struct OpenIssue {
    #[serde(deserialize_with = "number")]
    pub id: u64,
    pub logger: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub permalink: Option<String>,
    pub level: Option<String>,
    /// Events in the window.
    #[serde(deserialize_with = "number")]
    pub count: u64,
    pub project: IssueProject,
}

/// A row of the environments.
#[derive(Debug, Deserialize)]
pub struct Environment {
    pub name: String,
}

/// The newest release of an issue.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CurrentRelease {
    pub current_release: Option<SeenRelease>,
}

#[derive(Debug, Deserialize)]
pub struct SeenRelease {
    pub release: Release,
}

/// A row of the client keys, without its secrets.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    pub id: String,
    pub project_id: u64,
    pub rate_limit: Option<KeyLimit>,
}

#[derive(Debug, Deserialize)]
pub struct KeyLimit {
    /// Seconds.
    pub window: u64,
    pub count: u64,
}

/// A row of the monitors.
#[derive(Debug, Deserialize)]
pub struct Monitor {
    pub id: String,
    pub status: String,
    pub project: IssueProject,
    #[serde(default)]
    pub environments: Vec<MonitorEnvironment>,
}

#[derive(Debug, Deserialize)]
pub struct MonitorEnvironment {
    pub status: String,
}

/// A row of the releases.
#[derive(Debug, Deserialize)]
pub struct Release {
    pub version: String,
}

/// An answer of sessions.
#[derive(Debug, Deserialize)]
pub struct Sessions {
    pub groups: Vec<SessionGroup>,
}

#[derive(Debug, Deserialize)]
pub struct SessionGroup {
    pub by: SessionKey,
    pub totals: SessionTotals,
}

#[derive(Debug, Deserialize)]
pub struct SessionKey {
    pub project: u64,
    pub release: String,
}

#[derive(Debug, Deserialize)]
pub struct SessionTotals {
    #[serde(rename = "sum(session)")]
    pub sessions: u64,
    /// A share; `None` without sessions.
    #[serde(rename = "crash_free_rate(session)")]
    pub crash_free_sessions: Option<f64>,
    #[serde(rename = "crash_free_rate(user)")]
    pub crash_free_users: Option<f64>,
}
