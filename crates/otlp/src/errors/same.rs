//! The same exception, recorded by several spans of a trace: one of them goes out, that of the innermost span.

use crate::transactions::record::id;
use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use opentelemetry_proto::tonic::trace::v1::Span;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

pub type TraceId = [u8; 16];
pub type SpanId = [u8; 8];

/// How long exceptions wait for the same of other spans, and how much is kept meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// After the first of them was recorded.
    pub hold: Duration,
    /// Of exceptions that wait, in bytes. With more the oldest goes out before its time.
    pub bytes: usize,
    /// Spans whose parents are known. With more those of the oldest trace are forgotten, and its exceptions go out.
    pub spans: usize,
    /// Exceptions that went out. Of those that came before them a double would go out, too.
    pub remembered: usize,
}

/// Where a span stands in its trace.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub trace: TraceId,
    pub span: SpanId,
    /// None: it is the root.
    pub parent: Option<SpanId>,
}

impl Place {
    /// That of a span that has been checked.
    pub fn of(span: &Span) -> Self {
        let parent = id(&span.parent_span_id);
        Self {
            trace: id(&span.trace_id),
            span: id(&span.span_id),
            parent: (parent != [0; 8]).then_some(parent),
        }
    }
}

/// What tells exceptions of a trace apart, and which of the same is the innermost.
#[derive(Debug, Clone, Copy)]
pub struct Exception<'a> {
    pub kind: &'a str,
    pub message: &'a str,
    /// When it was recorded, in nanoseconds since 1970.
    pub time: u64,
    /// When the span began.
    pub start: u64,
}

/// Type and message of an exception as 128 bits, made with secrets: nobody finds two that are one.
pub type What = (u64, u64);

/// Those secrets.
#[derive(Debug, Default)]
pub struct Whats(RandomState, RandomState);

impl Whats {
    pub fn of(&self, kind: &str, message: &str) -> What {
        let text = (kind, message);
        (self.0.hash_one(text), self.1.hash_one(text))
    }
}

#[derive(Debug)]
struct Candidate<T> {
    span: SpanId,
    parent: Option<SpanId>,
    time: u64,
    start: u64,
    bytes: usize,
    item: T,
}

/// Spans and their parents. Few traces have doubles to choose from, and only then they are looked up.
#[derive(Debug, Default)]
struct Parents {
    /// As they came, since they were last looked up.
    told: Vec<(SpanId, SpanId)>,
    known: HashMap<SpanId, SpanId>,
    /// How many were told, some of them twice.
    count: usize,
}

impl Parents {
    fn tell(&mut self, span: SpanId, parent: SpanId) {
        self.told.push((span, parent));
        self.count += 1;
    }

    fn known(&mut self) -> &HashMap<SpanId, SpanId> {
        self.known.extend(self.told.drain(..));
        &self.known
    }
}

#[derive(Debug)]
struct Trace<T> {
    /// Tells it from an earlier one with the same id.
    number: u64,
    has_root: bool,
    parents: Parents,
    waiting: HashMap<What, Vec<Candidate<T>>>,
}

/// Exceptions that wait. It has no clock: time is told, and must not go back.
#[derive(Debug)]
pub struct Same<T> {
    bounds: Bounds,
    whats: Whats,
    traces: HashMap<TraceId, Trace<T>>,
    number: u64,
    /// In the order in which they came, and some that are gone.
    arrived: VecDeque<(Instant, u64, TraceId)>,
    /// The same of exceptions.
    recorded: VecDeque<(Instant, TraceId, What)>,
    /// Traces whose roots have come.
    complete: Vec<TraceId>,
    /// What goes out before its time.
    early: Vec<T>,
    sent: HashSet<(TraceId, What)>,
    sent_order: VecDeque<(TraceId, What)>,
    waiting: usize,
    bytes: usize,
    spans: usize,
    repeated: u64,
}

