//! How a project takes logs: as OTLP, as log items in envelopes, or not at all.

use crate::delivery::intake::Intake;
use crate::delivery::mode::{Heard, Wanted, hear};
use crate::signal::Signal;
use parking_lot::Mutex;
use reqwest::Client;
use std::time::Duration;
use tokio::sync::MutexGuard;
use tokio::time::Instant;

/// It is asked again after so long.
const ASKED_AGAIN: Duration = Duration::from_secs(24 * 60 * 60);

/// What is done with logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    Otlp,
    /// In envelopes. Relay 25.6 and later have them, and the path for OTLP came after them.
    Items,
    /// The server has no logs, as far as can be known.
    Nothing,
}

impl Takes {
    /// For log lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Otlp => "otlp",
            Self::Items => "items",
            Self::Nothing => "nothing",
        }
    }
}

/// What a project answered, and when. Nobody is asked before logs come.
#[derive(Debug, Default)]
pub struct Asked {
    known: Mutex<Option<(Takes, Instant)>>,
    asking: tokio::sync::Mutex<()>,
}

impl Asked {
    /// The answer, unless it is a day old.
    pub fn known(&self) -> Option<Takes> {
        let known = *self.known.lock();
        known.and_then(|(takes, at)| (at.elapsed() < ASKED_AGAIN).then_some(takes))
    }

    /// Remembers an answer. Whether it is another one than before.
    pub fn learn(&self, takes: Takes) -> bool {
        let former = self.known.lock().replace((takes, Instant::now()));
        former.is_none_or(|(former, _)| former != takes)
    }

    /// It proved wrong.
    pub fn forget(&self) {
        *self.known.lock() = None;
    }

    /// One asks at a time.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.asking.lock().await
    }
}

/// Asks the intake. What it means depends on what the setting wants: where there is no path for logs there is nothing to insist
/// on.
///
/// # Errors
/// When the answer says neither.
pub async fn ask(
    client: &Client,
    intake: &Intake,
    wanted: Wanted,
) -> Result<(Takes, &'static str), Heard> {
    let heard = hear(client, intake, Signal::Logs).await;
    match (heard, wanted) {
        (Heard::Known | Heard::Success, Wanted::Otlp) => Ok((Takes::Otlp, "the setting says so")),
        (Heard::Known | Heard::Success, Wanted::Transactions) => {
            Ok((Takes::Items, "the setting says so"))
        }
        (Heard::Known, Wanted::Auto) => Ok((Takes::Otlp, "it answers as Relay 26.7 and later do")),
        (Heard::Success, Wanted::Auto) => Ok((
            Takes::Items,
            "it answers, but not as Relay 26.7 and later do",
        )),
        (Heard::NotThere(_), _) => Ok((Takes::Nothing, "it has no path for them")),
        (other, _) => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_holds_for_a_day() {
        let asked = Asked::default();
        assert_eq!(asked.known(), None);
        assert!(asked.learn(Takes::Items) && !asked.learn(Takes::Items));
        tokio::time::advance(ASKED_AGAIN - Duration::from_secs(1)).await;
        assert_eq!(asked.known(), Some(Takes::Items));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(asked.known(), None);
        assert!(asked.learn(Takes::Nothing));
        asked.forget();
        assert_eq!(asked.known(), None);
    }
}
