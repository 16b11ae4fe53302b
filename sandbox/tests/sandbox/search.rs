//! What the issue search understands, and what it refuses.

use crate::client::{Answer, ago, get, ids, iso, now, seeded, start, walk};
use chrono::TimeDelta;
use sentry_sandbox::world::{Event, Status};
use sentry_sandbox::{Sandbox, World};
use std::collections::BTreeSet;

/// `text` as the value of a query parameter.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

fn path(query: &str) -> String {
    format!(
        "/organizations/acme/issues/?project=-1&query={}",
        encoded(query)
    )
}

fn ask(sandbox: &Sandbox, query: &str) -> Answer {
    get(sandbox, &path(query))
}

fn found(sandbox: &Sandbox, query: &str) -> BTreeSet<String> {
    ids(&walk(sandbox, &path(query))).into_iter().collect()
}

/// Issues first seen 50, 40, …, 10 hours ago, last seen an hour later, with 2, 3, … events.
fn staircase() -> (Sandbox, Vec<String>) {
    let mut world = World::empty(now());
    let project = world.add_project("api");
    let issues = (0..5_i64)
        .map(|step| {
            let issue = world.add_issue(project, &format!("Error: number {step}"));
            let from = 50 - 10 * step;
            for _ in 0..=step {
                world.add_event(issue, ago(from));
            }
            world.add_event(issue, ago(from - 1));
            issue.to_string()
        })
        .collect();
    (start(world), issues)
}

/// An old issue that an environment sees for the first time is new there.
#[test]
fn an_age_counts_in_the_environment_that_is_asked_for() {
    let mut world = World::empty(now());
    let project = world.add_project("api");
    let issue = world.add_issue(project, "Error: number 1");
    world.add_event(issue, ago(50));
    world.add_event(issue, ago(2));
    let event = world.issue_mut(issue).events.last_mut().expect("an event");
    event.environment = Some("staging".to_owned());
    let sandbox = start(world);
    let count = |more: &str| {
        let path = format!("{}{more}", path("age:-24h"));
        get(&sandbox, &path).rows().len()
    };
    assert_eq!(count(""), 0);
    assert_eq!(count("&environment=production"), 0);
    assert_eq!(count("&environment=staging"), 1);
}

#[test]
fn times_are_relative_or_absolute() {
    let (sandbox, issues) = staircase();
    let all: BTreeSet<String> = issues.iter().cloned().collect();
    let some = |range: std::ops::Range<usize>| -> BTreeSet<String> {
        issues[range].iter().cloned().collect()
    };
    let at = |hours: i64| iso(ago(hours));
    for (query, expected) in [
        // Later than, earlier than.
        ("age:-35h".to_owned(), some(2..5)),
        ("age:+35h".to_owned(), some(0..2)),
        ("firstSeen:-2d".to_owned(), some(1..5)),
        ("first_seen:-1w".to_owned(), all.clone()),
        ("lastSeen:-29h".to_owned(), some(2..5)),
        ("lastSeen:+29h".to_owned(), some(0..3)),
        ("lastSeen:-1740m".to_owned(), some(2..5)),
        // The last event is of a whole second; when an issue was first seen has a fraction.
        (format!("lastSeen:>={}", at(29)), some(2..5)),
        (format!("lastSeen:>{}", at(29)), some(3..5)),
        (format!("lastSeen:<={}", at(29)), some(0..3)),
        (format!("lastSeen:<{}", at(29)), some(0..2)),
        (format!("firstSeen:>={}", at(30)), some(2..5)),
        (format!("firstSeen:<={}", at(30)), some(0..2)),
        // Alone, it is five minutes before and six after, or a day.
        (format!("lastSeen:{}", at(29)), some(2..3)),
        (
            format!("lastSeen:{}", iso(ago(29) + TimeDelta::minutes(5))),
            some(2..3),
        ),
        (
            format!("lastSeen:{}", iso(ago(29) + TimeDelta::minutes(7))),
            BTreeSet::new(),
        ),
        (format!("lastSeen:{}", ago(29).format("%Y-%m-%d")), {
            let day = ago(29).date_naive();
            (0..5)
                .filter(|step| ago(49 - 10 * step).date_naive() == day)
                .map(|step| issues[usize::try_from(step).expect("small")].clone())
                .collect()
        }),
        (format!("lastSeen:>{} age:-45h", at(39)), some(2..5)),
    ] {
        assert_eq!(found(&sandbox, &query), expected, "{query}");
    }
}

