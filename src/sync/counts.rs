//! `--check-counts`: the errors that were extracted against those that Sentry says it accepted.

use crate::streams::{Counted, StreamDef, is_error};
use crate::sync::plan::{Node, Starts};
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tap_sentry_api::client::Client;
use tap_sentry_api::endpoints::{ACCEPTED_ERRORS, total_quantity};
use tap_sentry_api::error::ApiError;
use tap_sentry_api::params::{PROJECT_ID, Params};
use tap_sentry_api::request::Request;
use tap_sentry_api::time::format_instant;
use tap_sentry_api::window::{Window, whole_hours};
use tap_sentry_json::{self as json, Document};

/// Outcomes are asked for in pieces of this length: an answer has a point for each hour.
const PIECE: TimeDelta = TimeDelta::days(30);

/// The errors of each project, counted as they are written. By project id.
#[derive(Debug, Default)]
pub struct ErrorCounts(Mutex<BTreeMap<String, ProjectErrors>>);

/// The errors of one project.
#[derive(Debug, Clone)]
struct ProjectErrors {
    place: Params,
    window: Window,
    written: Arc<AtomicU64>,
}

/// Which rows of one answer are counted.
#[derive(Debug)]
pub struct Counter {
    counted: Counted,
    start: String,
    end: String,
    /// Where the writer adds them up.
    pub written: Arc<AtomicU64>,
}

impl Counter {
    /// Whether the row is an error that was created in the window.
    pub fn counts(&self, doc: &Document<'_>, row: json::Value) -> bool {
        let text = |name| {
            doc.lookup(row, &[name])
                .and_then(|value| doc.scalar_text(value))
        };
        let kind = self.counted.kind.iter().find_map(|name| text(name));
        // All are UTC with `Z` in whole seconds, so their texts are in the order of time.
        kind.is_some_and(|kind| is_error(&kind))
            && text(self.counted.at).is_some_and(|at| self.start <= at && at < self.end)
    }
}

impl ErrorCounts {
    fn projects(&self) -> MutexGuard<'_, BTreeMap<String, ProjectErrors>> {
        self.0.lock()
    }

    /// Counts the errors below a list of one project, if streams of errors are written there: from their start to `end`,
    /// in the whole hours that Sentry counts by.
    pub fn plan(&self, node: &Node, starts: &Starts, place: &Params, end: DateTime<Utc>) {
        let mut counted = node.children.iter().filter(|c| c.def.counted.is_some());
        let start = counted.find_map(|child| starts.own(child));
        if let (Some(start), Some(project)) = (start, place.get(PROJECT_ID)) {
            let errors = ProjectErrors {
                place: place.clone(),
                window: whole_hours(Window { start, end }),
                written: Arc::default(),
            };
            self.projects().insert(project.to_owned(), errors);
        }
    }

    /// What counts the rows of a stream at a place; `None` where they are not counted.
    pub fn counter(&self, def: &StreamDef, place: &Params) -> Option<Counter> {
        let counted = def.counted?;
        let projects = self.projects();
        let errors = projects.get(place.get(PROJECT_ID)?)?;
        Some(Counter {
            counted,
            start: format_instant(errors.window.start),
            end: format_instant(errors.window.end),
            written: Arc::clone(&errors.written),
        })
    }

    /// Logs a line for each project. A difference is told, not judged: events may have been deleted, or counted by the
    /// time of their arrival.
    pub async fn compare(&self, client: &Client) {
        let projects: Vec<ProjectErrors> = self.projects().values().cloned().collect();
        for ProjectErrors {
            place,
            window,
            written,
        } in projects
        {
            let name = place.label();
            let extracted = written.load(Ordering::Relaxed);
            if window.start >= window.end {
                log::info!(target: "counts", "{name}: the window holds no whole hour to compare");
                continue;
            }
            match accepted(client, &place, window).await {
                Ok(accepted) => {
                    let difference = i128::from(extracted) - i128::from(accepted);
                    let level = if difference < 0 {
                        log::Level::Warn
                    } else {
                        log::Level::Info
                    };
                    log::log!(target: "counts", level, "{name}: {accepted} errors accepted, {extracted} extracted, difference {difference:+}, {window}");
                }
                Err(e) => {
                    log::warn!(target: "counts", "{name}: {extracted} errors extracted; the accepted ones could not be counted: {e}");
                }
            }
        }
    }
}

async fn accepted(client: &Client, place: &Params, window: Window) -> Result<u64, ApiError> {
    let mut sum = 0;
    for piece in window.pieces(PIECE) {
        // The end that Sentry is asked for is inclusive: that of the piece would bring the hour behind it.
        let asked = Window {
            end: piece.end - TimeDelta::seconds(1),
            ..piece
        };
        let request = Request::new(&ACCEPTED_ERRORS, place.clone()).with(asked.query());
        let mut asking = client.ask(request);
        sum += loop {
            let page = asking.answer().await?;
            match total_quantity(page.body.bytes()) {
                Ok(quantity) => {
                    asking.accept(&page);
                    break quantity;
                }
                Err(kind) => asking.reject(kind).await?,
            }
        };
    }
    Ok(sum)
}
