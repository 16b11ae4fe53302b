//! Rows as files: what a run leaves in the folder of `--output`, and what the next one makes of it.

use crate::dsl::{Folder, Sentry, Tap, all_streams};
use chrono::{DateTime, TimeDelta};
use rstest::rstest;
use sentry_sandbox::world::Status;
use sentry_sandbox::{Fault, FaultKind, Match};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const STREAMS: [&str; 4] = ["projects", "issues", "events", "releases"];

fn tap(sentry: &Sentry, folder: &Folder) -> Tap {
    Tap::against(sentry).select(&STREAMS).output(folder)
}

#[rstest]
#[case::parquet(&["--output-format", "parquet"], "parquet")]
#[case::parquet_unless_told_otherwise(&[], "parquet")]
#[case::lines(&["--output-format", "jsonl"], "jsonl")]
#[case::lines_by_zstd(&["--output-format", "jsonl", "--output-compression", "zstd"], "jsonl.zst")]
#[case::lines_by_gzip(&["--output-format", "jsonl", "--output-compression", "gzip"], "jsonl.gz")]
fn files_hold_what_the_pipe_has(#[case] args: &[&str], #[case] ending: &str) {
    let sentry = Sentry::seeded();
    let folder = Folder::new();
    let tap = Tap::against(&sentry)
        .with("mask_personal_data", true)
        .with("mask_salt", "salt");
    let pipe = tap.clone().run();
    let run = args
        .iter()
        .fold(tap.output(&folder), |tap, arg| tap.arg(arg))
        .run();
    run.ends_with(pipe.code.unwrap()).prints_nothing();
    assert!(pipe.streams().len() > 15);
    for stream in pipe.streams() {
        let expected: BTreeSet<String> = pipe
            .records(stream)
            .iter()
            .map(|record| own_columns(record, ending == "parquet"))
            .collect();
        let rows = folder.rows(stream).into_iter().map(Value::Object);
        let found: BTreeSet<String> = rows
            .map(|row| own_columns(&row, ending == "parquet"))
            .collect();
        let schema = folder.json(&format!("schema/{stream}.json"));
        assert!(schema["properties"]["_sdc_sequence"].is_object());
        similar(stream, &found, &expected);
    }
    let files = folder.files();
    assert!(files.iter().all(|file| file.ends_with(ending)), "{files:?}");
    folder.is_tidy();
    folder.has_each_sequence_once(&STREAMS);
    let bookmarks = |state: Value| -> BTreeSet<String> {
        let bookmarks = state["bookmarks"].as_object().unwrap().keys();
        bookmarks.cloned().collect()
    };
    assert_eq!(bookmarks(folder.state()), bookmarks(pipe.state()));
}

/// The record without what is added to it. JSON that Parquet has as text is read, nulls are left out, numbers are
/// doubles, and times microseconds.
fn own_columns(row: &Value, is_parquet: bool) -> String {
    fn plain(value: &Value, is_parquet: bool) -> Value {
        match value {
            Value::String(text) if is_parquet && text.starts_with(['{', '[', '"']) => {
                serde_json::from_str(text)
                    .map_or_else(|_| value.clone(), |value| plain(&value, true))
            }
            Value::String(text) => DateTime::parse_from_rfc3339(text).map_or_else(
                |_| value.clone(),
                |instant| json!(instant.timestamp_micros()),
            ),
            Value::Number(number) => json!(number.as_f64()),
            Value::Array(items) => items.iter().map(|item| plain(item, is_parquet)).collect(),
            Value::Object(members) => {
                let members = members.iter().filter(|(_, value)| !value.is_null());
                let mut members: Vec<_> = members
                    .map(|(name, value)| (name.clone(), plain(value, is_parquet)))
                    .collect();
                members.sort_by(|(a, _), (b, _)| a.cmp(b));
                Value::Object(members.into_iter().collect())
            }
            other => other.clone(),
        }
    }
    let mut row = row.as_object().unwrap().clone();
    row.retain(|name, _| !name.starts_with("_sdc_"));
    plain(&Value::Object(row), is_parquet).to_string()
}

#[track_caller]
fn similar(stream: &str, found: &BTreeSet<String>, expected: &BTreeSet<String>) {
    let missing: Vec<_> = expected.difference(found).take(2).collect();
    let extra: Vec<_> = found.difference(expected).take(2).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "{stream}: missing {missing:?}, not expected {extra:?}"
    );
}

