//! Spans that wait until their trace is complete, whoever they come from and in whatever order.

use crate::attributes::Attributes;
use crate::conventions::text::hex;
use crate::seen::Seen;
use crate::spool::receipt::{self, Receipt, Receipts};
use crate::terms::Terms;
use crate::transactions::origin::{Origin, Origins};
use crate::transactions::payload::{Broken, Ready};
use crate::transactions::record::{Record, id};
use crate::transactions::sent::Sent;
use crate::transactions::split::split;
use crate::transactions::trace::arrange;
use foldhash::{HashMap, HashMapExt};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A trace whose spans do not end waits so many times as long as one that has ended.
const PATIENCE: u32 = 6;

/// A time-out beyond it means no more.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

type TraceId = [u8; 16];

/// How much may wait, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// After a trace's last span.
    pub timeout: Duration,
    pub spans: usize,
    pub bytes: usize,
}

/// A span that has come, as it waits for the others.
#[derive(Debug)]
pub struct Arrived {
    trace: TraceId,
    record: Record,
}

impl Arrived {
    /// A span as it is to be added, of a resource that [`Grouper::origin`] made.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn of(seen: &Seen<'_>, origin: Arc<Origin>) -> Result<Self, Broken> {
        let trace = id(&seen.span.trace_id);
        let record = Record::of(seen, origin).map_err(|source| Broken {
            trace_id: hex(&trace),
            spans: 1,
            source,
        })?;
        Ok(Self { trace, record })
    }

    /// What it takes in memory, in bytes.
    pub fn size(&self) -> usize {
        self.record.size()
    }
}

/// A trace that waits.
#[derive(Debug)]
struct Waiting {
    /// Tells it from an earlier one with the same id.
    number: u64,
    first: Instant,
    last: Instant,
    records: Vec<Record>,
    /// Of the requests that its spans came in.
    receipts: Receipts,
}

impl Waiting {
    /// When it is complete, as far as is known.
    fn due(&self, timeout: Duration) -> Instant {
        (self.last + timeout).min(self.first + timeout * PATIENCE)
    }
}

/// Spans by trace. It has no clock: time is told, and must not go back.
#[derive(Debug)]
pub struct Grouper {
    bounds: Bounds,
    traces: HashMap<TraceId, Waiting>,
    /// When to look at each trace that waits; once each, perhaps too early.
    deadlines: BinaryHeap<Reverse<(Instant, u64, TraceId)>>,
    /// Traces in the order of their first spans, and some that are gone.
    arrived: VecDeque<(u64, TraceId)>,
    number: u64,
    spans: usize,
    bytes: usize,
    origins: Origins,
    sent: Sent,
}

