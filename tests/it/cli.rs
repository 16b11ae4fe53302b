//! The command line: modes, exit codes, what goes where.

use crate::dsl::{Sentry, Tap};
use rstest::rstest;
use sentry_sandbox::world::Organization;
use sentry_sandbox::{Fault, FaultKind, Match};
use serde_json::Value;

#[rstest]
#[case::an_unknown_option(&["--unicorns"])]
#[case::two_modes(&["--discover", "--about"])]
#[case::a_format_of_nothing(&["--format", "json"])]
#[case::an_argument_too_many(&["sync"])]
#[case::nothing_at_all(&[])]
fn wrong_use_ends_with_2_and_prints_nothing(#[case] args: &[&str]) {
    let run = args.iter().fold(Tap::bare(), |tap, arg| tap.arg(arg)).run();
    run.ends_with(2).prints_nothing();
    assert!(!run.stderr.is_empty());
}

/// `meltano invoke tap-sentry --about` gives the catalog and the state of the last run along, whatever is asked for.
#[rstest]
#[case::discovery("--discover")]
#[case::about("--about")]
#[case::test("--test=schema")]
fn a_mode_passes_over_the_catalog_and_the_state_that_come_along(#[case] mode: &str) {
    let sentry = Sentry::holding(|_| {});
    let tap = Tap::against(&sentry);
    let alone = tap.clone().arg(mode).run();
    let run = tap
        .select(&["teams"])
        .state(&serde_json::json!({"bookmarks": {}}))
        .arg(mode)
        .run();
    run.ends_with(0);
    assert_eq!(run.stdout, alone.stdout);
}

#[test]
fn version_names_the_program_and_its_version() {
    let run = Tap::bare().arg("--version").run();
    run.ends_with(0);
    assert_eq!(
        run.stdout.trim(),
        concat!("tap-sentry v", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn help_tells_the_exit_codes() {
    let run = Tap::bare().arg("--help").run();
    run.ends_with(0);
    for part in [
        "--config",
        "--discover",
        "--catalog",
        "--state",
        "--test",
        "--about",
        "Exit codes",
        "5  stdout was closed",
    ] {
        assert!(run.stdout.contains(part), "{part}");
    }
    assert!(
        !run.stdout.contains("--properties"),
        "the old name is not advertised"
    );
}

#[test]
fn about_as_json_is_what_the_hub_reads() {
    let run = Tap::bare().arg("--about").arg("--format").arg("json").run();
    run.ends_with(0);
    let about: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(about["name"], "tap-sentry");
    assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
    for capability in [
        "catalog",
        "discover",
        "state",
        "about",
        "properties",
        "test",
    ] {
        assert!(
            about["capabilities"]
                .as_array()
                .unwrap()
                .contains(&capability.into()),
            "{capability}"
        );
    }
    let settings = &about["settings"];
    assert_eq!(
        settings["required"],
        serde_json::json!(["api_token", "start_date"])
    );
    assert_eq!(settings["properties"]["window_days"]["default"], 7);
    assert_eq!(settings["properties"]["api_token"]["writeOnly"], true);
    for (name, setting) in settings["properties"].as_object().unwrap() {
        assert!(
            setting["type"].is_string()
                && setting["description"].is_string()
                && setting["title"].is_string(),
            "{name}"
        );
    }
    assert_eq!(
        about["streams"].as_array().unwrap().len(),
        tap_sentry::streams::STREAMS.len()
    );
}

#[rstest]
#[case::text(&[])]
#[case::markdown(&["--format", "markdown"])]
fn about_names_all_settings_and_streams(#[case] format: &[&str]) {
    let run = format
        .iter()
        .fold(Tap::bare().arg("--about"), |tap, arg| tap.arg(arg))
        .run();
    run.ends_with(0);
    for setting in tap_sentry::about::settings() {
        assert!(run.stdout.contains(&setting.name), "{}", setting.name);
    }
    assert!(
        run.stdout.contains(
            "in days. An interrupted run resumes after the last finished window. From 1 to 90."
        ),
        "the bounds of `window_days`"
    );
    for stream in tap_sentry::streams::STREAMS {
        assert!(run.stdout.contains(stream.name()), "{}", stream.name());
    }
}

#[test]
fn each_request_is_logged_when_asked_for() {
    let sentry = Sentry::of(|now| sentry_sandbox::Options {
        limits: sentry_sandbox::Limits::hosted(),
        ..sentry_sandbox::Options::new(sentry_sandbox::World::empty(now))
    });
    let run = Tap::against(&sentry).select(&["teams"]).arg("-v").run();
    run.is_complete();
    let lines: Vec<&str> = run
        .stderr
        .lines()
        .filter(|line| line.contains("GET "))
        .collect();
    assert_eq!(lines.len(), sentry.requests().len());
    let url = format!("{}/api/0/organizations/acme/teams/?", sentry.url());
    let line = lines
        .iter()
        .find(|line| line.contains(&url))
        .expect("the request for teams");
    for part in [
        "per_page=100",
        "200",
        " s,",
        "page 1",
        "bytes",
        "limit 40",
        "remaining 39",
        "reset",
        "25",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[rstest]
#[case::own("TAP_SENTRY_LOGLEVEL", "debug")]
#[case::singer("SINGER_LOG_LEVEL", "DEBUG")]
#[case::general("LOGLEVEL", "Debug")]
#[case::rust("RUST_LOG", "debug")]
fn the_log_level_comes_from_the_environment_too(#[case] name: &str, #[case] level: &str) {
    let sentry = Sentry::holding(|_| {});
    let tap = Tap::against(&sentry).select(&["teams"]);
    tap.clone()
        .env(name, level)
        .run()
        .is_complete()
        .tells("GET ");
    tap.run().is_complete().does_not_tell("GET ");
}

#[test]
fn quiet_means_errors_only() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).arg("-q").run();
    run.is_complete();
    assert_eq!(run.stderr, "");
}

#[test]
fn the_summary_counts_what_was_written() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).run();
    run.is_complete();
    let line = run
        .stderr
        .lines()
        .find(|line| line.contains("summary") && line.contains(" events "))
        .expect("a line about events");
    assert!(
        line.contains(&format!(" {} ", run.records("events").len())),
        "{line}"
    );
}

#[test]
fn the_metrics_add_up_to_the_records() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).run();
    for stream in ["issues", "events", "releases"] {
        let metrics = run
            .stderr
            .lines()
            .filter_map(|line| line.split_once("METRIC: "));
        let points = metrics.map(|(_, json)| serde_json::from_str::<Value>(json).expect("a point"));
        let counted: u64 = points
            .filter(|point| point["metric"] == "record_count" && point["tags"]["stream"] == stream)
            .map(|point| point["value"].as_u64().unwrap())
            .sum();
        assert_eq!(counted, run.records(stream).len() as u64, "{stream}");
    }
}

