//! Statistics: sums over intervals, of which none is cut short without a word.

use crate::dsl::{Sentry, Tap, instant, union};
use chrono::{DateTime, TimeDelta, Utc};
use rstest::rstest;
use sentry_sandbox::world::{Outcome, World};
use sentry_sandbox::{Fault, FaultKind, Match};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const STATS: &str = "organization_stats";
const OUTCOMES: [&str; 7] = [
    "accepted",
    "filtered",
    "rate_limited",
    "invalid",
    "abuse",
    "client_discard",
    "cardinality_limited",
];

/// An outcome of that time.
fn outcome(project: u64, at: DateTime<Utc>, outcome: &str, reason: Option<&str>) -> Outcome {
    Outcome {
        project,
        second: at.timestamp(),
        category: "transaction".to_owned(),
        outcome: outcome.to_owned(),
        reason: reason.map(str::to_owned),
        quantity: 3,
        times_seen: 2,
    }
}

/// Adds outcomes of so many reasons, each of its own.
fn add_reasons(world: &mut World, project: u64, at: DateTime<Utc>, reasons: usize) {
    let one = |n| outcome(project, at, "filtered", Some(&format!("reason-{n}")));
    world.outcomes.extend((0..reasons).map(one));
}

fn noon(at: DateTime<Utc>) -> DateTime<Utc> {
    let day = at.timestamp() - at.timestamp().rem_euclid(86_400);
    DateTime::from_timestamp(day + 43_200, 0).unwrap()
}

#[rstest]
#[case::days("1d", 86_400)]
#[case::hours("1h", 3_600)]
fn sums_are_those_of_their_interval(#[case] interval: &str, #[case] seconds: i64) {
    let sentry = Sentry::small();
    let api = sentry.project("api");
    let day = noon(sentry.now - TimeDelta::days(2));
    {
        let mut world = sentry.world();
        // The last second of one interval and the first of the next, and two of one second.
        let edge = day - TimeDelta::hours(12);
        for (at, reason) in [
            (edge - TimeDelta::seconds(1), None),
            (edge, None),
            (day, Some("quota")),
            (day, Some("quota")),
        ] {
            world
                .outcomes
                .push(outcome(api, at, "rate_limited", reason));
        }
    }
    let run = Tap::against(&sentry)
        .select(&[STATS])
        .with("stats_interval", interval)
        .run();
    run.is_complete().is_valid();
    run.keys(STATS).are_distinct();
    let mut expected: BTreeMap<(i64, String), i64> = BTreeMap::new();
    for one in &sentry.world().outcomes {
        if one.project == api && one.outcome == "rate_limited" && one.category == "transaction" {
            let start = one.second - one.second.rem_euclid(seconds);
            let reason = one.reason.clone().unwrap_or("none".to_owned());
            *expected.entry((start, reason)).or_default() += 3;
        }
    }
    let mut found = BTreeMap::new();
    for row in run.records(STATS) {
        if row["outcome"] == "rate_limited" && row["category"] == "transaction" {
            let start: DateTime<Utc> = row["interval_start"].as_str().unwrap().parse().unwrap();
            let reason = row["reason"].as_str().unwrap().to_owned();
            assert_eq!(row["project_id"], api.to_string());
            assert_eq!(row["interval"], interval);
            let quantity = row["quantity"].as_i64().unwrap();
            assert_eq!(row["times_seen"].as_i64().unwrap() * 3, quantity * 2);
            found.insert((start.timestamp(), reason), quantity);
        }
    }
    assert_eq!(found, expected);
}

#[test]
fn an_answer_that_is_full_is_asked_for_by_project() {
    let sentry = Sentry::small();
    let day = noon(sentry.now - TimeDelta::days(1));
    for slug in ["api", "web"] {
        let project = sentry.project(slug);
        add_reasons(&mut sentry.world(), project, day, 5_500);
    }
    let run = Tap::against(&sentry).select(&[STATS]).run();
    run.is_complete().is_valid();
    run.keys(STATS).equal(sentry.expected(STATS)).are_distinct();
}

#[test]
fn a_summary_is_asked_for_in_parts_that_hold_all_sums() {
    let sentry = Sentry::holding(|world| {
        for number in 0..120 {
            let project = world.add_project(&format!("project-{number}"));
            let day = noon(world.clock() - TimeDelta::days(1));
            for category in 0..12 {
                for outcome in OUTCOMES {
                    world.outcomes.push(Outcome {
                        category: format!("category-{category}"),
                        ..self::outcome(project, day, outcome, None)
                    });
                }
            }
        }
    });
    let run = Tap::against(&sentry)
        .select(&["organization_stats_summary"])
        .run();
    run.is_complete().is_valid();
    run.keys("organization_stats_summary")
        .equal(sentry.expected("organization_stats_summary"))
        .are_distinct();
    for row in run.records("organization_stats_summary") {
        let stats = row["stats"].as_array().unwrap();
        assert_eq!(stats.len(), 12, "{}", row["slug"]);
        for one in stats {
            assert_eq!(one["totals"]["sum(quantity)"], 3 * OUTCOMES.len());
        }
    }
}

