//! The windows of one group of partitions: their list, what is below its rows, and the checkpoint of each.
//!
//! The order of what one partition sends is what keeps the state true: a window's checkpoint is sent after the
//! records of the window and of all its children, and a gap before any checkpoint that it must hold back.

use crate::report::run::Skip;
use crate::singer::queue::{Closed, Event};
use crate::singer::state::{Bookmarks, Checkpoint, Partition};
use crate::streams::interval::Interval;
use crate::streams::{PROJECTS, Search, StreamDef, Windows};
use crate::sync::children::{Children, VanishedChild};
use crate::sync::failure::{Failure, Stop, reason};
use crate::sync::limit::WindowLimit;
use crate::sync::list::{self, LOOKS, Pass, Source, Whole};
use crate::sync::listing::Listing;
use crate::sync::plan::{self, Group, Node, RETENTION};
use crate::sync::progress::Progress;
use crate::sync::row::{Reference, Row};
use crate::sync::session::{Session, tell_gone};
use crate::sync::sums::read_interval;
use chrono::{DateTime, Utc};
use futures::future::{FutureExt, LocalBoxFuture, try_join_all};
use futures::stream::{self, TryStreamExt};
use parking_lot::Mutex;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use tap_sentry_api::endpoint::Rows;
use tap_sentry_api::error::{ApiError, Kind};
use tap_sentry_api::params::Params;
use tap_sentry_api::time::format_instant;
use tap_sentry_api::window::{Window, whole_second};

/// Windows of one group under way at once: while the children of one are read, the next are listed.
const WINDOWS_AT_ONCE: usize = 4;

/// An incremental list of one group of partitions, and all that is below it.
pub struct GroupSync<'a> {
    session: &'a Session<'a>,
    bookmarks: &'a Bookmarks,
    node: &'a Node,
    windows: Windows,
    context: &'a Params,
    group: &'a Group,
}

impl<'a> GroupSync<'a> {
    pub fn new(
        session: &'a Session<'a>,
        bookmarks: &'a Bookmarks,
        node: &'a Node,
        windows: Windows,
        context: &'a Params,
        group: &'a Group,
    ) -> Self {
        Self {
            session,
            bookmarks,
            node,
            windows,
            context,
            group,
        }
    }

    /// Extracts all windows of the group.
    ///
    /// # Errors
    /// What ends the run; everything else is told as a gap.
    pub async fn run(self) -> Result<(), Stop> {
        let settings = &self.session.settings;
        let windows = plan::windows(self.node, &self.group.starts, settings);
        let name = self.node.def.name();
        if settings.end_date.is_some()
            && self.group.starts.nothing_new(settings.end)
            && self.session.is_new(&["nothing new", name])
        {
            let end = format_instant(settings.end);
            log::warn!(target: name, "{}: `end_date` {end} is before the bookmark: nothing new can come", self.context.label());
        }
        let Some(first) = windows.first() else {
            return Ok(());
        };
        let whole = Window {
            start: first.start,
            end: settings.end,
        };
        let searches = match self.nonempty_searches(whole, windows.len()).await {
            Ok(searches) => searches,
            Err(Failure::Stop(stop)) => return Err(stop),
            Err(Failure::Api(e)) => return self.give_up(whole, &e).await,
        };
        self.session.report.planned(self.node.def, whole);
        if let Some(counts) = self.session.counts {
            counts.plan(self.node, &self.group.starts, self.context, settings.end);
        }
        let nothing_listed = searches.is_empty();
        let limit = |search| {
            let limit = WindowLimit::new(settings.window);
            (search, limit.down_to(self.node.def.least_window()))
        };
        let listed = ListedWindows {
            searches: searches.into_iter().map(limit).collect(),
            children: Children::new(self.session, &self.node.children, self.context, self.group),
            progress: Mutex::new(Progress::new(first.start)),
            group: &self,
        };
        if nothing_listed {
            self.warn_retention_gap(whole);
            return listed.finished(whole).await.or_else(Failure::only_stop);
        }
        let failed = &AtomicUsize::new(0);
        let listed = &listed;
        stream::iter(windows.into_iter().map(Ok))
            .try_for_each_concurrent(WINDOWS_AT_ONCE, async |window| {
                // What follows a gap would be read again anyway: the bookmark stays at the gap.
                if failed.load(Ordering::Relaxed) > 0 {
                    return Ok(());
                }
                match listed.sync_window(window).await {
                    Ok(()) => Ok(()),
                    Err(Failure::Stop(stop)) => Err(stop),
                    Err(Failure::Api(e)) => {
                        if failed.fetch_add(1, Ordering::Relaxed) > 0 {
                            return Ok(());
                        }
                        self.give_up(window, &e).await
                    }
                }
            })
            .await
    }

