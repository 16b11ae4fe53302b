//! Things that are said once, however often they happen.

use parking_lot::Mutex;
use std::collections::HashSet;
use std::hash::Hash;

/// So many are remembered: what is said comes from clients, who may be hostile.
const MOST: usize = 1000;

/// What has been said.
#[derive(Debug)]
pub struct Told<T>(Mutex<HashSet<T>>);

impl<T> Default for Told<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Eq + Hash> Told<T> {
    /// Whether it is to be said now. After a thousand things nothing more is.
    pub fn is_new(&self, what: T) -> bool {
        let mut told = self.0.lock();
        told.len() < MOST && told.insert(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_and_no_more_than_a_thousand() {
        let told = Told::default();
        assert!(told.is_new(0) && !told.is_new(0));
        assert_eq!(
            (1..2000).filter(|what| told.is_new(*what)).count(),
            MOST - 1
        );
    }
}
