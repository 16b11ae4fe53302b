//! Which spans went out lately: a child that comes later says that its parent has gone.

use foldhash::HashSet;
use foldhash::fast::RandomState;
use std::collections::VecDeque;
use std::hash::BuildHasher;

/// So many spans are remembered: two minutes of a thousand a second, in 3 MiB.
const MOST: usize = 100_000;

/// Spans that went out, the last of them. Of each only a hash of 64 bits with a secret is kept: that two are taken for
/// one costs no more than a mark.
#[derive(Debug, Default)]
pub struct Sent {
    hasher: RandomState,
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Sent {
    /// Remembers a span, and forgets the oldest when there are too many.
    pub fn add(&mut self, trace: [u8; 16], span: [u8; 8]) {
        let hash = self.hasher.hash_one((trace, span));
        if !self.known.insert(hash) {
            return;
        }
        self.order.push_back(hash);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Whether a span went out lately.
    pub fn has(&self, trace: [u8; 16], span: [u8; 8]) -> bool {
        self.known.contains(&self.hasher.hash_one((trace, span)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten() {
        let mut sent = Sent::default();
        let ids = (0..=MOST as u64).map(u64::to_be_bytes);
        ids.for_each(|id| sent.add([1; 16], id));
        assert!(!sent.has([1; 16], 0_u64.to_be_bytes()));
        assert!(sent.has([1; 16], 1_u64.to_be_bytes()));
        assert!(!sent.has([2; 16], 1_u64.to_be_bytes()));
        assert_eq!(sent.known.len(), MOST);
    }
}
