//! What every list of a run needs: the client, the settings, and where records, gaps and skipped rows go.

use crate::report::run::{Gap, Lacking, Report, Skip};
use crate::settings::Settings;
use crate::singer::queue::{Closed, Event, EventSender};
use crate::singer::state::Partition;
use crate::streams::StreamDef;
use crate::sync::counts::ErrorCounts;
use crate::sync::failure::unavailable;
use crate::sync::plan::Node;
use parking_lot::Mutex;
use std::collections::HashSet;
use tap_sentry_api::client::Client;
use tap_sentry_api::error::{ApiError, Kind};
use tap_sentry_api::params::{ORGANIZATION, Params};
use tap_sentry_api::request::Request;
use xxhash_rust::xxh3::xxh3_128;

/// One run against one server.
pub struct Session<'a> {
    pub client: &'a Client,
    /// Its `now` is the server's, once that is known.
    pub settings: Settings,
    pub report: &'a Report,
    pub sender: EventSender,
    /// With `--check-counts`.
    pub counts: Option<&'a ErrorCounts>,
    /// What was told of single rows, which a list that is read again would tell again.
    told: Mutex<HashSet<u128>>,
}

impl<'a> Session<'a> {
    pub fn new(
        client: &'a Client,
        settings: Settings,
        report: &'a Report,
        sender: EventSender,
    ) -> Self {
        Self {
            client,
            settings,
            report,
            sender,
            counts: None,
            told: Mutex::default(),
        }
    }

    /// A row that no later run can read either. Told once, however often its list is read.
    pub async fn skip(&self, skip: Skip) -> Result<(), Closed> {
        if self.is_new(&[skip.stream, &skip.row]) {
            self.sender.send(Event::Skip(skip)).await
        } else {
            Ok(())
        }
    }

    /// Whether it is the first time in this run that this is to be told.
    pub fn is_new(&self, what: &[&str]) -> bool {
        self.told
            .lock()
            .insert(xxh3_128(what.join("\0").as_bytes()))
    }

    /// The node and all below it are incomplete in each of these partitions.
    pub async fn gaps(
        &self,
        node: &Node,
        partitions: &[Partition],
        reason: &str,
    ) -> Result<(), Closed> {
        for partition in partitions {
            let gap = Gap {
                streams: node.streams(),
                partition: partition.clone(),
                reason: reason.to_owned(),
            };
            self.sender.send(Event::Gap(gap)).await?;
        }
        Ok(())
    }

    /// The node and all below it are incomplete at one place.
    pub async fn gap(&self, node: &Node, context: &Params, reason: &str) -> Result<(), Closed> {
        self.gaps(node, &[Partition::of(context)], reason).await
    }

    /// Whether a failure means that the server or the plan lacks the endpoint. That is told once, and the endpoint not asked
    /// again: of what was selected by name as a gap of the whole organization; otherwise the run is complete without.
    pub async fn lacks(
        &self,
        node: &Node,
        context: &Params,
        error: &ApiError,
    ) -> Result<bool, Closed> {
        let def = node.def;
        if !(def.endpoint.optional && error.kind.lacking()) {
            return Ok(false);
        }
        let (organization, reason) = (organization(context), unavailable(&def.endpoint, error));
        let is_new = || self.is_new(&[LACKING, def.name(), organization]);
        if !node.is_wanted() {
            if is_new() {
                let lacking = Lacking {
                    streams: node.streams(),
                    organization: organization.to_owned(),
                    reason,
                };
                self.sender.send(Event::Lacking(lacking)).await?;
            }
            return Ok(true);
        }
        // A refusal may be of one project only.
        let everywhere = error.kind.lacking_everywhere();
        if everywhere && is_new() {
            let whole = Params::organization(organization);
            self.gap(node, &whole, &reason).await?;
        }
        Ok(everywhere)
    }

    /// Whether it has been told that the organization lacks the stream.
    pub fn is_lacking(&self, def: &StreamDef, context: &Params) -> bool {
        def.endpoint.optional && {
            let what = [LACKING, def.name(), organization(context)].join("\0");
            self.told.lock().contains(&xxh3_128(what.as_bytes()))
        }
    }

    /// Rows that the server cannot give are gaps; the others of their list are written.
    pub async fn unreadable(
        &self,
        node: &Node,
        context: &Params,
        partitions: &[Partition],
        errors: &[ApiError],
    ) -> Result<(), Closed> {
        for error in errors {
            if self.is_new(&[node.def.name(), &error.path]) {
                let place = context.label();
                let reason = format!("{place}: one row cannot be read, the others are: {error}");
                self.gaps(node, partitions, &reason).await?;
            }
        }
        Ok(())
    }

    /// Whether the row of `listing` that the context names no longer exists, or another answers in its place: by its own
    /// detail. A deleted project makes a list answer 403, and an issue that is being merged its events 404.
    pub async fn is_gone(&self, listing: &StreamDef, context: &Params) -> bool {
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
            .client
            .ask(Request::new(&def.endpoint, context.clone()));
        loop {
            let mut page = match asking.answer().await {
                Ok(page) => page,
                Err(e) => return e.not_there(),
            };
            let found = page.body.document().map_err(Kind::from).and_then(|doc| {
                let found = doc.lookup(doc.root(), path);
                let found = found.and_then(|value| doc.scalar_text(value));
                found.ok_or_else(|| Kind::Body(format!("an object without its {}", path.join("."))))
            });
            match found {
                Ok(found) => {
                    asking.accept(&page);
                    return found != id;
                }
                Err(kind) => {
                    if let Err(e) = asking.reject(kind).await {
                        return e.not_there();
                    }
                }
            }
        }
    }
}

/// What is noted of streams that an organization lacks.
const LACKING: &str = "lacks";

fn organization(place: &Params) -> &str {
    place.get(ORGANIZATION).unwrap_or_default()
}

/// What a place held no longer exists: nothing is missing.
pub fn tell_gone(def: &StreamDef, context: &Params) {
    log::warn!(target: def.name(), "{} no longer exists; skipped", context.label());
}
