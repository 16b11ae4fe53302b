//! One list, page by page: its records into the outbox, and what its rows tell their children.

use crate::batch::Batch;
use crate::client::{ApiError, Ask, Client, Kind, Page, malformed};
use crate::config::Settings;
use crate::context::Context;
use crate::error::Error;
use crate::outbox::{Closed, Event, Outbox};
use crate::paging::{Cursor, Next};
use crate::plan::{Node, Window};
use crate::raw::{Document, Place};
use crate::record::Notes;
use crate::report::Report;
use crate::streams::{Rows, StreamDef};
use crate::time::{format_instant, parse_instant};
use chrono::{DateTime, SecondsFormat, Utc};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::OwnedSemaphorePermit;
use xxhash_rust::xxh3::xxh3_128;

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
pub enum Failure {
    Api(ApiError),
    Stop(Stop),
}

impl Failure {
    /// For what sends nothing to the server.
    pub fn only_stop<T>(self) -> Result<T, Stop> {
        match self {
            Self::Stop(stop) => Err(stop),
            Self::Api(error) => Err(Stop::Error(Error::Unexpected(error.to_string()))),
        }
    }
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

/// What every list of a run needs.
pub struct Reach<'a> {
    pub client: &'a Client,
    pub settings: &'a Settings,
    pub report: &'a Report,
    pub outbox: Outbox,
    /// The size of a stream's latest page, by which room is taken for the next.
    sizes: Mutex<HashMap<&'static str, usize>>,
    /// The server knows projects in paths by slug only.
    by_slug: AtomicBool,
    /// It has answered to an id.
    by_id: AtomicBool,
}

impl<'a> Reach<'a> {
    pub fn new(client: &'a Client, settings: &'a Settings, report: &'a Report, outbox: Outbox) -> Self {
        Self { client, settings, report, outbox, sizes: Mutex::default(), by_slug: AtomicBool::new(false), by_id: AtomicBool::new(false) }
    }

    /// Room for a page of the stream, with its records.
    async fn room(&self, def: &StreamDef) -> OwnedSemaphorePermit {
        let size = self.sizes().get(def.name).copied().unwrap_or(256 << 10);
        self.outbox.room(size * 2).await
    }