#[test]
fn the_counts_of_a_project_come_in_series() {
    let sentry = Sentry::small();
    let (api, web) = (sentry.project("api"), sentry.project("web"));
    let day = noon(sentry.now - TimeDelta::days(2));
    for (at, quantity) in [(day, 3), (day + TimeDelta::days(1), 4)] {
        let limited = Outcome {
            category: "error".to_owned(),
            quantity,
            ..outcome(api, at, "rate_limited", None)
        };
        sentry.world().outcomes.push(limited);
    }
    let tap = Tap::against(&sentry).select(&["project_stats"]);
    let first = tap.clone().run();
    first.is_complete().is_valid();
    first
        .keys("project_stats")
        .equal(sentry.expected("project_stats"))
        .are_distinct();
    let path = |id: u64| format!("/projects/acme/{id}/stats/");
    assert_eq!((sentry.asked(&path(api)), sentry.asked(&path(web))), (4, 4));
    let rows = first.records("project_stats");
    let of_api = api.to_string();
    let rejected = rows.iter().filter(|row| {
        row["stat"] == "rejected" && row["project_id"] == *of_api && row["count"] != 0
    });
    let rejected: Vec<(DateTime<Utc>, &Value)> = rejected
        .map(|row| (instant(&row["interval_start"]), &row["count"]))
        .collect();
    let midnight = day - TimeDelta::hours(12);
    let next = midnight + TimeDelta::days(1);
    assert_eq!(rejected, [(midnight, &json!(3)), (next, &json!(4))]);
    let second = tap.completes(&sentry, &[&first]);
    assert_eq!(second.keys("project_stats").set().len(), 2 * 4 * 3);
}

/// Adds sessions of so many releases.
fn add_releases(world: &mut World, project: u64, at: DateTime<Utc>, releases: usize) {
    for n in 0..releases {
        world.add_sessions(project, &format!("r{n}"), at, 5, 1);
    }
}

#[test]
fn sessions_are_counted_by_how_they_ended() {
    let sentry = Sentry::small();
    let api = sentry.project("api");
    let day = noon(sentry.now - TimeDelta::days(1));
    {
        let mut world = sentry.world();
        world.add_sessions(api, "api@2.0", day, 10, 4);
        world.add_sessions(api, "api@2.0", day + TimeDelta::hours(2), 5, 1);
        let mut nameless = world.sessions.last().unwrap().clone();
        nameless.environment = String::new();
        world.sessions.push(nameless);
    }
    let run = Tap::against(&sentry).select(&["sessions"]).run();
    run.is_complete().is_valid();
    run.keys("sessions")
        .equal(sentry.expected("sessions"))
        .are_distinct();
    let of = |environment: &str, status: &str| {
        let rows = run.records("sessions");
        let mut rows = rows.into_iter().filter(|row| {
            row["release"] == "api@2.0"
                && row["environment"] == environment
                && row["status"] == status
        });
        let row = rows.next().unwrap();
        assert_eq!(row["project_id"], api.to_string());
        (row["sessions"].clone(), row["users"].clone())
    };
    assert_eq!(of("production", "healthy"), (json!(10), json!(10)));
    assert_eq!(of("production", "crashed"), (json!(5), json!(5)));
    assert_eq!(of("none", "crashed"), (json!(1), json!(1)));
    assert_eq!(of("none", "errored"), (json!(0), json!(0)));
}

#[test]
fn sessions_are_never_cut_at_the_limit_of_the_server() {
    let sentry = Sentry::small();
    let day = noon(sentry.now - TimeDelta::days(1));
    for slug in ["api", "web"] {
        let project = sentry.project(slug);
        add_releases(&mut sentry.world(), project, day, 1_000);
    }
    let run = Tap::against(&sentry).select(&["sessions"]).run();
    run.is_complete();
    run.keys("sessions")
        .equal(sentry.expected("sessions"))
        .are_distinct();
}

