//! Streams that a user defines: queries over the explore endpoint.

use crate::dsl::{Run, Sentry, Tap, instant, metadata};
use chrono::{DurationRound, TimeDelta};
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn span(world: &mut World, number: u64, project: u64, minutes: i64, op: Option<&str>) {
    let at = world.clock() - TimeDelta::minutes(minutes);
    let mut values = json!({
        "id": format!("{number:016x}"), "trace": format!("{:032x}", number / 2),
        "span.duration": 1.5, "is_transaction": number.is_multiple_of(2), "user.email": "penny@example.com",
    });
    if let Some(op) = op {
        values["span.op"] = json!(op);
    }
    world.explore("spans", project, at, values);
}

/// Two projects with spans of the last days, one each 20 minutes.
fn spans() -> Sentry {
    let mut sentry = Sentry::holding(|world| {
        let projects = [world.add_project("api"), world.add_project("web")];
        for number in 0..250 {
            let op = [Some("db"), Some("http"), None][usize::try_from(number % 3).unwrap()];
            let minutes = 20 * i64::try_from(number).unwrap() + 5;
            span(
                world,
                number,
                projects[usize::from(number % 5 == 0)],
                minutes,
                op,
            );
        }
    });
    sentry.start = sentry.now - TimeDelta::days(5);
    sentry
}

fn slow() -> Value {
    json!({"name": "slow_spans", "dataset": "spans", "fields": ["span.op", "span.duration", "is_transaction", "user.email"]})
}

fn ops() -> Value {
    json!({"name": "ops", "dataset": "spans", "fields": ["span.op", "count()", "avg(span.duration)"], "sort": "-count()", "interval": "1h"})
}

fn tap(sentry: &Sentry, queries: Value) -> Tap {
    Tap::against(sentry).with("explore", queries)
}

/// The catalog that `--discover` prints, with this stream alone selected.
#[track_caller]
fn catalog(tap: Tap, stream: &str) -> Value {
    let run = tap.arg("--discover").run();
    run.ends_with(0);
    let mut catalog: Value = serde_json::from_str(&run.stdout).unwrap();
    for entry in catalog["streams"].as_array_mut().unwrap() {
        let selected = entry["tap_stream_id"] == stream;
        metadata(entry, &[])["selected"] = json!(selected);
    }
    catalog
}

fn extracting(sentry: &Sentry, query: &Value) -> Tap {
    let stream = query["name"].as_str().unwrap();
    let tap = tap(sentry, json!([query]));
    let catalog = catalog(tap.clone(), stream);
    tap.catalog(catalog)
}

