//! What outlives a change of the configuration: counts that were told already, and must not fall.

use crate::month::Counts;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tap_sentry_api::traffic::Traffic;

/// The counts of every server that was asked since the process began.
#[derive(Debug, Default)]
pub struct Memory {
    counts: Mutex<HashMap<[String; 3], Arc<Mutex<Counts>>>>,
    traffic: Mutex<HashMap<[String; 2], Arc<Traffic>>>,
}

impl Memory {
    /// Those of an organization of a server, by the server's label and address.
    pub fn counts(&self, label: &str, address: &str, organization: &str) -> Arc<Mutex<Counts>> {
        let key = [label, address, organization].map(str::to_owned);
        Arc::clone(self.counts.lock().entry(key).or_default())
    }

    /// The requests to a server.
    pub fn traffic(&self, label: &str, address: &str) -> Arc<Traffic> {
        let key = [label, address].map(str::to_owned);
        Arc::clone(self.traffic.lock().entry(key).or_default())
    }
}
