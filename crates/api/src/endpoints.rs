//! Endpoints that more than one program asks.

use crate::endpoint::{Class, Endpoint, LIST, Rows};

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