    /// A window could not be listed: the group ends here, as a gap unless its project no longer exists or the server lacks
    /// the list.
    async fn give_up(&self, window: Window, error: &ApiError) -> Result<(), Stop> {
        if self.session.lacks(self.node, self.context, error).await? {
            return Ok(());
        }
        let may_be_gone = error.status() == Some(403) || error.not_there();
        if may_be_gone && self.session.is_gone(PROJECTS, self.context).await {
            tell_gone(self.node.def, self.context);
            return Ok(());
        }
        let reason = format!("{window}: {}", reason(&self.node.def.endpoint, error));
        let partitions = self.group.parts();
        Ok(self.session.gaps(self.node, partitions, &reason).await?)
    }

    /// The searches that find anything in the whole span. Most projects of a large organization are idle, and most have
    /// no feedback: one question spares those of all their windows.
    async fn nonempty_searches(
        &self,
        whole: Window,
        windows: usize,
    ) -> Result<Vec<&'static Search>, Failure> {
        let searches = self.windows.searches.iter();
        if !self.windows.windowed || windows < 2 {
            return Ok(searches.collect());
        }
        let probes = searches.map(async |search| {
            let has_rows = self.has_rows(search, whole).await?;
            Ok::<_, Failure>(has_rows.then_some(search))
        });
        Ok(try_join_all(probes).await?.into_iter().flatten().collect())
    }

    async fn has_rows(&self, search: &Search, window: Window) -> Result<bool, Failure> {
        let def = self.node.def;
        has_rows(self.session, def, self.context, self.group, search, window).await
    }

    /// Settles what did not exist below the rows of a window that another list has listed, and sends the checkpoint.
    ///
    /// # Errors
    /// What ends the run; everything else is told as a gap.
    pub async fn settle(
        self,
        window: Window,
        listed: Vec<Reference>,
        vanished: Vec<VanishedChild<'a>>,
    ) -> Result<(), Stop> {
        let settings = &self.session.settings;
        let limit = |search| {
            let limit = WindowLimit::new(settings.window);
            (search, limit.down_to(self.node.def.least_window()))
        };
        let listed_windows = ListedWindows {
            searches: self.windows.searches.iter().map(limit).collect(),
            children: Children::new(self.session, &self.node.children, self.context, self.group),
            progress: Mutex::new(Progress::new(window.start)),
            group: &self,
        };
        let settled = async {
            listed_windows.look_again(window, listed, vanished).await?;
            listed_windows.finished(window).await
        };
        match settled.await {
            Ok(()) => Ok(()),
            Err(Failure::Stop(stop)) => Err(stop),
            Err(Failure::Api(e)) => self.give_up(window, &e).await,
        }
    }

    fn warn_retention_gap(&self, empty: Window) {
        let def = self.node.def;
        warn_retention_gap(self.session, self.bookmarks, def, self.context, empty);
    }
}

/// Says from when on nothing is listed because it is older than the retention: for a bookmark that was left too long by
/// project, for a `start_date` once.
pub fn warn_retention_gap(
    session: &Session<'_>,
    bookmarks: &Bookmarks,
    def: &StreamDef,
    place: &Params,
    empty: Window,
) {
    let old = Window {
        end: empty.end.min(session.settings.now - RETENTION),
        ..empty
    };
    let name = def.name();
    if old.start >= old.end {
        return;
    }
    let days = RETENTION.num_days();
    let why = if def
        .windows()
        .is_some_and(|windows| windows.activity.is_some())
    {
        format!(
            "Sentry lists an issue only while it has events in its retention, usually {days} days"
        )
    } else {
        format!("Sentry keeps what it lists for its retention, usually {days} days")
    };
    if bookmarks.start(name, &Partition::of(place)).is_some() {
        log::warn!(target: name, "{}: the bookmark is older than what Sentry lists; nothing is listed from {old}: {why}", place.label());
    } else if session.is_new(&["start_date before the retention"]) {
        log::warn!(target: name, "`start_date` is older than what Sentry lists; nothing is listed from {old}: {why}");
    }
}

