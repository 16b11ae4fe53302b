//! Spans of time that lists are asked for.

use crate::time::format_instant;
use chrono::{DateTime, TimeDelta, Timelike, Utc};

/// Windows are not made smaller than this, however often the server refuses them; but see those who say otherwise.
pub const LEAST_WINDOW: TimeDelta = TimeDelta::hours(1);

/// A half-open span of time: `start <= t < end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

impl Window {
    pub fn length(&self) -> TimeDelta {
        self.end - self.start
    }

    /// The query that asks for it. With `Z`: Sentry reads naive times in the server's own zone.
    pub fn query(&self) -> [(&'static str, String); 2] {
        [
            ("start", format_instant(self.start)),
            ("end", format_instant(self.end)),
        ]
    }

    /// Whether less may be asked for at once.
    pub fn is_divisible(&self) -> bool {
        self.length() > LEAST_WINDOW
    }

    /// What to ask for at once when this was too much: half of it, in whole seconds, but not less than that.
    pub fn half(&self, least: TimeDelta) -> TimeDelta {
        TimeDelta::seconds(self.length().num_seconds() / 2).max(least)
    }

    /// Two halves at a whole second.
    pub fn halves(&self) -> [Self; 2] {
        let middle = self.start + TimeDelta::seconds(self.length().num_seconds() / 2);
        [
            Self {
                end: middle,
                ..*self
            },
            Self {
                start: middle,
                ..*self
            },
        ]
    }

    /// Pieces of `length`, oldest first; the last may be shorter.
    pub fn pieces(&self, length: TimeDelta) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut start = self.start;
        while start < self.end {
            let end = (start + length).min(self.end);
            pieces.push(Self { start, end });
            start = end;
        }
        pieces
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format_instant;
        write!(f, "{} to {}", text(self.start), text(self.end))
    }
}

/// Event times are whole seconds; a window must not start inside one.
pub fn whole_second(instant: DateTime<Utc>) -> DateTime<Utc> {
    chrono::SubsecRound::trunc_subsecs(instant, 0)
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
