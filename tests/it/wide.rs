//! Issues of many projects in one list, and what happens where such a list cannot be trusted.

use crate::dsl::{Run, Sentry, Tap, union};
use chrono::TimeDelta;
use rstest::rstest;
use sentry_sandbox::{Bulk, Fault, FaultKind, Match, Options, Request, World};
use serde_json::json;
use std::collections::BTreeSet;

const ISSUES: &str = "/issues/";

/// The projects that a request names.
fn named(request: &Request) -> Vec<&str> {
    let parameters = request.query.iter();
    let projects = parameters.filter(|(name, _)| name == "project");
    projects.map(|(_, value)| value.as_str()).collect()
}

/// The issue lists of several projects, or of one.
fn lists(sentry: &Sentry, wide: bool) -> Vec<Request> {
    let is_wide = |request: &Request| {
        let projects = named(request);
        projects.len() > 1 || projects == ["-1"]
    };
    let mut requests = sentry.requests();
    requests.retain(|request| request.path.ends_with(ISSUES) && is_wide(request) == wide);
    requests
}

fn of_many_projects() -> Match {
    Match::path_end(ISSUES).and_wide()
}

/// So many projects, of which each has an issue with an event an hour.
fn projects(number: usize) -> Sentry {
    Sentry::holding(|world| {
        for i in 0..number {
            let project = world.add_project(&format!("project-{i}"));
            let issue = world.add_issue(project, &format!("issue of {i}"));
            for hour in 1..4 {
                world.add_event(issue, world.clock() - TimeDelta::hours(hour));
            }
        }
    })
}

#[track_caller]
fn has_everything(run: &Run, sentry: &Sentry) {
    run.is_complete().no_state_is_ahead(sentry, &[]);
    for stream in ["issues", "events"] {
        run.keys(stream)
            .equal(sentry.expected(stream))
            .are_distinct();
    }
}

#[test]
fn all_projects_are_listed_together() {
    let sentry = projects(30);
    let run = Tap::against(&sentry).select(&["issues", "events"]).run();
    has_everything(&run, &sentry);
    assert_eq!(
        (lists(&sentry, true).len(), lists(&sentry, false).len()),
        (2, 0),
        "issues and feedback"
    );
    for i in 0..30 {
        let project = sentry.project(&format!("project-{i}"));
        assert!(run.bookmark("issues", project).is_some(), "project-{i}");
    }
}

#[test]
fn records_of_a_wide_list_carry_their_own_project() {
    let sentry = projects(3);
    let run = Tap::against(&sentry).select(&["issues"]).run();
    for record in run.records("issues") {
        let project = &record["project"];
        assert_eq!(record["project_id"], project["id"]);
        assert_eq!(record["project_slug"], project["slug"]);
    }
    assert_eq!(run.records("issues").len(), 3);
}

#[test]
fn an_idle_organization_costs_the_same_with_any_number_of_projects() {
    let requests = |number: usize| {
        let sentry = Sentry::holding(|world| {
            for i in 0..number {
                world.add_project(&format!("project-{i}"));
            }
        });
        let select = ["issues", "events", "releases"];
        let first = Tap::against(&sentry).select(&select).run();
        first.is_complete();
        sentry.clear_requests();
        let later = Tap::against(&sentry).select(&select).state(&first.state());
        later.run().is_complete();
        sentry.requests().len()
    };
    assert_eq!(requests(2), requests(60));
    assert!(requests(60) <= 4, "projects, issues, feedback, releases");
}

#[test]
fn a_few_projects_with_news_cost_what_the_news_need() {
    let sentry = Sentry::holding(|world| {
        for i in 0..60 {
            world.add_project(&format!("project-{i}"));
        }
    });
    let mut state = json!({});
    let mut requests = || {
        sentry.clear_requests();
        let run = Tap::against(&sentry)
            .select(&["issues", "events", "releases"])
            .state(&state)
            .run();
        run.is_complete();
        state = run.state();
        sentry.requests().len()
    };
    requests();
    let idle = requests();
    for i in 0..10 {
        let project = sentry.project(&format!("project-{i}"));
        let mut world = sentry.world();
        let issue = world.add_issue(project, &format!("news of {i}"));
        let now = world.clock();
        world.add_event(issue, now - TimeDelta::minutes(5));
    }
    assert_eq!(requests(), idle + 10, "the events of ten issues");
}