/// Whether a search finds anything in a window.
///
/// # Errors
/// As the list's own.
pub async fn has_rows(
    session: &Session<'_>,
    def: &'static StreamDef,
    place: &Params,
    group: &Group,
    search: &Search,
    window: Window,
) -> Result<bool, Failure> {
    let silent = Node::silent(def);
    let mut listing = Listing::new(session, &silent, place.clone());
    listing.query = search.parameters();
    listing.projects = &group.projects;
    listing.probe = Some(1);
    let page = listing.open(Some(window)).next().await;
    match page {
        Ok(page) => Ok(page.is_some_and(|page| {
            !page.rows.is_empty() || page.more || page.hits.is_some_and(|hits| hits > 0)
        })),
        // The windows are smaller.
        Err(Failure::Api(ApiError {
            kind: Kind::QueryTooLarge { .. },
            ..
        })) => Ok(true),
        Err(Failure::Api(error)) if is_before_retention(def, &error) => Ok(false),
        Err(failure) => tolerate(search, def, failure).map(|()| false),
    }
}

/// Sends the checkpoint of a group up to `reached`.
///
/// # Errors
/// When the writer is gone.
pub async fn checkpoint(
    session: &Session<'_>,
    node: &Node,
    group: &Group,
    reached: DateTime<Utc>,
) -> Result<(), Closed> {
    // What is still to come when the run ends is for later runs.
    let start = reached.min(whole_second(session.settings.now));
    let ignores_bookmark = |node: &Node| node.emit.as_ref().is_some_and(|s| s.ignore_bookmark);
    let streams = node.incremental().into_iter();
    let streams = streams.filter(|node| !ignores_bookmark(node));
    let checkpoints = streams.flat_map(|node| {
        group.partitions.iter().map(|partition| Checkpoint {
            stream: node.def.name(),
            partition: partition.clone(),
            start,
        })
    });
    let event = Event::Checkpoints(checkpoints.collect());
    session.sender.send(event).await
}

/// The windows of a group in which something is listed.
struct ListedWindows<'a> {
    group: &'a GroupSync<'a>,
    /// Those that find anything, each with what the server has refused of it.
    searches: Vec<(&'static Search, WindowLimit)>,
    children: Children<'a>,
    progress: Mutex<Progress>,
}

