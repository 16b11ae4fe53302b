//! Windows: pinned, halved where the server cannot answer, and probed where nothing is likely to be.

use crate::dsl::{Sentry, Tap, instant, text};
use chrono::{DateTime, TimeDelta, Utc};
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match, Request};
use serde_json::json;
use std::time::Duration;

fn window(request: &Request) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    Some((
        instant(&json!(request.get("start")?)),
        instant(&json!(request.get("end")?)),
    ))
}

#[test]
fn every_list_of_activity_is_asked_for_with_both_ends_pinned() {
    let sentry = Sentry::small();
    Tap::against(&sentry).run().is_complete();
    for request in sentry.requests() {
        if ["/issues/", "/events/", "/releases/"]
            .iter()
            .any(|end| request.path.ends_with(end))
        {
            let (start, end) =
                window(&request).unwrap_or_else(|| panic!("{} has no window", request.path));
            assert!(
                sentry.start <= start && start < end && end <= sentry.end,
                "{start} to {end}"
            );
            assert!(
                request.get("start").unwrap().ends_with('Z')
                    && request.get("end").unwrap().ends_with('Z')
            );
            assert!(request.get("statsPeriod").is_none());
        }
    }
}

#[test]
fn an_issue_that_gets_an_event_while_pages_are_read_is_not_skipped() {
    let sentry = Sentry::seeded();
    let oldest = sentry.issue("item 129 ");
    let event = sentry.now + TimeDelta::minutes(1);
    sentry.faults().on_request(
        Match::path_end("/issues/").query("cursor="),
        0,
        move |world| {
            world.add_event(oldest, event);
        },
    );
    let tap = Tap::against(&sentry)
        .select(&["issues"])
        .with("start_date", text(sentry.now - TimeDelta::days(8)))
        .with("window_days", 30);
    let run = tap.run();
    run.is_complete().keys("issues").include([oldest]);
    assert!(
        sentry.world().issues[&oldest]
            .events
            .iter()
            .any(|one| one.timestamp == event),
        "the event came in the middle"
    );
}

#[test]
fn a_window_that_is_too_much_for_the_server_is_halved_until_it_is_not() {
    let sentry = Sentry::small();
    for end in ["/issues/", "/events/"] {
        sentry.faults().add(Fault::always(
            Match::path_end(end),
            FaultKind::WindowLongerThan(Duration::from_secs(2 * 86_400)),
        ));
    }
    let run = Tap::against(&sentry).select(&["issues", "events"]).run();
    run.has_each_event_once(&sentry);
    assert!(
        sentry.faults().fired() < 60,
        "{} refusals: the lesson is remembered",
        sentry.faults().fired()
    );
}

#[test]
fn a_window_is_not_halved_below_an_hour() {
    let mut sentry = Sentry::small();
    sentry.start = sentry.now - TimeDelta::days(2);
    sentry.faults().add(Fault::always(
        Match::path_end("/issues/"),
        FaultKind::WindowLongerThan(Duration::from_secs(1800)),
    ));
    let run = Tap::against(&sentry).select(&["issues"]).retries(0).run();
    run.is_incomplete()
        .ends_telling("incomplete")
        .tells("smaller date range");
    let least = sentry
        .requests()
        .iter()
        .filter_map(window)
        .map(|(start, end)| end - start)
        .min();
    assert!(least >= Some(TimeDelta::minutes(59)), "{least:?}");
}

/// So many seconds at least lie between each of these requests and the next.
#[track_caller]
fn are_apart(requests: &[Request], least: &[f64]) {
    let apart: Vec<f64> = requests
        .windows(2)
        .map(|two| (two[1].at - two[0].at).as_secs_f64())
        .collect();
    assert!(
        least
            .iter()
            .zip(&apart)
            .all(|(least, apart)| apart >= least),
        "{apart:?}"
    );
}

