//! Tests of the spool in a folder of its own.

use super::*;
use crate::signal::Signal;
use futures::FutureExt;
use tempfile::TempDir;

const SIZE: u64 = 1 << 20;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn open(folder: &TempDir, size: u64) -> Arc<Spool> {
    let config = Config {
        folder: folder.path().join("spool"),
        size,
    };
    Spool::open(&config).expect("a spool")
}

fn kept(body: &Bytes, at: u64) -> Kept {
    Kept {
        signal: Signal::Logs,
        at,
        records: 3,
        bytes: body.len() as u64,
    }
}

async fn append(spool: &Spool, text: &str, now: bool) -> Result<Appended, Unkept> {
    let body = Bytes::from(text.to_owned());
    spool.append(kept(&body, 7), body, now).await
}

async fn next(spool: &Spool) -> (Next, String) {
    let next = spool.next().await.expect("the disk works");
    let body = spool
        .body(next.id)
        .expect("it can be read")
        .expect("a body");
    (next, String::from_utf8(body.to_vec()).expect("a text"))
}

fn receipt(appended: Result<Appended, Unkept>) -> Arc<Receipt> {
    match appended {
        Ok(Appended::Now(receipt)) => receipt,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_has_not_come_to_an_end_is_there_again() {
    let folder = folder();
    let spool = open(&folder, SIZE);
    let (a, b) = (
        receipt(append(&spool, "a", true).await),
        receipt(append(&spool, "b", true).await),
    );
    assert_eq!(spool.requests(), (2, 0));
    drop(a);
    assert_eq!(spool.close(), 1);
    drop(b);
    let again = open(&folder, SIZE);
    assert_eq!(again.requests(), (1, 1));
    let (first, text) = next(&again).await;
    assert_eq!((text.as_str(), first.kept), ("b", kept(&"b".into(), 7)));
    // Whoever comes now waits for its turn.
    assert!(matches!(
        append(&again, "c", true).await,
        Ok(Appended::Later)
    ));
    drop(again.passed(&first));
    let (second, text) = next(&again).await;
    assert_eq!(text, "c");
    drop(again.passed(&second));
    let d = receipt(append(&again, "d", true).await);
    drop(d);
    assert_eq!(again.close(), 0);
    assert_eq!(open(&folder, SIZE).bytes(), 0);
}

#[tokio::test]
async fn what_is_dropped_without_a_close_is_a_crash() {
    let folder = folder();
    let spool = open(&folder, SIZE);
    let kept = receipt(append(&spool, "a", true).await);
    std::mem::forget(kept);
    drop(spool);
    assert_eq!(open(&folder, SIZE).requests(), (1, 1));
}

#[tokio::test]
async fn what_its_client_left_before_it_was_written_is_not_kept() {
    let folder = folder();
    let spool = open(&folder, SIZE);
    // The disk is busy meanwhile.
    let busy = spool.store.write();
    for text in ["a", "b", "c"] {
        let went = append(&spool, text, true).now_or_never();
        assert!(went.is_none(), "it is not written");
    }
    drop(busy);
    while spool.requests() != (0, 0) {
        tokio::task::yield_now().await;
    }
    spool.close();
    assert_eq!(open(&folder, SIZE).requests(), (0, 0));
}

#[tokio::test]
async fn what_the_disk_has_no_room_for_is_not_taken() {
    let folder = folder();
    let config = Config {
        folder: folder.path().join("spool"),
        size: SIZE,
    };
    let spool = Spool::open_on(&config, |_| Some(1000)).expect("a spool");
    for now in [true, false] {
        match append(&spool, "a", now).await {
            Err(Unkept::Failed(why)) => assert!(why.contains("1000 bytes left"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((spool.requests(), spool.bytes()), ((0, 0), 0));
    assert_eq!(spool.close(), 0);
    let spool = open(&folder, SIZE);
    assert_eq!(spool.requests(), (0, 0));
    receipt(append(&spool, "b", true).await);
}

#[tokio::test]
async fn what_its_file_does_not_need_goes_back_to_the_disk() {
    let folder = folder();
    let spool = open(&folder, 100 * SIZE);
    let large = "x".repeat(100_000);
    let mut receipts = Vec::new();
    for _ in 0..100 {
        receipts.push(receipt(append(&spool, &large, true).await));
    }
    let last = receipts.pop();
    drop(receipts);
    while spool.requests().0 > 1 {
        tokio::task::yield_now().await;
    }
    let before = disk::taken(&folder.path().join("spool/spool.redb"));
    let compacted = spool.store.write().as_mut().expect("a store").compact();
    assert_eq!(compacted, Ok(()));
    let after = disk::taken(&folder.path().join("spool/spool.redb"));
    assert!(10 * after < before, "{after} of {before}");
    let body = spool.body(last.as_ref().expect("a receipt").id());
    assert_eq!(body, Ok(Some(large.into())));
}

#[tokio::test]
async fn a_full_one_takes_again_what_is_freed() {
    let folder = folder();
    let spool = open(&folder, 3 * 8192);
    let large = "x".repeat(8000);
    let mut receipts = Vec::new();
    for _ in 0..3 {
        receipts.push(receipt(append(&spool, &large, true).await));
    }
    assert!(!spool.has_room(8000));
    assert_eq!(append(&spool, &large, true).await.err(), Some(Unkept::Full));
    receipts.pop();
    // It is removed within the next commit.
    while !spool.has_room(8000) {
        tokio::task::yield_now().await;
    }
    receipts.push(receipt(append(&spool, &large, true).await));
    assert_eq!(spool.bytes(), 3 * 8192);
}

#[tokio::test]
async fn one_that_is_larger_than_all_of_it_is_taken_alone() {
    let folder = folder();
    let spool = open(&folder, 10);
    let _large = receipt(append(&spool, "larger than that", true).await);
    assert_eq!(append(&spool, "a", true).await.err(), Some(Unkept::Full));
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let folder = folder();
    let spool = open(&folder, SIZE);
    let config = Config {
        folder: spool.folder.clone(),
        size: SIZE,
    };
    let second = Spool::open(&config).map(|_| ()).expect_err("it is locked");
    assert!(
        second.to_string().contains("in use by another process"),
        "{second}"
    );
    spool.close();
    Spool::open(&config).expect("it is free now");
}

#[tokio::test]
async fn what_is_no_spool_is_refused() {
    let folder = folder();
    let file = folder.path().join("spool/spool.redb");
    std::fs::create_dir(folder.path().join("spool")).expect("a folder");
    let config = Config {
        folder: folder.path().join("spool"),
        size: SIZE,
    };
    std::fs::write(&file, "some notes of somebody\n".repeat(1000)).expect("a file");
    let error = Spool::open(&config).map(|_| ()).expect_err("no spool");
    assert!(matches!(error, OpenError::Unreadable { .. }), "{error}");
    std::fs::remove_file(&file).expect("removed");
    let database = redb::Database::create(&file).expect("a database");
    let write = database.begin_write().expect("a transaction");
    let about = redb::TableDefinition::<&str, u64>::new("about");
    let mut table = write.open_table(about).expect("a table");
    table.insert("version", 2).expect("inserted");
    drop(table);
    write.commit().expect("committed");
    drop(database);
    let error = Spool::open(&config)
        .map(|_| ())
        .expect_err("another version");
    assert!(
        error.to_string().contains("(2; this one reads 1)"),
        "{error}"
    );
}

#[tokio::test]
async fn it_is_for_its_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let spool = open(&folder, SIZE);
    let mode = |path: PathBuf| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(spool.folder.clone()), 0o700);
    assert_eq!(mode(spool.folder.join("spool.redb")), 0o600);
}

/// Pages of the store's file.
const PAGE: usize = 4096;

/// Changes the file of a spool that is closed.
fn damage(folder: &TempDir, act: impl FnOnce(&mut Vec<u8>)) {
    let file = folder.path().join("spool/spool.redb");
    let mut bytes = std::fs::read(&file).expect("a file");
    act(&mut bytes);
    std::fs::write(&file, bytes).expect("written");
}

/// The page that holds a text is of no kind that there is.
fn damage_page_of(folder: &TempDir, text: &str) {
    damage(folder, |bytes| {
        let mut windows = bytes.windows(text.len());
        let at = windows.position(|part| part == text.as_bytes());
        bytes[at.expect("it is there") / PAGE * PAGE] = 7;
    });
}

#[tokio::test]
async fn a_damaged_page_costs_what_is_on_it_alone() {
    let folder = folder();
    let spool = open(&folder, SIZE);
    for name in ["first", "second", "third"] {
        let large = name.to_owned() + &"x".repeat(3 * PAGE);
        std::mem::forget(receipt(append(&spool, &large, true).await));
    }
    assert_eq!(spool.close(), 3);
    damage_page_of(&folder, "second");
    let spool = open(&folder, SIZE);
    for id in 1..=3 {
        let next = spool.next().await.expect("the outlines are sound");
        let body = spool.body(next.id);
        let is_damaged = matches!(body, Err(Failure::Damaged(_)));
        assert_eq!((next.id, is_damaged), (id, id == 2), "{body:?}");
        drop(spool.passed(&next));
    }
    assert!(spool.is_sound());
    // It takes and gives on, and what is lost is there no more.
    let fourth = receipt(append(&spool, "fourth", true).await);
    while spool.requests().0 > 1 {
        tokio::task::yield_now().await;
    }
    std::mem::forget(fourth);
    assert_eq!(spool.close(), 1);
    let spool = open(&folder, SIZE);
    assert_eq!(next(&spool).await.1, "fourth");
}

#[tokio::test]
async fn what_is_damaged_is_not_made_smaller() {
    let folder = folder();
    let spool = open(&folder, 100 * SIZE);
    let mut receipts = Vec::new();
    for number in 10..60 {
        let large = format!("number {number}") + &"x".repeat(3 * PAGE);
        receipts.push(receipt(append(&spool, &large, true).await));
    }
    receipts
        .split_off(47)
        .into_iter()
        .for_each(std::mem::forget);
    drop(receipts);
    while spool.requests().0 > 3 {
        tokio::task::yield_now().await;
    }
    spool.close();
    damage_page_of(&folder, "number 58");
    let spool = open(&folder, SIZE);
    // Pages of what was removed are still to be freed.
    let sound = spool.next().await.expect("the outlines are sound");
    drop(spool.passed(&sound));
    while spool.requests().0 > 2 {
        tokio::task::yield_now().await;
    }
    let compacted = spool.store.write().as_mut().expect("a store").compact();
    assert!(matches!(compacted, Err(Failure::Damaged(_))));
    spool.close();
    let spool = open(&folder, SIZE);
    assert_eq!(spool.requests(), (2, 2));
    let damaged = spool.next().await.expect("the outlines are sound");
    drop(spool.passed(&damaged));
    assert!(next(&spool).await.1.starts_with("number 59"));
}

#[tokio::test]
async fn a_damaged_file_is_refused_by_name() {
    let folder = folder();
    let kinds = |bytes: &mut Vec<u8>| {
        for page in bytes.chunks_mut(PAGE).skip(1) {
            page[0] = 7;
        }
    };
    let nothing = |bytes: &mut Vec<u8>| bytes[PAGE..].fill(0);
    let half = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2);
    let head = |bytes: &mut Vec<u8>| bytes[..PAGE].fill(0xff);
    for act in [kinds, nothing, half, head] {
        let spool = open(&folder, SIZE);
        for name in ["a", "b"] {
            std::mem::forget(receipt(append(&spool, name, true).await));
        }
        spool.close();
        damage(&folder, act);
        let config = Config {
            folder: folder.path().join("spool"),
            size: SIZE,
        };
        let error = Spool::open(&config).map(|_| ()).expect_err("damaged");
        let told = error.to_string();
        assert!(matches!(error, OpenError::Unreadable { .. }), "{told}");
        assert!(told.contains("spool/spool.redb") && told.contains("move it away"));
        std::fs::remove_file(folder.path().join("spool/spool.redb")).expect("removed");
    }
}

#[tokio::test]
async fn nothing_is_taken_behind_what_cannot_be_read() {
    let folder = folder();
    let spool = open(&folder, SIZE);
    let waits = append(&spool, "a", false).await;
    assert!(matches!(waits, Ok(Appended::Later)));
    spool.stick("a page is damaged");
    assert!(!spool.is_sound());
    let refused = append(&spool, "b", true).await.err();
    assert_eq!(refused, Some(Unkept::Stuck("a page is damaged".to_owned())));
    // It can be read again.
    assert_eq!(next(&spool).await.1, "a");
    assert!(spool.is_sound());
    assert!(matches!(
        append(&spool, "b", true).await,
        Ok(Appended::Later)
    ));
}

#[tokio::test]
async fn what_has_come_to_its_end_is_no_damage() {
    let folder = folder();
    let spool = open(&folder, SIZE);
    let a = receipt(append(&spool, "a", true).await);
    assert_eq!(spool.body(1), Ok(Some(Bytes::from("a"))));
    drop(a);
    while spool.requests().0 > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(spool.body(1), Ok(None));
}

#[test]
fn what_could_not_be_written_is_passed_over_and_counted_once() {
    let ledger = Ledger::new(SIZE, ledger::Held::default());
    let enter = || ledger.enter(10, false).expect("room").id;
    let (first, second) = (enter(), enter());
    ledger.fail(first);
    assert_eq!(ledger.requests(), (2, 1));
    assert!(ledger.skipped(first));
    assert_eq!(ledger.cursor(), Some(second));
    ledger.left(first, 10);
    assert!(!ledger.skipped(second));
    assert_eq!(ledger.requests(), (1, 1));
    ledger.pass(second);
    assert_eq!(ledger.cursor(), None);
}

#[tokio::test]
async fn what_two_readers_see_as_the_next_is_of_one_of_them() {
    let folder = folder();
    let spool = open(&folder, SIZE);
    for name in ["a", "b"] {
        let later = append(&spool, name, false).await;
        assert!(matches!(later, Ok(Appended::Later)));
    }
    let (first, _) = next(&spool).await;
    let receipt = spool.passed(&first).expect("it is the first reader");
    assert!(spool.passed(&first).is_none());
    assert_eq!(spool.requests(), (2, 1));
    drop(receipt);
    let (second, text) = next(&spool).await;
    assert_eq!(text, "b");
    drop(spool.passed(&second));
    assert_eq!(spool.close(), 0);
}
