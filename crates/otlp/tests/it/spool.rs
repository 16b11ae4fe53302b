//! What was acknowledged survives a crash, and waits on the disk where memory has no room.

use crate::dsl::bridge::{Bridge, command, config, exporter};
use crate::dsl::logs::{log, logs};
use crate::dsl::sentry::{dsn, sentry, sentry_as};
use crate::dsl::spans::{body, of_resource, span, spans, text};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use redb::{Database, TableDefinition};
use rustix::process::Signal;
use sentry_sandbox::{Fault, FaultKind, Match, Relay, Sandbox};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tempfile::TempDir;

/// A folder for a spool that outlives the process.
pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// An exporter with a spool there.
pub fn settings(sentry: &Sandbox, folder: &TempDir, more: &Value) -> Value {
    let mut settings = json!({
        "dsn": dsn(sentry),
        "mode": "otlp",
        "spool": folder.path().join("spool"),
    });
    let all = settings.as_object_mut().expect("an object");
    all.extend(more.as_object().expect("an object").clone());
    settings
}

/// Sentry answers nothing well until [`up`].
pub fn down(sentry: &Sandbox) {
    let fault = Fault::always(Match::path("/api/"), FaultKind::Status(503));
    sentry.faults().add(fault);
}

pub fn up(sentry: &Sandbox) {
    sentry.faults().clear();
}

/// Everything in it has been delivered.
pub fn delivered(bridge: Bridge) {
    bridge.until("sentry_otlp_spool_requests", 0);
    bridge.delivered();
}

/// The ids of spans that Sentry has, and how many it was sent.
pub fn ids(sentry: &Sandbox) -> (BTreeSet<String>, usize) {
    let outcomes = sentry.outcomes();
    let ids = outcomes.of("span").map(|one| {
        let id = one.payload["span_id"].as_str().expect("an id");
        id.to_owned()
    });
    (ids.collect(), outcomes.of("span").count())
}

/// A request of one span with a text of so many bytes.
fn large(id: u8, bytes: usize) -> Vec<u8> {
    let mut span = span(1, id, 0);
    span.attributes = vec![text("large", &"x".repeat(bytes))];
    spans(vec![span])
}

#[test]
fn a_kill_loses_nothing() {
    let sentry = sentry();
    let folder = folder();
    let settings = settings(&sentry, &folder, &json!({}));
    down(&sentry);
    let bridge = Bridge::start(&settings);
    for id in 1..=3 {
        bridge.take(&spans(vec![span(1, id, 0), span(1, id + 10, id)]));
    }
    bridge.take_logs(&logs(vec![log("kept")]));
    bridge.until("sentry_otlp_spool_requests", 4);
    bridge.kill();
    up(&sentry);
    let mut bridge = Bridge::start(&settings);
    bridge.line_with("what is in the spool");
    delivered(bridge);
    let (ids, count) = ids(&sentry);
    assert_eq!((ids.len(), count), (6, 6));
    assert_eq!(sentry.outcomes().of("log").count(), 1);
}

#[test]
fn what_is_damaged_on_the_disk_is_counted_and_holds_up_nothing() {
    let sentry = sentry();
    let folder = folder();
    let settings = settings(&sentry, &folder, &json!({}));
    down(&sentry);
    let bridge = Bridge::start(&settings);
    for id in 1..=3 {
        bridge.take(&spans(vec![span(1, id, 0), span(1, id + 10, id)]));
    }
    bridge.kill();
    let file = folder.path().join("spool/spool.redb");
    let database = Database::open(file).expect("a spool");
    let write = database.begin_write().expect("a transaction");
    let bodies = TableDefinition::<u64, &[u8]>::new("bodies");
    let mut table = write.open_table(bodies).expect("a table");
    table.remove(1).expect("removed");
    table.insert(2, &b"no protobuf"[..]).expect("inserted");
    drop(table);
    write.commit().expect("committed");
    drop(database);
    up(&sentry);
    let mut bridge = Bridge::start(&settings);
    for what in ["its body is not there", "damaged"] {
        let line = bridge.line_with("though they had been acknowledged");
        assert!(line.contains(what) && line.contains("records=2"), "{line}");
    }
    bridge.until("sentry_otlp_spool_requests", 0);
    let lost = bridge.metric("sentry_otlp_rejected_total{kind=\"span\",reason=\"malformed\"}");
    assert_eq!(lost, 4);
    let (code, log) = bridge.stop();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(log.matches("had been acknowledged").count(), 2);
    assert!(!log.contains("tried again"), "{log}");
    let (ids, count) = ids(&sentry);
    assert_eq!((ids.len(), count), (2, 2));
}

