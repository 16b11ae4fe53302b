//! The streams below listed rows: a list or an object for each row, and what is below that in turn.

use crate::singer::state::Partition;
use crate::sync::by_project::{ByProject, fits_a_page, is_faster};
use crate::sync::failure::{Failure, reason};
use crate::sync::limit::WindowLimits;
use crate::sync::list::{self, Missing, Whole};
use crate::sync::listing::Listing;
use crate::sync::plan::{Group, Node, RETENTION, Starts};
use crate::sync::row::{Reference, Row};
use crate::sync::session::{Session, tell_gone};
use crate::sync::turn::Taken;
use chrono::{DateTime, Utc};
use futures::future::{FutureExt, LocalBoxFuture, join_all};
use futures::stream::{self, TryStreamExt};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tap_sentry_api::error::ApiError;
use tap_sentry_api::params::Params;
use tap_sentry_api::window::{Window, whole_second};
use tokio::sync::OnceCell;
use xxhash_rust::xxh3::xxh3_128;

/// After so many lists of one stream have failed in succession the rest is not tried: the server is down.
const FAILURES_IN_A_ROW: usize = 5;
/// Parents of one partition that are read once for all windows; more would cost memory.
const MAX_READ_ONCE: usize = 20_000;

/// A part of the run's time in which the rows below a row are asked for.
#[derive(Clone, Copy)]
pub struct ChildWindow<'a> {
    pub window: Window,
    pub starts: &'a Starts,
    pub limits: &'a WindowLimits,
    /// How many rows the list above counts in the window.
    pub expected: Option<u64>,
    /// Asked for in the list of the whole project.
    by_project: Option<&'a ByProject>,
    /// Where the instants of the rows are noted. Epoch seconds.
    instants: Option<&'a Mutex<Vec<i64>>>,
}

impl<'a> ChildWindow<'a> {
    /// All of the rows in a window, which nobody has counted.
    pub fn new(window: Window, starts: &'a Starts, limits: &'a WindowLimits) -> Self {
        Self {
            window,
            starts,
            limits,
            expected: None,
            by_project: None,
            instants: None,
        }
    }
}

/// A parent whose rows are read to the end of the run by one window for all.
#[derive(Clone)]
struct ReadOnce {
    /// How many rows the parent had in all when they were asked for.
    total: Option<u64>,
    /// The instants of its rows, once they have been read, in epoch seconds; or why they cannot be.
    rows: Arc<OnceCell<Result<Vec<i64>, ApiError>>>,
}

/// The child of a listed row that does not exist, in Sentry's own words.
pub struct VanishedChild<'a> {
    pub node: &'a Node,
    /// What the listed row told.
    pub bind: Vec<(&'static str, String)>,
    pub error: ApiError,
}

/// The streams below the rows of one group's list.
pub struct Children<'a> {
    session: &'a Session<'a>,
    nodes: &'a [Node],
    context: &'a Params,
    group: &'a Group,
    limits: WindowLimits,
    read_once: Mutex<FxHashMap<u128, ReadOnce>>,
}

impl<'a> Children<'a> {
    pub fn new(
        session: &'a Session<'a>,
        nodes: &'a [Node],
        context: &'a Params,
        group: &'a Group,
    ) -> Self {
        Self {
            session,
            nodes,
            context,
            group,
            limits: WindowLimits::default(),
            read_once: Mutex::default(),
        }
    }