impl<'a> ListedWindows<'a> {
    /// One window with all that is below its rows, and its checkpoint.
    ///
    /// What is older than the usual retention is mostly empty: such a window is halved while it holds anything, so that
    /// whole years are passed over with one question.
    fn sync_window(&self, window: Window) -> LocalBoxFuture<'_, Result<(), Failure>> {
        let GroupSync {
            session, windows, ..
        } = self.group;
        let settings = &session.settings;
        async move {
            if windows.windowed
                && window.length() > settings.window
                && window.end <= settings.now - RETENTION
            {
                let probes = self.searches.iter();
                let probes = probes.map(|(search, _)| self.group.has_rows(search, window));
                if try_join_all(probes).await?.contains(&true) {
                    let interval = self.group.node.def.interval;
                    let halves = interval.map_or_else(|| window.halves(), |one| one.halves(window));
                    for half in halves {
                        self.sync_window(half).await?;
                    }
                    return Ok(());
                }
                self.group.warn_retention_gap(window);
            } else {
                self.read_window(window).await?;
            }
            self.finished(window).await
        }
        .boxed_local()
    }

    /// Sends the checkpoint of what is finished without a gap.
    async fn finished(&self, window: Window) -> Result<(), Failure> {
        let GroupSync {
            session,
            node,
            group,
            ..
        } = self.group;
        session.report.finished(node.def, window);
        let reached = {
            let mut progress = self.progress.lock();
            progress.finish(window)
        };
        match reached {
            Some(reached) => Ok(checkpoint(session, node, group, reached).await?),
            None => Ok(()),
        }
    }

    /// The rows of one window, and then their children.
    async fn read_window(&self, window: Window) -> Result<(), Failure> {
        let GroupSync {
            session,
            node,
            context,
            group,
            windows,
            ..
        } = self.group;
        if let Some(sums) = windows.sums {
            let searches = windows.searches.iter();
            let searches = searches
                .map(|search| read_interval(session, node, context, group, (sums, search), window));
            return try_join_all(searches).await.map(drop);
        }
        let listed = self.list_window(window).await?;
        let vanished = self.children.of_window(window, &listed, None).await?;
        self.look_again(window, listed, vanished).await
    }

    /// Settles what does not exist though its row was listed.
    ///
    /// A row whose child does not exist has vanished since it was listed: deleted, or merged into a row that may have been
    /// read already. The list tells which, so it is read again, and of its rows those that are new or have changed.
    async fn look_again(
        &self,
        window: Window,
        mut listed: Vec<Reference>,
        mut vanished: Vec<VanishedChild<'a>>,
    ) -> Result<(), Failure> {
        let (node, context) = (self.group.node, self.group.context);
        for _ in 0..LOOKS {
            if vanished.is_empty() {
                return Ok(());
            }
            log::info!(target: node.def.name(), "{}: {window}: rows no longer exist; listing it again", context.label());
            listed.retain(|row| vanished.iter().all(|child| child.bind != row.bind));
            let read: HashSet<Reference> = listed.into_iter().collect();
            listed = self.list_window(window).await?;
            for child in &vanished {
                if listed.iter().all(|row| child.bind != row.bind) {
                    self.no_longer_listed(child).await?;
                }
            }
            // Each by itself: rows that were read once for all windows, or of all parents together, predate the change.
            let due = listed.iter().filter(|row| !read.contains(row));
            let due: Vec<Reference> = due
                .map(|row| Reference {
                    total: None,
                    together: false,
                    ..row.clone()
                })
                .collect();
            vanished = self.children.of_window(window, &due, None).await?;
        }
        for child in vanished {
            self.still_listed(child).await?;
        }
        Ok(())
    }

    /// A row that is no longer listed is a gap only if it still answers itself.
    async fn no_longer_listed(&self, child: &VanishedChild<'_>) -> Result<(), Failure> {
        let GroupSync {
            session,
            node,
            context,
            group,
            ..
        } = self.group;
        let context = context.with(&child.bind);
        if session.is_gone(node.def, &context).await {
            tell_gone(child.node.def, &context);
            return Ok(());
        }
        let (place, error) = (context.label(), &child.error);
        let reason = format!("{place}: {error}, though it answers itself");
        Ok(session.gaps(child.node, group.parts(), &reason).await?)
    }

    /// Sentry hides what is being merged into another row, so an object stays as it is: what is younger than the look-back
    /// is asked for again anyway. A list is a gap.
    async fn still_listed(&self, child: VanishedChild<'_>) -> Result<(), Failure> {
        let GroupSync {
            session,
            context,
            group,
            ..
        } = self.group;
        let VanishedChild { node, bind, error } = child;
        let row = context.with(&bind).label();
        if node.def.endpoint.rows == Rows::Object {
            let skip = Skip {
                stream: node.def.name(),
                row,
                reason: format!("{error}, though it is listed"),
                missing: true,
            };
            return Ok(session.skip(skip).await?);
        }
        let reason = format!("{row}: {error}, though it is listed");
        Ok(session.gaps(node, group.parts(), &reason).await?)
    }

    /// What all searches of a window list, each row once.
    async fn list_window(&self, window: Window) -> Result<Vec<Reference>, Failure> {
        let searches = self.searches.iter();
        let searches = searches.map(|(search, limit)| self.search(search, limit, window));
        let mut seen = HashSet::new();
        let mut listed: Vec<Reference> = try_join_all(searches)
            .await?
            .into_iter()
            .flatten()
            .collect();
        listed.retain(|row| seen.insert(row.bind.clone()));
        Ok(listed)
    }

    /// What one search lists in a window. Where it had to be asked for in parts, a row may be in several of them: it is
    /// returned once, with the sum of their counts.
    async fn search(
        &self,
        search: &Search,
        limit: &WindowLimit,
        window: Window,
    ) -> Result<Vec<Reference>, Failure> {
        let GroupSync { node, context, .. } = self.group;
        let Some(interval) = node.def.interval else {
            return self
                .search_at((*context).clone(), search, limit, window)
                .await;
        };
        let mut listed = Vec::new();
        for window in window.pieces(interval.length()) {
            let start = format_instant(window.start);
            let place = context.with(&[(Interval::START, start)]);
            listed.extend(self.search_at(place, search, limit, window).await?);
        }
        Ok(merged(listed.into_iter()))
    }

    /// The same with the columns that a place gives.
    async fn search_at(
        &self,
        place: Params,
        search: &Search,
        limit: &WindowLimit,
        window: Window,
    ) -> Result<Vec<Reference>, Failure> {
        let GroupSync {
            session,
            node,
            context,
            group,
            ..
        } = self.group;
        let mut listing = Listing::new(session, node, place);
        listing.query = search.parameters();
        listing.projects = &group.projects;
        listing.emit &= group
            .starts
            .own(node)
            .is_some_and(|start| start < window.end);
        let whole = match Whole::of(&node.def.endpoint) {
            Whole::ByOffset => Whole::ByOffset,
            whole if self.group.windows.activity.is_none() => whole,
            _ => Whole::ByHits,
        };
        let mut found = Vec::new();
        let read = list::read(
            &listing,
            Some((window, limit)),
            whole,
            async |part, rows| {
                let references = rows.into_iter().filter_map(|row: Row| row.reference);
                found.extend(references.map(|reference| (part, reference)));
                Ok(())
            },
        );
        let seen = match read.await {
            Ok(seen) => seen,
            // What answers a first page is known to the server.
            Err(failure) if !found.is_empty() => return Err(failure),
            Err(Failure::Api(error)) if is_before_retention(node.def, &error) => {
                return Ok(Vec::new());
            }
            Err(failure) => {
                tolerate(search, node.def, failure)?;
                return Ok(Vec::new());
            }
        };
        session
            .unreadable(node, context, group.parts(), &seen.unreadable)
            .await?;
        // A part that was refused midway was read again in smaller ones.
        found.retain(|(part, _)| seen.parts.contains(part));
        Ok(merged(found.into_iter().map(|(_, row)| row)))
    }
}

