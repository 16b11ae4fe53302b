//! What every list of a run needs.

use crate::report::run::{Report, Skip};
use crate::settings::Settings;
use crate::singer::queue::{Closed, Event, Outbox};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use tap_sentry_api::client::Client;
use xxhash_rust::xxh3::xxh3_128;

/// One run against one server.
pub struct Session<'a> {
    pub client: &'a Client,
    pub settings: &'a Settings,
    pub report: &'a Report,
    pub outbox: Outbox,
    /// What was told of single rows, which a list that is read again would tell again.
    told: Mutex<HashSet<u128>>,
}

impl<'a> Session<'a> {
    pub fn new(
        client: &'a Client,
        settings: &'a Settings,
        report: &'a Report,
        outbox: Outbox,
    ) -> Self {
        Self {
            client,
            settings,
            report,
            outbox,
            told: Mutex::default(),
        }
    }

    /// A row that no later run can read either. Told once, however often its list is read.
    pub async fn skip(&self, skip: Skip) -> Result<(), Closed> {
        if self.is_new(&[skip.stream, &skip.row]) {
            self.outbox.send(Event::Skip(skip)).await
        } else {
            Ok(())
        }
    }

    /// Whether it is the first time in this run that this is to be told.
    pub fn is_new(&self, what: &[&str]) -> bool {
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(xxh3_128(what.join("\0").as_bytes()))
    }
}
