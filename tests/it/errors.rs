//! What goes wrong: healed it costs nothing, lasting it is a gap that is told, and never is anything lost.

use crate::dsl::{Sentry, Tap};
use chrono::TimeDelta;
use rstest::rstest;
use sentry_sandbox::faults::NO_BACKEND;
use sentry_sandbox::world::{Kind, Status, World};
use sentry_sandbox::{
    EXPIRED_TOKEN, Fault, FaultKind, INTEGRATION_TOKEN, Match, NARROW_TOKEN, ORGANIZATION_TOKEN,
    SSO_TOKEN,
};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener};

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

/// As a firewall for web applications refuses what it takes for an attack.
const BLOCKED: &str = "<!DOCTYPE html><html><head><title>Access Denied</title></head><body>Reference #18.2d3</body></html>";

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
    run.is_complete().no_state_is_ahead(&sentry, &[]);
    for stream in ["issues", "events"] {
        run.keys(stream)
            .equal(sentry.expected(stream))
            .are_distinct();
    }
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
    for (kind, (project, _)) in kinds.iter().zip(&projects) {
        let list = Match::path_end("/issues/")
            .query(format!("project={project}&"))
            .query("limit=100");
        sentry.faults().add(Fault::once(list, kind.clone()));
    }
    let run = patient(&sentry).retries(2).run();
    assert_eq!(sentry.faults().fired(), kinds.len());
    run.is_complete().no_state_is_ahead(&sentry, &[]);
    for stream in ["issues", "events"] {
        run.keys(stream)
            .equal(sentry.expected(stream))
            .are_distinct();
    }
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
#[case::unknown("sntryu_unknown")]
#[case::expired(EXPIRED_TOKEN)]
fn a_token_that_sentry_refuses_ends_the_run_at_once(#[case] token: &str) {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).with("api_token", token).run();
    run.ends_with(3).ends_telling(&format!(
        "Sentry refused the token: {} answers ",
        sentry.url()
    ));
    assert_eq!(run.of_type("RECORD").count(), 0);
    assert!(sentry.requests().len() <= 10, "nothing is tried again");
}

#[rstest]
#[case::a_sync(&[])]
#[case::a_test(&["--test"])]
fn an_organization_that_wants_single_sign_on_says_so_and_does_not_blame_the_token(
    #[case] args: &[&str],
) {
    let sentry = Sentry::small();
    let run = args
        .iter()
        .fold(
            Tap::against(&sentry).with("api_token", SSO_TOKEN),
            |tap, arg| tap.arg(arg),
        )
        .run();
    run.is_incomplete()
        .ends_telling("Must login via SSO")
        .ends_telling("sso-required")
        .does_not_tell("Sentry refused the token");
    assert!(sentry.requests().len() <= 10, "nothing is tried again");
}

#[test]
fn one_organization_that_refuses_keeps_nothing_from_the_others() {
    let sentry = Sentry::small();
    let other = sentry_sandbox::world::Organization {
        id: 2,
        slug: "other".to_owned(),
        ..sentry.world().organizations[0].clone()
    };
    sentry.world().organizations.push(other);
    sentry.faults().add(Fault::always(
        Match::path("/organizations/other/"),
        FaultKind::SsoRequired,
    ));
    let run = Tap::against(&sentry).without("organization").run();
    run.is_incomplete()
        .tells("of other")
        .tells("Must login via SSO")
        .does_not_tell("Sentry refused the token")
        .no_state_is_ahead(&sentry, &[]);
    for stream in ["projects", "teams", "issues", "events"] {
        run.keys(stream).equal(sentry.expected(stream));
    }
    let run = Tap::against(&sentry)
        .without("organization")
        .arg("--test")
        .run();
    run.is_incomplete().tells("Must login via SSO");
    assert!(
        !run.records("issues").is_empty(),
        "the other organization is tested"
    );
}

