//! Whatever happens between them, requests that were acknowledged arrive, and traces that came in time are whole.

use crate::dsl::bridge::Bridge;
use crate::dsl::sentry::{sentry, sentry_as};
use crate::dsl::spans::{span, spans};
use crate::spool::{down, folder, ids, settings, up};
use fastrand::Rng;
use opentelemetry_proto::tonic::trace::v1::Span;
use rstest::rstest;
use sentry_sandbox::{FaultKind, Relay, Sandbox};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tempfile::TempDir;

/// Things that happen in one story.
const EVENTS: usize = 40;

/// A story: what happens is drawn by a seed.
struct Story {
    random: Rng,
    sentry: Sandbox,
    folder: TempDir,
    settings: Value,
    bridge: Option<Bridge>,
    /// Spans that were acknowledged: ids by trace.
    taken: BTreeMap<u8, BTreeSet<u8>>,
    next: u8,
}

impl Story {
    fn new(seed: u64, sentry: Sandbox, more: &Value) -> Self {
        let folder = folder();
        let settings = settings(&sentry, &folder, more);
        let mut story = Self {
            random: Rng::with_seed(seed),
            sentry,
            folder,
            settings,
            bridge: None,
            taken: BTreeMap::new(),
            next: 0,
        };
        story.start();
        story
    }

    fn start(&mut self) {
        self.bridge = Some(Bridge::start(&self.settings));
    }

    fn ended(&mut self) -> Bridge {
        self.bridge.take().expect("it runs")
    }

    fn happens(&mut self) {
        match self.random.u8(..12) {
            0 => {
                self.ended().kill();
                self.start();
            }
            1 => {
                self.ended().delivered();
                self.start();
            }
            2 => down(&self.sentry),
            3 => up(&self.sentry),
            4 => {
                let kinds = vec![FaultKind::Status(503), FaultKind::Reset];
                let seed = self.random.u64(..);
                self.sentry.faults().random(0.3, seed, kinds);
            }
            _ => self.send(),
        }
    }

    /// One to four spans of one of five traces, the roots of which come first or last.
    fn send(&mut self) {
        let trace = self.random.u8(1..=5);
        let made: Vec<Span> = (0..self.random.u8(1..=4))
            .map(|_| {
                self.next += 1;
                // The first of a trace is the root of the others.
                let root = trace;
                let is_root = self
                    .taken
                    .get(&trace)
                    .is_none_or(|ids| !ids.contains(&root));
                let id = if is_root && self.random.bool() {
                    root
                } else {
                    self.next + 5
                };
                span(trace, id, if id == root { 0 } else { root })
            })
            .collect();
        let mut sent = BTreeSet::new();
        let made: Vec<Span> = made
            .into_iter()
            .filter(|span| sent.insert(span.span_id[0]))
            .collect();
        let answer = self.bridge.as_ref().expect("it runs").send(&spans(made));
        if answer.status == 200 {
            self.taken.entry(trace).or_default().extend(sent);
        }
    }

    /// Whatever waits is delivered, by a process with these settings.
    fn end(mut self, more: &Value) -> (Sandbox, BTreeMap<u8, BTreeSet<u8>>) {
        up(&self.sentry);
        self.sentry.faults().random(0.0, 0, Vec::new());
        self.ended().delivered();
        let bridge = Bridge::start(&settings(&self.sentry, &self.folder, more));
        bridge.until("sentry_otlp_spool_requests", 0);
        bridge.delivered();
        (self.sentry, self.taken)
    }
}

fn hex(byte: u8) -> String {
    format!("{byte:02x}").repeat(8)
}

#[rstest]
fn everything_acknowledged_arrives(#[values(1, 2, 3, 4, 5, 6)] seed: u64) {
    let more = json!({"sending_queue": {"queue_size": 3}});
    let mut story = Story::new(seed, sentry(), &more);
    for _ in 0..EVENTS {
        story.happens();
    }
    let (sentry, taken) = story.end(&more);
    let taken: BTreeSet<String> = taken.into_values().flatten().map(hex).collect();
    assert!(taken.len() > 20, "{}", taken.len());
    let (arrived, _) = ids(&sentry);
    let missing: Vec<_> = taken.difference(&arrived).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[rstest]
fn traces_that_came_in_time_are_whole(#[values(7, 8, 9, 10)] seed: u64) {
    let patient = json!({"mode": "transactions", "trace_timeout": "1h"});
    let mut story = Story::new(seed, sentry_as(Relay::V21), &patient);
    for _ in 0..EVENTS {
        story.happens();
    }
    // Roots that have not come.
    let open: Vec<u8> = story
        .taken
        .iter()
        .filter(|(trace, ids)| !ids.contains(*trace))
        .map(|(trace, _)| *trace)
        .collect();
    up(&story.sentry);
    for trace in open {
        let bridge = story.bridge.as_ref().expect("it runs");
        bridge.take(&spans(vec![span(trace, trace, 0)]));
        story.taken.entry(trace).or_default().insert(trace);
    }
    let (sentry, taken) = story.end(&json!({"mode": "transactions", "trace_timeout": "3s"}));
    let outcomes = sentry.outcomes();
    let mut arrived: BTreeMap<u8, BTreeSet<String>> = BTreeMap::new();
    for transaction in outcomes.of("transaction") {
        let trace = &transaction.payload["contexts"]["trace"];
        let id = |value: &Value| value.as_str().expect("a text").to_owned();
        let children = transaction.payload["spans"].as_array();
        let spans = children
            .into_iter()
            .flatten()
            .map(|child| id(&child["span_id"]));
        let spans = spans.chain([id(&trace["span_id"])]).collect();
        let number = u8::from_str_radix(&id(&trace["trace_id"])[..2], 16).expect("a number");
        let earlier = arrived.insert(number, spans);
        assert_eq!(earlier, None, "trace {number} is torn");
    }
    let taken = taken.into_iter();
    let taken = taken.map(|(trace, ids)| (trace, ids.into_iter().map(hex).collect()));
    assert_eq!(arrived, taken.collect());
}
