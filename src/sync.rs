//! Walks the tree of the run: lists, windows, children. Puts records, checkpoints and gaps into the outbox.
//!
//! The order of what one partition sends is what keeps the state true: a window's checkpoint is sent after the
//! records of the window and of all its children, and a gap before any checkpoint that it must hold back.

use crate::client::{ApiError, Ask, Client, Kind, Page, malformed};
use crate::config::Settings;
use crate::error::Error;
use crate::paging::Cursor;
use crate::plan::{self, LEAST_WINDOW, Node, Progress, RETENTION, Starts, Window};
use crate::raw;
use crate::record::{Batch, RowError};
use crate::report::Gap;
use crate::state::{Bookmarks, Checkpoint, Partition};
use crate::streams::{ORGANIZATIONS, Pass, Rows, StreamDef, Walk};
use crate::time::{format_instant, parse_instant};
use crate::writer::{Closed, Event, Outbox};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use futures::future::{BoxFuture, FutureExt, join_all, try_join_all};
use futures::stream::{self, TryStreamExt};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use xxhash_rust::xxh3::xxh3_128;

/// Windows of one partition under way at once: while the children of one are read, the next are listed.
const WINDOWS_AT_ONCE: usize = 4;
/// After so many children of one list have failed in succession the rest is not tried: the server is down.
const FAILURES_IN_A_ROW: usize = 5;
/// How often a list is asked for again because an answer shows that something is missing.
const REPEATS: usize = 3;

/// What ends the whole run.
#[derive(Debug)]
pub enum Stop {
    Error(Error),
    /// The writer is gone; it knows why.
    Closed,
}

