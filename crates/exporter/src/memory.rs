//! What outlives a change of the configuration: the counts of the month that were told already.

use crate::month::Counts;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// The counts of every organization that was asked about since the process began.
#[derive(Debug, Default)]
pub struct Memory(Mutex<HashMap<Place, Arc<Mutex<Counts>>>>);

/// A server's address, and an organization's slug.
type Place = (String, String);

impl Memory {
    /// Those of an organization of a server, by the server's address.
    pub fn counts(&self, address: &str, organization: &str) -> Arc<Mutex<Counts>> {
        let mut all = self.0.lock();
        let key = (address.to_owned(), organization.to_owned());
        Arc::clone(all.entry(key).or_default())
    }
}
