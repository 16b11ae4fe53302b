//! When the next STATE is due.

use std::time::Duration;
use tokio::time::Instant;

/// So many bytes of STATE a second are worth their reading: targets and orchestrators store each.
const BYTES_A_SECOND: f64 = 8.0 * 1024.0;
/// What was finished is told after so long, however large the state is.
const LONGEST: Duration = Duration::from_secs(30);
/// This part of the interval without any news is taken for the begin of a long wait.
const QUIET: u32 = 6;

/// Keeps STATE messages apart: by an interval that the user chooses, and by more when they are large. A run over a
/// thousand projects that moves the bookmark of each would write their bookmarks a thousand times otherwise.
#[derive(Debug)]
pub struct Pace {
    least: Duration,
    interval: Duration,
    due: Instant,
}

impl Pace {
    /// `bytes` is the size of the state that the run begins with.
    pub fn new(least: Duration, now: Instant, bytes: usize) -> Self {
        let mut pace = Self {
            least,
            interval: least,
            due: now,
        };
        pace.written(now, bytes);
        pace
    }

    /// A STATE of that size was written.
    pub fn written(&mut self, now: Instant, bytes: usize) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "sizes of states are exact in 53 bits"
        )]
        let by_size =
            Duration::from_secs_f64((bytes as f64 / BYTES_A_SECOND).min(LONGEST.as_secs_f64()));
        self.interval = if self.least.is_zero() {
            Duration::ZERO
        } else {
            self.least.max(by_size)
        };
        self.due = now + self.interval;
    }

    /// Whether another may be written.
    pub fn is_due(&self, now: Instant) -> bool {
        self.due <= now
    }

    /// How long to wait for news before what is known is told: until it is due, or until a long wait seems to have begun.
    pub fn patience(&self, now: Instant) -> Duration {
        (self.due - now).min((self.interval / QUIET).max(self.least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn small_states_come_as_often_as_is_asked_for() {
        let now = Instant::now();
        let mut pace = Pace::new(SECOND, now, 200);
        assert!(!pace.is_due(now) && pace.is_due(now + SECOND));
        assert_eq!(pace.patience(now), SECOND);
        pace.written(now + 5 * SECOND, 8 * 1024);
        assert!(!pace.is_due(now + 5 * SECOND) && pace.is_due(now + 6 * SECOND));
    }

    #[test]
    fn large_states_come_less_often_but_do_come() {
        let now = Instant::now();
        for (bytes, seconds) in [(80 << 10, 10), (240 << 10, 30), (1 << 30, 30)] {
            let pace = Pace::new(SECOND, now, bytes);
            assert!(
                !pace.is_due(now + SECOND * (seconds - 1)) && pace.is_due(now + SECOND * seconds),
                "{bytes}"
            );
        }
    }

    #[test]
    fn where_nothing_comes_for_a_while_a_long_wait_may_have_begun() {
        let now = Instant::now();
        let pace = Pace::new(SECOND, now, 1 << 20);
        assert_eq!(pace.patience(now), 5 * SECOND);
        assert_eq!(pace.patience(now + 28 * SECOND), 2 * SECOND);
    }

    #[test]
    fn without_an_interval_each_is_due_at_once() {
        let now = Instant::now();
        let pace = Pace::new(Duration::ZERO, now, 1 << 20);
        assert!(pace.is_due(now));
        assert_eq!(pace.patience(now), Duration::ZERO);
    }
}