    /// All streams below the rows of a window. Returns what does not exist though its row was listed. The turn is passed
    /// on once all the rows' children are being asked for.
    ///
    /// # Errors
    /// What ends the run; everything else is told as a gap.
    pub async fn of_window(
        &self,
        window: Window,
        parents: &[Reference],
        turn: Option<Taken<'_>>,
    ) -> Result<Vec<VanishedChild<'a>>, Failure> {
        let turn = turn.map(Rc::new);
        let streams = self.nodes.iter();
        let streams = streams.map(|node| self.child_stream(node, window, parents, turn.clone()));
        let streams: Vec<_> = streams.collect();
        drop(turn);
        let vanished: Result<Vec<_>, _> = join_all(streams).await.into_iter().collect();
        Ok(vanished?.into_iter().flatten().collect())
    }

    /// One stream below the rows of a window.
    async fn child_stream(
        &self,
        node: &'a Node,
        window: Window,
        parents: &[Reference],
        mut turn: Option<Rc<Taken<'_>>>,
    ) -> Result<Vec<VanishedChild<'a>>, Failure> {
        let Some(start) = self.group.starts.of_subtree(node) else {
            return Ok(Vec::new());
        };
        let part = Window {
            start: start.max(window.start),
            ..window
        };
        if part.start >= part.end {
            return Ok(Vec::new());
        }
        let due: Vec<&Reference> = parents
            .iter()
            .filter(|parent| parent.last.is_none_or(|last| last >= part.start))
            .collect();
        let (due, unlisted) = self.by_project(node, window, part, due, &mut turn).await?;
        let all_asked = std::iter::from_fn(move || {
            drop(turn.take());
            None
        });
        let due = due.into_iter().chain(&unlisted).chain(all_asked);
        let failures = &AtomicUsize::new(0);
        let vanished = &Mutex::new(Vec::new());
        stream::iter(due.map(Ok))
            .try_for_each_concurrent(
                self.session.settings.connection.concurrency,
                |parent| async move {
                    if failures.load(Ordering::Relaxed) >= FAILURES_IN_A_ROW {
                        return Ok(());
                    }
                    let child = self.child_of(node, window, part, parent, failures);
                    match child.await {
                        Err(Failure::Api(error)) if error.not_there() => {
                            vanished.lock().push(VanishedChild {
                                node,
                                bind: parent.bind.clone(),
                                error,
                            });
                            Ok(())
                        }
                        Err(Failure::Api(e))
                            if self.session.lacks(node, self.context, &e).await? =>
                        {
                            Ok(())
                        }
                        Err(Failure::Api(e)) => {
                            let place = self.context.with(&parent.bind).label();
                            let mut text = format!("{place}: {}", reason(&node.def.endpoint, &e));
                            if failures.load(Ordering::Relaxed) == FAILURES_IN_A_ROW {
                                text.push_str("; the rest of the list is not tried");
                            }
                            let partitions = self.group.parts();
                            Ok(self.session.gaps(node, partitions, &text).await?)
                        }
                        ended => ended,
                    }
                },
            )
            .await?;
        Ok(std::mem::take(&mut *vanished.lock()))
    }

    /// Reads the rows of many parents from the list of their project, where that is faster. Returns the parents whose own
    /// lists are still to be read, and those that only the project's list has shown.
    async fn by_project<'r>(
        &self,
        node: &Node,
        window: Window,
        part: Window,
        due: Vec<&'r Reference>,
        turn: &mut Option<Rc<Taken<'_>>>,
    ) -> Result<(Vec<&'r Reference>, Vec<Reference>), Failure> {
        let own = &node.def.endpoint;
        let windows = (part, self.read_at_once(node, part));
        let Some(together) = node.def.together.filter(|together| {
            let session = self.session;
            let concurrency = session.settings.connection.concurrency;
            let list = together.endpoint;
            part == window && is_faster(session.client, concurrency, list, own, windows, &due)
        }) else {
            return Ok((due, Vec::new()));
        };
        // One page after the other: it keeps no more than one connection.
        *turn = None;
        let (parents, others): (Vec<_>, Vec<_>) = due.iter().partition(|parent| parent.together);
        let list = ByProject::of(together, parents.iter().copied());
        let within = ChildWindow {
            expected: parents.iter().map(|parent| parent.count).sum(),
            by_project: Some(&list),
            ..self.child_window(part)
        };
        let reason = match read_rows(self.session, node, self.context, Some(within)).await {
            Ok(None) => return Ok((others, list.unlisted())),
            Ok(Some(Missing { expected, found })) => {
                format!("the list of the project holds {found} rows where {expected} are counted")
            }
            Err(Failure::Api(e)) => reason(together.endpoint, &e),
            Err(stop) => return Err(stop),
        };
        let place = self.context.label();
        log::warn!(target: node.def.name(), "{place}: {reason}; asking issue by issue instead");
        Ok((due, Vec::new()))
    }

    fn child_window(&self, window: Window) -> ChildWindow<'_> {
        ChildWindow::new(window, &self.group.starts, &self.limits)
    }

    /// What is read at once of a parent whose rows fit on a page, however many windows they lie in: from the start of the
    /// group, or where the usual retention begins, to the end of the run. Windows before that ask for themselves.
    fn read_at_once(&self, node: &Node, part: Window) -> Window {
        // As the windows are cut: no query can ask for a part of a second.
        let retention = whole_second(self.session.settings.now - RETENTION);
        let start = self.group.starts.of_subtree(node).unwrap_or(part.start);
        Window {
            start: start.max(retention),
            end: self.session.settings.end,
        }
    }

    /// The entry of a parent that is read once, made now if there is none; `None` where each window asks for itself.
    fn read_once(&self, node: &Node, parent: &Reference) -> Option<ReadOnce> {
        if node.def.in_windows && !fits_a_page(&node.def.endpoint, parent) {
            return None;
        }
        let mut name = node.def.name().to_owned();
        for (_, value) in &parent.bind {
            name.push('\0');
            name.push_str(value);
        }
        let mut entries = self.read_once.lock();
        let has_room = entries.len() < MAX_READ_ONCE;
        match entries.entry(xxh3_128(name.as_bytes())) {
            Entry::Occupied(known) => Some(known.get().clone()),
            Entry::Vacant(vacant) => has_room.then(|| {
                let once = ReadOnce {
                    total: parent.total,
                    rows: Arc::default(),
                };
                vacant.insert(once).clone()
            }),
        }
        // New rows have come since it was read: this window asks for itself.
        .filter(|once| once.total == parent.total)
    }

    /// One parent's rows in a window. A list that fits on a page is read once for all windows, and an object once, by the
    /// first window that meets the parent; the others only see whether something is missing. Their checkpoints still
    /// stand behind its rows: they wait for them here. `failures` counts those in succession, of the requests made here.
    async fn child_of(
        &self,
        node: &Node,
        window: Window,
        part: Window,
        parent: &Reference,
        failures: &AtomicUsize,
    ) -> Result<(), Failure> {
        let context = parent.place(self.context, node.def);
        let within = ChildWindow {
            expected: parent.count.filter(|_| part == window),
            ..self.child_window(part)
        };
        let read = async |within: ChildWindow<'_>| {
            let read = read_rows(self.session, node, &context, Some(within)).await;
            match &read {
                Ok(_) => failures.store(0, Ordering::Relaxed),
                Err(Failure::Api(e)) if !e.not_there() => {
                    failures.fetch_add(1, Ordering::Relaxed);
                }
                Err(_) => {}
            }
            read.map(drop)
        };
        let whole = self.read_at_once(node, part);
        // It is what it is now, whatever the window.
        let is_timeless = !node.def.in_windows;
        let once = self
            .read_once(node, parent)
            .filter(|_| is_timeless || whole.start <= part.start);
        let Some(once) = once else {
            return read(within).await;
        };
        let first = async || {
            let instants = Mutex::default();
            let whole = ChildWindow {
                window: whole,
                expected: None,
                instants: Some(&instants),
                ..within
            };
            match read(whole).await {
                Ok(()) => Ok(Ok(std::mem::take(&mut *instants.lock()))),
                // What does not exist may be a merge that is under way: the window's next look asks again.
                Err(Failure::Api(e)) if !e.not_there() => Ok(Err(e)),
                Err(failure) => Err(failure),
            }
        };
        let instants = once.rows.get_or_try_init(first).await?.as_ref();
        let instants = instants.map_err(|e| Failure::from(e.clone()))?;
        let seconds = part.start.timestamp()..part.end.timestamp();
        let seen = instants.iter().filter(|at| seconds.contains(at)).count() as u64;
        // Fewer rows than the list above counts here: the answer was cut short, or they have come since.
        if !is_timeless && within.expected.is_some_and(|expected| seen < expected) {
            read(within).await?;
        }
        Ok(())
    }
}

