//! Monitors of scheduled jobs, by how they are.

use crate::endpoints;
use crate::families::Families;
use crate::figures::MONITORS;
use crate::rows::Monitor;
use crate::visit::{Visit, all};
use std::collections::HashSet;
use tap_sentry_api::error::ApiError;

/// Statuses of environments that are not well, the worst first.
const BAD: [&str; 3] = ["error", "timeout", "missed_checkin"];

/// Those of which nothing is to be said. One that is neither here nor there is told rather than these.
const GOOD: [&str; 2] = ["ok", "active"];

pub async fn collect(visit: &Visit<'_>) -> Result<Families, ApiError> {
    let monitors = all(
        visit.client,
        &endpoints::MONITORS,
        visit.place(),
        Vec::new(),
    )
    .await;
    let monitors: Vec<Monitor> = match monitors {
        // Servers without monitors say so in different words; their projects were read just now.
        Err(error) if error.status() == Some(404) => Vec::new(),
        monitors => monitors?,
    };
    let mut known = HashSet::new();
    let mut families = Families::default();
    // Rows that move while pages are read come twice.
    let monitors = monitors.iter().filter(|one| known.insert(one.id.clone()));
    for monitor in monitors {
        if let Some(slug) = visit.slug(monitor.project.id) {
            let labels = [visit.organization, slug, status(monitor)];
            families.add(&MONITORS, &labels, 1);
        }
    }
    Ok(families)
}

/// That of the monitor, if it does not run; else the worst of its environments.
fn status(monitor: &Monitor) -> &str {
    if monitor.status != "active" {
        return &monitor.status;
    }
    let place = |status: &str| {
        let bad = BAD.iter().position(|one| *one == status);
        let good = GOOD.iter().position(|one| *one == status);
        bad.or(good.map(|place| BAD.len() + 1 + place))
            .unwrap_or(BAD.len())
    };
    let all = monitor.environments.iter().map(|one| one.status.as_str());
    all.min_by_key(|status| place(status)).unwrap_or("active")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{IssueProject, MonitorEnvironment};
    use rstest::rstest;

    #[rstest]
    #[case::disabled("disabled", &["error"], "disabled")]
    #[case::never_ran("active", &[], "active")]
    #[case::well("active", &["active", "ok"], "ok")]
    #[case::not_well("active", &["ok", "missed_checkin", "timeout"], "timeout")]
    #[case::in_error("active", &["ok", "error", "timeout"], "error")]
    #[case::of_tomorrow("active", &["ok", "on_fire", "active"], "on_fire")]
    #[case::what_is_known_is_bad("active", &["disabled", "missed_checkin"], "missed_checkin")]
    fn the_worst_counts(#[case] own: &str, #[case] statuses: &[&str], #[case] expected: &str) {
        let environments = statuses.iter().map(|&status| MonitorEnvironment {
            status: status.to_owned(),
        });
        let monitor = Monitor {
            id: String::new(),
            status: own.to_owned(),
            project: IssueProject { id: 2 },
            environments: environments.collect(),
        };
        assert_eq!(status(&monitor), expected);
    }
}