#[rstest]
#[case::ends_early(FaultKind::EndEarly)]
#[case::is_forbidden(FaultKind::Status(403))]
#[case::is_not_understood(FaultKind::Status(400))]
#[case::fails(FaultKind::Status(500))]
#[case::takes_too_long(FaultKind::Status(504))]
#[case::is_too_large(FaultKind::QueryTooLarge)]
#[case::times_out_in_the_store(FaultKind::QueryTimeout)]
#[case::is_no_list(FaultKind::WrongShape)]
#[case::times_out(FaultKind::TimedOut)]
#[case::is_of_a_plan_for_one_project(FaultKind::OneProjectOnly)]
fn what_cannot_be_trusted_is_read_project_by_project(#[case] kind: FaultKind) {
    let sentry = projects(6);
    sentry.faults().add(Fault::always(of_many_projects(), kind));
    let run = Tap::against(&sentry)
        .select(&["issues", "events"])
        .retries(1)
        .run();
    has_everything(&run, &sentry);
    run.tells("issues: 6 projects in 1 group were asked for one by one")
        .does_not_tell("this server has nothing that the search would find");
    let mut asked: Vec<String> = lists(&sentry, false)
        .iter()
        .filter_map(|request| request.get("project").map(str::to_owned))
        .collect();
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), 6);
}

#[test]
fn feedback_that_is_too_much_for_one_query_is_read_project_by_project() {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::always(
        of_many_projects().query("issue.category"),
        FaultKind::QueryTooLarge,
    ));
    let run = Tap::against(&sentry).select(&["issues", "events"]).run();
    has_everything(&run, &sentry);
    run.tells("were asked for one by one");
}

#[test]
fn an_issue_that_goes_while_all_are_listed_costs_one_look_more() {
    let sentry = projects(130);
    let gone = sentry.issue("issue of 7");
    sentry
        .faults()
        .on_request(of_many_projects().query("cursor="), 0, move |world| {
            world.delete_issue(gone);
        });
    let run = Tap::against(&sentry).select(&["issues"]).run();
    run.is_complete()
        .does_not_tell("one by one")
        .keys("issues")
        .include(sentry.expected("issues"));
    assert!(lists(&sentry, false).is_empty());
    assert!(
        lists(&sentry, true).len() < 7,
        "{:?}",
        lists(&sentry, true).len()
    );
}

#[test]
fn a_project_in_trouble_holds_back_no_other() {
    let sentry = projects(5);
    let broken = sentry.project("project-2");
    for fault in [
        Fault::always(of_many_projects(), FaultKind::EndEarly),
        Fault::always(
            Match::path_end(ISSUES).query(format!("project={broken}")),
            FaultKind::Status(500),
        ),
    ] {
        sentry.faults().add(fault);
    }
    let run = Tap::against(&sentry)
        .select(&["issues", "events"])
        .retries(0)
        .run();
    run.is_incomplete().no_state_is_ahead(&sentry, &[]);
    for i in 0..5 {
        let project = sentry.project(&format!("project-{i}"));
        assert_eq!(
            run.bookmark("issues", project).is_some(),
            project != broken,
            "project-{i}"
        );
    }
    assert_eq!(run.records("issues").len(), 4);
}

#[test]
fn events_that_fail_below_a_wide_list_hold_back_their_project_alone() {
    let sentry = projects(3);
    let issue = sentry.issue("issue of 1");
    sentry.faults().add(Fault::always(
        Match::path_end(format!("/issues/{issue}/events/")),
        FaultKind::Status(500),
    ));
    let run = Tap::against(&sentry)
        .select(&["issues", "events"])
        .retries(0)
        .run();
    run.is_incomplete().no_state_is_ahead(&sentry, &[]);
    for i in 0..3 {
        let project = sentry.project(&format!("project-{i}"));
        assert_eq!(run.bookmark("events", project).is_some(), i != 1, "{i}");
    }
}

#[test]
fn chosen_projects_are_asked_for_by_their_ids() {
    let sentry = projects(4);
    let run = Tap::against(&sentry)
        .select(&["issues"])
        .with("project_slugs", vec!["project-1", "project-3"])
        .run();
    run.is_complete();
    let wide = lists(&sentry, true);
    let ids = named(&wide[0]);
    let expected = ["project-1", "project-3"].map(|slug| sentry.project(slug).to_string());
    assert_eq!(ids, expected);
    assert_eq!(run.records("issues").len(), 2);
}

