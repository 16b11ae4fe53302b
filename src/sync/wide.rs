//! An incremental list of many projects at once, where the answer shows that it is complete.
//!
//! A search over many projects may stop after 30 s of work and say that nothing follows. So it counts only when as many
//! rows came as `X-Hits` estimates, below the cap of that header. Otherwise, or after a refusal, a time-out or a 403, each
//! project is read on its own, as if the wide list had not been asked for: one project's trouble holds back no other.

use crate::report::run::Report;
use crate::singer::state::Bookmarks;
use crate::streams::{Search, Windows};
use crate::sync::children::Children;
use crate::sync::failure::{Failure, Stop};
use crate::sync::list::{HITS_CAP, Pass, Source};
use crate::sync::listing::{Listing, Owners};
use crate::sync::plan::{self, Group, Node, RETENTION};
use crate::sync::row::{Reference, project_of};
use crate::sync::session::Session;
use crate::sync::turn::{Taken, Turn};
use crate::sync::windows::{
    GroupSync, checkpoint, has_rows, is_refused_search, tell_refused_search, warn_retention_gap,
};
use futures::future::{FutureExt, LocalBoxFuture, join_all, try_join_all};
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use tap_sentry_api::error::ApiError;
use tap_sentry_api::page_size::PAGE_SIZE;
use tap_sentry_api::params::{PROJECT_ID, PROJECT_SLUG, Params};
use tap_sentry_api::window::Window;
use tokio::sync::Semaphore;

/// A project whose rows need more requests below them is read in windows of its own, each with its checkpoint: this is
/// 2.5 s of the hosted service's allowance.
const MOST_REQUESTS_A_CHECKPOINT: u64 = 100;
/// Why nothing is listed together on old servers.
const WITHOUT_HITS: &str = "the server does not say how many rows there are (`X-Hits`)";
/// Groups whose rows are in memory at once.
const AT_ONCE: usize = 4;

/// The lists of one stream over all projects of an organization.
pub struct WideSync<'a> {
    session: &'a Session<'a>,
    bookmarks: &'a Bookmarks,
    node: &'a Node,
    windows: Windows,
    /// Where a row tells the id of its project.
    project: &'static [&'static str],
    organization: &'a Params,
    in_memory: Semaphore,
    /// Projects that are read alone at once: as many as connections.
    alone: Semaphore,
    /// The server gives no estimates: wide lists prove nothing.
    without_hits: AtomicBool,
}

/// What a wide list has shown.
enum Listed {
    /// All rows of all its projects.
    Complete(Vec<Reference>),
    /// These searches list more rows than the estimate can count, or prove nothing; the others list these rows.
    TooMany(Vec<&'static Search>, Vec<Reference>),
    /// It proves nothing, for this reason.
    Unsure(String),
}

/// What one search has shown.
enum SearchListed {
    /// All rows of all its projects.
    Complete(Vec<Reference>),
    /// More rows than the estimate can count.
    TooMany,
    /// Nothing, if the server does not know the optional search.
    Refused(ApiError),
    /// Another number of rows than is estimated.
    Unequal { came: u64, hits: u64 },
    /// It proves nothing, for this reason.
    Unsure(String),
}

impl<'a> WideSync<'a> {
    pub fn new(
        session: &'a Session<'a>,
        bookmarks: &'a Bookmarks,
        node: &'a Node,
        windows: Windows,
        project: &'static [&'static str],
        organization: &'a Params,
    ) -> Self {
        Self {
            session,
            bookmarks,
            node,
            windows,
            project,
            organization,
            in_memory: Semaphore::new(AT_ONCE),
            alone: Semaphore::new(session.settings.connection.concurrency),
            without_hits: AtomicBool::new(false),
        }
    }

    /// Extracts the list and all that is below it, of all these projects.
    ///
    /// # Errors
    /// What ends the run; everything else is told as a gap.
    pub async fn run(&self, projects: &[Reference]) -> Result<(), Stop> {
        let settings = &self.session.settings;
        let groups = plan::groups(
            self.node,
            self.organization,
            projects,
            settings,
            self.bookmarks,
        );
        let searches = self.searches(&groups).await?;
        let groups = groups
            .into_iter()
            .map(|group| self.group(group, searches.clone(), Vec::new()));
        join_all(groups).await.into_iter().collect()
    }

