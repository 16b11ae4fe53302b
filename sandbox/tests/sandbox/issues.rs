use crate::client::{Answer, ago, get, ids, iso, now, seeded, start, walk};
use sentry_sandbox::world::{Kind, Status};
use sentry_sandbox::{Match, World};
use std::collections::BTreeSet;

const ISSUES: &str = "/organizations/acme/issues/";

#[test]
fn without_a_query_only_unresolved_issues_are_found() {
    let sandbox = seeded();
    let statuses = |path: &str| -> BTreeSet<String> {
        walk(&sandbox, path)
            .iter()
            .map(|row| row["status"].as_str().expect("a status").to_owned())
            .collect()
    };
    assert_eq!(
        statuses(&format!("{ISSUES}?project=-1")),
        BTreeSet::from(["unresolved".to_owned()])
    );
    assert_eq!(
        statuses(&format!("{ISSUES}?project=-1&query=")),
        ["ignored", "reprocessing", "resolved", "unresolved"]
            .map(str::to_owned)
            .into()
    );
}

#[test]
fn two_searches_find_every_issue_that_can_be_listed() {
    let sandbox = seeded();
    let everything = format!("{ISSUES}?project=-1&query=");
    let feedback = format!("{ISSUES}?project=-1&query=issue.category:feedback");
    for (from, to) in [(24 * 120, 0), (24 * 7, 0), (24 * 70, 24 * 40), (48, 24)] {
        let window = format!("&start={}&end={}", iso(ago(from)), iso(ago(to)));
        let mut found = ids(&walk(&sandbox, &format!("{everything}{window}")));
        found.extend(ids(&walk(&sandbox, &format!("{feedback}{window}"))));
        let unique: BTreeSet<String> = found.iter().cloned().collect();
        assert_eq!(unique.len(), found.len());
        let expected = sandbox.world().expected("issues", None, ago(from), ago(to));
        assert_eq!(unique, expected, "{from} to {to} hours ago");
    }
}

#[test]
fn feedback_and_experiments_show_only_when_named() {
    let sandbox = seeded();
    let categories = |query: &str| -> BTreeSet<String> {
        walk(&sandbox, &format!("{ISSUES}?project=-1&query={query}"))
            .iter()
            .map(|row| {
                row["issueCategory"]
                    .as_str()
                    .expect("a category")
                    .to_owned()
            })
            .collect()
    };
    assert_eq!(
        categories(""),
        ["cron", "error", "outage", "performance"]
            .map(str::to_owned)
            .into()
    );
    assert_eq!(
        categories("issue.category:feedback"),
        BTreeSet::from(["feedback".to_owned()])
    );
    assert_eq!(
        categories("issue.type:query_injection_vulnerability"),
        BTreeSet::from(["db_query".to_owned()])
    );
}

#[test]
fn a_page_of_issues_is_a_hundred_at_most_and_says_how_many_there_are() {
    let sandbox = seeded();
    let page = get(&sandbox, &format!("{ISSUES}?project=2&query=&limit=1000"));
    assert_eq!(page.rows().len(), 100);
    assert!(page.header("x-hits").is_some());
    assert_eq!(page.header("x-max-hits"), Some("1000"));
    assert_eq!(get(&sandbox, &format!("{ISSUES}?limit=x")).status, 400);
    // The page size of other lists means nothing here.
    let page = get(&sandbox, &format!("{ISSUES}?project=2&query=&per_page=101"));
    assert_eq!(page.rows().len(), 100);
}

#[test]
fn a_window_holds_its_start_and_not_its_end() {
    let mut world = World::empty(now());
    let project = world.add_project("api");
    let issue = world.add_issue(project, "Error: x");
    world.add_event(issue, ago(5));
    let sandbox = start(world);
    let count = |from: i64, to: i64| {
        let path = format!(
            "{ISSUES}?query=&project=-1&start={}&end={}",
            iso(ago(from)),
            iso(ago(to))
        );
        get(&sandbox, &path).rows().len()
    };
    assert_eq!((count(5, 4), count(6, 5), count(6, 4)), (1, 0, 1));
}

