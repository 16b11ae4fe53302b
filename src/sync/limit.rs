//! The longest window that a server answers in one query, learned from what it refuses.

use chrono::TimeDelta;
use parking_lot::{Mutex, MutexGuard};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use tap_sentry_api::window::{LEAST_WINDOW, Window};

/// So many answers let a longer window be tried again, however often it was refused.
const MOST_PATIENCE: usize = 64;

/// What lists have learned of their windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Learned {
    /// `None`: no window was refused.
    longest: Option<TimeDelta>,
    /// Refusals in succession.
    refusals: usize,
    /// Lists answered since the length was changed.
    answers: usize,
    /// So many answers let a longer window be tried.
    patience: usize,
}

/// The longest window of lists that are alike and run side by side: what one of them learns holds for the others.
#[derive(Debug)]
pub struct WindowLimit {
    learned: Mutex<Learned>,
    /// Longer windows are not asked for again, however many shorter ones were answered.
    most: TimeDelta,
    /// Windows are not made smaller than this.
    least: TimeDelta,
}

impl WindowLimit {
    pub fn new(most: TimeDelta) -> Self {
        Self {
            learned: Mutex::new(Learned {
                longest: None,
                refusals: 0,
                answers: 0,
                patience: 1,
            }),
            most,
            least: LEAST_WINDOW,
        }
    }

    /// Windows are made so small, if need be.
    #[must_use]
    pub fn down_to(self, least: TimeDelta) -> Self {
        Self { least, ..self }
    }

    /// Whether less of it may be asked for at once.
    pub fn may_split(&self, window: Window) -> bool {
        window.length() > self.least
    }

    /// What to ask for at once when this was too much.
    pub fn half(&self, window: Window) -> TimeDelta {
        window.half(self.least)
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock()
    }

    /// The windows to ask for instead of this one, oldest first: itself, unless longer ones were refused.
    pub fn pieces(&self, window: Window) -> Vec<Window> {
        match self.learned().longest {
            Some(longest) if window.length() > longest => window.pieces(longest),
            _ => vec![window],
        }
    }

    /// The server has refused this window as too much. Returns the number of refusals in succession; windows of one
    /// length that are refused side by side count as one.
    pub fn refused(&self, window: Window) -> usize {
        let half = self.half(window);
        let mut learned = self.learned();
        if learned.longest.is_none_or(|longest| half < longest) {
            if learned.longest.is_some() && learned.refusals == 0 {
                // The longer window was a trial.
                learned.patience = (learned.patience * 2).min(MOST_PATIENCE);
            }
            learned.longest = Some(half);
            learned.refusals += 1;
            learned.answers = 0;
        }
        learned.refusals
    }

    /// A whole list was answered. After one answer, or twice as many as before the latest trial that was refused, windows
    /// of twice the length are tried.
    pub fn answered(&self) {
        let mut learned = self.learned();
        learned.refusals = 0;
        learned.answers += 1;
        if learned.answers >= learned.patience {
            learned.answers = 0;
            learned.longest = learned.longest.map(|longest| (longest * 2).min(self.most));
        }
    }
}

/// The limits of the streams below one list, by stream.
#[derive(Debug, Default)]
pub struct WindowLimits(Mutex<FxHashMap<&'static str, Arc<WindowLimit>>>);

impl WindowLimits {
    /// The limit of a stream; `most` is that of a new one.
    pub fn of(&self, stream: &'static str, most: TimeDelta) -> Arc<WindowLimit> {
        let mut limits = self.0.lock();
        let limit = limits.entry(stream);
        Arc::clone(limit.or_insert_with(|| Arc::new(WindowLimit::new(most))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Utc};

    /// Whole hours from an arbitrary instant on.
    fn hours(from: i64, to: i64) -> Window {
        let at = |hour: i64| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::hours(hour);
        Window {
            start: at(from),
            end: at(to),
        }
    }

    fn limit() -> WindowLimit {
        WindowLimit::new(TimeDelta::hours(48))
    }

    #[test]
    fn a_window_is_whole_until_one_is_refused() {
        let limit = limit();
        assert_eq!(limit.pieces(hours(0, 48)), [hours(0, 48)]);
        assert_eq!(limit.refused(hours(0, 48)), 1);
        assert_eq!(limit.pieces(hours(0, 48)), [hours(0, 24), hours(24, 48)]);
        assert_eq!(limit.pieces(hours(0, 20)), [hours(0, 20)]);
    }

    #[test]
    fn refusals_of_one_length_count_once() {
        let limit = limit();
        assert_eq!(limit.refused(hours(0, 24)), 1);
        assert_eq!(limit.refused(hours(24, 48)), 1, "found out side by side");
        assert_eq!(limit.refused(hours(0, 12)), 2);
        assert_eq!(limit.refused(hours(0, 24)), 2, "late, and longer");
        assert_eq!(limit.pieces(hours(0, 12)).len(), 2);
    }

    #[test]
    fn an_answer_doubles_the_length_up_to_the_most() {
        let limit = limit();
        limit.refused(hours(0, 24));
        limit.answered();
        assert_eq!(limit.pieces(hours(0, 48)).len(), 2, "24 hours");
        for _ in 0..5 {
            limit.answered();
        }
        assert_eq!(limit.pieces(hours(0, 48)).len(), 1);
        assert_eq!(limit.pieces(hours(0, 96)).len(), 2, "the most");
        assert_eq!(limit.refused(hours(0, 24)), 1, "the count began anew");
    }

    #[test]
    fn a_trial_that_is_refused_is_repeated_after_twice_as_many_answers() {
        let limit = limit();
        limit.refused(hours(0, 48));
        for answers in [1, 2, 4] {
            for _ in 0..answers {
                assert_eq!(limit.pieces(hours(0, 48)).len(), 2, "24 hours");
                limit.answered();
            }
            assert_eq!(limit.pieces(hours(0, 48)).len(), 1, "a trial");
            limit.refused(hours(0, 48));
        }
    }

    #[test]
    fn an_answer_where_nothing_was_refused_limits_nothing() {
        let limit = limit();
        limit.answered();
        assert_eq!(limit.pieces(hours(0, 96)), [hours(0, 96)]);
    }

    #[test]
    fn no_window_is_halved_below_the_least() {
        let limit = limit();
        limit.refused(hours(0, 1));
        assert_eq!(limit.pieces(hours(0, 2)), [hours(0, 1), hours(1, 2)]);
    }

    #[test]
    fn streams_learn_apart() {
        let limits = WindowLimits::default();
        let most = TimeDelta::days(90);
        limits.of("a", most).refused(hours(0, 48));
        let pieces = |stream| limits.of(stream, most).pieces(hours(0, 48)).len();
        assert_eq!((pieces("a"), pieces("b")), (2, 1));
    }
}
