//! Which part of a group's time is finished without a gap.

use chrono::{DateTime, Utc};
use tap_sentry_api::window::Window;

/// What is finished without a gap, whatever order the windows end in.
#[derive(Debug)]
pub struct Progress {
    reached: DateTime<Utc>,
    ahead: Vec<Window>,
}

impl Progress {
    pub fn new(start: DateTime<Utc>) -> Self {
        Self {
            reached: start,
            ahead: Vec::new(),
        }
    }

    /// Notes a finished window; `Some(instant)` when everything before it is now finished.
    pub fn finish(&mut self, window: Window) -> Option<DateTime<Utc>> {
        self.ahead.push(window);
        let before = self.reached;
        while let Some(i) = self.ahead.iter().position(|w| w.start <= self.reached) {
            self.reached = self.reached.max(self.ahead.swap_remove(i).end);
        }
        (self.reached > before).then_some(self.reached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use tap_sentry_api::time::parse_instant;

    fn at(text: &str) -> DateTime<Utc> {
        parse_instant(text).expect("an instant")
    }

    fn window(start: &str, end: &str) -> Window {
        Window {
            start: at(start),
            end: at(end),
        }
    }

    #[test]
    fn progress_waits_for_the_windows_before() {
        let pieces = window("2026-01-01", "2026-01-05").pieces(TimeDelta::days(1));
        let mut progress = Progress::new(at("2026-01-01"));
        assert_eq!(progress.finish(pieces[2]), None);
        assert_eq!(progress.finish(pieces[1]), None);
        assert_eq!(progress.finish(pieces[0]), Some(at("2026-01-04")));
        assert_eq!(progress.finish(pieces[0]), None, "once is enough");
        assert_eq!(progress.finish(pieces[3]), Some(at("2026-01-05")));
    }

    #[test]
    fn progress_counts_halves_as_the_whole() {
        let whole = window("2026-01-01", "2026-01-03");
        let [first, second] = whole.halves();
        let mut progress = Progress::new(whole.start);
        assert_eq!(progress.finish(second), None);
        assert_eq!(progress.finish(first), Some(whole.end));
    }
}
