//! What a client gets wrong that believes the documentation, numbered as in the list of facts about the API: 1 hurts
//! most.

use crate::dsl::{Sentry, Tap, instant};
use chrono::{SubsecRound, TimeDelta};
use sentry_sandbox::world::{Kind, Member, Status};
use sentry_sandbox::{Fault, FaultKind, Limits, Match, Options, Request, TEAMLESS_TOKEN, World};
use serde_json::json;
use std::time::Duration;

fn of(requests: &[Request], end: &str) -> Vec<Request> {
    requests
        .iter()
        .filter(|request| request.path.ends_with(end))
        .cloned()
        .collect()
}

#[test]
fn fact_1_the_query_of_issues_is_sent_empty_so_that_every_status_is_listed() {
    let sentry = Sentry::seeded();
    let run = Tap::against(&sentry).select(&["issues"]).run();
    run.is_complete();
    let statuses: std::collections::BTreeSet<&str> = run
        .records("issues")
        .iter()
        .map(|record| record["status"].as_str().unwrap())
        .collect();
    assert!(
        statuses.is_superset(&["ignored", "reprocessing", "resolved", "unresolved"].into()),
        "{statuses:?}"
    );
    for request in of(&sentry.requests(), "/issues/") {
        assert!(
            matches!(request.get("query"), Some("" | "issue.category:feedback")),
            "{:?}",
            request.query
        );
    }
}

#[test]
fn fact_2_the_totals_of_an_issue_are_those_of_its_life() {
    let mut sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        let issue = world.add_issue(project, "weekly");
        for week in 0..8 {
            world.add_event(issue, world.clock() - TimeDelta::days(7 * week + 1));
        }
    });
    sentry.start = sentry.now - TimeDelta::days(20);
    let run = Tap::against(&sentry).select(&["issues"]).run();
    let issue = sentry.issue("weekly");
    let record = run.record("issues", &issue.to_string());
    assert_eq!(record["count"], 8);
    assert_eq!(
        instant(&record["firstSeen"]).trunc_subsecs(0),
        sentry.now - TimeDelta::days(50)
    );
    assert_eq!(
        instant(&record["lastSeen"]),
        sentry.now - TimeDelta::days(1)
    );
    assert!(
        run.records("issues")
            .iter()
            .all(|record| record["count"] == 8)
    );
}

#[test]
fn fact_3_nothing_is_collapsed_that_holds_the_totals() {
    let sentry = Sentry::small();
    Tap::against(&sentry).run().is_complete();
    for request in sentry.requests() {
        let collapsed = request.query.iter().filter(|(name, _)| name == "collapse");
        assert!(
            collapsed
                .into_iter()
                .all(|(_, value)| !matches!(value.as_str(), "stats" | "lifetime" | "base"))
        );
    }
}

#[test]
fn fact_7_feedback_is_found_though_no_list_shows_it() {
    let sentry = Sentry::seeded();
    let run = Tap::against(&sentry).select(&["issues", "events"]).run();
    let feedback: Vec<u64> = sentry
        .world()
        .issues
        .values()
        .filter(|issue| issue.kind == Kind::FEEDBACK)
        .map(|issue| issue.id)
        .collect();
    assert_eq!(feedback.len(), 3);
    run.is_complete().keys("issues").include(feedback);
}

#[test]
fn fact_7_a_server_too_old_for_the_category_is_extracted_all_the_same() {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::always(
        Match::path_end("/issues/").query("feedback"),
        FaultKind::Status(400),
    ));
    let run = Tap::against(&sentry).select(&["issues"]).run();
    run.is_complete();
    let feedback = sentry.issue("feedback").to_string();
    run.keys("issues").equal(
        sentry
            .expected("issues")
            .into_iter()
            .filter(|id| *id != feedback),
    );
}

#[test]
fn fact_11_projects_of_other_peoples_teams_are_extracted_too() {
    let sentry = Sentry::seeded();
    let run = Tap::against(&sentry)
        .select(&["users", "releases", "issues"])
        .run();
    run.is_complete();
    for stream in ["users", "releases", "issues"] {
        run.keys(stream).equal(sentry.expected(stream));
    }
    for end in ["/issues/", "/users/", "/releases/"] {
        for request in of(&sentry.requests(), end) {
            let project = request.get("project").expect("a project, or all of them");
            assert!(project.parse::<i64>().is_ok(), "{project}: by id");
        }
    }
}

#[test]
fn fact_13_an_organization_without_projects_is_told() {
    let sentry = Sentry::holding(|_| {});
    Tap::against(&sentry)
        .run()
        .is_complete()
        .tells("no project");
}

