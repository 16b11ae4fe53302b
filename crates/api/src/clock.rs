//! What time it is: the run's one `now`, by the clock of the server and of this machine.
//!
//! A bookmark is a time up to which everything has been read. Were it taken from a clock that runs ahead of the
//! server's, what happens there until the server's clock has come so far would never be read.

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use reqwest::header::{HeaderMap, HeaderName};

/// Clocks that differ by more are told.
const TOLD_BEYOND: TimeDelta = TimeDelta::minutes(1);

/// The server's clock and ours at one instant. `Date` has whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    pub server: DateTime<Utc>,
    pub ours: DateTime<Utc>,
}

impl Reading {
    /// The `Date` of an answer that came just now. None of one with an `Age`: a cache gave it, and its date only says that
    /// it is later by now.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| {
            headers
                .get(HeaderName::from_bytes(name.as_bytes()).ok()?)?
                .to_str()
                .ok()
        };
        if text("age").is_some_and(|age| age.trim() != "0") {
            return None;
        }
        Some(Self {
            server: httpdate::parse_http_date(text("date")?.trim()).ok()?.into(),
            ours: Utc::now(),
        })
    }

    /// The time at which the run began, or the server's where that is earlier.
    pub fn now(self, began: DateTime<Utc>) -> DateTime<Utc> {
        began.min(self.server)
    }

    /// What a user should know of the difference.
    pub fn warning(self) -> Option<String> {
        let ahead = self.ours - self.server;
        let seconds = ahead.num_seconds().abs();
        let how = if ahead > TimeDelta::zero() {
            "ahead of"
        } else {
            "behind"
        };
        (ahead.abs() > TOLD_BEYOND).then(|| {
            format!("this machine's clock is {seconds} s {how} the server's; the run ends at the earlier of the two times")
        })
    }
}

/// The clock of one server, as its first answer tells it.
#[derive(Debug, Default)]
pub struct ServerClock(Mutex<Option<Reading>>);

impl ServerClock {
    /// An answer in Sentry's own words.
    pub fn heard(&self, reading: Option<Reading>) {
        let mut first = self.0.lock();
        *first = first.or(reading);
    }

    pub fn reading(&self) -> Option<Reading> {
        *self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;
    use rstest::rstest;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).expect("a value"),
                )
            })
            .collect()
    }

    #[rstest]
    #[case::as_servers_write_it(&[("date", "Sun, 06 Nov 1994 08:49:37 GMT")], true)]
    #[case::of_rfc_850(&[("date", "Sunday, 06-Nov-94 08:49:37 GMT")], true)]
    #[case::of_c(&[("date", "Sun Nov  6 08:49:37 1994")], true)]
    #[case::none(&[], false)]
    #[case::unreadable(&[("date", "yesterday")], false)]
    #[case::of_a_cache(&[("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("age", "17")], false)]
    #[case::just_fetched_by_a_cache(&[("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("age", "0")], true)]
    fn an_answer_tells_the_time(#[case] list: &[(&'static str, &str)], #[case] tells: bool) {
        let reading = Reading::of(&headers(list)).map(|reading| reading.server.to_rfc3339());
        assert_eq!(
            reading.as_deref(),
            tells.then_some("1994-11-06T08:49:37+00:00")
        );
    }

    #[rstest]
    #[case::alike(0, 0, false)]
    #[case::ours_ahead(3_600, -3_600, true)]
    #[case::ours_behind(-3_600, 0, true)]
    #[case::by_little(60, -60, false)]
    fn the_earlier_clock_counts(#[case] ahead: i64, #[case] moved: i64, #[case] warned: bool) {
        let ours = DateTime::from_timestamp(1_790_000_000, 0).expect("an instant");
        let reading = Reading {
            server: ours - TimeDelta::seconds(ahead),
            ours,
        };
        assert_eq!(reading.now(ours), ours + TimeDelta::seconds(moved));
        assert_eq!(reading.warning().is_some(), warned);
    }

    #[test]
    fn the_first_answer_counts() {
        let clock = ServerClock::default();
        let reading = |seconds| {
            Some(Reading {
                server: DateTime::from_timestamp(seconds, 0).expect("an instant"),
                ours: Utc::now(),
            })
        };
        let first = reading(1);
        for heard in [None, first, reading(2)] {
            clock.heard(heard);
        }
        assert_eq!(clock.reading(), first);
    }
}