#[test]
fn every_row_has_its_time_its_number_and_of_a_whole_list_its_version() {
    let sentry = Sentry::small();
    let folder = Folder::new();
    tap(&sentry, &folder).run().is_complete();
    let mut last = 0;
    for row in folder.rows("events") {
        assert!(row["_sdc_extracted_at"].as_str().unwrap().ends_with('Z'));
        assert!(!row.contains_key("_sdc_table_version"));
        let sequence = row["_sdc_sequence"].as_i64().unwrap();
        assert!(sequence > last);
        last = sequence;
    }
    let active = &folder.json("manifest.json")["streams"]["projects"]["table_version"];
    for row in folder.rows("projects") {
        assert_eq!(&row["_sdc_table_version"], active);
    }
    let folder_mode = fs::metadata(folder.path()).unwrap().permissions().mode();
    assert_eq!(folder_mode & 0o777, 0o700);
}

#[test]
fn a_later_run_goes_on_from_the_state_and_writes_only_news() {
    let sentry = Sentry::small();
    let folder = Folder::new();
    let first = tap(&sentry, &folder).run();
    let rows: usize = STREAMS.iter().map(|stream| folder.rows(stream).len()).sum();
    let files = folder.files().len();
    first
        .is_complete()
        .tells("rows go to parquet files below")
        .tells(&format!(
            "new: {rows} rows in {files} files; 0 rows were there already"
        ));
    let before = folder.files();
    tap(&sentry, &folder)
        .run()
        .is_complete()
        .tells("new: 0 rows in 0 files;");
    assert_eq!(folder.files(), before, "nothing is new");

    let (issue, other) = (sentry.issue("api issue 1"), sentry.issue("web issue 2"));
    sentry.world().set_status(issue, Status::Resolved);
    let event = sentry
        .world()
        .add_event(other, sentry.end - TimeDelta::minutes(5));
    tap(&sentry, &folder)
        .run()
        .is_complete()
        .tells("new: 3 rows in 2 files;");
    let new: Vec<String> = folder.files().difference(&before).cloned().collect();
    let streams: BTreeSet<&str> = new
        .iter()
        .filter_map(|file| file.split('/').next())
        .collect();
    assert_eq!(streams, BTreeSet::from(["events", "issues"]), "{new:?}");
    let statuses = |row: &serde_json::Map<String, Value>| row["status"].clone();
    assert_eq!(
        statuses(&folder.last("issues")[&issue.to_string()]),
        "resolved"
    );
    assert!(
        folder
            .keys("events")
            .iter()
            .any(|key| key.ends_with(&event)),
        "{event}"
    );
    let numbers = |stream: &str| {
        let rows = folder.rows(stream);
        rows.iter()
            .filter(|row| row["id"] == json!(issue.to_string()))
            .count()
    };
    assert_eq!(numbers("issues"), 2, "before and after");
}

#[test]
fn what_changes_back_is_written_again() {
    let sentry = Sentry::small();
    let folder = Folder::new();
    let issue = sentry.issue("api issue 1");
    for (status, expected) in [
        (Status::Unresolved, "unresolved"),
        (Status::Resolved, "resolved"),
        (Status::Unresolved, "unresolved"),
    ] {
        sentry.world().set_status(issue, status);
        tap(&sentry, &folder).run().is_complete();
        assert_eq!(
            folder.last("issues")[&issue.to_string()]["status"],
            expected
        );
    }
}

#[test]
fn what_is_gone_from_a_whole_list_is_gone_from_the_views() {
    let sentry = Sentry::small();
    let folder = Folder::new();
    tap(&sentry, &folder).run().is_complete();
    let gone = sentry.project("web");
    assert!(
        folder
            .keys("projects")
            .iter()
            .any(|key| key.contains(&gone.to_string()))
    );
    sentry.world().delete_project(gone);
    // A list that does not come whole tells nothing of what is gone.
    let fault = Fault::always(Match::path_end("/projects/"), FaultKind::Status(403));
    sentry.faults().add(fault);
    tap(&sentry, &folder).run().is_incomplete();
    assert!(
        folder
            .keys("projects")
            .iter()
            .any(|key| key.contains(&gone.to_string()))
    );
    sentry.faults().clear();
    tap(&sentry, &folder).run();
    assert!(
        !folder
            .keys("projects")
            .iter()
            .any(|key| key.contains(&gone.to_string()))
    );
    let version = &folder.json("manifest.json")["streams"]["projects"]["table_version"];
    assert!(folder.text("views.sql").contains(&format!(">= {version}")));
}

