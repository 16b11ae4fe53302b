//! What a user may switch on: masking, flattening, versions, comparison of counts, logs for machines, generated files.

use crate::dsl::{Run, Sentry, Stub, Tap};
use rstest::rstest;
use sentry_sandbox::world::Status;
use sentry_sandbox::{Fault, FaultKind, Match};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The last days of the world with one of every oddity.
fn recent() -> Sentry {
    let mut sentry = Sentry::seeded();
    sentry.start = sentry.now - chrono::TimeDelta::days(4);
    sentry
}

fn all_streams() -> Vec<&'static str> {
    tap_sentry::streams::STREAMS
        .iter()
        .map(tap_sentry::streams::StreamDef::name)
        .collect()
}

/// Everything in the sandbox's world that names, addresses or locates a person.
fn personal_data(sentry: &Sentry) -> BTreeSet<String> {
    let world = sentry.world();
    let mut found: BTreeSet<String> = [
        "penny@example.com",
        "Penny",
        "carla@example.org",
        "Carla Contributor",
        "invited@example.com",
    ]
    .map(str::to_owned)
    .into();
    found.extend(
        world
            .users
            .iter()
            .flat_map(|user| [user.name.clone(), user.email.clone()]),
    );
    found.extend(
        world
            .members
            .iter()
            .flat_map(|member| [Some(member.email.clone()), member.inviter.clone()])
            .flatten(),
    );
    for event in world.issues.values().flat_map(|issue| &issue.events) {
        for key in ["email", "ip_address", "username"] {
            found.extend(
                event
                    .user
                    .as_ref()
                    .and_then(|user| user[key].as_str())
                    .map(str::to_owned),
            );
        }
    }
    found
}

/// Of `personal`, what the run printed, and where first.
fn leaks(run: &Run, personal: &BTreeSet<String>) -> BTreeMap<String, String> {
    fn find(
        value: &Value,
        path: &str,
        personal: &BTreeSet<String>,
        out: &mut BTreeMap<String, String>,
    ) {
        match value {
            Value::Object(map) => map
                .iter()
                .for_each(|(key, value)| find(value, &format!("{path}.{key}"), personal, out)),
            Value::Array(items) => items
                .iter()
                .for_each(|value| find(value, path, personal, out)),
            Value::String(text) if personal.iter().any(|one| text.contains(one.as_str())) => {
                out.entry(path.to_owned()).or_insert_with(|| text.clone());
            }
            _ => {}
        }
    }
    let mut out = BTreeMap::new();
    for message in run.of_type("RECORD").chain(run.of_type("STATE")) {
        find(
            &message["record"],
            message["stream"].as_str().unwrap_or("state"),
            personal,
            &mut out,
        );
    }
    out
}

#[rstest]
#[case::hash(&[("mask_mode", "hash"), ("mask_salt", "pepper")])]
#[case::null(&[("mask_mode", "null")])]
fn masked_personal_data_is_nowhere(
    #[case] settings: &[(&str, &str)],
    #[values(false, true)] details: bool,
) {
    let sentry = recent();
    let tap = Tap::against(&sentry)
        .select(&all_streams())
        .with("fetch_event_details", details);
    let plain = tap.clone().run();
    plain.is_complete();
    let personal = personal_data(&sentry);
    assert!(
        personal
            .iter()
            .filter(|one| plain.stdout.contains(one.as_str()))
            .count()
            > 10,
        "the world has some"
    );
    let masked = settings
        .iter()
        .fold(tap.with("mask_personal_data", true), |tap, (key, value)| {
            tap.with(key, *value)
        })
        .run();
    masked.is_complete().is_valid();
    for stream in all_streams() {
        masked.keys(stream).equal(plain.keys(stream).set());
    }
    let leaks = leaks(&masked, &personal);
    assert!(leaks.is_empty(), "{leaks:#?}");
    for one in &personal {
        assert!(!masked.stdout.contains(one.as_str()), "{one}");
    }
    // What is no personal data stays.
    let project = &masked.record("projects", &sentry.project("api").to_string());
    assert_eq!(
        (&project["name"], &project["slug"]),
        (&json!("API"), &json!("api"))
    );
    assert!(
        masked
            .records("issues")
            .iter()
            .all(|issue| issue["title"].is_string() && issue["project"]["name"].is_string())
    );
    assert!(
        masked
            .records("teams")
            .iter()
            .all(|team| team["name"].is_string())
    );
}