/// Changes the file of a spool, in pages of 4 KiB.
fn damage(folder: &TempDir, act: impl FnOnce(&mut Vec<u8>)) {
    let file = folder.path().join("spool/spool.redb");
    let mut bytes = std::fs::read(&file).expect("a file");
    act(&mut bytes);
    std::fs::write(&file, bytes).expect("written");
}

#[test]
fn a_damaged_page_holds_up_nothing_and_is_no_panic() {
    let sentry = sentry();
    let folder = folder();
    let settings = settings(&sentry, &folder, &json!({}));
    down(&sentry);
    let bridge = Bridge::start(&settings);
    for id in 1..=3 {
        let mut span = span(1, id, 0);
        let large = format!("mark {id}{}", "x".repeat(20_000));
        span.attributes = vec![text("large", &large)];
        bridge.take(&spans(vec![span]));
    }
    // In order, so that redb does not look at the whole of it at the next start.
    let (code, log) = bridge.stop();
    assert_eq!(code, Some(0), "{log}");
    damage(&folder, |bytes| {
        let mark = b"mark 2";
        let at = bytes.windows(mark.len()).position(|part| part == mark);
        bytes[at.expect("it is there") / 4096 * 4096] = 7;
    });
    up(&sentry);
    let mut bridge = Bridge::start(&settings);
    let line = bridge.line_with("though they had been acknowledged");
    assert!(line.contains("damaged"), "{line}");
    assert!(line.contains("records=1"), "{line}");
    bridge.until("sentry_otlp_spool_requests", 0);
    bridge.take(&spans(vec![span(1, 4, 0)]));
    bridge.until("sentry_otlp_spool_requests", 0);
    assert_eq!(bridge.get("/-/ready"), "Ready\n");
    let (code, log) = bridge.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    assert_eq!(ids(&sentry).0.len(), 3);
    // Where nothing can be read, it does not start.
    damage(&folder, |bytes| {
        bytes.chunks_mut(4096).skip(1).for_each(|page| page[0] = 7);
    });
    let file = folder.path().join("otlp.yml");
    std::fs::write(&file, config(&settings).to_string()).expect("a file");
    let output = command().arg("--config").arg(&file).output();
    let output = output.expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("exporters.sentry.spool"), "{told}");
    assert!(told.contains("spool.redb cannot be read"), "{told}");
    assert!(!told.contains("panicked"), "{told}");
}

#[test]
fn errors_survive_too() {
    let sentry = sentry();
    let folder = folder();
    let settings = settings(&sentry, &folder, &json!({"sample_rate": 0}));
    down(&sentry);
    let bridge = Bridge::start(&settings);
    let thrown = |kind: &str, id| Span {
        events: vec![Event {
            name: "exception".to_owned(),
            attributes: vec![text("exception.type", kind)],
            ..Event::default()
        }],
        ..span(id, id, 0)
    };
    bridge.take(&spans(vec![thrown("First", 1), span(1, 2, 1)]));
    // Whatever had come to an end would leave the disk with this one.
    bridge.take(&spans(vec![thrown("Second", 3)]));
    bridge.kill();
    up(&sentry);
    let bridge = Bridge::start(&settings);
    bridge.until("sentry_otlp_sent_total{kind=\"error\"}", 2);
    delivered(bridge);
    let outcomes = sentry.outcomes();
    assert_eq!(
        (outcomes.of("event").count(), outcomes.of("span").count()),
        (2, 0)
    );
}