#[test]
fn every_stream_has_a_view_with_or_without_rows() {
    let sentry = Sentry::small();
    let folder = Folder::new();
    Tap::against(&sentry)
        .select(&all_streams())
        .output(&folder)
        .run();
    let views = folder.text("views.sql");
    for stream in tap_sentry::streams::STREAMS {
        let view = format!("CREATE OR REPLACE VIEW \"{}\" AS", stream.name());
        assert!(views.contains(&view), "{view}");
        assert!(
            folder
                .join(format!("schema/{}.json", stream.name()))
                .exists()
        );
    }
    assert!(
        !views.contains(folder.path().to_str().unwrap()),
        "paths are relative"
    );
}

#[test]
fn another_state_overrules_that_of_the_folder() {
    let sentry = Sentry::small();
    let folder = Folder::new();
    tap(&sentry, &folder).run().is_complete();
    let bookmarks = || {
        let state = folder.state();
        let stream = |name: &&str| state["bookmarks"][*name]["start"].clone();
        STREAMS.iter().map(stream).collect::<Vec<_>>()
    };
    let covered = bookmarks();
    fs::remove_dir_all(folder.join("events")).unwrap();
    tap(&sentry, &folder).run().is_complete();
    assert_ne!(folder.keys("events"), sentry.expected("events"));
    tap(&sentry, &folder)
        .state(&json!({"bookmarks": {}}))
        .run()
        .is_complete();
    assert_eq!(folder.keys("events"), sentry.expected("events"));
    assert_eq!(bookmarks(), covered);
}

#[test]
fn a_full_refresh_replaces_what_it_has_read_when_all_of_it_has_come() {
    let sentry = Sentry::small();
    let folder = Folder::new();
    tap(&sentry, &folder).run().is_complete();
    let old: BTreeSet<String> = folder.files();
    let issue = sentry.issue("api issue 1");
    sentry.world().delete_issue(issue);

    let fault = Fault::always(
        Match::path(format!("/issues/{}/events/", sentry.issue("web issue 2"))),
        FaultKind::Status(403),
    );
    sentry.faults().add(fault);
    tap(&sentry, &folder)
        .arg("--full-refresh")
        .run()
        .is_incomplete();
    assert!(folder.keys("events").len() > sentry.expected("events").len());
    assert!(
        old.iter()
            .any(|file| file.starts_with("events/") && folder.files().contains(file)),
        "events did not come whole"
    );
    assert!(
        !folder.keys("issues").contains(&issue.to_string()),
        "issues did"
    );

    sentry.faults().clear();
    tap(&sentry, &folder)
        .arg("--full-refresh")
        .run()
        .is_complete();
    for stream in ["issues", "events", "releases", "projects"] {
        assert_eq!(folder.keys(stream), sentry.expected(stream), "{stream}");
    }
    let kept: Vec<_> = folder.files().intersection(&old).cloned().collect();
    assert!(
        kept.iter().all(|file| file.starts_with("projects/")),
        "the list of projects is the same as before: {kept:?}"
    );
    folder.is_tidy();
}

#[test]
fn fewer_columns_and_then_all_again_are_read_together() {
    let sentry = Sentry::small();
    let folder = Folder::new();
    tap(&sentry, &folder).run().is_complete();
    let mut fewer = crate::dsl::catalog(&["issues"]);
    crate::dsl::entry(&mut fewer, "issues")["schema"]["properties"]
        .as_object_mut()
        .unwrap()
        .retain(|name, _| ["id", "status", "organization_slug"].contains(&name.as_str()));
    let issue = sentry.issue("api issue 1");
    sentry.world().set_status(issue, Status::Resolved);
    let run = tap(&sentry, &folder).catalog(fewer).run();
    run.is_complete()
        .tells("columns that the folder has are not selected");
    let row = &folder.last("issues")[&issue.to_string()];
    assert_eq!(row["status"], "resolved");
    assert_eq!(row["title"], Value::Null, "of all columns that a file has");
    let schema = folder.json("schema/issues.json");
    assert!(
        schema["properties"]["title"].is_object(),
        "older files have it"
    );
    tap(&sentry, &folder).run().is_complete();
    assert!(folder.last("issues")[&issue.to_string()].contains_key("title"));
}

