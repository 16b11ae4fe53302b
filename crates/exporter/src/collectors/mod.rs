//! One file for each collector: what it asks, and the figures that it makes of the answers.

mod client_keys;
mod events;
mod issue_events;
mod issues;
mod italux;
mod maggotmouth;
mod monitors;
mod projects;
mod release_health;
mod ujamii;

use crate::collector::Collector;
use crate::dialect::Dialect;
use crate::families::Families;
use crate::visit::Visit;
use tap_sentry_api::error::ApiError;

/// The figures of a collector.
///
/// # Errors
/// What kept it from having all of them, but for what concerns a single project.
pub async fn collect(collector: Collector, visit: &Visit<'_>) -> Result<Families, ApiError> {
    match (visit.asked.dialect, collector) {
        (Dialect::Italux, Collector::Events) => italux::events(visit).await,
        (Dialect::Italux, Collector::Issues) => italux::issues(visit).await,
        (Dialect::Italux, Collector::ClientKeys) => italux::limits(visit).await,
        (Dialect::Maggotmouth, Collector::Events) => maggotmouth::events(visit).await,
        (Dialect::Maggotmouth, Collector::Projects) => Ok(maggotmouth::projects(visit)),
        (Dialect::Ujamii, Collector::IssueEvents) => ujamii::issues(visit).await,
        (_, Collector::Events) => events::collect(visit).await,
        (_, Collector::Issues) => issues::collect(visit).await,
        (_, Collector::Projects) => Ok(projects::collect(visit)),
        (_, Collector::ClientKeys) => client_keys::collect(visit).await,
        (_, Collector::Monitors) => monitors::collect(visit).await,
        (_, Collector::ReleaseHealth) => release_health::collect(visit).await,
        (_, Collector::IssueEvents) => issue_events::collect(visit).await,
    }
}
