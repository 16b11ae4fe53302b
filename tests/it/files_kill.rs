//! The law of resuming, for files: whatever ends a run, and when, no half file is ever seen, and after the next run the views
//! show the truth.

use crate::dsl::{Folder, Sentry, Tap};
use chrono::TimeDelta;
use rstest::rstest;
use sentry_sandbox::world::Status;
use sentry_sandbox::{Fault, FaultKind, Gate, Match};
use serde_json::Value;
use std::fs;

const STREAMS: [&str; 4] = ["projects", "issues", "events", "releases"];

/// Three projects over six weeks, in windows of five days.
fn organization() -> Sentry {
    let mut sentry = Sentry::holding(|world| {
        let now = world.clock();
        for (slug, issues) in [("api", 30), ("web", 9), ("quiet", 0)] {
            let project = world.add_project(slug);
            for number in 0..issues {
                let issue = world.add_issue(project, &format!("{slug} issue {number}"));
                for event in 0..=(number % 3) {
                    let hours = 1 + (number * 37 + event * 331) % 960;
                    world.add_event(issue, now - TimeDelta::hours(hours));
                }
            }
            world.add_release(&format!("{slug}@1.0"), project, now - TimeDelta::days(3));
        }
    });
    sentry.start = sentry.now - TimeDelta::days(42);
    sentry
}

fn tap(sentry: &Sentry, folder: &Folder) -> Tap {
    // What is not read again must have been written.
    Tap::against(sentry)
        .select(&STREAMS)
        .with("window_days", 5)
        .with("lookback_minutes", 0)
        .with("issue_refresh_days", 0)
        .output(folder)
}

#[track_caller]
fn shows_the_truth(sentry: &Sentry, folder: &Folder) {
    for stream in STREAMS {
        let (found, expected) = (folder.keys(stream), sentry.expected(stream));
        let missing: Vec<_> = expected.difference(&found).take(5).collect();
        assert!(missing.is_empty(), "{stream}: {missing:?} are missing");
    }
    folder.is_tidy().has_each_sequence_once(&STREAMS);
}

/// What the state covers is in the files: whoever goes on from it by a pipe has everything together with them.
#[track_caller]
fn state_is_behind_the_files(sentry: &Sentry, folder: &Folder) {
    let rest = Tap::against(sentry)
        .select(&STREAMS)
        .with("lookback_minutes", 0)
        .with("issue_refresh_days", 0)
        .state(&folder.state())
        .run();
    rest.is_complete();
    for stream in STREAMS {
        let mut all = rest.keys(stream).set();
        if folder.join("manifest.json").exists() {
            all.extend(folder.keys(stream));
        }
        let expected = sentry.expected(stream);
        let missing: Vec<_> = expected.difference(&all).take(5).collect();
        assert!(
            missing.is_empty(),
            "{stream}: {missing:?} are covered, and not there"
        );
    }
}

/// The tap, held at the request of that number, when all before are answered.
fn held(sentry: &Sentry, folder: &Folder, request: usize) -> crate::dsl::Running {
    let gate = Gate::closed();
    sentry.faults().add(Fault {
        skip: request,
        ..Fault::always(Match::any(), FaultKind::Hold(gate))
    });
    let came = sentry.arrival(Match::any(), request + 1);
    let running = tap(sentry, folder).with("concurrency", 1).start();
    came.recv().unwrap();
    running
}

#[test]
fn a_run_killed_at_any_request_loses_nothing() {
    let sentry = organization();
    let requests = {
        tap(&sentry, &Folder::new())
            .with("concurrency", 1)
            .run()
            .is_complete();
        sentry.requests().len()
    };
    assert!(requests > 10, "{requests}");
    for request in 0..requests {
        let folder = Folder::new();
        held(&sentry, &folder, request).kill();
        sentry.faults().clear();
        state_is_behind_the_files(&sentry, &folder);
        tap(&sentry, &folder).run().is_complete();
        shows_the_truth(&sentry, &folder);
    }
}

#[test]
fn runs_killed_one_after_another_come_to_an_end() {
    let sentry = organization();
    let folder = Folder::new();
    for request in [11, 3, 2] {
        held(&sentry, &folder, request).kill();
        sentry.faults().clear();
        state_is_behind_the_files(&sentry, &folder);
    }
    tap(&sentry, &folder).run().is_complete();
    shows_the_truth(&sentry, &folder);
}

#[rstest]
#[case::terminated("TERM")]
#[case::interrupted("INT")]
fn a_signal_ends_files_and_state_in_order(#[case] signal: &str) {
    let sentry = organization();
    let folder = Folder::new();
    let run = held(&sentry, &folder, 9).signal(signal);
    run.is_incomplete().prints_nothing();
    folder.is_tidy();
    sentry.faults().clear();
    assert!(
        !folder.keys("projects").is_empty(),
        "what was read is there"
    );
    state_is_behind_the_files(&sentry, &folder);
    tap(&sentry, &folder).run().is_complete();
    shows_the_truth(&sentry, &folder);
}

#[test]
fn a_second_run_is_refused_as_long_as_the_first_one_lives() {
    let sentry = organization();
    let folder = Folder::new();
    let first = held(&sentry, &folder, 5);
    let asked = sentry.requests().len();
    let second = tap(&sentry, &folder).run();
    second
        .ends_with(1)
        .ends_telling("is in use by another run")
        .prints_nothing();
    let compaction = Tap::bare().output(&folder).arg("--compact").run();
    compaction
        .ends_with(1)
        .ends_telling("is in use by another run");
    assert_eq!(sentry.requests().len(), asked);
    first.kill();
    sentry.faults().clear();
    tap(&sentry, &folder).run().is_complete();
    shows_the_truth(&sentry, &folder);
}