#[rstest]
#[case::a_window_of_a_list("/releases/", &["releases"])]
#[case::a_list_below_an_issue("/events/", &["events"])]
fn smaller_windows_are_asked_for_after_a_pause_that_grows(
    #[case] end: &str,
    #[case] streams: &[&'static str],
) {
    let sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        let issue = world.add_issue(project, "the issue");
        world.add_event(issue, world.clock() - TimeDelta::minutes(1));
        world.add_release("api@1.0", project, world.clock() - TimeDelta::minutes(1));
    });
    sentry.faults().add(Fault {
        times: 2,
        ..Fault::once(Match::path_end(end), FaultKind::QueryTooLarge)
    });
    let run = Tap::against(&sentry)
        .select(streams)
        .with("window_days", 30)
        .run();
    run.is_complete()
        .tells("splitting the window")
        .keys(streams[0])
        .equal(sentry.expected(streams[0]));
    let asked: Vec<Request> = sentry
        .requests()
        .into_iter()
        .filter(|request| request.path.ends_with(end))
        .collect();
    are_apart(&asked, &[0.5, 1.0]);
    let lengths: Vec<_> = asked
        .iter()
        .filter_map(window)
        .map(|(start, end)| (end - start).num_hours())
        .collect();
    assert_eq!(lengths[..3], [240, 120, 60]);
}

#[rstest]
#[case::quota(FaultKind::QueryTooLarge)]
#[case::time_out(FaultKind::Status(504))]
fn what_has_no_smaller_window_is_asked_for_again(#[case] kind: FaultKind) {
    let mut sentry = Sentry::small();
    let issue = sentry.issue("api issue 0");
    let event = {
        let (mut world, at) = (sentry.world(), sentry.now - TimeDelta::minutes(30));
        world.add_event(issue, at)
    };
    // Not longer than the least window.
    sentry.start = sentry.now - TimeDelta::hours(1);
    let project = sentry.project("api");
    let places = [
        Match::path_end("/projects/"),
        Match::path_end(format!("/projects/acme/{project}/")),
        Match::path_end("/teams/"),
        Match::path_end("/users/"),
        Match::path_end("/members/"),
        Match::path_end("/releases/"),
        Match::path_end("/acme/issues/"),
        Match::path_end(format!("/issues/{issue}/")),
        Match::path_end(format!("/issues/{issue}/events/")),
        Match::path_end(format!("/events/{event}/")),
    ];
    for place in &places {
        sentry
            .faults()
            .add(Fault::once(place.clone(), kind.clone()));
    }
    let streams = [
        "projects",
        "project_detail",
        "teams",
        "users",
        "members",
        "releases",
        "issues",
        "issue_detail",
        "events",
        "event_detail",
    ];
    let run = Tap::against(&sentry).select(&streams).retries(1).run();
    assert_eq!(sentry.faults().fired(), places.len());
    run.is_complete().does_not_tell("splitting the window");
    for stream in streams {
        run.keys(stream).equal(sentry.expected(stream));
    }
}

#[test]
fn an_object_is_never_asked_for_in_halves() {
    let sentry = Sentry::small();
    let end = format!("/issues/{}/", sentry.issue("api issue 0"));
    sentry.faults().add(Fault::always(
        Match::path_end(end.clone()),
        FaultKind::Status(504),
    ));
    let run = Tap::against(&sentry)
        .select(&["issue_detail"])
        .with("window_days", 30)
        .retries(1)
        .run();
    run.is_incomplete().does_not_tell("splitting the window");
    assert_eq!(sentry.asked(&end), 2, "and one more try");
}

#[test]
fn years_before_retention_are_probed_and_the_hole_is_told() {
    let mut sentry = Sentry::small();
    sentry.start = sentry.now - TimeDelta::days(5 * 365);
    let run = Tap::against(&sentry).select(&["issues", "events"]).run();
    run.is_complete()
        .tells("90 days")
        .tells(&text(sentry.start));
    for stream in ["issues", "events"] {
        run.keys(stream).equal(sentry.expected(stream));
    }
    assert!(
        sentry.requests().len() < 120,
        "{} requests",
        sentry.requests().len()
    );
}

/// The ends of the hole that a line of the log tells.
fn hole(line: &str) -> (DateTime<Utc>, DateTime<Utc>) {
    let (_, dates) = line
        .split_once("nothing is listed from ")
        .expect("the dates of the hole");
    let (start, rest) = dates.split_once(" to ").expect("both");
    let end = rest.split_once(": ").expect("the reason").0;
    (instant(&json!(start)), instant(&json!(end)))
}

