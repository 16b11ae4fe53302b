//! `--check-counts`: the errors that were extracted against those that Sentry says it accepted.

use crate::client::{Ask, Client, Kind, Page};
use crate::context::Context;
use crate::plan::Window;
use crate::report::{Counted, Report};
use crate::streams::STATS;
use crate::time::format_instant;
use chrono::{TimeDelta, Timelike};
use serde_json::Value;

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

/// The whole hours of a window: outcomes are kept by the hour.
pub fn whole_hours(window: Window) -> Window {
    let floor = |t: chrono::DateTime<chrono::Utc>| {
        t.with_minute(0)
            .and_then(|t| t.with_second(0))
            .and_then(|t| t.with_nanosecond(0))
            .unwrap_or(t)
    };
    let start = floor(window.start);
    Window {
        start: if start < window.start {
            start + TimeDelta::hours(1)
        } else {
            start
        },
        end: floor(window.end),
    }
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

async fn accepted(
    client: &Client,
    place: &Context,
    window: Window,
) -> Result<u64, crate::client::ApiError> {
    let mut sum = 0;
    for piece in window.pieces(PIECE) {
        let mut query = place.query(&STATS, false, &[]);
        query.extend([
            ("start", format_instant(piece.start)),
            ("end", format_instant(piece.end)),
        ]);
        let ask = Ask {
            stream: &STATS,
            url: client.url(&place.path(&STATS, false), &query),
            page: 1,
            divisible: false,
            heavy_retries: None,
        };
        let parse = |page: &mut Page| {
            let body: Value =
                serde_json::from_slice(page.body.bytes()).map_err(|e| Kind::Body(e.to_string()))?;
            let groups = body
                .get("groups")
                .and_then(Value::as_array)
                .ok_or_else(|| Kind::Body("expected `groups`".to_owned()))?;
            let quantity = |group: &Value| {
                group
                    .pointer("/totals/sum(quantity)")
                    .and_then(Value::as_u64)
                    .unwrap_or(0)
            };
            Ok(groups.iter().map(quantity).sum::<u64>())
        };
        sum += client.get(&ask, || async {}, parse).await?.0;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::parse_instant;
    use rstest::rstest;

    #[rstest]
    #[case(
        "2026-01-01T00:00:00Z",
        "2026-01-02T00:00:00Z",
        "2026-01-01T00:00:00Z to 2026-01-02T00:00:00Z"
    )]
    #[case(
        "2026-01-01T00:00:01Z",
        "2026-01-01T05:59:59Z",
        "2026-01-01T01:00:00Z to 2026-01-01T05:00:00Z"
    )]
    fn only_whole_hours_are_compared(
        #[case] start: &str,
        #[case] end: &str,
        #[case] expected: &str,
    ) {
        let at = |text| parse_instant(text).expect("an instant");
        assert_eq!(
            whole_hours(Window {
                start: at(start),
                end: at(end)
            })
            .to_string(),
            expected
        );
    }
}