impl From<Closed> for Stop {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

/// What ends one list.
#[derive(Debug)]
enum Failure {
    Api(ApiError),
    Stop(Stop),
}

impl From<Closed> for Failure {
    fn from(closed: Closed) -> Self {
        Self::Stop(closed.into())
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        if error.status() == Some(401) { Self::Stop(Stop::Error(Error::Authentication(error))) } else { Self::Api(error) }
    }
}

/// Path parameters, from which also partitions and context columns come.
#[derive(Debug, Clone, Default)]
pub struct Context(Vec<(&'static str, String)>);

impl Context {
    fn with(&self, more: &[(&'static str, String)]) -> Self {
        Self(self.0.iter().chain(more).cloned().collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
    }

    /// The partition that bookmarks are kept by: organization, and project where there is one.
    fn partition(&self) -> Partition {
        Partition(self.0.iter().filter(|(name, _)| matches!(*name, "organization_slug" | "project_id")).cloned().collect())
    }

    /// For messages: `acme/api/issue 21`.
    fn label(&self) -> String {
        let part = |(name, value): &(&'static str, String)| match *name {
            "organization_slug" | "project_slug" => value.clone(),
            name => format!("{} {value}", name.trim_end_matches("_id")),
        };
        self.0.iter().filter(|(name, _)| *name != "project_id").map(part).collect::<Vec<_>>().join("/")
    }
}

/// What a row tells its children.
#[derive(Debug, Clone)]
struct Reference {
    bind: Vec<(&'static str, String)>,
    /// When it was last active in the window.
    last: Option<DateTime<Utc>>,
    /// How many child rows it has in the window.
    count: Option<u64>,
}

/// One page, its records already sent.
struct Rowset {
    references: Vec<Reference>,
    keys: Vec<u128>,
    /// The instants of the first and the last row.
    edges: Option<(DateTime<Utc>, DateTime<Utc>)>,
    hits: Option<u64>,
    more: bool,
}

/// One run over the plan.
pub struct Sync<'a> {
    pub client: &'a Client,
    pub settings: &'a Settings,
    pub tree: &'a [Node],
    pub bookmarks: &'a Bookmarks,
    pub outbox: Outbox,
    /// The size of a stream's latest page, by which room is taken for the next.
    sizes: Mutex<HashMap<&'static str, usize>>,
}

/// What the rows of one window share.
#[derive(Clone, Copy)]
struct Scope<'a> {
    window: Window,
    starts: &'a Starts,
    /// How many rows the parent's list counts in the window.
    expected: Option<u64>,
}

/// What the windows of one partition share.
struct Span<'a> {
    node: &'a Node,
    walk: Walk,
    context: Context,
    starts: Starts,
    projects: &'a [String],
    progress: Mutex<Progress>,
    /// Windows are not asked for in one piece when longer than this: the server has refused such.
    stride: Mutex<Option<TimeDelta>>,
}

impl Span<'_> {
    fn shrink(&self, refused: Window) {
        let half = (refused.length() / 2).max(LEAST_WINDOW);
        let mut stride = lock(&self.stride);
        *stride = Some(stride.map_or(half, |stride| stride.min(half)));
    }

    fn grow(&self, limit: TimeDelta) {
        let mut stride = lock(&self.stride);
        *stride = stride.map(|stride| (stride * 2).min(limit));
    }
}

impl<'a> Sync<'a> {
    pub fn new(client: &'a Client, settings: &'a Settings, tree: &'a [Node], bookmarks: &'a Bookmarks, outbox: Outbox) -> Self {
        Self { client, settings, tree, bookmarks, outbox, sizes: Mutex::new(HashMap::new()) }
    }

    /// Extracts everything that is planned.
    ///
    /// # Errors
    /// What ends the run at once; what could not be extracted otherwise is in the report.
    pub async fn run(&self) -> Result<(), Stop> {
        let organizations = self.organizations().await?;
        try_join_all(organizations.into_iter().map(|slug| self.organization(slug))).await.map(drop)
    }

    async fn organizations(&self) -> Result<Vec<String>, Stop> {
        if let Some(slug) = &self.settings.organization {
            return Ok(vec![slug.clone()]);
        }
        let failed = |failure| match failure {
            Failure::Stop(stop) => stop,
            Failure::Api(e) => Stop::Error(Error::Setup(format!("cannot list the token's organizations ({e}); set `organization` to the slug of yours"))),
        };
        let node = Node { def: &ORGANIZATIONS, emit: None, children: Vec::new() };
        let mut pager = Pager::new(self, &node, Context::default(), Vec::new());
        pager.bind = vec![("organization_slug", &["slug"])];
        let mut slugs = Vec::new();
        while let Some(page) = pager.next().await.map_err(failed)? {
            slugs.extend(page.references.into_iter().flat_map(|r| r.bind).map(|(_, slug)| slug));
        }
        if slugs.is_empty() {
            return Err(Stop::Error(Error::Setup("the token sees no organization in a list; set `organization` to the slug of yours (tokens of internal integrations need this)".to_owned())));
        }
        slugs.dedup();
        Ok(slugs)
    }

    async fn organization(&self, slug: String) -> Result<(), Stop> {
        let context = Context(vec![("organization_slug", slug)]);
        let listing = self.tree.iter().find(|node| node.def.chosen_by_slug);
        // A choice of projects must be known before anything is asked for by project.
        let by_project = self.tree.iter().any(|node| node.def.query.iter().any(|(_, value)| *value == "{projects}"));
        let unlisted = Node { def: crate::streams::find("projects").expect("a stream of the table"), emit: None, children: Vec::new() };
        let chosen = !self.settings.projects.is_everything();
        let listing = listing.or((chosen && by_project).then_some(&unlisted));
        let projects = match listing {
            Some(node) => self.projects(node, &context).await?,
            None => Some(Vec::new()),
        };
        let ids: Vec<String> = match &projects {
            Some(projects) if chosen => projects.iter().filter_map(|p| p.bind.iter().find(|(n, _)| *n == "project_id")).map(|(_, id)| id.clone()).collect(),
            _ => vec!["-1".to_owned()],
        };
        let below = async {
            match (listing, &projects) {
                (Some(node), Some(projects)) => self.children(&node.children, &context, projects).await,
                _ => Ok(()),
            }
        };
        let others = self.tree.iter().filter(|node| !node.def.chosen_by_slug);
        let others = others.map(|node| async {
            if projects.is_none() && chosen && node.def.query.iter().any(|(_, value)| *value == "{projects}") {
                return self.gap(node, &context, "the list of projects is missing").await;
            }
            self.node(node, &context, &ids).await
        });
        futures::try_join!(below, async { join_all(others).await.into_iter().collect::<Result<Vec<()>, Stop>>() }).map(drop)
    }

    /// The chosen projects; `None` when their list could not be read.
    async fn projects(&self, node: &Node, context: &Context) -> Result<Option<Vec<Reference>>, Stop> {
        let mut pager = Pager::new(self, node, context.clone(), Vec::new());
        pager.bind = vec![("project_id", &["id"]), ("project_slug", &["slug"])];
        let mut projects = Vec::new();
        loop {
            match pager.next().await {
                Ok(Some(page)) => projects.extend(page.references),
                Ok(None) => break,
                Err(Failure::Stop(stop)) => return Err(stop),
                Err(Failure::Api(e)) if e.status() == Some(404) => {
                    let text = format!("the organization `{}` is not known at {} ({e}); check `organization` and `base_url`", context.get("organization_slug").unwrap_or_default(), self.settings.base_url);
                    return Err(Stop::Error(Error::Setup(text)));
                }
                Err(Failure::Api(e)) => {
                    self.gap(node, context, &self.reason(node.def, &e)).await?;
                    return Ok(None);
                }
            }
        }
        let missing = self.settings.projects.missing(&pager.slugs);
        if !missing.is_empty() {
            let text = format!("`project_slugs` names what the token does not see in `{}`: {}", context.get("organization_slug").unwrap_or_default(), missing.join(", "));
            return Err(Stop::Error(Error::Setup(text)));
        }
        if projects.is_empty() {
            log::warn!("{}: no project to extract: the token sees none, or `project_slugs` leaves none", context.label());
        }
        for child in &node.children {
            let partitions = projects.iter().map(|project| context.with(&project.bind).partition()).collect();
            self.plan_partitions(child, partitions).await?;
        }
        Ok(Some(projects))
    }

    async fn plan_partitions(&self, node: &Node, partitions: Vec<Partition>) -> Result<(), Closed> {
        for node in node.incremental() {
            self.outbox.send(Event::Plan(node.def.name, partitions.clone())).await?;
        }
        Ok(())
    }

    /// One node that hangs at `context`.
    fn node<'b>(&'b self, node: &'b Node, context: &'b Context, projects: &'b [String]) -> BoxFuture<'b, Result<(), Stop>> {
        async move {
            if let Some(walk) = node.def.walk() {
                if context.get("project_id").is_none() {
                    self.plan_partitions(node, vec![context.partition()]).await?;
                }
                return self.windows(node, walk, context, projects).await;
            }
            match self.rows(node, context, None).await {
                Ok(()) => Ok(()),
                Err(Failure::Stop(stop)) => Err(stop),
                Err(Failure::Api(e)) if e.status() == Some(404) && node.def.parent.is_some() => {
                    log::warn!(target: node.def.name, "{} has vanished and is passed over", context.label());
                    Ok(())
                }
                Err(Failure::Api(e)) => self.gap(node, context, &self.reason(node.def, &e)).await,
            }
        }
        .boxed()
    }

    /// The children of rows that have no windows.
    async fn children(&self, nodes: &[Node], context: &Context, references: &[Reference]) -> Result<(), Stop> {
        let lanes = nodes.iter().map(|node| async move {
            stream::iter(references.iter().map(Ok::<_, Stop>))
                .try_for_each_concurrent(self.settings.concurrency, |reference| async move {
                    self.node(node, &context.with(&reference.bind), &[]).await
                })
                .await
        });
        join_all(lanes).await.into_iter().collect()
    }

    /// The windows of one partition.
    async fn windows(&self, node: &Node, walk: Walk, context: &Context, projects: &[String]) -> Result<(), Stop> {
        let starts = Starts::new(node, &context.partition(), self.settings, self.bookmarks);
        let windows = plan::windows(node, &starts, self.settings);
        let Some(first) = windows.first() else { return Ok(()) };
        let span = &Span {
            node,
            walk,
            context: context.clone(),
            starts,
            projects,
            progress: Mutex::new(Progress::new(first.start)),
            stride: Mutex::new(None),
        };
        let failed = &AtomicUsize::new(0);
        stream::iter(windows.into_iter().map(Ok))
            .try_for_each_concurrent(WINDOWS_AT_ONCE, |window| async move {
                // What follows a hole would be read again anyway: the bookmark stays at the hole.
                if failed.load(Ordering::Relaxed) > 0 {
                    return Ok(());
                }
                match self.window(span, window).await {
                    Ok(()) => Ok(()),
                    Err(Failure::Stop(stop)) => Err(stop),
                    Err(Failure::Api(e)) => {
                        if failed.fetch_add(1, Ordering::Relaxed) > 0 {
                            return Ok(());
                        }
                        if e.status() == Some(403) && self.vanished(context).await {
                            log::warn!(target: node.def.name, "{} has vanished and is passed over", context.label());
                            return Ok(());
                        }
                        self.gap(node, context, &format!("{window}: {}", self.reason(node.def, &e))).await
                    }
                }
            })
            .await
    }

    /// Whether the project of the context is no longer there: a deleted one makes a list answer 403.
    async fn vanished(&self, context: &Context) -> bool {
        let (Some(_), Some(def)) = (context.get("project_id"), crate::streams::find("project_detail")) else { return false };
        let ask = Ask { stream: def, url: self.url(def, context, &[], &[]), page: 1 };
        self.client.get(&ask, |_| Ok(())).await.is_err_and(|e| e.status() == Some(404))
    }

    /// One window: asked for whole, or in pieces when the server cannot answer so much at once.
    fn window<'b>(&'b self, span: &'b Span<'b>, window: Window) -> BoxFuture<'b, Result<(), Failure>> {
        async move {
            let stride = *lock(&span.stride);
            if let Some(stride) = stride.filter(|stride| window.length() > *stride) {
                for piece in window.pieces(stride) {
                    self.window(span, piece).await?;
                }
                return Ok(());
            }
            if span.walk.windowed && window.length() > self.settings.window && window.end <= self.settings.now - RETENTION {
                if self.is_empty(span, window).await? {
                    log::info!(target: span.node.def.name, "{}: nothing is listed from {window}; Sentry usually keeps {} days", span.context.label(), RETENTION.num_days());
                    return self.finished(span, window).await;
                }
                for half in window.halves() {
                    self.window(span, half).await?;
                }
                return Ok(());
            }
            match self.listing(span, window).await {
                Ok(()) => {
                    span.grow(self.settings.window);
                    self.finished(span, window).await
                }
                Err(Failure::Api(ApiError { kind: Kind::QueryTooLarge { .. }, .. })) if window.length() > LEAST_WINDOW => {
                    log::info!(target: span.node.def.name, "{}: {window} is too much for one query; halving it", span.context.label());
                    span.shrink(window);
                    self.window(span, window).await
                }
                Err(failure) => Err(failure),
            }
        }
        .boxed()
    }

    async fn finished(&self, span: &Span<'_>, window: Window) -> Result<(), Failure> {
        let reached = lock(&span.progress).finish(window);
        let Some(start) = reached else { return Ok(()) };
        for node in span.node.incremental() {
            if node.emit.as_ref().is_some_and(|selected| selected.ignore_bookmark) {
                continue;
            }
            let checkpoint = Checkpoint { stream: node.def.name, partition: span.context.partition(), start };
            self.outbox.send(Event::Checkpoint(checkpoint)).await?;
        }
        Ok(())
    }

    /// Whether a long span lists nothing at all.
    async fn is_empty(&self, span: &Span<'_>, window: Window) -> Result<bool, Failure> {
        let silent = Node { def: span.node.def, emit: None, children: Vec::new() };
        for pass in span.walk.passes {
            let mut pager = Pager::new(self, &silent, span.context.clone(), window_query(pass, window));
            pager.page_size = 1;
            pager.projects = span.projects;
            match pager.next().await {
                Ok(Some(page)) if page.keys.is_empty() && !page.more => {}
                Ok(None) => {}
                Ok(Some(_)) => return Ok(false),
                Err(failure) => tolerate(pass, span.node.def, failure)?,
            }
        }
        Ok(true)
    }

    /// The rows of one window, and then their children.
    async fn listing(&self, span: &Span<'_>, window: Window) -> Result<(), Failure> {
        let passes = try_join_all(span.walk.passes.iter().map(|pass| self.pass(span, pass, window))).await?;
        let mut seen = HashSet::new();
        let references: Vec<Reference> = passes.into_iter().flatten().filter(|r| seen.insert(r.bind.clone())).collect();
        let lanes = span.node.children.iter().map(|node| self.lane(span, node, window, &references));
        join_all(lanes).await.into_iter().collect()
    }

    /// One query of a window. Returns what was listed.
    async fn pass(&self, span: &Span<'_>, pass: &Pass, window: Window) -> Result<Vec<Reference>, Failure> {
        let mut found = Found::default();
        if let Err(failure) = self.list(span, pass, window, &mut found).await {
            tolerate(pass, span.node.def, failure)?;
            return Ok(Vec::new());
        }
        for _ in 0..REPEATS {
            let before = found.keys.len();
            let again = if span.walk.offset_paged {
                // Rows shift when one is deleted, and the one at a page's edge is then skipped.
                (found.pages > 1).then_some(window)
            } else if let Some(oldest) = found.oldest {
                // A search that runs out of time ends early and does not say so. Its estimate of hits shows it; and
                // a server that gives none is asked for what is older than the last row.
                let short = found.hits.is_none_or(|hits| hits < 1000 && (found.keys.len() as u64) < hits);
                let older = Window { end: (oldest + TimeDelta::seconds(1)).min(window.end), ..window };
                (short && older.start < older.end).then_some(older)
            } else {
                found.hits.is_some_and(|hits| hits > 0).then_some(window)
            };
            let Some(again) = again else { break };
            found.pages = 0;
            self.list(span, pass, again, &mut found).await?;
            if found.keys.len() == before {
                break;
            }
            log::info!(target: span.node.def.name, "{}: {window}: another look found {} more", span.context.label(), found.keys.len() - before);
        }
        Ok(found.references)
    }

    async fn list(&self, span: &Span<'_>, pass: &Pass, window: Window, found: &mut Found) -> Result<(), Failure> {
        let mut pager = Pager::new(self, span.node, span.context.clone(), window_query(pass, window));
        pager.projects = span.projects;
        pager.emit &= span.starts.own(span.node).is_some_and(|start| start < window.end);
        while let Some(page) = pager.next().await? {
            found.pages += 1;
            if found.pages == 1 {
                found.hits = found.hits.max(page.hits);
            }
            for (reference, key) in page.references.into_iter().zip(page.keys) {
                found.oldest = found.oldest.into_iter().chain(reference.last).min();
                if found.keys.insert(key) {
                    found.references.push(reference);
                }
            }
        }
        Ok(())
    }

    /// One stream below the rows of a window.
    async fn lane(&self, span: &Span<'_>, node: &Node, window: Window, references: &[Reference]) -> Result<(), Failure> {
        let Some(start) = span.starts.walked(node) else { return Ok(()) };
        let part = Window { start: start.max(window.start), ..window };
        if part.start >= part.end {
            return Ok(());
        }
        let failures = &AtomicUsize::new(0);
        stream::iter(references.iter().filter(|r| r.last.is_none_or(|last| last >= part.start)).map(Ok))
            .try_for_each_concurrent(self.settings.concurrency, |reference| async move {
                if failures.load(Ordering::Relaxed) >= FAILURES_IN_A_ROW {
                    return Ok(());
                }
                let context = span.context.with(&reference.bind);
                let expected = reference.count.filter(|_| part == window);
                match self.rows(node, &context, Some(Scope { window: part, starts: &span.starts, expected })).await {
                    Ok(()) => {
                        failures.store(0, Ordering::Relaxed);
                        Ok(())
                    }
                    Err(Failure::Api(e)) if e.status() == Some(404) => {
                        log::warn!(target: node.def.name, "{} has vanished and is passed over", context.label());
                        Ok(())
                    }
                    Err(Failure::Api(e)) => {
                        let rest = if failures.fetch_add(1, Ordering::Relaxed) + 1 == FAILURES_IN_A_ROW { "; the rest of the list is not tried" } else { "" };
                        let reason = format!("{}: {}{rest}", context.label(), self.reason(node.def, &e));
                        self.gap(node, &span.context, &reason).await.map_err(Failure::Stop)
                    }
                    Err(stop) => Err(stop),
                }
            })
            .await
    }

    /// All rows of one list or object, and their children.
    fn rows<'b>(&'b self, node: &'b Node, context: &'b Context, scope: Option<Scope<'b>>) -> BoxFuture<'b, Result<(), Failure>> {
        async move {
            let mut page_size = PAGE_SIZE;
            loop {
                let error = match self.walk(node, context, scope, page_size).await {
                    Err(Failure::Api(error)) => error,
                    ended => return ended,
                };
                let whole = scope.map(|scope| scope.window).filter(|window| window.length() > LEAST_WINDOW);
                match (&error.kind, whole) {
                    (Kind::BodyTooLarge, _) if page_size > 1 && matches!(node.def.rows, Rows::Pages { .. }) => {
                        page_size = (page_size / 5).max(1);
                        log::info!(target: node.def.name, "{}: a page is too large; asking for {page_size} rows at a time", context.label());
                    }
                    (Kind::QueryTooLarge { .. }, Some(whole)) => {
                        log::info!(target: node.def.name, "{}: {whole} is too much for one query; halving it", context.label());
                        for window in whole.halves() {
                            self.rows(node, context, scope.map(|scope| Scope { window, expected: None, ..scope })).await?;
                        }
                        return Ok(());
                    }
                    _ => return Err(error.into()),
                }
            }
        }
        .boxed()
    }

    /// One walk over a list, and another where rows are missing.
    async fn walk(&self, node: &Node, context: &Context, scope: Option<Scope<'_>>, page_size: usize) -> Result<(), Failure> {
        let mut keys = HashSet::new();
        let torn = self.walk_once(node, context, scope, page_size, &mut keys).await?;
        let Some(scope) = scope.filter(|_| !matches!(node.def.rows, Rows::Object)) else { return Ok(()) };
        let Scope { window, expected, .. } = scope;
        let complete = |keys: &HashSet<u128>| expected.is_some_and(|expected| keys.len() as u64 >= expected);
        if complete(&keys) || (torn.is_empty() && expected.is_none()) {
            return Ok(());
        }
        // Rows of one second have no order, so those at a page's edge may come twice or not at all. Asked for alone,
        // a second fits on a page.
        for second in torn {
            let alone = Window { start: second.max(window.start), end: (second + TimeDelta::seconds(1)).min(window.end) };
            for _ in 0..REPEATS {
                let before = keys.len();
                let torn = self.walk_once(node, context, Some(Scope { window: alone, ..scope }), page_size, &mut keys).await?;
                if torn.is_empty() || keys.len() == before {
                    break;
                }
            }
        }
        let Some(expected) = expected else { return Ok(()) };
        for _ in 0..REPEATS {
            let before = keys.len();
            if complete(&keys) {
                return Ok(());
            }
            self.walk_once(node, context, Some(scope), page_size, &mut keys).await?;
            if keys.len() == before {
                break;
            }
        }
        if !complete(&keys) {
            log::warn!(target: node.def.name, "{}: the list of {window} promised {expected} rows and holds {}", context.label(), keys.len());
        }
        Ok(())
    }

    /// Returns the seconds that a page's edge runs through.
    async fn walk_once(&self, node: &Node, context: &Context, scope: Option<Scope<'_>>, page_size: usize, keys: &mut HashSet<u128>) -> Result<Vec<DateTime<Utc>>, Failure> {
        let query = scope.filter(|_| node.def.rows != Rows::Object).map(|scope| pinned(scope.window).to_vec());
        let mut pager = Pager::new(self, node, context.clone(), query.unwrap_or_default());
        pager.page_size = page_size;
        let (mut torn, mut edge) = (Vec::new(), None);
        while let Some(page) = pager.next().await? {
            if let Some((first, last)) = page.edges {
                torn.extend(edge.filter(|edge| *edge == first));
                edge = Some(last);
            }
            let fresh: Vec<Reference> = page.references.into_iter().zip(&page.keys).filter(|(_, key)| !keys.contains(key)).map(|(r, _)| r).collect();
            keys.extend(page.keys);
            let lanes = node.children.iter().map(|child| self.each(child, context, scope, &fresh));
            join_all(lanes).await.into_iter().collect::<Result<Vec<()>, _>>()?;
        }
        torn.dedup();
        Ok(torn)
    }

    /// One child of each row of a page.
    async fn each(&self, node: &Node, context: &Context, scope: Option<Scope<'_>>, references: &[Reference]) -> Result<(), Failure> {
        let start = scope.and_then(|scope| scope.starts.walked(node));
        let due = references.iter().filter(|r| r.last.zip(start).is_none_or(|(last, start)| last >= start));
        stream::iter(due.map(Ok))
            .try_for_each_concurrent(self.settings.concurrency, |reference| async move {
                let context = context.with(&reference.bind);
                match self.rows(node, &context, scope.map(|scope| Scope { expected: None, ..scope })).await {
                    Err(Failure::Api(e)) if e.status() == Some(404) => {
                        log::warn!(target: node.def.name, "{} has vanished and is passed over", context.label());
                        Ok(())
                    }
                    Err(Failure::Api(e)) => {
                        let reason = format!("{}: {}", context.label(), self.reason(node.def, &e));
                        self.gap(node, &context, &reason).await.map_err(Failure::Stop)
                    }
                    ended => ended,
                }
            })
            .await
    }

    async fn gap(&self, node: &Node, context: &Context, reason: &str) -> Result<(), Stop> {
        let gap = Gap { streams: node.streams(), partition: context.partition(), reason: reason.to_owned() };
        Ok(self.outbox.send(Event::Gap(gap)).await?)
    }

    /// The error, with what a user can do about it.
    fn reason(&self, def: &StreamDef, error: &ApiError) -> String {
        match error.status() {
            Some(403) => format!("{error}; the token needs the scope {}, and access to the project", def.scopes_text()),
            Some(404) => format!("{error}; this server does not have it, or `organization` is wrong"),
            _ => error.to_string(),
        }
    }

    fn url(&self, def: &StreamDef, context: &Context, query: &[(&str, String)], projects: &[String]) -> url::Url {
        let mut path = String::new();
        let mut rest = def.path;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            path.push_str(before);
            path.push_str(&encode(context.get(name).unwrap_or_default()));
            rest = after;
        }
        path.push_str(rest);
        let mut url = self.client.url(&path);
        let details = if self.settings.fetch_event_details { def.details_query } else { &[] };
        let fixed = def.query.iter().chain(details).flat_map(|(name, value)| -> Vec<(&str, String)> {
            match value.strip_prefix('{').and_then(|v| v.strip_suffix('}')) {
                Some("projects") => projects.iter().map(|id| (*name, id.clone())).collect(),
                Some(parameter) => vec![(name, context.get(parameter).unwrap_or_default().to_owned())],
                None => vec![(name, (*value).to_owned())],
            }
        });
        let pairs: Vec<(&str, String)> = fixed.chain(query.iter().cloned()).collect();
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs);
        }
        url
    }
}