#[test]
fn a_bookmark_that_was_left_too_long_is_told_with_the_dates_of_its_hole() {
    let mut sentry = Sentry::small();
    sentry.start = sentry.now - TimeDelta::days(1_000);
    let left = sentry.now - TimeDelta::days(200);
    let state = |project: u64, start: DateTime<Utc>| json!({"context": {"organization_slug": "acme", "project_id": project.to_string()}, "start": text(start)});
    let (api, web) = (sentry.project("api"), sentry.project("web"));
    let partitions = [
        state(api, left),
        state(web, sentry.now - TimeDelta::days(30)),
    ];
    let before = Utc::now();
    let run = Tap::against(&sentry)
        .select(&["issues", "events"])
        .with("lookback_minutes", 0)
        .state(&json!({"bookmarks": {"issues": {"partitions": partitions}, "events": {"partitions": partitions}}}))
        .run();
    run.is_complete()
        .keys("events")
        .equal(sentry.expected("events"));
    let told: Vec<&str> = run
        .stderr
        .lines()
        .filter(|line| line.contains("older than what Sentry lists"))
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("acme/api: the bookmark") && told[0].contains("WARNING"),
        "{}",
        told[0]
    );
    let (start, end) = hole(told[0]);
    assert_eq!(start, left);
    let retention = TimeDelta::days(90) + TimeDelta::seconds(1);
    assert!(
        before - retention <= end && end <= Utc::now() - TimeDelta::days(90),
        "{end}"
    );
}

#[test]
fn a_server_that_keeps_more_than_usual_gives_it_all() {
    let mut sentry = Sentry::holding(|world| {
        world.retention = TimeDelta::days(2_000);
        let project = world.add_project("api");
        for days in [3, 95, 200, 201, 390] {
            let issue = world.add_issue(project, "of old");
            world.add_event(issue, world.clock() - TimeDelta::days(days));
            world.add_event(
                issue,
                world.clock() - TimeDelta::days(days) - TimeDelta::hours(5),
            );
        }
    });
    sentry.start = sentry.now - TimeDelta::days(400);
    let run = Tap::against(&sentry).select(&["issues", "events"]).run();
    run.has_each_event_once(&sentry);
}

#[test]
fn an_event_on_the_edge_of_two_windows_comes_once() {
    let mut sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        let issue = world.add_issue(project, "on the edge");
        for day in 1..=21 {
            // Windows of a day start exactly here.
            world.add_event(issue, world.clock() - TimeDelta::days(day));
        }
    });
    sentry.start = sentry.now - TimeDelta::days(21);
    let run = Tap::against(&sentry)
        .select(&["issues", "events"])
        .with("window_days", 1)
        .run();
    run.is_complete();
    run.keys("events")
        .equal(sentry.expected("events"))
        .are_distinct();
}

#[rstest]
#[case::issues_alone(&["issues"])]
#[case::issues_and_events(&["issues", "events"])]
#[case::events_alone(&["events"])]
#[case::details_of_issues(&["issue_detail"])]
#[case::releases(&["releases", "release"])]
fn nothing_is_asked_twice_in_a_run(#[case] streams: &[&str]) {
    let sentry = Sentry::small();
    Tap::against(&sentry).select(streams).run().is_complete();
    let mut asked: Vec<String> = sentry
        .requests()
        .iter()
        .map(|request| format!("{} {:?}", request.path, request.query))
        .collect();
    asked.sort();
    let twice: Vec<_> = asked
        .windows(2)
        .filter(|pair| pair[0] == pair[1])
        .map(|pair| &pair[0])
        .collect();
    assert!(twice.is_empty(), "{twice:#?}");
}

/// Five issues with an event a day.
fn daily() -> Sentry {
    Sentry::holding(|world| {
        let project = world.add_project("api");
        for number in 0..5 {
            let issue = world.add_issue(project, &format!("daily {number}"));
            for day in 0..9 {
                world.add_event(
                    issue,
                    world.clock() - TimeDelta::days(day) - TimeDelta::hours(number + 1),
                );
            }
        }
    })
}