fn values(run: &Run, stream: &str, columns: &[&str]) -> BTreeSet<String> {
    let of = |record: &Value| {
        let values = columns.iter().map(|column| match &record[*column] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        values.collect::<Vec<_>>().join("|")
    };
    run.records(stream).into_iter().map(of).collect()
}

fn ids(run: &Run) -> BTreeSet<String> {
    values(run, "slow_spans", &["id"])
}

#[test]
fn rows_have_the_columns_of_the_query_and_come_once() {
    let sentry = spans();
    let run = extracting(&sentry, &slow()).run();
    run.is_complete().is_valid();
    assert_eq!(
        (ids(&run).len(), run.records("slow_spans").len()),
        (250, 250)
    );
    let schema = run.schema("slow_spans");
    assert_eq!(schema["key_properties"], json!(["id", "trace"]));
    let properties = &schema["schema"]["properties"];
    assert_eq!(
        properties["span.duration"]["type"],
        json!(["number", "null"])
    );
    assert_eq!(
        properties["is_transaction"]["type"],
        json!(["boolean", "null"])
    );
    let asked = sentry.requests();
    let asked = asked.iter().filter(|one| one.path.ends_with("/events/"));
    for one in asked {
        assert_eq!(one.get("sampling"), Some("HIGHEST_ACCURACY"));
        assert_eq!(one.get("disableAggregateExtrapolation"), Some("1"));
    }
}

#[test]
fn a_later_run_reads_what_is_new() {
    let sentry = spans();
    let tap = extracting(&sentry, &slow());
    let middle = sentry.now - TimeDelta::days(1);
    let first = tap.clone().until(middle).run();
    first.is_complete();
    let second = tap.state(&first.state()).run();
    second.is_complete();
    assert_eq!(ids(&first).union(&ids(&second)).count(), 250);
    // One day, and the look-back of an hour.
    assert_eq!(ids(&second).len(), 75);
    for project in ["api", "web"] {
        let bookmark = second.bookmark("slow_spans", sentry.project(project));
        assert_eq!(bookmark, Some(sentry.end));
    }
}

#[test]
fn only_the_rows_of_chosen_projects_come() {
    let sentry = spans();
    let tap = extracting(&sentry, &slow()).with("project_slugs", json!(["web"]));
    let run = tap.run();
    run.is_complete();
    assert_eq!(ids(&run).len(), 50);
}

#[test]
fn more_rows_than_the_server_answers_are_read_in_smaller_windows() {
    let sentry = Sentry::holding(|world| {
        world.explore_rows = 1_050;
        let project = world.add_project("api");
        for number in 0..2_500 {
            let minutes = i64::try_from(number).unwrap();
            span(world, number, project, minutes / 10 + 1, Some("db"));
        }
    });
    let run = extracting(&sentry, &slow()).run();
    run.is_complete();
    assert_eq!(ids(&run).len(), 2_500);
}

#[test]
fn rows_in_another_order_are_a_wrong_answer() {
    let sentry = spans();
    let tap = extracting(&sentry, &slow()).retries(0);
    let events = Match::path_end("/events/");
    sentry
        .faults()
        .add(Fault::always(events, FaultKind::Backwards));
    let run = tap.run();
    run.is_incomplete()
        .tells("not in the order of their time, by which they were asked for");
    assert!(ids(&run).is_empty());
}

#[test]
fn a_window_that_fails_holds_the_bookmark() {
    let sentry = spans();
    let tap = extracting(&sentry, &slow())
        .with("window_days", 1)
        .retries(0);
    let events = Match::path_end("/events/");
    let fourth = Fault {
        skip: 3,
        ..Fault::once(events, FaultKind::Status(400))
    };
    sentry.faults().add(fourth);
    let first = tap.clone().run();
    first.is_incomplete().tells("slow_spans");
    let second = tap.state(&first.state()).run();
    second.is_complete();
    assert_eq!(ids(&first).union(&ids(&second)).count(), 250);
}

#[test]
fn an_aggregate_has_a_row_for_each_group_and_closed_interval() {
    let sentry = spans();
    let run = extracting(&sentry, &ops()).run();
    run.is_complete().is_valid();
    let schema = run.schema("ops");
    assert_eq!(
        schema["key_properties"],
        json!(["organization_slug", "span.op", "interval_start"])
    );
    let hour = TimeDelta::hours(1);
    let closed = sentry.end.duration_trunc(hour).unwrap();
    let from = sentry.start.duration_trunc(hour).unwrap();
    let world = sentry.world();
    let counted = world.explored.iter();
    let counted = counted.filter(|span| (from..closed).contains(&span.timestamp));
    let expected: BTreeSet<String> = counted
        .map(|span| {
            let op = span.values.get("span.op").and_then(Value::as_str);
            let start = span.timestamp.duration_trunc(hour).unwrap();
            format!("{}|{}", op.unwrap_or_default(), start.format("%FT%TZ"))
        })
        .collect();
    assert_eq!(
        values(&run, "ops", &["span.op", "interval_start"]),
        expected
    );
    let records = run.records("ops");
    assert_eq!(records.len(), expected.len());
    let total: u64 = records
        .iter()
        .map(|one| one["count()"].as_u64().unwrap())
        .sum();
    let counted = world.explored.iter();
    let counted = counted.filter(|span| (from..closed).contains(&span.timestamp));
    assert_eq!(total, counted.count() as u64);
}

#[test]
fn an_interval_is_read_again_for_what_came_late() {
    let sentry = spans();
    let tap = extracting(&sentry, &ops());
    let first = tap.clone().run();
    first.is_complete();
    let project = sentry.project("api");
    let closed = sentry.end.duration_trunc(TimeDelta::hours(1)).unwrap();
    let late = closed - TimeDelta::minutes(1);
    let minutes = (sentry.now - late).num_minutes() + 1;
    span(&mut sentry.world(), 999, project, minutes, Some("late"));
    let second = tap.state(&first.state()).run();
    second.is_complete();
    let starts = values(&second, "ops", &["interval_start"]);
    assert!(
        starts
            .iter()
            .all(|start| instant(&json!(start)) >= closed - TimeDelta::hours(2))
    );
    assert!(values(&second, "ops", &["span.op"]).contains("late"));
}

#[test]
fn what_is_older_than_the_retention_is_passed_over() {
    let mut sentry = spans();
    sentry.start = sentry.now - TimeDelta::days(400);
    for query in [slow(), ops()] {
        extracting(&sentry, &query).run().is_complete();
    }
}

#[test]
fn errors_are_known_by_their_id_and_project() {
    let sentry = Sentry::small();
    let query = json!({"name": "my_errors", "dataset": "errors", "fields": ["title", "issue.id"], "query": "has:title"});
    let run = extracting(&sentry, &query).run();
    run.is_complete().is_valid();
    let expected = sentry.expected("events").len() - 1;
    assert_eq!(
        values(&run, "my_errors", &["id", "project.id"]).len(),
        expected
    );
}

#[test]
fn personal_data_is_masked_in_columns_that_are_paths() {
    let sentry = spans();
    let masked = |tap: Tap| {
        let run = tap.run();
        run.is_complete().does_not_tell("penny");
        assert!(!run.stdout.contains("penny"));
    };
    let tap = || extracting(&sentry, &slow()).with("mask_mode", "null");
    masked(tap().with("mask_personal_data", true));
    masked(tap().with("mask_fields", json!(["slow_spans.user.email"])));
    masked(tap().with("mask_fields", json!(["*.user.email"])));
    let run = tap()
        .with("mask_fields", json!(["slow_spans.user.mail"]))
        .run();
    run.ends_with(1)
        .tells("slow_spans has no field `user.mail`");
}

#[test]
fn discovery_asks_only_for_what_is_defined() {
    let sentry = spans();
    let plain = Tap::against(&sentry).arg("--discover").run();
    assert_eq!(sentry.requests().len(), 0);
    let with = tap(&sentry, json!([slow()])).arg("--discover").run();
    assert_eq!(sentry.asked("/events/"), 1);
    let streams = |run: &Run| {
        let catalog: Value = serde_json::from_str(&run.stdout).unwrap();
        catalog["streams"].as_array().unwrap().clone()
    };
    let (plain, with) = (streams(&plain), streams(&with));
    assert_eq!(with[..plain.len()], plain[..]);
    assert_eq!(with[plain.len()]["tap_stream_id"], "slow_spans");
}

#[rstest]
#[case(json!(["no.such.field"]), "", "Unknown field: no.such.field")]
#[case(json!(["span.op"]), "nonsense", "Error parsing search query")]
fn discovery_that_fails_names_the_query(
    #[case] fields: Value,
    #[case] query: &str,
    #[case] why: &str,
) {
    let sentry = spans();
    let query = json!({"name": "mine", "dataset": "spans", "fields": fields, "query": query});
    let run = tap(&sentry, json!([slow(), query])).arg("--discover").run();
    run.ends_with(1).prints_nothing();
    run.ends_telling("query `mine`").tells(why);
}

#[test]
fn a_wrong_query_is_refused_before_anything_is_asked() {
    let sentry = spans();
    let query = json!({"name": "issues", "dataset": "spans", "fields": ["span.op"]});
    let run = tap(&sentry, json!([query])).run();
    run.ends_with(1).prints_nothing().tells("query `issues`");
    assert_eq!(sentry.requests().len(), 0);
}

#[test]
fn the_test_of_the_endpoints_tells_of_both_kinds() {
    let sentry = spans();
    let run = tap(&sentry, json!([slow(), ops()])).arg("--test").run();
    run.is_complete().is_valid().tells("slow_spans");
    assert_eq!(
        (run.records("slow_spans").len(), run.records("ops").len()),
        (1, 1)
    );
}

/// Rows of the run that lie before the bookmarks of its last STATE.
#[track_caller]
fn reaches_its_bookmarks(sentry: &Sentry, run: &Run, stream: &str, expected: &BTreeSet<String>) {
    for project in ["api", "web"].map(|slug| sentry.project(slug)) {
        let Some(reached) = run.bookmark(stream, project) else {
            continue;
        };
        let world = sentry.world();
        let due = world.explored.iter().filter(|span| {
            span.project == project && (sentry.start..reached).contains(&span.timestamp)
        });
        for span in due {
            let id = span.values["id"].as_str().unwrap();
            assert!(expected.contains(id), "{id} is before {reached}");
        }
    }
}

/// What was written when the tap is killed behind so many answers, and if there are any, behind a message of that type.
fn killed(sentry: &Sentry, tap: &Tap, answered: usize, kind: &str) -> Run {
    let list = Match::path_end("/events/");
    let silence = Fault {
        skip: answered,
        ..Fault::always(list.clone(), FaultKind::Silence)
    };
    sentry.faults().add(silence);
    let asked = sentry.arrival(list, answered + 1);
    let mut running = tap.clone().start();
    asked.recv().unwrap();
    if answered > 0 {
        running.read_to(kind);
    }
    let run = running.kill();
    sentry.faults().clear();
    run
}

#[rstest]
fn rows_are_whole_after_a_kill_at_any_window(#[values(0, 2, 5)] answered: usize) {
    let sentry = spans();
    let tap = extracting(&sentry, &slow())
        .with("window_days", 1)
        .with("concurrency", 1);
    let first = killed(&sentry, &tap, answered, "STATE");
    reaches_its_bookmarks(&sentry, &first, "slow_spans", &ids(&first));
    let second = tap.state(&first.state()).run();
    second.is_complete();
    assert_eq!(ids(&first).union(&ids(&second)).count(), 250);
}

#[rstest]
fn aggregates_are_whole_after_a_kill_at_any_interval(#[values(0, 60, 110)] answered: usize) {
    let sentry = spans();
    let groups = |run: &Run| values(run, "ops", &["span.op", "interval_start", "count()"]);
    let tap = extracting(&sentry, &ops()).with("concurrency", 1);
    let whole = groups(tap.clone().run().is_complete());
    // The first 36 hours have no row.
    let first = killed(&sentry, &tap, answered, "RECORD");
    let second = tap.state(&first.state()).run();
    second.is_complete();
    let both: BTreeSet<String> = groups(&first).union(&groups(&second)).cloned().collect();
    assert_eq!(both, whole);
}

#[test]
fn logs_are_known_by_their_item() {
    let sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        for number in 0..150_u32 {
            // Three of each second, and no two alike.
            let at = world.clock() - TimeDelta::seconds(i64::from(number / 3) + 90);
            let values = json!({
                "sentry.item_id": format!("{number:032x}"), "severity": "info",
                "message": format!("line {number}"), "trace": format!("{number:032x}"),
            });
            world.explore("logs", project, at, values);
        }
    });
    let query = json!({"name": "lines", "dataset": "logs", "fields": ["message", "severity", "timestamp_precise"], "query": "severity:info"});
    let run = extracting(&sentry, &query).run();
    run.is_complete().is_valid();
    let schema = run.schema("lines");
    assert_eq!(schema["key_properties"], json!(["sentry.item_id"]));
    let expected = (0..150).map(|number| format!("{number:032x}|line {number}"));
    assert_eq!(
        values(&run, "lines", &["sentry.item_id", "message"]),
        expected.collect()
    );
    assert_eq!(run.records("lines").len(), 150);
    let precise = &run.records("lines")[0]["timestamp_precise"];
    assert!(precise.as_u64().is_some_and(|at| at > 1 << 60), "{precise}");
}