#[test]
fn nobody_who_changed_an_issue_is_named() {
    let sentry = Sentry::seeded();
    let tap = Tap::against(&sentry).select(&["issues"]);
    assert!(
        tap.clone().run().stdout.contains("Olive Owner"),
        "who archived an issue is in its status details"
    );
    let masked = tap
        .with("mask_personal_data", true)
        .with("mask_mode", "null")
        .run();
    masked.is_complete();
    assert_eq!(
        leaks(&masked, &["Olive Owner".to_owned()].into()),
        BTreeMap::new()
    );
}

#[test]
fn a_hash_is_the_same_wherever_the_value_stands_and_another_with_another_salt() {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry)
        .select(&["users", "members"])
        .with("mask_personal_data", true);
    let run = tap.clone().with("mask_salt", "pepper").run();
    run.is_complete();
    let email =
        |run: &Run, stream: &str| run.records(stream)[0]["email"].as_str().unwrap().to_owned();
    assert_eq!(email(&run, "users"), email(&run, "members"));
    assert_eq!(email(&run, "users").len(), 64);
    let other = tap.with("mask_salt", "salt").run();
    assert_ne!(email(&run, "users"), email(&other, "users"));
}

#[test]
fn named_fields_are_masked_and_no_others() {
    let sentry = recent();
    let fields = json!([
        "issues.title",
        "events.user.email",
        "*.metadata.value",
        "issues.numComments"
    ]);
    let tap = Tap::against(&sentry)
        .select(&["issues", "events"])
        .with("mask_fields", fields);
    let plain = Tap::against(&sentry).select(&["issues", "events"]).run();
    let hashed = tap.clone().with("mask_salt", "pepper").run();
    let nulled = tap.with("mask_mode", "null").run();
    hashed.is_complete().is_valid();
    nulled.is_complete().is_valid();
    let mut users = 0;
    for (stream, key) in ["issues", "events"].into_iter().flat_map(|stream| {
        plain
            .keys(stream)
            .set()
            .into_iter()
            .map(move |key| (stream, key))
    }) {
        let [plain, hashed, nulled] =
            [&plain, &hashed, &nulled].map(|run| run.record(stream, &key));
        let hash = |text: &Value, masked: &Value| match text {
            Value::String(text) => assert!(
                masked
                    .as_str()
                    .is_some_and(|hash| hash.len() == 64 && hash != text),
                "{masked}"
            ),
            _ => assert!(masked.is_null(), "{masked}"),
        };
        if stream == "issues" {
            hash(&plain["title"], &hashed["title"]);
            assert!(
                nulled["title"].is_null()
                    && nulled["numComments"].is_null()
                    && hashed["numComments"].is_null()
            );
        } else {
            assert_eq!(plain["title"], nulled["title"], "of issues only");
            if plain["user"].is_object() {
                hash(&plain["user"]["email"], &hashed["user"]["email"]);
                assert!(nulled["user"]["email"].is_null());
                assert_eq!(plain["user"]["id"], nulled["user"]["id"]);
                users += 1;
            }
        }
        hash(&plain["metadata"]["value"], &hashed["metadata"]["value"]);
        assert_eq!(plain["culprit"], hashed["culprit"]);
    }
    assert!(users > 20, "{users}");
}

#[rstest]
#[case::preset(json!({"mask_personal_data": true}), "mask_salt")]
#[case::fields(json!({"mask_fields": ["issues.title"]}), "mask_salt")]
#[case::an_empty_salt(json!({"mask_personal_data": true, "mask_salt": ""}), "mask_salt")]
#[case::a_mode_that_is_none(json!({"mask_personal_data": true, "mask_mode": "rot13"}), "mask_mode")]
#[case::a_stream_that_is_none(json!({"mask_fields": ["unicorns.name"], "mask_mode": "null"}), "mask_fields")]
#[case::a_stream_alone(json!({"mask_fields": ["issues"], "mask_mode": "null"}), "mask_fields")]
#[case::a_key(json!({"mask_fields": ["issues.id"], "mask_mode": "null"}), "mask_fields")]
fn masking_that_cannot_be_done_is_refused_before_anything_is_asked(
    #[case] settings: Value,
    #[case] told: &str,
) {
    let sentry = Sentry::small();
    let tap = settings
        .as_object()
        .unwrap()
        .iter()
        .fold(Tap::against(&sentry), |tap, (key, value)| {
            tap.with(key, value.clone())
        });
    tap.run()
        .ends_with(1)
        .prints_nothing()
        .tells(&format!("`{told}`"));
    assert!(sentry.requests().is_empty());
}

