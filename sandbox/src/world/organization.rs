//! What belongs to the organization itself: projects, teams, people and releases.

use chrono::{DateTime, Utc};

#[derive(Clone, Debug)]
pub struct Organization {
    pub id: u64,
    pub slug: String,
    pub name: String,
    pub date_created: DateTime<Utc>,
    /// Members may see projects of teams they are not in.
    pub open_membership: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectStatus {
    Active,
    PendingDeletion,
}

#[derive(Clone, Debug)]
pub struct Project {
    pub id: u64,
    pub slug: String,
    pub name: String,
    pub platform: Option<String>,
    pub date_created: DateTime<Utc>,
    pub teams: Vec<u64>,
    /// Slugs it had before: asking for one is a redirect.
    pub former_slugs: Vec<String>,
    pub status: ProjectStatus,
}

#[derive(Clone, Debug)]
pub struct Team {
    pub id: u64,
    pub slug: String,
    pub name: String,
    pub date_created: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub struct User {
    pub id: u64,
    pub name: String,
    pub email: String,
    pub date_joined: DateTime<Utc>,
    pub last_login: Option<DateTime<Utc>>,
    pub active: bool,
}

#[derive(Clone, Debug)]
pub struct Member {
    pub id: u64,
    /// `None`: invited, not arrived.
    pub user: Option<u64>,
    pub email: String,
    pub role: String,
    pub teams: Vec<u64>,
    pub date_created: DateTime<Utc>,
    pub inviter: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseStatus {
    Open,
    Archived,
}

#[derive(Clone, Debug)]
pub struct Release {
    pub id: u64,
    pub version: String,
    pub status: ReleaseStatus,
    pub date_created: DateTime<Utc>,
    pub date_released: Option<DateTime<Utc>>,
    pub projects: Vec<u64>,
    pub commit_count: u64,
    pub deploy_count: u64,
    pub new_groups: u64,
    pub authors: Vec<u64>,
}
