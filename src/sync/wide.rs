//! An incremental list of many projects at once, where the answer shows that it is complete.
//!
//! A search over many projects may stop after 30 s of work and say that nothing follows. So it counts only when as many
//! rows came as `X-Hits` estimates, below the cap of that header. Otherwise, or after a refusal, a time-out or a 403, each
//! project is read on its own, as if the wide list had not been asked for: one project's trouble holds back no other.

use crate::report::run::Report;
use crate::singer::state::Bookmarks;
use crate::streams::{Search, Windows};
use crate::sync::children::{Children, VanishedChild};
use crate::sync::failure::{Failure, Stop};
use crate::sync::list::{HITS_CAP, Pass, Source};
use crate::sync::listing::{Listing, Owners};
use crate::sync::plan::{self, Group, Node, RETENTION};
use crate::sync::row::{Reference, project_of};
use crate::sync::session::Session;
use crate::sync::windows::{
    GroupSync, checkpoint, has_rows, is_refused_search, tell_refused_search, warn_retention_gap,
};
use futures::future::{FutureExt, LocalBoxFuture, join_all, try_join_all};
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use tap_sentry_api::page_size::PAGE_SIZE;
use tap_sentry_api::params::{PROJECT_ID, PROJECT_SLUG, Params};
use tap_sentry_api::window::Window;
use tokio::sync::Semaphore;

/// Projects whose rows need so many requests below them share a checkpoint: 2.5 s of the hosted service's allowance.
const REQUESTS_A_CHECKPOINT: u64 = 100;
/// A project that needs more requests alone is read in windows of its own, each with its checkpoint.
const MOST_REQUESTS_A_CHECKPOINT: u64 = 400;
/// Groups whose rows are in memory at once, and batches of one group that are read at once.
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
    /// The server gives no estimates: wide lists prove nothing.
    without_hits: AtomicBool,
}

/// What a wide list has shown.
enum Listed {
    /// All rows of all its projects.
    Complete(Vec<Reference>),
    /// These searches list more rows than the estimate can count; the others list none.
    TooMany(Vec<&'static Search>),
    /// It proves nothing, for this reason.
    Unsure(String),
}

/// What one search has shown.
enum SearchListed {
    /// All rows of all its projects.
    Complete(Vec<Reference>),
    /// More rows than the estimate can count.
    TooMany,
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
        let searches: Vec<&'static Search> = self.windows.searches.iter().collect();
        let groups = groups
            .into_iter()
            .map(|group| self.group(group, searches.clone()));
        join_all(groups).await.into_iter().collect()
    }