#[rstest]
fn flat_records_have_no_nested_value_and_fit_their_schema(
    #[values(0, 1, 3)] depth: u32,
    #[values(false, true)] details: bool,
) {
    let sentry = recent();
    let tap = Tap::against(&sentry)
        .select(&all_streams())
        .with("fetch_event_details", details);
    let plain = tap.clone().run();
    let flat = tap
        .with("flattening_enabled", true)
        .with("flattening_max_depth", depth)
        .run();
    flat.is_complete().is_valid();
    for message in flat.of_type("RECORD") {
        for (name, value) in message["record"].as_object().unwrap() {
            assert!(
                !value.is_object() && !value.is_array(),
                "{}: {name}: {value}",
                message["stream"]
            );
        }
    }
    for message in flat.of_type("SCHEMA") {
        for (name, property) in message["schema"]["properties"].as_object().unwrap() {
            let types = property["type"].to_string();
            assert!(
                !types.contains("object") && !types.contains("array"),
                "{}: {name}: {types}",
                message["stream"]
            );
            assert!(name.matches("__").count() <= depth as usize, "{name}");
        }
    }
    for stream in all_streams() {
        flat.keys(stream).equal(plain.keys(stream).set());
    }
    for (key, nested) in plain
        .keys("issues")
        .set()
        .into_iter()
        .map(|key| (key.clone(), plain.record("issues", &key)))
    {
        let issue = flat.record("issues", &key);
        if depth == 0 {
            let text = issue["project"].as_str().unwrap();
            assert_eq!(
                serde_json::from_str::<Value>(text).unwrap(),
                nested["project"]
            );
        } else {
            assert_eq!(issue["project__slug"], nested["project"]["slug"]);
            assert!(issue.get("project").is_none());
        }
    }
}

#[test]
fn flattened_columns_have_the_separator_and_the_length_that_was_asked_for() {
    let sentry = recent();
    let tap = Tap::against(&sentry)
        .select(&["issues", "releases"])
        .with("flattening_enabled", true)
        .with("flattening_max_depth", 1);
    let dotted = tap.clone().with("flattening_separator", ".").run();
    dotted.is_complete().is_valid();
    let short = tap.clone().with("flattening_max_key_length", 17).run();
    short.is_complete().is_valid();
    for issue in dotted.records("issues") {
        assert!(
            issue["project.slug"].is_string() && issue.get("project__slug").is_none(),
            "{issue}"
        );
    }
    for issue in short.records("issues") {
        // As the Singer SDK shortens: parents first, to their capitals or three letters.
        assert!(
            issue["pro__platform"].is_string()
                && issue["project__slug"].is_string()
                && issue["id"].is_string(),
            "{issue}"
        );
        assert!(
            issue["os"].is_string() && issue["lastSeen"].is_string(),
            "{issue}"
        );
    }
    for release in short.records("releases") {
        assert!(
            release["organization_slug"].is_string() && release["dateCreated"].is_string(),
            "the key keeps its name: {release}"
        );
    }
    let run = tap.with("flattening_max_key_length", 3).run();
    run.ends_with(1)
        .prints_nothing()
        .ends_telling("flattening_max_key_length");
}

#[test]
fn masking_comes_before_flattening() {
    let sentry = recent();
    let run = Tap::against(&sentry)
        .select(&["events", "members"])
        .with("flattening_enabled", true)
        .with("mask_personal_data", true)
        .with("mask_mode", "null")
        .run();
    run.is_complete().is_valid();
    assert!(
        !run.stdout.contains("@example.org")
            && !run.stdout.contains("203.0.113.9")
            && !run.stdout.contains("Mia Manager")
    );
}

