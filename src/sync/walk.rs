//! Walks the tree of the run: lists, windows, children. Puts records, checkpoints and gaps into the outbox.
//!
//! The order of what one partition sends is what keeps the state true: a window's checkpoint is sent after the
//! records of the window and of all its children, and a gap before any checkpoint that it must hold back.

use crate::error::Error;
use crate::report::run::{Gap, Report, Skip};
use crate::settings::Settings;
use crate::singer::queue::{Closed, Event, Outbox};
use crate::singer::state::{Bookmarks, Checkpoint, Partition};
use crate::streams::{
    OF_A_PROJECT, OF_AN_ORGANIZATION, ORGANIZATIONS, PROJECTS, Pass, StreamDef, Walk,
};
use crate::sync::failure::{Failure, Stop};
use crate::sync::pager::{ByProject, Pager};
use crate::sync::plan::{self, Group, Node, Progress, RETENTION, Starts};
use crate::sync::row::Reference;
use crate::sync::session::Session;
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::{BoxFuture, FutureExt, join_all, try_join_all};
use futures::stream::{self, TryStreamExt};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tap_sentry_api::client::Client;
use tap_sentry_api::endpoint::{Endpoint, Rows};
use tap_sentry_api::error::{ApiError, Kind};
use tap_sentry_api::page_size::PAGE_SIZE;
use tap_sentry_api::params::{ORGANIZATION, Params};
use tap_sentry_api::request::Request;
use tap_sentry_api::time::format_instant;
use tap_sentry_api::window::{Window, whole_hours, whole_second};
use tokio::sync::OnceCell;
use xxhash_rust::xxh3::xxh3_128;

/// Windows of one partition under way at once: while the children of one are read, the next are listed.
const WINDOWS_AT_ONCE: usize = 4;
/// After so many children of one list have failed in succession the rest is not tried: the server is down.
const FAILURES_IN_A_ROW: usize = 5;
/// Parents of one partition that are read once for all windows; more would cost memory.
const CLAIMS: usize = 20_000;
/// How often a list is asked for again because an answer shows that something is missing.
const REPEATS: usize = 3;

/// How often a second is asked for whose rows do not fit on a page, while that brings new ones.
const LOOKS_AT_A_SECOND: usize = 30;

/// One run over the plan.
pub struct Sync<'a> {
    session: Session<'a>,
    settings: Settings,
    tree: &'a [Node],
    bookmarks: Bookmarks,
    check_counts: bool,
    /// Lists below the rows of a window are not asked for in one piece when longer than this, by stream: the server has
    /// refused such.
    longest: Mutex<HashMap<&'static str, TimeDelta>>,
    /// Said once: that `start_date` is older than what Sentry lists.
    hole_told: AtomicBool,
}

/// What the rows of one window share.
#[derive(Clone, Copy)]
struct Scope<'a> {
    window: Window,
    starts: &'a Starts,
    /// How many rows the parent's list counts in the window.
    expected: Option<u64>,
    /// Asked for in the list of the whole project.
    by_project: Option<&'a ByProject>,
    /// Where the instants of its rows are noted. Epoch seconds.
    instants: Option<&'a Mutex<Vec<i64>>>,
}

/// A parent whose rows are read to the end of the run by one window for all.
#[derive(Clone)]
struct Claim {
    from: DateTime<Utc>,
    /// How many rows the parent had in all when they were asked for.
    total: Option<u64>,
    /// The instants of its rows, once they have been read, in epoch seconds; or why they cannot be.
    rows: Arc<OnceCell<Result<Vec<i64>, ApiError>>>,
}

/// The child of a listed row that is not there, in Sentry's own words.
struct Missing<'a> {
    node: &'a Node,
    bind: Vec<(&'static str, String)>,
    error: ApiError,
}

/// What the windows of one group share.
struct Span<'a> {
    node: &'a Node,
    walk: Walk,
    /// Those of the walk's passes that list anything here.
    passes: Vec<&'static Pass>,
    context: &'a Params,
    group: &'a Group,
    progress: Mutex<Progress>,
    claims: Mutex<FxHashMap<u128, Claim>>,
    stride: Mutex<Stride>,
}

/// How windows are cut, once the server has refused one.
#[derive(Default)]
struct Stride {
    /// None is asked for in one piece that is longer.
    longest: Option<TimeDelta>,
    /// How often it was made smaller without an answer since.
    halvings: usize,
}

impl Span<'_> {
    /// Returns the length of the parts to ask for instead, and how many halvings there have been in succession: what
    /// windows side by side learn alike is one.
    fn shrink(&self, refused: Window) -> (TimeDelta, usize) {
        let half = refused.half();
        let mut stride = lock(&self.stride);
        if stride.longest.is_none_or(|longest| half < longest) {
            *stride = Stride {
                longest: Some(half),
                halvings: stride.halvings + 1,
            };
        }
        (half, stride.halvings)
    }

    fn grow(&self, limit: TimeDelta) {
        let mut stride = lock(&self.stride);
        *stride = Stride {
            longest: stride.longest.map(|longest| (longest * 2).min(limit)),
            halvings: 0,
        };
    }

    /// The claim on a parent's rows, made now if there is none; `None` where each window asks for itself.
    fn claim(&self, node: &Node, from: DateTime<Utc>, reference: &Reference) -> Option<Claim> {
        if node.def.endpoint.rows != Rows::Object && !fits_a_page(&node.def.endpoint, reference) {
            return None;
        }
        let parent = reference
            .bind
            .iter()
            .fold(node.def.name().to_owned(), |name, (_, value)| {
                name + "\0" + value
            });
        let mut claims = lock(&self.claims);
        let room = claims.len() < CLAIMS;
        match claims.entry(xxh3_128(parent.as_bytes())) {
            Entry::Occupied(known) => Some(known.get().clone()),
            Entry::Vacant(vacant) => room.then(|| {
                vacant
                    .insert(Claim {
                        from,
                        total: reference.total,
                        rows: Arc::default(),
                    })
                    .clone()
            }),
        }
    }
}

impl<'a> Sync<'a> {
    pub fn new(
        client: &'a Client,
        settings: &'a Settings,
        tree: &'a [Node],
        bookmarks: &'a Bookmarks,
        report: &'a Report,
        outbox: Outbox,
        check_counts: bool,
    ) -> Self {
        Self {
            session: Session::new(client, settings, report, outbox),
            settings: settings.clone(),
            tree,
            bookmarks: bookmarks.clone(),
            check_counts,
            longest: Mutex::default(),
            hole_told: AtomicBool::new(false),
        }
    }

