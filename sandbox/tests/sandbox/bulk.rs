use crate::client::{get, ids, iso, now, start, walk};
use chrono::TimeDelta;
use sentry_sandbox::{Bulk, World};
use std::collections::BTreeSet;

fn bulk() -> World {
    World::bulk(Bulk {
        now: now(),
        projects: 2,
        issues_per_project: 3,
        events_per_issue: 250,
        event_bytes: 10_000,
        span: TimeDelta::days(10),
    })
}

#[test]
fn events_exist_when_they_are_asked_for() {
    let sandbox = start(bulk());
    let (from, to) = (now() - TimeDelta::days(11), now());
    let (count, issues, expected) = {
        let world = sandbox.world();
        (
            world.event_count(),
            world.expected("issues", None, from, to),
            world.expected("events", None, from, to),
        )
    };
    assert_eq!((count, expected.len()), (1_500, 1_500));
    let listed = ids(&walk(
        &sandbox,
        "/organizations/acme/issues/?query=&project=-1",
    ));
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), issues);
    let mut found = BTreeSet::new();
    for issue in &issues {
        let path = format!(
            "/organizations/acme/issues/{issue}/events/?start={}&end={}",
            iso(from),
            iso(to)
        );
        for row in walk(&sandbox, &path) {
            assert_eq!(row["groupID"].as_str(), Some(issue.as_str()));
            found.insert(format!(
                "{}|{}",
                row["projectID"].as_str().unwrap_or_default(),
                row["eventID"].as_str().unwrap_or_default()
            ));
        }
    }
    assert_eq!(found, expected);
    let project = walk(&sandbox, "/projects/acme/project-0/events/");
    assert_eq!(project.len(), 750);
}

#[test]
fn full_events_have_the_size_that_was_asked_for() {
    let sandbox = start(bulk());
    let page = get(&sandbox, "/projects/acme/project-0/events/?full=1");
    assert_eq!(page.rows().len(), 100);
    let size = page.body.len() / 100;
    assert!((9_000..=11_000).contains(&size), "{size}");
    let row = &page.rows()[7];
    let id = row["eventID"].as_str().expect("an id");
    let detail = get(&sandbox, &format!("/projects/acme/project-0/events/{id}/")).json();
    assert_eq!(detail["eventID"], id);
    assert_eq!(detail["dateCreated"], row["dateCreated"]);
    let previous = detail["previousEventID"].as_str().expect("a neighbour");
    assert_eq!(
        get(
            &sandbox,
            &format!("/projects/acme/project-0/events/{previous}/")
        )
        .status,
        200
    );
    assert_eq!(
        get(&sandbox, &format!("/projects/acme/project-1/events/{id}/")).status,
        404
    );
}
