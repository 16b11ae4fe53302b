//! One list, page by page: its records into the outbox, and what its rows tell their children.

use crate::error::Error;
use crate::record::lines::Batch;
use crate::record::notes::Notes;
use crate::report::run::{Report, Skip};
use crate::settings::Settings;
use crate::singer::queue::{Closed, Event, Outbox};
use crate::streams::{IDENTIFIERS, StreamDef, Together};
use crate::sync::plan::Node;
use crate::sync::row::Reference;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tap_sentry_api::client::Client;
use tap_sentry_api::endpoint::{Endpoint, Rows};
use tap_sentry_api::error::{ApiError, Kind};
use tap_sentry_api::link::{Cursor, Next};
use tap_sentry_api::params::PROJECT_ID;
use tap_sentry_api::params::Params;
use tap_sentry_api::request::{Page, Request};
use tap_sentry_api::text::brief;
use tap_sentry_api::time::parse_instant;
use tap_sentry_api::window::Window;
use tap_sentry_json::{Document, Place};
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
        if error.token_refused {
            Self::Stop(Stop::Error(Error::Authentication(error)))
        } else {
            Self::Api(error)
        }
    }
}

/// What every list of a run needs.
pub struct Reach<'a> {
    pub client: &'a Client,
    pub settings: &'a Settings,
    pub report: &'a Report,
    pub outbox: Outbox,
    /// Lists of which pages of the usual size were too much for the server.
    page_sizes: Mutex<HashMap<String, PageSize>>,
    /// Streams with such a list: others of theirs begin with as few rows.
    heavy_streams: Mutex<HashMap<&'static str, usize>>,
    /// How often a list was refused as too much in succession.
    refusals: Mutex<HashMap<String, usize>>,
    /// What was told of single rows, which a list that is read again would tell again.
    told: Mutex<HashSet<u128>>,
}

