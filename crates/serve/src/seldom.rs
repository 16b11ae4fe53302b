//! What is said in the log once a minute at most, since it can happen at any rate.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

/// When something was said last.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<Option<Instant>>);

impl Seldom {
    /// Whether it is to be said now, and then not again for a minute.
    pub fn is_due(&self) -> bool {
        let mut said = self.0.lock();
        let now = Instant::now();
        let is_due = said.is_none_or(|at| now.duration_since(at) >= MINUTE);
        if is_due {
            *said = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn it_is_said_once_a_minute() {
        let seldom = Seldom::default();
        assert!(seldom.is_due() && !seldom.is_due());
        advance(Duration::from_millis(59_999)).await;
        assert!(!seldom.is_due());
        advance(Duration::from_millis(1)).await;
        assert!(seldom.is_due() && !seldom.is_due());
    }
}