#[test]
fn groups_of_several_organizations_are_told_apart() {
    let sentry = spans();
    sentry.adds_an_organization("beta");
    let organizations = |tap: Tap| tap.with("organization", json!(["acme", "beta"]));
    let run = organizations(extracting(&sentry, &ops())).run();
    run.is_complete().is_valid();
    let of = |place: &str| {
        let rows = values(
            &run,
            "ops",
            &["organization_slug", "span.op", "interval_start", "count()"],
        );
        let own = rows.into_iter().filter_map(|row| {
            let (organization, rest) = row.split_once('|')?;
            (organization == place).then(|| rest.to_owned())
        });
        own.collect::<BTreeSet<_>>()
    };
    assert_eq!(of("acme"), of("beta"));
    assert_eq!(of("acme").len() * 2, run.records("ops").len());
    // Rows of one key come once, whichever organization is asked.
    let run = organizations(extracting(&sentry, &slow())).run();
    run.is_complete();
    assert_eq!(ids(&run).len(), 250);
}

#[rstest]
#[case::as_many_as_the_server_tells(9_999, true)]
#[case::more(10_000, false)]
fn a_second_with_as_many_rows_as_the_server_answers_is_a_gap(
    #[case] rows: u64,
    #[case] whole: bool,
) {
    let sentry = Sentry::holding(|world| {
        let project = world.add_project("api");
        for number in 0..rows {
            span(world, number, project, 60, Some("db"));
        }
        span(world, rows, project, 30, Some("db"));
    });
    let tap = extracting(&sentry, &slow());
    let run = tap.clone().run();
    if whole {
        run.is_complete();
        assert_eq!(ids(&run).len() as u64, rows + 1);
    } else {
        run.is_incomplete()
            .tells("one second has 10000 rows or more, of which the server answers no more");
        let bookmark = run.bookmark("slow_spans", sentry.project("api"));
        assert!(bookmark.is_none_or(|at| at <= sentry.now - TimeDelta::hours(1)));
    }
}
