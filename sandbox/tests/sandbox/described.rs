//! Lists that files describe: as strict as those with code of their own.

use crate::client::{get, get_as, ids, now, seeded, start, try_get, walk};
use sentry_sandbox::{NARROW_TOKEN, ORGANIZATION_TOKEN, Options, Sandbox, Version, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const REPOSITORIES: &str = "/organizations/acme/repos/";

#[test]
fn a_list_pages_by_cursor_and_refuses_what_sentry_refuses() {
    let sandbox = seeded();
    let commits = "/organizations/acme/repos/40/commits/";
    let first = get(&sandbox, commits);
    assert_eq!(first.rows().len(), 100);
    assert_eq!(first.next().as_deref(), Some("0:100:0"));
    let rows = walk(&sandbox, commits);
    assert_eq!(rows.len(), 107);
    assert_eq!(ids(&rows).into_iter().collect::<BTreeSet<_>>().len(), 107);
    let files = get(&sandbox, "/projects/acme/api/files/dsyms/");
    assert_eq!(files.next().as_deref(), Some("20:1:0"));
    let active = walk(&sandbox, REPOSITORIES).len();
    assert_eq!(active, 10, "hidden ones are not active");
    assert_eq!(walk(&sandbox, &format!("{REPOSITORIES}?status=")).len(), 12);
    assert!(walk(&sandbox, &format!("{REPOSITORIES}?status=gone")).is_empty());
    for (query, text) in [
        ("per_page=101", "Invalid per_page value. Cannot exceed 100."),
        ("per_page=some", "Invalid per_page parameter."),
        ("cursor=garbage", "Invalid cursor parameter."),
    ] {
        let refused = get(&sandbox, &format!("{REPOSITORIES}?{query}"));
        assert_eq!((refused.status, refused.detail().as_str()), (400, text));
    }
}

#[test]
fn a_list_is_for_those_who_may_read_it() {
    let sandbox = seeded();
    assert_eq!(get_as(&sandbox, NARROW_TOKEN, REPOSITORIES).status, 200);
    assert_eq!(
        get_as(&sandbox, ORGANIZATION_TOKEN, REPOSITORIES).status,
        200
    );
    let members = "/teams/acme/backend/members/";
    let refused = get_as(&sandbox, ORGANIZATION_TOKEN, members);
    assert_eq!(refused.status, 403);
    assert!(refused.header("www-authenticate").is_some());
    assert_eq!(
        try_get(&sandbox, None, members).map(|answer| answer.status),
        Ok(401)
    );
    assert_eq!(get(&sandbox, "/organizations/acne/repos/").status, 404);
    assert_eq!(get(&sandbox, "/teams/acme/nobody/members/").status, 404);
}

#[test]
fn rows_are_made_of_the_world() {
    let sandbox = seeded();
    let rows = walk(&sandbox, "/teams/acme/mobile/members/");
    assert_eq!(rows.len(), 2);
    assert!(
        rows.iter()
            .all(|row| row["teamSlug"] == "mobile" && row["email"].is_string())
    );
    let (start, end) = (now() - chrono::TimeDelta::days(9), now());
    let expected = sandbox.world().expected("team_members", None, start, end);
    assert!(expected.contains("3|14"), "{expected:?}");
    let of_mobile: BTreeSet<String> = ids(&rows).iter().map(|id| format!("3|{id}")).collect();
    assert!(of_mobile.is_subset(&expected));
}

#[test]
fn rows_in_an_envelope_are_of_their_issue() {
    let mut world = World::empty(now());
    let project = world.add_project("api");
    let issue = world.add_issue(project, "an issue");
    world.add_event(issue, now() - chrono::TimeDelta::hours(1));
    let sandbox = start(world);
    let path = format!("/organizations/acme/issues/{issue}/activities/");
    let answer = get(&sandbox, &path);
    assert!(answer.header("link").is_none(), "it comes in one answer");
    let json = answer.json();
    assert_eq!(json["activity"][0]["id"], json!(format!("8{issue}")));
    assert_eq!(json["activity"][1]["id"], "0");
    assert_eq!(
        get(&sandbox, "/organizations/acme/issues/99999/activities/").status,
        404
    );
}

#[test]
fn what_a_server_or_plan_lacks_says_so_as_sentry_does() {
    let sandbox = seeded();
    sandbox.world().lacks.insert("repositories".to_owned());
    let answer = get(&sandbox, REPOSITORIES);
    assert_eq!((answer.status, answer.body.as_slice()), (404, &b""[..]));
    let old = Sandbox::start(Options {
        version: Version::V21_1,
        ..Options::new(World::seeded(now()))
    })
    .expect("a free port");
    assert_eq!(get(&old, REPOSITORIES).status, 404);
}

#[test]
fn a_pedantic_server_refuses_parameters_that_nobody_knows() {
    let sandbox = Sandbox::start(Options {
        pedantic: true,
        ..Options::new(World::seeded(now()))
    })
    .expect("a free port");
    let answer = get(&sandbox, &format!("{REPOSITORIES}?stat=x"));
    assert_eq!(
        (answer.status, answer.json()["detail"].is_string()),
        (400, true)
    );
    let rows: Vec<Value> = get(&sandbox, &format!("{REPOSITORIES}?status=disabled")).rows();
    assert_eq!(rows.len(), 1);
}

#[test]
fn rows_with_a_time_are_newest_first_and_a_window_holds_both_its_ends() {
    let sandbox = seeded();
    let logs = "/organizations/acme/audit-logs/";
    let rows =
        |query: &str| get(&sandbox, &format!("{logs}?per_page=100&{query}")).json()["rows"].clone();
    let at = |row: &Value| row["dateCreated"].as_str().unwrap_or_default().to_owned();
    let all = rows("");
    let all: Vec<String> = all.as_array().into_iter().flatten().map(at).collect();
    assert_eq!(all.len(), 100);
    assert!(all.is_sorted_by(|one, next| one >= next));
    let (end, start) = (&all[3], &all[7]);
    let within = rows(&format!("start={start}&end={end}"));
    let within: Vec<String> = within.as_array().into_iter().flatten().map(at).collect();
    assert_eq!(within, all[3..=7]);
    let refused = get(&sandbox, &format!("{logs}?start={start}"));
    assert_eq!(refused.status, 400);
    let replays = get(&sandbox, "/organizations/acme/replays/?project=-1");
    let replays = replays.json()["data"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    assert!(!replays.is_empty() && replays.iter().all(|row| row.get("$at").is_none()));
}

#[test]
fn a_tag_of_an_issue_is_told_alone() {
    let mut world = World::empty(now());
    let project = world.add_project("api");
    let issue = world.add_issue(project, "an issue");
    let sandbox = start(world);
    let tag = |key: &str| {
        let path = format!("/organizations/acme/issues/{issue}/tags/{key}/");
        get(&sandbox, &path)
    };
    let browser = tag("browser").json();
    assert_eq!(
        (&browser["totalValues"], &browser["topValues"][0]["count"]),
        (&json!(7), &json!(4))
    );
    assert_eq!(tag("planet").status, 404);
}

#[test]
fn what_is_of_no_project_is_listed_with_each() {
    let sandbox = seeded();
    let of = |query: &str| {
        let path = format!("/organizations/acme/workflows/?{query}");
        ids(&walk(&sandbox, &path))
    };
    assert_eq!(of("project=2"), ["2002", "2990"]);
    assert_eq!(of("project=3"), ["2990", "2003"]);
    let (start, end) = (now() - chrono::TimeDelta::days(9), now());
    let world = sandbox.world();
    let expected = world.expected("workflows", Some(3), start, end);
    assert_eq!(expected, ["2003", "2990"].map(str::to_owned).into());
}