const WHOLE_TABLES: [&str; 5] = ["projects", "project_detail", "teams", "users", "members"];

fn activated(messages: &[Value]) -> BTreeSet<&str> {
    messages
        .iter()
        .filter(|message| message["type"] == "ACTIVATE_VERSION")
        .map(|message| message["stream"].as_str().unwrap())
        .collect()
}

#[test]
fn versions_of_whole_tables_are_stamped_and_activated_before_the_last_state() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .with("emit_activate_version_messages", true)
        .state(&json!({"bookmarks": {}}))
        .run();
    run.is_complete().is_valid();
    let versions: BTreeSet<String> = run
        .of_type("ACTIVATE_VERSION")
        .map(|message| message["version"].to_string())
        .collect();
    assert_eq!(versions.len(), 1, "{versions:?}");
    for message in run.of_type("RECORD") {
        let whole = WHOLE_TABLES.contains(&message["stream"].as_str().unwrap());
        assert_eq!(
            message.get("version").map(Value::to_string).as_ref(),
            versions.first().filter(|_| whole),
            "{message}"
        );
    }
    assert_eq!(activated(&run.messages), BTreeSet::from(WHOLE_TABLES));
    let first = run
        .messages
        .iter()
        .position(|message| message["type"] == "ACTIVATE_VERSION")
        .unwrap();
    let last_record = run
        .messages
        .iter()
        .rposition(|message| message["type"] == "RECORD")
        .unwrap();
    assert!(first > last_record, "what is activated has been written");
    assert_eq!(run.messages.last().unwrap()["type"], "STATE");
}

#[test]
fn without_being_asked_for_there_are_no_versions() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).run();
    run.is_complete();
    assert_eq!(run.of_type("ACTIVATE_VERSION").count(), 0);
    assert!(
        run.messages
            .iter()
            .all(|message| message.get("version").is_none())
    );
}

/// Runs with `teams` refused, and tells whose version was activated, where `none` is of the whole tables.
fn activated_with_a_gap(state: Option<&Value>) -> Vec<String> {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::always(
        Match::path_end("/teams/"),
        FaultKind::Status(403),
    ));
    let tap = Tap::against(&sentry).with("emit_activate_version_messages", true);
    let run = state.into_iter().fold(tap, Tap::state).run();
    run.is_incomplete();
    activated(&run.messages)
        .into_iter()
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_version_of_a_stream_with_a_gap_is_not_activated() {
    assert_eq!(
        activated_with_a_gap(Some(&json!({"bookmarks": {}}))),
        ["members", "project_detail", "projects", "users"]
    );
}

#[test]
fn nor_in_a_run_without_a_state() {
    // Without a state is also how a full refresh runs: the target holds rows that a gap must not remove.
    assert!(!activated_with_a_gap(None).contains(&"teams".to_owned()));
}

#[test]
fn no_version_is_activated_by_a_run_that_was_broken_off() {
    let sentry = Sentry::seeded();
    sentry
        .faults()
        .add(Fault::always(Match::path("/events/"), FaultKind::Silence));
    let mut running = Tap::against(&sentry)
        .with("emit_activate_version_messages", true)
        .state(&json!({"bookmarks": {}}))
        .start();
    running.read_to("RECORD");
    let run = running.signal("TERM");
    run.is_incomplete();
    assert_eq!(run.of_type("ACTIVATE_VERSION").count(), 0);
}

/// The lines of `--check-counts`.
fn counts(run: &Run) -> Vec<&str> {
    run.stderr
        .lines()
        .filter(|line| line.contains("errors accepted"))
        .collect()
}

#[test]
fn the_counts_of_a_healthy_extraction_agree() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).arg("--check-counts").run();
    run.is_complete();
    let lines = counts(&run);
    assert_eq!(lines.len(), 2, "{}", run.stderr);
    for slug in ["api", "web"] {
        // A feedback is no error.
        let line = lines
            .iter()
            .find(|line| line.contains(&format!("acme/{slug}:")))
            .expect("a line for each project");
        assert!(
            line.contains("9 errors accepted, 9 extracted, difference +0,")
                && line.contains("INFO"),
            "{line}"
        );
    }
}

