//! Servers of different age.

use crate::client::{Answer, get, ids, now, walk};
use sentry_sandbox::{Options, Sandbox, Version, World};
use serde_json::Value;
use std::collections::BTreeSet;

const ISSUES: &str = "/organizations/acme/issues/";
const OLD: [Version; 3] = [Version::V21_4, Version::V21_1, Version::V9_1];

fn of(version: Version) -> Sandbox {
    Sandbox::start(Options {
        version,
        ..Options::new(World::seeded(now()))
    })
    .expect("a free port")
}

fn slugs(rows: &[Value]) -> BTreeSet<&str> {
    rows.iter()
        .map(|row| row["project"]["slug"].as_str().expect("a slug"))
        .collect()
}

#[test]
fn names_of_versions_are_those_of_the_program() {
    for (name, version) in [
        ("2026", Version::V2026),
        ("2025", Version::default()),
        ("21.4", Version::V21_4),
        ("21.1", Version::V21_1),
        ("9.1", Version::V9_1),
    ] {
        assert_eq!(Version::named(name), Some(version));
    }
    assert_eq!(Version::named("22"), None);
}

#[test]
fn since_2026_projects_have_names_and_none_means_all() {
    let (new, before) = (of(Version::V2026), of(Version::V2025));
    let ask = |sandbox: &Sandbox, project: &str| -> Answer {
        get(sandbox, &format!("{ISSUES}?query=&{project}"))
    };
    assert_eq!(
        slugs(&ask(&new, "project=mobile-app").rows()),
        BTreeSet::from(["mobile-app"])
    );
    assert_eq!(
        slugs(&ask(&new, "project=mobile-app&project=2").rows()),
        BTreeSet::from(["api", "mobile-app"])
    );
    assert_eq!(ask(&new, "project=nothing").status, 403);
    assert_eq!(ask(&new, "project=api&project=doomed").status, 403);
    assert_eq!(ask(&before, "project=mobile-app").status, 400);
    // The owner is in no team of this one.
    let all = |sandbox: &Sandbox| walk(sandbox, &format!("{ISSUES}?query="));
    assert!(slugs(&all(&new)).contains("mobile-app"));
    assert!(!slugs(&all(&before)).contains("mobile-app"));
}

#[test]
fn without_a_query_2025_shows_what_matters_only() {
    let priorities = |version: Version| -> BTreeSet<String> {
        walk(&of(version), &format!("{ISSUES}?project=-1"))
            .iter()
            .map(|row| row["priority"].as_str().unwrap_or("none").to_owned())
            .collect()
    };
    let set = |names: &[&str]| -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    };
    assert_eq!(priorities(Version::V2025), set(&["high", "medium"]));
    assert_eq!(
        priorities(Version::V2026),
        set(&["high", "low", "medium", "none"])
    );
}

#[test]
fn old_servers_have_errors_and_nothing_to_tell_them_by() {
    for version in [Version::V21_4, Version::V21_1] {
        let sandbox = of(version);
        let rows = walk(&sandbox, &format!("{ISSUES}?project=-1&query="));
        let expected = sandbox.world().expected(
            "issues",
            None,
            now() - chrono::TimeDelta::days(90),
            now() + chrono::TimeDelta::days(1),
        );
        assert_eq!(ids(&rows).into_iter().collect::<BTreeSet<_>>(), expected);
        for row in &rows {
            for key in [
                "issueCategory",
                "issueType",
                "priority",
                "substatus",
                "isUnhandled",
            ] {
                assert!(row.get(key).is_none(), "{key}");
            }
            assert!(row["lifetime"].is_object());
        }
        assert!(rows.iter().any(|row| row["annotations"][0]
            == "<a href=\"https://tracker.invalid/ACME-12\">ACME-12</a>"));
        // There it is a tag, which no event has.
        for query in ["issue.category:feedback", "substatus:new"] {
            let page = get(&sandbox, &format!("{ISSUES}?project=-1&query={query}"));
            assert!(page.rows().is_empty(), "{query}");
        }
        let refused = get(&sandbox, &format!("{ISSUES}?query=is:escalating")).detail();
        assert!(
            refused.contains("'needs_review'") && !refused.contains("'new'"),
            "{refused}"
        );
        let release = &get(&sandbox, "/organizations/acme/releases/").rows()[0];
        assert!(release.get("id").is_none() && release.get("version").is_some());
        let member = &get(&sandbox, "/organizations/acme/members/").rows()[0];
        assert!(member.get("orgRole").is_none() && member.get("role").is_some());
        let detail = get(
            &sandbox,
            &format!("{ISSUES}{}/", rows[0]["id"].as_str().expect("an id")),
        )
        .json();
        assert!(detail.get("issueCategory").is_none() && detail["activity"].is_array());
        let event = &get(&sandbox, "/projects/acme/api/events/").rows()[0];
        assert!(event.get("metadata").is_none() && event.get("event.type").is_some());
    }
}

#[test]
fn old_servers_know_no_ids_in_paths() {
    for version in OLD {
        let sandbox = of(version);
        let status = |path: &str| get(&sandbox, path).status;
        assert_eq!(status("/projects/acme/api/"), 200);
        assert_eq!(status("/projects/acme/2/"), 404);
        assert_eq!(status("/organizations/1/"), 404);
        assert_eq!(
            get(&sandbox, "/projects/acme/nope/").detail(),
            "The requested resource does not exist"
        );
        assert_eq!(status("/projects/acme/android/"), 302);
    }
    assert_eq!(get(&of(Version::V2025), "/projects/acme/2/").status, 200);
}

#[test]
fn old_servers_have_issues_without_an_organization_in_the_path() {
    for version in OLD {
        let sandbox = of(version);
        let issue = get(&sandbox, "/projects/acme/api/issues/").rows()[0]["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        assert_eq!(
            get(&sandbox, &format!("/issues/{issue}/")).json()["id"],
            issue.as_str()
        );
        assert_eq!(get(&sandbox, &format!("/groups/{issue}/")).status, 200);
        assert!(
            !get(&sandbox, &format!("/issues/{issue}/events/"))
                .rows()
                .is_empty()
        );
    }
    for version in [Version::V2025, Version::V2026] {
        assert_eq!(get(&of(version), "/issues/1001/").status, 410);
    }
}

#[test]
fn endpoints_come_with_time() {
    let stats = "/organizations/acme/stats_v2/?field=sum(quantity)&groupBy=outcome&category=error&interval=1d&project=2";
    for (version, statistics, issues) in [
        (Version::V2026, 200, 200),
        (Version::V2025, 200, 200),
        (Version::V21_4, 200, 200),
        (Version::V21_1, 404, 200),
        (Version::V9_1, 404, 404),
    ] {
        let sandbox = of(version);
        let answer = get(&sandbox, stats);
        assert_eq!(answer.status, statistics, "{version:?}");
        if statistics == 404 {
            assert!(answer.body.is_empty(), "no such path: no words");
        }
        assert_eq!(
            get(&sandbox, &format!("{ISSUES}?project=2")).status,
            issues,
            "{version:?}"
        );
    }
    // The oldest takes -1 for a project that is not there.
    let users = |version| get(&of(version), "/organizations/acme/users/?project=-1").status;
    assert_eq!((users(Version::V9_1), users(Version::V21_1)), (403, 200));
}
