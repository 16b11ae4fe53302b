//! Monitors of scheduled jobs.

use super::project;
use crate::auth::Caller;
use crate::window;
use crate::world::{Monitor, World};
use serde_json::{Value, json};

pub fn record(world: &World, caller: &Caller, monitor: &Monitor) -> Value {
    let environments: Vec<Value> = monitor
        .environments
        .iter()
        .map(|(name, status)| {
            // What has not checked in yet has no dates.
            let checked_in = (status != "active").then(|| window::text(world.clock()));
            json!({
                "name": name,
                "status": status,
                "isMuted": monitor.is_muted,
                "dateCreated": window::text(monitor.date_created),
                "lastCheckIn": checked_in,
                "nextCheckIn": checked_in,
                "nextCheckInLatest": checked_in,
                "activeIncident": null,
            })
        })
        .collect();
    // A list of numbers or a text, as the type has it.
    let config = if monitor.slug.len().is_multiple_of(2) {
        json!({"schedule_type": "interval", "schedule": [1, "hour"]})
    } else {
        json!({"schedule_type": "crontab", "schedule": "0 4 * * *"})
    };
    json!({
        "id": monitor.id,
        "name": monitor.name,
        "slug": monitor.slug,
        "status": monitor.status,
        "isMuted": monitor.is_muted,
        "isUpserting": false,
        "config": config,
        "dateCreated": window::text(monitor.date_created),
        "project": world.project(monitor.project).map(|one| project::summary(world, caller, one)),
        "environments": environments,
        "owner": null,
        "alertRule": null,
    })
}