#[rstest]
fn the_counts_agree_by_every_way_that_events_are_read(
    #[values(false, true)] details: bool,
    #[values(1, 90)] window_days: u32,
) {
    let sentry = Sentry::seeded();
    let run = Tap::against(&sentry)
        .select(&["issues", "events"])
        .with("fetch_event_details", details)
        .with("window_days", window_days)
        .arg("--check-counts")
        .run();
    run.is_complete();
    let lines = counts(&run);
    for slug in ["worker", "web", "mobile-app", "Legacy_PHP", "quiet"] {
        let line = lines
            .iter()
            .find(|line| line.contains(&format!("acme/{slug}:")))
            .unwrap_or_else(|| panic!("{slug}: {lines:?}"));
        assert!(line.contains("difference +0,"), "{line}");
    }
    // Three issues on their way out, each with two errors that were accepted.
    let api = lines
        .iter()
        .find(|line| line.contains("acme/api:"))
        .unwrap();
    assert!(
        api.contains("difference -6,") && api.contains("WARNING"),
        "{api}"
    );
}

#[test]
fn what_sentry_accepted_and_no_longer_lists_is_told() {
    let sentry = Sentry::small();
    {
        let mut world = sentry.world();
        let (project, now) = (world.project_by_slug("web").unwrap().id, world.clock());
        let issue = world.add_issue(project, "on its way out");
        for day in [2, 3] {
            world.add_event(issue, now - chrono::TimeDelta::days(day));
        }
        world.set_status(issue, Status::PendingDeletion);
    }
    let run = Tap::against(&sentry).arg("--check-counts").run();
    run.is_complete()
        .tells("acme/web: 11 errors accepted, 9 extracted, difference -2,")
        .tells("acme/api: 9 errors accepted, 9 extracted, difference +0,");
    assert!(
        counts(&run).iter().any(|line| line.contains("WARNING")),
        "{}",
        run.stderr
    );
}

#[rstest]
#[case::not_allowed(FaultKind::Status(403))]
#[case::a_server_without_statistics(FaultKind::Status(404))]
#[case::a_server_that_keeps_them_otherwise(FaultKind::Status(400))]
#[case::an_answer_of_another_shape(FaultKind::WrongShape)]
fn counts_that_cannot_be_had_do_not_make_a_run_incomplete(#[case] kind: FaultKind) {
    let sentry = Sentry::small();
    sentry
        .faults()
        .add(Fault::always(Match::path_end("/stats_v2/"), kind));
    let run = Tap::against(&sentry).arg("--check-counts").retries(0).run();
    run.is_complete()
        .tells("9 errors extracted")
        .tells("could not be counted")
        .does_not_tell("difference");
    run.keys("events").equal(sentry.expected("events"));
}

/// The metric points on stderr.
fn metrics(run: &Run) -> Vec<Value> {
    run.stderr
        .lines()
        .filter_map(|line| Some(serde_json::from_str(line.split_once("METRIC: ")?.1).unwrap()))
        .collect()
}

/// The sum of the points of one metric, by stream.
fn sums(metrics: &[Value], name: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for point in metrics.iter().filter(|point| point["metric"] == name) {
        *sums
            .entry(point["tags"]["stream"].as_str().unwrap().to_owned())
            .or_default() += point["value"].as_u64().unwrap();
    }
    sums
}