    /// One group of projects that start alike.
    fn group<'b>(
        &'b self,
        group: Group,
        searches: Vec<&'static Search>,
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
            if group.places.len() < 2 || group.no_access || self.without_hits.load(Ordering::Relaxed)
            {
                return self.each_alone(group).await;
            }
            let permit = self.in_memory.acquire().await.expect("it is never closed");
            match self.list(&group, &searches, whole).await? {
                Listed::Complete(rows) => self.complete(group, whole, windows.len(), rows).await,
                Listed::TooMany(searches) => {
                    drop(permit);
                    let parts = group.split().into_iter();
                    let parts = parts.map(|part| self.group(part, searches.clone()));
                    join_all(parts).await.into_iter().collect()
                }
                Listed::Unsure(reason) => {
                    drop(permit);
                    let projects = group.places.len();
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
        if let Some(reason) = lists.iter().find_map(|list| match list {
            SearchListed::Unsure(reason) => Some(reason),
            _ => None,
        }) {
            return Ok(Listed::Unsure(reason.clone()));
        }
        let is_too_many = |list: &SearchListed| matches!(list, SearchListed::TooMany);
        if lists.iter().any(is_too_many) {
            // What finds nothing in the whole group finds nothing in a part of it.
            let finds = |list: &SearchListed| !matches!(list, SearchListed::Complete(rows) if rows.is_empty());
            let left = searches.iter().zip(&lists).filter(|(_, list)| finds(list));
            return Ok(Listed::TooMany(left.map(|(search, _)| *search).collect()));
        }
        let mut rows = Vec::new();
        let mut seen = HashSet::new();
        for list in lists {
            if let SearchListed::Complete(more) = list {
                rows.extend(more.into_iter().filter(|row| seen.insert(row.bind.clone())));
            }
        }
        Ok(Listed::Complete(rows))
    }

    /// What one search lists of a group. Where another number of rows came than is estimated, it is asked once more: an
    /// issue may have been deleted meanwhile.
    async fn search(
        &self,
        group: &Group,
        search: &Search,
        window: Window,
    ) -> Result<SearchListed, Stop> {
        Ok(match self.search_once(group, search, window).await? {
            SearchListed::Unequal { .. } => match self.search_once(group, search, window).await? {
                SearchListed::Unequal { came, hits } => {
                    SearchListed::Unsure(format!("{came} rows came where {hits} are estimated"))
                }
                listed => listed,
            },
            listed => listed,
        })
    }

    async fn search_once(
        &self,
        group: &Group,
        search: &Search,
        window: Window,
    ) -> Result<SearchListed, Stop> {
        let owners = Owners::new(self.project, &group.places);
        let mut listing = Listing::new(self.session, self.node, self.organization.clone());
        listing.query = search.parameters();
        listing.projects = &group.projects;
        listing.owners = Some(&owners);
        let own = group.starts.own(self.node);
        listing.emit &= own.is_some_and(|start| start < window.end);
        let mut pages = listing.open(Some(window));
        let (mut keys, mut rows) = (HashSet::new(), Vec::new());
        let (mut hits, mut others) = (None, 0);
        loop {
            let page = match pages.next().await {
                Ok(Some(page)) => page,
                Ok(None) => break,
                Err(Failure::Stop(stop)) => return Err(stop),
                Err(Failure::Api(e)) if is_refused_search(search, &e) => {
                    tell_refused_search(self.node.def, &e);
                    return Ok(SearchListed::Complete(Vec::new()));
                }
                Err(Failure::Api(e)) => return Ok(SearchListed::Unsure(e.to_string())),
            };
            hits = hits.or(page.hits);
            match hits {
                None => {
                    self.without_hits.store(true, Ordering::Relaxed);
                    let reason = "the server does not say how many rows there are (`X-Hits`)";
                    return Ok(SearchListed::Unsure(reason.to_owned()));
                }
                Some(HITS_CAP..) => return Ok(SearchListed::TooMany),
                Some(_) => {}
            }
            others += page.others + page.skipped;
            for row in page.rows {
                if keys.insert(row.key) {
                    rows.extend(row.reference);
                }
            }
        }
        let came = (keys.len() + others) as u64;
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
        let mut batches = vec![Batch::default()];
        let mut heavy = Vec::new();
        for place in group.places {
            let rows = by_project.remove(place.get(PROJECT_ID).unwrap_or_default());
            let rows = rows.unwrap_or_default();
            let requests = self.requests_below(&rows);
            if windows > 1 && requests > MOST_REQUESTS_A_CHECKPOINT {
                heavy.push(place);
                continue;
            }
            let is_idle = rows.is_empty();
            // The first batch is that of the idle projects.
            let i = if is_idle { 0 } else { batches.len() - 1 };
            if !is_idle && (i == 0 || batches[i].requests + requests > REQUESTS_A_CHECKPOINT) {
                batches.push(Batch::default());
            }
            let i = if is_idle { 0 } else { batches.len() - 1 };
            batches[i].places.push(place);
            batches[i].requests += requests;
            batches[i].rows.extend(rows);
        }
        let starts = &group.starts;
        let heavy = heavy.into_iter().map(|place| {
            async move {
                let group = Group::of(starts.clone(), vec![place.clone()]);
                self.alone(&place, &group).await
            }
            .boxed_local()
        });
        let batches = batches.into_iter().filter(|batch| !batch.places.is_empty());
        let batches = batches.map(|batch| self.batch(batch, starts, whole).boxed_local());
        stream::iter(batches.chain(heavy))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Requests that the rows' children need: a page for each hundred rows that the list counts.
    fn requests_below(&self, rows: &[Reference]) -> u64 {
        let pages = |row: &Reference| row.count.unwrap_or(0).div_ceil(PAGE_SIZE as u64).max(1);
        self.node.children.len() as u64 * rows.iter().map(pages).sum::<u64>()
    }

    /// Projects that share a checkpoint.
    async fn batch(&self, batch: Batch, starts: &plan::Starts, whole: Window) -> Result<(), Stop> {
        let group = Group::of(starts.clone(), batch.places);
        self.report().planned(self.node.def, whole);
        if let Some(counts) = self.session.counts {
            for place in &group.places {
                counts.plan(self.node, &group.starts, place, whole.end);
            }
        }
        let nodes = &self.node.children;
        let children = Children::new(self.session, nodes, self.organization, &group);
        let vanished = children.of_window(whole, &batch.rows).await;
        let vanished = vanished.or_else(Failure::only_stop)?;
        // A row whose child does not exist was deleted or merged meanwhile: its project is listed again, on its own.
        let mut again: BTreeMap<String, Vec<VanishedChild<'_>>> = BTreeMap::new();
        for child in vanished {
            let project = project_of(&child.bind).to_owned();
            again.entry(project).or_default().push(VanishedChild {
                bind: own_part(&child.bind),
                ..child
            });
        }
        if again.is_empty() {
            self.report().finished(self.node.def, whole);
        }
        let is_finished =
            |place: &&Params| !again.contains_key(place.get(PROJECT_ID).unwrap_or_default());
        let finished: Vec<Params> = group.places.iter().filter(is_finished).cloned().collect();
        let finished = Group::of(group.starts.clone(), finished);
        checkpoint(self.session, self.node, &finished, whole.end).await?;
        for place in &group.places {
            let id = place.get(PROJECT_ID).unwrap_or_default();
            let Some(vanished) = again.remove(id) else {
                continue;
            };
            let rows = batch.rows.iter().filter(|row| project_of(&row.bind) == id);
            let rows = rows.map(|row| Reference {
                bind: own_part(&row.bind),
                ..row.clone()
            });
            let group = Group::of(group.starts.clone(), vec![place.clone()]);
            let (session, bookmarks) = (self.session, self.bookmarks);
            let sync = GroupSync::new(session, bookmarks, self.node, self.windows, place, &group);
            sync.settle(whole, rows.collect(), vanished).await?;
        }
        Ok(())
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

/// Projects that share a checkpoint, with what was listed of them.
#[derive(Default)]
struct Batch {
    places: Vec<Params>,
    rows: Vec<Reference>,
    requests: u64,
}

/// What a row tells in the list of its own project: all but the project.
fn own_part(bind: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
    let own = bind.iter();
    own.filter(|(name, _)| ![PROJECT_ID, PROJECT_SLUG].contains(name))
        .cloned()
        .collect()
}
