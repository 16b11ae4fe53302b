//! `--check-counts`: the errors that were extracted against those that Sentry says it accepted.

use crate::report::run::{Counted, Report};
use chrono::TimeDelta;
use tap_sentry_api::client::Client;
use tap_sentry_api::endpoints::{ACCEPTED_ERRORS, total_quantity};
use tap_sentry_api::error::ApiError;
use tap_sentry_api::params::Params;
use tap_sentry_api::request::Request;
use tap_sentry_api::window::Window;

/// Outcomes are asked for in pieces of this length: an answer has a point for each hour.
const PIECE: TimeDelta = TimeDelta::days(30);

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
        let request = Request::new(&ACCEPTED_ERRORS, place.clone()).with(piece.query());
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
