use crate::client::{ago, get, ids, iso, now, seeded, start, walk};
use chrono::TimeDelta;
use sentry_sandbox::World;
use serde_json::Value;
use std::collections::BTreeSet;

fn busiest(world: &World) -> u64 {
    world
        .issues
        .values()
        .max_by_key(|issue| issue.events.len())
        .expect("issues")
        .id
}

fn keys(rows: &[Value]) -> BTreeSet<String> {
    rows.iter()
        .map(|row| {
            format!(
                "{}|{}",
                row["projectID"].as_str().expect("a project"),
                row["eventID"].as_str().expect("an event")
            )
        })
        .collect()
}

#[test]
fn events_of_one_second_repeat_and_vanish_at_the_edge_of_a_page() {
    let sandbox = seeded();
    let issue = busiest(&sandbox.world());
    let rows = walk(
        &sandbox,
        &format!("/organizations/acme/issues/{issue}/events/"),
    );
    let times: Vec<&str> = rows
        .iter()
        .map(|row| row["dateCreated"].as_str().expect("a date"))
        .collect();
    assert!(times.is_sorted_by(|a, b| a >= b));
    let unique: BTreeSet<String> = ids(&rows).into_iter().collect();
    assert_eq!(rows.len(), 260);
    assert!(unique.len() < 260, "ties at the edges were kept apart");
    // The same request has the same answer.
    let path = format!("/organizations/acme/issues/{issue}/events/?cursor=0:100:0");
    assert_eq!(get(&sandbox, &path).body, get(&sandbox, &path).body);
}

#[test]
fn events_of_issues_in_small_windows_are_complete() {
    let sandbox = seeded();
    let (from, to) = (ago(24 * 89), now());
    let (expected, issues) = {
        let world = sandbox.world();
        (
            world.expected("events", None, from, to),
            world.expected("issues", None, from, to),
        )
    };
    let mut found = BTreeSet::new();
    for issue in issues {
        for (start, end) in [
            (24 * 89, 24 * 10),
            (24 * 10, 24 * 6),
            (24 * 6, 24 * 2),
            (24 * 2, 0),
        ] {
            let page = get(
                &sandbox,
                &format!(
                    "/organizations/acme/issues/{issue}/events/?start={}&end={}",
                    iso(ago(start)),
                    iso(ago(end))
                ),
            );
            assert!(page.next().is_none());
            found.extend(keys(&page.rows()));
        }
    }
    assert_eq!(found, expected);
    assert!(expected.len() > 500);
}

#[test]
fn project_events_are_all_errors_that_retention_keeps_in_a_stable_order() {
    let sandbox = seeded();
    let mut found = BTreeSet::new();
    for project in ["api", "worker", "web", "mobile-app", "quiet", "Legacy_PHP"] {
        let rows = walk(&sandbox, &format!("/projects/acme/{project}/events/"));
        let unique = keys(&rows);
        assert_eq!(unique.len(), rows.len());
        assert!(rows.iter().all(|row| row["event.type"] != "feedback"));
        found.extend(unique);
    }
    let mut expected = sandbox
        .world()
        .expected("events", None, ago(24 * 400), now());
    assert!(found.is_subset(&expected));
    expected.retain(|key| !found.contains(key));
    // Issue-platform ones: performance, cron, outage and three feedbacks, of four events each.
    assert_eq!(expected.len(), 6 * 4);
}

#[test]
fn full_means_something_else_on_each_list() {
    let sandbox = seeded();
    let issue = busiest(&sandbox.world());
    let full = |path: String| get(&sandbox, &path).rows()[0].get("entries").is_some();
    let of_issue = |value: &str| {
        full(format!(
            "/organizations/acme/issues/{issue}/events/?full={value}"
        ))
    };
    let of_project = |value: &str| full(format!("/projects/acme/api/events/?full={value}"));
    for (value, issue, project) in [
        ("", false, false),
        ("1", true, true),
        ("true", true, true),
        ("false", false, true),
        ("0", false, true),
    ] {
        assert_eq!(
            (of_issue(value), of_project(value)),
            (issue, project),
            "{value:?}"
        );
    }
}

#[test]
fn more_than_a_hundred_a_page_is_refused() {
    let sandbox = seeded();
    let answer = get(&sandbox, "/projects/acme/api/events/?per_page=101");
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.detail(),
        "Invalid per_page value. Cannot exceed 100."
    );
    assert_eq!(
        get(&sandbox, "/projects/acme/api/events/?per_page=x").detail(),
        "Invalid per_page parameter."
    );
    assert_eq!(
        get(&sandbox, "/projects/acme/api/events/?per_page=7")
            .rows()
            .len(),
        7
    );
    assert_eq!(
        get(&sandbox, "/projects/acme/api/events/?cursor=garbage").detail(),
        "Invalid cursor parameter."
    );
    assert_eq!(
        get(
            &sandbox,
            "/projects/acme/api/events/?start=2026-01-01T00:00:00Z"
        )
        .detail(),
        "Invalid date range parameters provided"
    );
}

