//! The intervals that aggregates are asked for.

use chrono::{DateTime, TimeDelta, Utc};
use tap_sentry_api::window::Window;

/// The length of an aggregate's intervals, which begin at whole multiples of it in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    Hour,
    Day,
}

impl Interval {
    pub fn length(self) -> TimeDelta {
        match self {
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::days(1),
        }
    }

    /// The start of the interval that an instant is in.
    pub fn floor(self, instant: DateTime<Utc>) -> DateTime<Utc> {
        let second = instant.timestamp();
        let start = second - second.rem_euclid(self.length().num_seconds());
        DateTime::from_timestamp(start, 0).unwrap_or(instant)
    }

    /// A window in two, between intervals.
    pub fn halves(self, window: Window) -> [Window; 2] {
        let [first, second] = window.halves();
        let middle = self.floor(first.end);
        [
            Window {
                end: middle,
                ..first
            },
            Window {
                start: middle,
                ..second
            },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_halved_between_intervals() {
        let at = |hours| DateTime::UNIX_EPOCH + TimeDelta::hours(hours);
        let window = Window {
            start: at(0),
            end: at(72),
        };
        let [first, second] = Interval::Day.halves(window);
        assert_eq!((first.end, second.start), (at(24), at(24)));
        assert_eq!(Interval::Day.floor(at(47)), at(24));
    }
}