#[test]
fn stdout_closed_by_its_reader_ends_with_5_and_no_panic() {
    let sentry = Sentry::small();
    let mut running = Tap::against(&sentry).start();
    running.read_lines(1);
    let run = running.close_stdout();
    run.ends_with(5).does_not_tell("panicked");
}

#[test]
fn test_mode_prints_a_record_of_each_stream_and_says_what_answers() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).arg("--test").run();
    run.ends_with(0).is_valid();
    for stream in tap_sentry::streams::STREAMS {
        assert_eq!(
            run.records(stream.name()).len(),
            1,
            "{}; stderr:\n{}",
            stream.name(),
            run.stderr
        );
        run.tells(stream.name());
    }
}

#[test]
fn test_mode_names_the_missing_scope() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .with("api_token", sentry_sandbox::NARROW_TOKEN)
        .arg("--test")
        .run();
    assert_ne!(run.code, Some(0));
    run.tells("event:read").tells("member:read");
}

#[test]
fn test_mode_for_schemas_prints_schemas_only() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).arg("--test=schema").run();
    run.ends_with(0);
    assert_eq!(run.streams().len(), tap_sentry::streams::STREAMS.len());
    assert_eq!(run.messages.len(), run.of_type("SCHEMA").count());
}

#[test]
fn test_mode_with_a_bad_token_ends_with_3() {
    let sentry = Sentry::small();
    Tap::against(&sentry)
        .with("api_token", "sntryu_unknown")
        .arg("--test")
        .run()
        .ends_with(3);
}

#[rstest]
#[case::all_scopes(sentry_sandbox::TOKEN)]
// Of what it may read, the releases are not there either.
#[case::of_releases_alone(sentry_sandbox::ORGANIZATION_TOKEN)]
fn test_mode_says_that_an_organization_is_not_known(#[case] token: &str) {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .with("api_token", token)
        .with("organization", "acmee")
        .arg("--test")
        .run();
    run.ends_with(1)
        .ends_telling(&format!(
            "the organization `acmee` was not found at {} ",
            sentry.url()
        ))
        .does_not_tell("answers");
    run.does_not_tell("FAILS");
}

#[test]
fn test_mode_says_that_an_organization_answers_when_something_of_it_does() {
    let sentry = Sentry::small();
    let answers = "organization acme answers";
    Tap::against(&sentry)
        .arg("--test")
        .run()
        .ends_with(0)
        .tells(answers);
    Tap::against(&sentry)
        .with("api_token", sentry_sandbox::ORGANIZATION_TOKEN)
        .arg("--test")
        .run()
        .is_incomplete()
        .tells(answers);
    sentry
        .faults()
        .add(Fault::always(Match::any(), FaultKind::Status(403)));
    Tap::against(&sentry)
        .arg("--test")
        .run()
        .is_incomplete()
        .does_not_tell(answers);
}

#[test]
fn test_mode_goes_on_after_an_organization_that_is_not_there() {
    let sentry = Sentry::small();
    let gone = Organization {
        id: 99,
        slug: "gone".to_owned(),
        ..sentry.world().organizations[0].clone()
    };
    sentry.world().organizations.push(gone);
    sentry.faults().add(Fault::always(
        Match::path("/organizations/gone/"),
        FaultKind::NotThere,
    ));
    let run = Tap::against(&sentry)
        .without("organization")
        .arg("--test")
        .run();
    run.is_incomplete()
        .ends_telling("the organization `gone` was not found")
        .tells("organization acme answers");
    assert_eq!(run.records("teams").len(), 1);
}
