//! How it stands with a server: what the latest refresh has brought, and what failed and why.

use crate::families::Families;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tap_sentry_api::traffic::Answers;

/// What a refresh has brought of one server.
#[derive(Debug, Clone)]
pub struct ServerResult {
    /// Its label, where there are several.
    pub server: Option<String>,
    /// Requests that have succeeded and others, in a dialect that shows them.
    pub calls: Option<[u64; 2]>,
    /// Why there are no organizations.
    pub problem: Option<String>,
    pub organizations: Vec<OrganizationResult>,
}

/// What a refresh has brought of one organization.
#[derive(Debug, Clone)]
pub struct OrganizationResult {
    /// The slug.
    pub organization: String,
    /// What this refresh has read, and nothing older. No two of them have a series in common.
    pub families: Vec<Arc<Families>>,
    /// Its projects could be read, and no collector failed.
    pub is_complete: bool,
    /// Slugs of projects that could not be read, though the others could.
    pub left_out: Vec<String>,
}

/// One server.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its label, where there are several.
    pub server: Option<String>,
    pub address: String,
    /// `None` before the first has ended.
    pub latest: Option<Refresh>,
    /// Why there are no organizations.
    pub problem: Option<String>,
    pub organizations: Vec<Organization>,
}

/// The latest refresh.
#[derive(Debug, Clone, Copy)]
pub struct Refresh {
    /// Since it began.
    pub age: Duration,
    pub took: Duration,
    /// The projects of every organization could be read.
    pub is_complete: bool,
}

/// One organization.
#[derive(Debug, Clone)]
pub struct Organization {
    pub slug: String,
    /// Why its projects could not be read.
    pub problem: Option<String>,
    pub collectors: Vec<Collector>,
    /// Projects that were left out, by their slugs, and why.
    pub left_out: BTreeMap<String, String>,
    /// Requests about it, and what is left of its rate limits.
    pub answers: Answers,
}

/// A collector's latest attempt.
#[derive(Debug, Clone)]
pub struct Collector {
    pub name: &'static str,
    /// Why it failed.
    pub problem: Option<String>,
    /// Of the values that are shown; `None`: none are.
    pub age: Option<Duration>,
    pub took: Duration,
}