#[test]
fn metric_points_tell_records_requests_and_durations() {
    let sentry = Sentry::seeded();
    let run = Tap::against(&sentry).arg("-v").run();
    run.is_complete();
    let metrics = metrics(&run);
    let written: BTreeMap<String, u64> = run
        .streams()
        .into_iter()
        .map(|name| (name.to_owned(), run.records(name).len() as u64))
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(sums(&metrics, "record_count"), written);
    let requests = sums(&metrics, "http_request_count");
    assert_eq!(
        requests.values().sum::<u64>(),
        sentry.requests().len() as u64
    );
    let mut timed: BTreeMap<String, u64> = BTreeMap::new();
    for point in metrics
        .iter()
        .filter(|point| point["metric"] == "http_request_duration")
    {
        assert_eq!(
            (&point["tags"]["http_status_code"], &point["tags"]["status"]),
            (&json!(200), &json!("succeeded"))
        );
        *timed
            .entry(point["tags"]["stream"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    assert_eq!(timed, requests, "each request is timed");
    for point in &metrics {
        assert!(
            point["type"] == "counter" || point["type"] == "timer",
            "{point}"
        );
        assert!(
            point["value"].as_f64().is_some_and(|value| value >= 0.0)
                && point["tags"]["pid"].is_u64(),
            "{point}"
        );
    }
    let durations: BTreeSet<&str> = metrics
        .iter()
        .filter(|point| point["metric"] == "sync_duration")
        .map(|point| point["tags"]["stream"].as_str().unwrap())
        .collect();
    assert_eq!(durations, requests.keys().map(String::as_str).collect());
    let job: Vec<&Value> = metrics
        .iter()
        .filter(|point| point["metric"] == "job_duration")
        .collect();
    assert_eq!(job.len(), 1);
    assert_eq!(job[0]["tags"]["status"], "succeeded");
}

#[test]
fn the_metrics_of_an_incomplete_run_say_so() {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::always(
        Match::path_end("/teams/"),
        FaultKind::Status(403),
    ));
    let run = Tap::against(&sentry).arg("-v").run();
    run.is_incomplete();
    let metrics = metrics(&run);
    let status = |metric: &str, stream: Option<&str>| {
        let point = metrics.iter().find(|point| {
            point["metric"] == metric
                && stream.is_none_or(|stream| point["tags"]["stream"] == stream)
        });
        point.unwrap()["tags"]["status"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(status("job_duration", None), "failed");
    assert_eq!(status("sync_duration", Some("teams")), "failed");
    assert_eq!(status("sync_duration", Some("projects")), "succeeded");
    assert_eq!(status("http_request_duration", Some("teams")), "failed");
}

/// As Meltano runs a tap whose log it reads as JSON.
fn structured(tap: Tap, level: &str) -> Tap {
    let config = json!({
        "version": 1,
        "disable_existing_loggers": false,
        "formatters": {"singer_formatter": {"()": "singer_sdk.logging.StructuredFormatter"}},
        "handlers": {"default": {"class": "logging.StreamHandler", "formatter": "singer_formatter", "stream": "ext://sys.stderr"}},
        "root": {"level": level, "handlers": ["default"]},
    });
    tap.file("logging.json", config.to_string())
        .env("SINGER_SDK_LOG_CONFIG", "logging.json")
}

/// Every line of stderr, each of which is one object with the keys of the SDK.
fn lines(run: &Run) -> Vec<Value> {
    const KEYS: [&str; 9] = [
        "level",
        "pid",
        "logger_name",
        "ts",
        "thread_name",
        "app_name",
        "stream_name",
        "message",
        "extra",
    ];
    let lines: Vec<Value> = run
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    for line in &lines {
        for key in KEYS {
            assert!(line.get(key).is_some(), "{key}: {line}");
        }
        assert!(
            ["debug", "info", "warning", "error"].contains(&line["level"].as_str().unwrap()),
            "{line}"
        );
        assert!(
            line["pid"].is_u64()
                && line["ts"].is_f64()
                && line["extra"].is_object()
                && line["message"].is_string(),
            "{line}"
        );
        assert!(
            line["stream_name"].is_null()
                || all_streams().contains(&line["stream_name"].as_str().unwrap()),
            "{line}"
        );
    }
    lines
}

#[rstest]
#[case::a_healthy_run(&[], "INFO", 0)]
#[case::with_each_request(&[], "DEBUG", 0)]
#[case::a_gap(&["/teams/"], "INFO", 4)]
#[case::a_refused_token(&["/"], "INFO", 3)]
fn every_line_of_a_structured_log_is_json(
    #[case] refused: &[&str],
    #[case] level: &str,
    #[case] code: i32,
) {
    let sentry = Sentry::small();
    for path in refused {
        let status = if code == 3 { 401 } else { 403 };
        sentry.faults().add(Fault::always(
            Match::path_end(*path),
            FaultKind::Status(status),
        ));
    }
    let run = structured(Tap::against(&sentry), level)
        .arg("--check-counts")
        .run();
    run.ends_with(code);
    let lines = lines(&run);
    assert!(!lines.is_empty());
    assert_eq!(
        lines.iter().any(|line| line["level"] == "debug"),
        level == "DEBUG"
    );
    assert_eq!(lines.iter().any(|line| line["level"] == "error"), code != 0);
    for line in lines.iter().filter(|line| line["message"] == "METRIC") {
        assert!(line["metric_info"]["metric"].is_string(), "{line}");
        // `stats_v2` is asked for and is no stream.
        let stream = line["metric_info"]["tags"]["stream"]
            .as_str()
            .filter(|name| all_streams().contains(name));
        assert_eq!(stream, line["stream_name"].as_str(), "{line}");
    }
    let points: Vec<Value> = lines
        .iter()
        .filter_map(|line| line.get("metric_info").cloned())
        .collect();
    let written: BTreeMap<String, u64> = run
        .streams()
        .into_iter()
        .map(|name| (name.to_owned(), run.records(name).len() as u64))
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(sums(&points, "record_count"), written);
}

#[test]
fn a_wrong_configuration_is_told_as_json_too() {
    let run = structured(Tap::bare().with("api_token", 7), "INFO").run();
    run.ends_with(1).prints_nothing();
    assert!(
        lines(&run)
            .iter()
            .any(|line| line["message"].as_str().unwrap().contains("`start_date`")),
        "{}",
        run.stderr
    );
}

#[rstest]
#[case::man("man", &[".TH", "check\\-counts", ".SH OPTIONS"])]
#[case::bash("bash", &["complete -F", "--check-counts", "tap-sentry"])]
#[case::zsh("zsh", &["#compdef tap-sentry", "--check-counts"])]
#[case::fish("fish", &["complete -c tap-sentry", "check-counts"])]
#[case::elvish("elvish", &["tap-sentry", "--check-counts"])]
#[case::powershell("powershell", &["Register-ArgumentCompleter", "--check-counts"])]
fn a_man_page_and_completions_are_generated(#[case] what: &str, #[case] parts: &[&str]) {
    let run = Tap::bare().arg("--generate").arg(what).run();
    run.ends_with(0);
    assert_eq!(run.stderr, "");
    for part in parts {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
}

#[test]
fn the_man_page_has_the_sections_that_readers_look_for() {
    let run = Tap::bare().arg("--generate").arg("man").run();
    let plain = run
        .stdout
        .replace("\\-", "-")
        .replace("\\fB", "")
        .replace("\\fR", "");
    let sections: Vec<&str> = plain
        .lines()
        .filter_map(|line| line.strip_prefix(".SH "))
        .collect();
    let expected = [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "OPTIONS",
        r#""EXIT STATUS""#,
        "ENVIRONMENT",
        "FILES",
        "EXAMPLES",
        "VERSION",
    ];
    assert_eq!(sections, expected);
    let section = |name: &str| {
        plain
            .split(".SH ")
            .find_map(|text| text.strip_prefix(name))
            .unwrap()
    };
    for setting in tap_sentry::about::settings() {
        let name = format!("\nTAP_SENTRY_{}\n", setting.name.to_uppercase());
        assert!(section("ENVIRONMENT").contains(&name), "{name}");
    }
    for code in 0..=5 {
        assert!(
            section(r#""EXIT STATUS""#).contains(&format!(".TP\n{code}\n")),
            "{code}"
        );
    }
    for (_, lines) in tap_sentry::generate::EXAMPLES {
        assert!(
            lines.iter().all(|line| section("EXAMPLES").contains(line)),
            "{lines:?}"
        );
    }
}

#[test]
fn a_request_is_a_line_only_for_those_who_ask() {
    let sentry = Sentry::seeded();
    let run = Tap::against(&sentry).run();
    run.is_complete().does_not_tell("http_request_duration");
    let (lines, requests) = (run.stderr.lines().count(), sentry.requests().len());
    assert!(
        lines < requests,
        "{lines} lines for {requests} requests:\n{}",
        run.stderr
    );
    let counted = sums(&metrics(&run), "http_request_count");
    assert_eq!(counted.values().sum::<u64>(), requests as u64);
}

#[test]
fn a_field_that_is_left_out_is_told_with_its_stream() {
    let sentry = Sentry::seeded();
    let known = Tap::against(&sentry).select(&[
        "projects",
        "project_detail",
        "teams",
        "issues",
        "issue_detail",
        "events",
        "event_detail",
    ]);
    known.run().is_complete().does_not_tell("were left out");
    let stub = Stub::answering(
        "/teams/",
        r#"[{"id": "1", "slug": "a", "of_tomorrow": true}]"#,
    );
    // The format of Meltano's own configuration shows the message alone.
    let bare = json!({"version": 1, "formatters": {"singer_formatter": {"format": "%(message)s"}}, "root": {"level": "INFO"}});
    let run = Tap::against_stub(&stub)
        .select(&["teams"])
        .file("logging.json", bare.to_string())
        .env("SINGER_SDK_LOG_CONFIG", "logging.json")
        .run();
    run.tells("fields of `teams` that are not in the schema were left out: of_tomorrow");
}

#[test]
fn what_cannot_be_generated_is_wrong_use() {
    Tap::bare()
        .arg("--generate")
        .arg("tcsh")
        .run()
        .ends_with(2)
        .prints_nothing();
}

#[test]
fn about_names_the_capabilities_that_the_tap_has() {
    let run = Tap::bare().arg("--about").arg("--format").arg("json").run();
    run.ends_with(0);
    let about: Value = serde_json::from_str(&run.stdout).unwrap();
    let expected = [
        "catalog",
        "discover",
        "state",
        "about",
        "properties",
        "test",
        "structured-logging",
        "activate-version",
        "schema-flattening",
    ];
    let found: BTreeSet<&str> = about["capabilities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert_eq!(found, BTreeSet::from(expected));
    // What is promised has its settings.
    for setting in [
        "emit_activate_version_messages",
        "flattening_enabled",
        "flattening_max_depth",
        "mask_fields",
        "mask_personal_data",
        "mask_mode",
        "mask_salt",
    ] {
        assert!(
            about["settings"]["properties"].get(setting).is_some(),
            "{setting}"
        );
    }
    for format in ["text", "markdown"] {
        let run = Tap::bare().arg("--about").arg("--format").arg(format).run();
        run.ends_with(0);
        for capability in expected {
            assert!(run.stdout.contains(capability), "{format}: {capability}");
        }
    }
}

/// The SDK reads the file as YAML, of which JSON is only one form.
#[rstest]
#[case::as_the_sdk_documents_it(
    "version: 1\nformatters:\n  structured: # for machines\n    (): singer_sdk.logging.StructuredFormatter\nhandlers:\n  default:\n    class: logging.StreamHandler\n    level: DEBUG\nroot:\n  level: WARNING\n  handlers: [default]\n"
)]
#[case::quoted(
    "root:\n    \"level\": 'WARNING'\nformatters:\n  a:\n    \"()\": \"singer_sdk.logging.StructuredFormatter\"\n"
)]
fn a_log_configuration_may_be_yaml(#[case] config: &str) {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::always(
        Match::path_end("/teams/"),
        FaultKind::Status(403),
    ));
    let tap = Tap::against(&sentry)
        .select(&["teams", "projects"])
        .file("logging.yaml", config);
    let run = tap.env("SINGER_SDK_LOG_CONFIG", "logging.yaml").run();
    run.is_incomplete();
    let lines = lines(&run);
    assert!(
        !lines.is_empty()
            && lines
                .iter()
                .all(|line| line["level"] == "error" || line["level"] == "warning"),
        "{lines:?}"
    );
}

#[rstest]
#[case::missing(None)]
#[case::of_another_kind(Some("{{{"))]
#[case::without_a_section(Some(r#"{"version": 1}"#))]
fn a_log_configuration_that_cannot_be_used_is_told(#[case] config: Option<&str>) {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry)
        .select(&["teams"])
        .env("SINGER_SDK_LOG_CONFIG", "logging.json");
    let tap = config
        .into_iter()
        .fold(tap, |tap, config| tap.file("logging.json", config));
    tap.run()
        .is_complete()
        .tells("SINGER_SDK_LOG_CONFIG")
        .tells("logging.json")
        .tells(" | INFO ");
}