#[rstest]
fn the_order_of_organizations_does_not_decide_what_is_read(
    #[values("other,acme", "acme,other")] organizations: &str,
) {
    let sentry = Sentry::small();
    let other = sentry_sandbox::world::Organization {
        id: 2,
        slug: "other".to_owned(),
        ..sentry.world().organizations[0].clone()
    };
    sentry.world().organizations.push(other);
    let refused = FaultKind::Status(401);
    sentry
        .faults()
        .add(Fault::always(Match::path("/organizations/other/"), refused));
    let tap = Tap::against(&sentry)
        .with("organization", organizations)
        .with("concurrency", 1);
    let run = tap.clone().run();
    run.is_incomplete()
        .tells("of other")
        .does_not_tell("Sentry refused the token");
    for stream in ["projects", "teams", "issues", "events"] {
        run.keys(stream).equal(sentry.expected(stream));
    }
    let run = tap.arg("--test").run();
    run.is_incomplete()
        .tells("organization other FAILS")
        .tells("organization acme answers");
}

#[test]
fn a_single_list_that_refuses_before_anything_has_answered_is_a_gap() {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::always(
        Match::path_end("/teams/"),
        FaultKind::Status(401),
    ));
    let run = Tap::against(&sentry).select(&["teams"]).run();
    run.is_incomplete()
        .does_not_tell("Sentry refused the token");
}

#[test]
fn an_endpoint_that_refuses_alone_is_a_gap() {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::always(
        Match::path_end("/members/"),
        FaultKind::Status(401),
    ));
    let run = Tap::against(&sentry).run();
    run.is_incomplete()
        .tells("missing: members of acme")
        .does_not_tell("Sentry refused the token");
    run.keys("events").equal(sentry.expected("events"));
}

#[test]
fn a_token_revoked_in_the_middle_leaves_a_true_state() {
    let sentry = Sentry::small();
    sentry
        .faults()
        .on_request(Match::path("/events/"), 3, |world| world.tokens.clear());
    let run = Tap::against(&sentry).run();
    run.ends_with(3).no_state_is_ahead(&sentry, &[]);
}

#[test]
fn a_missing_scope_is_named_and_the_streams_that_need_it_are_gaps() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).with("api_token", NARROW_TOKEN).run();
    run.is_incomplete().tells("event:read").tells("member:read");
    for stream in ["projects", "teams", "users", "releases"] {
        run.keys(stream).equal(sentry.expected(stream));
    }
    for stream in ["issues", "members"] {
        run.keys(stream).equal([0; 0]);
    }
    assert!(run.state()["bookmarks"].get("issues").is_none());
}

#[test]
fn an_organization_token_extracts_releases_and_is_told_what_else_it_lacks() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .with("api_token", ORGANIZATION_TOKEN)
        .run();
    run.is_incomplete().tells("org:read");
    run.keys("releases").equal(sentry.expected("releases"));
}

#[test]
fn an_integration_sees_everything() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .with("api_token", INTEGRATION_TOKEN)
        .run();
    run.is_complete();
    for stream in ["projects", "issues", "events", "members"] {
        run.keys(stream).equal(sentry.expected(stream));
    }
}

#[test]
fn an_issue_that_vanishes_before_its_events_are_read_is_passed_over() {
    let sentry = Sentry::small();
    let gone = sentry.issue("api issue 1");
    sentry.faults().on_request(
        Match::path_end(format!("/issues/{gone}/events/")),
        0,
        move |world| world.delete_issue(gone),
    );
    let run = Tap::against(&sentry)
        .select(&["events", "issue_detail"])
        .run();
    run.is_complete()
        .tells(&format!("issue {gone} no longer exists"));
    run.keys("events").equal(sentry.expected("events"));
    assert_eq!(
        run.bookmark("events", sentry.project("api")),
        Some(sentry.end)
    );
}

/// Where the stream asks for what belongs to one row.
fn paths_of_one(sentry: &Sentry, stream: &str) -> Vec<Match> {
    let (project, issue) = (sentry.project("web"), sentry.issue("web issue 0"));
    let event = sentry.world().issues[&issue].events[0].id.clone();
    match stream {
        "events" => vec![Match::path_end(format!("/issues/{issue}/events/"))],
        "issue_detail" => vec![Match::path_end(format!("/issues/{issue}/"))],
        "event_detail" => vec![Match::path_end(format!("/events/{event}/"))],
        "release" => vec![Match::path("/releases/web%40")],
        _ => vec![
            Match::path_end(format!("/projects/acme/{project}/")),
            Match::path_end("/projects/acme/web/"),
        ],
    }
}

