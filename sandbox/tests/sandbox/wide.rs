//! What searches over several projects do that those over one do not.

use crate::client::{Answer, ago, get, get_as, ids, iso, now, seeded, start, try_get, walk};
use chrono::TimeDelta;
use sentry_sandbox::{
    Bulk, Fault, FaultKind, Match, Options, Sandbox, TEAMLESS_TOKEN, TOKEN, World,
};
use std::collections::BTreeSet;

const ISSUES: &str = "/organizations/acme/issues/?query=";

fn hits(answer: &Answer) -> Option<usize> {
    answer
        .header("x-hits")
        .map(|hits| hits.parse().expect("a number"))
}

fn always(sandbox: &Sandbox, when: Match, kind: FaultKind) {
    sandbox.faults().add(Fault::always(when, kind));
}

#[test]
fn a_fault_can_be_for_wide_requests_only() {
    let sandbox = seeded();
    always(&sandbox, Match::wide(), FaultKind::Gone);
    let status = |projects: &str| get(&sandbox, &format!("{ISSUES}{projects}")).status;
    for wide in [
        "&project=-1",
        "&project=2&project=3",
        "&project=2&project=2&project=5",
        "&projectSlug=$all",
        "&projectSlug=api&project=3",
    ] {
        assert_eq!(status(wide), 410, "{wide}");
    }
    for narrow in ["", "&project=2", "&project=2&project=2", "&projectSlug=api"] {
        assert_eq!(status(narrow), 200, "{narrow}");
    }
    assert_eq!(get(&sandbox, "/organizations/acme/teams/").status, 200);
}

#[test]
fn a_wide_search_ends_early_and_its_hits_tell() {
    let sandbox = seeded();
    let path = format!("{ISSUES}&project=-1&limit=20");
    let all = walk(&sandbox, &path).len();
    sandbox.faults().add(Fault {
        skip: 1,
        ..Fault::once(Match::path_end("/issues/").and_wide(), FaultKind::EndEarly)
    });
    assert_eq!(
        walk(&sandbox, &format!("{ISSUES}&project=3&limit=20")).len(),
        walk(&seeded(), &format!("{ISSUES}&project=3")).len()
    );
    assert_eq!(sandbox.faults().fired(), 0, "the narrow one is whole");
    let first = get(&sandbox, &path);
    let second = get(
        &sandbox,
        &format!("{path}&cursor={}", first.next().expect("more")),
    );
    assert_eq!(second.rows().len(), 10);
    assert!(second.next().is_none());
    assert!(
        second
            .header("link")
            .expect("a header")
            .contains("rel=\"next\"; results=\"false\"")
    );
    assert_eq!((hits(&first), hits(&second)), (Some(all), Some(all)));
}

#[test]
fn hits_above_a_thousand_are_a_thousand() {
    let sandbox = start(World::bulk(Bulk {
        now: now(),
        projects: 2,
        issues_per_project: 600,
        events_per_issue: 1,
        event_bytes: 100,
        span: TimeDelta::days(30),
    }));
    let one = get(&sandbox, &format!("{ISSUES}&project=2"));
    assert_eq!(
        (hits(&one), one.header("x-max-hits")),
        (Some(600), Some("1000"))
    );
    let all = format!("{ISSUES}&project=-1");
    assert_eq!(hits(&get(&sandbox, &all)), Some(1_000));
    assert_eq!(walk(&sandbox, &all).len(), 1_200);
}

#[test]
fn a_server_need_not_tell_hits() {
    let sandbox = Sandbox::start(Options {
        hits: false,
        ..Options::new(World::seeded(now()))
    })
    .expect("a free port");
    let answer = get(&sandbox, &format!("{ISSUES}&project=-1"));
    assert_eq!(answer.rows().len(), 100);
    assert!(answer.header("link").is_some());
    assert_eq!(
        (answer.header("x-hits"), answer.header("x-max-hits")),
        (None, None)
    );
}

#[test]
fn wide_searches_time_out_in_two_ways() {
    for (kind, status, words) in [
        (
            FaultKind::Status(504),
            504,
            "\nQuery timeout. Please try again. If the problem persists try a smaller date range or fewer projects.",
        ),
        (
            FaultKind::TimedOut,
            400,
            "Query timeout. Please try again. If the problem persists try a smaller date range or fewer projects.",
        ),
    ] {
        let sandbox = seeded();
        always(&sandbox, Match::path_end("/issues/").and_wide(), kind);
        let answer = get(&sandbox, &format!("{ISSUES}&project=-1"));
        assert_eq!(answer.status, status);
        assert!(answer.detail().starts_with(words), "{}", answer.detail());
        assert_eq!(get(&sandbox, &format!("{ISSUES}&project=2")).status, 200);
        assert_eq!(
            get(&sandbox, "/organizations/acme/releases/?project=-1").status,
            200
        );
    }
}

#[test]
fn a_plan_may_search_one_project_at_a_time() {
    let sandbox = seeded();
    always(
        &sandbox,
        Match::path_end("/issues/"),
        FaultKind::OneProjectOnly,
    );
    let answer = get(&sandbox, &format!("{ISSUES}&project=2&project=3"));
    assert_eq!(
        (answer.status, answer.detail().as_str()),
        (
            400,
            "You do not have the multi project stream feature enabled"
        )
    );
    assert_eq!(get(&sandbox, &format!("{ISSUES}&project=2")).status, 200);
}