    /// Extracts everything that is planned.
    ///
    /// # Errors
    /// What ends the run at once; what could not be extracted otherwise is in the report.
    pub async fn run(mut self) -> Result<(), Stop> {
        let contexts: Vec<Params> = self
            .organizations()
            .await?
            .into_iter()
            .map(Params::organization)
            .collect();
        let unlisted = Node {
            def: PROJECTS,
            emit: None,
            children: Vec::new(),
        };
        let mut listed: Vec<Option<Listed>> = Vec::new();
        if let Some(node) = listing_node(self.tree, &unlisted) {
            listed = try_join_all(
                contexts
                    .iter()
                    .map(|context| self.projects(node, context, contexts.len() == 1)),
            )
            .await?;
            self.all_named_are_seen(&listed)?;
            if listed
                .iter()
                .flatten()
                .all(|listed| listed.projects.is_empty())
            {
                log::warn!(
                    "no project to extract: the token sees none, or `project_slugs` leaves none"
                );
            }
            self.set_clock().await?;
        }
        let listing = listing_node(self.tree, &unlisted);
        for (node, listed) in listing
            .iter()
            .flat_map(|node| listed.iter().flatten().map(move |listed| (node, listed)))
        {
            let context = Params::organization(&listed.organization);
            for child in &node.children {
                let partitions = listed
                    .projects
                    .iter()
                    .map(|project| Partition::of(&context.with(&project.bind)))
                    .collect();
                self.plan_partitions(child, partitions).await?;
            }
        }
        let mut listed = listed
            .into_iter()
            .map(|listed| listed.map(|listed| listed.projects));
        let organizations = contexts
            .iter()
            .map(|context| self.organization(context, listing, listed.next().flatten()));
        try_join_all(organizations).await?;
        Ok(self.session.outbox.send(Event::Done).await?)
    }

    /// Fixes the run's `now`, before anything is planned and for all of it. What a bookmark says of the time after it was
    /// written by a clock that ran ahead.
    async fn set_clock(&mut self) -> Result<(), Closed> {
        if self.tree.iter().all(|node| node.incremental().is_empty()) {
            return Ok(());
        }
        let mut reading = self.session.client.clock();
        if reading.is_none() {
            // A cache may have given all that was asked for so far, and tells nothing of the time.
            self.session.client.ask_the_time().await;
            reading = self.session.client.clock();
        }
        let Some(reading) = reading else {
            log::info!(
                "no answer tells the server's time (`Date` without `Age`): this machine's clock counts"
            );
            return self.set_bookmarks().await;
        };
        if let Some(warning) = reading.warning() {
            log::warn!("{warning}");
        }
        self.settings = self.settings.at(reading.now(self.settings.now));
        if self.settings.start_date >= self.settings.end {
            log::warn!(
                "`start_date` is in the future by the server's clock ({}): nothing can come",
                format_instant(self.settings.now)
            );
        }
        self.set_bookmarks().await
    }

    async fn set_bookmarks(&mut self) -> Result<(), Closed> {
        let now = whole_second(self.settings.now);
        let Some((stream, start)) = self.bookmarks.latest().filter(|(_, start)| *start > now)
        else {
            return Ok(());
        };
        if start - now > TimeDelta::minutes(1) {
            log::warn!(
                target: stream,
                "the bookmark {} in the state is in the future: it was written by a clock that ran ahead, and what happened since that run \
                 and is older than `lookback_minutes` may be missing; it is set to {}",
                format_instant(start),
                format_instant(now)
            );
        }
        self.bookmarks.set_back(now);
        self.session.outbox.send(Event::Now(now)).await
    }

    /// A slug that `project_slugs` names must be one of a project that the token sees in some organization. Where a list
    /// could not be read it may be there.
    fn all_named_are_seen(&self, listed: &[Option<Listed>]) -> Result<(), Stop> {
        let Some(listed) = listed
            .iter()
            .map(Option::as_ref)
            .collect::<Option<Vec<_>>>()
        else {
            return Ok(());
        };
        let slugs: Vec<String> = listed
            .iter()
            .flat_map(|listed| listed.slugs.iter().cloned())
            .collect();
        let nowhere = self.settings.projects.excluded_nowhere(&slugs);
        if !nowhere.is_empty() {
            log::warn!(
                "`exclude_project_slugs` names what the token does not see, which leaves out nothing: {}",
                nowhere.join(", ")
            );
        }
        let missing = self.settings.projects.missing(&slugs);
        if missing.is_empty() {
            return Ok(());
        }
        let organizations: Vec<String> = listed
            .iter()
            .map(|listed| format!("`{}`", listed.organization))
            .collect();
        let text = format!(
            "`project_slugs` names what the token does not see in {}: {}",
            organizations.join(", "),
            missing.join(", ")
        );
        Err(Stop::Error(Error::Setup(text)))
    }

    /// The configured organizations, or all that the token sees.
    pub async fn organizations(&self) -> Result<Vec<String>, Stop> {
        if !self.settings.organizations.is_empty() {
            return Ok(self.settings.organizations.clone());
        }
        let failed = |failure| match failure {
            Failure::Stop(stop) => stop,
            Failure::Api(e) if e.unanswered() => Stop::Error(Error::Unanswered(e)),
            // Without organizations there is nothing that could be read instead.
            Failure::Api(e) if e.status() == Some(401) => Stop::Error(Error::Authentication(e)),
            Failure::Api(e) => Stop::Error(Error::Setup(format!(
                "cannot list the token's organizations ({e}); set `organization` to the slug of yours"
            ))),
        };
        let node = Node {
            def: &ORGANIZATIONS,
            emit: None,
            children: Vec::new(),
        };
        let mut pager = Pager::new(&self.session, &node, Params::default(), Vec::new());
        pager.bind = OF_AN_ORGANIZATION.bind.to_vec();
        let mut slugs = Vec::new();
        while let Some(page) = pager.next().await.map_err(failed)? {
            slugs.extend(
                page.references
                    .into_iter()
                    .flat_map(|r| r.bind)
                    .map(|(_, slug)| slug),
            );
        }
        if slugs.is_empty() {
            return Err(Stop::Error(Error::Setup("the token sees no organization in a list; set `organization` to the slug of yours (tokens of internal integrations need this)".to_owned())));
        }
        slugs.dedup();
        Ok(slugs)
    }

    async fn organization(
        &self,
        context: &Params,
        listing: Option<&Node>,
        projects: Option<Vec<Reference>>,
    ) -> Result<(), Stop> {
        let below = async {
            match (listing, &projects) {
                (Some(node), Some(projects)) => {
                    self.children(&node.children, context, projects).await
                }
                _ => Ok(()),
            }
        };
        let others = self.tree.iter().filter(|node| node.def.choice.is_none());
        let others = others.map(|node| async {
            match node.def.walk() {
                Some(walk) => self.groups(node, walk, context, projects.as_deref()).await,
                None => self.node(node, context).await,
            }
        });
        futures::try_join!(below, async {
            join_all(others)
                .await
                .into_iter()
                .collect::<Result<Vec<()>, Stop>>()
        })
        .map(drop)
    }

