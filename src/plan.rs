//! What a run will do, as a tree, and the windows of each partition. Pure: no I/O and no clock.

use crate::catalog::{Selected, Selection};
use crate::config::Settings;
use crate::state::{Bookmarks, Partition};
use crate::streams::{Replication, STREAMS, StreamDef};
use chrono::{DateTime, TimeDelta, Utc};

/// Sentry keeps and lists 90 days on its paid plans; self-hosted servers may keep more.
pub const RETENTION: TimeDelta = TimeDelta::days(90);
/// Windows are not made smaller than this, however often the server refuses them.
pub const LEAST_WINDOW: TimeDelta = TimeDelta::hours(1);

/// One stream in the tree of the run.
#[derive(Debug)]
pub struct Node {
    pub def: &'static StreamDef,
    /// `None`: walked for its children, not written.
    pub emit: Option<Selected>,
    pub children: Vec<Node>,
}

impl Node {
    /// This node and all below it.
    pub fn streams(&self) -> Vec<&'static str> {
        std::iter::once(self.def.name).chain(self.children.iter().flat_map(Self::streams)).collect()
    }

    fn ignores_bookmark(&self) -> bool {
        self.emit.as_ref().is_some_and(|selected| selected.ignore_bookmark)
    }

    /// The nodes of this subtree whose progress is a bookmark of their own.
    pub fn incremental(&self) -> Vec<&Self> {
        let own = (self.emit.is_some() && self.def.replication_key().is_some()).then_some(self);
        own.into_iter().chain(self.children.iter().flat_map(Self::incremental)).collect()
    }
}

/// The selected streams as a tree, with the parents that they need.
pub fn tree(selection: Selection) -> Vec<Node> {
    let mut selected: Vec<Option<Selected>> = STREAMS.iter().map(|_| None).collect();
    for stream in selection.0 {
        let i = STREAMS.iter().position(|def| def.name == stream.def.name);
        selected[i.expect("selected streams are of the table")] = Some(stream);
    }
    STREAMS.iter().filter(|def| def.parent.is_none()).filter_map(|def| subtree(def, &mut selected)).collect()
}

fn subtree(def: &'static StreamDef, selected: &mut [Option<Selected>]) -> Option<Node> {
    let i = STREAMS.iter().position(|d| d.name == def.name)?;
    let emit = selected[i].take();
    let children: Vec<_> = def.children().filter_map(|child| subtree(child, selected)).collect();
    (emit.is_some() || !children.is_empty()).then_some(Node { def, emit, children })
}

/// A half-open span of time: `start <= t < end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

impl Window {
    pub fn length(&self) -> TimeDelta {
        self.end - self.start
    }

    /// Two halves at a whole second.
    pub fn halves(&self) -> [Self; 2] {
        let middle = self.start + TimeDelta::seconds(self.length().num_seconds() / 2);
        [Self { end: middle, ..*self }, Self { start: middle, ..*self }]
    }

    /// Pieces of `length`, oldest first; the last may be shorter.
    pub fn pieces(&self, length: TimeDelta) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut start = self.start;
        while start < self.end {
            let end = (start + length).min(self.end);
            pieces.push(Self { start, end });
            start = end;
        }
        pieces
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = crate::time::format_instant;
        write!(f, "{} to {}", text(self.start), text(self.end))
    }
}

/// Where the streams of one partition start in this run.
#[derive(Debug, Clone)]
pub struct Starts(Vec<Start>);

#[derive(Debug, Clone)]
struct Start {
    stream: &'static str,
    /// By the bookmark.
    resume: DateTime<Utc>,
    /// Also by the refresh of records that change without a new key.
    low: DateTime<Utc>,
}

impl Starts {
    /// `node` is an incremental stream with a walk of its own.
    pub fn new(node: &Node, partition: &Partition, settings: &Settings, bookmarks: &Bookmarks) -> Self {
        let starts = node.incremental().into_iter().map(|node| {
            let bookmark = bookmarks.start(node.def.name, partition).filter(|_| !node.ignores_bookmark());
            let resume = bookmark.map_or(settings.start_date, |bookmark| (bookmark - settings.lookback).max(settings.start_date));
            let low = match node.def.replication {
                Replication::Incremental { refresh: true, .. } => resume.min((settings.end - settings.issue_refresh).max(settings.start_date)),
                _ => resume,
            };
            Start { stream: node.def.name, resume: whole_second(resume), low: whole_second(low) }
        });
        Self(starts.collect())
    }

    /// From where the stream itself is written; `None` when it is only walked.
    pub fn own(&self, node: &Node) -> Option<DateTime<Utc>> {
        self.0.iter().find(|start| start.stream == node.def.name).map(|start| start.low)
    }

    /// From where the stream is walked, for itself and for all below it.
    pub fn walked(&self, node: &Node) -> Option<DateTime<Utc>> {
        let streams = node.streams();
        self.0.iter().filter(|start| streams.contains(&start.stream)).map(|start| start.low).min()
    }
}

/// The windows of one partition, oldest first. The first also spans the refresh: it needs no steps of its own.
pub fn windows(node: &Node, starts: &Starts, settings: &Settings) -> Vec<Window> {
    let resume = starts.0.iter().map(|start| start.resume).min();
    let low = starts.0.iter().map(|start| start.low).min();
    let (Some(from), Some(low)) = (resume, low) else { return Vec::new() };
    let whole = Window { start: from.min(settings.end), end: settings.end };
    let mut windows = match node.def.walk() {
        Some(walk) if walk.windowed => {
            // What is older than the usual retention is mostly empty: one span, to be probed before it is cut.
            let recent = (settings.now - RETENTION).clamp(whole.start, whole.end);
            let old = Window { end: whole_second(recent), ..whole };
            let recent = Window { start: old.end, ..whole };
            std::iter::once(old).filter(|w| w.start < w.end).chain(recent.pieces(settings.window)).collect()
        }
        _ => vec![whole],
    };
    if windows.is_empty() && low < settings.end {
        windows.push(whole);
    }
    if let Some(first) = windows.first_mut() {
        first.start = first.start.min(low);
    }
    windows.retain(|window| window.start < window.end);
    windows
}

/// Event times are whole seconds; a window must not start inside one.
fn whole_second(instant: DateTime<Utc>) -> DateTime<Utc> {
    chrono::SubsecRound::trunc_subsecs(instant, 0)
}

/// Which part of a partition's span is finished without a hole, whatever order its windows end in.
#[derive(Debug)]
pub struct Progress {
    reached: DateTime<Utc>,
    ahead: Vec<Window>,
}

impl Progress {
    pub fn new(start: DateTime<Utc>) -> Self {
        Self { reached: start, ahead: Vec::new() }
    }

    /// Notes a finished window; `Some(instant)` when everything before it is now finished.
    pub fn finish(&mut self, window: Window) -> Option<DateTime<Utc>> {
        self.ahead.push(window);
        let before = self.reached;
        while let Some(i) = self.ahead.iter().position(|w| w.start <= self.reached) {
            self.reached = self.reached.max(self.ahead.swap_remove(i).end);
        }
        (self.reached > before).then_some(self.reached)
    }
}
