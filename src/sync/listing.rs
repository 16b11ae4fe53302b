//! One list or object at one place: its pages, whose records go to the writer.

use crate::record::lines::Batch;
use crate::record::notes::Notes;
use crate::report::run::Skip;
use crate::singer::queue::{Closed, Event};
use crate::sync::attachments::{self, Attachment};
use crate::sync::by_project::ByProject;
use crate::sync::failure::Failure;
use crate::sync::list::{PageRows, Pass, Source};
use crate::sync::plan::Node;
use crate::sync::records::Records;
use crate::sync::row::{Bind, Reference, Row, identified, identity, instant, is_a_row};
use crate::sync::session::Session;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tap_sentry_api::endpoint::{Endpoint, Rows};
use tap_sentry_api::error::{ApiError, Kind};
use tap_sentry_api::link::Next;
use tap_sentry_api::page_size::PAGE_SIZE;
use tap_sentry_api::pages::Pages;
use tap_sentry_api::params::{PROJECT_ID, Params};
use tap_sentry_api::request::Page;
use tap_sentry_api::window::{Window, whole_second};
use tap_sentry_json::{self as json, Document};

/// So many rows are asked for from one start on, where the server answers a limited number: less than any limit, and a
/// page far behind the first costs the server as much as all before it.
const FROM_ONE_START: usize = 1_000;

/// What is asked for, and what is made of its rows.
pub struct Listing<'a> {
    session: &'a Session<'a>,
    node: &'a Node,
    context: Params,
    /// Beside the endpoint's own query.
    pub query: Vec<(&'static str, String)>,
    /// The values of `{projects}`.
    pub projects: &'a [String],
    /// What each row tells the streams below it; by default what the node's children need.
    pub bind: Bind,
    /// Write the records.
    pub emit: bool,
    /// Write only the first record of a page, as `--test` wants it.
    pub first_only: bool,
    /// Rows to ask for, to see whether there is any.
    pub probe: Option<usize>,
    /// Tell the instant of each row.
    pub want_instants: bool,
    /// The places of the projects that are asked for together: a row belongs to the one whose id it names.
    pub owners: Option<&'a Owners>,
    /// The list of the whole project, instead of the node's own.
    pub by_project: Option<&'a ByProject>,
    /// Its rows are newest first, and those of this time are wanted.
    pub newest_first: Option<Window>,
    /// Every slug that was listed, chosen or not.
    slugs: Mutex<Vec<String>>,
}

/// The places of projects, by the id that rows name.
#[derive(Debug)]
pub struct Owners {
    /// Where a row names it.
    path: &'static [&'static str],
    places: HashMap<String, Params>,
}

impl Owners {
    pub fn new(path: &'static [&'static str], places: &[Params]) -> Self {
        let id = |place: &Params| place.get(PROJECT_ID).unwrap_or_default().to_owned();
        Self {
            path,
            places: places
                .iter()
                .map(|place| (id(place), place.clone()))
                .collect(),
        }
    }

    /// The place that a row belongs to; `None` when its project is not asked for.
    fn of(&self, doc: &Document<'_>, row: json::Value) -> Result<Option<&Params>, Kind> {
        let id = doc
            .lookup(row, self.path)
            .and_then(|id| doc.scalar_text(id));
        let id = id.ok_or_else(|| {
            Kind::Body("a row that does not tell which project it is of".to_owned())
        })?;
        Ok(self.places.get(&id))
    }
}

impl<'a> Listing<'a> {
    pub fn new(session: &'a Session<'a>, node: &'a Node, context: Params) -> Self {
        let mut bind: Bind = Vec::new();
        let parents = node.children.iter().filter_map(|child| child.def.parent);
        for (name, path) in parents.flat_map(|parent| parent.bind) {
            if !bind.iter().any(|(known, _)| known == name) {
                bind.push((name, path));
            }
        }
        Self {
            session,
            emit: node.emit.is_some(),
            node,
            context,
            query: Vec::new(),
            projects: &[],
            bind,
            first_only: false,
            probe: None,
            want_instants: false,
            owners: None,
            by_project: None,
            newest_first: None,
            slugs: Mutex::default(),
        }
    }

    /// Every slug that was listed, chosen or not.
    pub fn slugs(self) -> Vec<String> {
        self.slugs.into_inner()
    }

    fn listed(&self, mut slugs: Vec<String>) {
        let mut listed = self.slugs.lock();
        listed.append(&mut slugs);
    }