#[rstest]
#[case::of_an_event("event_detail")]
#[case::of_a_project("project_detail")]
fn a_404_of_one_object_is_no_gap(#[case] stream: &'static str) {
    let sentry = Sentry::small();
    for path in paths_of_one(&sentry, stream) {
        sentry
            .faults()
            .add(Fault::always(path, FaultKind::NotThere));
    }
    let run = Tap::against(&sentry).select(&[stream]).run();
    run.is_complete().tells("no longer exists");
    assert_eq!(
        run.keys(stream).set().len() + 1,
        sentry.expected(stream).len()
    );
}

#[rstest]
#[case::an_issue("issue_detail")]
#[case::a_release("release")]
fn an_object_that_is_not_there_although_its_row_is_listed_is_skipped(#[case] stream: &'static str) {
    let sentry = Sentry::small();
    for path in paths_of_one(&sentry, stream) {
        sentry
            .faults()
            .add(Fault::always(path, FaultKind::NotThere));
    }
    let run = Tap::against(&sentry)
        .select(&[stream])
        .with("window_days", 90)
        .run();
    run.is_incomplete()
        .tells("though it is listed")
        .does_not_tell("no longer exists")
        .ends_telling("cannot be read by a later run");
    assert_eq!(
        sentry.faults().fired(),
        4,
        "it is asked for with each look at the list"
    );
    assert_eq!(
        run.keys(stream).set().len() + 1,
        sentry.expected(stream).len()
    );
    assert_eq!(
        run.bookmark(stream, sentry.project("web")),
        Some(sentry.end),
        "it does not hold the others for ever"
    );
}

#[test]
fn events_that_are_not_there_although_their_issue_is_listed_are_a_gap() {
    let sentry = Sentry::small();
    for path in paths_of_one(&sentry, "events") {
        sentry
            .faults()
            .add(Fault::always(path, FaultKind::NotThere));
    }
    let tap = Tap::against(&sentry)
        .select(&["events"])
        .with("window_days", 90);
    let first = tap.clone().run();
    first
        .is_incomplete()
        .tells("though it is listed")
        .does_not_tell("no longer exists")
        .no_state_is_ahead(&sentry, &[]);
    assert_eq!(
        sentry.faults().fired(),
        4,
        "it is asked for with each look at the list"
    );
    sentry.faults().clear();
    tap.completes(&sentry, &[&first]);
}

#[rstest]
#[case::they_move_to_the_other(|world: &mut World, child, survivor| world.merge(child, survivor))]
#[case::it_comes_back(|world: &mut World, child, _| world.issue_mut(child).status = Status::Unresolved)]
fn events_of_an_issue_whose_merge_is_under_way_are_read_when_it_ends(
    #[case] end: fn(&mut World, u64, u64),
) {
    let sentry = Sentry::small();
    let (project, child, survivor) = (
        sentry.project("web"),
        sentry.issue("web issue 0"),
        sentry.issue("web issue 1"),
    );
    let list = Match::path_end("/issues/")
        .query(format!("project={project}&"))
        .query("limit=100");
    sentry.faults().on_request(
        Match::path(format!("/issues/{child}/events/")),
        0,
        move |world| {
            world.issue_mut(child).status = Status::PendingMerge;
        },
    );
    // The two queries of the window, and then again.
    sentry
        .faults()
        .on_request(list, 2, move |world| end(world, child, survivor));
    let run = Tap::against(&sentry)
        .select(&["issues", "events"])
        .with("window_days", 90)
        .run();
    run.is_complete()
        .tells("listing it again")
        .keys("events")
        .equal(sentry.expected("events"));
    assert_eq!(run.bookmark("events", project), Some(sentry.end));
}

#[test]
fn an_issue_that_is_hidden_but_answers_itself_is_a_gap_when_its_events_are_not_there() {
    let sentry = Sentry::small();
    let (project, hidden) = (sentry.project("web"), sentry.issue("web issue 0"));
    let events = Match::path(format!("/issues/{hidden}/events/"));
    sentry.faults().on_request(events.clone(), 0, move |world| {
        world.issue_mut(hidden).kind = Kind::EXPERIMENT;
    });
    sentry
        .faults()
        .add(Fault::always(events, FaultKind::NotThere));
    let run = Tap::against(&sentry)
        .select(&["events"])
        .with("window_days", 90)
        .run();
    run.is_incomplete().tells("though it answers itself");
    assert_eq!(run.bookmark("events", project), None);
}