/// What the walks of one pass have found.
#[derive(Default)]
struct Found {
    references: Vec<Reference>,
    keys: HashSet<u128>,
    pages: usize,
    hits: Option<u64>,
    oldest: Option<DateTime<Utc>>,
}

/// Rows on a page: the most that Sentry gives.
const PAGE_SIZE: usize = 100;

/// Walks one list page by page.
struct Pager<'a> {
    sync: &'a Sync<'a>,
    node: &'a Node,
    context: Context,
    query: Vec<(&'static str, String)>,
    bind: Vec<(&'static str, &'static [&'static str])>,
    projects: &'a [String],
    page_size: usize,
    /// Write the records of this walk.
    emit: bool,
    cursor: Option<Cursor>,
    followed: HashSet<Cursor>,
    page: usize,
    done: bool,
    /// Every slug that was listed, chosen or not.
    slugs: Vec<String>,
}

impl<'a> Pager<'a> {
    fn new(sync: &'a Sync<'a>, node: &'a Node, context: Context, query: Vec<(&'static str, String)>) -> Self {
        let mut bind: Vec<(&'static str, &'static [&'static str])> = Vec::new();
        for (name, path) in node.children.iter().filter_map(|child| child.def.parent).flat_map(|parent| parent.bind) {
            if !bind.iter().any(|(known, _)| known == name) {
                bind.push((name, path));
            }
        }
        Self {
            sync,
            emit: node.emit.is_some(),
            node,
            context,
            query,
            bind,
            projects: &[],
            page_size: PAGE_SIZE,
            cursor: None,
            followed: HashSet::new(),
            page: 0,
            done: false,
            slugs: Vec::new(),
        }
    }

    /// The next page, its records sent; `None` after the last. An empty page is not the end: only the server's word
    /// that nothing follows is.
    async fn next(&mut self) -> Result<Option<Rowset>, Failure> {
        if self.done {
            return Ok(None);
        }
        self.page += 1;
        let def = self.node.def;
        let mut query = self.query.clone();
        if let Rows::Pages { size } = def.rows {
            query.push((size, self.page_size.to_string()));
        }
        if let Some(Cursor(cursor)) = &self.cursor {
            query.push(("cursor", cursor.clone()));
        }
        let ask = Ask { stream: def, url: self.sync.url(def, &self.context, &query, self.projects), page: self.page };
        let expected = lock(&self.sync.sizes).get(def.name).copied().unwrap_or(256 << 10);
        let room = self.sync.outbox.room(expected * 2).await;
        let mut slugs = Vec::new();
        let (batch, rowset, next, size) = self
            .sync
            .client
            .get(&ask, |page| {
                slugs.clear();
                if let Some(cursor) = page.next.as_ref().filter(|cursor| self.followed.contains(cursor)) {
                    return Err(Kind::RepeatedCursor(cursor.0.clone()));
                }
                let (batch, rowset) = self.read(page, &mut slugs)?;
                Ok((batch, rowset, page.next.clone(), page.body.len()))
            })
            .await?;
        lock(&self.sync.sizes).insert(def.name, size);
        self.slugs.append(&mut slugs);
        self.done = next.is_none();
        self.followed.extend(next.clone());
        self.cursor = next;
        if let Some(batch) = batch.filter(|batch| !batch.rows.is_empty() || batch.notes != crate::record::Notes::default()) {
            self.sync.outbox.send(Event::Records(batch, Some(room))).await?;
        }
        Ok(Some(rowset))
    }

    /// Makes records and references of a body.
    fn read(&self, page: &Page, slugs: &mut Vec<String>) -> Result<(Option<Batch>, Rowset), Kind> {
        let json = raw::text(&page.body).map_err(malformed)?.as_bytes();
        let def = self.node.def;
        let extracted = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        let emit = self.node.emit.as_ref().filter(|_| self.emit);
        let frame = emit.map(|selected| selected.projection.frame(|name| self.context.get(name), &extracted));
        let mut batch = emit.map(|_| Batch::new(def));
        if let Some(batch) = &mut batch {
            batch.lines.reserve(page.body.len() + page.body.len() / 8);
        }
        let mut references = Vec::new();
        let mut keys = Vec::new();
        let mut places = Vec::new();
        let mut failed = None;
        let mut row = |at: usize| -> Result<usize, raw::Malformed> {
            if def.chosen_by_slug {
                let end = raw::skip(json, at)?;
                let slug = raw::lookup(json, at, &["slug"])?.and_then(|range| raw::scalar_text(json, range)).unwrap_or_default();
                slugs.push(slug.clone());
                if !self.sync.settings.projects.admits(&slug) {
                    return Ok(end);
                }
            }
            let end = match (&mut batch, &frame, emit) {
                (Some(batch), Some(frame), Some(selected)) => match selected.projection.write(json, at, frame, batch) {
                    Ok(end) => end,
                    Err(RowError::Malformed(e)) => return Err(e),
                    Err(other) => {
                        failed = Some(other.to_string());
                        return Err(raw::Malformed { what: "a row that is no record", at });
                    }
                },
                _ => raw::skip(json, at)?,
            };
            if !self.bind.is_empty() {
                match self.reference(json, at)? {
                    Some(reference) => references.push(reference),
                    None => {
                        failed = Some("a row without the values that its children need".to_owned());
                        return Err(raw::Malformed { what: "a row that is no record", at });
                    }
                }
            }
            keys.push(batch.as_ref().and_then(|b| b.rows.last()).map_or_else(|| self.identity(json, at, end, references.last()), |row| row.key));
            places.push(at);
            Ok(end)
        };
        let at = raw::skip_space(json, 0);
        let end = match (def.rows, json.get(at)) {
            (Rows::Object, Some(b'{')) => row(at),
            (Rows::Whole | Rows::Pages { .. }, Some(b'[')) => raw::elements(json, at, row),
            (Rows::Object, _) => return Err(Kind::Body("expected an object".to_owned())),
            _ => return Err(Kind::Body("expected a list".to_owned())),
        };
        end.and_then(|end| raw::finish(json, end)).map_err(|e| Kind::Body(failed.unwrap_or_else(|| e.to_string())))?;
        if def.rows == Rows::Object
            && let Some((name, path)) = def.parent.and_then(|parent| parent.bind.iter().find(|(_, path)| *path == ["id"]))
            && let Some(found) = raw::lookup(json, at, path).map_err(malformed)?.and_then(|range| raw::scalar_text(json, range))
            && self.context.get(name).is_some_and(|asked| asked != found)
        {
            log::info!(target: def.name, "{} was merged into {found}, which is written under its own id", self.context.label());
        }
        let instant = |at: usize| def.replication_key().and_then(|key| raw::lookup(json, at, &[key]).ok()??.into()).and_then(|range| parse_instant(&raw::scalar_text(json, range)?).ok());
        let edges = places.first().zip(places.last()).and_then(|(first, last)| Some((instant(*first)?, instant(*last)?)));
        Ok((batch, Rowset { references, keys, edges, hits: page.hits, more: page.next.is_some() }))
    }

    fn reference(&self, json: &[u8], at: usize) -> Result<Option<Reference>, raw::Malformed> {
        let get = |path: &[&str]| Ok::<_, raw::Malformed>(raw::lookup(json, at, path)?.and_then(|range| raw::scalar_text(json, range)));
        let mut bind = Vec::with_capacity(self.bind.len());
        for (name, path) in &self.bind {
            match get(path)? {
                Some(value) if !value.is_empty() => bind.push((*name, value)),
                _ => return Ok(None),
            }
        }
        let activity = self.node.def.walk().and_then(|walk| walk.activity);
        let last = activity.map(|activity| activity.last).or(self.node.def.replication_key());
        let last = last.map(|name| get(&[name])).transpose()?.flatten().and_then(|text| parse_instant(&text).ok());
        let count = activity.map(|activity| get(&[activity.count])).transpose()?.flatten().and_then(|text| text.parse().ok());
        Ok(Some(Reference { bind, last, count }))
    }

    /// Tells rows apart where no record is made of them.
    fn identity(&self, json: &[u8], at: usize, end: usize, reference: Option<&Reference>) -> u128 {
        match reference {
            Some(reference) => xxh3_128(reference.bind.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join("\0").as_bytes()),
            None => xxh3_128(&json[at..end]),
        }
    }
}

/// `start` and `end` with `Z`: Sentry reads naive times in the server's own zone.
fn window_query(pass: &Pass, window: Window) -> Vec<(&'static str, String)> {
    pass.query.iter().map(|(name, value)| (*name, (*value).to_owned())).chain(pinned(window)).collect()
}

fn pinned(window: Window) -> [(&'static str, String); 2] {
    [("start", format_instant(window.start)), ("end", format_instant(window.end))]
}

/// An older server does not know an optional query.
fn tolerate(pass: &Pass, def: &StreamDef, failure: Failure) -> Result<(), Failure> {
    match failure {
        Failure::Api(e) if pass.optional && e.status() == Some(400) => {
            log::warn!(target: def.name, "{e}; this server has nothing that the query would find");
            Ok(())
        }
        failure => Err(failure),
    }
}

/// One path segment: everything but unreserved characters is escaped.
fn encode(segment: &str) -> String {
    use std::fmt::Write as _;
    segment.bytes().fold(String::new(), |mut out, b| {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
        out
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