#[test]
fn flattened_columns_are_columns_of_the_files() {
    let sentry = Sentry::small();
    let folder = Folder::new();
    tap(&sentry, &folder)
        .with("flattening_enabled", true)
        .run()
        .is_complete();
    let row = folder.rows("issues").remove(0);
    assert!(row.contains_key("project__slug"), "{row:?}");
    // Without flattening other columns have another type.
    let asked = sentry.requests().len();
    let run = tap(&sentry, &folder).run();
    run.ends_with(1)
        .ends_telling("column `latestDeploys` of projects is JSON, and VARCHAR in the files of");
    assert_eq!(sentry.requests().len(), asked, "nothing was asked for");
}

#[rstest]
#[case::of_another_format(&["--output-format", "jsonl"], 1, "holds parquet files; add `--output-format parquet`")]
#[case::compression_of_parquet(&["--output-compression", "zstd"], 1, "write another folder with --output-format jsonl")]
fn a_folder_keeps_its_format(#[case] args: &[&str], #[case] code: i32, #[case] told: &str) {
    let sentry = Sentry::small();
    let folder = Folder::new();
    tap(&sentry, &folder).run().is_complete();
    let before = folder.files();
    let asked = sentry.requests().len();
    let run = args
        .iter()
        .fold(tap(&sentry, &folder), |tap, arg| tap.arg(arg))
        .run();
    run.ends_with(code).ends_telling(told).prints_nothing();
    assert_eq!(folder.files(), before);
    assert_eq!(sentry.requests().len(), asked, "nothing was asked for");
}

#[rstest]
#[case::plain(&[], "jsonl")]
#[case::compressed(&["--output-compression", "zstd"], "jsonl.zst")]
fn what_the_files_of_a_folder_are_need_not_be_told_again(
    #[case] args: &[&str],
    #[case] ending: &str,
) {
    let sentry = Sentry::small();
    let folder = Folder::new();
    let first = tap(&sentry, &folder).arg("--output-format").arg("jsonl");
    let first = args.iter().fold(first, |tap, arg| tap.arg(arg)).run();
    first.is_complete();
    let before = folder.files_of("issues");
    let issue = sentry.issue("api issue 1");
    sentry.world().set_status(issue, Status::Resolved);
    tap(&sentry, &folder).run().is_complete();
    let of_that_ending = |files: &[String]| {
        let ends = |file: &String| {
            file.split_once('.')
                .is_some_and(|(_, found)| found == ending)
        };
        assert!(files.iter().all(ends), "{files:?}");
        files.len()
    };
    assert!(of_that_ending(&folder.files_of("issues")) > before.len());
    assert_eq!(
        folder.last("issues")[&issue.to_string()]["status"],
        "resolved"
    );
    Tap::bare()
        .output(&folder)
        .arg("--compact")
        .run()
        .ends_with(0);
    assert_eq!(of_that_ending(&folder.files_of("issues")), 1);
}

#[rstest]
#[case::with_a_state("schema", "state.json")]
#[case::with_schemas("state.json", "schema")]
fn a_folder_without_its_manifest_is_left_alone(#[case] gone: &str, #[case] there: &str) {
    let sentry = Sentry::small();
    let folder = Folder::new();
    tap(&sentry, &folder).run().is_complete();
    fs::remove_file(folder.join("manifest.json")).unwrap();
    fs::rename(folder.join(gone), folder.join("../gone")).unwrap();
    let (before, asked) = (folder.files(), sentry.requests().len());
    let told = format!("it has {there} and no manifest.json");
    for format in ["parquet", "jsonl"] {
        let run = tap(&sentry, &folder)
            .arg("--output-format")
            .arg(format)
            .run();
        run.ends_with(1).ends_telling(&told);
    }
    assert_eq!(folder.files(), before);
    assert_eq!(sentry.requests().len(), asked, "nothing was asked for");
}

#[test]
fn rows_of_a_folder_come_from_one_server_and_organization() {
    let (sentry, other) = (Sentry::small(), Sentry::small());
    let folder = Folder::new();
    tap(&sentry, &folder).run().is_complete();
    sentry.adds_an_organization("globex");
    let (before, asked) = (folder.files(), sentry.requests().len());
    for tap in [
        tap(&other, &folder),
        tap(&sentry, &folder).with("organization", "globex"),
    ] {
        tap.run()
            .ends_with(1)
            .ends_telling("holds rows of acme at http://127.0.0.1")
            .ends_telling("choose another folder");
    }
    assert_eq!(folder.files(), before);
    assert_eq!(
        (sentry.requests().len(), other.requests().len()),
        (asked, 0)
    );
    tap(&sentry, &folder)
        .with("organization", json!(["globex", "acme"]))
        .run()
        .is_complete();
    assert_eq!(
        folder.json("manifest.json")["source"]["organizations"],
        json!(["acme", "globex"])
    );
}

