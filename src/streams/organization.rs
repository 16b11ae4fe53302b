//! Organizations: not a stream, but what every stream is read for.

use crate::streams::def::{FULL_TABLE, Parent, StreamDef};
use tap_sentry_api::endpoints;
use tap_sentry_api::params::ORGANIZATION;

/// What an organization tells the streams below it.
pub const OF_AN_ORGANIZATION: Parent = Parent {
    stream: "organizations",
    bind: &[(ORGANIZATION, &["slug"])],
};

/// How the organizations of a token are found when none is configured; not a stream.
pub static ORGANIZATIONS: StreamDef = StreamDef {
    endpoint: endpoints::ORGANIZATIONS,
    columns: &[],
    ..FULL_TABLE
};