#[test]
fn one_project_that_cannot_be_seen_or_is_gone_is_a_403_for_all() {
    let sandbox = seeded();
    let status = |token: &str, projects: &str| {
        get_as(&sandbox, token, &format!("{ISSUES}{projects}")).status
    };
    assert_eq!(status(TOKEN, "&project=2&project=3&project=5"), 200);
    // In deletion, and never there.
    assert_eq!(status(TOKEN, "&project=2&project=3&project=8"), 403);
    assert_eq!(status(TOKEN, "&project=2&project=3&project=4711"), 403);
    sandbox.world().organizations[0].open_membership = false;
    // The owner is in no team of project 5.
    assert_eq!(status(TOKEN, "&project=2&project=3&project=5"), 403);
    assert_eq!(status(TOKEN, "&project=2&project=3"), 200);
}

#[test]
fn all_projects_are_those_that_can_be_seen_without_an_error() {
    let sandbox = seeded();
    let all = format!("{ISSUES}&project=-1");
    let projects = || -> BTreeSet<String> {
        walk(&sandbox, &all)
            .iter()
            .map(|row| row["project"]["id"].as_str().expect("an id").to_owned())
            .collect()
    };
    let (open, whole) = (projects(), hits(&get(&sandbox, &all)));
    sandbox.world().organizations[0].open_membership = false;
    let closed = projects();
    assert!(open.contains("5") && !closed.contains("5"));
    assert!(closed.is_subset(&open));
    assert!(
        hits(&get(&sandbox, &all)) < whole,
        "hits count what can be seen"
    );
    let nobody = get_as(&sandbox, TEAMLESS_TOKEN, &all);
    assert!(nobody.rows().is_empty());
    assert_eq!(hits(&nobody), None);
}

#[test]
fn for_a_while_only_errors_are_found_and_nothing_tells() {
    let sandbox = seeded();
    let narrow = format!("{ISSUES}&project=5");
    let wide = format!("{ISSUES}&project=-1");
    let found = |path: &str| -> (BTreeSet<String>, Option<usize>) {
        (
            ids(&walk(&sandbox, path)).into_iter().collect(),
            hits(&get(&sandbox, path)),
        )
    };
    let before = (found(&narrow), found(&wide));
    let errors: BTreeSet<String> = sandbox
        .world()
        .issues
        .values()
        .filter(|issue| issue.kind.is_error())
        .map(|issue| issue.id.to_string())
        .collect();
    always(&sandbox, Match::any(), FaultKind::ErrorsOnly);
    for (path, (rows, _)) in [(&narrow, &before.0), (&wide, &before.1)] {
        let left: BTreeSet<String> = rows & &errors;
        assert_eq!(found(path), (left.clone(), Some(left.len())), "{path}");
    }
    assert!(found(&wide).0.len() < before.1.0.len());
    // Without errors among what is searched for there is nothing to fall back to.
    let feedback = get(
        &sandbox,
        "/organizations/acme/issues/?project=-1&query=issue.category:feedback",
    );
    assert_eq!(
        (feedback.status, feedback.detail().as_str()),
        (500, "Internal error. Please try again.")
    );
    assert_eq!(
        get(&sandbox, "/organizations/acme/issues/1001/").status,
        200
    );
    sandbox.faults().clear();
    assert_eq!((found(&narrow), found(&wide)), before);
    // For so many requests.
    sandbox.faults().add(Fault {
        times: 1,
        ..Fault::once(Match::path_end("/issues/"), FaultKind::ErrorsOnly)
    });
    assert!(hits(&get(&sandbox, &wide)) < before.1.1);
    assert_eq!(hits(&get(&sandbox, &wide)), before.1.1);
}

#[test]
fn a_pedantic_server_refuses_what_would_be_passed_over() {
    let sandbox = Sandbox::start(Options {
        pedantic: true,
        ..Options::new(World::seeded(now()))
    })
    .expect("a free port");
    let window = format!("start={}&end={}&utc=true", iso(ago(48)), iso(now()));
    let ask = |more: &str| get(&sandbox, &format!("{ISSUES}&project=-1&{window}{more}"));
    assert_eq!(
        ask("&sort=date&groupStatsPeriod=&collapse=filtered&collapse=unhandled&limit=10").status,
        200
    );
    for (more, words) in [
        (
            "&per_page=10",
            "Sentry would ignore the parameter per_page.",
        ),
        ("&querry=x", "Sentry would ignore the parameter querry."),
    ] {
        let answer = ask(more);
        assert_eq!((answer.status, answer.detail().as_str()), (400, words));
    }
    let query = |text: &str| {
        get(
            &sandbox,
            &format!("/organizations/acme/issues/?project=-1&query={text}"),
        )
    };
    assert_eq!(query("environment:production").status, 200);
    assert_eq!(
        query("lastseen:-24h").detail(),
        "Sentry would take lastseen for a tag, which no event has."
    );
    // Other endpoints are as they are.
    assert_eq!(
        try_get(&sandbox, Some(TOKEN), "/organizations/acme/teams/?querry=x")
            .expect("an answer")
            .status,
        200
    );
}
