//! `--test`: whether the token works and each stream's endpoint answers, with one record of each.

use crate::error::Error;
use crate::report::run::Report;
use crate::runtime::{runtime, writer_thread};
use crate::settings::Settings;
use crate::singer::catalog::Selection;
use crate::singer::message::{StreamHeader, line};
use crate::singer::output::Pipe;
use crate::singer::queue::event_queue;
use crate::singer::state::Bookmarks;
use crate::singer::writer::Writer;
use crate::streams::Search;
use crate::streams::interval::Interval;
use crate::sync::failure::{Failure, Stop, reason, unavailable};
use crate::sync::intervals;
use crate::sync::list::{Pass, Source};
use crate::sync::listing::Listing;
use crate::sync::organization::organization_slugs;
use crate::sync::plan::{self, Node, RETENTION};
use crate::sync::session::Session;
use crate::sync::sums;
use futures::future::{BoxFuture, FutureExt};
use std::io::Write;
use std::sync::Arc;
use tap_sentry_api::client::Client;
use tap_sentry_api::error::ApiError;
use tap_sentry_api::params::{PROJECT_ID, Params};
use tap_sentry_api::time::format_instant;
use tap_sentry_api::window::Window;

/// Rows of a parent that are tried until one has a child.
const TRIES: usize = 10;
/// As wide as the longest name of a stream.
const COLUMN: usize = 25;

/// Prints SCHEMA of every stream and, unless `schema_only`, one record of each; a table goes to the log.
///
/// # Errors
/// When the token is refused or an endpoint does not answer.
pub fn run(settings: &Settings, schema_only: bool) -> Result<(), Error> {
    let selection = Selection::everything(&settings.style)?;
    let streams: Vec<StreamHeader> = selection
        .0
        .iter()
        .map(|selected| StreamHeader {
            version: None,
            ..selected.header.clone()
        })
        .collect();
    if schema_only {
        let lines: Vec<u8> = streams
            .iter()
            .flat_map(|header| line(&header.schema))
            .collect();
        return std::io::stdout()
            .lock()
            .write_all(&lines)
            .map_err(Error::Stdout);
    }
    let report = Arc::new(Report::default());
    let (sender, events) = event_queue();
    let writer = Writer::new(
        Pipe::new(std::io::stdout()),
        Bookmarks::default(),
        Arc::clone(&report),
        settings.state_interval,
    );
    let writing = writer_thread(move || writer.run(&streams, events))?;
    let checked = {
        let client = Client::new(&settings.connection, report.traffic())?;
        let tree = plan::tree(selection);
        runtime(&sender)?.block_on(async {
            let session = Session::new(&client, settings.clone(), &report, sender);
            let organizations = organization_slugs(&session).await?;
            let mut check = Check {
                session,
                alone: organizations.len() == 1,
                unknown: None,
                answers: 0,
                lines: Vec::new(),
                failed: Vec::new(),
            };
            for slug in organizations {
                check.organization(&tree, slug).await?;
            }
            let Check { lines, failed, .. } = check;
            for line in lines {
                log::info!(target: "test", "{line}");
            }
            match failed.first() {
                None => Ok(()),
                Some(first) => Err(Stop::Error(Error::Test {
                    failed: failed.len(),
                    first: first.clone(),
                })),
            }
        })
    };
    let written = writing
        .join()
        .map_err(|_| Error::Unexpected("the writer failed".to_owned()))?;
    written.map_err(Error::Stdout)?;
    match checked {
        Ok(()) | Err(Stop::Closed) => Ok(()),
        Err(Stop::Error(error)) => Err(error),
    }
}

struct Check<'a> {
    session: Session<'a>,
    /// There is one organization, so that its absence is all there is to say.
    alone: bool,
    /// A list of the organization itself is not there.
    unknown: Option<ApiError>,
    /// Lists of the organization itself that answer.
    answers: usize,
    lines: Vec<String>,
    /// Streams whose endpoint failed, with the reason.
    failed: Vec<String>,
}