#[test]
fn sessions_of_one_project_with_too_many_releases_are_asked_for_by_release() {
    let sentry = Sentry::small();
    let day = noon(sentry.now - TimeDelta::days(1));
    let api = sentry.project("api");
    add_releases(&mut sentry.world(), api, day, 1_400);
    sentry
        .world()
        .add_sessions(api, r#"a "quoted", *starred* one"#, day, 5, 1);
    let run = Tap::against(&sentry).select(&["sessions"]).run();
    run.is_complete();
    run.keys("sessions")
        .equal(sentry.expected("sessions"))
        .are_distinct();
    let asked = sentry.requests();
    let mut asked = asked.iter().filter_map(|one| one.get("query"));
    assert!(asked.any(|query| query.starts_with("release:[")));
}

#[test]
fn what_one_project_has_too_much_of_is_a_gap_of_that_project() {
    let sentry = Sentry::small();
    let (api, web) = (sentry.project("api"), sentry.project("web"));
    let day = noon(sentry.now - TimeDelta::days(1));
    add_reasons(&mut sentry.world(), api, day, 10_001);
    let run = Tap::against(&sentry).select(&[STATS]).run();
    run.is_incomplete()
        .tells("as many as it can have: others may be missing");
    let midnight = day - TimeDelta::hours(12);
    assert!(run.bookmark(STATS, api).is_none_or(|at| at <= midnight));
    assert!(run.bookmark(STATS, web).unwrap() > midnight);
    let of_web = sentry
        .world()
        .expected(STATS, Some(web), sentry.start, sentry.end);
    run.keys(STATS).include(of_web);
    // By the hour it would be as much.
    sentry.world().outcomes.retain(|one| one.project != api);
    Tap::against(&sentry)
        .select(&[STATS])
        .state(&run.state())
        .run()
        .is_complete();
}

#[test]
fn a_later_run_reads_the_last_days_again_and_no_others() {
    let sentry = Sentry::small();
    let api = sentry.project("api");
    let tap = Tap::against(&sentry).select(&[STATS]);
    let first = tap.clone().run();
    first.is_complete();
    let late = noon(sentry.now - TimeDelta::days(2));
    let added = outcome(api, late, "invalid", Some("late"));
    sentry.world().outcomes.push(added);
    sentry.clear_requests();
    let second = tap.state(&first.state()).run();
    second.is_complete();
    assert_eq!(
        sentry.asked("/stats_v2/"),
        3,
        "today and the two days before"
    );
    assert!(
        second
            .records(STATS)
            .iter()
            .any(|row| row["reason"] == "late")
    );
    union(STATS, &[&first, &second]).equal(sentry.expected(STATS));
}

#[test]
fn an_interval_that_fails_is_a_gap_and_the_next_run_goes_on_there() {
    let sentry = Sentry::small();
    let day = noon(sentry.now - TimeDelta::days(2)).date_naive();
    let asked = Match::path_end("/stats_v2/").query(format!("start={day}"));
    sentry
        .faults()
        .add(Fault::once(asked, FaultKind::Status(500)));
    let tap = Tap::against(&sentry).select(&[STATS]).retries(0);
    let first = tap.clone().run();
    first.is_incomplete().no_state_is_ahead(&sentry, &[]);
    let second = tap.completes(&sentry, &[&first]);
    union(STATS, &[&first, &second]).equal(sentry.expected(STATS));
}

#[test]
fn statistics_are_of_the_chosen_projects() {
    let sentry = Sentry::small();
    let (api, web) = (sentry.project("api"), sentry.project("web"));
    let day = noon(sentry.now - TimeDelta::days(1));
    for project in [api, web] {
        let added = outcome(project, day, "invalid", None);
        sentry.world().outcomes.push(added);
    }
    let run = Tap::against(&sentry)
        .select(&[STATS])
        .with("project_slugs", "web")
        .run();
    run.is_complete();
    let expected = sentry
        .world()
        .expected(STATS, Some(web), sentry.start, sentry.end);
    run.keys(STATS).equal(expected);
}

#[test]
fn test_mode_asks_for_the_last_intervals_until_one_has_a_row() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).arg("--test").run();
    run.ends_with(0);
    let mut lines = run.stderr.lines();
    assert!(lines.any(|line| line.contains("| organization_stats ") && line.ends_with("answers")));
    let asked = sentry.asked("/stats_v2/");
    assert!(
        (2..=3).contains(&asked),
        "the events are of yesterday: {asked}"
    );
}

#[test]
fn an_interval_of_another_length_is_refused() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).with("stats_interval", "2h").run();
    run.tells("`stats_interval` must be `1d` or `1h`");
    assert_eq!(run.records("projects"), Vec::<&Value>::new());
    assert_eq!(json!(sentry.requests().len()), 0);
}