#[test]
fn a_new_project_is_a_group_of_its_own_and_joins_the_others() {
    let sentry = projects(3);
    let select = ["issues", "events"];
    let first = Tap::against(&sentry).select(&select).run();
    first.is_complete();
    {
        let mut world = sentry.world();
        let project = world.add_project("new");
        let issue = world.add_issue(project, "new issue");
        let now = world.clock();
        world.add_event(issue, now - TimeDelta::days(5));
    }
    sentry.clear_requests();
    let second = Tap::against(&sentry)
        .select(&select)
        .state(&first.state())
        .run();
    second
        .is_complete()
        .keys("issues")
        .include([sentry.issue("new issue")]);
    assert!(!lists(&sentry, false).is_empty(), "the new one alone");
    sentry.clear_requests();
    let third = Tap::against(&sentry)
        .select(&select)
        .state(&second.state())
        .run();
    third.is_complete();
    assert_eq!(
        (lists(&sentry, true).len(), lists(&sentry, false).len()),
        (2, 0)
    );
}

/// More issues than the server's estimate can count.
fn many(projects: u64, issues: u64) -> Sentry {
    Sentry::of(|now| {
        Options::new(World::bulk(Bulk {
            now,
            projects,
            issues_per_project: issues,
            events_per_issue: 1,
            event_bytes: 300,
            span: TimeDelta::days(9),
        }))
    })
}

#[test]
fn more_rows_than_the_estimate_counts_are_asked_for_in_groups_of_projects() {
    let sentry = many(8, 150);
    let run = Tap::against(&sentry).select(&["issues"]).run();
    run.is_complete()
        .keys("issues")
        .equal(sentry.expected("issues"))
        .are_distinct();
    let wide = lists(&sentry, true);
    let feedback = |request: &&Request| request.get("query") == Some("issue.category:feedback");
    assert_eq!(wide.iter().filter(feedback).count(), 1);
    assert!(wide.len() < 20, "{}", wide.len());
    assert!(lists(&sentry, false).is_empty());
}

#[test]
fn an_address_names_no_more_projects_than_four_kib_hold() {
    let sentry = projects(600);
    let slugs: Vec<String> = (0..500).map(|i| format!("project-{i}")).collect();
    let run = Tap::against(&sentry)
        .select(&["issues"])
        .with("project_slugs", slugs)
        .run();
    run.is_complete();
    assert_eq!(run.records("issues").len(), 500);
    for request in sentry.requests() {
        let query: usize = request
            .query
            .iter()
            .map(|(k, v)| k.len() + v.len() + 2)
            .sum();
        assert!(request.path.len() + query <= 4096, "{}", request.path);
    }
    assert!(lists(&sentry, false).is_empty());
}

#[test]
fn an_issue_that_vanishes_below_a_wide_list_is_looked_for_in_its_project() {
    let sentry = projects(4);
    let gone = sentry.issue("issue of 2");
    sentry.faults().on_request(
        Match::path_end(format!("/issues/{gone}/events/")),
        0,
        move |world| world.delete_issue(gone),
    );
    let run = Tap::against(&sentry).select(&["issues", "events"]).run();
    run.is_complete();
    let project = sentry.project("project-2").to_string();
    assert!(
        lists(&sentry, false)
            .iter()
            .all(|request| request.get("project") == Some(&project))
    );
    assert!(
        run.bookmark("events", sentry.project("project-2"))
            .is_some()
    );
}

/// Neither rows nor hits tell it, of many projects no more than of one.
#[rstest]
#[case::of_many_projects(false)]
#[case::of_each_project(true)]
fn what_a_search_hides_in_silence_comes_with_the_refresh(#[case] alone: bool) {
    let sentry = Sentry::recent();
    if alone {
        sentry.refuses_wide_lists();
    }
    let hidden: BTreeSet<String> = {
        let world = sentry.world();
        let issues = world.issues.values();
        let hidden = issues.filter(|issue| !issue.kind.is_error() && !issue.kind.hidden);
        hidden.map(|issue| issue.id.to_string()).collect()
    };
    let expected = sentry.expected("issues");
    assert!(!hidden.is_disjoint(&expected));
    // The other search would fail, and be a gap.
    let all_kinds = Match::path_end(ISSUES).query("query=&");
    sentry
        .faults()
        .add(Fault::always(all_kinds, FaultKind::ErrorsOnly));
    let select = ["issues", "events"];
    let first = Tap::against(&sentry).select(&select).run();
    first.is_complete();
    first.keys("issues").equal(&expected - &hidden);
    sentry.faults().clear();
    let second = Tap::against(&sentry)
        .select(&select)
        .state(&first.state())
        .run();
    second.is_complete();
    union("issues", &[&first, &second]).include(expected);
}