#[rstest]
fn a_404_that_is_not_sentrys_own_is_a_gap(
    #[values("events", "issue_detail", "event_detail", "release", "project_detail")]
    stream: &'static str,
    #[values(
        NO_BACKEND,
        "default backend - 404",
        r#"{"message":"no Route matched with those values"}"#,
        ""
    )]
    body: &'static str,
) {
    let sentry = Sentry::small();
    for path in paths_of_one(&sentry, stream) {
        sentry
            .faults()
            .add(Fault::always(path, FaultKind::NoBackend(body)));
    }
    let tap = Tap::against(&sentry)
        .select(&[stream])
        .with("emit_activate_version_messages", true);
    let first = tap.clone().retries(0).run();
    first
        .is_incomplete()
        .tells("HTTP 404")
        .does_not_tell("no longer exists")
        .no_state_is_ahead(&sentry, &[]);
    assert_eq!(
        first.of_type("ACTIVATE_VERSION").count(),
        0,
        "the stream is not whole"
    );
    sentry.faults().clear();
    tap.completes(&sentry, &[&first]);
}

#[test]
fn a_404_that_is_not_sentrys_own_does_not_say_that_projects_are_known_by_slug() {
    let sentry = Sentry::small();
    let project = sentry.project("web");
    sentry.faults().add(Fault::once(
        Match::path_end(format!("/projects/acme/{project}/")),
        FaultKind::NoBackend(NO_BACKEND),
    ));
    Tap::against(&sentry)
        .select(&["project_detail"])
        .run()
        .is_complete()
        .keys("project_detail")
        .equal(sentry.expected("project_detail"));
    assert_eq!(
        (sentry.faults().fired(), sentry.asked("/projects/acme/web/")),
        (1, 0)
    );
}

#[test]
fn a_project_deleted_in_the_middle_is_passed_over() {
    let sentry = Sentry::small();
    let gone = sentry.project("api");
    sentry
        .faults()
        .on_request(Match::path_end("/issues/"), 0, move |world| {
            world.delete_project(gone);
        });
    let run = Tap::against(&sentry).run();
    run.is_complete().tells("no longer exists");
    run.keys("events").equal(sentry.expected("events"));
}

#[test]
fn a_merged_issue_is_written_under_its_own_id() {
    let sentry = Sentry::small();
    let (child, survivor) = (sentry.issue("web issue 0"), sentry.issue("web issue 1"));
    sentry
        .faults()
        .on_request(Match::path(format!("/issues/{child}/")), 0, move |world| {
            world.merge(child, survivor);
        });
    let run = Tap::against(&sentry)
        .select(&["issue_detail", "events"])
        .run();
    run.is_complete()
        .tells(&format!("was merged into {survivor}"));
    run.keys("issue_detail")
        .equal(sentry.expected("issue_detail"));
    run.keys("events")
        .equal(sentry.expected("events"))
        .are_distinct();
}

#[test]
fn a_project_renamed_in_the_middle_is_extracted_whole() {
    let sentry = Sentry::small();
    let project = sentry.project("api");
    sentry
        .faults()
        .on_request(Match::path_end("/issues/"), 0, move |world| {
            world.rename_project(project, "core");
        });
    let run = Tap::against(&sentry)
        .select(&["project_detail", "issues", "events", "event_detail"])
        .run();
    run.is_complete();
    for stream in ["project_detail", "issues", "events", "event_detail"] {
        run.keys(stream).equal(sentry.expected(stream));
    }
}

#[test]
fn a_redirect_within_the_server_is_followed() {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::once(
        Match::path_end("/teams/"),
        FaultKind::Redirect("/api/0/organizations/acme/teams/?per_page=99".to_owned()),
    ));
    let run = Tap::against(&sentry).select(&["teams"]).run();
    run.is_complete();
    run.keys("teams").equal(sentry.expected("teams"));
}

#[test]
fn an_organization_that_does_not_exist_is_named() {
    let sentry = Sentry::small();
    Tap::against(&sentry)
        .with("organization", "acne")
        .run()
        .ends_with(1)
        .ends_telling("`acne`");
}

#[test]
fn a_server_that_is_not_there_is_a_gap_with_its_cause() {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry).retries(0);
    drop(sentry);
    tap.run().is_incomplete().tells("onnect");
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
    let first = Tap::against(&sentry).retries(1).run();
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
    let second = Tap::against(&sentry).completes(&sentry, &[&first]);
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
        Match::path_end("/teams/"),
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

