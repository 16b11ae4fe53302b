//! Endpoints that more than one program asks.

use crate::endpoint::{Class, Endpoint, LIST, Rows};
use crate::error::Kind;
use serde_json::Value;

/// The organizations that the token sees.
pub const ORGANIZATIONS: Endpoint = Endpoint {
    name: "organizations",
    path: "organizations/",
    offset_paged: false,
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
    rows: Rows::Object,
    class: Class::Stats,
    ..LIST
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
