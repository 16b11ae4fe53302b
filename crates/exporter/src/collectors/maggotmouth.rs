//! The figures of MaggotMouth/sentry-exporter.

use crate::endpoints::FINE_STATS;
use crate::families::Families;
use crate::old_figures::{MAGGOTMOUTH_ERRORS, MAGGOTMOUTH_INFO};
use crate::visit::{Visit, one};
use tap_sentry_api::error::ApiError;
use tap_sentry_api::request::Request;

/// Seconds of a point of statistics.
const POINT: i64 = 10;
/// Seconds that are added up.
const WINDOW: i64 = 300;

/// Which teams have which projects.
pub fn projects(visit: &Visit<'_>) -> Families {
    let mut families = Families::default();
    let wanted = &visit.asked.teams;
    for project in visit.projects.values() {
        for team in &project.teams {
            if wanted.is_empty() || wanted.contains(&team.slug) {
                let labels = [visit.organization, &team.slug, &project.slug];
                families.set(&MAGGOTMOUTH_INFO, &labels, true);
            }
        }
    }
    families
}

/// Errors of the last full 5 minutes.
pub async fn events(visit: &Visit<'_>) -> Result<Families, ApiError> {
    let now = visit.now.timestamp();
    // The point that is under way is not complete.
    let until = now - now.rem_euclid(POINT) - POINT;
    let since = until - (WINDOW - POINT);
    let counts = visit
        .of_each(|place| async move {
            let mut sums = Vec::new();
            for query in &visit.asked.queries {
                let range = [
                    ("stat", (*query).to_owned()),
                    ("since", since.to_string()),
                    ("until", until.to_string()),
                ];
                let request = Request::new(&FINE_STATS, place.clone()).with(range);
                let points: Vec<(i64, u64)> = one(visit.client, request).await?;
                let within = points
                    .iter()
                    .filter(|(second, _)| (since..=until).contains(second));
                sums.push((
                    *query,
                    within.fold(0_u64, |sum, (_, count)| sum.saturating_add(*count)),
                ));
            }
            Ok(sums)
        })
        .await?;
    let mut families = Families::default();
    for (id, sums) in counts {
        let Some(slug) = visit.slug(id) else {
            continue;
        };
        for (query, sum) in sums {
            let labels = [visit.organization, slug, query];
            families.set(&MAGGOTMOUTH_ERRORS, &labels, sum);
        }
    }
    Ok(families)
}