impl<T> Same<T> {
    /// Nothing waits yet.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            whats: Whats::default(),
            traces: HashMap::new(),
            number: 0,
            arrived: VecDeque::new(),
            recorded: VecDeque::new(),
            complete: Vec::new(),
            early: Vec::new(),
            sent: HashSet::new(),
            sent_order: VecDeque::new(),
            waiting: 0,
            bytes: 0,
            spans: 0,
            repeated: 0,
        }
    }

    /// How many exceptions wait.
    pub const fn waiting(&self) -> usize {
        self.waiting
    }

    /// What they take in memory, in bytes.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Of how many spans the parent is known.
    pub const fn spans(&self) -> usize {
        self.spans
    }

    /// How many exceptions were left out so far, as another span's went out.
    pub const fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Tells of a span, with or without exceptions: through it others are known to be inner ones. The root makes the
    /// exceptions of its trace due.
    pub fn span(&mut self, place: Place, now: Instant) {
        let number = self.number;
        let trace = self.traces.entry(place.trace).or_insert_with(|| Trace {
            number,
            has_root: false,
            parents: Parents::default(),
            waiting: HashMap::new(),
        });
        if trace.number == number {
            self.number += 1;
            self.arrived.push_back((now, number, place.trace));
        }
        match place.parent {
            Some(parent) => {
                trace.parents.tell(place.span, parent);
                self.spans += 1;
            }
            None => trace.has_root = true,
        }
        if trace.has_root && !trace.waiting.is_empty() {
            self.complete.push(place.trace);
        }
        while self.spans > self.bounds.spans {
            let Some((_, number, oldest)) = self.arrived.pop_front() else {
                break;
            };
            self.forget(number, oldest);
        }
    }

    /// Takes an exception, for which an item of so many bytes goes out if it is the innermost. False: the same of this
    /// trace has gone out, and this one is left out.
    pub fn add(
        &mut self,
        place: Place,
        exception: Exception<'_>,
        item: T,
        bytes: usize,
        now: Instant,
    ) -> bool {
        let what = self.whats.of(exception.kind, exception.message);
        if self.sent.contains(&(place.trace, what)) {
            self.span(place, now);
            self.repeated += 1;
            return false;
        }
        self.span(place, now);
        // A bound may have made it forgotten.
        let Some(trace) = self.traces.get_mut(&place.trace) else {
            self.sent((place.trace, what));
            self.early.push(item);
            return true;
        };
        let same = trace.waiting.entry(what).or_default();
        if same.is_empty() {
            self.recorded.push_back((now, place.trace, what));
        }
        let bytes = bytes + size_of::<Candidate<T>>();
        same.push(Candidate {
            span: place.span,
            parent: place.parent,
            time: exception.time,
            start: exception.start,
            bytes,
            item,
        });
        self.waiting += 1;
        self.bytes += bytes;
        if trace.has_root {
            self.complete.push(place.trace);
        }
        while self.bytes > self.bounds.bytes {
            let Some((_, trace, what)) = self.recorded.pop_front() else {
                break;
            };
            self.settle(trace, what);
        }
        true
    }

    /// When it is worth to look what has waited long enough.
    pub fn first_due(&self) -> Option<Instant> {
        let recorded = self.recorded.front().map(|(since, ..)| *since);
        if self.complete.is_empty() {
            recorded?.checked_add(self.bounds.hold)
        } else {
            recorded
        }
    }

    /// What has waited long enough, or whose trace has its root.
    pub fn due(&mut self, now: Instant) -> Vec<T> {
        for trace in std::mem::take(&mut self.complete) {
            self.settle_all(trace);
        }
        let hold = self.bounds.hold;
        let is_over = |since: Instant| now.saturating_duration_since(since) >= hold;
        while let Some((since, trace, what)) = self.recorded.front().copied() {
            if !is_over(since) && self.waits(trace, what) {
                break;
            }
            self.recorded.pop_front();
            self.settle(trace, what);
        }
        while let Some((since, number, trace)) = self.arrived.front().copied() {
            let found = self
                .traces
                .get(&trace)
                .filter(|trace| trace.number == number);
            if found.is_some() && !is_over(since) {
                break;
            }
            self.arrived.pop_front();
            match found.map(|trace| trace.waiting.is_empty()) {
                Some(true) => self.forget(number, trace),
                Some(false) => self.arrived.push_back((now, number, trace)),
                None => {}
            }
        }
        std::mem::take(&mut self.early)
    }

    /// All that waits.
    pub fn drain(&mut self) -> Vec<T> {
        while let Some((_, trace, what)) = self.recorded.pop_front() {
            self.settle(trace, what);
        }
        self.complete.clear();
        self.arrived.clear();
        self.traces.clear();
        self.spans = 0;
        std::mem::take(&mut self.early)
    }

    fn waits(&self, trace: TraceId, what: What) -> bool {
        let trace = self.traces.get(&trace);
        trace.is_some_and(|trace| trace.waiting.contains_key(&what))
    }

    /// Forgets a trace, if it is still the one that is meant; its exceptions go out.
    fn forget(&mut self, number: u64, trace: TraceId) {
        let found = self.traces.get(&trace);
        if found.is_some_and(|found| found.number == number) {
            self.settle_all(trace);
            if let Some(gone) = self.traces.remove(&trace) {
                self.spans -= gone.parents.count;
            }
        }
    }

    fn settle_all(&mut self, trace: TraceId) {
        let Some(found) = self.traces.get(&trace) else {
            return;
        };
        let all: Vec<What> = found.waiting.keys().copied().collect();
        for what in all {
            self.settle(trace, what);
        }
    }

    /// Chooses the one that goes out.
    fn settle(&mut self, trace: TraceId, what: What) {
        let Some(found) = self.traces.get_mut(&trace) else {
            return;
        };
        let Some(same) = found.waiting.remove(&what) else {
            return;
        };
        self.waiting -= same.len();
        self.bytes -= same.iter().map(|one| one.bytes).sum::<usize>();
        self.repeated += same.len() as u64 - 1;
        if let Some(item) = innermost(same, &mut found.parents) {
            self.early.push(item);
        }
        self.sent((trace, what));
    }

    fn sent(&mut self, key: (TraceId, What)) {
        if self.sent.insert(key) {
            self.sent_order.push_back(key);
        }
        while self.sent.len() > self.bounds.remembered {
            let Some(oldest) = self.sent_order.pop_front() else {
                break;
            };
            self.sent.remove(&oldest);
        }
    }
}

/// The one of a span that none of the others is known to be below. Of several the one that was recorded first: an
/// exception passes the inner spans first. Clocks may be too coarse to tell; then the span that began last.
fn innermost<T>(mut same: Vec<Candidate<T>>, parents: &mut Parents) -> Option<T> {
    if same.len() < 2 {
        return same.pop().map(|one| one.item);
    }
    let parents = parents.known();
    let mut above = HashSet::new();
    for one in &same {
        let mut outer = one.parent;
        // What is above a span that was met before was met, too.
        while let Some(span) = outer.filter(|span| above.insert(*span)) {
            outer = parents.get(&span).copied();
        }
    }
    let inner_first = |one: &Candidate<T>| {
        let is_outer = above.contains(&one.span);
        (is_outer, one.time, Reverse(one.start), one.span)
    };
    let chosen = same.into_iter().min_by_key(inner_first);
    chosen.map(|one| one.item)
}

#[cfg(test)]
mod tests;