#[test]
fn a_list_of_events_that_fits_on_a_page_is_asked_for_once_however_many_windows_it_spans() {
    let sentry = daily();
    // The first window is listed last: once the events of all five issues have been asked for.
    let first = Match::path_end("/issues/")
        .query("limit=100")
        .query(format!("start={}", text(sentry.start)));
    sentry.hold(first, Match::path_end("/events/"), 5);
    let run = Tap::against(&sentry)
        .select(&["events"])
        .with("window_days", 1)
        .run();
    run.is_complete()
        .no_state_is_ahead(&sentry, &[])
        .keys("events")
        .equal(sentry.expected("events"))
        .are_distinct();
    assert_eq!(sentry.asked("/events/"), 5);
}

#[rstest]
#[case::events("events", "/events/")]
#[case::details("issue_detail", "/")]
fn what_is_asked_for_once_a_run_is_not_tried_again_by_each_window(
    #[case] stream: &'static str,
    #[case] path: &str,
) {
    let sentry = daily();
    let issue = sentry
        .expected("issues")
        .into_iter()
        .next()
        .expect("an issue");
    let path = format!("/issues/{issue}{path}");
    sentry.faults().add(Fault::always(
        Match::path_end(&path),
        FaultKind::Status(503),
    ));
    let first = Tap::against(&sentry)
        .select(&["issues", stream])
        .with("window_days", 1)
        .retries(0)
        .run();
    first
        .is_incomplete()
        .no_state_is_ahead(&sentry, &[])
        .tells(&issue);
    assert_eq!(sentry.asked(&path), 1);

    sentry.faults().clear();
    Tap::against(&sentry)
        .select(&["issues", stream])
        .with("window_days", 1)
        .completes(&sentry, &[&first]);
}

#[test]
fn what_failed_for_one_window_does_not_keep_the_others_from_what_is_theirs() {
    let sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        let mut add = |title: &str, days: std::ops::Range<i64>, hours: i64| {
            let issue = world.add_issue(project, title);
            for day in days {
                world.add_event(
                    issue,
                    world.clock() - TimeDelta::days(day) - TimeDelta::hours(hours),
                );
            }
        };
        // As many as make a list be given up, in each window, and one more in each.
        (0..5).for_each(|number| add(&format!("daily {number}"), 0..9, number + 1));
        (0..9).for_each(|day| add(&format!("of day {day}"), day..day + 1, 12));
    });
    let daily: Vec<u64> = sentry
        .world()
        .issues
        .values()
        .filter(|issue| issue.title.starts_with("daily"))
        .map(|issue| issue.id)
        .collect();
    for issue in daily {
        sentry.faults().add(Fault::always(
            Match::path_end(format!("/issues/{issue}/events/")),
            FaultKind::Status(500),
        ));
    }
    let run = Tap::against(&sentry)
        .select(&["events"])
        .with("window_days", 1)
        .with("concurrency", 1)
        .retries(0)
        .run();
    run.is_incomplete().no_state_is_ahead(&sentry, &[]);
    // One window alone can have met all that fails first.
    assert!(run.records("events").len() >= 8, "{}", run.stderr);
}

#[test]
fn events_are_not_asked_for_from_within_a_second_where_the_usual_retention_ends() {
    let mut sentry = Sentry::holding(|world| {
        world.retention = TimeDelta::days(2_000);
        let project = world.add_project("api");
        let issue = world.add_issue(project, "on the edge of the retention");
        for day in 87..90 {
            world.add_event(
                issue,
                world.clock() - TimeDelta::days(day) - TimeDelta::hours(21),
            );
        }
    });
    sentry.start = sentry.now - TimeDelta::days(100);
    // The window that begins there is listed last: once the events have been asked for.
    let begins = (sentry.now - TimeDelta::days(90))
        .format("start=%Y-%m-%dT")
        .to_string();
    let list = Match::path_end("/issues/").query("limit=100").query(begins);
    sentry.hold(list, Match::path_end("/events/"), 1);
    let run = Tap::against(&sentry)
        .select(&["events"])
        .with("window_days", 1)
        .run();
    run.is_complete()
        .no_state_is_ahead(&sentry, &[])
        .keys("events")
        .equal(sentry.expected("events"))
        .are_distinct();
    assert_eq!(sentry.asked("/events/"), 1, "for all windows");
}