#[test]
fn events_are_counted_in_the_window() {
    let (sandbox, issues) = staircase();
    let some = |range: std::ops::Range<usize>| -> BTreeSet<String> {
        issues[range].iter().cloned().collect()
    };
    for (query, expected) in [
        ("timesSeen:>3", some(2..5)),
        ("timesSeen:>=3", some(1..5)),
        ("timesSeen:<3", some(0..1)),
        ("timesSeen:<=3", some(0..2)),
        ("timesSeen:3", some(1..2)),
        ("!timesSeen:3 times_seen:<5", &some(0..1) | &some(2..3)),
        ("timesSeen:[2,6]", &some(0..1) | &some(4..5)),
        ("timesSeen:<1k", some(0..5)),
    ] {
        assert_eq!(found(&sandbox, query), expected, "{query}");
    }
    // The window has one event of the issue that is two hours older than its end.
    let window = format!("&start={}&end={}", iso(ago(49)), iso(ago(48)));
    let rows = |query: &str| {
        get(&sandbox, &format!("{}{window}", path(query)))
            .rows()
            .len()
    };
    assert_eq!((rows("timesSeen:1"), rows("timesSeen:>1")), (1, 0));
}

#[test]
fn statuses_levels_categories_and_words_filter() {
    let sandbox = seeded();
    let value = |query: &str, key: &str| -> BTreeSet<String> {
        walk(&sandbox, &path(query))
            .iter()
            .map(|row| row[key].as_str().unwrap_or("none").to_owned())
            .collect()
    };
    let set = |names: &[&str]| -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    };
    assert_eq!(value("is:archived", "status"), set(&["ignored"]));
    assert_eq!(value("status:resolved", "status"), set(&["resolved"]));
    assert_eq!(
        value("status:[resolved,ignored]", "status"),
        set(&["ignored", "resolved"])
    );
    assert_eq!(
        value("status:[resolved, archived]", "status"),
        set(&["ignored", "resolved"])
    );
    assert_eq!(
        value("!is:unresolved", "status"),
        set(&["ignored", "reprocessing", "resolved"])
    );
    assert_eq!(
        value("issue.category:feedback status:unresolved", "issueCategory"),
        set(&["feedback"])
    );
    assert_eq!(
        value("issue.category:[cron,outage]", "issueCategory"),
        set(&["cron", "outage"])
    );
    assert_eq!(
        value("issue.priority:[high, medium]", "priority"),
        set(&["high", "medium"])
    );
    assert_eq!(
        value("level:[warning,fatal]", "level"),
        set(&["fatal", "warning"])
    );
    assert_eq!(value("is:escalating", "substatus"), set(&["escalating"]));
    assert_eq!(
        value("\"division by zero\"", "title"),
        set(&["ZeroDivisionError: division by zero"])
    );
    assert!(value("zerodivision", "title").contains("ZeroDivisionError: division by zero"));
    assert_eq!(value(" ", "status"), value("", "status"));
}

#[test]
fn a_key_nobody_knows_is_a_tag() {
    let mut world = World::empty(now());
    let project = world.add_project("api");
    let (one, two) = (
        world.add_issue(project, "Error: one"),
        world.add_issue(project, "Error: two"),
    );
    world.add_event(two, ago(1));
    world.add_event(one, ago(1));
    let tag = |event: &mut Event| {
        event.tags = vec![(Some("customer.tier".to_owned()), Some("gold".to_owned()))];
    };
    tag(&mut world.issue_mut(one).events[0]);
    let sandbox = start(world);
    assert_eq!(
        found(&sandbox, "customer.tier:gold"),
        BTreeSet::from([one.to_string()])
    );
    assert_eq!(
        found(&sandbox, "has:customer.tier"),
        BTreeSet::from([one.to_string()])
    );
    assert_eq!(
        found(&sandbox, "!has:customer.tier"),
        BTreeSet::from([two.to_string()])
    );
    assert!(
        found(&sandbox, "lastseen:-24h").is_empty(),
        "keys are told apart by case"
    );
}

