//! The bodies of attachments, beside the files of rows.

use crate::dsl::{Folder, Run, Sentry, Tap};
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

const SIZE: u64 = 4_096;

fn tap(sentry: &Sentry, folder: &Folder, most: u64) -> Tap {
    Tap::against(sentry)
        .select(&["event_attachments"])
        .with("attachment_max_bytes", most)
        .output(folder)
}

/// Where the body of each row belongs.
fn places(folder: &Folder) -> Vec<PathBuf> {
    let rows = folder.last("event_attachments");
    let text =
        |row: &serde_json::Map<String, Value>, name: &str| row[name].as_str().unwrap().to_owned();
    rows.values()
        .map(|row| {
            let project = text(row, "project_id");
            folder
                .join("attachments")
                .join(project)
                .join(text(row, "event_id"))
                .join(text(row, "id"))
        })
        .collect()
}

fn bodies(folder: &Folder) -> usize {
    fn count(path: &std::path::Path) -> usize {
        let entries = fs::read_dir(path).into_iter().flatten();
        entries
            .map(|entry| entry.unwrap().path())
            .map(|path| if path.is_dir() { count(&path) } else { 1 })
            .sum()
    }
    count(&folder.join("attachments"))
}

#[track_caller]
fn has_all(sentry: &Sentry, folder: &Folder) {
    assert_eq!(
        folder.keys("event_attachments"),
        sentry.expected("event_attachments")
    );
    let places = places(folder);
    assert!(places.len() > 10);
    for place in &places {
        let id = place.file_name().unwrap().to_str().unwrap();
        let body = fs::read_to_string(place).unwrap();
        assert!(body.starts_with(&format!("\"attachment {id}.")), "{body}");
        assert_eq!(body.len() as u64, SIZE);
    }
    assert_eq!(bodies(folder), places.len(), "and nothing else");
}

fn downloads(sentry: &Sentry) -> usize {
    let requests = sentry.requests();
    requests
        .iter()
        .filter(|request| request.get("download").is_some())
        .count()
}

#[test]
fn bodies_are_kept_by_ids_and_downloaded_once() {
    let sentry = Sentry::small();
    let folder = Folder::new();
    tap(&sentry, &folder, SIZE)
        .run()
        .is_complete()
        .prints_nothing();
    has_all(&sentry, &folder);
    let before = downloads(&sentry);
    tap(&sentry, &folder, SIZE)
        .arg("--full-refresh")
        .run()
        .is_complete();
    assert_eq!(downloads(&sentry), before);
    has_all(&sentry, &folder);
}

#[rstest]
#[case::smaller_than_each(Some(SIZE - 1), true)]
#[case::not_asked_for(None, true)]
#[case::without_a_folder(Some(SIZE), false)]
fn what_is_not_wanted_is_not_downloaded(#[case] most: Option<u64>, #[case] is_folder: bool) {
    let sentry = Sentry::small();
    let folder = Folder::new();
    let mut tap = Tap::against(&sentry).select(&["event_attachments"]);
    if let Some(most) = most {
        tap = tap.with("attachment_max_bytes", most);
    }
    let run = if is_folder { tap.output(&folder) } else { tap }.run();
    run.is_complete();
    assert_eq!((downloads(&sentry), bodies(&folder)), (0, 0));
    if is_folder && most.is_some() {
        run.tells("more than attachment_max_bytes");
    } else if !is_folder {
        run.tells("attachments are downloaded with --output only");
    }
}

fn faulty(fault: FaultKind) -> (Sentry, Folder, Run) {
    let sentry = Sentry::small();
    let folder = Folder::new();
    let one = Match::path("/attachments/7");
    sentry.faults().add(Fault::once(one, fault));
    let run = tap(&sentry, &folder, SIZE).retries(2).run();
    (sentry, folder, run)
}

#[rstest]
#[case::unavailable(FaultKind::Status(503))]
#[case::cut(FaultKind::CutBody)]
#[case::reset(FaultKind::Reset)]
#[case::limited(FaultKind::RateLimited { reset_in_seconds: 1 })]
#[case::longer(FaultKind::Body("x".repeat(5_000)))]
#[case::shorter(FaultKind::Body("please log in".to_owned()))]
fn what_fails_for_a_while_is_downloaded_again_from_its_begin(#[case] fault: FaultKind) {
    let (sentry, folder, run) = faulty(fault);
    run.is_complete();
    has_all(&sentry, &folder);
}

#[test]
fn a_body_that_is_gone_is_told_and_its_row_written() {
    let (sentry, folder, run) = faulty(FaultKind::NotThere);
    run.is_complete().tells("is gone");
    assert_eq!(
        folder.keys("event_attachments"),
        sentry.expected("event_attachments")
    );
    assert_eq!(bodies(&folder), places(&folder).len() - 1);
}

#[test]
fn of_a_row_that_tells_no_size_too_large_a_body_is_not_kept() {
    let sentry = Sentry::small();
    let folder = Folder::new();
    let row = r#"[{"id": "71", "event_id": "e", "name": "a", "dateCreated": null}]"#;
    let list = Match::path_end("/attachments/");
    sentry
        .faults()
        .add(Fault::always(list, FaultKind::Body(row.to_owned())));
    let body = FaultKind::Body("x".repeat(5_000));
    sentry
        .faults()
        .add(Fault::always(Match::path("/attachments/71"), body));
    let run = tap(&sentry, &folder, SIZE).run();
    run.is_complete()
        .tells("more bytes than attachment_max_bytes");
    assert_eq!(bodies(&folder), 0);
}

#[test]
fn a_body_of_another_size_than_its_row_tells_is_none_of_it() {
    let sentry = Sentry::small();
    let folder = Folder::new();
    let other = FaultKind::Body("please log in".to_owned());
    sentry
        .faults()
        .add(Fault::always(Match::path("/attachments/7"), other));
    let run = tap(&sentry, &folder, SIZE).retries(0).run();
    run.is_incomplete().tells("13 bytes of 4096");
    assert_eq!(bodies(&folder), 0);
    sentry.faults().clear();
    tap(&sentry, &folder, SIZE).run().is_complete();
    has_all(&sentry, &folder);
}

#[test]
fn a_body_that_cannot_be_had_is_a_gap_and_comes_with_the_next_run() {
    let sentry = Sentry::small();
    let folder = Folder::new();
    let forbidden = Fault::always(Match::path("/attachments/7"), FaultKind::Status(403));
    sentry.faults().add(forbidden);
    tap(&sentry, &folder, SIZE).run().is_incomplete();
    assert_eq!(bodies(&folder), 0);
    sentry.faults().clear();
    tap(&sentry, &folder, SIZE).run().is_complete();
    has_all(&sentry, &folder);
}

#[test]
fn where_the_server_keeps_them_elsewhere_the_token_does_not_go() {
    let storage = Sentry::small();
    let sentry = Sentry::small();
    let folder = Folder::new();
    let kept = format!("{}/kept", storage.url());
    storage.faults().add(Fault::always(
        Match::path("/kept"),
        FaultKind::Body("e".repeat(4_096)),
    ));
    sentry.faults().add(Fault::always(
        Match::path("/attachments/7"),
        FaultKind::Redirect(kept),
    ));
    tap(&sentry, &folder, SIZE).run().is_complete();
    for place in places(&folder) {
        assert_eq!(fs::read_to_string(place).unwrap(), "e".repeat(4_096));
    }
    assert!(!storage.requests().is_empty());
    for request in storage.requests() {
        assert_eq!(request.authorization, None);
    }
}