/// All rows of one list or object at a place; see [`read_chosen`].
///
/// # Errors
/// When the list cannot be read to its end. What fails below it is told as a gap.
pub fn read_rows<'a>(
    session: &'a Session<'a>,
    node: &'a Node,
    context: &'a Params,
    within: Option<ChildWindow<'a>>,
) -> LocalBoxFuture<'a, Result<Option<Missing>, Failure>> {
    read_chosen(session, node, context, within, &[])
}

/// All rows of one list or object at a place, and of everything below it; `projects` are the values of `{projects}`.
/// Returns what the list of a whole project lacks, which the lists of the parents make up for; what any other list lacks is
/// told here.
///
/// # Errors
/// When the list cannot be read to its end. What fails below it is told as a gap.
pub fn read_chosen<'a>(
    session: &'a Session<'a>,
    node: &'a Node,
    context: &'a Params,
    within: Option<ChildWindow<'a>>,
    projects: &'a [String],
) -> LocalBoxFuture<'a, Result<Option<Missing>, Failure>> {
    async move {
        if session.is_lacking(node.def, context) {
            return Ok(None);
        }
        let mut listing = Listing::new(session, node, context.clone());
        listing.projects = projects;
        listing.by_project = within.and_then(|within| within.by_project);
        listing.want_instants = within.is_some_and(|within| within.instants.is_some());
        let newest_first = within.filter(|_| node.def.newest_first);
        listing.newest_first = newest_first.map(|within| within.window);
        let within_list = within.filter(|_| node.def.in_windows);
        let limit = within_list.map(|within| within.limits.of(node.def.name(), RETENTION));
        let window = within_list
            .map(|within| within.window)
            .zip(limit.as_deref());
        let whole = match within_list {
            // Pinned windows and counts take the place of repetition.
            Some(within) => Whole::ByCount(within.expected),
            None => Whole::of(&node.def.endpoint),
        };
        let seen = list::read(&listing, window, whole, async |_, rows: Vec<Row>| {
            if let Some(instants) = within.and_then(|within| within.instants) {
                instants
                    .lock()
                    .extend(rows.iter().filter_map(|row| row.instant));
            }
            let parents: Vec<Reference> =
                rows.into_iter().filter_map(|row| row.reference).collect();
            children_of_page(session, node, context, within, &parents).await
        })
        .await?;
        let partition = [Partition::of(context)];
        session
            .unreadable(node, context, &partition, &seen.unreadable)
            .await?;
        if listing.by_project.is_some() {
            return Ok(seen.missing);
        }
        if let (Some(Missing { expected, found }), Some(within)) = (seen.missing, within_list) {
            let short = format!(
                "the list of {} holds {found} rows where {expected} are counted",
                within.window
            );
            let place = context.label();
            if seen.split_in_small_pages {
                let reason = format!("{place}: {short}, since it is answered in small pages only");
                session.gap(node, context, &reason).await?;
            } else {
                log::warn!(target: node.def.name(), "{place}: {short}");
            }
        }
        Ok(None)
    }
    .boxed_local()
}

