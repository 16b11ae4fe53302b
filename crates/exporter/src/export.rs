//! The values of one refresh, passed on to who does not scrape: once, or again and again until a signal comes.

use crate::dialect::Dialect;
use crate::error::Error;
use crate::families::Families;
use crate::figures::UP;
use crate::old_figures::MAGGOTMOUTH_CALLS;
use crate::push_settings::{Push, Receiver};
use crate::pushgateway::{PushError, Pushgateway};
use crate::render::{Page, Part};
use crate::report::{OrganizationResult, ServerResult};
use crate::server::CALLS;
use crate::settings::Settings;
use crate::snapshot::Snapshot;
use crate::textfile::TextFile;
use reqwest::Client;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tap_sentry_serve::negotiate::Format;
use tap_sentry_settings::problem::{Problem, SettingsError};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// Refreshes and passes on.
pub struct Export {
    snapshot: Snapshot,
    push: Push,
    dialect: Dialect,
    sender: Sender,
}

/// How they reach who gets them.
enum Sender {
    Pushgateway(Pushgateway, Client),
    TextFile(TextFile),
}

impl Export {
    /// # Errors
    /// When there is nothing to export, or the certificate of the Pushgateway cannot be used.
    pub fn new(settings: &Settings, snapshot: Snapshot) -> Result<Self, Error> {
        if settings.servers.is_empty() {
            let text = "has nothing to export, since modules are for /probe: set `api_token` and `organization`";
            let problem = Problem::new("modules", text);
            return Err(SettingsError::Problems(vec![problem]).into());
        }
        let push = settings.push.clone();
        let sender = match &push.to {
            Receiver::Pushgateway(to) => Sender::Pushgateway(to.clone(), to.client()?),
            Receiver::TextFile(file) => Sender::TextFile(file.clone()),
        };
        Ok(Self {
            snapshot,
            push,
            dialect: settings.decision.dialect,
            sender,
        })
    }

    /// Once; or, where an interval is set, until a signal comes.
    ///
    /// # Errors
    /// Of the only time. What fails of several is logged, and tried again in its turn.
    pub async fn run(&self) -> Result<(), Error> {
        match self.push.interval {
            None => self.once().await,
            Some(interval) => self.repeated(interval).await,
        }
    }

    async fn repeated(&self, interval: Duration) -> Result<(), Error> {
        let mut stop = pin!(stopped()?);
        let mut turns = interval_at(Instant::now(), interval);
        // Late turns must not come all at once.
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let turn = async {
                turns.tick().await;
                if let Err(error) = self.once().await {
                    log::error!("{error}");
                }
            };
            tokio::select! {
                // What was under way is a whole group or none.
                () = &mut stop => {
                    log::info!("stopping");
                    return Ok(());
                }
                () = turn => {}
            }
        }
    }

    /// Asks Sentry and passes on what it says.
    async fn once(&self) -> Result<(), Error> {
        let results = self.snapshot.refresh_now().await;
        let lacking = Lacking::of(&results);
        let passed = match &self.sender {
            Sender::Pushgateway(pushgateway, client) => {
                self.push(pushgateway, client, &results).await
            }
            Sender::TextFile(file) => self.write(file, &results, &lacking),
        };
        let lacked = lacking.told(self.push.failures, &self.push.to);
        match (passed, lacked) {
            (Err(error), Err(lacked)) => {
                log::error!("{lacked}");
                Err(error)
            }
            (passed, lacked) => passed.and(lacked),
        }
    }

    /// Each organization is a group. One that cannot be pushed keeps none of the others back.
    async fn push(
        &self,
        pushgateway: &Pushgateway,
        client: &Client,
        results: &[ServerResult],
    ) -> Result<(), Error> {
        let mut failed: Option<PushError> = None;
        for result in results {
            for one in &result.organizations {
                if !one.is_complete && !self.push.failures {
                    continue;
                }
                let organization = one.organization.as_str();
                let mut labels = vec![("organization", organization)];
                let server = result.server.iter();
                labels.extend(server.map(|name| ("server", name.as_str())));
                let parts = parts(result, std::slice::from_ref(one));
                let text = self.text(parts.collect())?;
                match pushgateway.put(client, &labels, &text).await {
                    Ok(()) => log::info!(organization; "pushed"),
                    Err(error) => {
                        if let Some(earlier) = failed.replace(error) {
                            log::error!("{earlier}");
                        }
                    }
                }
            }
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// All organizations stand in one file, so that one that failed keeps the others back too.
    fn write(
        &self,
        file: &TextFile,
        results: &[ServerResult],
        lacking: &Lacking,
    ) -> Result<(), Error> {
        if lacking.is_failure() && !self.push.failures {
            return Ok(());
        }
        let all = results
            .iter()
            .flat_map(|result| parts(result, &result.organizations));
        file.replace(&self.text(all.collect())?)?;
        log::info!(file:% = file.path().display(); "written");
        Ok(())
    }

    /// Classic text of series, and of the exporter's version.
    fn text(&self, mut parts: Vec<Part>) -> Result<String, Error> {
        parts.push(Part::build());
        let page = Page {
            dialect: self.dialect,
            parts,
            process: Vec::new(),
        };
        page.render(Format::Classic)
            .map_err(|error| Error::Unexpected(format!("the metrics cannot be written: {error}")))
    }
}

/// The series of these organizations, and the exporter's own about their server.
fn parts<'r>(
    result: &'r ServerResult,
    organizations: &'r [OrganizationResult],
) -> impl Iterator<Item = Part> + 'r {
    let mut own = Families::default();
    if organizations.is_empty() {
        own.set(&UP, &[""], false);
    }
    for (status, calls) in CALLS.iter().zip(result.calls.iter().flatten()) {
        own.set(&MAGGOTMOUTH_CALLS, &[status], *calls);
    }
    let fetched = organizations
        .iter()
        .flat_map(|one| one.families.iter().cloned());
    fetched.chain([Arc::new(own)]).map(|families| Part {
        server: result.server.clone(),
        families,
    })
}