#[test]
fn a_folder_is_not_bound_before_something_is_in_it() {
    let sentry = Sentry::small();
    let folder = Folder::new();
    // Nothing listens there.
    let run = tap(&sentry, &folder)
        .with("base_url", "http://127.0.0.1:9")
        .run();
    run.ends_with(4);
    tap(&sentry, &folder)
        .with("organization", "mistyped")
        .run()
        .ends_with(1);
    tap(&sentry, &folder).run().is_complete();
    sentry.adds_an_organization("globex");
    for organization in [json!(["globex", "acme"]), json!("globex"), json!("acme")] {
        tap(&sentry, &folder)
            .with("organization", organization)
            .run()
            .is_complete();
    }
}

#[test]
fn a_state_that_is_not_there_does_not_begin_anew() {
    let sentry = Sentry::small();
    let folder = Folder::new();
    tap(&sentry, &folder).run().is_complete();
    let (state, asked) = (folder.text("state.json"), sentry.requests().len());
    let run = tap(&sentry, &folder)
        .arg("--state")
        .arg("nowhere.json")
        .run();
    run.ends_with(1)
        .ends_telling("cannot read nowhere.json")
        .ends_telling("leave out --state to go on");
    for (text, told) in [
        ("", "is empty"),
        ("{\"bookm", "not valid JSON"),
        ("[1]", "not usable"),
    ] {
        fs::write(folder.join("state.json"), text).unwrap();
        tap(&sentry, &folder)
            .run()
            .ends_with(1)
            .ends_telling(told)
            .ends_telling("restore it, or read everything anew with --full-refresh");
        let run = tap(&sentry, &folder)
            .arg("--state")
            .arg(folder.join("state.json").to_str().unwrap());
        run.run()
            .ends_with(1)
            .ends_telling(told)
            .ends_telling("leave out --state to go on");
    }
    assert_eq!(sentry.requests().len(), asked, "nothing was asked for");
    fs::write(folder.join("state.json"), state).unwrap();
    tap(&sentry, &folder).run().is_complete();
}

#[test]
fn unknown_fields_have_no_column() {
    let sentry = Sentry::small();
    let run = tap(&sentry, &Folder::new())
        .with("keep_unknown_fields", true)
        .run();
    run.ends_with(1).ends_telling("keep_unknown_fields");
    let folder = Folder::new();
    tap(&sentry, &folder)
        .with("keep_unknown_fields", true)
        .arg("--output-format")
        .arg("jsonl")
        .run()
        .is_complete();
}

#[rstest]
#[case::damaged("{", "EOF")]
#[case::of_a_later_program(r#"{"version": 2, "format": "parquet"}"#, "version 2 is not known")]
fn a_manifest_that_is_not_understood_is_left_alone(#[case] text: &str, #[case] told: &str) {
    let sentry = Sentry::small();
    let folder = Folder::new();
    fs::create_dir(folder.path()).unwrap();
    fs::write(folder.join("manifest.json"), text).unwrap();
    let run = tap(&sentry, &folder).run();
    run.ends_with(1)
        .ends_telling("manifest.json")
        .ends_telling(told);
    assert_eq!(folder.text("manifest.json"), text);
}

#[rstest]
#[case::with_discover(&["--output", "x", "--discover"])]
#[case::with_test(&["--output", "x", "--test"])]
#[case::with_about(&["--output", "x", "--about"])]
#[case::a_format_without_a_folder(&["--output-format", "jsonl"])]
#[case::an_unknown_format(&["--output", "x", "--output-format", "csv"])]
#[case::compressed_parquet(&["--output", "x", "--output-format", "parquet", "--output-compression", "gzip"])]
#[case::a_refresh_without_a_folder(&["--full-refresh"])]
#[case::a_refresh_of_a_state(&["--output", "x", "--full-refresh", "--state", "y"])]
#[case::compaction_without_a_folder(&["--compact"])]
#[case::compaction_and_a_state(&["--output", "x", "--compact", "--state", "y"])]
fn flags_that_make_no_sense_together_are_refused(#[case] args: &[&str]) {
    let run = args.iter().fold(Tap::bare(), |tap, arg| tap.arg(arg)).run();
    run.ends_with(2).prints_nothing();
}