#[test]
fn fact_13_projects_that_the_token_may_not_read_are_gaps_that_say_so() {
    let sentry = Sentry::holding(|world| {
        world.organizations[0].open_membership = false;
        let project = world.add_project("api");
        let issue = world.add_issue(project, "hidden");
        world.add_event(issue, world.clock() - TimeDelta::days(1));
    });
    let run = Tap::against(&sentry)
        .with("api_token", TEAMLESS_TOKEN)
        .select(&["issues"])
        .run();
    run.is_incomplete()
        .tells("event:read")
        .tells("access to the project");
}

#[test]
fn fact_16_a_rate_limit_is_waited_out_by_its_reset() {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::once(
        Match::path_end("/teams/"),
        FaultKind::RateLimited {
            reset_in_seconds: 2,
        },
    ));
    let before = chrono::Utc::now().timestamp();
    let run = Tap::against(&sentry).select(&["teams"]).run();
    run.is_complete();
    // Never before the second that the header named; the back-off alone would be half a second.
    assert!(chrono::Utc::now().timestamp() >= before + 2);
    assert_eq!(sentry.asked("/teams/"), 2);
}

#[test]
fn fact_16_a_gateway_that_says_when_to_come_back_is_heeded() {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::once(
        Match::path_end("/teams/"),
        FaultKind::RetryAfter(3),
    ));
    Tap::against(&sentry).select(&["teams"]).run().is_complete();
    let times: Vec<_> = sentry
        .requests()
        .iter()
        .filter(|request| request.path.ends_with("/teams/"))
        .map(|request| request.at)
        .collect();
    // The back-off alone would be a second at most.
    assert!(
        times.len() == 2 && times[1] - times[0] >= Duration::from_secs(3),
        "{times:?}"
    );
}

#[test]
fn fact_17_a_query_that_is_too_large_is_not_repeated_but_made_smaller() {
    let sentry = Sentry::small();
    let issue = sentry.issue("api issue 0");
    let path = format!("/issues/{issue}/events/");
    sentry.faults().add(Fault::always(
        Match::path(&path),
        FaultKind::WindowLongerThan(Duration::from_secs(3 * 86_400)),
    ));
    let run = Tap::against(&sentry).select(&["events"]).run();
    run.is_complete()
        .keys("events")
        .equal(sentry.expected("events"));
    let mut asked: Vec<_> = of(&sentry.requests(), &path)
        .into_iter()
        .map(|request| format!("{:?}", request.query))
        .collect();
    let before = asked.len();
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), before, "no window was asked for twice");
}

#[test]
fn fact_18_a_self_hosted_server_without_rate_headers_is_fine() {
    let sentry = Sentry::of(|now| Options {
        limits: Limits::none(),
        ..Options::new(World::seeded(now))
    });
    Tap::against(&sentry).run().is_complete();
    assert!(
        sentry
            .requests()
            .iter()
            .all(|request| request.status == 200)
    );
}

#[test]
fn fact_21_pages_are_of_a_hundred_and_never_more() {
    let sentry = Sentry::seeded();
    Tap::against(&sentry).run().is_complete();
    for request in sentry.requests() {
        let issues = request.path.ends_with("/issues/");
        let size = request.get(if issues { "limit" } else { "per_page" });
        assert!(
            size.is_none_or(|size| size.parse::<u32>().unwrap() <= 100),
            "{size:?}"
        );
        assert!(
            request
                .get(if issues { "per_page" } else { "limit" })
                .is_none(),
            "{}",
            request.path
        );
        assert_ne!(request.status, 400, "{} {:?}", request.path, request.query);
    }
}

#[test]
fn fact_22_full_bodies_come_from_the_listing_and_only_when_asked_for() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).select(&["events"]).run();
    assert!(
        of(&sentry.requests(), "/events/")
            .iter()
            .all(|request| request.get("full").is_none())
    );
    assert!(
        run.records("events")
            .iter()
            .all(|record| record["event_type"].is_string() && record.get("event.type").is_none())
    );
    sentry.clear_requests();
    let run = Tap::against(&sentry)
        .select(&["events"])
        .with("fetch_event_details", true)
        .run();
    run.is_complete().is_valid();
    assert!(
        of(&sentry.requests(), "/events/")
            .iter()
            .all(|request| request.get("full") == Some("1"))
    );
    assert!(
        run.records("events")
            .iter()
            .all(|record| record["entries"].is_array())
    );
}

#[test]
fn fact_23_events_of_one_second_at_the_edge_of_a_page_all_come() {
    let sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        let issue = world.add_issue(project, "busy");
        for number in 0..230 {
            // Ten share each second around both edges.
            let second = match number {
                95..105 => 95,
                195..205 => 195,
                other => other,
            };
            world.add_event(issue, world.clock() - TimeDelta::seconds(second + 60));
        }
    });
    let run = Tap::against(&sentry).select(&["events"]).run();
    run.is_complete()
        .keys("events")
        .equal(sentry.expected("events"))
        .are_distinct();
}

