//! Rate limits: the allowance of each class is used and never exceeded.

use crate::dsl::{Sentry, Tap};
use chrono::{TimeDelta, Utc};
use rstest::rstest;
use sentry_sandbox::{Class, Fault, FaultKind, Limit, Limits, Match, Options, World};
use std::time::Duration;

/// One project with so many issues of one event each.
fn busy(issues: i64, limits: Limits) -> Sentry {
    Sentry::of(|now| {
        let mut world = World::empty(now);
        let project = world.add_project("api");
        for number in 0..issues {
            let issue = world.add_issue(project, "one of many");
            world.add_event(issue, now - TimeDelta::minutes(number + 1));
        }
        for number in 0..issues {
            world.add_release(
                &format!("api@{number}"),
                project,
                now - TimeDelta::minutes(number + 1),
            );
        }
        Options {
            limits,
            ..Options::new(world)
        }
    })
}

fn hosted_without_rejection(stream: &'static str, issues: i64) {
    let sentry = busy(issues, Limits::hosted());
    let run = Tap::against(&sentry).select(&[stream]).run();
    run.is_complete()
        .keys(stream)
        .equal(sentry.expected(stream));
    assert_eq!(
        sentry.rejections(),
        0,
        "of {} requests",
        sentry.requests().len()
    );
}

#[test]
fn the_default_class_is_not_exceeded() {
    hosted_without_rejection("events", 100);
}

#[test]
fn the_class_of_issue_details_is_not_exceeded() {
    hosted_without_rejection("issue_detail", 12);
}

#[test]
fn the_class_of_event_details_is_not_exceeded() {
    hosted_without_rejection("event_detail", 12);
}

#[test]
fn the_default_class_is_not_exceeded_by_several_streams_together() {
    let sentry = busy(30, Limits::hosted());
    let run = Tap::against(&sentry).run();
    run.is_complete();
    assert_eq!(
        sentry.rejections(),
        0,
        "of {} requests",
        sentry.requests().len()
    );
}

#[test]
fn a_limit_lower_than_documented_is_learned_from_the_first_answers() {
    let limits = Limits::hosted().with(Class::Default, Limit::new(10, Duration::from_secs(1), 3));
    let sentry = busy(25, limits);
    let run = Tap::against(&sentry).select(&["events"]).run();
    run.is_complete()
        .keys("events")
        .equal(sentry.expected("events"));
    assert_eq!(
        sentry.rejections(),
        0,
        "of {} requests",
        sentry.requests().len()
    );
}

#[test]
fn a_cap_of_the_user_is_kept() {
    let sentry = busy(8, Limits::none());
    let run = Tap::against(&sentry)
        .select(&["events"])
        .with("rate_limit", 10)
        .with("concurrency", 1)
        .run();
    run.is_complete();
    let times: Vec<_> = sentry.requests().iter().map(|request| request.at).collect();
    // The second of these is sent after the first was answered, and the last comes after it was sent: whatever is late
    // makes the span longer. Between them are nine intervals, as the cap lets one be caught up.
    for twelve in times.windows(12) {
        assert!(
            twelve[11] - twelve[0] >= Duration::from_millis(900),
            "{:?}",
            twelve[11] - twelve[0]
        );
    }
    assert!(times.len() >= 12, "{}", times.len());
}

/// Others share the limit, and use it up again and again.
#[test]
fn a_refusal_that_says_when_it_ends_is_no_failed_try() {
    let sentry = Sentry::small();
    let refusals = Fault {
        times: 3,
        ..Fault::once(
            Match::path_end("/teams/"),
            FaultKind::RateLimited {
                reset_in_seconds: 1,
            },
        )
    };
    sentry.faults().add(refusals);
    let run = Tap::against(&sentry).select(&["teams"]).retries(0).run();
    run.is_complete()
        .keys("teams")
        .equal(sentry.expected("teams"));
    assert_eq!(sentry.faults().fired(), 3);
}

#[test]
fn a_closed_class_takes_no_room_from_the_others() {
    let sentry = busy(40, Limits::none());
    for issue in sentry.issues_of("api") {
        let detail = Match::path_end(format!("/issues/{issue}/"));
        sentry.faults().add(Fault::always(
            detail,
            FaultKind::RateLimited {
                reset_in_seconds: 3_000,
            },
        ));
    }
    let mut running = Tap::against(&sentry)
        .select(&["issue_detail", "events"])
        .with("concurrency", 32)
        .start();
    let mut events = 0;
    while events < sentry.expected("events").len() {
        let line = running
            .line()
            .expect("all events while the details are refused");
        events += usize::from(line["type"] == "RECORD" && line["stream"] == "events");
    }
    running
        .signal("TERM")
        .is_incomplete()
        .ends_telling("SIGTERM")
        .keys("events")
        .equal(sentry.expected("events"));
}

/// An hour's refusal would be waited for too; a second shows that it uses up no try.
#[rstest]
fn a_refusal_that_says_when_to_come_back_is_waited_for(
    #[values(429, 503)] status: u16,
    #[values(true, false)] by_date: bool,
) {
    let sentry = Sentry::small();
    let after = if by_date {
        (Utc::now() + TimeDelta::seconds(3))
            .format("%a, %d %b %Y %H:%M:%S GMT")
            .to_string()
    } else {
        "1".to_owned()
    };
    let refused = FaultKind::Gateway {
        status,
        body: "come back later",
        header: ("retry-after", after),
    };
    sentry
        .faults()
        .add(Fault::once(Match::path_end("/teams/"), refused));
    let run = Tap::against(&sentry).select(&["teams"]).retries(0).run();
    run.is_complete()
        .tells(&format!("HTTP {status}"))
        .tells("trying again in")
        .keys("teams")
        .equal(sentry.expected("teams"));
    assert_eq!(sentry.faults().fired(), 1);
}
