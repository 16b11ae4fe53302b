//! What projects have beside events: keys, monitors, environments, and the health of their releases.

use crate::client::{Answer, get, ids, now, seeded, start, walk};
use sentry_sandbox::world::KeyLimit;
use sentry_sandbox::{Options, Sandbox, Version, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const OLD: [Version; 3] = [Version::V21_4, Version::V21_1, Version::V9_1];

fn of(version: Version) -> Sandbox {
    Sandbox::start(Options {
        version,
        pedantic: true,
        ..Options::new(World::seeded(now()))
    })
    .expect("a free port")
}

#[test]
fn keys_come_newest_first_and_ten_at_a_time_unless_more_are_asked_for() {
    let mut world = World::empty(now());
    let project = world.add_project("api");
    let limit = KeyLimit {
        count: 100,
        window_seconds: 60,
    };
    for number in 0..12 {
        world.add_key(
            project,
            &format!("key {number}"),
            (number == 11).then_some(limit),
        );
    }
    let sandbox = start(world);
    let first = get(&sandbox, "/projects/acme/api/keys/");
    assert!(first.next().is_some());
    let rows = first.rows();
    assert_eq!(rows.len(), 10);
    assert_eq!(rows[0]["rateLimit"], json!({"window": 60, "count": 100}));
    assert_eq!(
        (&rows[0]["projectId"], &rows[1]["rateLimit"]),
        (&json!(2), &Value::Null)
    );
    assert_eq!(
        get(&sandbox, "/projects/acme/api/keys/?per_page=100")
            .rows()
            .len(),
        13
    );
    let all: BTreeSet<String> = ids(&walk(&sandbox, "/projects/acme/api/keys/"))
        .into_iter()
        .collect();
    assert_eq!(all.len(), 13);
    let of_all = ids(&walk(
        &sandbox,
        "/organizations/acme/project-keys/?per_page=5",
    ));
    assert_eq!(of_all.into_iter().collect::<BTreeSet<_>>(), all);
}

#[test]
fn keys_are_chosen_by_status_and_team() {
    let sandbox = of(Version::V2025);
    let count = |query: &str| {
        let path = format!("/organizations/acme/project-keys/?{query}");
        walk(&sandbox, &path).len()
    };
    assert_eq!(count("status=active") + count("status=inactive"), count(""));
    assert_eq!(count("status=inactive"), 1);
    assert_eq!(count("team=frontend"), 4, "of api and web");
    assert_eq!(
        get(&sandbox, "/organizations/acme/project-keys/?projects=2").status,
        400
    );
    for version in OLD {
        let sandbox = of(version);
        let row = &get(&sandbox, "/projects/acme/web/keys/").rows()[0];
        assert!(row.get("dynamicSdkLoaderOptions").is_none() && row["dsn"]["secret"].is_string());
    }
}

#[test]
fn monitors_have_a_status_in_each_environment() {
    let sandbox = of(Version::V2025);
    let by_name = walk(
        &sandbox,
        "/organizations/acme/monitors/?project=-1&sort=name&per_page=2",
    );
    let names: Vec<&str> = by_name
        .iter()
        .filter_map(|row| row["name"].as_str())
        .collect();
    assert!(names.is_sorted() && names.len() == 6, "{names:?}");
    let report = by_name
        .iter()
        .find(|row| row["slug"] == "nightly-report")
        .expect("a monitor");
    let statuses: Vec<&Value> = report["environments"]
        .as_array()
        .expect("environments")
        .iter()
        .map(|one| &one["status"])
        .collect();
    assert_eq!(statuses, ["error", "ok"]);
    assert_eq!(report["project"]["slug"], "worker");
    // In trouble first, and of one's own teams only.
    let mine = get(&sandbox, "/organizations/acme/monitors/").rows();
    assert_eq!(mine[0]["slug"], "nightly-report");
    assert!(
        mine.iter()
            .all(|row| row["project"]["slug"] != "mobile-app")
    );
    assert_eq!(
        get(&sandbox, "/organizations/acme/monitors/?sorted=name").status,
        400
    );
    for version in OLD {
        let answer = get(&of(version), "/organizations/acme/monitors/");
        assert_eq!(
            (answer.status, answer.detail().as_str()),
            (404, "The requested resource does not exist")
        );
    }
}

#[test]
fn environments_are_hidden_by_project() {
    let mut world = World::empty(now());
    let (api, web) = (world.add_project("api"), world.add_project("web"));
    world.add_project("other");
    world.environments.insert(String::new());
    world
        .project_environments
        .insert(api, [("production".to_owned(), true)].into());
    world.project_environments.insert(web, [].into());
    let sandbox = start(world);
    let names = |answer: Answer| -> Vec<(String, Value)> {
        let row = |row: Value| {
            (
                row["name"].as_str().unwrap_or("?").to_owned(),
                row["isHidden"].clone(),
            )
        };
        answer.rows().into_iter().map(row).collect()
    };
    let of = |project: &str, query: &str| {
        names(get(
            &sandbox,
            &format!("/projects/acme/{project}/environments/?{query}"),
        ))
    };
    assert!(of("api", "").is_empty() && of("web", "visibility=all").is_empty());
    assert_eq!(
        of("api", "visibility=all"),
        [("production".to_owned(), json!(true))]
    );
    assert_eq!(of("other", "").len(), 3, "the one without a name too");
    // With the projects only those that are shown, and that have a name.
    let projects = get(&sandbox, "/organizations/acme/projects/").rows();
    let told: Vec<&Value> = projects.iter().map(|row| &row["environments"]).collect();
    assert_eq!(
        told,
        [&json!([]), &json!(["production", "staging"]), &json!([])]
    );
    let all = names(get(
        &sandbox,
        "/organizations/acme/environments/?project=-1",
    ));
    assert_eq!(
        all,
        [
            ("production".to_owned(), Value::Null),
            ("staging".to_owned(), Value::Null)
        ]
    );
    assert_eq!(
        get(&sandbox, "/projects/acme/api/environments/?visibility=some").status,
        400
    );
}

#[test]
fn a_current_release_is_the_newest_that_events_have() {
    for version in [Version::V2025, Version::V21_1, Version::V9_1] {
        let sandbox = of(version);
        let issue = sandbox
            .world()
            .issues
            .values()
            .find(|issue| issue.title.contains("division by zero"))
            .expect("the issue with many events")
            .id;
        let bare = get(&sandbox, &format!("/issues/{issue}/current-release/"));
        let path = format!("/organizations/acme/issues/{issue}/current-release/");
        let of_organization = get(&sandbox, &path);
        let answer = match version {
            Version::V2025 => {
                assert_eq!(bare.status, 410);
                of_organization
            }
            Version::V9_1 => {
                assert_eq!((bare.status, of_organization.status), (404, 404));
                continue;
            }
            _ => {
                assert_eq!(of_organization.status, 404);
                bare
            }
        };
        let release = answer.json()["currentRelease"]["release"]["version"].clone();
        let known = ["api@1.0.0", "worker@1.1.0", "worker 0.9 beta (é)"];
        assert!(known.iter().any(|one| release == *one), "{release}");
    }
}

#[test]
fn the_health_of_releases_comes_in_totals() {
    let sandbox = seeded();
    let path = "/organizations/acme/sessions/?project=-1&field=sum%28session%29&field=crash_free_rate%28session%29&groupBy=project&groupBy=release&statsPeriod=24h&includeSeries=0&orderBy=-sum%28session%29";
    let answer = get(&sandbox, path).json();
    let first = &answer["groups"][0];
    assert_eq!(first["by"], json!({"project": 2, "release": "api@1.128.0"}));
    let rate = first["totals"]["crash_free_rate(session)"].as_f64();
    assert_eq!(rate, Some(1.0 - 3.0 / 200.0));
    assert!(first["totals"]["sum(session)"].as_u64() > Some(200));
    assert_eq!(
        get(&sandbox, "/organizations/acme/sessions/?project=-1&field=p50%28session.duration%29&includeSeries=0").status,
        501
    );
}