#[test]
fn the_optional_search_is_asked_once_for_all_groups() {
    let sentry = projects(4);
    let select = ["issues", "events"];
    let first = Tap::against(&sentry).select(&select).run();
    first.is_complete();
    sentry.world().add_project("new");
    sentry.world().add_project("newer");
    sentry.clear_requests();
    let second = Tap::against(&sentry)
        .select(&select)
        .state(&first.state())
        .run();
    second.is_complete();
    let feedback = |request: &&Request| request.get("query") == Some("issue.category:feedback");
    let lists = lists(&sentry, true);
    assert_eq!(lists.iter().filter(feedback).count(), 1);
    assert_eq!(lists.len(), 3, "one of each group");
}

/// Each project that has issues has a checkpoint of its own, and they come one after the other.
#[test]
fn a_run_that_is_killed_keeps_the_projects_that_are_finished() {
    let sentry = projects(12);
    let mut running = Tap::against(&sentry)
        .select(&["issues", "events"])
        .with("concurrency", 2)
        .start();
    running.read_to("STATE");
    let killed = running.kill();
    let finished = (0..12)
        .filter(|i| {
            killed
                .bookmark("events", sentry.project(&format!("project-{i}")))
                .is_some()
        })
        .count();
    assert!((1..12).contains(&finished), "{finished}");
    Tap::against(&sentry)
        .select(&["issues", "events"])
        .completes(&sentry, &[&killed]);
}

/// A request for all that the token can read would leave it out without a word; one that names it is refused.
#[test]
fn a_project_that_the_token_can_no_longer_read_is_not_taken_for_idle() {
    let sentry = projects(4);
    let lost = sentry.project("project-2");
    sentry.faults().add(Fault::always(
        Match::path_end(ISSUES).query(format!("project={lost}&")),
        FaultKind::Status(403),
    ));
    let run = Tap::against(&sentry).select(&["issues", "events"]).run();
    run.is_incomplete();
    assert_eq!(run.bookmark("events", lost), None);
    for other in ["project-0", "project-1", "project-3"] {
        assert!(run.bookmark("events", sentry.project(other)).is_some());
    }
}

/// Sentry counts nothing where it finds nothing. A list without a word on what follows is of a token that reads nothing.
#[test]
fn an_empty_list_counts_only_if_it_says_that_nothing_follows() {
    let sentry = Sentry::holding(|world| {
        for i in 0..3 {
            world.add_project(&format!("project-{i}"));
        }
    });
    let tap = || Tap::against(&sentry).select(&["issues", "events"]);
    tap().run().is_complete().does_not_tell("one by one");
    assert_eq!(lists(&sentry, false).len(), 0);
    sentry
        .faults()
        .add(Fault::always(of_many_projects(), FaultKind::NoLink));
    tap()
        .run()
        .is_complete()
        .tells("3 projects in 1 group were asked for one by one");
}

/// Projects with more issues than the estimate counts are read alone, no more of them at once than there are connections.
#[test]
fn projects_that_are_too_large_for_a_wide_list_are_finished_one_after_the_other() {
    let sentry = many(6, 1_001);
    let tap = || {
        Tap::against(&sentry)
            .select(&["issues"])
            .with("concurrency", 1)
            .with("state_interval_seconds", 0)
    };
    let mut running = tap().start();
    running.read_to("STATE");
    let killed = running.kill();
    let asked: BTreeSet<String> = lists(&sentry, false)
        .iter()
        .filter_map(|request| request.get("project").map(str::to_owned))
        .collect();
    assert!((1..4).contains(&asked.len()), "{asked:?}");
    tap().completes(&sentry, &[&killed]);
}
