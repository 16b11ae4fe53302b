//! Numbers of unresolved issues.

use crate::families::Families;
use crate::figures::{ISSUES_TRUNCATED, NEW_ISSUES, REGRESSED_ISSUES, UNRESOLVED_ISSUES};
use crate::visit::Visit;
use chrono::TimeDelta;
use std::collections::BTreeSet;
use tap_sentry_api::error::ApiError;

/// How long an issue is new.
const NEW: TimeDelta = TimeDelta::hours(24);

pub async fn collect(visit: &Visit<'_>) -> Result<Families, ApiError> {
    let unresolved = visit.unresolved().await?;
    let issues = &unresolved.issues;
    let mut families = Families::default();
    // Old servers do not tell what has regressed: then nothing is said of it.
    let tells = issues.is_empty() || issues.iter().any(|issue| issue.substatus.is_some());
    let figures = [&UNRESOLVED_ISSUES, &NEW_ISSUES, &REGRESSED_ISSUES];
    let figures = &figures[..if tells { 3 } else { 2 }];
    // Each figure has every level that the project has, and errors always, so that series come and go less.
    let mut rows: BTreeSet<(&str, &str)> = visit
        .readable()
        .filter(|(id, _)| !unresolved.left_out.contains(id))
        .map(|(_, project)| (project.slug.as_str(), "error"))
        .collect();
    rows.extend(issues.iter().filter_map(|issue| {
        let slug = visit.slug(issue.project.id)?;
        Some((slug, issue.level.as_str()))
    }));
    for (slug, level) in rows {
        for figure in figures {
            families.set(figure, &[visit.organization, slug, level], 0_u64);
        }
    }
    for issue in issues {
        let Some(slug) = visit.slug(issue.project.id) else {
            continue;
        };
        let labels = [visit.organization, slug, issue.level.as_str()];
        families.add(&UNRESOLVED_ISSUES, &labels, 1);
        if issue.first_seen_ever() > visit.now - NEW {
            families.add(&NEW_ISSUES, &labels, 1);
        }
        if issue.substatus.as_ref().is_some_and(|is| is == "regressed") {
            families.add(&REGRESSED_ISSUES, &labels, 1);
        }
    }
    let cut = unresolved.truncated;
    families.set(&ISSUES_TRUNCATED, &[visit.organization], cut);
    Ok(families)
}
