//! All exporters, which receiver feeds which, and how they begin and come to an end.

use crate::config::Config;
use crate::config::exporter as config;
use crate::delivery::exporter::Exporter;
use crate::delivery::feed::feed;
use crate::delivery::start::start;
use crate::error::Error;
use crate::figures::Figures;
use crate::receive::receiver::Feeds;
use crate::signal::Signal;
use crate::spool::Spool;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked whether everything has come to an end.
const LOOK: Duration = Duration::from_millis(50);

/// The exporters that a receiver feeds, replaced when the configuration is.
pub type Fed = Arc<ArcSwap<Feeds>>;

/// The exporters of the configuration in use, and of former ones what they have not brought to its end.
pub struct Bridge {
    figures: Figures,
    exporters: ArcSwap<Vec<Arc<Exporter>>>,
    /// By receiver.
    feeds: HashMap<String, Fed>,
    /// Those of earlier configurations, with what was left of them.
    former: Mutex<Vec<Arc<Exporter>>>,
}

impl Bridge {
    /// Starts the exporters, on the runtime that calls.
    ///
    /// # Errors
    /// When one of them cannot be started.
    pub fn new(config: &Config, figures: &Figures) -> Result<Self, Error> {
        let bridge = Self {
            figures: figures.clone(),
            exporters: ArcSwap::default(),
            feeds: config
                .receivers
                .iter()
                .map(|receiver| (receiver.name.clone(), Arc::default()))
                .collect(),
            former: Mutex::default(),
        };
        bridge.renew(config)?;
        Ok(bridge)
    }

    /// What a receiver feeds.
    pub fn feeds(&self, receiver: &str) -> Fed {
        self.feeds.get(receiver).cloned().unwrap_or_default()
    }

    /// Takes another configuration into use. What the former exporters have taken they bring to its end; what waits in a
    /// spool goes on through the exporter that has it now.
    ///
    /// # Errors
    /// When one of the exporters cannot be started: everything stays as it is.
    pub fn renew(&self, config: &Config) -> Result<(), Error> {
        let before = self.all();
        let started = config.exporters.iter().map(|exporter| {
            let spool = spool(exporter, &before)?;
            let started = start(exporter, &self.figures, spool)?;
            Ok((exporter.name.clone(), Arc::new(started)))
        });
        let started: HashMap<_, _> = started.collect::<Result<_, Error>>()?;
        for exporter in &config.exporters {
            if let (Some(spool), Some(started)) = (&exporter.spool, started.get(&exporter.name)) {
                hand_over(started, spool.size, &before);
            }
        }
        drop(before);
        for (receiver, fed) in &self.feeds {
            let of = |signal| {
                let exporters = config.exporters_of(receiver, signal);
                let started = exporters.filter_map(|one| started.get(&one.name).cloned());
                started.collect()
            };
            fed.store(Arc::new(Feeds {
                traces: of(Signal::Traces),
                logs: of(Signal::Logs),
            }));
        }
        let all = Arc::new(started.into_values().collect());
        let mut kept = self.former.lock();
        let former = self.exporters.swap(all);
        // A request that began before the last reload may still be handing something to one of them.
        kept.retain(|exporter| Arc::strong_count(exporter) > 1 || exporter.pending() > 0);
        kept.extend(former.iter().cloned());
        Ok(())
    }

    /// Spans, log records and events that have not come to an end and are in memory alone.
    pub fn pending(&self) -> u64 {
        let all = self.all();
        let in_memory = all.iter().filter(|exporter| exporter.spool.is_none());
        in_memory.map(|exporter| exporter.pending()).sum()
    }

    /// Whether everything that is received can go on.
    pub fn is_sound(&self) -> bool {
        let all = self.exporters.load();
        let mut spools = all.iter().filter_map(|exporter| exporter.spool.as_ref());
        spools.all(|spool| spool.is_sound())
    }

    /// The exporters in use, and the former ones.
    pub fn all(&self) -> Vec<Arc<Exporter>> {
        // While it is locked, none goes from one to the other.
        let former = self.former.lock();
        let all = self.exporters.load();
        all.iter().chain(former.iter()).cloned().collect()
    }

    /// Waits until everything that is in memory alone has come to an end, and requests to Sentry are answered, but no longer
    /// than this. How much is left in memory alone.
    pub async fn drain(&self, grace: Duration) -> u64 {
        let over = Instant::now() + grace;
        let mut told = false;
        for exporter in self.all() {
            if exporter.spool.is_some() {
                exporter.halt();
            }
        }
        loop {
            // Spans may have come to a trace since the last time.
            let all = self.all();
            for exporter in all.iter().filter(|exporter| exporter.spool.is_none()) {
                exporter.flush();
            }
            let left = self.pending();
            let is_sending = all.iter().any(|exporter| exporter.shared.is_sending());
            if (left == 0 && !is_sending) || Instant::now() >= over {
                return left;
            }
            if !told && left > 0 {
                told = true;
                log::info!(
                    "{left} spans, log records and events are still on their way; they have {} s",
                    grace.as_secs()
                );
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Closes the spools. What is left in them stays there.
    pub fn close(&self) {
        for exporter in self.all() {
            let Some(spool) = &exporter.spool else {
                continue;
            };
            exporter.halt();
            let requests = spool.close();
            if requests > 0 {
                let (exporter, folder) = (&exporter.shared.name, spool.folder.display());
                log::info!(exporter, requests; "what is left stays in the spool {folder} and goes on after the next start");
            }
        }
    }
}

/// The spool of an exporter: that of a former one if the folder is the same.
fn spool(
    exporter: &config::Exporter,
    before: &[Arc<Exporter>],
) -> Result<Option<Arc<Spool>>, Error> {
    let Some(wanted) = &exporter.spool else {
        return Ok(None);
    };
    let refused = |text: String| Error::Spool(format!("exporters.{}.spool: {text}", exporter.name));
    let folder = std::path::absolute(&wanted.folder);
    let folder = folder.map_err(|error| refused(error.to_string()))?;
    let mut open = before.iter().filter_map(|one| one.spool.as_ref());
    if let Some(found) = open.find(|spool| spool.folder == folder) {
        return Ok(Some(Arc::clone(found)));
    }
    let opened = Spool::open(&config::Spool {
        folder,
        size: wanted.size,
    });
    opened.map(Some).map_err(|error| refused(error.to_string()))
}

/// From now on this exporter takes what waits in its spool, and no former one.
fn hand_over(to: &Arc<Exporter>, size: u64, before: &[Arc<Exporter>]) {
    let Some(spool) = &to.spool else {
        return;
    };
    spool.resize(size);
    for former in before {
        let theirs = former.spool.as_ref();
        if theirs.is_some_and(|theirs| Arc::ptr_eq(theirs, spool)) {
            former.stop_feeding();
        }
    }
    feed(to);
}

#[cfg(test)]
mod tests;
