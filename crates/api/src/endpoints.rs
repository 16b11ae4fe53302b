//! Endpoints that more than one program asks.

use crate::endpoint::{Class, Endpoint, LIST, OBJECT, Rows};
use crate::error::Kind;
use serde_json::Value;

/// The organizations that the token sees.
pub const ORGANIZATIONS: Endpoint = Endpoint {
    name: "organizations",
    path: "organizations/",
    offset_paged: false,
    ..LIST
};

/// The projects of an organization that the token sees.
pub const PROJECTS: Endpoint = Endpoint {
    name: "projects",
    path: "organizations/{organization_slug}/projects/",
    query: &[("collapse", "unusedFeatures")],
    ..LIST
};

/// The teams of an organization.
pub const TEAMS: Endpoint = Endpoint {
    name: "teams",
    path: "organizations/{organization_slug}/teams/",
    scopes: &["org:read", "team:read"],
    ..LIST
};

/// The client keys of a project. Rows hold secrets.
pub const PROJECT_KEYS: Endpoint = Endpoint {
    name: "client keys",
    path: "projects/{organization_slug}/{project_id}/keys/",
    class: Class::Keys,
    scopes: &["project:read"],
    ..LIST
};

/// The issues of one project or of several, the latest first. An empty `groupStatsPeriod` leaves out 24 points of sparkline an issue;
/// `collapse=stats` or `lifetime` would strip the totals and the last activity. Without `query` only unresolved issues
/// are listed.
pub const ISSUES: Endpoint = Endpoint {
    name: "issues",
    path: "organizations/{organization_slug}/issues/",
    query: &[
        ("project", "{projects}"),
        ("sort", "date"),
        ("groupStatsPeriod", ""),
        ("collapse", "filtered"),
    ],
    rows: Rows::Pages { size: "limit" },
    offset_paged: false,
    scopes: &["event:read"],
    ..LIST
};

/// Errors that the ingestion of a project accepted, by the hour. `start` and `end` are to be added.
pub static ACCEPTED_ERRORS: Endpoint = Endpoint {
    name: "stats_v2",
    path: "organizations/{organization_slug}/stats_v2/",
    query: &[
        ("project", "{project_id}"),
        ("field", "sum(quantity)"),
        ("groupBy", "outcome"),
        ("category", "error"),
        ("outcome", "accepted"),
        ("interval", "1h"),
    ],
    class: Class::Stats,
    ..OBJECT
};

/// The sum of all groups of an answer of [`ACCEPTED_ERRORS`].
///
/// # Errors
/// When it is no such answer.
pub fn total_quantity(body: &[u8]) -> Result<u64, Kind> {
    let body: Value = serde_json::from_slice(body).map_err(|e| Kind::Body(e.to_string()))?;
    let groups = body.get("groups").and_then(Value::as_array);
    let groups = groups.ok_or_else(|| Kind::Body("expected `groups`".to_owned()))?;
    let quantity = |group: &Value| {
        let sum = group.pointer("/totals/sum(quantity)");
        sum.and_then(Value::as_u64).unwrap_or(0)
    };
    Ok(groups.iter().map(quantity).sum())
}