    fn endpoint(&self) -> &'static Endpoint {
        self.by_project
            .map_or(&self.node.def.endpoint, |list| list.together.endpoint)
    }

    fn pages(&self, window: Option<Window>) -> Pages<'a> {
        let def = self.node.def;
        let is_full =
            self.session.settings.fetch_event_details || self.node.in_full_rows().next().is_some();
        let details = if is_full { def.details_query } else { &[] };
        let endpoint = self.endpoint();
        let mut query = self.context.query(endpoint, details, self.projects);
        query.extend(self.query.iter().cloned());
        // An object has no window: it is what it is now.
        let window = window.filter(|_| endpoint.rows != Rows::Object);
        let client = self.session.client;
        let pages = Pages::new(client, endpoint, self.context.clone(), query, window);
        let mut pages = pages.looked_into(self.node.depth());
        if def.interval.is_some() {
            pages = pages.of_one_window();
        }
        match self.probe {
            Some(rows) => pages.probing(rows),
            None if self.owners.is_some() => pages.of_full_size(),
            None => pages,
        }
    }

    async fn send(&self, batches: Vec<Batch>, page: Page) -> Result<(), Closed> {
        let most = if self.first_only { 1 } else { usize::MAX };
        let batches = batches.into_iter().filter_map(|mut batch| {
            batch.rows.truncate(most);
            let is_empty = batch.rows.is_empty() && batch.notes == Notes::default();
            (!is_empty).then_some(batch)
        });
        let Page {
            mut body, memory, ..
        } = page;
        let body = Bytes::from(body.take());
        let (mut batches, mut memory) = (batches.peekable(), Some(memory));
        while let Some(mut batch) = batches.next() {
            batch.keep(body.clone());
            // They share the body: it is out of memory with the last of them.
            let memory = memory.take_if(|_| batches.peek().is_none());
            let event = Event::Records(Box::new(batch), memory);
            self.session.sender.send(event).await?;
        }
        Ok(())
    }

    /// Makes records and rows of a body.
    ///
    /// A row without its key is skipped, the others are written; but a list of which no row has its key is no such list.
    fn read(&self, page: &mut Page, number: usize) -> Result<Read, Kind> {
        let Page {
            sent,
            body,
            next,
            hits,
            ..
        } = page;
        let doc = body.document().map_err(Kind::from)?;
        let def = self.node.def;
        let answer = (*sent, doc.bytes().len());
        let mut records = Records::new(self.node, self.emit, self.first_only, answer);
        let counter = self.session.counts;
        let counter = counter.and_then(|counts| counts.counter(def, &self.context));
        if let (Some(batch), Some(counter)) = (records.own(), &counter) {
            batch.count = Some(Arc::clone(&counter.written));
        }
        let mut read = Read::default();
        read.page.rows.reserve(PAGE_SIZE);
        let mut places = Vec::with_capacity(PAGE_SIZE);
        let mut without_key = Vec::new();
        let mut row = |row: json::Value| -> Result<(), Kind> {
            read.answered += 1;
            let number = read.answered;
            let mut incomplete = |why: String| without_key.push((row, number, why));
            let get = |name| {
                doc.lookup(row, &[name])
                    .and_then(|value| doc.scalar_text(value))
            };
            if let Some(wanted) = self.newest_first
                && let Some(at) = instant(def, &doc, row)
            {
                read.is_past = at < wanted.start;
                if read.is_past || at >= wanted.end {
                    read.page.others.push(identity(doc.text(row), None));
                    return Ok(());
                }
            }
            if let Some(list) = self.by_project {
                let name = list.together.parent;
                let parent = get(name).filter(|parent| !parent.is_empty());
                // Without it nobody knows whether the row is wanted, and the lists of the parents do.
                let parent = parent.ok_or_else(|| Kind::Body(format!("a row without `{name}`")))?;
                if !list.admits(parent) {
                    return Ok(());
                }
            }
            let place = match self.owners.map(|owners| owners.of(&doc, row)).transpose()? {
                None => &self.context,
                Some(Some(place)) => place,
                Some(None) => {
                    let reference = Reference::read(def, &self.bind, &doc, row);
                    let other = identity(doc.text(row), reference.as_ref());
                    read.page.others.push(other);
                    return Ok(());
                }
            };
            if let Some(choice) = def.choice {
                let slug = get(choice.slug).unwrap_or_default();
                if slug.is_empty() && !self.session.settings.projects.is_everything() {
                    incomplete(format!("it has no `{}` to choose it by", choice.slug));
                    return Ok(());
                }
                read.slugs.push(slug.clone());
                if !self.session.settings.projects.admits(&slug) {
                    read.page.others.push(identity(doc.text(row), None));
                    return Ok(());
                }
            }
            if let Some(body) = &def.body {
                read.attachments.extend(Attachment::of(body, &doc, row));
            }
            let mut key = None;
            match records.add(&doc, row, place) {
                Ok(None) => {}
                Ok(Some(written)) => {
                    key = Some(written.key);
                    if let Some(counter) = &counter {
                        written.counted = counter.counts(&doc, row);
                    }
                }
                Err(e) => {
                    incomplete(e.to_string());
                    return Ok(());
                }
            }
            let mut reference = None;
            if !self.bind.is_empty() || def.windows().is_some() {
                reference = Reference::read(def, &self.bind, &doc, row);
                let Some(reference) = &mut reference else {
                    incomplete("it lacks what the streams below it are asked for by".to_owned());
                    return Ok(());
                };
                if self.owners.is_some() {
                    let project = &place.0[self.context.0.len()..];
                    reference.bind.splice(0..0, project.iter().cloned());
                }
            }
            read.page.rows.push(Row {
                key: key.unwrap_or_else(|| identity(doc.text(row), reference.as_ref())),
                reference,
                instant: None,
            });
            places.push(row);
            Ok(())
        };
        let root = unwrapped(&doc, def.endpoint.envelope)?;
        match (def.endpoint.rows, doc.byte(root)) {
            (Rows::Object, b'{') => row(root)?,
            (Rows::Whole | Rows::Pages { .. }, b'[') => doc.elements(root).try_for_each(row)?,
            (Rows::Object, _) => return Err(Kind::Body("expected an object".to_owned())),
            _ => return Err(Kind::Body("expected a list".to_owned())),
        }
        let sums = def.windows().and_then(|windows| windows.sums);
        if sums.is_some_and(|sums| read.answered >= sums.full) {
            let rows = read.answered;
            return Err(Kind::Full(format!(
                "the answer has {rows} rows, which is as many as it can have: others may be missing"
            )));
        }
        // An object that nothing leads to but the address has its key, or is not Sentry's.
        let is_first = def.endpoint.rows == Rows::Object && def.parent.is_none();
        if read.answered == without_key.len()
            && let Some((row, _, why)) = without_key.first()
            && !(read.answered == 1 && !is_first && is_a_row(def, &doc, *row))
        {
            return Err(Kind::Body(why.clone()));
        }
        read.skips
            .extend(without_key.into_iter().map(|(row, row_number, reason)| {
                let place = self.context.label();
                let ids = identified(def, &doc, row);
                Skip {
                    stream: def.name(),
                    row: format!("{place}: row {row_number} of page {number}{ids}"),
                    reason,
                    missing: true,
                }
            }));
        if let Some(found) = self.other_object(&doc) {
            log::info!(target: def.name(), "{} was merged into {found}, which is written under its own id", self.context.label());
        }
        let at = |place: &json::Value| instant(def, &doc, *place);
        read.page.edges = places
            .first()
            .zip(places.last())
            .and_then(|(first, last)| Some((at(first)?, at(last)?)));
        // What is sorted otherwise cannot be gone on with from its last row.
        let is_gone_on_with = def.row_limit.is_some() && def.interval.is_none();
        if is_gone_on_with && !places.iter().filter_map(at).is_sorted() {
            let text = "the rows are not in the order of their time, by which they were asked for";
            return Err(Kind::Body(text.to_owned()));
        }
        if self.want_instants {
            for (row, place) in read.page.rows.iter_mut().zip(&places) {
                row.instant = at(place).map(|instant| instant.timestamp());
            }
        }
        read.page.skipped = read.skips.len();
        read.page.hits = *hits;
        read.page.more = matches!(next, Some(Next::Page(_)));
        read.page.ends = matches!(next, Some(Next::Nothing));
        read.batches = records.into_batches();
        Ok(read)
    }

    /// The id of the object that answers, when it is not the one that was asked for.
    fn other_object(&self, doc: &Document<'_>) -> Option<String> {
        let def = self.node.def;
        let parent = def.parent.filter(|_| def.endpoint.rows == Rows::Object)?;
        let (name, path) = parent.bind.iter().find(|(_, path)| def.key == *path)?;
        let found = doc.scalar_text(doc.lookup(doc.root(), path)?)?;
        let asked = self.context.get(name)?;
        (asked != found).then_some(found)
    }
}