#[rstest]
fn a_refusal_in_a_gateways_words_is_tried_again_and_blames_neither_scopes_nor_the_token(
    #[values(400, 401, 403, 405, 407, 413, 414)] status: u16,
    #[values(BLOCKED, "RBAC: access denied", "", r#"{"message":"Forbidden"}"#)] body: &'static str,
) {
    let sentry = Sentry::small();
    let issue = sentry.issue("web issue 0");
    let header = match status {
        401 => ("www-authenticate", "Basic realm=\"intranet\"".to_owned()),
        407 => ("proxy-authenticate", "Basic realm=\"intranet\"".to_owned()),
        _ => ("server", "nginx".to_owned()),
    };
    let wants = header.0.ends_with("authenticate");
    let events = Match::path_end(format!("/issues/{issue}/events/"));
    sentry.faults().add(Fault::always(
        events,
        FaultKind::Gateway {
            status,
            body,
            header,
        },
    ));
    let tap = Tap::against(&sentry).select(&["issues", "events"]);
    let first = tap.clone().retries(1).run();
    first
        .is_incomplete()
        .no_state_is_ahead(&sentry, &[])
        .tells("trying again")
        .ends_telling(&format!("HTTP {status} from a gateway in front of Sentry"));
    first.does_not_tell("scope").does_not_tell("`api_token`");
    assert_eq!(sentry.faults().fired(), 2, "it is tried again");
    if body == BLOCKED {
        first
            .ends_telling("Access Denied")
            .does_not_tell("Reference");
    }
    assert_eq!(
        first.stderr.contains("requires Basic authentication"),
        wants,
        "{}",
        first.stderr
    );
    first.keys("issues").equal(sentry.expected("issues"));
    sentry.faults().clear();
    tap.completes(&sentry, &[&first]);
}

#[test]
fn a_403_of_one_row_blames_no_scope_by_which_others_are_read() {
    let sentry = Sentry::small();
    let issue = sentry.issue("web issue 0");
    sentry.faults().add(Fault::always(
        Match::path_end(format!("/issues/{issue}/events/")),
        FaultKind::Status(403),
    ));
    let tap = Tap::against(&sentry).select(&["issues", "events"]);
    let first = tap.clone().run();
    first
        .is_incomplete()
        .ends_telling(&format!("issue {issue}"))
        .ends_telling("has the scope event:read")
        .does_not_tell("needs the scope");
    assert_eq!(sentry.faults().fired(), 1, "Sentry's own word is final");
    assert_eq!(
        first.keys("events").set().len() + 3,
        sentry.expected("events").len()
    );
    sentry.faults().clear();
    tap.completes(&sentry, &[&first]);
}

#[test]
fn a_page_for_people_is_told_by_its_title() {
    let sentry = Sentry::small();
    sentry
        .faults()
        .add(Fault::always(Match::path_end("/teams/"), FaultKind::Html));
    let run = Tap::against(&sentry)
        .select(&["teams", "members"])
        .retries(0)
        .run();
    run.is_incomplete()
        .ends_telling("an HTML page with the title \u{201c}Sign in\u{201d}")
        .ends_telling("`base_url`");
    run.keys("members").equal(sentry.expected("members"));
}

/// A server that says the same to everybody, to a request or unasked, and hangs up.
fn saying(words: &'static str, asked: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            while asked
                && lines
                    .read_line(&mut String::new())
                    .is_ok_and(|length| length > 2)
            {}
            // The tap may have gone.
            let _ = stream.write_all(words.as_bytes());
            let _ = stream.shutdown(Shutdown::Write);
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    address
}

const WEB_SITE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html><title>Welcome to nginx!</title></html>";
const NOT_FOUND: &str =
    "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n<html><title>404 Not Found</title></html>";

