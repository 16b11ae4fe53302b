//! One list, page by page: its records into the outbox, and what its rows tell their children.

use crate::record::lines::Batch;
use crate::record::notes::Notes;
use crate::report::run::Skip;
use crate::singer::queue::{Closed, Event};
use crate::streams::{IDENTIFIERS, StreamDef, Together};
use crate::sync::failure::Failure;
use crate::sync::plan::Node;
use crate::sync::row::Reference;
use crate::sync::session::Session;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tap_sentry_api::endpoint::{Endpoint, Rows};
use tap_sentry_api::error::{ApiError, Kind};
use tap_sentry_api::link::Next;
use tap_sentry_api::page_size::PAGE_SIZE;
use tap_sentry_api::pages::Pages;
use tap_sentry_api::params::PROJECT_ID;
use tap_sentry_api::params::Params;
use tap_sentry_api::request::Page;
use tap_sentry_api::text::brief;
use tap_sentry_api::time::parse_instant;
use tap_sentry_api::window::Window;
use tap_sentry_json::{self as json, Document};
use xxhash_rust::xxh3::xxh3_128;

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

/// Walks one list page by page.
pub struct Pager<'a> {
    session: &'a Session<'a>,
    node: &'a Node,
    context: Params,
    /// Beside the endpoint's own.
    query: Vec<(&'static str, String)>,
    /// Rows to ask for, to see whether there is any.
    probe: Option<usize>,
    pages: Option<Pages<'a>>,
    done: bool,
    /// Of the rows, where the list is asked for by one.
    pub window: Option<Window>,
    pub bind: Vec<(&'static str, &'static [&'static str])>,
    pub projects: &'a [String],
    /// Write the records of this walk.
    pub emit: bool,
    /// Only the first row of a page, as `--test` wants it.
    pub first_only: bool,
    pub want_instants: bool,
    /// Instead of the node's own list.
    pub by_project: Option<&'a ByProject>,
    /// Every slug that was listed, chosen or not.
    pub slugs: Vec<String>,
}

impl<'a> Pager<'a> {
    pub fn new(
        session: &'a Session<'a>,
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
            session,
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
            probe: None,
            pages: None,
            done: false,
            slugs: Vec::new(),
        }
    }

    /// Asks for so many rows, to see whether there is any.
    #[must_use]
    pub fn probing(self, rows: usize) -> Self {
        Self {
            probe: Some(rows),
            ..self
        }
    }

    fn endpoint(&self) -> &'static Endpoint {
        self.by_project
            .map_or(&self.node.def.endpoint, |list| list.together.endpoint)
    }

    /// Why rows were passed over that the server cannot give, though it gives others of the list.
    pub fn unreadable(&self) -> &[ApiError] {
        self.pages.as_ref().map_or(&[], Pages::unreadable)
    }

    /// Pages are smaller than usual, since the server cannot answer larger ones.
    pub fn is_small(&self) -> bool {
        self.pages.as_ref().is_some_and(Pages::is_small)
    }

    /// The next page, its records sent; `None` after the last.
    ///
    /// # Errors
    /// As [`Pages::next`], or when the writer is gone.
    pub async fn next(&mut self) -> Result<Option<Rowset>, Failure> {
        let endpoint = self.endpoint();
        if self.done {
            return Ok(None);
        }
        if let Some((name, value)) = self.context.unnameable(endpoint) {
            self.done = true;
            let name = name.trim_end_matches("_id");
            let skip = Skip {
                stream: endpoint.name,
                row: self.context.label(),
                reason: format!("no path can carry the {name} {value:?}"),
                missing: false,
            };
            self.session.skip(skip).await?;
            return Ok(None);
        }
        let mut pages = self.pages.take().unwrap_or_else(|| self.first_pages());
        let read = self.read_next(&mut pages).await;
        self.pages = Some(pages);
        read
    }

    fn first_pages(&self) -> Pages<'a> {
        let def = self.node.def;
        let details = self.session.settings.fetch_event_details;
        let details = if details { def.details_query } else { &[] };
        let endpoint = self.endpoint();
        let mut query = self.context.query(endpoint, details, self.projects);
        query.extend(self.query.iter().cloned());
        let client = self.session.client;
        let pages = Pages::new(client, endpoint, self.context.clone(), query, self.window);
        match self.probe {
            Some(rows) => pages.probing(rows),
            None => pages,
        }
    }

    async fn read_next(&mut self, pages: &mut Pages<'a>) -> Result<Option<Rowset>, Failure> {
        while let Some(mut page) = pages.next().await? {
            let (mut slugs, mut skips) = (Vec::new(), Vec::new());
            let read = self.read(&mut page, pages.page(), &mut slugs, &mut skips);
            let read = read.and_then(|(batch, rowset)| {
                pages.accept(&page, rowset.rows)?;
                Ok((batch, rowset))
            });
            let (batch, rowset) = match read {
                Ok(read) => read,
                Err(kind) => {
                    pages.reject(kind).await?;
                    continue;
                }
            };
            self.slugs.append(&mut slugs);
            if let Some(batch) = batch {
                self.send(batch, page).await?;
            }
            for skip in skips {
                self.session.skip(skip).await?;
            }
            return Ok(Some(rowset));
        }
        Ok(None)
    }

    async fn send(&self, mut batch: Batch, page: Page) -> Result<(), Closed> {
        let most = if self.first_only { 1 } else { usize::MAX };
        batch.rows.truncate(most);
        if batch.rows.is_empty() && batch.notes == Notes::default() {
            return Ok(());
        }
        let Page {
            mut body, memory, ..
        } = page;
        batch.keep(body.take());
        let event = Event::Records(Box::new(batch), Some(memory));
        self.session.outbox.send(event).await
    }

    /// Makes records and references of a body.
    ///
    /// A row without its key is skipped, the others are written; but a list of which no row has its key is no such list.
    fn read(
        &self,
        page: &mut Page,
        number: usize,
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
                .session
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
        let mut row = |row: json::Value| -> Result<(), Kind> {
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
                if slug.is_empty() && !self.session.settings.projects.is_everything() {
                    incomplete(format!("it has no `{}` to choose it by", choice.slug));
                    return Ok(());
                }
                slugs.push(slug.clone());
                if !self.session.settings.projects.admits(&slug) {
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
        skips.extend(without_key.into_iter().map(|(row, row_number, reason)| {
            let row = format!(
                "{}: row {row_number} of page {number}{}",
                self.context.label(),
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
        let instant = |row: json::Value| {
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
    fn reference(&self, doc: &Document<'_>, row: json::Value) -> Option<Reference> {
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
fn is_a_row(def: &StreamDef, doc: &Document<'_>, row: json::Value) -> bool {
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
fn identified(def: &StreamDef, doc: &Document<'_>, row: json::Value) -> String {
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
