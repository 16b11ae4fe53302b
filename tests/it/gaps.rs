//! What goes wrong: healed it costs nothing, lasting it is a gap that is told, and never is anything lost.

use crate::dsl::{Sentry, Tap};
use crate::gateways::BLOCKED;
use chrono::TimeDelta;
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match};

/// Every way in which an answer can fail, also before Sentry is reached.
fn kinds() -> Vec<FaultKind> {
    let mut kinds = FaultKind::all_transient();
    kinds.extend([
        FaultKind::HugeBody(40 << 20),
        FaultKind::gateway(403, BLOCKED),
        FaultKind::gateway(401, ""),
        FaultKind::gateway(413, r#"{"message":"Request Too Long"}"#),
    ]);
    kinds
}

/// A project for each kind, with an issue of three events, so that one run meets them all.
fn one_project_each(kinds: &[FaultKind]) -> (Sentry, Vec<(u64, u64)>) {
    let mut projects = Vec::new();
    let sentry = Sentry::holding(|world| {
        for number in 0..kinds.len() {
            let project = world.add_project(&format!("project-{number}"));
            let issue = world.add_issue(project, "the issue");
            for day in [1, 2, 3] {
                world.add_event(issue, world.clock() - TimeDelta::days(day));
            }
            projects.push((project, issue));
        }
    });
    (sentry, projects)
}

fn patient(sentry: &Sentry) -> Tap {
    Tap::against(sentry)
        .select(&["issues", "events"])
        .with("request_timeout_seconds", 1)
        .with("concurrency", 16)
}

#[test]
fn what_heals_in_a_list_of_events_costs_nothing() {
    let mut kinds = kinds();
    kinds.extend([
        FaultKind::EndEarly,
        FaultKind::LoseRow,
        FaultKind::EmptyPageMore,
    ]);
    let (sentry, projects) = one_project_each(&kinds);
    for (kind, (_, issue)) in kinds.iter().zip(&projects) {
        sentry.faults().add(Fault::once(
            Match::path(format!("/issues/{issue}/events/")),
            kind.clone(),
        ));
    }
    let run = patient(&sentry).retries(2).run();
    assert_eq!(sentry.faults().fired(), kinds.len());
    run.has_each_event_once(&sentry);
}

#[test]
fn what_heals_in_a_list_of_issues_costs_nothing() {
    let mut kinds = kinds();
    // No hundred issues are that large.
    kinds.retain(|kind| !matches!(kind, FaultKind::HugeBody(_)));
    kinds.extend([
        FaultKind::EndEarly,
        FaultKind::LoseRow,
        FaultKind::EmptyPageMore,
    ]);
    let (sentry, projects) = one_project_each(&kinds);
    sentry.refuses_wide_lists();
    for (kind, (project, _)) in kinds.iter().zip(&projects) {
        let list = Match::path_end("/issues/")
            .query(format!("project={project}&"))
            .query("limit=100");
        sentry.faults().add(Fault::once(list, kind.clone()));
    }
    let run = patient(&sentry).retries(2).run();
    // Both searches are refused for all projects together.
    assert_eq!(sentry.faults().fired(), kinds.len() + 2);
    run.has_each_event_once(&sentry);
}

#[rstest]
#[case::of_events("/events/")]
#[case::of_issues("/issues/")]
fn what_lasts_in_a_list_is_a_gap_that_the_next_run_fills(#[case] list: &str) {
    let mut kinds = kinds();
    // One that lasts is waited for.
    kinds.retain(|kind| !matches!(kind, FaultKind::RateLimited { .. }));
    kinds.extend([
        FaultKind::Status(400),
        FaultKind::Status(404),
        FaultKind::Redirect("https://elsewhere.invalid/".to_owned()),
    ]);
    let (sentry, projects) = one_project_each(&kinds);
    let whole = sentry.world().add_project("whole");
    let issue = sentry.world().add_issue(whole, "nothing is wrong here");
    sentry
        .world()
        .add_event(issue, sentry.now - TimeDelta::days(1));
    for (kind, (project, issue)) in kinds.iter().zip(&projects) {
        let when = if list == "/events/" {
            Match::path(format!("/issues/{issue}/events/"))
        } else {
            Match::path_end("/issues/").query(format!("project={project}&"))
        };
        sentry.faults().add(Fault::always(when, kind.clone()));
    }
    if list == "/issues/" {
        sentry.refuses_wide_lists();
    }

    let first = patient(&sentry).retries(0).run();
    first
        .is_incomplete()
        .no_state_is_ahead(&sentry, &[])
        .ends_telling("incomplete");
    assert_eq!(
        first.bookmark("events", whole),
        Some(sentry.end),
        "what works goes on"
    );
    first.keys("issues").include([issue]);
    for (kind, (project, _)) in kinds.iter().zip(&projects) {
        assert!(
            first.bookmark("events", *project) < Some(sentry.end),
            "{kind:?}: the bookmark waits for what is missing"
        );
        let issues = first.bookmark("issues", *project);
        assert_eq!(
            issues == Some(sentry.end),
            list == "/events/",
            "{kind:?}: a list of events holds back no issues"
        );
        first.tells(&format!("events of acme/{project}: "));
    }

    sentry.faults().clear();
    patient(&sentry).completes(&sentry, &[&first]);
}

#[test]
fn a_list_of_issues_that_fails_holds_back_its_project_alone() {
    let sentry = Sentry::small();
    let (api, web) = (sentry.project("api"), sentry.project("web"));
    sentry.faults().add(Fault::always(
        Match::path_end("/issues/").query(format!("project={api}&")),
        FaultKind::Status(500),
    ));
    sentry.refuses_wide_lists();
    let tap = Tap::against(&sentry).retries(0);
    let first = tap.clone().run();
    first
        .is_incomplete()
        .tells(&format!("missing: issues, events of acme/{api}"));
    for stream in ["issues", "events"] {
        assert_eq!(first.bookmark(stream, api), None);
        assert_eq!(first.bookmark(stream, web), Some(sentry.end));
    }
    first.keys("releases").equal(sentry.expected("releases"));
    sentry.faults().clear();
    tap.completes(&sentry, &[&first]);
}

#[test]
fn a_bookmark_of_an_earlier_run_stays_where_it_is_at_a_gap() {
    let sentry = Sentry::small();
    let middle = sentry.now - TimeDelta::days(5);
    let first = Tap::against(&sentry).until(middle).run();
    let api = sentry.project("api");
    let issue = sentry.issue("api issue 2");
    sentry.faults().add(Fault::always(
        Match::path(format!("/issues/{issue}/events/")),
        FaultKind::Status(502),
    ));
    let second = Tap::against(&sentry).retries(0).state(&first.state()).run();
    second.is_incomplete();
    assert_eq!(second.bookmark("events", api), Some(middle));
    sentry.faults().clear();
    Tap::against(&sentry).completes(&sentry, &[&first, &second]);
}

#[test]
fn a_window_that_fails_keeps_what_was_finished_before_it() {
    let mut sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        let issue = world.add_issue(project, "weekly");
        for week in 0..8 {
            world.add_event(issue, world.clock() - TimeDelta::days(7 * week + 1));
        }
    });
    sentry.start = sentry.now - TimeDelta::days(56);
    let last = Match::path_end("/issues/")
        .query(format!("end={}", crate::dsl::text(sentry.end)))
        .query("limit=100");
    sentry
        .faults()
        .add(Fault::always(last, FaultKind::Status(503)));
    let tap = Tap::against(&sentry)
        .select(&["issues", "events"])
        .retries(0)
        .with("issue_refresh_days", 0);
    let first = tap.clone().run();
    first.is_incomplete().no_state_is_ahead(&sentry, &[]);
    let project = sentry.project("api");
    let reached = first.bookmark("events", project);
    assert!(
        reached.is_some() && reached < Some(sentry.end),
        "{reached:?}"
    );
    sentry.faults().clear();
    tap.completes(&sentry, &[&first]);
}