#[test]
fn a_full_disk_ends_the_run_and_leaves_the_old_state() {
    let sentry = organization();
    let folder = Folder::new();
    tap(&sentry, &folder)
        .until(sentry.end - TimeDelta::days(20))
        .run()
        .is_complete();
    let (state, files) = (folder.state(), folder.files());
    let run = tap(&sentry, &folder)
        .with("state_interval_seconds", 60)
        .files_within_kib(8)
        .run();
    run.ends_with(6)
        .ends_telling("cannot write to the folder of --output")
        .ends_telling("File too large")
        .prints_nothing();
    assert_eq!(folder.state(), state);
    assert!(folder.files().is_superset(&files));
    folder.is_tidy();
    tap(&sentry, &folder).run().is_complete();
    shows_the_truth(&sentry, &folder);
}

#[test]
fn compaction_keeps_the_last_row_of_each_key() {
    for format in ["parquet", "jsonl"] {
        let sentry = organization();
        let folder = Folder::new();
        let issue = sentry.issue("api issue 1");
        let tap = || tap(&sentry, &folder).arg("--output-format").arg(format);
        tap().run().is_complete();
        sentry.world().set_status(issue, Status::Resolved);
        sentry
            .world()
            .add_event(issue, sentry.end - TimeDelta::minutes(9));
        let gone = sentry.project("quiet");
        sentry.world().delete_project(gone);
        let later = || {
            tap()
                .with("lookback_minutes", 60)
                .with("issue_refresh_days", 50)
        };
        later().run();
        let before: Vec<_> = STREAMS.iter().map(|stream| folder.last(stream)).collect();
        let (files, state) = (folder.files().len(), folder.state());
        assert!(
            folder.rows("issues").len() > before[1].len(),
            "{format}: one is replaced"
        );

        let run = Tap::bare().output(&folder).arg("--compact").run();
        run.is_complete().prints_nothing().tells("issues: ");
        let after: Vec<_> = STREAMS.iter().map(|stream| folder.last(stream)).collect();
        assert_eq!(before, after, "{format}");
        for (stream, last) in STREAMS.iter().zip(&after) {
            assert_eq!(folder.rows(stream).len(), last.len(), "{format}: {stream}");
            assert_eq!(folder.files_of(stream).len(), 1, "{format}: {stream}");
        }
        assert!(folder.files().len() < files);
        assert_eq!(folder.state(), state);
        folder.is_tidy();

        let again = folder.files();
        Tap::bare()
            .output(&folder)
            .arg("--compact")
            .run()
            .is_complete();
        assert_eq!(folder.files(), again, "there is nothing left to do");
        later().run();
        shows_the_truth(&sentry, &folder);
    }
}

#[test]
fn rows_that_a_killed_compaction_has_left_twice_are_seen_once() {
    let sentry = organization();
    let folder = Folder::new();
    let tap = || tap(&sentry, &folder).arg("--output-format").arg("jsonl");
    tap().run().is_complete();
    let before = folder.last("events");
    // The new file has its name, and the old ones are not removed yet; another one is not whole.
    let texts: Vec<String> = folder
        .files_of("events")
        .iter()
        .map(|file| folder.text(file))
        .collect();
    let numbers: Vec<i64> = before
        .values()
        .map(|row| row["_sdc_sequence"].as_i64().unwrap())
        .collect();
    let (first, last) = (numbers.iter().min().unwrap(), numbers.iter().max().unwrap());
    let merged = format!("events/{first:019}-{:019}.jsonl", last + 1);
    fs::write(folder.join(merged), texts.concat()).unwrap();
    fs::write(folder.join("events/.tmp-compact-1"), "{").unwrap();
    assert_eq!(folder.last("events"), before);
    Tap::bare()
        .output(&folder)
        .arg("--compact")
        .run()
        .is_complete();
    assert_eq!(folder.last("events"), before);
    assert_eq!(folder.rows("events").len(), before.len());
    folder.is_tidy();
}

#[test]
fn a_folder_that_no_run_has_written_to_is_not_compacted() {
    let folder = Folder::new();
    let run = Tap::bare().output(&folder).arg("--compact").run();
    run.ends_with(1).ends_telling("no run has written here");
    assert!(!folder.path().exists());
}

#[test]
fn numbers_rise_over_runs_also_when_old_files_are_moved_away() {
    let sentry = organization();
    let folder = Folder::new();
    let numbers = || -> Vec<i64> {
        let rows = folder.rows("issues");
        rows.iter()
            .filter_map(|row| row["_sdc_sequence"].as_i64())
            .collect()
    };
    tap(&sentry, &folder).run().is_complete();
    let before = numbers().into_iter().max().unwrap();
    fs::remove_dir_all(folder.join("issues")).unwrap();
    tap(&sentry, &folder)
        .arg("--full-refresh")
        .run()
        .is_complete();
    assert!(numbers().into_iter().min().unwrap() > before);
    let manifest: Value = folder.json("manifest.json");
    assert!(manifest["sequence"].as_i64().unwrap() >= numbers().into_iter().max().unwrap());
}
