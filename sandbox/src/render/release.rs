//! Releases and their deploys.

use super::people;
use crate::window;
use crate::world::{Release, ReleaseStatus, World};
use serde_json::{Value, json};

pub fn record(world: &World, release: &Release) -> Value {
    let mut seen: Option<(i64, i64)> = None;
    for event in world.issues.values().flat_map(|issue| &issue.events) {
        if event.release.as_deref() == Some(&release.version) {
            let second = event.second();
            let (first, last) = seen.get_or_insert((second, second));
            (*first, *last) = ((*first).min(second), (*last).max(second));
        }
    }
    let projects: Vec<Value> = release
        .projects
        .iter()
        .filter_map(|id| world.project(*id))
        .map(|project| {
            json!({
                "id": project.id,
                "slug": project.slug,
                "name": project.name,
                "newGroups": release.new_groups,
                "platform": project.platform,
                "platforms": project.platform.iter().collect::<Vec<_>>(),
                "hasHealthData": false,
                "dateCreated": window::text(release.date_created),
                "dateReleased": release.date_released.map(window::text),
                "dateStarted": null,
            })
        })
        .collect();
    let authors: Vec<Value> = release
        .authors
        .iter()
        .filter_map(|id| world.user(*id))
        .map(people::user)
        // Somebody whom Sentry knows from a commit only.
        .chain(
            (release.commit_count > 2)
                .then(|| json!({"name": "Carla Contributor", "email": "carla@example.org"})),
        )
        .collect();
    let last_commit = (release.commit_count > 0).then(|| {
        json!({
            "id": format!("{:040x}", u128::from(release.id) * 0x1_0000_0001_0001),
            "message": "fix: do not divide by zero\n\nCloses #1",
            "dateCreated": window::text(release.date_created),
            "suspectCommitType": "",
            "pullRequest": null,
            "author": {},
            "releases": [],
        })
    });
    let last_deploy = (release.deploy_count > 0).then(|| {
        json!({
            "id": (release.id * 3).to_string(),
            "environment": "production",
            "dateStarted": null,
            "dateFinished": window::text(release.date_created),
            "name": format!("{} to production", release.version),
            "url": null,
        })
    });
    let (package, version) = release
        .version
        .split_once('@')
        .map_or((None, release.version.as_str()), |(package, version)| {
            (Some(package), version)
        });
    json!({
        "id": release.id,
        "version": release.version,
        "status": match release.status {
            ReleaseStatus::Open => "open",
            ReleaseStatus::Archived => "archived",
        },
        "shortVersion": version,
        "versionInfo": package.map(|package| json!({
            "package": package,
            "version": {"raw": version, "major": 1, "minor": 0, "patch": 0, "pre": null, "buildCode": null, "components": 3},
            "description": version,
            "buildHash": null,
        })),
        "ref": if release.id.is_multiple_of(2) { json!("6ba09a7c53235ee8a8fa5ee4c1ca8ca886e7fdbb") } else { Value::Null },
        "url": null,
        "dateCreated": window::text(release.date_created),
        "dateReleased": release.date_released.map(window::text),
        "dateStarted": null,
        "owner": null,
        "data": {},
        "newGroups": release.new_groups,
        "commitCount": release.commit_count,
        "lastCommit": last_commit,
        "deployCount": release.deploy_count,
        "lastDeploy": last_deploy,
        "authors": authors,
        "projects": projects,
        "firstEvent": seen.map(|(first, _)| window::second_text(first)),
        "lastEvent": seen.map(|(_, last)| window::second_text(last)),
        "currentProjectMeta": {},
        "userAgent": if release.id.is_multiple_of(3) { json!("sentry-cli/2.31.0") } else { Value::Null },
        "adoptionStages": {},
    })
}