#[rstest]
#[case::without_headers(FaultKind::RateLimitedNoHeaders)]
#[case::that_end_now(FaultKind::RetryAfter(0))]
#[case::of_a_gateway(FaultKind::Status(429))]
#[case::a_brown_out(FaultKind::Gone)]
fn a_storm_of_refusals_leaves_a_true_state_and_is_sat_out_once_it_ends(#[case] kind: FaultKind) {
    let sentry = Sentry::small();
    sentry.faults().add(Fault {
        skip: 12,
        ..Fault::always(Match::any(), kind.clone())
    });
    // Of others a 410 says that the server lacks them.
    let streams = [
        "projects", "teams", "users", "members", "issues", "events", "releases", "release",
    ];
    let tap = Tap::against(&sentry).select(&streams);
    let first = tap.clone().retries(1).run();
    first
        .is_incomplete()
        .no_state_is_ahead(&sentry, &[])
        .ends_telling("incomplete");
    let mut asked: Vec<_> = sentry
        .requests()
        .into_iter()
        .map(|request| (request.path, request.query))
        .collect();
    asked.sort();
    assert!(
        asked.chunk_by(|a, b| a == b).all(|same| same.len() <= 2),
        "one more try of each"
    );

    sentry.faults().clear();
    let before = sentry.faults().fired();
    // After the list of projects, so that it meets several requests at once.
    sentry.faults().add(Fault {
        skip: 1,
        times: 8,
        ..Fault::once(Match::any(), kind)
    });
    let second = tap.completes(&sentry, &[&first]);
    second.no_state_is_ahead(&sentry, &[&first]);
    assert_eq!(sentry.faults().fired() - before, 8);
    for stream in ["projects", "teams", "issues", "events", "releases"] {
        second.keys(stream).are_distinct();
    }
}

/// `meltano config test` shows the last line only.
#[rstest]
#[case::a_sync(&[])]
#[case::a_test(&["--test"])]
fn the_last_line_names_the_first_cause(#[case] args: &[&str]) {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::always(
        Match::path_end("/organizations/acme/teams/"),
        FaultKind::Status(403),
    ));
    let run = args
        .iter()
        .fold(Tap::against(&sentry), |tap, arg| tap.arg(arg))
        .run();
    run.is_incomplete()
        .ends_telling("teams")
        .ends_telling("HTTP 403")
        .ends_telling("needs the scope");
}

#[rstest]
#[case::reset(FaultKind::Reset)]
#[case::cut(FaultKind::CutBody)]
#[case::corrupt(FaultKind::CorruptBody)]
#[case::too_large(FaultKind::HugeBody(40 << 20))]
#[case::status(FaultKind::Status(500))]
fn a_request_that_fails_is_counted_once(#[case] kind: FaultKind) {
    let sentry = Sentry::small();
    sentry
        .faults()
        .add(Fault::once(Match::path_end("/releases/"), kind));
    let run = Tap::against(&sentry).select(&["releases"]).arg("-v").run();
    let timed = run
        .stderr
        .lines()
        .filter(|line| line.contains("http_request_duration"))
        .count();
    assert_eq!(timed, sentry.requests().len(), "{}", run.stderr);
}
