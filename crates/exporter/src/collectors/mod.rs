//! One file for each collector: what it asks, and the figures that it makes of the answers.

mod client_keys;
mod events;
mod issue_events;
mod issues;
mod monitors;
mod projects;
mod release_health;

use crate::collector::Collector;
use crate::families::Families;
use crate::visit::Visit;
use tap_sentry_api::error::ApiError;

/// The figures of a collector.
///
/// # Errors
/// What kept it from having all of them, but for what concerns a single project.
pub async fn collect(collector: Collector, visit: &Visit<'_>) -> Result<Families, ApiError> {
    match collector {
        Collector::Events => events::collect(visit).await,
        Collector::Issues => issues::collect(visit).await,
        Collector::Projects => Ok(projects::collect(visit)),
        Collector::ClientKeys => client_keys::collect(visit).await,
        Collector::Monitors => monitors::collect(visit).await,
        Collector::ReleaseHealth => release_health::collect(visit).await,
        Collector::IssueEvents => issue_events::collect(visit).await,
    }
}
