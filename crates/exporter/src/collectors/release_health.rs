//! How well the newest releases do.

use crate::endpoints::{NEWEST_RELEASES, SESSIONS};
use crate::families::Families;
use crate::figures::{CRASH_FREE_SESSIONS, CRASH_FREE_USERS, RELEASE_SESSIONS};
use crate::rows::{Release, Sessions};
use crate::visit::{Visit, one};
use std::collections::BTreeSet;
use tap_sentry_api::error::ApiError;
use tap_sentry_api::request::Request;

pub async fn collect(visit: &Visit<'_>) -> Result<Families, ApiError> {
    let mut families = Families::default();
    if visit.readable().next().is_none() {
        return Ok(families);
    }
    let most = visit.bounds.releases.to_string();
    let newest = Request::new(&NEWEST_RELEASES, visit.place()).with([("per_page", most)]);
    let sessions = Request::new(&SESSIONS, visit.place());
    let (newest, sessions): (Vec<Release>, Sessions) =
        tokio::try_join!(one(visit.client, newest), one(visit.client, sessions))?;
    let newest: BTreeSet<&str> = newest.iter().map(|one| one.version.as_str()).collect();
    for group in &sessions.groups {
        let (by, totals) = (&group.by, &group.totals);
        let Some(slug) = visit
            .slug(by.project)
            .filter(|_| newest.contains(by.release.as_str()))
        else {
            continue;
        };
        let labels = [visit.organization, slug, &by.release];
        families.set(&RELEASE_SESSIONS, &labels, totals.sessions);
        let rates = [
            (&CRASH_FREE_SESSIONS, totals.crash_free_sessions),
            (&CRASH_FREE_USERS, totals.crash_free_users),
        ];
        for (figure, rate) in rates {
            if let Some(rate) = rate {
                families.set(figure, &labels, rate);
            }
        }
    }
    Ok(families)
}
