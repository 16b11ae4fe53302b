//! Counts since the first of the month, which never fall within it.
//!
//! Sentry corrects its counts for days, mostly upward. A count that falls would look like one that began anew, so that a
//! reader would count all of it once more: what was told is told again until the count is larger, or the month ends.

use chrono::{DateTime, Datelike, NaiveTime, Utc};
use std::collections::BTreeMap;

/// A project by its id, a category, an outcome and a reason.
pub type CountKey = (u64, String, String, String);

/// The first of the month, in UTC.
pub fn beginning(now: DateTime<Utc>) -> DateTime<Utc> {
    let first = now.date_naive().with_day(1);
    first.map_or(now, |day| day.and_time(NaiveTime::MIN).and_utc())
}

/// The largest counts of one month.
#[derive(Debug, Default, Clone)]
pub struct Counts {
    month: DateTime<Utc>,
    counts: BTreeMap<CountKey, u64>,
}

impl Counts {
    /// What to tell of a month, after these counts were read. What was counted before in this process, and is not now,
    /// counts 0 in a new month, so that its series does not end.
    pub fn read(
        &mut self,
        month: DateTime<Utc>,
        counts: impl IntoIterator<Item = (CountKey, u64)>,
    ) -> &BTreeMap<CountKey, u64> {
        if self.month != month {
            self.month = month;
            for count in self.counts.values_mut() {
                *count = 0;
            }
        }
        for (key, count) in counts {
            let largest = self.counts.entry(key).or_default();
            *largest = count.max(*largest);
        }
        &self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tap_sentry_api::time::parse_instant;

    fn at(text: &str) -> DateTime<Utc> {
        parse_instant(text).expect("an instant")
    }

    fn key(outcome: &str) -> CountKey {
        (2, "error".to_owned(), outcome.to_owned(), String::new())
    }

    #[test]
    fn a_month_begins_at_midnight_in_utc() {
        let first = at("2026-02-01");
        for inside in [
            "2026-02-01",
            "2026-02-01T00:00:00.5Z",
            "2026-02-28T23:59:59Z",
        ] {
            assert_eq!(beginning(at(inside)), first);
        }
        assert_eq!(beginning(at("2026-03-01")), at("2026-03-01"));
    }

    #[test]
    fn a_correction_downward_waits_until_the_count_has_caught_up() {
        let mut counts = Counts::default();
        let month = at("2026-02-01");
        let mut told = |count| counts.read(month, [(key("accepted"), count)])[&key("accepted")];
        assert_eq!([told(5), told(3), told(4), told(6)], [5, 5, 5, 6]);
    }

    #[test]
    fn a_month_ends_at_zero_and_keeps_its_series() {
        let mut counts = Counts::default();
        let both = [(key("accepted"), 5), (key("filtered"), 9)];
        counts.read(at("2026-02-01"), both);
        let march = counts
            .read(at("2026-03-01"), [(key("accepted"), 1)])
            .clone();
        assert_eq!(march[&key("accepted")], 1);
        assert_eq!(march[&key("filtered")], 0);
    }

    #[test]
    fn what_is_not_read_once_keeps_its_count_within_the_month() {
        let mut counts = Counts::default();
        let month = at("2026-02-01");
        counts.read(month, [(key("filtered"), 9)]);
        assert_eq!(counts.read(month, [])[&key("filtered")], 9);
    }
}
