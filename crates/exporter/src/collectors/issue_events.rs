//! Events of single issues: those with most, up to a limit.

use crate::families::Families;
use crate::figures::{ISSUE_EVENTS, ISSUE_SERIES_LIMIT, ISSUE_SERIES_TRUNCATED};
use crate::rows::Issue;
use crate::visit::Visit;
use std::cmp::Reverse;
use tap_sentry_api::error::ApiError;

pub async fn collect(visit: &Visit<'_>) -> Result<Families, ApiError> {
    let unresolved = visit.unresolved().await?;
    let mut issues: Vec<&Issue> = unresolved.issues.iter().collect();
    // Of equal counts the older issue: the same cut whenever the same issues are read.
    issues.sort_by_key(|issue| (Reverse(issue.count), issue.id));
    let most = visit.bounds.issue_series;
    let cut = unresolved.truncated || issues.len() > most;
    let mut families = Families::default();
    for issue in issues.into_iter().take(most) {
        if let Some(slug) = visit.slug(issue.project.id) {
            let labels = [visit.organization, slug, &issue.short_id, &issue.level];
            families.set(&ISSUE_EVENTS, &labels, issue.count);
        }
    }
    families.set(&ISSUE_SERIES_LIMIT, &[visit.organization], most);
    families.set(&ISSUE_SERIES_TRUNCATED, &[visit.organization], cut);
    Ok(families)
}