/// Each row once, in the order of their first appearance.
fn merged(rows: impl Iterator<Item = Reference>) -> Vec<Reference> {
    let mut merged: Vec<Reference> = Vec::new();
    let mut places: HashMap<Vec<(&'static str, String)>, usize> = HashMap::new();
    for row in rows {
        match places.entry(row.bind.clone()) {
            Entry::Occupied(known) => merged[*known.get()].merge(&row),
            Entry::Vacant(new) => {
                new.insert(merged.len());
                merged.push(row);
            }
        }
    }
    merged
}

/// Whether a window is refused because it is older than what the server keeps. Lists that have a limit of rows say so; others
/// answer with nothing.
fn is_before_retention(def: &StreamDef, error: &ApiError) -> bool {
    def.row_limit.is_some()
        && matches!(&error.kind, Kind::Status { status: 400, detail, .. } if detail.contains("Invalid date range"))
}

/// An older server does not know an optional search.
fn tolerate(search: &Search, def: &StreamDef, failure: Failure) -> Result<(), Failure> {
    match failure {
        Failure::Api(e) if is_refused_search(search, &e) => {
            tell_refused_search(def, &e);
            Ok(())
        }
        failure => Err(failure),
    }
}

pub fn tell_refused_search(def: &StreamDef, error: &ApiError) {
    log::warn!(target: def.name(), "{error}; this server has nothing that the search would find");
}

/// Whether an optional search is one that the server does not know. One that is too much for it is known.
pub fn is_refused_search(search: &Search, error: &ApiError) -> bool {
    search.optional
        && error.status() == Some(400)
        && !matches!(error.kind, Kind::QueryTooLarge { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Utc};

    fn row(id: &str, last: i64, count: Option<u64>) -> Reference {
        Reference {
            bind: vec![("issue_id", id.to_owned())],
            last: DateTime::<Utc>::from_timestamp(last, 0),
            born: None,
            count,
            total: Some(9),
            together: true,
            no_access: false,
        }
    }

    #[test]
    fn a_row_of_several_parts_counts_them_all() {
        let parts = [
            row("1", 10, Some(2)),
            row("2", 5, Some(1)),
            row("1", 30, Some(3)),
        ];
        let expected = [row("1", 30, Some(5)), row("2", 5, Some(1))];
        assert_eq!(merged(parts.into_iter()), expected);
    }

    #[test]
    fn a_count_that_one_part_lacks_is_unknown() {
        let parts = [row("1", 10, Some(2)), row("1", 30, None)];
        assert_eq!(merged(parts.into_iter()), [row("1", 30, None)]);
    }
}