    /// The searches that every group asks for. With several groups the optional ones are first asked once of all projects
    /// together: most organizations have nothing that they find.
    async fn searches(&self, groups: &[Group]) -> Result<Vec<&'static Search>, Stop> {
        let mut searches: Vec<&'static Search> = self.windows.searches.iter().collect();
        let windows = groups
            .iter()
            .flat_map(|group| plan::windows(self.node, &group.starts, &self.session.settings));
        let earliest = windows.map(|window| window.start).min();
        let Some(start) = earliest.filter(|_| groups.len() > 1) else {
            return Ok(searches);
        };
        let whole = Window {
            start,
            end: self.session.settings.end,
        };
        let node = Node::silent(self.node.def);
        let places = groups.iter().flat_map(|group| group.places.clone());
        let everything = self.session.settings.projects.is_everything();
        let starts = groups[0].starts.clone();
        let Some(all) = Group::at_once(starts, places.collect(), everything) else {
            return Ok(searches);
        };
        let mut asked = Vec::new();
        for search in searches.iter().filter(|search| search.optional) {
            let listed = self.search_once(&node, &all, search, whole).await?;
            if matches!(listed, SearchListed::Complete(rows) if rows.is_empty()) {
                asked.push(*search);
            }
        }
        searches.retain(|search| !asked.iter().any(|asked| std::ptr::eq(*asked, *search)));
        Ok(searches)
    }

    /// One group of projects that start alike. `known` is what the other searches list of it.
    fn group<'b>(
        &'b self,
        group: Group,
        searches: Vec<&'static Search>,
        known: Vec<Reference>,
    ) -> LocalBoxFuture<'b, Result<(), Stop>> {
        async move {
            let windows = plan::windows(self.node, &group.starts, &self.session.settings);
            let Some(first) = windows.first() else {
                return Ok(());
            };
            let whole = Window {
                start: first.start,
                end: self.session.settings.end,
            };
            let projects = group.places.len();
            if projects < 2 {
                return self.each_alone(group).await;
            }
            if self.without_hits.load(Ordering::Relaxed) {
                let reason = WITHOUT_HITS.to_owned();
                self.report().fell_back(self.node.def, projects, reason);
                return self.each_alone(group).await;
            }
            let permit = self.in_memory.acquire().await.expect("it is never closed");
            match self.list(&group, &searches, whole).await? {
                Listed::Complete(mut rows) => {
                    let seen: HashSet<_> = rows.iter().map(|row| row.bind.clone()).collect();
                    rows.extend(known.into_iter().filter(|row| !seen.contains(&row.bind)));
                    self.complete(group, whole, windows.len(), rows).await
                }
                Listed::TooMany(searches, rows) => {
                    drop(permit);
                    let known = [known, rows].concat();
                    let parts = group.split().into_iter().map(|part| {
                        let ids: HashSet<&str> =
                            part.places.iter().filter_map(|p| p.get(PROJECT_ID)).collect();
                        let own = known.iter().filter(|row| ids.contains(project_of(&row.bind)));
                        let own = own.cloned().collect();
                        self.group(part, searches.clone(), own)
                    });
                    let parts: Vec<_> = parts.collect();
                    drop(known);
                    join_all(parts).await.into_iter().collect()
                }
                Listed::Unsure(reason) => {
                    drop(permit);
                    log::warn!(target: self.node.def.name(), "{}: {projects} projects are asked for one by one: {reason}", self.organization.label());
                    self.report().fell_back(self.node.def, projects, reason);
                    self.each_alone(group).await
                }
            }
        }
        .boxed_local()
    }

    fn report(&self) -> &Report {
        self.session.report
    }

    /// Each project of a group on its own.
    async fn each_alone(&self, group: Group) -> Result<(), Stop> {
        let concurrency = self.session.settings.connection.concurrency;
        let starts = &group.starts;
        stream::iter(group.places.into_iter().map(Ok))
            .try_for_each_concurrent(concurrency, async |place| {
                let group = Group::of(starts.clone(), vec![place.clone()]);
                self.alone(&place, &group).await
            })
            .await
    }

    async fn alone(&self, place: &Params, group: &Group) -> Result<(), Stop> {
        let _permit = self.alone.acquire().await.expect("it is never closed");
        let (session, bookmarks) = (self.session, self.bookmarks);
        let sync = GroupSync::new(session, bookmarks, self.node, self.windows, place, group);
        sync.run().await
    }

    /// What all searches list of a group.
    async fn list(
        &self,
        group: &Group,
        searches: &[&'static Search],
        window: Window,
    ) -> Result<Listed, Stop> {
        let lists = searches
            .iter()
            .map(|search| self.search(group, search, window));
        let lists = try_join_all(lists).await?;
        let is_too_many = lists
            .iter()
            .any(|list| matches!(list, SearchListed::TooMany));
        let (mut rows, mut left, mut unsure, mut refused) = (Vec::new(), Vec::new(), None, None);
        let mut seen = HashSet::new();
        for (search, list) in searches.iter().zip(lists) {
            match list {
                SearchListed::Complete(more) => {
                    rows.extend(more.into_iter().filter(|row| seen.insert(row.bind.clone())));
                }
                SearchListed::Refused(e) => refused = Some(e),
                SearchListed::TooMany => left.push(*search),
                SearchListed::Unequal { came, hits } => {
                    left.push(*search);
                    unsure = Some(format!("{came} rows came where {hits} are estimated"));
                }
                SearchListed::Unsure(reason) => {
                    left.push(*search);
                    unsure = Some(reason);
                }
            }
        }
        // Where the other search was answered for the same projects, this one is what the server does not know.
        if let Some(e) = refused.filter(|_| is_too_many || unsure.is_none()) {
            tell_refused_search(self.node.def, &e);
        }
        Ok(match unsure {
            _ if is_too_many => Listed::TooMany(left, rows),
            Some(reason) => Listed::Unsure(reason),
            None => Listed::Complete(rows),
        })
    }

    /// What one search lists of a group. Where another number of rows came than is estimated, it is asked once more: an
    /// issue may have been deleted meanwhile.
    async fn search(
        &self,
        group: &Group,
        search: &Search,
        window: Window,
    ) -> Result<SearchListed, Stop> {
        match self.search_once(self.node, group, search, window).await? {
            SearchListed::Unequal { .. } => {
                self.search_once(self.node, group, search, window).await
            }
            listed => Ok(listed),
        }
    }

    async fn search_once(
        &self,
        node: &Node,
        group: &Group,
        search: &Search,
        window: Window,
    ) -> Result<SearchListed, Stop> {
        let owners = Owners::new(self.project, &group.places);
        let mut listing = Listing::new(self.session, node, self.organization.clone());
        listing.query = search.parameters();
        listing.projects = &group.projects;
        listing.owners = Some(&owners);
        let own = group.starts.own(node);
        listing.emit &= own.is_some_and(|start| start < window.end);
        let mut pages = listing.open(Some(window));
        let (mut keys, mut rows) = (HashSet::new(), Vec::new());
        let (mut hits, mut skipped, mut first) = (None, 0, true);
        loop {
            let page = match pages.next().await {
                Ok(Some(page)) => page,
                Ok(None) => break,
                Err(Failure::Stop(stop)) => return Err(stop),
                Err(Failure::Api(e)) if first && is_refused_search(search, &e) => {
                    return Ok(SearchListed::Refused(e));
                }
                Err(Failure::Api(e)) => return Ok(SearchListed::Unsure(e.to_string())),
            };
            hits = hits.or(page.hits);
            let is_empty = page.rows.is_empty() && page.others.is_empty() && page.skipped == 0;
            match hits {
                // Sentry counts nothing where it finds nothing (`empty_result` of its `search/snuba/executors.py`; seen on
                // 21.1). Without a `Link` it would mean that no project can be read.
                None if first && is_empty && page.ends => {
                    return Ok(SearchListed::Complete(Vec::new()));
                }
                None => {
                    self.without_hits.store(true, Ordering::Relaxed);
                    return Ok(SearchListed::Unsure(WITHOUT_HITS.to_owned()));
                }
                Some(HITS_CAP..) => return Ok(SearchListed::TooMany),
                Some(_) => {}
            }
            first = false;
            skipped += page.skipped;
            keys.extend(page.others);
            for row in page.rows {
                if keys.insert(row.key) {
                    rows.extend(row.reference);
                }
            }
        }
        let came = (keys.len() + skipped) as u64;
        Ok(match hits {
            Some(hits) if hits != came => SearchListed::Unequal { came, hits },
            _ => SearchListed::Complete(rows),
        })
    }

    /// All that is below the rows of a group, whose list over the whole time is complete.
    async fn complete(
        &self,
        group: Group,
        whole: Window,
        windows: usize,
        rows: Vec<Reference>,
    ) -> Result<(), Stop> {
        self.warn_of_retention(&group, whole).await?;
        let mut by_project: HashMap<String, Vec<Reference>> = HashMap::new();
        for row in rows {
            by_project
                .entry(project_of(&row.bind).to_owned())
                .or_default()
                .push(row);
        }
        let starts = &group.starts;
        let (mut idle, mut heavy, mut active) = (Vec::new(), Vec::new(), Vec::new());
        for place in group.places {
            let rows = by_project.remove(place.get(PROJECT_ID).unwrap_or_default());
            match rows {
                None => idle.push(place),
                Some(rows)
                    if windows > 1 && self.requests_below(&rows) > MOST_REQUESTS_A_CHECKPOINT =>
                {
                    heavy.push(place);
                }
                Some(rows) => active.push((place, rows)),
            }
        }
        let idle = Group::of(starts.clone(), idle);
        self.plan(&idle, whole);
        self.finished(&idle, whole).await?;
        let (turn, concurrency) = (
            Turn::default(),
            self.session.settings.connection.concurrency,
        );
        let active = active.into_iter().map(|(place, rows)| {
            let turn = &turn;
            async move {
                let turn = turn.take().await;
                let group = Group::of(starts.clone(), vec![place.clone()]);
                self.project(&place, &group, whole, rows, turn).await
            }
            .boxed_local()
        });
        let heavy = heavy.into_iter().map(|place| {
            async move {
                let group = Group::of(starts.clone(), vec![place.clone()]);
                self.alone(&place, &group).await
            }
            .boxed_local()
        });
        stream::iter(active.chain(heavy))
            .buffer_unordered(concurrency)
            .try_collect()
            .await
    }

    /// Requests that the rows' children need: a page for each hundred rows that the list counts.
    fn requests_below(&self, rows: &[Reference]) -> u64 {
        let pages = |row: &Reference| row.count.unwrap_or(0).div_ceil(PAGE_SIZE as u64).max(1);
        self.node.children.len() as u64 * rows.iter().map(pages).sum::<u64>()
    }

    fn plan(&self, group: &Group, whole: Window) {
        self.report().planned(self.node.def, whole);
        if let Some(counts) = self.session.counts {
            for place in &group.places {
                counts.plan(self.node, &group.starts, place, whole.end);
            }
        }
    }

    async fn finished(&self, group: &Group, whole: Window) -> Result<(), Stop> {
        self.report().finished(self.node.def, whole);
        Ok(checkpoint(self.session, self.node, group, whole.end).await?)
    }

    /// All that is below the rows of one project, and its checkpoint.
    async fn project(
        &self,
        place: &Params,
        group: &Group,
        whole: Window,
        rows: Vec<Reference>,
        turn: Taken<'_>,
    ) -> Result<(), Stop> {
        self.plan(group, whole);
        let rows: Vec<Reference> = rows.into_iter().map(own_part).collect();
        let children = Children::new(self.session, &self.node.children, place, group);
        let vanished = children.of_window(whole, &rows, Some(turn)).await;
        let vanished = vanished.or_else(Failure::only_stop)?;
        if vanished.is_empty() {
            return self.finished(group, whole).await;
        }
        // A row whose child does not exist was deleted or merged meanwhile: its project is listed again, on its own.
        let (session, bookmarks) = (self.session, self.bookmarks);
        let sync = GroupSync::new(session, bookmarks, self.node, self.windows, place, group);
        sync.settle(whole, rows, vanished).await
    }

    /// Says from when on nothing is listed, where the group starts before the usual retention.
    async fn warn_of_retention(&self, group: &Group, whole: Window) -> Result<(), Stop> {
        let old = Window {
            end: whole.end.min(self.session.settings.now - RETENTION),
            ..whole
        };
        if !self.windows.windowed || old.start >= old.end {
            return Ok(());
        }
        let probes = self.windows.searches.iter().map(|search| {
            has_rows(
                self.session,
                self.node.def,
                self.organization,
                group,
                search,
                old,
            )
        });
        let listed = match try_join_all(probes).await {
            Ok(listed) => listed.contains(&true),
            Err(Failure::Stop(stop)) => return Err(stop),
            // What cannot be asked is not told.
            Err(Failure::Api(_)) => true,
        };
        if !listed {
            for place in &group.places {
                warn_retention_gap(self.session, self.bookmarks, self.node.def, place, old);
            }
        }
        Ok(())
    }
}

/// A row as the list of its own project has it: what it tells of the project is known there.
fn own_part(mut row: Reference) -> Reference {
    row.bind
        .retain(|(name, _)| ![PROJECT_ID, PROJECT_SLUG].contains(name));
    row
}
