//! How a project takes logs: as OTLP, as log items in envelopes, or not at all.

use crate::client::Client;
use crate::delivery::intake::Intake;
use crate::delivery::mode::{Heard, Wanted, hear};
use crate::delivery::retry::Retry;
use crate::signal::Signal;
use parking_lot::Mutex;
use std::fmt;
use std::time::Duration;
use tokio::time::{Instant, sleep};

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
    /// In one word, for log lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Otlp => "otlp",
            Self::Items => "items",
            Self::Nothing => "nothing",
        }
    }
}

impl fmt::Display for Takes {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str(match self {
            Self::Otlp => "logs are sent as OTLP",
            Self::Items => "logs are sent as log items",
            Self::Nothing => "the server takes no logs",
        })
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

    /// How logs are taken: what is known, or what the intake answers as soon as it does. One asks at a time.
    ///
    /// # Errors
    /// When the key is refused, and how.
    pub async fn takes(&self, question: &Question<'_>) -> Result<Takes, String> {
        let Question {
            exporter, project, ..
        } = *question;
        let _turn = self.asking.lock().await;
        let mut failures = 0;
        loop {
            if let Some(known) = self.known() {
                return Ok(known);
            }
            let why = match question.ask().await {
                Ok((takes, why)) => {
                    if self.learn(takes) {
                        log::info!(exporter, project, logs = takes.name(); "{takes}: {why}");
                    }
                    return Ok(takes);
                }
                Err(Heard::Refused(why)) => return Err(why),
                Err(why) => why,
            };
            failures += 1;
            log::warn!(exporter, project; "it is not known yet how logs are taken, and what is received waits: {why}");
            sleep(question.retry.wait(failures, fastrand::f64())).await;
        }
    }
}

/// What is asked of whom.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub client: &'a Client,
    pub intake: &'a Intake,
    pub wanted: Wanted,
    pub retry: &'a Retry,
    /// Names for log lines.
    pub exporter: &'a str,
    pub project: &'a str,
}

impl Question<'_> {
    /// Asks once. Where there is no path for logs there is nothing to insist on.
    async fn ask(&self) -> Result<(Takes, &'static str), Heard> {
        let heard = hear(self.client, self.intake, Signal::Logs).await;
        match (heard, self.wanted) {
            (Heard::NotThere(_), _) => Ok((Takes::Nothing, "it has no path for them")),
            (Heard::Known | Heard::Success, Wanted::Otlp) => Ok((Takes::Otlp, SETTING)),
            (Heard::Known | Heard::Success, Wanted::Transactions) => Ok((Takes::Items, SETTING)),
            (Heard::Known, Wanted::Auto) => {
                Ok((Takes::Otlp, "it answers as Relay 26.7 and later do"))
            }
            (Heard::Success, Wanted::Auto) => Ok((
                Takes::Items,
                "it answers, but not as Relay 26.7 and later do; `mode: otlp` insists",
            )),
            (other, _) => Err(other),
        }
    }
}

const SETTING: &str = "the setting says so";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_holds_for_a_day() {
        let asked = Asked::default();
        assert_eq!(asked.known(), None);
        assert!(asked.learn(Takes::Items) && !asked.learn(Takes::Items));
        tokio::time::advance(ASKED_AGAIN / 2).await;
        assert_eq!(asked.known(), Some(Takes::Items));
        tokio::time::advance(ASKED_AGAIN / 2).await;
        assert_eq!(asked.known(), None);
        assert!(asked.learn(Takes::Nothing));
        asked.forget();
        assert_eq!(asked.known(), None);
    }
}
