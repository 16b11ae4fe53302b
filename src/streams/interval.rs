//! The intervals that numbers are summed up over: statistics, and aggregates of queries.

use chrono::{DateTime, TimeDelta, Utc};
use tap_sentry_api::window::Window;

/// The length of such intervals, which begin at whole multiples of it in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    Hour,
    Day,
}

impl Interval {
    /// The column, and the parameter of a place, that tells when an interval starts.
    pub const START: &str = "interval_start";

    /// By the name that Sentry gives it.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Hour, Self::Day]
            .into_iter()
            .find(|interval| interval.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "1d",
        }
    }

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
