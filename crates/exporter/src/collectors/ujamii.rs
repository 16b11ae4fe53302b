//! The figures of ujamii/prometheus-sentry-exporter.

use crate::endpoints::UNRESOLVED_SEARCH;
use crate::families::Families;
use crate::figures::ISSUES_TRUNCATED;
use crate::old_figures::UJAMII_OPEN;
use crate::rows::OpenIssue;
use crate::visit::{Search, Visit};
use tap_sentry_api::error::ApiError;

/// Unresolved issues, one by one.
pub async fn issues(visit: &Visit<'_>) -> Result<Families, ApiError> {
    let search = Search {
        endpoints: &UNRESOLVED_SEARCH,
        more: Vec::new(),
    };
    let projects = visit.readable().map(|(id, _)| id).collect();
    let found = visit.search::<OpenIssue>(&search, &projects).await?;
    let mut families = Families::default();
    for issue in found.issues {
        let Some(project) = visit.projects.get(&issue.project.id) else {
            continue;
        };
        let logger = issue.logger.as_deref().filter(|logger| !logger.is_empty());
        let labels = [
            &project.slug,
            &project.name,
            logger.unwrap_or("unknown"),
            issue.kind.as_deref().unwrap_or_default(),
            issue.permalink.as_deref().unwrap_or_default(),
            issue.level.as_deref().unwrap_or_default(),
        ];
        families.set(&UJAMII_OPEN, &labels, issue.count);
    }
    families.set(&ISSUES_TRUNCATED, &[visit.organization], found.truncated);
    Ok(families)
}
