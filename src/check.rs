//! `--test`: whether the token works and each stream's endpoint answers, with one record of each.

use crate::catalog::Selection;
use crate::client::Client;
use crate::config::Settings;
use crate::context::Context;
use crate::error::Error;
use crate::message::{Announced, line};
use crate::outbox::outbox;
use crate::pager::{Failure, Pager, Reach, Stop};
use crate::plan::{self, Node, RETENTION, Window};
use crate::report::Report;
use crate::state::Bookmarks;
use crate::streams::{Pass, Rows};
use crate::sync::{Sync, reason};
use crate::writer::Writer;
use futures::future::{BoxFuture, FutureExt};
use std::io::Write;
use std::sync::Arc;

/// Rows of a parent that are tried until one has a child.
const TRIES: usize = 10;

/// Prints SCHEMA of every stream and, unless `schema_only`, one record of each; a table goes to the log.
///
/// # Errors
/// When the token is refused or an endpoint does not answer.
pub fn run(settings: &Settings, schema_only: bool) -> Result<(), Error> {
    let selection = Selection::everything(&settings.style)?;
    let streams: Vec<Announced> = selection.0.iter().map(|selected| Announced { version: None, ..selected.announced.clone() }).collect();
    if schema_only {
        let lines: Vec<u8> = streams.iter().flat_map(|announced| line(&announced.schema)).collect();
        return std::io::stdout().lock().write_all(&lines).map_err(Error::Stdout);
    }
    let report = Arc::new(Report::default());
    let (outbox, events) = outbox();
    let writer = Writer::new(std::io::stdout(), Bookmarks::default(), Arc::clone(&report), settings.state_interval);
    let writing = std::thread::spawn(move || writer.run(&streams, events));
    let checked = {
        let client = Client::new(settings, Arc::clone(&report))?;
        let tree = plan::tree(selection);
        let bookmarks = Bookmarks::default();
        crate::run::runtime(&outbox)?.block_on(async {
            let organizations = Sync::new(&client, settings, &tree, &bookmarks, &report, outbox.clone(), false).organizations().await?;
            let mut check = Check { reach: Reach::new(&client, settings, &report, outbox), lines: Vec::new(), failed: Vec::new() };
            for slug in organizations {
                check.lines.push(format!("{:<16} answers", format!("organization {slug}")));
                for node in &tree {
                    check.node(node, vec![Context(vec![("organization_slug", slug.clone())])]).await?;
                }
            }
            let Check { lines, failed, .. } = check;
            for line in lines {
                log::info!(target: "test", "{line}");
            }
            match failed.first() {
                None => Ok(()),
                Some(first) => Err(Stop::Error(Error::Test { failed: failed.len(), first: first.clone() })),
            }
        })
    };
    let written = writing.join().map_err(|_| Error::Unexpected("the writer failed".to_owned()))?;
    written.map_err(Error::Stdout)?;
    match checked {
        Ok(()) | Err(Stop::Closed) => Ok(()),
        Err(Stop::Error(error)) => Err(error),
    }
}

struct Check<'a> {
    reach: Reach<'a>,
    lines: Vec<String>,
    /// Streams whose endpoint failed, with the reason.
    failed: Vec<String>,
}

impl Check<'_> {
    /// The first row of a stream and, below it, of its children.
    fn node<'b>(&'b mut self, node: &'b Node, places: Vec<Context>) -> BoxFuture<'b, Result<(), Stop>> {
        async move {
            let name = node.def.name;
            let mut below = Vec::new();
            let mut outcome = "not checked: nothing to ask for it by";
            for place in &places {
                match self.first(node, place).await {
                    Ok(Some(rows)) => {
                        below = rows;
                        outcome = "answers";
                        break;
                    }
                    Ok(None) => outcome = "answers, without a row",
                    Err(Failure::Stop(stop)) => return Err(stop),
                    Err(Failure::Api(e)) if e.unanswered() => return Err(Stop::Error(Error::Unanswered(e))),
                    Err(Failure::Api(e)) if e.not_there() && node.def.parent.is_some() => outcome = "answers, without a row",
                    Err(Failure::Api(e)) => {
                        let reason = reason(node.def, &e);
                        self.lines.push(format!("{name:<16} FAILS: {reason}"));
                        self.failed.push(format!("{name}: {reason}"));
                        outcome = "";
                        break;
                    }
                }
            }
            if !outcome.is_empty() {
                self.lines.push(format!("{name:<16} {outcome}"));
            }
            for child in &node.children {
                self.node(child, below.clone()).await?;
            }
            Ok(())
        }
        .boxed()
    }

    /// Writes the first row there; returns the places of its children, or `None` when there is no row.
    async fn first(&self, node: &Node, place: &Context) -> Result<Option<Vec<Context>>, Failure> {
        let now = self.reach.settings.now;
        let settings = &self.reach.settings.at(self.reach.client.clock().map_or(now, |reading| reading.now(now)));
        let window = Window {
            start: settings.start_date.max(settings.end - RETENTION).min(settings.end - chrono::TimeDelta::hours(1)),
            end: settings.end,
        };
        let walk = node.def.walk();
        let listed_by_time = walk.is_some() || node.def.replication_key().is_some() && node.def.rows != Rows::Object;
        let query = walk.and_then(|walk| walk.passes.first()).map(Pass::parameters).unwrap_or_default();
        let everything = ["-1".to_owned()];
        let mut pager = Pager::new(&self.reach, node, place.clone(), query).probing(TRIES);
        pager.window = listed_by_time.then_some(window);
        pager.first_only = true;
        pager.projects = &everything;
        while let Some(page) = pager.next().await? {
            if !page.keys.is_empty() {
                let places = page.references.iter().take(TRIES).map(|reference| place.with(&reference.bind));
                return Ok(Some(places.collect()));
            }
        }
        Ok(None)
    }
}