    /// An incremental list of the organization, for each group of projects that start alike.
    async fn groups(
        &self,
        node: &Node,
        walk: Walk,
        context: &Params,
        projects: Option<&[Reference]>,
    ) -> Result<(), Stop> {
        let groups = match projects {
            Some(projects) => {
                plan::groups(node, context, projects, &self.settings, &self.bookmarks)
            }
            None if self.settings.projects.is_everything() => vec![Group::unlisted(
                node,
                context,
                &self.settings,
                &self.bookmarks,
            )],
            None => {
                return self
                    .gap(node, context, "the list of projects is missing")
                    .await;
            }
        };
        self.plan_partitions(
            node,
            groups
                .iter()
                .flat_map(|group| group.partitions.clone())
                .collect(),
        )
        .await?;
        join_all(
            groups
                .iter()
                .map(|group| self.windows(node, walk, context, group)),
        )
        .await
        .into_iter()
        .collect()
    }

    /// The chosen projects; `None` when their list could not be read. That `only` organization must be known: otherwise
    /// there is nothing to extract.
    async fn projects(
        &self,
        node: &Node,
        context: &Params,
        only: bool,
    ) -> Result<Option<Listed>, Stop> {
        let organization = context.get(ORGANIZATION).unwrap_or_default();
        let mut projects: Vec<Reference> = Vec::new();
        let mut slugs = Vec::new();
        // As any list paged by offset: read again while that brings what was skipped.
        for _ in 0..=REPEATS {
            let before = projects.len();
            let mut pager = Pager::new(&self.session, node, context.clone(), Vec::new());
            pager.bind = OF_A_PROJECT.bind.to_vec();
            let mut read = 0;
            loop {
                match pager.next().await {
                    Ok(Some(page)) => {
                        read += 1;
                        let new = page
                            .references
                            .into_iter()
                            .filter(|r| !projects.iter().any(|known| known.bind[0] == r.bind[0]))
                            .collect::<Vec<_>>();
                        projects.extend(new);
                    }
                    Ok(None) => break,
                    Err(Failure::Stop(stop)) => return Err(stop),
                    Err(Failure::Api(error)) if error.status() == Some(404) => {
                        let unknown = Error::UnknownOrganization {
                            slug: organization.to_owned(),
                            error: error.into(),
                        };
                        if only {
                            return Err(Stop::Error(unknown));
                        }
                        self.gap(node, context, &unknown.to_string()).await?;
                        return Ok(None);
                    }
                    Err(Failure::Api(e)) => {
                        let needed = node.emit.is_some()
                            || !node.children.is_empty()
                            || !self.settings.projects.is_everything();
                        if needed {
                            self.gap(node, context, &reason(&node.def.endpoint, &e))
                                .await?;
                        } else {
                            log::warn!(target: node.def.name(), "{}: {e}; what is asked for has one bookmark for all projects", context.label());
                        }
                        return Ok(None);
                    }
                }
            }
            for error in pager.unreadable() {
                // Its own streams have no partition here, and nobody knows which it would be.
                let alone = Node {
                    def: node.def,
                    emit: None,
                    children: Vec::new(),
                };
                self.unreadable(&alone, context, &[Partition::of(context)], error)
                    .await?;
            }
            slugs.append(&mut pager.slugs);
            if read < 2 || projects.len() == before {
                break;
            }
        }
        Ok(Some(Listed {
            organization: organization.to_owned(),
            projects,
            slugs,
        }))
    }

    async fn plan_partitions(&self, node: &Node, partitions: Vec<Partition>) -> Result<(), Closed> {
        for node in node.incremental() {
            self.session
                .outbox
                .send(Event::Plan(node.def.name(), partitions.clone()))
                .await?;
        }
        Ok(())
    }