#[rstest]
fn an_address_that_is_not_sentrys_is_told_soon(
    #[values(
        "a web site",
        "no such page",
        "a closed port",
        "an unknown name",
        "no TLS",
        "no HTTP",
        "other JSON"
    )]
    address: &str,
    #[values("a sync", "a test", "without an organization")] mode: &str,
) {
    let (address, told) = match address {
        "a web site" => (
            format!("http://{}", saying(WEB_SITE, true)),
            "\u{201c}Welcome to nginx!\u{201d}",
        ),
        "no such page" => (
            format!("http://{}", saying(NOT_FOUND, true)),
            "HTTP 404 from a gateway",
        ),
        "a closed port" => (
            format!("http://{}", crate::transport::nobody()),
            "cannot connect",
        ),
        // No name is that long, so that nobody is asked.
        "an unknown name" => (
            format!("http://{}.example", "a".repeat(64)),
            "cannot connect",
        ),
        "no TLS" => (
            format!("https://{}", saying(WEB_SITE, false)),
            "cannot connect",
        ),
        "no HTTP" => (
            format!("http://{}", saying("SSH-2.0-OpenSSH_9.6\r\n", false)),
            "cannot connect",
        ),
        _ => (
            format!(
                "http://{}",
                saying(
                    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"status\":\"ok\"}",
                    true
                )
            ),
            "not the expected JSON",
        ),
    };
    let tap = Tap::bare()
        .with("api_token", sentry_sandbox::TOKEN)
        .with("start_date", "2026-01-01")
        .with("base_url", address.clone());
    let run = match mode {
        "a sync" => tap.with("organization", "acme").run(),
        "a test" => tap.with("organization", "acme").arg("--test").run(),
        _ => tap.run(),
    };
    run.is_incomplete()
        .ends_telling(told)
        .ends_telling(&format!(
            "no answer from {address} has looked like Sentry's so far"
        ));
    let tries = run
        .stderr
        .lines()
        .filter(|line| line.contains("trying again"))
        .count();
    if mode == "a sync" {
        assert!(
            (1..=6).contains(&tries),
            "one more try of each list:\n{}",
            run.stderr
        );
    } else {
        assert_eq!(tries, 1, "{}", run.stderr);
        run.does_not_tell("FAILS");
        assert_eq!(
            run.stderr
                .lines()
                .filter(|line| line.contains("| ERROR "))
                .count(),
            1,
            "{}",
            run.stderr
        );
    }
}

#[test]
fn a_server_that_accepts_and_says_nothing_to_a_handshake_is_told_soon() {
    // Never accepted from; the system answers for it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .with("base_url", address)
        .with("request_timeout_seconds", 1)
        .arg("--test")
        .run();
    run.is_incomplete()
        .ends_telling("cannot connect")
        .ends_telling("timed out")
        .ends_telling("check `base_url`");
}

#[rstest]
#[case::a_page(FaultKind::Html)]
#[case::a_gateway(FaultKind::gateway(403, BLOCKED))]
fn once_sentry_has_answered_what_is_not_sentrys_is_tried_as_often_as_anything(
    #[case] kind: FaultKind,
) {
    let sentry = Sentry::small();
    // The list of projects comes first.
    sentry.faults().add(Fault {
        times: 2,
        ..Fault::once(Match::path_end("/issues/"), kind)
    });
    let run = Tap::against(&sentry)
        .select(&["issues"])
        .with("window_days", 90)
        .with("concurrency", 1)
        .retries(2)
        .run();
    run.is_complete()
        .does_not_tell("is `base_url`")
        .keys("issues")
        .equal(sentry.expected("issues"));
}

#[rstest]
#[case::with_bookmarks(json!({"bookmarks": {"issues": {"start": "2026-01-01T00:00:00Z"}}}), 3)]
#[case::without(json!({"bookmarks": {}}), 2)]
#[case::with_those_of_another_tap(json!({"bookmarks": {"charges": {"start": "2026-01-01T00:00:00Z"}}}), 2)]
fn a_server_that_a_state_is_of_is_given_all_its_tries(
    #[case] state: serde_json::Value,
    #[case] tries: usize,
) {
    let sentry = Sentry::small();
    sentry
        .faults()
        .add(Fault::always(Match::any(), FaultKind::Html));
    let run = Tap::against(&sentry)
        .select(&["teams"])
        .state(&state)
        .retries(2)
        .run();
    run.is_incomplete();
    assert_eq!(sentry.asked("/teams/"), tries);
    assert_eq!(run.stderr.contains("looked like Sentry's"), tries == 2);
}

#[test]
fn a_server_that_is_not_well_at_first_is_given_all_its_tries() {
    let sentry = Sentry::small();
    sentry.faults().add(Fault {
        times: 2,
        ..Fault::once(Match::path_end("/teams/"), FaultKind::Status(502))
    });
    Tap::against(&sentry)
        .select(&["teams"])
        .retries(2)
        .run()
        .is_complete()
        .keys("teams")
        .equal(sentry.expected("teams"));
}
