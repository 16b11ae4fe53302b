//! The intervals that statistics are summed up over, in one run. Pure: no I/O and no clock.

use crate::settings::Settings;
use crate::streams::Sums;
use crate::streams::interval::Interval;
use chrono::{DateTime, TimeDelta, Utc};
use tap_sentry_api::window::Window;

/// The intervals of a run that goes on at `resume`, whole ones, oldest first. Those that still grow are read again, and
/// the one that is not over is read as far as it goes.
pub fn of_run(sums: Sums, resume: DateTime<Utc>, settings: &Settings) -> Vec<Window> {
    let interval = settings.stats_interval;
    let end = settings.end.min(settings.now);
    let earlier = TimeDelta::days(sums.growing_days - 1);
    let growing = Interval::Day.floor(end) - earlier;
    let start = resume.min(growing.max(settings.start_date));
    let until = Window {
        start: interval.floor(start),
        end,
    };
    let pieces = until.pieces(interval.length() * sums.at_once).into_iter();
    pieces
        .map(|piece| Window {
            // That of the interval in which it ends.
            end: interval.floor(piece.end - TimeDelta::seconds(1)) + interval.length(),
            ..piece
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::Span;
    use rstest::rstest;
    use serde_json::{Value, json};
    use tap_sentry_api::time::parse_instant;

    fn at(text: &str) -> DateTime<Utc> {
        parse_instant(text).expect("an instant")
    }

    /// Of a run at noon of 10 February that goes on at `resume`: the first start, the last start, and how many.
    fn of(interval: &str, start: &str, end: Option<&str>, resume: &str) -> (String, String, usize) {
        let config = json!({"api_token": "t", "start_date": start, "stats_interval": interval});
        let Value::Object(mut config) = config else {
            unreachable!("an object")
        };
        config.extend(end.map(|end| ("end_date".to_owned(), json!(end))));
        let settings = Settings::new(config, Vec::new()).expect("valid");
        let settings = settings.at(at("2026-02-10T12:00:00.25Z"));
        let sums = Sums {
            full: 10,
            growing_days: 3,
            at_once: 1,
            span: Span::StartEnd,
            apart: None,
        };
        let found = of_run(sums, at(resume), &settings);
        for pair in found.windows(2) {
            assert_eq!(pair[0].end, pair[1].start);
        }
        let length = settings.stats_interval.length();
        assert!(found.iter().all(|interval| interval.length() == length));
        let start = |of: Option<&Window>| of.map_or_else(String::new, |it| it.start.to_rfc3339());
        (start(found.first()), start(found.last()), found.len())
    }

    #[rstest]
    #[case::first_run(
        "1d",
        "2026-02-01T06:00:00Z",
        None,
        "2026-02-01T06:00:00Z",
        "01T00",
        "10T00",
        10
    )]
    #[case::later_run("1d", "2026-01-01", None, "2026-02-10T11:00:00Z", "08T00", "10T00", 3)]
    #[case::left_behind("1d", "2026-01-01", None, "2026-02-04T00:00:01Z", "04T00", "10T00", 7)]
    #[case::not_before_the_start(
        "1d",
        "2026-02-09T01:00:00Z",
        None,
        "2026-02-10T11:00:00Z",
        "09T00",
        "10T00",
        2
    )]
    #[case::a_past_end(
        "1d",
        "2026-02-01",
        Some("2026-02-03"),
        "2026-02-01",
        "01T00",
        "02T00",
        2
    )]
    #[case::a_coming_end(
        "1d",
        "2026-02-09",
        Some("2026-03-03"),
        "2026-02-09",
        "09T00",
        "10T00",
        2
    )]
    #[case::hours("1h", "2026-01-01", None, "2026-02-10T11:00:00Z", "08T00", "10T11", 60)]
    fn intervals_are_whole_and_those_that_grow_are_read_again(
        #[case] interval: &str,
        #[case] start: &str,
        #[case] end: Option<&str>,
        #[case] resume: &str,
        #[case] first: &str,
        #[case] last: &str,
        #[case] count: usize,
    ) {
        let whole = |day: &str| format!("2026-02-{day}:00:00+00:00");
        assert_eq!(
            of(interval, start, end, resume),
            (whole(first), whole(last), count)
        );
    }
}