#[test]
fn a_trace_on_both_sides_of_a_kill_is_one_transaction() {
    let sentry = sentry_as(Relay::V21);
    let folder = folder();
    let more = json!({"mode": "transactions", "trace_timeout": "5s"});
    let settings = settings(&sentry, &folder, &more);
    let bridge = Bridge::start(&settings);
    bridge.take(&spans(vec![span(1, 2, 1)]));
    bridge.kill();
    let bridge = Bridge::start(&settings);
    bridge.take(&spans(vec![span(1, 1, 0)]));
    // An end in order does not tear it either.
    let (code, log) = bridge.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("what is left stays in the spool"), "{log}");
    let bridge = Bridge::start(&settings);
    bridge.take(&spans(vec![span(1, 3, 1)]));
    delivered(bridge);
    let outcomes = sentry.outcomes();
    let children: Vec<_> = outcomes
        .of("transaction")
        .map(|one| one.payload["spans"].as_array().map_or(0, Vec::len))
        .collect();
    assert_eq!(children, [2]);
}

#[test]
fn what_memory_has_no_room_for_waits_on_the_disk() {
    let sentry = sentry();
    let folder = folder();
    let more = json!({"sending_queue": {"queue_size": 2}});
    let settings = settings(&sentry, &folder, &more);
    down(&sentry);
    let bridge = Bridge::start(&settings);
    for id in 1..=20 {
        bridge.take(&spans(vec![span(1, id, 0)]));
    }
    assert_eq!(bridge.metric("sentry_otlp_spool_requests"), 20);
    assert_eq!(bridge.metric("sentry_otlp_queue_requests"), 2);
    up(&sentry);
    delivered(bridge);
    let (ids, count) = ids(&sentry);
    assert_eq!((ids.len(), count), (20, 20));
}

#[test]
fn a_full_spool_is_told_as_clients_understand_it() {
    let sentry = sentry();
    let folder = folder();
    let more = json!({"spool_size": "64KiB"});
    let settings = settings(&sentry, &folder, &more);
    down(&sentry);
    let bridge = Bridge::start(&settings);
    for id in 1..=4 {
        bridge.take(&large(id, 12_000));
    }
    let answer = bridge.send(&large(5, 12_000));
    assert_eq!(
        (answer.status, answer.retry_after.as_deref()),
        (429, Some("2"))
    );
    up(&sentry);
    bridge.until("sentry_otlp_spool_requests", 0);
    bridge.take(&large(5, 12_000));
    delivered(bridge);
    assert_eq!(ids(&sentry).0.len(), 5);
}

#[test]
fn an_end_in_order_delivers_nothing_twice() {
    let sentry = sentry();
    let folder = folder();
    let settings = settings(&sentry, &folder, &json!({}));
    down(&sentry);
    let bridge = Bridge::start(&settings);
    bridge.take(&spans(vec![span(1, 1, 0)]));
    let (code, log) = bridge.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("requests=1"), "{log}");
    up(&sentry);
    for _ in 0..2 {
        delivered(Bridge::start(&settings));
    }
    assert_eq!(ids(&sentry).1, 1);
}

#[test]
fn a_second_process_on_the_same_spool_is_refused() {
    let sentry = sentry();
    let folder = folder();
    let settings = settings(&sentry, &folder, &json!({}));
    let first = Bridge::start(&settings);
    let file = folder.path().join("second.yml");
    std::fs::write(&file, config(&settings).to_string()).expect("a file");
    let second = command().arg("--config").arg(&file).output();
    let second = second.expect("it runs");
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(
        said.contains("exporters.sentry.spool: ") && said.contains("in use by another process"),
        "{said}"
    );
    first.delivered();
}

