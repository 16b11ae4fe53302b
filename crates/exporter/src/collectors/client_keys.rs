//! Rate limits of client keys.

use crate::endpoints::{KEYS, PROJECT_KEYS};
use crate::families::Families;
use crate::figures::{KEY_LIMIT_EVENTS, KEY_LIMIT_WINDOW};
use crate::rows::Key;
use crate::visit::{Visit, all, lacks};
use tap_sentry_api::error::ApiError;

/// The keys, of each project the newest first.
pub async fn keys(visit: &Visit<'_>) -> Result<Vec<Key>, ApiError> {
    let keys: Result<Vec<Key>, _> = all(visit.client, &KEYS, visit.place(), Vec::new()).await;
    match keys {
        Err(error) if lacks(&error) => of_projects(visit).await,
        keys => keys,
    }
}

pub async fn collect(visit: &Visit<'_>) -> Result<Families, ApiError> {
    let mut families = Families::default();
    for key in keys(visit).await? {
        let (Some(slug), Some(limit)) = (visit.slug(key.project_id), key.rate_limit) else {
            continue;
        };
        let labels = [visit.organization, slug, &key.id];
        families.set(&KEY_LIMIT_EVENTS, &labels, limit.count);
        families.set(&KEY_LIMIT_WINDOW, &labels, limit.window);
    }
    Ok(families)
}

async fn of_projects(visit: &Visit<'_>) -> Result<Vec<Key>, ApiError> {
    let lists = visit
        .of_each(|place| all::<Key>(visit.client, &PROJECT_KEYS, place, Vec::new()))
        .await?;
    Ok(lists.into_iter().flat_map(|(_, keys)| keys).collect())
}