/// What a refresh did not bring.
#[derive(Debug, Default, PartialEq, Eq)]
struct Lacking {
    /// Why nobody knows which organizations there are.
    everything: Option<String>,
    organizations: Vec<String>,
    /// With the organization of each.
    projects: Vec<String>,
}

impl Lacking {
    fn of(results: &[ServerResult]) -> Self {
        let mut lacking = Self::default();
        for result in results {
            if let Some(problem) = &result.problem {
                lacking.everything.get_or_insert_with(|| problem.clone());
            }
            for one in &result.organizations {
                let slug = &one.organization;
                if !one.is_complete {
                    lacking.organizations.push(slug.clone());
                }
                let projects = one.left_out.iter();
                lacking
                    .projects
                    .extend(projects.map(|project| format!("{slug}/{project}")));
            }
        }
        lacking
    }

    fn is_failure(&self) -> bool {
        self.everything.is_some() || !self.organizations.is_empty()
    }

    fn told(self, failures: bool, to: &Receiver) -> Result<(), Error> {
        let kept = match (failures, to) {
            (true, Receiver::Pushgateway(_)) if self.everything.is_some() => {
                "no group can be pushed without the name of an organization"
            }
            (true, _) => "what could be read is exported",
            (false, Receiver::Pushgateway(_)) => {
                "nothing of it is pushed, and what was pushed before stays (--push.failures pushes what could be read)"
            }
            (false, Receiver::TextFile(_)) => {
                "the file is left as it was (--push.failures writes what could be read)"
            }
        };
        let text = if let Some(problem) = self.everything {
            format!("{problem}: {kept}")
        } else if !self.organizations.is_empty() {
            let names = self.organizations.join(", ");
            format!("the refresh of {names} failed: {kept}")
        } else if !self.projects.is_empty() {
            let names = self.projects.join(", ");
            format!("exported without {names}, which could not be read")
        } else {
            return Ok(());
        };
        Err(Error::Incomplete(text))
    }
}

/// What ends with the first signal that asks for an end.
#[cfg(unix)]
fn stopped() -> Result<impl Future<Output = ()>, Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| {
        signal(kind).map_err(|error| Error::Unexpected(format!("signals are not heard: {error}")))
    };
    let (mut interrupt, mut terminate) = (
        listen(SignalKind::interrupt())?,
        listen(SignalKind::terminate())?,
    );
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "on other systems it can fail")]
fn stopped() -> Result<impl Future<Output = ()>, Error> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
