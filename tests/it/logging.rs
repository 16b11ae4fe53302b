//! The log: levels, lines of JSON, configurations of it.

use crate::dsl::{Run, Sentry, Stub, Tap, all_streams};
use crate::metrics::sums;
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match};
use serde_json::{Value, json};
use std::collections::BTreeMap;

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
