//! Events that exist only while they are asked for: a number each.

use crate::seconds::Seconds;
use chrono::{DateTime, TimeDelta, Utc};
use std::ops::Range;

/// Events of one issue, evenly spaced.
#[derive(Clone, Debug)]
pub struct Synthetic {
    pub issue: u64,
    pub project: u64,
    pub count: u64,
    pub from: DateTime<Utc>,
    pub span: TimeDelta,
    /// Roughly the size of one of them in full.
    pub event_bytes: usize,
    /// Tags beside the usual few.
    pub more_tags: usize,
}

impl Synthetic {
    /// Indices stay below 2^32 and spans below 2^31 seconds, so nothing overflows.
    pub fn second(&self, index: u64) -> i64 {
        let seconds = self.span_seconds() * index / self.count.max(1);
        self.from.timestamp() + i64::try_from(seconds).unwrap_or(i64::MAX)
    }

    pub fn id(&self, index: u64) -> u128 {
        mixed_id(self.issue, index)
    }

    /// Indices in the window; timestamps never fall with the index.
    pub fn range(&self, window: Seconds) -> Range<u64> {
        self.first_at(window.from)..self.first_at(window.to).max(self.first_at(window.from))
    }

    /// The index of an event of this issue, if the id is one.
    pub fn index_of(&self, id: u128) -> Option<u64> {
        let (issue, index) = unmixed_id(id)?;
        (issue == self.issue && index < self.count).then_some(index)
    }

    fn span_seconds(&self) -> u64 {
        u64::try_from(self.span.num_seconds()).unwrap_or(0)
    }

    /// The lowest index that is not before `second`: `floor(span * i / count) >= d` solved for `i`.
    fn first_at(&self, second: i64) -> u64 {
        let distance = second.saturating_sub(self.from.timestamp());
        let Ok(distance) = u64::try_from(distance) else {
            return 0;
        };
        match self.span_seconds() {
            _ if distance == 0 => 0,
            span if distance > span || span == 0 => self.count,
            span => (distance * self.count).div_ceil(span).min(self.count),
        }
    }
}

/// A bijection of (issue, index) below 2^32 each, so an id finds its event without a table.
pub(crate) fn mixed_id(issue: u64, index: u64) -> u128 {
    let high = mix((issue << 32) | (index & 0xffff_ffff));
    (u128::from(high) << 64) | u128::from(mix(high ^ 0x5eed))
}

fn unmixed_id(id: u128) -> Option<(u64, u64)> {
    let high = u64::try_from(id >> 64).ok()?;
    let pair = unmix(high);
    let (issue, index) = (pair >> 32, pair & 0xffff_ffff);
    (mixed_id(issue, index) == id).then_some((issue, index))
}

/// The finalizer of splitmix64.
pub(crate) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn unmix(mut x: u64) -> u64 {
    x = (x ^ (x >> 31) ^ (x >> 62)).wrapping_mul(0x3196_42b2_d24d_8ec3);
    x = (x ^ (x >> 27) ^ (x >> 54)).wrapping_mul(0x96de_1b17_3f11_9089);
    x ^ (x >> 30) ^ (x >> 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bulk, World};

    #[test]
    fn an_id_leads_back_to_its_event() {
        for pair in [(1, 0), (77, 999_999), (1_000_001, 3)] {
            assert_eq!(unmixed_id(mixed_id(pair.0, pair.1)), Some(pair));
        }
        assert_eq!(unmixed_id(12), None);
    }

    #[test]
    fn the_formula_for_indices_agrees_with_counting() {
        for (count, span) in [(1, 10), (7, 3), (100, 86_400), (250, 249), (5, 0)] {
            let mut world = World::bulk(Bulk {
                now: DateTime::from_timestamp(1_800_000_000, 0).expect("a valid instant"),
                projects: 1,
                issues_per_project: 1,
                events_per_issue: count,
                event_bytes: 0,
                span: TimeDelta::seconds(span),
            });
            let issue = world.issues.values_mut().next().expect("one issue");
            let synthetic = issue.synthetic.as_mut().expect("computed events");
            synthetic.span = TimeDelta::seconds(span);
            let from = synthetic.from.timestamp();
            for second in from - 2..from + span.min(500) + 2 {
                let counted = (0..count).filter(|index| synthetic.second(*index) < second);
                assert_eq!(synthetic.first_at(second), counted.count() as u64);
            }
        }
    }

    #[test]
    fn windows_cut_synthetic_events_without_loss() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a valid instant");
        let world = World::bulk(Bulk {
            now,
            projects: 1,
            issues_per_project: 1,
            events_per_issue: 1_000,
            event_bytes: 2_000,
            span: TimeDelta::seconds(333),
        });
        let issue = world.issues.values().next().expect("one issue");
        let parts: usize = (0..400)
            .map(|second| {
                let from = now.timestamp() - 340 + second;
                issue.events_in(Seconds { from, to: from + 1 }).count()
            })
            .sum();
        assert_eq!(parts, 1_000);
    }
}