#[test]
fn links_name_another_host_and_the_previous_page_first() {
    let sandbox = seeded();
    let link = get(&sandbox, "/projects/acme/api/events/")
        .header("link")
        .expect("a link")
        .to_owned();
    assert_eq!(
        link,
        "<https://sentry.invalid/api/0/projects/acme/api/events/?&cursor=0:0:1>; rel=\"previous\"; results=\"false\"; cursor=\"0:0:1\", \
         <https://sentry.invalid/api/0/projects/acme/api/events/?&cursor=0:100:0>; rel=\"next\"; results=\"true\"; cursor=\"0:100:0\""
    );
    let link = get(
        &sandbox,
        "/projects/acme/api/events/?query=a b%26&cursor=0:5:0"
            .replace(' ', "+")
            .as_str(),
    );
    assert!(
        link.header("link")
            .expect("a link")
            .contains("?query=a+b%26&cursor=0:0:1>")
    );
}

#[test]
fn events_that_retention_ate_are_an_error_under_an_issue() {
    let sandbox = seeded();
    let issue = busiest(&sandbox.world());
    let window = format!("start={}&end={}", iso(ago(24 * 200)), iso(ago(24 * 100)));
    let answer = get(
        &sandbox,
        &format!("/organizations/acme/issues/{issue}/events/?{window}"),
    );
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.detail(),
        "Invalid date range. Please try a more recent date range."
    );
    assert!(
        get(&sandbox, &format!("/projects/acme/api/events/?{window}"))
            .rows()
            .is_empty()
    );
}

#[test]
fn one_event_knows_its_release_and_its_neighbours() {
    let mut world = World::empty(now());
    let project = world.add_project("api");
    world.add_release("api@1.0.0", project, ago(50));
    let issue = world.add_issue(project, "Error: x");
    let old = world.add_event(issue, ago(9));
    let middle = world.add_late_event(issue, ago(5) + TimeDelta::milliseconds(403), now());
    let young = world.add_event(issue, ago(1));
    world.issue_mut(issue).events[1].release = Some("api@1.0.0".to_owned());
    let sandbox = start(world);
    let record = get(&sandbox, &format!("/projects/acme/api/events/{middle}/")).json();
    assert_eq!(record["previousEventID"], old);
    assert_eq!(record["nextEventID"], young);
    assert_eq!(record["release"]["id"], 501);
    assert!(
        record["dateCreated"]
            .as_str()
            .expect("a date")
            .ends_with(".403000Z")
    );
    let missing = get(
        &sandbox,
        "/projects/acme/api/events/00000000000000000000000000000000/",
    );
    assert_eq!(
        (missing.status, missing.detail().as_str()),
        (404, "Event not found")
    );
}

#[test]
fn two_projects_may_have_an_event_of_the_same_id() {
    let sandbox = seeded();
    let all = sandbox
        .world()
        .expected("events", None, ago(24 * 90), now());
    let unique: BTreeSet<&str> = all.iter().filter_map(|key| key.split('|').nth(1)).collect();
    assert_eq!(unique.len() + 1, all.len());
}

#[test]
fn transactions_lack_the_dates_of_errors_when_full() {
    let sandbox = seeded();
    let issue = sandbox
        .world()
        .issues
        .values()
        .find(|issue| issue.kind.event_type == "transaction")
        .expect("a performance issue")
        .id;
    let row = &get(
        &sandbox,
        &format!("/organizations/acme/issues/{issue}/events/?full=1"),
    )
    .rows()[0];
    assert!(row.get("dateCreated").is_none());
    assert!(row["endTimestamp"].is_f64());
}

#[test]
fn one_event_is_found_by_its_issue_and_by_its_organization() {
    let mut world = World::empty(now());
    let project = world.add_project("api");
    let issue = world.add_issue(project, "an issue");
    let [old, new] = [9, 2].map(|hours| world.add_event(issue, ago(hours)));
    let sandbox = start(world);
    let at = |name: &str| {
        let path = format!("/organizations/acme/issues/{issue}/events/{name}/");
        let event = get(&sandbox, &path).json();
        let of = |member: &str| event[member].as_str().map(str::to_owned);
        ["eventID", "previousEventID", "nextEventID"].map(of)
    };
    let (older, newer) = (
        [Some(old.clone()), None, Some(new.clone())],
        [Some(new.clone()), Some(old.clone()), None],
    );
    assert_eq!((at("oldest"), at(&old)), (older.clone(), older));
    assert_eq!((at("latest"), at("recommended")), (newer.clone(), newer));
    let found = get(&sandbox, &format!("/organizations/acme/eventids/{new}/")).json();
    assert_eq!(found["groupId"], issue.to_string());
    assert_eq!(
        (&found["projectSlug"], &found["event"]["eventID"]),
        (&Value::from("api"), &Value::from(new))
    );
    for (path, status) in [
        (format!("issues/{issue}/events/{:032x}/", 7), 404),
        (format!("issues/{issue}/events/first/"), 404),
        (format!("eventids/{:032x}/", 7), 404),
        ("eventids/some/".to_owned(), 400),
    ] {
        let answer = get(&sandbox, &format!("/organizations/acme/{path}"));
        assert_eq!(answer.status, status, "{path}");
    }
}
