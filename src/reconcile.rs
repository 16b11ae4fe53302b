//! `--check-counts`: the errors that were extracted against those that Sentry says it accepted.

use crate::report::{Counted, Report};
use chrono::TimeDelta;
use serde_json::Value;
use tap_sentry_api::client::Client;
use tap_sentry_api::endpoints::ACCEPTED_ERRORS;
use tap_sentry_api::error::{ApiError, Kind};
use tap_sentry_api::params::Params;
use tap_sentry_api::request::Request;
use tap_sentry_api::time::format_instant;
use tap_sentry_api::window::Window;

/// What `category=error` of the outcomes folds together; see sentry/constants.py, `DataCategory.error_categories`.
const ERRORS: &[&str] = &[
    "error",
    "default",
    "csp",
    "hpkp",
    "expectct",
    "expectstaple",
    "nel",
];
/// Outcomes are asked for in pieces of this length: an answer has a point for each hour.
const PIECE: TimeDelta = TimeDelta::days(30);

/// Whether an event counts as an error for the outcomes.
pub fn is_error(event_type: &str) -> bool {
    ERRORS.contains(&event_type)
}

/// Logs a line for each project. A difference is told, not judged: events may have been deleted, or counted by
/// the time of their arrival.
pub async fn run(client: &Client, report: &Report) {
    for (place, Counted { window, events }) in report.counted() {
        if window.start >= window.end {
            log::info!(target: "counts", "{}: the window holds no whole hour to compare", place.label());
            continue;
        }
        match accepted(client, &place, window).await {
            Ok(accepted) => {
                let difference = i128::from(events) - i128::from(accepted);
                let line = format!(
                    "{}: {accepted} errors accepted, {events} extracted, difference {difference:+}, {window}",
                    place.label()
                );
                if difference < 0 {
                    log::warn!(target: "counts", "{line}");
                } else {
                    log::info!(target: "counts", "{line}");
                }
            }
            Err(e) => {
                log::warn!(target: "counts", "{}: {events} errors extracted; the accepted ones could not be counted: {e}", place.label());
            }
        }
    }
}

async fn accepted(client: &Client, place: &Params, window: Window) -> Result<u64, ApiError> {
    let mut sum = 0;
    for piece in window.pieces(PIECE) {
        let bounds = [("start", piece.start), ("end", piece.end)];
        let bounds = bounds.map(|(name, at)| (name, format_instant(at)));
        let request = Request::new(&ACCEPTED_ERRORS, place.clone()).with(bounds);
        let mut asking = client.ask(request);
        sum += loop {
            let page = asking.answer().await?;
            match quantity(page.body.bytes()) {
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

/// The sum of an answer's groups.
fn quantity(body: &[u8]) -> Result<u64, Kind> {
    let body: Value = serde_json::from_slice(body).map_err(|e| Kind::Body(e.to_string()))?;
    let groups = body.get("groups").and_then(Value::as_array);
    let groups = groups.ok_or_else(|| Kind::Body("expected `groups`".to_owned()))?;
    let quantity = |group: &Value| {
        let sum = group.pointer("/totals/sum(quantity)");
        sum.and_then(Value::as_u64).unwrap_or(0)
    };
    Ok(groups.iter().map(quantity).sum())
}
