//! `ACTIVATE_VERSION` messages: of whole tables, and of nothing with a gap.

use crate::dsl::{Sentry, Tap};
use sentry_sandbox::{Fault, FaultKind, Match};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The whole tables that are selected by default.
fn whole_tables() -> BTreeSet<&'static str> {
    let all = tap_sentry::streams::STREAMS.iter();
    let whole = all.filter(|def| def.selected_by_default && def.replication_key().is_none());
    let names: BTreeSet<&str> = whole.map(tap_sentry::streams::StreamDef::name).collect();
    assert!(names.contains("teams") && !names.contains("issues"));
    names
}

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
        let whole = whole_tables().contains(message["stream"].as_str().unwrap());
        assert_eq!(
            message.get("version").map(Value::to_string).as_ref(),
            versions.first().filter(|_| whole),
            "{message}"
        );
    }
    assert_eq!(activated(&run.messages), whole_tables());
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
    let mut others = whole_tables();
    others.remove("teams");
    let activated = activated_with_a_gap(Some(&json!({"bookmarks": {}})));
    assert_eq!(activated, others.into_iter().collect::<Vec<_>>());
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
