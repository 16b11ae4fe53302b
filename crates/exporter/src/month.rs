//! Counts since the first of the month, which never fall within it.
//!
//! Sentry corrects its counts for days, mostly upward. A count that falls would look like one that began anew, so that a
//! reader would count all of it once more: what was told is told again until the count is larger, or the month ends.
//!
//! Some reasons are words of clients, so their number has no bound. Of a project, a category and an outcome the largest
//! have a count each, and the others one together. Which they are stays until the month ends: a reason that changed sides
//! would make the common count fall, or be counted twice.

use chrono::{DateTime, Datelike, NaiveTime, Utc};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A project by its id, a category, an outcome and a reason.
pub type CountKey = (u64, String, String, String);

/// So many reasons of a project, a category and an outcome have a count of their own.
pub const REASONS: usize = 20;

/// The reason of all others.
const OTHER: &str = "other";

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
    /// What to tell of a month, after these counts were read. What was counted in the month before, and is not now,
    /// counts 0 in a new month, so that its series does not end at once.
    pub fn read(
        &mut self,
        month: DateTime<Utc>,
        counts: impl IntoIterator<Item = (CountKey, u64)>,
    ) -> &BTreeMap<CountKey, u64> {
        if self.month != month {
            self.month = month;
            self.counts.retain(|_, count| *count > 0);
            for count in self.counts.values_mut() {
                *count = 0;
            }
        }
        let mut groups: BTreeMap<Group, BTreeMap<String, u64>> = BTreeMap::new();
        for ((project, category, outcome, reason), count) in counts {
            let reasons = groups.entry((project, category, outcome)).or_default();
            let largest = reasons.entry(reason).or_default();
            *largest = count.max(*largest);
        }
        for (group, reasons) in groups {
            self.read_group(&group, reasons);
        }
        &self.counts
    }

    fn read_group(&mut self, group: &Group, reasons: BTreeMap<String, u64>) {
        let key = |reason: String| {
            let (project, category, outcome) = group.clone();
            (project, category, outcome, reason)
        };
        let known = self.counts.range(key(String::new())..);
        let known = known.take_while(|((project, category, outcome, _), _)| {
            (project, category, outcome) == (&group.0, &group.1, &group.2)
        });
        let counted = known.filter(|((.., reason), count)| is_free(reason) && **count > 0);
        let mut left = REASONS.saturating_sub(counted.count());
        let mut largest_first: Vec<(String, u64)> = reasons.into_iter().collect();
        // By name where counts are equal: the same answer has the same reasons.
        largest_first.sort_by_key(|(_, count)| Reverse(*count));
        let mut others = 0_u64;
        for (reason, count) in largest_first {
            let free = is_free(&reason);
            let key = key(reason);
            let told = self.counts.get(&key).copied().unwrap_or(0);
            if free && told == 0 {
                if left == 0 || count == 0 {
                    others = others.saturating_add(count);
                    continue;
                }
                left -= 1;
            } else if key.3 == OTHER {
                others = others.saturating_add(count);
                continue;
            }
            self.counts.insert(key, count.max(told));
        }
        if others > 0 {
            let others_told = self.counts.entry(key(OTHER.to_owned())).or_default();
            *others_told = others.max(*others_told);
        }
    }
}

/// A project, a category and an outcome.
type Group = (u64, String, String);

/// Whether it is one of the reasons whose number has no bound.
fn is_free(reason: &str) -> bool {
    !reason.is_empty() && reason != OTHER
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

    fn reason(reason: &str) -> CountKey {
        let outcome = "client_discard".to_owned();
        (2, "error".to_owned(), outcome, reason.to_owned())
    }

    fn invented(first: u64, number: u64) -> impl Iterator<Item = (CountKey, u64)> {
        (first..first + number).map(|number| (reason(&format!("{number:05}")), number))
    }

    #[test]
    fn counts_beyond_all_bounds_stay_the_largest_number() {
        let mut counts = Counts::default();
        let endless = invented(1, 30).map(|(key, _)| (key, u64::MAX));
        let told = counts.read(at("2026-02-01"), endless);
        assert_eq!(told[&reason(OTHER)], u64::MAX);
    }

    #[test]
    fn the_largest_reasons_have_their_own_counts() {
        let mut counts = Counts::default();
        let told = counts.read(at("2026-02-01"), invented(1, 30));
        assert_eq!(told.len(), REASONS + 1);
        assert_eq!(told[&reason("00030")], 30);
        assert_eq!(told[&reason("00011")], 11);
        assert_eq!(told[&reason(OTHER)], (1..=10).sum::<u64>());
        // Of equal counts the first by name.
        let equal = (0..30).map(|number| (reason(&format!("{number:05}")), 7));
        let mut counts = Counts::default();
        let told = counts.read(at("2026-02-01"), equal);
        assert!(told.contains_key(&reason("00019")) && !told.contains_key(&reason("00020")));
        assert_eq!(told[&reason(OTHER)], 70);
    }

    #[test]
    fn reasons_do_not_change_sides_within_the_month() {
        let mut counts = Counts::default();
        let month = at("2026-02-01");
        let before = counts.read(month, invented(1, 20)).clone();
        let told = counts.read(month, invented(1, 50)).clone();
        assert!(before.iter().all(|(key, count)| told[key] == *count));
        let other = (21..=50).sum::<u64>();
        assert_eq!((told.len(), told[&reason(OTHER)]), (21, other));
        // One that clients call so themselves is among the others.
        let own = invented(1, 50).chain([(reason(OTHER), 4)]);
        assert_eq!(counts.read(month, own)[&reason(OTHER)], other + 4);
    }

    #[test]
    fn what_is_known_is_bounded_however_many_reasons_come() {
        let mut counts = Counts::default();
        for month in ["2026-02-01", "2026-03-01", "2026-04-01", "2026-05-01"] {
            for first in [1, 10_000, 20_000, 30_000] {
                let first = first + u64::from(at(month).month()) * 1_000_000;
                let told = counts.read(at(month), invented(first, 9_000));
                assert!(told.len() <= 2 * REASONS + 1, "{month}: {}", told.len());
            }
        }
        // What was 0 for a whole month is forgotten.
        counts.read(at("2026-06-01"), []);
        assert!(counts.read(at("2026-07-01"), []).is_empty());
    }
}