#[test]
fn half_a_window_and_a_window_backwards_are_refused() {
    let sandbox = seeded();
    let detail = |query: String| get(&sandbox, &format!("{ISSUES}?{query}")).detail();
    assert_eq!(
        detail(format!("start={}", iso(ago(1)))),
        "start and end are both required"
    );
    assert_eq!(
        detail(format!("start={0}&end={0}", iso(ago(1)))),
        "start must be before end"
    );
    assert!(detail("start=yesterday&end=today".to_owned()).contains("ISO8601"));
    assert!(detail("statsPeriod=soon".to_owned()).contains("statsPeriod"));
    // An unescaped plus is a blank.
    assert_eq!(
        get(
            &sandbox,
            &format!(
                "{ISSUES}?start=2026-01-01T00:00:00+00:00&end={}",
                iso(now())
            )
        )
        .status,
        400
    );
}

#[test]
fn what_retention_ate_is_an_empty_list() {
    let sandbox = seeded();
    let window = format!("start={}&end={}", iso(ago(24 * 200)), iso(ago(24 * 91)));
    let page = get(&sandbox, &format!("{ISSUES}?query=&project=-1&{window}"));
    assert!(page.rows().is_empty());
}

#[test]
fn top_level_numbers_are_those_of_the_window() {
    let mut world = World::empty(now());
    let project = world.add_project("api");
    let issue = world.add_issue(project, "Error: x");
    for hours in [2, 30, 31, 32] {
        world.add_event(issue, ago(hours));
    }
    let sandbox = start(world);
    let row = |more: &str| -> serde_json::Value {
        let window = format!("start={}&end={}", iso(ago(24)), iso(now()));
        get(
            &sandbox,
            &format!("{ISSUES}?query=&project=-1&{window}{more}"),
        )
        .rows()[0]
            .clone()
    };
    let record = row("");
    assert_eq!(record["count"], "1");
    assert_eq!(record["firstSeen"], iso(ago(2)));
    assert_eq!(record["lifetime"]["count"], "4");
    assert!(record["stats"]["24h"].is_array());
    for collapse in ["stats", "lifetime"] {
        let record = row(&format!("&collapse={collapse}"));
        for gone in ["count", "userCount", "firstSeen", "lastSeen", "lifetime"] {
            assert!(record.get(gone).is_none(), "{collapse} leaves {gone}");
        }
    }
    assert!(row("&groupStatsPeriod=").get("stats").is_none());
    // By id there is no window.
    let by_id = get(&sandbox, &format!("{ISSUES}?group={issue}"));
    assert_eq!(by_id.rows()[0]["count"], "4");
    assert!(by_id.header("link").is_none());
}

#[test]
fn projects_are_asked_for_by_number_and_one_that_cannot_be_seen_spoils_the_rest() {
    let sandbox = seeded();
    let ask = |project: &str| -> Answer { get(&sandbox, &format!("{ISSUES}?query=&{project}")) };
    let slug = ask("project=api");
    assert_eq!(slug.status, 400);
    assert_eq!(
        slug.detail(),
        "Invalid project parameter. Values must be numbers."
    );
    assert_eq!(ask("project=2&project=4711").status, 403);
    // In deletion.
    assert_eq!(ask("project=2&project=8").status, 403);
    let slugs = |project: &str| -> BTreeSet<String> {
        walk(&sandbox, &format!("{ISSUES}?query=&{project}"))
            .iter()
            .map(|row| row["project"]["slug"].as_str().expect("a slug").to_owned())
            .collect()
    };
    assert!(!slugs("").contains("mobile-app"));
    assert!(slugs("project=-1").contains("mobile-app"));
    assert_eq!(
        ask("environment=production&environment=Production").status,
        404
    );
}

#[test]
fn an_issue_that_gets_an_event_while_it_is_walked_is_missed_unless_the_end_is_pinned() {
    let world = || {
        let mut world = World::empty(now());
        let project = world.add_project("api");
        for hours in 1..=4 {
            let issue = world.add_issue(project, "Error: x");
            world.add_event(issue, ago(hours));
        }
        world
    };
    let found = |end: i64| {
        let sandbox = start(world());
        let last = *sandbox.world().issues.keys().last().expect("four issues");
        sandbox
            .faults()
            .on_request(Match::path(ISSUES), 1, move |world| {
                world.add_event(last, now() - chrono::TimeDelta::seconds(5));
            });
        let path = format!(
            "{ISSUES}?query=&limit=2&start={}&end={}",
            iso(ago(48)),
            iso(ago(end))
        );
        walk(&sandbox, &path).len()
    };
    assert_eq!(found(0), 3);
    // The new event is outside.
    assert_eq!(found(0) + 1, {
        let sandbox = start(world());
        let last = *sandbox.world().issues.keys().last().expect("four issues");
        sandbox
            .faults()
            .on_request(Match::path(ISSUES), 1, move |world| {
                world.add_event(last, now());
            });
        let path = format!(
            "{ISSUES}?query=&limit=2&start={}&end={}",
            iso(ago(48)),
            iso(now())
        );
        walk(&sandbox, &path).len()
    });
}