    fn sizes(&self) -> MutexGuard<'_, HashMap<&'static str, usize>> {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a row tells its children.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    pub bind: Vec<(&'static str, String)>,
    /// When it was last active in the window.
    pub last: Option<DateTime<Utc>>,
    /// How many child rows it has in the window.
    pub count: Option<u64>,
    /// How many it has in all.
    pub total: Option<u64>,
    /// Its child rows are also in the list of the whole project.
    pub by_project: bool,
    /// A project that the token cannot read, as the list has it; of an integration that may be wrong.
    pub no_access: bool,
}

/// A list of the child rows of many parents at once.
pub struct ByProject {
    pub def: &'static StreamDef,
    /// The ids of the parents whose rows are wanted.
    pub listed: HashSet<String>,
    /// Other parents that rows were seen of; their rows were left out.
    pub strangers: Mutex<BTreeSet<String>>,
}

/// One page, its records already sent.
pub struct Rowset {
    pub references: Vec<Reference>,
    pub keys: Vec<u128>,
    /// The instant of each row, where asked for. Epoch seconds.
    pub instants: Vec<Option<i64>>,
    /// How many rows it has, also those that were left out.
    rows: usize,
    /// The instants of the first and the last row.
    pub edges: Option<(DateTime<Utc>, DateTime<Utc>)>,
    pub hits: Option<u64>,
    pub more: bool,
}

/// Rows on a page: the most that Sentry gives.
pub const PAGE_SIZE: usize = 100;

/// Filters that a server applies to the rows of a page may leave none. So many such pages in succession would be 100,000
/// rows: more likely the list has no end.
const EMPTY_PAGES: usize = 1_000;

/// Walks one list page by page.
pub struct Pager<'a> {
    reach: &'a Reach<'a>,
    node: &'a Node,
    context: Context,
    query: Vec<(&'static str, String)>,
    /// Of the rows, where the list is asked for by one.
    pub window: Option<Window>,
    pub bind: Vec<(&'static str, &'static [&'static str])>,
    pub projects: &'a [String],
    pub page_size: usize,
    /// Write the records of this walk.
    pub emit: bool,
    /// Only the first row of a page, as `--test` wants it.
    pub first_only: bool,
    pub want_instants: bool,
    /// Instead of the node's own list.
    pub by_project: Option<&'a ByProject>,
    cursor: Option<Cursor>,
    followed: HashSet<Cursor>,
    page: usize,
    /// Pages without a row, up to the latest.
    empty: usize,
    done: bool,
    /// Every slug that was listed, chosen or not.
    pub slugs: Vec<String>,
}

impl<'a> Pager<'a> {
    pub fn new(reach: &'a Reach<'a>, node: &'a Node, context: Context, query: Vec<(&'static str, String)>) -> Self {
        let mut bind: Vec<(&'static str, &'static [&'static str])> = Vec::new();
        for (name, path) in node.children.iter().filter_map(|child| child.def.parent).flat_map(|parent| parent.bind) {
            if !bind.iter().any(|(known, _)| known == name) {
                bind.push((name, path));
            }
        }
        Self {
            reach,
            emit: node.emit.is_some(),
            node,
            context,
            query,
            window: None,
            bind,
            projects: &[],
            first_only: false,
            want_instants: false,
            by_project: None,
            page_size: PAGE_SIZE,
            cursor: None,
            followed: HashSet::new(),
            page: 0,
            empty: 0,
            done: false,
            slugs: Vec::new(),
        }
    }

    /// The next page, its records sent; `None` after the last. An empty page is not the end: only the server's word
    /// that nothing follows is.
    pub async fn next(&mut self) -> Result<Option<Rowset>, Failure> {
        if self.done {
            return Ok(None);
        }
        self.page += 1;
        let def = self.by_project.map_or(self.node.def, |list| list.def);
        let settings = self.reach.settings;
        let mut query = self.context.query(def, settings.fetch_event_details, self.projects);
        query.extend(self.query.iter().cloned());
        if let Some(Window { start, end }) = self.window {
            // With `Z`: Sentry reads naive times in the server's own zone.
            query.extend([("start", format_instant(start)), ("end", format_instant(end))]);
        }
        if let Rows::Pages { size } = def.rows {
            query.push((size, self.page_size.to_string()));
        }
        if let Some(Cursor(cursor)) = &self.cursor {
            query.push(("cursor", cursor.clone()));
        }
        let names_project = def.path.contains("{project_id}");
        let by_slug = self.reach.by_slug.load(Ordering::Relaxed);
        let ask = |by_slug: bool| Ask {
            stream: def,
            url: self.reach.client.url(&self.context.path(def, by_slug), &query),
            page: self.page,
            divisible: self.window.is_some_and(|window| window.is_divisible()),
        };
        let room = || self.reach.room(def);
        let mut slugs = Vec::new();
        let mut parse = |page: &mut Page| {
            slugs.clear();
            let size = page.body.bytes().len();
            let (mut batch, rowset) = self.read(page, &mut slugs)?;
            let next = self.follow(page.next.take(), rowset.rows)?;
            if let Some(batch) = &mut batch {
                batch.keep(page.body.take());
            }
            Ok((batch, rowset, next, size))
        };
        let answer = match self.reach.client.get(&ask(by_slug), room, &mut parse).await {
            Err(e) if e.not_there() && !by_slug && !self.reach.by_id.load(Ordering::Relaxed) && names_project => {
                let answer = self.reach.client.get(&ask(true), room, &mut parse).await;
                if answer.is_ok() {
                    log::debug!(target: def.name, "this server knows projects by slug only");
                    self.reach.by_slug.store(true, Ordering::Relaxed);
                }
                answer
            }
            answer => {
                if names_project && !by_slug && answer.is_ok() {
                    self.reach.by_id.store(true, Ordering::Relaxed);
                }
                answer
            }
        };
        let ((batch, rowset, next, size), room) = answer?;
        self.reach.sizes().insert(def.name, size);
        self.slugs.append(&mut slugs);
        self.empty = if rowset.rows == 0 { self.empty + 1 } else { 0 };
        self.done = next.is_none();
        self.followed.extend(next.clone());
        self.cursor = next;
        let batch = batch.map(|mut batch| {
            batch.rows.truncate(if self.first_only { 1 } else { usize::MAX });
            batch
        });
        if let Some(batch) = batch.filter(|batch| !batch.rows.is_empty() || batch.notes != Notes::default()) {
            self.reach.outbox.send(Event::Records(Box::new(batch), Some(room))).await?;
        }
        Ok(Some(rowset))
    }

    /// The cursor of the next page, if one follows; an error when what the page says of it cannot be.
    fn follow(&self, next: Option<Next>, rows: usize) -> Result<Option<Cursor>, Kind> {
        match next {
            Some(Next::Page(Cursor(cursor))) if rows == 0 && self.empty + 1 >= EMPTY_PAGES => {
                Err(Kind::Paging(format!("{EMPTY_PAGES} empty pages in succession, and the next cursor is `{cursor}`")))
            }
            Some(Next::Page(cursor)) if self.followed.contains(&cursor) => {
                Err(Kind::Paging(format!("the next cursor `{}` is one that was already followed", cursor.0)))
            }
            Some(Next::Page(cursor)) => Ok(Some(cursor)),
            // Sentry tells with every page of a list; only what it answers without looking has no header, and few rows.
            None if rows >= self.page_size && matches!(self.node.def.rows, Rows::Pages { .. }) => {
                Err(Kind::Paging("a full page that does not tell whether another follows".to_owned()))
            }
            Some(Next::Nothing) | None => Ok(None),
        }
    }

    /// Makes records and references of a body.
    fn read(&self, page: &mut Page, slugs: &mut Vec<String>) -> Result<(Option<Batch>, Rowset), Kind> {
        let Page { sent, body, next, hits } = page;
        let doc = body.document().map_err(malformed)?;
        let def = self.node.def;
        let extracted = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        let emit = self.node.emit.as_ref().filter(|_| self.emit);
        let counted = self.context.get("project_id").filter(|_| def.name == "events").and_then(|id| self.reach.report.counts_errors(id));
        let frame = emit.map(|selected| selected.projection.frame(|name| self.context.get(name), &extracted).counting(counted));
        let mut batch = emit.map(|selected| Batch::new(selected.def, *sent, self.context.get("project_id").filter(|_| counted.is_some())));
        let mut references = Vec::with_capacity(PAGE_SIZE);
        let mut keys = Vec::with_capacity(PAGE_SIZE);
        let mut places = Vec::with_capacity(PAGE_SIZE);
        let mut rows = 0;
        let mut row = |row: Place| -> Result<(), Kind> {
            rows += 1;
            let get = |name| doc.lookup(row, &[name]).and_then(|place| doc.scalar_text(place)).unwrap_or_default();
            if let Some(list) = self.by_project {
                let parent = get("groupID");
                if !list.listed.contains(&parent) {
                    list.strangers.lock().unwrap_or_else(PoisonError::into_inner).insert(parent);
                    return Ok(());
                }
            }
            if def.chosen_by_slug {
                let slug = get("slug");
                slugs.push(slug.clone());
                if !self.reach.settings.projects.admits(&slug) {
                    return Ok(());
                }
            }
            if let (Some(batch), Some(frame), Some(selected)) = (&mut batch, &frame, emit) {
                selected.projection.write(&doc, row, frame, batch).map_err(|e| Kind::Body(e.to_string()))?;
            }
            if !self.bind.is_empty() || def.walk().is_some() {
                let reference = self.reference(&doc, row);
                references.push(reference.ok_or_else(|| Kind::Body("a row without the values that its children need".to_owned()))?);
            }
            keys.push(batch.as_ref().and_then(|b| b.rows.last()).map_or_else(|| identity(doc.text(row), references.last()), |row| row.key));
            places.push(row);
            Ok(())
        };
        let root = doc.root();
        match (def.rows, doc.byte(root)) {
            (Rows::Object, b'{') => row(root)?,
            (Rows::Whole | Rows::Pages { .. }, b'[') => doc.elements(root).try_for_each(row)?,
            (Rows::Object, _) => return Err(Kind::Body("expected an object".to_owned())),
            _ => return Err(Kind::Body("expected a list".to_owned())),
        }
        if def.rows == Rows::Object
            && let Some((name, path)) = def.parent.and_then(|parent| parent.bind.iter().find(|(_, path)| *path == ["id"]))
            && let Some(found) = doc.lookup(root, path).and_then(|place| doc.scalar_text(place))
            && self.context.get(name).is_some_and(|asked| asked != found)
        {
            log::info!(target: def.name, "{} was merged into {found}, which is written under its own id", self.context.label());
        }
        let instant = |row: Place| parse_instant(&doc.scalar_text(doc.lookup(row, &[def.replication_key()?])?)?).ok();
        let edges = places.first().zip(places.last()).and_then(|(first, last)| Some((instant(*first)?, instant(*last)?)));
        let instants = places.iter().filter(|_| self.want_instants).map(|row| Some(instant(*row)?.timestamp())).collect();
        Ok((batch, Rowset { references, keys, instants, rows, edges, hits: *hits, more: matches!(next, Some(Next::Page(_))) }))
    }

    /// What the row tells its children; `None` when it lacks what they need.
    fn reference(&self, doc: &Document<'_>, row: Place) -> Option<Reference> {
        let get = |path: &[&str]| doc.lookup(row, path).and_then(|place| doc.scalar_text(place));
        let mut bind = Vec::with_capacity(self.bind.len());
        for (name, path) in &self.bind {
            bind.push((*name, get(path).filter(|value| !value.is_empty())?));
        }
        let activity = self.node.def.walk().and_then(|walk| walk.activity);
        let last = activity.map(|activity| activity.last).or(self.node.def.replication_key());
        let last = last.and_then(|name| get(&[name])).and_then(|text| parse_instant(&text).ok());
        let count = activity.and_then(|activity| get(&[activity.count])).and_then(|text| text.parse().ok());
        let category = activity.and_then(|activity| get(&[activity.category]));
        let total = activity.and_then(|activity| get(activity.total)).and_then(|text| text.parse().ok());
        let no_access = self.node.def.chosen_by_slug && doc.lookup(row, &["hasAccess"]).is_some_and(|place| doc.text(place) == b"false");
        Some(Reference { bind, last, count, total, by_project: category.is_none_or(|category| category == "error"), no_access })
    }
}

/// Tells rows apart where no record is made of them.
fn identity(row: &[u8], reference: Option<&Reference>) -> u128 {
    match reference {
        Some(reference) if !reference.bind.is_empty() => {
            xxh3_128(reference.bind.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join("\0").as_bytes())
        }
        _ => xxh3_128(row),
    }
}