#[test]
fn fact_25_no_path_leaves_the_organization_out() {
    let sentry = Sentry::small();
    Tap::against(&sentry)
        .select(&[
            "issues",
            "issue_detail",
            "events",
            "event_detail",
            "project_detail",
            "release",
        ])
        .run()
        .is_complete();
    for request in sentry.requests() {
        let rest = request.path.strip_prefix("/api/0/").unwrap();
        assert!(
            rest.starts_with("organizations/acme/") || rest.starts_with("projects/acme/"),
            "{}",
            request.path
        );
        assert!(rest.ends_with('/'), "{}", request.path);
    }
}

#[test]
fn fact_28_archived_releases_are_releases() {
    let sentry = Sentry::seeded();
    let run = Tap::against(&sentry).select(&["releases"]).run();
    let archived = run
        .records("releases")
        .iter()
        .filter(|record| record["status"] == "archived")
        .count();
    assert!(archived > 5, "{archived}");
    assert!(
        of(&sentry.requests(), "/releases/")
            .iter()
            .all(|request| request.get("status") == Some(""))
    );
}

#[test]
fn fact_31_a_project_is_asked_for_by_its_id_which_no_renaming_changes() {
    let sentry = Sentry::small();
    let project = sentry.project("web");
    Tap::against(&sentry)
        .select(&["project_detail", "event_detail"])
        .run()
        .is_complete();
    assert!(sentry.asked(&format!("/projects/acme/{project}/")) == 1);
    assert!(
        sentry
            .requests()
            .iter()
            .all(|request| !request.path.contains("/projects/acme/web/"))
    );
}

#[test]
fn fact_33_errors_of_every_shape_become_one_line() {
    let sentry = Sentry::small();
    for status in [404, 408, 410, 500, 502, 504] {
        sentry.faults().clear();
        sentry.faults().add(Fault::always(
            Match::path_end("/teams/"),
            FaultKind::Status(status),
        ));
        let run = Tap::against(&sentry).select(&["teams"]).retries(0).run();
        run.is_incomplete();
        let told = run
            .stderr
            .lines()
            .filter(|line| line.contains(&status.to_string()) && line.contains("teams"))
            .count();
        assert!(told > 0, "{status} is told:\n{}", run.stderr);
        assert!(
            run.stderr.lines().all(|line| line.starts_with("20")),
            "each line is a line of the log:\n{}",
            run.stderr
        );
    }
}

#[test]
fn fact_35_ids_and_counts_have_one_type_in_the_output() {
    let sentry = Sentry::seeded();
    let run = Tap::against(&sentry)
        .select(&["issues", "releases", "projects"])
        .run();
    run.is_complete().is_valid();
    assert!(
        run.records("issues")
            .iter()
            .all(|record| record["count"].is_i64()
                && record["id"].is_string()
                && record["userCount"].is_i64())
    );
    assert!(
        run.records("releases")
            .iter()
            .all(|record| record["id"].is_i64())
    );
    assert!(
        run.records("projects")
            .iter()
            .all(|record| record["id"].is_string())
    );
}

#[test]
fn the_same_event_id_in_two_projects_is_two_events() {
    let sentry = Sentry::seeded();
    let issue = sentry.issue("SameIdError");
    let twin = sentry.world().issues[&issue].events[0].id.clone();
    let run = Tap::against(&sentry).select(&["events"]).run();
    run.is_complete();
    assert_eq!(
        run.records("events")
            .iter()
            .filter(|record| record["eventID"] == json!(twin))
            .count(),
        2
    );
}

#[test]
fn issues_on_their_way_out_are_not_extracted() {
    let sentry = Sentry::seeded();
    let run = Tap::against(&sentry).select(&["issues"]).run();
    let leaving: Vec<u64> = sentry
        .world()
        .issues
        .values()
        .filter(|issue| matches!(issue.status, Status::PendingDeletion | Status::PendingMerge))
        .map(|issue| issue.id)
        .collect();
    assert!(!leaving.is_empty());
    run.is_complete().keys("issues").exclude(leaving);
}

#[test]
fn every_record_says_where_it_comes_from() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).run();
    for message in run.of_type("RECORD") {
        assert_eq!(
            message["record"]["organization_slug"], "acme",
            "{}",
            message["stream"]
        );
    }
    for stream in ["issues", "events", "project_detail"] {
        assert!(
            run.records(stream)
                .iter()
                .all(|record| ["api", "web"].contains(
                    &record["project_slug"]
                        .as_str()
                        .unwrap_or_else(|| record["slug"].as_str().unwrap())
                )),
            "{stream}"
        );
    }
}

#[test]
fn invited_members_are_members() {
    let sentry = Sentry::seeded();
    let run = Tap::against(&sentry).select(&["members"]).run();
    let invited = sentry
        .world()
        .members
        .iter()
        .find(|member: &&Member| member.user.is_none())
        .unwrap()
        .id;
    let record = run
        .is_complete()
        .is_valid()
        .record("members", &invited.to_string());
    assert_eq!(record["pending"], true);
    assert!(record["user"].is_null());
}