#[test]
fn what_cannot_be_read_is_refused_in_sentrys_words() {
    let sandbox = seeded();
    for (query, words) in [
        (
            "is:broken",
            "Invalid value for \"is\" search, valid values are ['archived', 'archived_forever', 'archived_until_condition_met', 'archived_until_escalating', 'assigned', 'escalating', 'for_review', 'ignored', 'linked', 'muted', 'new', 'ongoing', 'regressed', 'reprocessing', 'resolved', 'unassigned', 'unlinked', 'unresolved']",
        ),
        (
            "is:[resolved,ignored]",
            "\"in\" syntax invalid for \"is\" search",
        ),
        ("status:broken", "invalid status value of 'broken'"),
        (
            "status:[resolved,broken]",
            "invalid status value of 'broken'",
        ),
        ("substatus:broken", "invalid substatus value of 'broken'"),
        (
            "issue.category:errors",
            "Invalid category value of 'errors'",
        ),
        (
            "issue.priority:urgent",
            "Invalid priority value of 'urgent'",
        ),
        ("level:", "Empty string after 'level:'"),
        (
            "count():>5",
            "Aggregate filters (count()) are not supported in issue searches.",
        ),
        (
            "is:resolved OR is:ignored",
            "Boolean statements containing \"OR\" or \"AND\" are not supported in this search",
        ),
        (
            "timesSeen:many",
            "times_seen: Invalid number: many. Expected number then optional k, m, or b suffix (e.g. 500k).",
        ),
    ] {
        let answer = ask(&sandbox, query);
        assert_eq!(
            (answer.status, answer.detail()),
            (400, format!("Error parsing search query: {words}")),
            "{query}"
        );
    }
    for query in [
        "age:yesterday",
        "age:24h",
        "age:-24",
        "lastSeen:-24s",
        "firstSeen:>-24h",
        "!age:-24h",
        "lastSeen:>1700000000",
        "lastSeen:2026-13-01",
    ] {
        let answer = ask(&sandbox, query);
        assert_eq!(answer.status, 400, "{query}");
        assert!(
            answer.detail().contains("_seen: Invalid date: "),
            "{query}: {}",
            answer.detail()
        );
    }
    // Not Sentry's: what is not imitated must not look like a list without rows.
    for query in [
        "assigned:me",
        "bookmarks:me",
        "first-release:latest",
        "user.email:x",
        "is:linked",
        "environment:prod*",
    ] {
        let answer = ask(&sandbox, query);
        assert_eq!(answer.status, 501, "{query}");
        assert!(answer.detail().contains("does not imitate"), "{query}");
    }
}

#[test]
fn lists_are_sorted_by_what_sentry_knows_only() {
    let (sandbox, issues) = staircase();
    let sorted = |sort: &str| get(&sandbox, &format!("{}&sort={sort}", path("")));
    let newest: Vec<String> = issues.iter().rev().cloned().collect();
    for sort in ["date", "new", "freq"] {
        assert_eq!(ids(&sorted(sort).rows()), newest, "{sort}");
    }
    for sort in ["user", "trends", "recommended"] {
        assert_eq!(sorted(sort).rows().len(), 5, "{sort}");
    }
    for sort in ["priority", "-date", "Date", ""] {
        let answer = sorted(sort);
        assert_eq!(
            (answer.status, answer.detail()),
            (400, format!("Sort key '{sort}' not supported."))
        );
    }
    let inbox = |query: &str| get(&sandbox, &format!("{}&sort=inbox", path(query)));
    assert_eq!(
        inbox("is:unresolved").detail(),
        "Sort key 'inbox' only supported for inbox search"
    );
    assert_eq!(
        inbox("is:for_review is:resolved").detail(),
        "Inbox search only works for 'unresolved' status"
    );
    sandbox
        .world()
        .issue_mut(issues[0].parse().expect("a number"))
        .substatus = Some("new".to_owned());
    assert_eq!(
        ids(&inbox("is:for_review is:unresolved").rows()),
        issues[..1]
    );
    sandbox
        .world()
        .set_status(issues[0].parse().expect("a number"), Status::Resolved);
    assert!(inbox("is:for_review is:unresolved").rows().is_empty());
}

#[test]
fn cursors_are_numbers_as_python_writes_them() {
    let (sandbox, issues) = staircase();
    let page = |cursor: &str| {
        get(
            &sandbox,
            &format!("{}&limit=2&cursor={}", path(""), encoded(cursor)),
        )
    };
    let next = page("").next().expect("more");
    let second = ids(&page(&next).rows());
    assert_eq!(second, [issues[2].clone(), issues[1].clone()]);
    // A row's offset hidden as underscores, as Sentry's own command line hides it.
    let hidden = format!("{next}_0_00");
    assert_eq!(ids(&page(&hidden).rows()), second);
    for wrong in [
        "",
        ":0:0:0",
        "x",
        "0_:0:0",
        "1:0:0__0",
        "1:0:0_",
        "1:0.0:0",
        "1.5.5:0:0",
        "0x10:0:0",
    ]
    .map(|end| format!("1:{end}"))
    {
        let answer = page(&wrong);
        assert_eq!(
            (answer.status, answer.detail().as_str()),
            (400, "Invalid cursor parameter."),
            "{wrong}"
        );
    }
    // Lists of pages read theirs alike.
    let list = |cursor: &str| {
        get(
            &sandbox,
            &format!("/organizations/acme/projects/?cursor={cursor}"),
        )
        .status
    };
    assert_eq!((list("1_00:0:0_0"), list("100:0:_0")), (200, 400));
}
