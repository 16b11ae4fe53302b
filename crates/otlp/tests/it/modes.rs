//! How a project takes spans is asked of it.

use crate::dsl::bridge::Bridge;
use crate::dsl::sentry::{SLUG, dsn, sentry, sentry_as};
use crate::dsl::spans::{span, spans};
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match, Relay};
use serde_json::json;

#[rstest]
#[case::today(Relay::V26_7, "otlp")]
#[case::not_known_to_keep_them(Relay::V26_5, "transactions")]
#[case::accepted(Relay::V26_2, "transactions")]
#[case::no_such_path(Relay::V25, "transactions")]
#[case::old(Relay::V21, "transactions")]
fn the_answer_decides(#[case] relay: Relay, #[case] mode: &str) {
    let sentry = sentry_as(relay);
    let mut bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    let line = bridge.line_with("spans are sent as");
    assert!(line.contains(&format!("mode={mode}")), "{line}");
    bridge.take(&spans(vec![span(1, 1, 0), span(1, 2, 1)]));
    bridge.delivered();
    let outcomes = sentry.outcomes();
    let found = (
        outcomes.of("span").count(),
        outcomes.of("transaction").count(),
    );
    assert_eq!(found, if mode == "otlp" { (2, 0) } else { (0, 1) });
    assert_eq!(outcomes.refused, []);
}

#[test]
fn what_comes_before_the_answer_waits_for_it() {
    let sentry = sentry_as(Relay::V26_5);
    sentry.faults().add(Fault {
        times: 2,
        ..Fault::once(Match::path("/v1/traces"), FaultKind::Status(503))
    });
    let mut bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    bridge.line_with("not known yet");
    bridge.take(&spans(vec![span(1, 1, 0), span(1, 2, 1)]));
    bridge.delivered();
    assert_eq!(sentry.outcomes().of("transaction").count(), 1);
}

#[test]
fn a_key_that_is_refused_keeps_what_came_and_says_so() {
    let sentry = sentry();
    let wrong = dsn(&sentry).replacen("//", "//0123456789abcdef0123456789abcdef@", 1);
    let (scheme, rest) = wrong.split_once('@').expect("a key");
    let (_, host) = rest.split_once('@').expect("a host");
    let mut bridge = Bridge::start(&json!({"dsn": format!("{scheme}@{host}")}));
    bridge.line_with("refuses the key");
    bridge.take(&spans(vec![span(1, 1, 0)]));
    bridge.signal(rustix::process::Signal::TERM);
    bridge.line_with("still on their way");
    let (code, log) = bridge.stop();
    assert_eq!(code, Some(4), "{log}");
    assert!(!log.contains("0123456789abcdef"), "{log}");
    assert_eq!(sentry.outcomes().of("span").count(), 0);
}

#[test]
fn a_dsn_keeps_its_path() {
    let sentry = sentry();
    let dsn = sentry.dsn_under("/relay/eu", SLUG).expect("a DSN");
    let bridge = Bridge::start(&json!({"dsn": dsn}));
    bridge.take(&spans(vec![span(1, 1, 0)]));
    bridge.delivered();
    assert_eq!(sentry.outcomes().of("span").count(), 1);
    let paths = sentry.requests().into_iter().map(|request| request.path);
    assert!(
        paths.clone().all(|path| path.starts_with("/relay/eu/api/")),
        "{:?}",
        paths.collect::<Vec<_>>()
    );
}