impl Check<'_> {
    /// All streams of one organization. It is known by what answers of it.
    async fn organization(&mut self, tree: &[Node], slug: String) -> Result<(), Stop> {
        (self.unknown, self.answers) = (None, 0);
        let (line, failures) = (self.lines.len(), self.failed.len());
        for node in tree {
            self.node(node, vec![Params::organization(&slug)]).await?;
            // The others would say the same.
            if self.unknown.is_some() && node.def.choice.is_some() {
                break;
            }
        }
        let name = format!("organization {slug}");
        match self.unknown.take().filter(|_| self.answers == 0) {
            Some(error) if self.alone => {
                return Err(Stop::Error(Error::UnknownOrganization {
                    slug,
                    error: error.into(),
                }));
            }
            Some(error) => {
                self.lines.truncate(line);
                self.failed.truncate(failures);
                let error = Error::UnknownOrganization {
                    slug,
                    error: error.into(),
                };
                self.lines.push(format!("{name} FAILS: {error}"));
                self.failed.push(error.to_string());
            }
            None if self.answers > 0 => {
                self.lines.insert(line, format!("{name} answers"));
            }
            None if self.alone => {}
            None => {
                let text = format!("{name} FAILS: none of its endpoints answers");
                self.lines.insert(line, text);
            }
        }
        Ok(())
    }

    /// The first row of a stream and, below it, of its children.
    fn node<'b>(
        &'b mut self,
        node: &'b Node,
        places: Vec<Params>,
    ) -> BoxFuture<'b, Result<(), Stop>> {
        async move {
            let name = node.def.name();
            let mut below = Vec::new();
            let mut outcome = "not checked: no row of the parent stream to check it with";
            for place in &places {
                match self.first(node, place).await {
                    Ok(Some(rows)) => {
                        below = rows;
                        outcome = "answers";
                        break;
                    }
                    Ok(None) => outcome = "answers, but has no row",
                    Err(Failure::Stop(stop)) => return Err(stop),
                    Err(Failure::Api(e)) if e.unanswered() => {
                        return Err(Stop::Error(Error::Unanswered(e)));
                    }
                    Err(Failure::Api(e)) if e.not_there() && node.def.parent.is_some() => {
                        outcome = "answers, but has no row";
                    }
                    Err(Failure::Api(e)) if node.def.endpoint.optional && e.kind.lacking() => {
                        let reason = unavailable(&node.def.endpoint, &e);
                        self.lines
                            .push(format!("{name:<COLUMN$} UNAVAILABLE: {reason}"));
                        outcome = "";
                        break;
                    }
                    Err(Failure::Api(e)) => {
                        let reason = reason(&node.def.endpoint, &e);
                        if node.def.parent.is_none() && e.status() == Some(404) {
                            self.unknown.get_or_insert(e);
                        }
                        self.lines.push(format!("{name:<COLUMN$} FAILS: {reason}"));
                        self.failed.push(format!("{name}: {reason}"));
                        outcome = "";
                        break;
                    }
                }
            }
            if !outcome.is_empty() {
                self.answers += usize::from(node.def.parent.is_none());
                self.lines.push(format!("{name:<COLUMN$} {outcome}"));
            }
            for cut in &node.cuts {
                let outcome = match outcome {
                    "" => "not checked: it comes with what fails above",
                    outcome => outcome,
                };
                let name = cut.def.name();
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
    async fn first(&self, node: &Node, place: &Params) -> Result<Option<Vec<Params>>, Failure> {
        let now = self.session.settings.now;
        let settings = self.session.settings.at(self
            .session
            .client
            .clock()
            .map_or(now, |reading| reading.now(now)));
        let window = Window {
            start: settings
                .start_date
                .max(settings.end - RETENTION)
                .min(settings.end - chrono::TimeDelta::hours(1)),
            end: settings.end,
        };
        let (mut place, mut window) = (place.clone(), window);
        if let Some(interval) = node.def.interval {
            // The latest that is over.
            window.end = interval.floor(window.end);
            window.start = window.end - interval.length();
            place = place.with(&[(Interval::START, format_instant(window.start))]);
        }
        let place = &place;
        let windows = node.def.windows();
        let listed_by_time =
            windows.is_some_and(|windows| windows.sums.is_none()) || node.def.in_windows;
        let query = windows
            .and_then(|windows| windows.searches.first())
            .map(Search::parameters)
            .unwrap_or_default();
        let everything = ["-1".to_owned()];
        let sums = windows.and_then(|windows| Some((windows.sums?, windows.searches.first()?)));
        let lists = match sums {
            None => {
                let mut listing = Listing::new(&self.session, node, place.clone());
                listing.query = query;
                vec![listing]
            }
            // What has not happened lately may have before.
            Some(sums) => intervals::of_run(sums.0, settings.end, &settings)
                .into_iter()
                .rev()
                .take(TRIES)
                .map(|interval| sums::listing(&self.session, node, place, sums, interval))
                .collect(),
        };
        for mut listing in lists {
            listing.probe = Some(TRIES);
            listing.first_only = true;
            if place.get(PROJECT_ID).is_none() {
                listing.projects = &everything;
            }
            let mut pages = listing.open(listed_by_time.then_some(window));
            while let Some(page) = pages.next().await? {
                if !page.rows.is_empty() {
                    let references = page.rows.iter().filter_map(|row| row.reference.as_ref());
                    let places = references.take(TRIES).map(|row| place.with(&row.bind));
                    return Ok(Some(places.collect()));
                }
            }
        }
        Ok(None)
    }
}
