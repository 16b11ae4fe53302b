//! Where a project is and how it takes spans: looked up, asked, and asked again.

use crate::delivery::absence::Absence;
use crate::delivery::intake::Intake;
use crate::delivery::lookup::Found;
use crate::delivery::mode::{self, Answer, Mode, Wanted};
use crate::delivery::project::{Project, State};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// A project is asked again how it takes spans after so long.
const ASKED_AGAIN: Duration = Duration::from_secs(24 * 60 * 60);

/// A key that is refused is tried again after so long.
const REFUSED_AGAIN: Duration = Duration::from_secs(60);

/// A key that could not be looked up is tried again after so long.
const LOOKED_UP_AGAIN: Duration = Duration::from_secs(10);

/// A project that is not there may be created meanwhile: it is looked for again after so long.
const NO_PROJECT_AGAIN: Duration = Duration::from_secs(5 * 60);

impl Project {
    /// Keeps the state true.
    pub async fn keep(&self) {
        loop {
            let again = match self.source.intake().await {
                Found::Intake(intake) => self.ask(&intake).await,
                Found::NoProject => self.not_there(),
                Found::Nothing(why) => {
                    let (exporter, project) = (&self.shared.name, &self.label);
                    log::error!(exporter, project; "no key for the project, and what is received waits: {why}");
                    LOOKED_UP_AGAIN
                }
            };
            tokio::select! {
                () = sleep(again) => {}
                () = self.ask_again.notified() => {}
            }
        }
    }

    /// Asks how spans are taken. After what time to ask again.
    async fn ask(&self, intake: &Arc<Intake>) -> Duration {
        let shared = &self.shared;
        let (exporter, project) = (&shared.name, &self.label);
        let mut failures = 0;
        loop {
            let answer = match shared.wanted {
                Wanted::Auto => mode::ask(&shared.client, intake).await,
                Wanted::Otlp => Answer::Mode(Mode::Otlp, "the setting says so".to_owned()),
                Wanted::Transactions => {
                    Answer::Mode(Mode::Transactions, "the setting says so".to_owned())
                }
            };
            match answer {
                Answer::Mode(mode, why) => {
                    let known = self.state.borrow().clone();
                    if !matches!(known, State::Ready(_, known) if known == mode) {
                        log::info!(exporter, project, mode = mode.name(); "spans are sent as {}: {why}", mode.name());
                    }
                    self.state
                        .send_replace(State::Ready(Arc::clone(intake), mode));
                    return ASKED_AGAIN;
                }
                Answer::Refused(why) => {
                    self.refused(&why);
                    return REFUSED_AGAIN;
                }
                Answer::Nothing(why) => {
                    failures += 1;
                    log::warn!(exporter, project; "it is not known yet how spans are taken, and what is received waits: {why}");
                    sleep(shared.retry.wait(failures, fastrand::f64())).await;
                }
            }
        }
    }

    /// After what time to look again.
    fn not_there(&self) -> Duration {
        let (exporter, project) = (&self.shared.name, &self.label);
        if let Some(default) = &self.default {
            log::warn!(exporter, project; "there is no such project: what is for it goes to {}", default.label);
            self.state
                .send_replace(State::Elsewhere(Arc::clone(default)));
        } else {
            log::error!(exporter, project; "there is no such project; what is received for it waits, and is given up after an hour or `max_elapsed_time`: create it, or name `routing.default_project`");
            let known = self.state.borrow().clone();
            let absence = match known {
                State::NotThere(absence) => absence.again(),
                _ => Absence::begun(),
            };
            self.state.send_replace(State::NotThere(absence));
        }
        NO_PROJECT_AGAIN
    }

    /// Sentry refuses the key.
    pub fn refused(&self, why: &str) {
        self.source.forget();
        let (exporter, project) = (&self.shared.name, &self.label);
        log::error!(exporter, project; "Sentry refuses the key ({why}); what is received waits, and is given up after an hour: check the DSN or the token");
        self.state.send_replace(State::Refused);
    }
}