    /// One node that hangs at `context`.
    fn node<'b>(&'b self, node: &'b Node, context: &'b Params) -> BoxFuture<'b, Result<(), Stop>> {
        async move {
            if let Some(walk) = node.def.walk() {
                let group = Group::one(node, Partition::of(context), &self.settings, &self.bookmarks);
                return self.windows(node, walk, context, &group).await;
            }
            match self.rows(node, context, None).await {
                Ok(()) => Ok(()),
                Err(Failure::Stop(stop)) => Err(stop),
                Err(Failure::Api(e)) if e.not_there() && node.def.parent.is_some() => {
                    log::warn!(target: node.def.name(), "{} has vanished and is passed over", context.label());
                    Ok(())
                }
                Err(Failure::Api(e)) => self.gap(node, context, &reason(&node.def.endpoint, &e)).await,
            }
        }
        .boxed()
    }

    /// The children of rows that have no windows.
    async fn children(
        &self,
        nodes: &[Node],
        context: &Params,
        references: &[Reference],
    ) -> Result<(), Stop> {
        let lanes = nodes.iter().map(|node| async move {
            stream::iter(references.iter().map(Ok::<_, Stop>))
                .try_for_each_concurrent(self.settings.connection.concurrency, |reference| async move {
                    self.node(node, &context.with(&reference.bind)).await
                })
                .await
        });
        join_all(lanes).await.into_iter().collect()
    }

    /// The windows of one group.
    async fn windows(
        &self,
        node: &Node,
        walk: Walk,
        context: &Params,
        group: &Group,
    ) -> Result<(), Stop> {
        let windows = plan::windows(node, &group.starts, &self.settings);
        if self.settings.end_date.is_some()
            && group.starts.nothing_new(self.settings.end)
            && self.session.is_new(&["nothing new", node.def.name()])
        {
            let end = format_instant(self.settings.end);
            log::warn!(target: node.def.name(), "{}: `end_date` {end} is before the bookmark: nothing new can come", context.label());
        }
        let Some(first) = windows.first() else {
            return Ok(());
        };
        let whole = Window {
            start: first.start,
            end: self.settings.end,
        };
        let passes = match self
            .live(node, walk, context, &group.projects, whole, windows.len())
            .await
        {
            Ok(passes) => passes,
            Err(Failure::Stop(stop)) => return Err(stop),
            Err(Failure::Api(e)) => return self.refused(node, context, group, whole, &e).await,
        };
        self.session.report.planned(node.def, whole);
        if let Some(start) = node
            .children
            .iter()
            .filter(|child| self.check_counts && child.def.counted.is_some())
            .find_map(|child| group.starts.own(child))
        {
            let window = whole_hours(Window {
                start,
                end: self.settings.end,
            });
            self.session.report.count_errors(context.clone(), window);
        }
        let span = &Span {
            node,
            walk,
            passes,
            context,
            group,
            progress: Mutex::new(Progress::new(first.start)),
            claims: Mutex::default(),
            stride: Mutex::default(),
        };
        if span.passes.is_empty() {
            self.hole(span, whole);
            return self.finished(span, whole).await.or_else(Failure::only_stop);
        }
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
                        self.refused(node, context, group, window, &e).await
                    }
                }
            })
            .await
    }

    /// Says that what is older than the retention is not there, with its dates: for a bookmark that was left too
    /// long by project, for a `start_date` once.
    fn hole(&self, span: &Span<'_>, empty: Window) {
        let old = Window {
            end: empty.end.min(self.settings.now - RETENTION),
            ..empty
        };
        let name = span.node.def.name();
        if old.start >= old.end {
            return;
        }
        let why = format!(
            "Sentry lists an issue only while it has events in its retention, usually {} days",
            RETENTION.num_days()
        );
        if self
            .bookmarks
            .start(name, &Partition::of(span.context))
            .is_some()
        {
            log::warn!(target: name, "{}: the bookmark is older than what Sentry lists; nothing is listed from {old}: {why}", span.context.label());
        } else if !self.hole_told.swap(true, Ordering::Relaxed) {
            log::warn!(target: name, "`start_date` is older than what Sentry lists; nothing is listed from {old}: {why}");
        }
    }

    /// A window could not be listed: its group ends here, as a gap unless its project is no longer there.
    async fn refused(
        &self,
        node: &Node,
        context: &Params,
        group: &Group,
        window: Window,
        error: &ApiError,
    ) -> Result<(), Stop> {
        if error.status() == Some(403) && self.vanished(PROJECTS, context).await {
            log::warn!(target: node.def.name(), "{} has vanished and is passed over", context.label());
            return Ok(());
        }
        self.gaps(
            node,
            group,
            &format!("{window}: {}", reason(&node.def.endpoint, error)),
        )
        .await
    }

    /// The passes that list anything in the whole span. Most projects of a large organization are idle, and most
    /// have no feedback: one question spares those of all their windows.
    async fn live(
        &self,
        node: &Node,
        walk: Walk,
        context: &Params,
        projects: &[String],
        whole: Window,
        windows: usize,
    ) -> Result<Vec<&'static Pass>, Failure> {
        if !walk.windowed || windows < 2 {
            return Ok(walk.passes.iter().collect());
        }
        let probes = walk.passes.iter().map(|pass| async move {
            Ok::<_, Failure>(
                self.lists(node.def, context, projects, pass, whole)
                    .await?
                    .then_some(pass),
            )
        });
        Ok(try_join_all(probes).await?.into_iter().flatten().collect())
    }

    /// Whether a query finds anything in a span.
    async fn lists(
        &self,
        def: &'static StreamDef,
        context: &Params,
        projects: &[String],
        pass: &Pass,
        window: Window,
    ) -> Result<bool, Failure> {
        let silent = Node {
            def,
            emit: None,
            children: Vec::new(),
        };
        let mut pager =
            Pager::new(&self.session, &silent, context.clone(), pass.parameters()).probing(1);
        pager.window = Some(window);
        pager.projects = projects;
        match pager.next().await {
            Ok(page) => Ok(page.is_some_and(|page| {
                !page.keys.is_empty() || page.more || page.hits.is_some_and(|hits| hits > 0)
            })),
            // The windows are smaller.
            Err(Failure::Api(ApiError {
                kind: Kind::QueryTooLarge { .. },
                ..
            })) => Ok(true),
            Err(failure) => tolerate(pass, def, failure).map(|()| false),
        }
    }

    /// Whether the row of `listing` that the context names is no longer there, or another answers in its place: by its
    /// own detail. A deleted project makes a list answer 403, and an issue under way into another its events 404.
    async fn vanished(&self, listing: &StreamDef, context: &Params) -> bool {
        let Some(def) = listing.detail() else {
            return false;
        };
        let Some((name, path)) = def.parent.and_then(|parent| parent.bind.first()) else {
            return false;
        };
        let Some(id) = context.get(name) else {
            return false;
        };
        let mut asking = self
            .session
            .client
            .ask(Request::new(&def.endpoint, context.clone()));
        loop {
            let mut page = match asking.answer().await {
                Ok(page) => page,
                Err(e) => return e.not_there(),
            };
            let found = page.body.document().map_err(Kind::from).and_then(|doc| {
                let found = doc.lookup(doc.root(), path);
                let found = found.and_then(|place| doc.scalar_text(place));
                found.ok_or_else(|| Kind::Body(format!("an object without its {}", path.join("."))))
            });
            match found {
                Ok(found) => {
                    asking.accept(&page);
                    return found != id;
                }
                Err(kind) => match asking.reject(kind).await {
                    Ok(()) => {}
                    Err(e) => return e.not_there(),
                },
            }
        }
    }

    /// One window: asked for whole, or in pieces when the server cannot answer so much at once.
    fn window<'b>(
        &'b self,
        span: &'b Span<'b>,
        window: Window,
    ) -> BoxFuture<'b, Result<(), Failure>> {
        async move {
            let stride = lock(&span.stride).longest;
            if let Some(stride) = stride.filter(|stride| window.length() > *stride) {
                for piece in window.pieces(stride) {
                    self.window(span, piece).await?;
                }
                return Ok(());
            }
            if span.walk.windowed && window.length() > self.settings.window && window.end <= self.settings.now - RETENTION {
                let listed = try_join_all(
                    span.passes.iter().map(|pass| self.lists(span.node.def, span.context, &span.group.projects, pass, window)),
                )
                .await?;
                if !listed.contains(&true) {
                    self.hole(span, window);
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
                Err(Failure::Api(ApiError { kind: Kind::QueryTooLarge { .. }, .. })) if window.is_divisible() => {
                    log::info!(target: span.node.def.name(), "{}: {window} is too much for one query; halving it", span.context.label());
                    let (half, halvings) = span.shrink(window);
                    self.session.client.pause(halvings).await;
                    for piece in window.pieces(half) {
                        self.window(span, piece).await?;
                    }
                    Ok(())
                }
                Err(failure) => Err(failure),
            }
        }
        .boxed()
    }

    async fn finished(&self, span: &Span<'_>, window: Window) -> Result<(), Failure> {
        self.session.report.finished(span.node.def, window);
        let sessioned = lock(&span.progress).finish(window);
        // An end in the future is not sessioned yet: what comes before it is for later runs.
        let Some(start) = sessioned.map(|sessioned| sessioned.min(whole_second(self.settings.now)))
        else {
            return Ok(());
        };
        let streams = span.node.incremental().into_iter().filter(|node| {
            !node
                .emit
                .as_ref()
                .is_some_and(|selected| selected.ignore_bookmark)
        });
        let checkpoints = streams.flat_map(|node| {
            span.group.partitions.iter().map(|partition| Checkpoint {
                stream: node.def.name(),
                partition: partition.clone(),
                start,
            })
        });
        Ok(self
            .session
            .outbox
            .send(Event::Checkpoints(checkpoints.collect()))
            .await?)
    }

    /// The rows of one window, and then their children.
    ///
    /// A row whose child is not there has vanished since it was listed: deleted, or merged into a row that may have been
    /// read already. The list tells which, so it is read again, and of its rows those that are new or have changed.
    async fn listing(&self, span: &Span<'_>, window: Window) -> Result<(), Failure> {
        let mut listed = self.listed(span, window).await?;
        let mut missing = self.lanes(span, window, &listed).await?;
        for _ in 0..REPEATS {
            if missing.is_empty() {
                return Ok(());
            }
            log::info!(target: span.node.def.name(), "{}: {window}: rows have vanished; listing it again", span.context.label());
            listed.retain(|reference| missing.iter().all(|missing| missing.bind != reference.bind));
            let read: HashSet<Reference> = listed.into_iter().collect();
            listed = self.listed(span, window).await?;
            for gone in missing.iter().filter(|missing| {
                listed
                    .iter()
                    .all(|reference| missing.bind != reference.bind)
            }) {
                self.passed_over(span, gone).await.map_err(Failure::Stop)?;
            }
            // Each by itself: what was read of it for all windows, or of all rows together, was another state.
            let due = listed.iter().filter(|reference| !read.contains(reference));
            let due: Vec<Reference> = due
                .map(|due| Reference {
                    total: None,
                    by_project: false,
                    ..due.clone()
                })
                .collect();
            missing = self.lanes(span, window, &due).await?;
        }
        for Missing { node, bind, error } in missing {
            let row = span.context.with(&bind).label();
            if node.def.endpoint.rows == Rows::Object {
                // Sentry hides what is under way into another row, so this one stays as it is. What is younger than the
                // look-back is asked for again anyway.
                let reason = format!("{error}, though it is listed");
                self.session
                    .skip(Skip {
                        stream: node.def.name(),
                        row,
                        reason,
                        missing: true,
                    })
                    .await?;
            } else {
                self.gaps(
                    node,
                    span.group,
                    &format!("{row}: {error}, though it is listed"),
                )
                .await
                .map_err(Failure::Stop)?;
            }
        }
        Ok(())
    }

    /// What is no longer listed is a gap only if it still answers itself.
    async fn passed_over(&self, span: &Span<'_>, gone: &Missing<'_>) -> Result<(), Stop> {
        let context = span.context.with(&gone.bind);
        if self.vanished(span.node.def, &context).await {
            log::warn!(target: gone.node.def.name(), "{} has vanished and is passed over", context.label());
            return Ok(());
        }
        self.gaps(
            gone.node,
            span.group,
            &format!(
                "{}: {}, though it answers itself",
                context.label(),
                gone.error
            ),
        )
        .await
    }

    /// What all queries of a window list.
    async fn listed(&self, span: &Span<'_>, window: Window) -> Result<Vec<Reference>, Failure> {
        let passes =
            try_join_all(span.passes.iter().map(|pass| self.pass(span, pass, window))).await?;
        let mut seen = HashSet::new();
        Ok(passes
            .into_iter()
            .flatten()
            .filter(|r| seen.insert(r.bind.clone()))
            .collect())
    }

    /// All streams below the rows of a window. Returns what was not there.
    async fn lanes<'b>(
        &self,
        span: &Span<'b>,
        window: Window,
        references: &[Reference],
    ) -> Result<Vec<Missing<'b>>, Failure> {
        let lanes = span
            .node
            .children
            .iter()
            .map(|node| self.lane(span, node, window, references));
        let missing = join_all(lanes)
            .await
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        Ok(missing.into_iter().flatten().collect())
    }

    /// One query of a window. Returns what was listed.
    async fn pass(
        &self,
        span: &Span<'_>,
        pass: &Pass,
        window: Window,
    ) -> Result<Vec<Reference>, Failure> {
        let mut found = Found::default();
        if let Err(failure) = self.list(span, pass, window, &mut found).await {
            tolerate(pass, span.node.def, failure)?;
            return Ok(Vec::new());
        }
        for _ in 0..REPEATS {
            let before = found.keys.len();
            let again = if span.node.def.endpoint.offset_paged {
                // Rows shift when one is deleted, and the one at a page's edge is then skipped.
                (found.pages > 1).then_some(window)
            } else if let Some(oldest) = found.oldest {
                // A search that runs out of time ends early and does not say so. Its estimate of hits shows it; and
                // a server that gives none is asked for what is older than the last row.
                let short = found.hits.is_none_or(|hits| {
                    hits < 1000 && (found.keys.len() as u64) + found.absent < hits
                });
                let older = Window {
                    end: (oldest + TimeDelta::seconds(1)).min(window.end),
                    ..window
                };
                (short && older.start < older.end).then_some(older)
            } else {
                found
                    .hits
                    .is_some_and(|hits| hits > found.absent)
                    .then_some(window)
            };
            let Some(again) = again else { break };
            found.pages = 0;
            self.list(span, pass, again, &mut found).await?;
            if found.keys.len() == before {
                break;
            }
            log::info!(target: span.node.def.name(), "{}: {window}: another look found {} more", span.context.label(), found.keys.len() - before);
        }
        Ok(found.references)
    }

    async fn list(
        &self,
        span: &Span<'_>,
        pass: &Pass,
        window: Window,
        found: &mut Found,
    ) -> Result<(), Failure> {
        let mut pager = Pager::new(
            &self.session,
            span.node,
            span.context.clone(),
            pass.parameters(),
        );
        pager.window = Some(window);
        pager.projects = &span.group.projects;
        pager.emit &= span
            .group
            .starts
            .own(span.node)
            .is_some_and(|start| start < window.end);
        let mut absent = 0;
        while let Some(page) = pager.next().await? {
            found.pages += 1;
            absent += page.skipped;
            if found.pages == 1 {
                found.hits = found.hits.max(page.hits);
            }
            debug_assert_eq!(
                page.references.len(),
                page.keys.len(),
                "a walk refers to each row"
            );
            for (reference, key) in page.references.into_iter().zip(page.keys) {
                found.oldest = found.oldest.into_iter().chain(reference.last).min();
                if found.keys.insert(key) {
                    found.references.push(reference);
                }
            }
        }
        absent += pager.unreadable().len();
        found.absent = found.absent.max(absent as u64);
        for error in pager.unreadable() {
            self.unreadable(span.node, span.context, span.group.parts(), error)
                .await?;
        }
        Ok(())
    }

    /// A row that the server cannot give is a gap; the others of its list are written.
    async fn unreadable(
        &self,
        node: &Node,
        context: &Params,
        partitions: &[Partition],
        error: &ApiError,
    ) -> Result<(), Closed> {
        if !self.session.is_new(&[node.def.name(), &error.path]) {
            return Ok(());
        }
        for partition in partitions {
            let reason = format!(
                "{}: one row cannot be read, the others are: {error}",
                context.label()
            );
            self.session
                .outbox
                .send(Event::Gap(Gap {
                    streams: node.streams(),
                    partition: partition.clone(),
                    reason,
                }))
                .await?;
        }
        Ok(())
    }

    /// One stream below the rows of a window.
    async fn lane<'b>(
        &self,
        span: &Span<'_>,
        node: &'b Node,
        window: Window,
        references: &[Reference],
    ) -> Result<Vec<Missing<'b>>, Failure> {
        let starts = &span.group.starts;
        let Some(start) = starts.walked(node) else {
            return Ok(Vec::new());
        };
        let part = Window {
            start: start.max(window.start),
            ..window
        };
        if part.start >= part.end {
            return Ok(Vec::new());
        }
        let mut due: Vec<&Reference> = references
            .iter()
            .filter(|r| r.last.is_none_or(|last| last >= part.start))
            .collect();
        let strangers;
        if let Some(by) = node.def.together.filter(|by| {
            part == window
                && self.prefers(
                    by.endpoint,
                    &node.def.endpoint,
                    part,
                    self.at_once(starts, node, part),
                    &due,
                )
        }) {
            let (together, others): (Vec<_>, Vec<_>) =
                due.iter().copied().partition(|r| r.by_project);
            let id = |r: &Reference| {
                r.bind
                    .iter()
                    .find(|(name, _)| *name == by.bind)
                    .map(|(_, id)| id.clone())
            };
            let list = ByProject {
                together: by,
                listed: together.iter().filter_map(|r| id(r)).collect(),
                strangers: Mutex::default(),
            };
            let expected = together.iter().map(|r| r.count).sum();
            let scope = Scope {
                window: part,
                starts,
                expected,
                by_project: Some(&list),
                instants: None,
            };
            match self.rows(node, span.context, Some(scope)).await {
                Ok(()) => {
                    // Their issues are hidden, merged or new: the list of the issue itself tells.
                    strangers = lock(&list.strangers)
                        .iter()
                        .map(|id| Reference {
                            bind: vec![(by.bind, id.clone())],
                            last: None,
                            count: None,
                            total: None,
                            by_project: false,
                            no_access: false,
                        })
                        .collect::<Vec<_>>();
                    due = others.into_iter().chain(&strangers).collect();
                }
                Err(Failure::Api(e)) => {
                    log::warn!(target: node.def.name(), "{}: {}; asking issue by issue instead", span.context.label(), reason(by.endpoint, &e));
                }
                Err(stop) => return Err(stop),
            }
        }
        let failures = &AtomicUsize::new(0);
        let missing = &Mutex::new(Vec::new());
        stream::iter(due.into_iter().map(Ok))
            .try_for_each_concurrent(
                self.settings.connection.concurrency,
                |reference| async move {
                    if failures.load(Ordering::Relaxed) >= FAILURES_IN_A_ROW {
                        return Ok(());
                    }
                    let context = span.context.with(&reference.bind);
                    match self.child(span, node, window, part, reference).await {
                        Ok(None) => {
                            failures.store(0, Ordering::Relaxed);
                            Ok(())
                        }
                        Ok(Some(e)) => {
                            let reason =
                                format!("{}: {}", context.label(), reason(&node.def.endpoint, &e));
                            self.gaps(node, span.group, &reason)
                                .await
                                .map_err(Failure::Stop)
                        }
                        Err(Failure::Api(error)) if error.not_there() => {
                            lock(missing).push(Missing {
                                node,
                                bind: reference.bind.clone(),
                                error,
                            });
                            Ok(())
                        }
                        Err(Failure::Api(e)) => {
                            let rest = if failures.fetch_add(1, Ordering::Relaxed) + 1
                                == FAILURES_IN_A_ROW
                            {
                                "; the rest of the list is not tried"
                            } else {
                                ""
                            };
                            let reason = format!(
                                "{}: {}{rest}",
                                context.label(),
                                reason(&node.def.endpoint, &e)
                            );
                            self.gaps(node, span.group, &reason)
                                .await
                                .map_err(Failure::Stop)
                        }
                        Err(stop) => Err(stop),
                    }
                },
            )
            .await?;
        Ok(std::mem::take(&mut *lock(missing)))
    }

    /// What is read at once of a parent whose rows fit on a page, however many windows they lie in: all of the run.
    fn at_once(&self, starts: &Starts, node: &Node, part: Window) -> Window {
        // As the windows are cut: no query can ask for a part of a second.
        let start = starts
            .walked(node)
            .unwrap_or(part.start)
            .max(whole_second(self.settings.now - RETENTION));
        Window {
            start: start.min(part.start),
            end: self.settings.end,
        }
    }

    /// One parent's rows in a window. A list that fits on a page is read once for all windows, and an object once, by the
    /// first that meets the parent; the others only see whether something is missing. Their checkpoints still stand
    /// behind its rows: they wait for them here. Returns why it failed where another window has found that out, which
    /// tells nothing of the server now.
    async fn child(
        &self,
        span: &Span<'_>,
        node: &Node,
        window: Window,
        part: Window,
        reference: &Reference,
    ) -> Result<Option<ApiError>, Failure> {
        let context = span.context.with(&reference.bind);
        let scope = Scope {
            window: part,
            starts: &span.group.starts,
            expected: reference.count.filter(|_| part == window),
            by_project: None,
            instants: None,
        };
        let read = async |scope: Scope<'_>| self.rows(node, &context, Some(scope)).await;
        let from = self.at_once(scope.starts, node, part).start;
        let object = node.def.endpoint.rows == Rows::Object;
        // On a server that lists more than is usual, a later window may have been first: it left out what is older.
        let serves =
            |claim: &Claim| claim.total == reference.total && (object || claim.from <= part.start);
        let Some(claim) = span.claim(node, from, reference).filter(serves) else {
            return read(scope).await.map(|()| None);
        };
        let found = AtomicBool::new(false);
        let first = async || {
            found.store(true, Ordering::Relaxed);
            let instants = Mutex::default();
            let whole = Window {
                start: claim.from,
                end: self.settings.end,
            };
            match read(Scope {
                window: whole,
                expected: None,
                instants: Some(&instants),
                ..scope
            })
            .await
            {
                Ok(()) => Ok(Ok(std::mem::take(&mut *lock(&instants)))),
                // What is not there may be a merge that is under way: the window's next look asks again.
                Err(Failure::Api(e)) if !e.not_there() => Ok(Err(e)),
                Err(failure) => Err(failure),
            }
        };
        let instants = match claim.rows.get_or_try_init(first).await? {
            Ok(instants) => instants,
            Err(e) if found.load(Ordering::Relaxed) => return Err(e.clone().into()),
            Err(e) => return Ok(Some(e.clone())),
        };
        let seen = instants
            .iter()
            .filter(|at| part.start.timestamp() <= **at && **at < part.end.timestamp())
            .count() as u64;
        // Fewer rows than the list of parents counts here: the answer was cut short, or they have come since.
        if !object && scope.expected.is_some_and(|expected| seen < expected) {
            read(scope).await?;
        }
        Ok(None)
    }

    /// Whether the list of the whole project takes clearly less time than a list for each parent: few rows in many
    /// parents.
    fn prefers(
        &self,
        list: &Endpoint,
        own: &Endpoint,
        part: Window,
        whole: Window,
        due: &[&Reference],
    ) -> bool {
        let pages = |rows: u64| rows.div_ceil(PAGE_SIZE as u64).max(1);
        let together: Vec<&&Reference> = due.iter().filter(|r| r.by_project).collect();
        let Some(rows) = together
            .iter()
            .map(|r| r.count)
            .sum::<Option<u64>>()
            .filter(|_| together.len() > 1)
        else {
            return false;
        };
        let (once, each): (Vec<&Reference>, Vec<&Reference>) =
            together.into_iter().partition(|r| fits_a_page(own, r));
        // What is read once for all windows counts for this one by its part of them.
        let all = whole.length().num_seconds().max(1).unsigned_abs();
        let once = (once.len() as u64 * part.length().num_seconds().unsigned_abs()).div_ceil(all);
        let one_by_one = self.session.client.estimate(
            own.class,
            once + each.iter().filter_map(|r| r.count).map(pages).sum::<u64>(),
        );
        let at_once = self.session.client.estimate(list.class, pages(rows));
        at_once < one_by_one * 0.8
    }

    /// All rows of one list or object, and their children: in one walk, in parts where that is too much for the server,
    /// and again where rows are missing.
    fn rows<'b>(
        &'b self,
        node: &'b Node,
        context: &'b Params,
        scope: Option<Scope<'b>>,
    ) -> BoxFuture<'b, Result<(), Failure>> {
        async move {
            let list = scope.filter(|_| node.def.endpoint.rows != Rows::Object);
            let expected = list.and_then(|list| list.expected);
            let mut read = Read::default();
            let mut halvings = 0;
            let mut parts = list.map_or_else(|| vec![scope], |list| self.pieces(node, list));
            for look in 0..=REPEATS {
                let before = read.keys.len();
                read.absent = 0;
                let mut due: Vec<_> = std::mem::take(&mut parts).into_iter().rev().collect();
                while let Some(scope) = due.pop() {
                    let error = match self.walk(node, context, scope, &mut read).await {
                        Ok(()) => {
                            halvings = 0;
                            parts.push(scope);
                            continue;
                        }
                        Err(Failure::Api(error)) => error,
                        Err(stop) => return Err(stop),
                    };
                    match (&error.kind, scope) {
                        (Kind::QueryTooLarge { .. }, Some(whole)) if node.def.endpoint.rows != Rows::Object && whole.window.is_divisible() => {
                            log::info!(target: node.def.name(), "{}: {} is too much for one query; halving it", context.label(), whole.window);
                            self.learn(node, Some(whole.window));
                            // The older part is next.
                            due.extend(self.pieces(node, whole).into_iter().rev());
                            halvings += 1;
                            self.session.client.pause(halvings).await;
                        }
                        _ => return Err(error.into()),
                    }
                }
                if read.is_whole(expected) {
                    self.learn(node, None);
                    return Ok(());
                }
                if look > 0 && read.keys.len() == before {
                    break;
                }
            }
            if let (Some(expected), Some(Scope { window, .. })) = (expected, scope) {
                let found = read.keys.len();
                let short = format!("the list of {window} promised {expected} rows and holds {found}");
                if read.torn_in_small_pages {
                    let reason = format!("{}: {short}, since it is answered in small pages only", context.label());
                    self.gap(node, context, &reason).await.map_err(Failure::Stop)?;
                } else {
                    log::warn!(target: node.def.name(), "{}: {short}", context.label());
                }
            }
            Ok(())
        }
        .boxed()
    }

    /// The parts in which a list is asked for: one, unless the server has refused as much. How many rows each holds is
    /// not known.
    fn pieces<'b>(&self, node: &Node, scope: Scope<'b>) -> Vec<Option<Scope<'b>>> {
        match lock(&self.longest)
            .get(node.def.name())
            .filter(|longest| scope.window.length() > **longest)
        {
            Some(longest) => scope
                .window
                .pieces(*longest)
                .into_iter()
                .map(|window| {
                    Some(Scope {
                        window,
                        expected: None,
                        ..scope
                    })
                })
                .collect(),
            None => vec![Some(scope)],
        }
    }

    /// So much was too much, so that half of it is asked for from now on; or it was not, and more is tried.
    fn learn(&self, node: &Node, refused: Option<Window>) {
        let mut longest = lock(&self.longest);
        match (refused, longest.get_mut(node.def.name())) {
            (Some(refused), known) => {
                let half = known.map_or(refused.half(), |known| refused.half().min(*known));
                longest.insert(node.def.name(), half);
            }
            (None, Some(known)) => *known = (*known * 2).min(RETENTION),
            (None, None) => {}
        }
    }

    /// One walk over a list, and another look at what its pages may have torn apart.
    async fn walk(
        &self,
        node: &Node,
        context: &Params,
        scope: Option<Scope<'_>>,
        read: &mut Read,
    ) -> Result<(), Failure> {
        let Walked {
            torn,
            absent,
            pages,
            small,
        } = self.walk_once(node, context, scope, &mut read.keys).await?;
        read.absent += absent;
        read.torn_in_small_pages |= small && !torn.is_empty();
        let Some(scope) = scope else {
            let moves = node.def.endpoint.offset_paged && pages > 1;
            return if moves {
                self.repeat(node, context, &mut read.keys).await
            } else {
                Ok(())
            };
        };
        if scope.expected.is_some() && read.is_whole(scope.expected) {
            return Ok(());
        }
        // Rows of one second have no order, so those at a page's edge may come twice or not at all. Asked for alone,
        // a second fits on a page, unless pages are small because the server cannot answer larger ones.
        for second in torn {
            let alone = Window {
                start: second.max(scope.window.start),
                end: (second + TimeDelta::seconds(1)).min(scope.window.end),
            };
            let mut nothing_new = 0;
            for _ in 0..LOOKS_AT_A_SECOND {
                let before = read.keys.len();
                let again = self
                    .walk_once(
                        node,
                        context,
                        Some(Scope {
                            window: alone,
                            ..scope
                        }),
                        &mut read.keys,
                    )
                    .await?;
                nothing_new = if read.keys.len() == before {
                    nothing_new + 1
                } else {
                    0
                };
                if again.torn.is_empty() || nothing_new == REPEATS {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Walks a list of several pages that are paged by offset again while that brings rows which were skipped.
    async fn repeat(
        &self,
        node: &Node,
        context: &Params,
        keys: &mut FxHashSet<u128>,
    ) -> Result<(), Failure> {
        for _ in 0..REPEATS {
            let before = keys.len();
            self.walk_once(node, context, None, keys).await?;
            if keys.len() == before {
                break;
            }
            log::info!(target: node.def.name(), "{}: rows moved while the list was read; another look found {} more", context.label(), keys.len() - before);
        }
        Ok(())
    }

    async fn walk_once(
        &self,
        node: &Node,
        context: &Params,
        scope: Option<Scope<'_>>,
        keys: &mut FxHashSet<u128>,
    ) -> Result<Walked, Failure> {
        let mut pager = Pager::new(&self.session, node, context.clone(), Vec::new());
        pager.window = scope
            .filter(|_| node.def.endpoint.rows != Rows::Object)
            .map(|scope| scope.window);
        pager.by_project = scope.and_then(|scope| scope.by_project);
        pager.want_instants = scope.is_some_and(|scope| scope.instants.is_some());
        let (mut torn, mut edge, mut absent, mut read) = (Vec::new(), None, 0, 0);
        while let Some(page) = pager.next().await? {
            read += 1;
            if let Some((first, last)) = page.edges {
                torn.extend(edge.filter(|edge| *edge == first));
                edge = Some(last);
            }
            if let Some(instants) = scope.and_then(|scope| scope.instants) {
                lock(instants).extend(
                    page.instants
                        .iter()
                        .zip(&page.keys)
                        .filter(|(_, key)| !keys.contains(key))
                        .filter_map(|(at, _)| *at),
                );
            }
            let fresh: Vec<Reference> = page
                .references
                .into_iter()
                .zip(&page.keys)
                .filter(|(_, key)| !keys.contains(key))
                .map(|(r, _)| r)
                .collect();
            keys.extend(page.keys);
            absent += page.skipped as u64;
            let lanes = node
                .children
                .iter()
                .map(|child| self.each(child, context, scope, &fresh));
            join_all(lanes)
                .await
                .into_iter()
                .collect::<Result<Vec<()>, _>>()?;
        }
        for error in pager.unreadable() {
            self.unreadable(node, context, &[Partition::of(context)], error)
                .await?;
        }
        torn.dedup();
        Ok(Walked {
            torn,
            absent: absent + pager.unreadable().len() as u64,
            pages: read,
            small: pager.is_small(),
        })
    }

    /// One child of each row of a page.
    async fn each(
        &self,
        node: &Node,
        context: &Params,
        scope: Option<Scope<'_>>,
        references: &[Reference],
    ) -> Result<(), Failure> {
        let start = scope.and_then(|scope| scope.starts.walked(node));
        let due = references
            .iter()
            .filter(|r| r.last.zip(start).is_none_or(|(last, start)| last >= start));
        stream::iter(due.map(Ok))
            .try_for_each_concurrent(self.settings.connection.concurrency, |reference| async move {
                let context = context.with(&reference.bind);
                match self
                    .rows(node, &context, scope.map(|scope| Scope { expected: None, by_project: None, instants: None, ..scope }))
                    .await
                {
                    Err(Failure::Api(e)) if e.not_there() => {
                        log::warn!(target: node.def.name(), "{} has vanished and is passed over", context.label());
                        Ok(())
                    }
                    Err(Failure::Api(e)) => {
                        let reason = format!("{}: {}", context.label(), reason(&node.def.endpoint, &e));
                        self.gap(node, &context, &reason).await.map_err(Failure::Stop)
                    }
                    ended => ended,
                }
            })
            .await
    }

    async fn gap(&self, node: &Node, context: &Params, reason: &str) -> Result<(), Stop> {
        self.gap_at(node, Partition::of(context), reason).await
    }

    /// A gap in each part of a group.
    async fn gaps(&self, node: &Node, group: &Group, reason: &str) -> Result<(), Stop> {
        for partition in group.parts() {
            self.gap_at(node, partition.clone(), reason).await?;
        }
        Ok(())
    }

    async fn gap_at(&self, node: &Node, partition: Partition, reason: &str) -> Result<(), Stop> {
        let gap = Gap {
            streams: node.streams(),
            partition,
            reason: reason.to_owned(),
        };
        Ok(self.session.outbox.send(Event::Gap(gap)).await?)
    }
}

/// The node whose rows are the projects, if they are needed: to be written, for what is below them, or for the bookmarks of
/// incremental lists of the organization, which are kept by project.
fn listing_node<'a>(tree: &'a [Node], unlisted: &'a Node) -> Option<&'a Node> {
    let listing = tree.iter().find(|node| node.def.choice.is_some());
    let by_project = tree.iter().any(|node| node.def.walk().is_some());
    listing.or(by_project.then_some(unlisted))
}

/// Whether all child rows of a parent, now and later in the run, come in one answer.
fn fits_a_page(endpoint: &Endpoint, reference: &Reference) -> bool {
    matches!(endpoint.rows, Rows::Pages { .. })
        && reference
            .total
            .is_some_and(|total| total <= PAGE_SIZE as u64)
}

/// The error, with what a user can do about it.
pub fn reason(endpoint: &Endpoint, error: &ApiError) -> String {
    match error.status() {
        Some(403) if error.scope_shown => {
            format!(
                "{error}; the token has the scope {}, others are read by it: it has no access to this one",
                endpoint.scopes_text()
            )
        }
        Some(403) => format!(
            "{error}; the token needs the scope {}, and access to the project",
            endpoint.scopes_text()
        ),
        Some(404) => format!("{error}; this server does not have it, or `organization` is wrong"),
        _ => error.to_string(),
    }
}

/// The projects of one organization.
struct Listed {
    organization: String,
    /// Those that are chosen.
    projects: Vec<Reference>,
    /// Of all that the token sees.
    slugs: Vec<String>,
}

/// What the walks of one pass have found.
#[derive(Default)]
struct Found {
    references: Vec<Reference>,
    keys: FxHashSet<u128>,
    pages: usize,
    hits: Option<u64>,
    oldest: Option<DateTime<Utc>>,
    /// Rows that have no key or cannot be read.
    absent: u64,
}

/// What the walks of one list have read.
#[derive(Default)]
struct Read {
    keys: FxHashSet<u128>,
    /// Rows that have no key or cannot be read.
    absent: u64,
    /// Rows of one second fell on different pages, which are smaller than usual: some may never come.
    torn_in_small_pages: bool,
}

impl Read {
    /// Whether all is there, as far as one can know.
    fn is_whole(&self, expected: Option<u64>) -> bool {
        expected.is_none_or(|expected| self.keys.len() as u64 + self.absent >= expected)
    }
}

/// What one walk over a list has shown.
struct Walked {
    /// The seconds that a page's edge runs through.
    torn: Vec<DateTime<Utc>>,
    /// Rows that have no key or cannot be read.
    absent: u64,
    pages: usize,
    /// Pages are smaller than usual, since the server cannot answer larger ones.
    small: bool,
}

/// An older server does not know an optional query.
fn tolerate(pass: &Pass, def: &StreamDef, failure: Failure) -> Result<(), Failure> {
    match failure {
        Failure::Api(e) if pass.optional && e.status() == Some(400) => {
            log::warn!(target: def.name(), "{e}; this server has nothing that the query would find");
            Ok(())
        }
        failure => Err(failure),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