/// All streams below the rows of a page.
async fn children_of_page(
    session: &Session<'_>,
    node: &Node,
    context: &Params,
    within: Option<ChildWindow<'_>>,
    parents: &[Reference],
) -> Result<(), Failure> {
    if within.is_some_and(|within| within.window.start >= within.window.end) {
        return Ok(());
    }
    let streams = node.children.iter().map(async |child| {
        let start = within.and_then(|within| within.starts.of_subtree(child));
        let is_due = |last: Option<DateTime<Utc>>| last.zip(start).is_none_or(|(l, s)| l >= s);
        let due = parents.iter().filter(|parent| is_due(parent.last)).map(Ok);
        stream::iter(due)
            .try_for_each_concurrent(session.settings.connection.concurrency, async |parent| {
                let context = parent.place(context, child.def);
                let is_new = parent.born.zip(start).is_some_and(|(b, s)| b >= s);
                // What was counted and asked for together are the rows of this page, not those below them.
                let within = within.map(|within| {
                    let mut window = within.window;
                    if is_new {
                        window.start = whole_second(session.settings.start_date).min(window.start);
                    }
                    ChildWindow::new(window, within.starts, within.limits)
                });
                match read_rows(session, child, &context, within).await {
                    Err(Failure::Api(e)) if e.not_there() => {
                        tell_gone(child.def, &context);
                        Ok(())
                    }
                    Err(Failure::Api(e)) if session.lacks(child, &context, &e).await? => Ok(()),
                    Err(Failure::Api(e)) => {
                        let reason = reason(&child.def.endpoint, &e);
                        let reason = format!("{}: {reason}", context.label());
                        Ok(session.gap(child, &context, &reason).await?)
                    }
                    ended => ended.map(drop),
                }
            })
            .await
    });
    join_all(streams).await.into_iter().collect()
}