impl Grouper {
    /// Nothing waits yet.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds: Bounds {
                timeout: bounds.timeout.min(LONGEST),
                ..bounds
            },
            traces: HashMap::new(),
            deadlines: BinaryHeap::new(),
            arrived: VecDeque::new(),
            number: 0,
            spans: 0,
            bytes: 0,
            origins: Origins::default(),
            sent: Sent::default(),
        }
    }

    /// How many spans wait.
    pub const fn spans(&self) -> usize {
        self.spans
    }

    /// What they take in memory, in bytes.
    pub const fn bytes(&self) -> usize {
        self.bytes + self.origins.bytes()
    }

    /// How many traces wait.
    pub fn traces(&self) -> usize {
        self.traces.len()
    }

    /// What all spans of a resource have in common.
    pub fn origin(&mut self, resource: Attributes<'_>, terms: &Terms) -> Arc<Origin> {
        self.origins.get(resource, terms)
    }

    /// Takes a span that came in those requests. While more waits than may, the trace that came first is ready before its time.
    pub fn add(&mut self, arrived: Arrived, of: &[Arc<Receipt>], now: Instant) -> Ready {
        let mut ready = Ready::default();
        self.keep(arrived, of, now);
        while self.spans > self.bounds.spans || self.bytes() > self.bounds.bytes {
            let Some((number, oldest)) = self.arrived.pop_front() else {
                break;
            };
            self.release(number, oldest, &mut ready);
        }
        ready
    }

    /// When it is worth to look what is complete.
    pub fn first_due(&self) -> Option<Instant> {
        let Reverse((deadline, ..)) = self.deadlines.peek()?;
        Some(*deadline)
    }

    /// What is complete, or some of it: as long as [`Ready::more`] is set, there is more.
    pub fn due(&mut self, now: Instant) -> Ready {
        let mut ready = Ready::default();
        while let Some(Reverse((deadline, number, trace))) = self.deadlines.peek().copied() {
            if deadline > now {
                break;
            }
            if ready.is_enough() {
                ready.more = true;
                break;
            }
            self.deadlines.pop();
            let waiting = self.traces.get(&trace);
            match waiting.map(|waiting| waiting.due(self.bounds.timeout)) {
                Some(later) if later > now => self.deadlines.push(Reverse((later, number, trace))),
                _ => self.release(number, trace, &mut ready),
            }
        }
        self.tidy();
        ready
    }

    /// What waits, complete or not, the oldest first, or some of it: as long as [`Ready::more`] is set, there is more.
    pub fn drain(&mut self) -> Ready {
        let mut ready = Ready::default();
        while !ready.is_enough()
            && let Some((number, trace)) = self.arrived.pop_front()
        {
            self.release(number, trace, &mut ready);
        }
        self.tidy();
        ready.more = !self.traces.is_empty();
        ready
    }

    fn keep(&mut self, arrived: Arrived, of: &[Arc<Receipt>], now: Instant) {
        let Arrived { trace, record } = arrived;
        self.spans += 1;
        self.bytes += record.size();
        if let Some(waiting) = self.traces.get_mut(&trace) {
            waiting.last = now;
            waiting.records.push(record);
            receipt::add(&mut waiting.receipts, of);
            return;
        }
        self.number += 1;
        // Many traces have one span, and a list that grows begins with room for four.
        let records = vec![record];
        let waiting = Waiting {
            number: self.number,
            first: now,
            last: now,
            records,
            receipts: of.to_vec(),
        };
        let deadline = waiting.due(self.bounds.timeout);
        self.deadlines.push(Reverse((deadline, self.number, trace)));
        self.arrived.push_back((self.number, trace));
        self.traces.insert(trace, waiting);
    }

    /// Makes a trace ready, if it is still the one that is meant.
    fn release(&mut self, number: u64, trace: TraceId, ready: &mut Ready) {
        let is_meant = |waiting: &Waiting| waiting.number == number;
        if !self.traces.get(&trace).is_some_and(is_meant) {
            return;
        }
        let Some(waiting) = self.traces.remove(&trace) else {
            return;
        };
        self.spans -= waiting.records.len();
        self.bytes -= waiting.records.iter().map(Record::size).sum::<usize>();
        let mut origins: Vec<Arc<Origin>> = Vec::new();
        for record in &waiting.records {
            let last = origins.last();
            if !last.is_some_and(|last| Arc::ptr_eq(last, &record.origin)) {
                origins.push(Arc::clone(&record.origin));
            }
        }
        let trees = arrange(waiting.records, |span| self.sent.has(trace, span));
        ready.repeated += trees.repeated;
        let trace_id = hex(&trace);
        let first = ready.payloads.len();
        for tree in trees.trees {
            for node in &tree.nodes {
                self.sent.add(trace, node.record.id);
            }
            split(tree, &trace_id, ready);
        }
        for payload in ready.payloads.iter_mut().skip(first) {
            payload.receipts.clone_from(&waiting.receipts);
        }
        // The list is emptied one by one, so that the last of each is seen.
        while let Some(origin) = origins.pop() {
            self.origins.leave(&origin);
        }
    }

    /// Forgets what stands for traces that are gone.
    fn tidy(&mut self) {
        let traces = &self.traces;
        let is_there = |number: u64, trace: &TraceId| {
            let waiting = traces.get(trace);
            waiting.is_some_and(|waiting| waiting.number == number)
        };
        while let Some((number, trace)) = self.arrived.front()
            && !is_there(*number, trace)
        {
            self.arrived.pop_front();
        }
        if self.traces.is_empty() || self.origins.has_grown() {
            self.origins.prune();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{attributes, span};
    use crate::transactions::payload::Payload;
    use opentelemetry_proto::tonic::trace::v1::Span;
    use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
    use serde_json::Value;

    const BOUNDS: Bounds = Bounds {
        timeout: Duration::from_secs(10),
        spans: 1_000,
        bytes: 20_000_000,
    };

    fn made(trace: u8, id: u8, parent: u8, flags: u32) -> Span {
        let mut span = span("work", SpanKind::Internal, &[]);
        span.trace_id = vec![trace; 16];
        span.span_id = vec![id; 8];
        span.parent_span_id = vec![parent; 8];
        span.flags = flags;
        span
    }

    fn marks(payload: &Payload) -> Value {
        let event: Value = serde_json::from_slice(&payload.json).expect("JSON");
        event["contexts"]["trace"]["data"].clone()
    }

    struct Test {
        grouper: Grouper,
        start: Instant,
    }

    impl Test {
        fn new(bounds: Bounds) -> Self {
            Self {
                grouper: Grouper::new(bounds),
                start: Instant::now(),
            }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.start + Duration::from_secs(seconds)
        }

        fn add(&mut self, seconds: u64, span: &Span) -> Ready {
            let now = self.at(seconds);
            let seen = Seen::alone(span);
            let origin = self.grouper.origin(seen.resource, &Terms::default());
            let arrived = Arrived::of(&seen, origin).expect("it can be written");
            self.grouper.add(arrived, &[], now)
        }

        fn due(&mut self, seconds: u64) -> Vec<Payload> {
            let now = self.at(seconds);
            self.grouper.due(now).payloads
        }
    }

    #[test]
    fn a_trace_is_complete_some_time_after_its_last_span() {
        let mut test = Test::new(BOUNDS);
        test.add(0, &made(1, 2, 1, 0x100));
        test.add(9, &made(1, 1, 0, 0x100));
        // The first span's: that another one came is seen then.
        assert_eq!(test.grouper.first_due(), Some(test.at(10)));
        assert!(test.due(18).is_empty());
        assert_eq!(test.grouper.first_due(), Some(test.at(19)));
        let payloads = test.due(19);
        assert_eq!(payloads.len(), 1);
        assert_eq!(payloads[0].spans, 2);
        assert_eq!(
            (
                test.grouper.spans(),
                test.grouper.bytes(),
                test.grouper.traces()
            ),
            (0, 0, 0)
        );
    }

    #[test]
    fn a_trace_that_does_not_end_does_not_wait_for_ever() {
        let mut test = Test::new(BOUNDS);
        for second in 0..60 {
            assert!(test.due(second).is_empty());
            test.add(second, &made(1, 1, 0, 0x100));
        }
        let now = test.at(60);
        let ready = test.grouper.due(now);
        assert_eq!((ready.payloads.len(), ready.repeated), (1, 59));
    }

    #[test]
    fn late_children_are_marked_and_kept_together() {
        let mut test = Test::new(BOUNDS);
        test.add(0, &made(1, 1, 0, 0x100));
        assert_eq!(test.due(10).len(), 1);
        test.add(11, &made(1, 3, 2, 0x100));
        test.add(12, &made(1, 2, 1, 0x100));
        test.add(12, &made(1, 5, 4, 0x100));
        let payloads = test.due(22);
        assert_eq!(
            payloads
                .iter()
                .map(|payload| payload.spans)
                .collect::<Vec<_>>(),
            [2, 1]
        );
        assert_eq!(marks(&payloads[0])["sentry.parent_span_already_sent"], true);
        assert_eq!(marks(&payloads[1])["sentry_otlp.parent_span_missing"], true);
    }

    #[test]
    fn the_oldest_goes_early_when_there_are_too_many() {
        let bounds = Bounds { spans: 2, ..BOUNDS };
        let mut test = Test::new(bounds);
        test.add(0, &made(1, 1, 0, 0x100));
        test.add(0, &made(2, 1, 0, 0x100));
        let ready = test.add(0, &made(3, 1, 0, 0x100));
        assert_eq!(ready.payloads.len(), 1);
        assert_eq!(ready.payloads[0].trace_id, "01".repeat(16));
        assert_eq!(test.grouper.spans(), 2);
    }

    #[test]
    fn the_oldest_goes_early_when_it_is_too_much() {
        let bounds = Bounds { bytes: 1, ..BOUNDS };
        let mut test = Test::new(bounds);
        assert_eq!(test.add(0, &made(1, 1, 0, 0x100)).payloads.len(), 1);
        assert_eq!(test.grouper.bytes(), 0);
    }

    #[test]
    fn a_trace_that_comes_again_has_its_own_time() {
        let mut test = Test::new(Bounds { spans: 1, ..BOUNDS });
        test.add(0, &made(1, 1, 0, 0x100));
        test.add(1, &made(2, 1, 0, 0x100));
        test.add(5, &made(1, 2, 1, 0x100));
        assert!(test.due(14).is_empty());
        assert_eq!(test.due(15).len(), 1);
        assert!(test.grouper.arrived.is_empty() && test.grouper.deadlines.is_empty());
    }

    #[test]
    fn all_that_waits_can_be_had() {
        let mut test = Test::new(BOUNDS);
        test.add(0, &made(1, 1, 0, 0x100));
        test.add(0, &made(2, 1, 0, 0x100));
        assert_eq!(test.grouper.drain().payloads.len(), 2);
        assert_eq!(test.grouper.spans(), 0);
    }

    #[test]
    fn what_is_ready_comes_in_portions() {
        let mut test = Test::new(BOUNDS);
        let long = "x".repeat(500_000);
        for trace in 1..=20 {
            let mut span = made(trace, 1, 0, 0x100);
            span.attributes = attributes(&[("text", &long)]);
            test.add(0, &span);
        }
        let now = test.at(10);
        let first = test.grouper.due(now);
        assert_eq!((first.payloads.len(), first.more), (9, true));
        let second = test.grouper.drain();
        assert_eq!((second.payloads.len(), second.more), (9, true));
        let last = test.grouper.due(now);
        assert_eq!((last.payloads.len(), last.more), (2, false));
    }

    #[test]
    fn an_endless_timeout_is_no_panic() {
        let mut test = Test::new(Bounds {
            timeout: Duration::MAX,
            ..BOUNDS
        });
        test.add(0, &made(1, 1, 0, 0x100));
        assert!(test.due(1_000).is_empty());
    }
}
