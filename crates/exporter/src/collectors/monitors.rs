//! Monitors of scheduled jobs, by how they are.

use crate::endpoints;
use crate::families::Families;
use crate::figures::MONITORS;
use crate::rows::Monitor;
use crate::visit::{Visit, all};
use std::collections::HashSet;
use tap_sentry_api::error::ApiError;

/// The statuses of environments, the worst first. One that is not here is worse than all.
const STATUSES: [&str; 5] = ["error", "timeout", "missed_checkin", "ok", "active"];

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
    let place = |status: &str| STATUSES.iter().position(|one| *one == status);
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
    #[case::of_tomorrow("active", &["error", "on_fire"], "on_fire")]
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