impl<'a> Reach<'a> {
    pub fn new(
        client: &'a Client,
        settings: &'a Settings,
        report: &'a Report,
        outbox: Outbox,
    ) -> Self {
        Self {
            client,
            settings,
            report,
            outbox,
            page_sizes: Mutex::default(),
            heavy_streams: Mutex::default(),
            refusals: Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// A row that no later run can read either. Told once, however often its list is read.
    pub async fn skip(&self, skip: Skip) -> Result<(), Closed> {
        if self.is_new(&[skip.stream, &skip.row]) {
            self.outbox.send(Event::Skip(skip)).await
        } else {
            Ok(())
        }
    }

    /// Whether it is the first time in this run that this is to be told.
    pub fn is_new(&self, what: &[&str]) -> bool {
        lock(&self.told).insert(xxh3_128(what.join("\0").as_bytes()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A list of the child rows of many parents at once.
pub struct ByProject {
    pub together: Together,
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
    /// Rows without a key or without what their children need. They are in no other list here.
    pub skipped: usize,
}

/// Rows on a page: the most that Sentry gives.
pub const PAGE_SIZE: usize = 100;
/// How many are asked for when a larger page was too much for the server. A list of which 100 were too much is never
/// asked for as many again in the run; smaller sizes are tried once more when a still smaller one is answered, since what
/// failed may have been the server's trouble and not the page's.
const SMALLER_PAGES: [usize; 3] = [25, 5, 1];
/// So often a query that takes too long is asked for in smaller windows before the pages are made smaller.
const WINDOWS_FIRST: usize = 2;
/// After so many unreadable rows in succession it is not the rows: the list has failed.
const UNREADABLE_IN_A_ROW: usize = 3;

/// How many rows of a list are asked for at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PageSize {
    now: usize,
    /// Larger pages are not tried any more.
    most: usize,
}

impl PageSize {
    fn smaller(self) -> Option<usize> {
        SMALLER_PAGES.into_iter().find(|size| *size < self.now)
    }

    /// What to try after a page was answered.
    fn larger(self) -> Option<usize> {
        SMALLER_PAGES
            .into_iter()
            .rev()
            .chain([PAGE_SIZE])
            .find(|size| *size > self.now && *size <= self.most)
    }
}

/// A row that the server cannot give, though it gives others of the list.
#[derive(Debug)]
pub struct Unreadable(pub ApiError);

/// Filters that a server applies to the rows of a page may leave none. So many such pages in succession would be 100,000
/// rows: more likely the list has no end.
const EMPTY_PAGES: usize = 1_000;

/// Walks one list page by page.
pub struct Pager<'a> {
    reach: &'a Reach<'a>,
    node: &'a Node,
    context: Params,
    query: Vec<(&'static str, String)>,
    /// Of the rows, where the list is asked for by one.
    pub window: Option<Window>,
    pub bind: Vec<(&'static str, &'static [&'static str])>,
    pub projects: &'a [String],
    page_size: PageSize,
    /// The size of this page is tried although it failed before.
    tries_larger: bool,
    /// Go on behind a row that cannot be read.
    passes_rows: bool,
    /// Rows that were left out because the server cannot give them.
    pub unreadable: Vec<Unreadable>,
    unreadable_in_a_row: usize,
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
    pub fn new(
        reach: &'a Reach<'a>,
        node: &'a Node,
        context: Params,
        query: Vec<(&'static str, String)>,
    ) -> Self {
        let mut bind: Vec<(&'static str, &'static [&'static str])> = Vec::new();
        for (name, path) in node
            .children
            .iter()
            .filter_map(|child| child.def.parent)
            .flat_map(|parent| parent.bind)
        {
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
            page_size: PageSize {
                now: PAGE_SIZE,
                most: PAGE_SIZE,
            },
            tries_larger: false,
            passes_rows: true,
            unreadable: Vec::new(),
            unreadable_in_a_row: 0,
            cursor: None,
            followed: HashSet::new(),
            page: 0,
            empty: 0,
            done: false,
            slugs: Vec::new(),
        }
    }

    /// Asks for so many rows, to see whether there is any.
    #[must_use]
    pub fn probing(mut self, rows: usize) -> Self {
        self.page_size = PageSize {
            now: rows,
            most: rows,
        };
        self.passes_rows = false;
        self
    }

    fn endpoint(&self) -> &'static Endpoint {
        self.by_project
            .map_or(&self.node.def.endpoint, |list| list.together.endpoint)
    }

    /// The next page, its records sent; `None` after the last. An empty page is not the end: only the server's word
    /// that nothing follows is.
    ///
    /// A page that is too much for the server is asked for again with fewer rows. Where a cursor counts pages, the list
    /// begins anew with them, so that rows come twice.
    pub async fn next(&mut self) -> Result<Option<Rowset>, Failure> {
        let endpoint = self.endpoint();
        if let Some((name, value)) = self.context.unnameable(endpoint).filter(|_| !self.done) {
            self.done = true;
            let reason = format!(
                "no path can carry the {} {value:?}",
                name.trim_end_matches("_id")
            );
            let skip = Skip {
                stream: endpoint.name,
                row: self.context.label(),
                reason,
                missing: false,
            };
            self.reach.skip(skip).await?;
        }
        if self.page == 0 && self.passes_rows {
            let few = lock(&self.reach.heavy_streams)
                .get(endpoint.name)
                .map(|few| PageSize {
                    now: *few,
                    most: PAGE_SIZE,
                });
            let known = lock(&self.reach.page_sizes).get(&self.list()).copied();
            // Where cursors count pages the size stays.
            self.page_size = known
                .or(few.filter(|_| !endpoint.offset_paged))
                .unwrap_or(self.page_size);
        }
        while !self.done {
            match self.ask().await {
                Err(Failure::Api(error)) => self.ask_for_less(error)?,
                Err(stop) => return Err(stop),
                Ok(page) => {
                    self.answered();
                    return Ok(Some(page));
                }
            }
        }
        Ok(None)
    }

    /// What this list is called among all of the run.
    fn list(&self) -> String {
        format!(
            "{} {} {:?}",
            self.endpoint().path,
            self.context.label(),
            self.query
        )
    }

    fn answered(&mut self) {
        self.unreadable_in_a_row = 0;
        self.tries_larger = false;
        if !self.passes_rows || !matches!(self.endpoint().rows, Rows::Pages { .. }) {
            return;
        }
        let mut refusals = lock(&self.reach.refusals);
        if !refusals.is_empty() {
            refusals.remove(&self.list());
        }
        drop(refusals);
        if self.page_size.now == PAGE_SIZE {
            lock(&self.reach.heavy_streams).remove(self.endpoint().name);
            return;
        }
        if self.page_size.most < PAGE_SIZE {
            lock(&self.reach.page_sizes).insert(self.list(), self.page_size);
            lock(&self.reach.heavy_streams).insert(self.endpoint().name, self.page_size.now);
        }
        if let Some(larger) = self
            .page_size
            .larger()
            .filter(|_| !self.endpoint().offset_paged)
        {
            self.page_size.now = larger;
            self.tries_larger = true;
        }
    }

    /// Makes the next question one that may be answered, or returns the error when there is none.
    fn ask_for_less(&mut self, error: ApiError) -> Result<(), Failure> {
        let endpoint = self.endpoint();
        if !matches!(endpoint.rows, Rows::Pages { .. })
            || !error.kind.too_heavy()
            || self.is_window_to_blame(&error)
        {
            return Err(error.into());
        }
        if let Some(smaller) = self.page_size.smaller() {
            let most = if self.tries_larger {
                smaller
            } else {
                self.page_size.most.min(SMALLER_PAGES[0])
            };
            self.page_size = PageSize { now: smaller, most };
            self.tries_larger = false;
            log::warn!(target: endpoint.name, "{}: {error}; asking for {smaller} rows at a time", self.context.label());
            if endpoint.offset_paged {
                // Its cursors count pages of one size.
                self.cursor = None;
                self.followed.clear();
                self.empty = 0;
            }
            return Ok(());
        }
        let next = Cursor::after_one_row(self.cursor.as_ref(), endpoint.offset_paged)
            .filter(|_| self.passes_rows);
        match next {
            Some(next) if self.unreadable_in_a_row < UNREADABLE_IN_A_ROW => {
                self.unreadable_in_a_row += 1;
                self.followed.insert(next.clone());
                self.cursor = Some(next);
                self.unreadable.push(Unreadable(error));
                Ok(())
            }
            _ => Err(error.into()),
        }
    }

    /// A query that takes too long is first asked for in smaller windows; where that has not helped, in smaller pages.
    fn is_window_to_blame(&self, error: &ApiError) -> bool {
        if !matches!(error.kind, Kind::QueryTooLarge { .. })
            || !self.window.is_some_and(|window| window.is_divisible())
        {
            return false;
        }
        let mut refusals = lock(&self.reach.refusals);
        let count = refusals.entry(self.list()).or_default();
        *count += 1;
        *count <= WINDOWS_FIRST
    }

    /// How often a page that may be too much is asked for again as it is: once, so that a moment's trouble makes no
    /// pages smaller; and a single row as often as is left of all tries.
    fn heavy_retries(&self) -> Option<u32> {
        let most = self.reach.client.max_retries();
        let sizes = SMALLER_PAGES
            .iter()
            .filter(|size| **size >= self.page_size.now)
            .count();
        match self.endpoint().rows {
            Rows::Pages { .. } if self.tries_larger => Some(0),
            Rows::Pages { .. }
                if self.page_size.smaller().is_some() || self.unreadable_in_a_row > 0 =>
            {
                Some(most.min(1))
            }
            Rows::Pages { .. } if self.passes_rows => {
                Some(most.saturating_sub(2 * u32::try_from(sizes).unwrap_or(u32::MAX)))
            }
            _ => None,
        }
    }

    async fn ask(&mut self) -> Result<Rowset, Failure> {
        self.page += 1;
        let mut asking = self.reach.client.ask(self.request());
        let (mut slugs, mut skips) = (Vec::new(), Vec::new());
        let (page, batch, rowset, next) = loop {
            let mut page = asking.answer().await?;
            slugs.clear();
            skips.clear();
            let read = self.read(&mut page, &mut slugs, &mut skips);
            let read = read.and_then(|(batch, rowset)| {
                let next = self.follow(page.next.take(), rowset.rows)?;
                Ok((batch, rowset, next))
            });
            match read {
                Ok((batch, rowset, next)) => break (page, batch, rowset, next),
                Err(kind) => asking.reject(kind).await?,
            }
        };
        asking.accept(&page);
        self.slugs.append(&mut slugs);
        self.empty = if rowset.rows == 0 { self.empty + 1 } else { 0 };
        self.done = next.is_none();
        self.followed.extend(next.clone());
        self.cursor = next;
        if let Some(mut batch) = batch {
            batch
                .rows
                .truncate(if self.first_only { 1 } else { usize::MAX });
            if !batch.rows.is_empty() || batch.notes != Notes::default() {
                let Page {
                    mut body, memory, ..
                } = page;
                batch.keep(body.take());
                let event = Event::Records(Box::new(batch), Some(memory));
                self.reach.outbox.send(event).await?;
            }
        }
        for skip in skips {
            self.reach.skip(skip).await?;
        }
        Ok(rowset)
    }

    /// What to ask for next.
    fn request(&self) -> Request {
        let endpoint = self.endpoint();
        let details = self.reach.settings.fetch_event_details;
        let details = if details {
            self.node.def.details_query
        } else {
            &[]
        };
        let mut query = self.context.query(endpoint, details, self.projects);
        query.extend(self.query.iter().cloned());
        query.extend(self.window.iter().flat_map(Window::query));
        if let Rows::Pages { size } = endpoint.rows {
            query.push((size, self.page_size.now.to_string()));
        }
        query.extend(self.cursor.as_ref().map(Cursor::query));
        Request {
            endpoint,
            params: self.context.clone(),
            query,
            page: self.page,
            divisible: self.window.is_some_and(|window| window.is_divisible()),
            heavy_retries: self.heavy_retries(),
        }
    }

    /// The cursor of the next page, if one follows; an error when what the page says of it cannot be.
    fn follow(&self, next: Option<Next>, rows: usize) -> Result<Option<Cursor>, Kind> {
        match next {
            Some(Next::Page(Cursor(cursor))) if rows == 0 && self.empty + 1 >= EMPTY_PAGES => {
                Err(Kind::Paging(format!(
                    "{EMPTY_PAGES} empty pages in succession, and the next cursor is `{cursor}`"
                )))
            }
            Some(Next::Page(cursor)) if self.followed.contains(&cursor) => {
                Err(Kind::Paging(format!(
                    "the next cursor `{}` is one that was already followed",
                    cursor.0
                )))
            }
            Some(Next::Page(cursor)) => Ok(Some(cursor)),
            // Sentry tells with every page of a list; only what it answers without looking has no header, and few rows.
            None if rows >= self.page_size.now
                && matches!(self.node.def.endpoint.rows, Rows::Pages { .. }) =>
            {
                Err(Kind::Paging(
                    "a full page that does not tell whether another follows".to_owned(),
                ))
            }
            Some(Next::Nothing) | None => Ok(None),
        }
    }

    /// Makes records and references of a body.
    ///
    /// A row without its key is skipped, the others are written; but a list of which no row has its key is no such list.
    fn read(
        &self,
        page: &mut Page,
        slugs: &mut Vec<String>,
        skips: &mut Vec<Skip>,
    ) -> Result<(Option<Batch>, Rowset), Kind> {
        let Page {
            sent,
            body,
            next,
            hits,
            ..
        } = page;
        let doc = body.document().map_err(Kind::from)?;
        let def = self.node.def;
        let extracted = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        let emit = self.node.emit.as_ref().filter(|_| self.emit);
        let counted = def.counted.and_then(|counted| {
            let window = self
                .reach
                .report
                .counts_errors(self.context.get(PROJECT_ID)?)?;
            Some((counted, window))
        });
        let frame = emit.map(|selected| {
            selected
                .projection
                .frame(|name| self.context.get(name), &extracted)
                .counting(counted)
        });
        let mut batch = emit.map(|selected| {
            Batch::new(
                selected.def,
                *sent,
                self.context.get(PROJECT_ID).filter(|_| counted.is_some()),
            )
        });
        let mut references = Vec::with_capacity(PAGE_SIZE);
        let mut keys = Vec::with_capacity(PAGE_SIZE);
        let mut places = Vec::with_capacity(PAGE_SIZE);
        let (mut rows, mut without_key) = (0, Vec::new());
        let mut row = |row: Place| -> Result<(), Kind> {
            rows += 1;
            let mut incomplete = |why: String| without_key.push((row, rows, why));
            let get = |name| {
                doc.lookup(row, &[name])
                    .and_then(|place| doc.scalar_text(place))
                    .unwrap_or_default()
            };
            if let Some(list) = self.by_project {
                let parent = get(list.together.parent);
                if !list.listed.contains(&parent) {
                    lock(&list.strangers).insert(parent);
                    return Ok(());
                }
            }
            if let Some(choice) = def.choice {
                let slug = get(choice.slug);
                if slug.is_empty() && !self.reach.settings.projects.is_everything() {
                    incomplete(format!("it has no `{}` to choose it by", choice.slug));
                    return Ok(());
                }
                slugs.push(slug.clone());
                if !self.reach.settings.projects.admits(&slug) {
                    return Ok(());
                }
            }
            if let (Some(batch), Some(frame), Some(selected)) = (&mut batch, &frame, emit)
                && let Err(e) = selected.projection.write(&doc, row, frame, batch)
            {
                incomplete(e.to_string());
                return Ok(());
            }
            if !self.bind.is_empty() || def.walk().is_some() {
                let Some(reference) = self.reference(&doc, row) else {
                    incomplete("it lacks what the streams below it are asked for by".to_owned());
                    return Ok(());
                };
                references.push(reference);
            }
            keys.push(
                batch
                    .as_ref()
                    .and_then(|b| b.rows.last())
                    .map_or_else(|| identity(doc.text(row), references.last()), |row| row.key),
            );
            places.push(row);
            Ok(())
        };
        let root = doc.root();
        match (def.endpoint.rows, doc.byte(root)) {
            (Rows::Object, b'{') => row(root)?,
            (Rows::Whole | Rows::Pages { .. }, b'[') => doc.elements(root).try_for_each(row)?,
            (Rows::Object, _) => return Err(Kind::Body("expected an object".to_owned())),
            _ => return Err(Kind::Body("expected a list".to_owned())),
        }
        if rows == without_key.len()
            && let Some((row, _, why)) = without_key.first()
            && !(rows == 1 && is_a_row(def, &doc, *row))
        {
            return Err(Kind::Body(why.clone()));
        }
        let skipped = without_key.len();
        skips.extend(without_key.into_iter().map(|(row, number, reason)| {
            let row = format!(
                "{}: row {number} of page {}{}",
                self.context.label(),
                self.page,
                identified(def, &doc, row)
            );
            Skip {
                stream: def.name(),
                row,
                reason,
                missing: true,
            }
        }));
        if def.endpoint.rows == Rows::Object
            && let Some((name, path)) = def
                .parent
                .and_then(|parent| parent.bind.iter().find(|(_, path)| def.key == *path))
            && let Some(found) = doc
                .lookup(root, path)
                .and_then(|place| doc.scalar_text(place))
            && self.context.get(name).is_some_and(|asked| asked != found)
        {
            log::info!(target: def.name(), "{} was merged into {found}, which is written under its own id", self.context.label());
        }
        let instant = |row: Place| {
            parse_instant(&doc.scalar_text(doc.lookup(row, &[def.replication_key()?])?)?).ok()
        };
        let edges = places
            .first()
            .zip(places.last())
            .and_then(|(first, last)| Some((instant(*first)?, instant(*last)?)));
        let instants = places
            .iter()
            .filter(|_| self.want_instants)
            .map(|row| Some(instant(*row)?.timestamp()))
            .collect();
        Ok((
            batch,
            Rowset {
                references,
                keys,
                instants,
                rows,
                edges,
                hits: *hits,
                more: matches!(next, Some(Next::Page(_))),
                skipped,
            },
        ))
    }

    /// What the row tells its children; `None` when it lacks what they need.
    fn reference(&self, doc: &Document<'_>, row: Place) -> Option<Reference> {
        let get = |path: &[&str]| {
            doc.lookup(row, path)
                .and_then(|place| doc.scalar_text(place))
        };
        let mut bind = Vec::with_capacity(self.bind.len());
        for (name, path) in &self.bind {
            bind.push((*name, get(path).filter(|value| !value.is_empty())?));
        }
        let activity = self.node.def.walk().and_then(|walk| walk.activity);
        let last = activity
            .map(|activity| activity.last)
            .or(self.node.def.replication_key());
        let last = last
            .and_then(|name| get(&[name]))
            .and_then(|text| parse_instant(&text).ok());
        let count = activity
            .and_then(|activity| get(&[activity.count]))
            .and_then(|text| text.parse().ok());
        let category = activity.and_then(|activity| get(&[activity.category]));
        let total = activity
            .and_then(|activity| get(activity.total))
            .and_then(|text| text.parse().ok());
        let no_access = self.node.def.choice.is_some_and(|choice| {
            let access = doc.lookup(row, &[choice.access]);
            access.is_some_and(|place| doc.text(place) == b"false")
        });
        Some(Reference {
            bind,
            last,
            count,
            total,
            by_project: activity.is_some_and(|activity| {
                category.is_none_or(|category| category == activity.together)
            }),
            no_access,
        })
    }
}

/// Whether an answer's only row, which has no key, has anything that a row of the stream has.
fn is_a_row(def: &StreamDef, doc: &Document<'_>, row: Place) -> bool {
    let schema: Value = serde_json::from_str(def.schema).unwrap_or_default();
    let names = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str());
    doc.byte(row) == b'{'
        && names
            .into_iter()
            .any(|name| doc.lookup(row, &[name]).is_some())
}

/// What a row has to be found by, for a message. Nothing that may be about a person.
fn identified(def: &StreamDef, doc: &Document<'_>, row: Place) -> String {
    let names = def
        .key
        .iter()
        .copied()
        .chain(def.replication_key())
        .chain(IDENTIFIERS.iter().copied());
    let mut found: Vec<String> = Vec::new();
    for name in names.filter(|_| doc.byte(row) == b'{') {
        if let Some(value) = doc
            .lookup(row, &[name])
            .and_then(|place| doc.scalar_text(place))
            .filter(|value| !value.is_empty())
        {
            let text = format!("{name} {}", brief(&value));
            if !found.contains(&text) {
                found.push(text);
            }
        }
    }
    if found.is_empty() {
        String::new()
    } else {
        format!(" ({})", found.join(", "))
    }
}

/// Tells rows apart where no record is made of them.
fn identity(row: &[u8], reference: Option<&Reference>) -> u128 {
    match reference {
        Some(reference) if !reference.bind.is_empty() => xxh3_128(
            reference
                .bind
                .iter()
                .map(|(_, value)| value.as_str())
                .collect::<Vec<_>>()
                .join("\0")
                .as_bytes(),
        ),
        _ => xxh3_128(row),
    }
}