#[test]
fn a_reload_hands_the_spool_on() {
    let sentry = sentry();
    let folder = folder();
    let more = json!({"sending_queue": {"queue_size": 1}});
    let settings = settings(&sentry, &folder, &more);
    down(&sentry);
    let mut bridge = Bridge::start(&settings);
    for id in 1..=5 {
        bridge.take(&spans(vec![span(1, id, 0)]));
    }
    let renewed = json!({"environment": "renewed", "spool_size": "2GiB"});
    let mut settings = settings.clone();
    settings
        .as_object_mut()
        .expect("an object")
        .extend(renewed.as_object().expect("an object").clone());
    std::fs::write(bridge.file(), config(&settings).to_string()).expect("a file");
    bridge.signal(Signal::HUP);
    bridge.line_with("configuration reloaded");
    bridge.take(&spans(vec![span(1, 6, 0)]));
    up(&sentry);
    delivered(bridge);
    let (ids, count) = ids(&sentry);
    assert_eq!((ids.len(), count), (6, 6));
}

#[test]
fn a_spool_that_the_file_no_longer_names_is_emptied_all_the_same() {
    let sentry = sentry();
    let folder = folder();
    let more = json!({"sending_queue": {"queue_size": 1}});
    let settings = settings(&sentry, &folder, &more);
    down(&sentry);
    let mut bridge = Bridge::start(&settings);
    for id in 1..=5 {
        bridge.take(&spans(vec![span(1, id, 0)]));
    }
    let without = json!({"dsn": dsn(&sentry), "mode": "otlp"});
    std::fs::write(bridge.file(), config(&without).to_string()).expect("a file");
    bridge.signal(Signal::HUP);
    bridge.line_with("configuration reloaded");
    up(&sentry);
    bridge.until("sentry_otlp_sent_total{kind=\"traces\"}", 5);
    bridge.delivered();
    assert_eq!(ids(&sentry).0.len(), 5);
}

#[test]
fn what_is_private_is_not_on_the_disk() {
    let sentry = sentry();
    let folder = folder();
    let more = json!({"mask_attributes": ["card"]});
    let settings = settings(&sentry, &folder, &more);
    down(&sentry);
    let bridge = Bridge::start(&settings);
    let mut span = span(1, 1, 0);
    span.attributes = vec![
        text("card", "4111-1111"),
        text("http.request.header.authorization", "Bearer hidden"),
        text("told", "plainly"),
    ];
    let resource = [("service.name", "shop"), ("card", "4222-2222")];
    bridge.take(&body(vec![of_resource(&resource, vec![span])]));
    bridge.kill();
    let held = std::fs::read(folder.path().join("spool/spool.redb")).expect("a file");
    let has = |text: &str| held.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(has("plainly"));
    for text in ["4111", "4222", "hidden"] {
        assert!(!has(text), "{text}");
    }
}

#[test]
fn several_exporters_are_all_safe_or_none() {
    let sentry = sentry();
    let folder = folder();
    let small = json!({"spool_size": "8KiB"});
    down(&sentry);
    let exporters = json!({
        "sentry": exporter(&json!({"dsn": dsn(&sentry), "mode": "otlp"})),
        "sentry/kept": exporter(&settings(&sentry, &folder, &small)),
    });
    let mut all = config(&json!({}));
    all["exporters"] = exporters;
    let bridge = Bridge::with(&all);
    bridge.take(&large(1, 5_000));
    assert_eq!(bridge.send(&large(2, 5_000)).status, 429);
    up(&sentry);
    bridge.until("sentry_otlp_spool_requests", 0);
    bridge.delivered();
    let (ids, count) = ids(&sentry);
    assert_eq!((ids.len(), count), (1, 2));
}