#[test]
fn a_merged_issue_answers_as_its_survivor_and_leaving_ones_not_at_all() {
    let sandbox = seeded();
    let (child, survivor) = sandbox
        .world()
        .merged
        .iter()
        .next()
        .map(|(child, survivor)| (*child, *survivor))
        .expect("a merged issue");
    let record = get(&sandbox, &format!("{ISSUES}{child}/")).json();
    assert_eq!(record["id"], survivor.to_string());
    let events = get(&sandbox, &format!("{ISSUES}{child}/events/")).rows();
    assert_eq!(events.len(), 5);
    assert!(events.iter().all(|row| row["groupID"] == record["id"]));
    let leaving: Vec<u64> = sandbox
        .world()
        .issues
        .values()
        .filter(|issue| !issue.status.visible())
        .map(|issue| issue.id)
        .collect();
    assert_eq!(leaving.len(), 3);
    for id in leaving.into_iter().chain([999_999]) {
        let answer = get(&sandbox, &format!("{ISSUES}{id}/"));
        assert_eq!(answer.status, 404);
        assert_eq!(answer.detail(), "The requested resource does not exist");
        assert_eq!(get(&sandbox, &format!("{ISSUES}{id}/events/")).status, 404);
    }
}

#[test]
fn the_data_can_change_while_the_server_runs() {
    let sandbox = seeded();
    let id = sandbox.world().add_issue(2, "New: issue");
    sandbox.world().add_event(id, ago(1));
    assert_eq!(
        get(&sandbox, &format!("{ISSUES}{id}/")).json()["status"],
        "unresolved"
    );
    sandbox.world().resolve(id);
    assert_eq!(
        get(&sandbox, &format!("{ISSUES}{id}/")).json()["status"],
        "resolved"
    );
    sandbox.world().issue_mut(id).kind = Kind::CRON;
    sandbox.world().set_status(id, Status::PendingDeletion);
    assert_eq!(get(&sandbox, &format!("{ISSUES}{id}/")).status, 404);
}

#[test]
fn the_old_search_of_one_project_has_its_own_forms() {
    let sandbox = seeded();
    let rows = walk(&sandbox, "/projects/acme/worker/issues/");
    let annotated = rows
        .iter()
        .find(|row| {
            row["annotations"]
                .as_array()
                .is_some_and(|list| !list.is_empty())
        })
        .expect("an annotated issue");
    assert_eq!(
        annotated["annotations"][0],
        "<a href=\"https://tracker.invalid/ACME-12\">ACME-12</a>"
    );
}

#[test]
fn an_event_id_and_a_short_id_are_direct_hits() {
    let sandbox = seeded();
    let (event, short) = {
        let world = sandbox.world();
        let issue = world.issues.values().next().expect("an issue");
        (issue.events[0].id.clone(), issue.short_id.clone())
    };
    for query in [
        format!("query={event}"),
        format!("query={short}&shortIdLookup=1"),
    ] {
        let page = get(&sandbox, &format!("{ISSUES}?{query}"));
        assert_eq!(page.rows().len(), 1);
        assert_eq!(page.header("x-sentry-direct-hit"), Some("1"));
        assert!(page.header("link").is_none());
    }
}

#[test]
fn a_short_id_names_its_issue() {
    let sandbox = seeded();
    let (id, short) = {
        let world = sandbox.world();
        let issue = world.issues.values().next().expect("an issue");
        (issue.id.to_string(), issue.short_id.clone())
    };
    let path = "/organizations/acme/shortids/";
    for name in [&short, &short.to_lowercase()] {
        let record = get(&sandbox, &format!("{path}{name}/?collapse=stats")).json();
        assert_eq!(record["groupId"], id.as_str());
        assert_eq!(record["group"]["id"], id.as_str());
        assert_eq!(record["shortId"], short.as_str());
        assert_eq!(record["projectSlug"], record["group"]["project"]["slug"]);
        assert!(record["group"].get("lifetime").is_none());
    }
    assert_eq!(get(&sandbox, &format!("{path}API-ZZZZ/")).status, 404);
}