/// The list or object of an answer, which may be in a member of it.
fn unwrapped(doc: &Document<'_>, envelope: Option<&str>) -> Result<json::Value, Kind> {
    let root = doc.root();
    let Some(member) = envelope else {
        return Ok(root);
    };
    let inside = match doc.byte(root) {
        b'{' => doc.lookup(root, &[member]),
        // Where there is nothing, some answer with an empty list and no envelope.
        b'[' => Some(root).filter(|root| doc.elements(*root).next().is_none()),
        _ => None,
    };
    inside.ok_or_else(|| Kind::Body(format!("expected an object with `{member}`")))
}

/// What was made of one page.
#[derive(Default)]
struct Read {
    page: PageRows,
    batches: Vec<Batch>,
    /// How many rows it has, also those that were left out.
    answered: usize,
    /// Its last row is older than what is wanted, and so is what follows.
    is_past: bool,
    slugs: Vec<String>,
    skips: Vec<Skip>,
    attachments: Vec<Attachment>,
}

impl Source for Listing<'_> {
    type Pass<'b>
        = ListingPass<'b>
    where
        Self: 'b;

    fn open(&self, window: Option<Window>) -> ListingPass<'_> {
        ListingPass {
            listing: self,
            pages: self.pages(window),
            done: false,
            window,
            rows: 0,
            last: None,
        }
    }

    fn name(&self) -> (&'static str, String) {
        (self.node.def.name(), self.context.label())
    }

    async fn pause(&self, refusals: usize) {
        self.session.client.pause(refusals).await;
    }
}

