//! How much may wait at the same time.

use crate::receive::request::Outline;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::sleep;

/// What the size of a queue is counted in, as the collector's `sizer` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sizer {
    /// Requests as they were received.
    #[default]
    Requests,
    /// Spans.
    Items,
    /// Bytes of requests, decoded from what compressed them.
    Bytes,
}

/// Whatever `sizer` says, more than so many bytes do not wait in memory.
pub const MOST_BYTES: u64 = 256 << 20;

/// What comes of requests can be larger than they are. It is kept even so, but when it is more than so many bytes, what is still
/// to come of a request is rejected.
const MOST_GROWN: u64 = 2 * MOST_BYTES;

/// Who waits until less waits looks so often.
const LOOK: Duration = Duration::from_millis(50);

/// Bounds what waits. Clones share it.
#[derive(Debug, Clone)]
pub struct Budget {
    sizer: Sizer,
    size: u64,
    used: Arc<Mutex<Used>>,
    given_back: Arc<Notify>,
}

/// What waits, in all three measures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    pub requests: u64,
    pub items: u64,
    pub bytes: u64,
}

/// The place of one request, kept by everything that came of it; given back when the last of it is dropped.
#[derive(Debug)]
pub struct Slot {
    budget: Budget,
    taken: Used,
}

impl Budget {
    pub fn new(sizer: Sizer, size: u64) -> Self {
        Self {
            sizer,
            size,
            used: Arc::default(),
            given_back: Arc::default(),
        }
    }

    /// A place for a request; none: it has to wait. What is larger than the whole queue is taken when nothing else waits,
    /// since it would never be otherwise.
    pub fn reserve(&self, outline: Outline) -> Option<Arc<Slot>> {
        let taken = Used {
            requests: 1,
            items: outline.spans as u64,
            bytes: outline.bytes as u64,
        };
        let mut used = self.used.lock();
        let after = Used {
            requests: used.requests + taken.requests,
            items: used.items + taken.items,
            bytes: used.bytes + taken.bytes,
        };
        let counted = match self.sizer {
            Sizer::Requests => after.requests,
            Sizer::Items => after.items,
            Sizer::Bytes => after.bytes,
        };
        if *used != Used::default() && (counted > self.size || after.bytes > MOST_BYTES) {
            return None;
        }
        *used = after;
        let budget = self.clone();
        Some(Arc::new(Slot { budget, taken }))
    }

    /// A place for a request, as soon as there is one. One waits at a time.
    pub async fn wait(&self, outline: Outline) -> Arc<Slot> {
        loop {
            if let Some(slot) = self.reserve(outline) {
                return slot;
            }
            self.given_back.notified().await;
        }
    }

    /// A place for what has been acknowledged already, whether there is room or not: it counts when the next request comes.
    pub fn hold(&self, taken: Used) -> Slot {
        let mut slot = Slot {
            budget: self.clone(),
            taken: Used::default(),
        };
        slot.set(taken);
        slot
    }

    /// Whether so much waits beside a request that takes `room` bytes, with what has been `made` of it so far, that no more may
    /// come of it: it is far larger than it was.
    pub fn is_overgrown(&self, room: u64, made: u64) -> bool {
        let beside = self.used.lock().bytes.saturating_sub(room);
        beside + made > MOST_GROWN
    }

    /// Until no more waits than may when a request comes, but for the request that has this slot: what comes of others may have
    /// grown since it was let in.
    pub async fn settled(&self, own: Option<&Slot>) {
        let own = own.map_or(0, Slot::bytes);
        // Only one is told when something is given back, and that is who waits for a place.
        while self.used().bytes.saturating_sub(own) > MOST_BYTES {
            sleep(LOOK).await;
        }
    }

    pub fn used(&self) -> Used {
        *self.used.lock()
    }
}

impl Slot {
    /// How many bytes it takes.
    pub fn bytes(&self) -> u64 {
        self.taken.bytes
    }

    /// Takes so much from now on.
    pub fn set(&mut self, taken: Used) {
        let mut used = self.budget.used.lock();
        used.requests = used.requests - self.taken.requests + taken.requests;
        used.items = used.items - self.taken.items + taken.items;
        used.bytes = used.bytes - self.taken.bytes + taken.bytes;
        drop(used);
        let gives_back = taken.bytes < self.taken.bytes || taken.items < self.taken.items;
        self.taken = taken;
        if gives_back {
            self.budget.given_back.notify_one();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.set(Used::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::requests(Sizer::Requests, 2, 2)]
    #[case::items(Sizer::Items, 35, 3)]
    #[case::bytes(Sizer::Bytes, 400, 4)]
    #[case::one_too_large(Sizer::Items, 5, 1)]
    fn what_does_not_fit_waits(#[case] sizer: Sizer, #[case] size: u64, #[case] fit: usize) {
        let budget = Budget::new(sizer, size);
        let outline = Outline {
            spans: 10,
            bytes: 100,
            ..Outline::default()
        };
        let mut slots: Vec<_> = std::iter::from_fn(|| budget.reserve(outline)).collect();
        assert_eq!(slots.len(), fit);
        let copy = slots.last().cloned();
        slots.pop();
        assert!(budget.reserve(outline).is_none(), "something of it is left");
        drop(copy);
        assert!(budget.reserve(outline).is_some());
        slots.clear();
        let taken = Used {
            items: 3,
            ..Used::default()
        };
        let mut held = budget.hold(Used::default());
        held.set(taken);
        assert_eq!(budget.used(), taken);
        drop(held);
        assert_eq!(budget.used(), Used::default());
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_grown_is_waited_for() {
        let budget = Budget::new(Sizer::Requests, 10);
        let outline = |bytes| Outline {
            bytes,
            ..Outline::default()
        };
        let own = budget.reserve(outline(100)).expect("a place");
        let mut grown = budget.hold(Used {
            bytes: MOST_BYTES,
            ..Used::default()
        });
        budget.settled(Some(&own)).await;
        grown.set(Used {
            bytes: MOST_BYTES + 1,
            ..Used::default()
        });
        let waiting = budget.clone();
        let waiting = tokio::spawn(async move { waiting.settled(Some(&own)).await });
        tokio::time::sleep(10 * LOOK).await;
        assert!(!waiting.is_finished());
        drop(grown);
        waiting.await.expect("it is settled");
    }

    #[test]
    fn what_has_grown_too_much_is_seen() {
        let budget = Budget::new(Sizer::Requests, 10);
        let hold = |bytes| {
            let taken = Used {
                bytes,
                ..Used::default()
            };
            budget.hold(taken)
        };
        let request = hold(2 * MOST_GROWN);
        let room = request.bytes();
        assert_eq!(room, 2 * MOST_GROWN);
        let most = hold(MOST_GROWN - 1);
        assert!(!budget.is_overgrown(room, 1));
        assert!(budget.is_overgrown(room, 2));
        drop(most);
        assert!(!budget.is_overgrown(room, MOST_GROWN));
    }
}