/// One pass over the pages of a list.
pub struct ListingPass<'a> {
    listing: &'a Listing<'a>,
    pages: Pages<'a>,
    done: bool,
    /// What is asked for now.
    window: Option<Window>,
    /// So many rows of it have come.
    rows: usize,
    /// When the last of them happened.
    last: Option<DateTime<Utc>>,
}

impl ListingPass<'_> {
    /// Where a server answers so many rows of a window and no more, asks for the rest in a window of its own: it begins in the
    /// second of the last row, all of whose rows come again.
    fn go_on(&mut self) -> Result<(), ApiError> {
        let def = self.listing.node.def;
        let Some(limit) = def.row_limit else {
            return Ok(());
        };
        if self.rows >= FROM_ONE_START
            && def.interval.is_none()
            && let (Some(window), Some(last)) = (self.window, self.last)
            && whole_second(last) > window.start
            && self.pages.unreadable().is_empty()
        {
            let rest = Window {
                start: whole_second(last),
                ..window
            };
            self.window = Some(rest);
            self.pages = self.listing.pages(self.window);
            self.rows = 0;
        }
        if self.rows < limit {
            return Ok(());
        }
        let what = def
            .interval
            .map_or("one second", |_| "one of its intervals");
        let kind = Kind::Body(format!(
            "{what} has {limit} rows or more, of which the server answers no more; make the query narrower"
        ));
        Err(self.pages.failed(kind))
    }
}

impl Pass for ListingPass<'_> {
    /// The next page, its records sent; `None` after the last.
    ///
    /// # Errors
    /// As [`Pages::next`], or when the writer is gone.
    async fn next(&mut self) -> Result<Option<PageRows>, Failure> {
        let Listing {
            session, context, ..
        } = self.listing;
        if self.done {
            return Ok(None);
        }
        let endpoint = self.listing.endpoint();
        if let Some((name, value)) = context.unnameable(endpoint) {
            self.done = true;
            let name = name.trim_end_matches("_id");
            let skip = Skip {
                stream: endpoint.name,
                row: context.label(),
                reason: format!("no path can carry the {name} {value:?}"),
                missing: false,
            };
            session.skip(skip).await?;
            return Ok(None);
        }
        self.go_on()?;
        while let Some(mut page) = self.pages.next().await? {
            let read = self.listing.read(&mut page, self.pages.page());
            let read = read.and_then(|read| {
                self.pages.accept(&page, read.answered)?;
                Ok(read)
            });
            let read = match read {
                Ok(read) => read,
                Err(kind) => {
                    self.pages.reject(kind).await?;
                    continue;
                }
            };
            self.rows += read.answered;
            self.last = read.page.edges.map(|(_, last)| last).or(self.last);
            self.done |= read.is_past;
            self.listing.listed(read.slugs);
            attachments::download(session, self.listing.node.def, context, read.attachments)
                .await?;
            self.listing.send(read.batches, page).await?;
            for skip in read.skips {
                session.skip(skip).await?;
            }
            return Ok(Some(read.page));
        }
        Ok(None)
    }

    fn unreadable(&self) -> &[ApiError] {
        self.pages.unreadable()
    }

    fn is_small(&self) -> bool {
        self.pages.is_small()
    }
}
