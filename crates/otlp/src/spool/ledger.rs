//! What is in a spool: how much, and what of it waits for its turn.

use crate::spool::error::Unkept;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// A page of the store, in bytes. What has more than half of one has pages of its own, whose number is a power of two.
const PAGE: u64 = 4096;
/// What stands beside a body.
const BESIDE: u64 = 128;

/// What is in a store that was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    pub requests: u64,
    /// As [`room`] counts them.
    pub bytes: u64,
    /// Ids begin behind it.
    pub last: u64,
}

/// A place in a spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub id: u64,
    /// It goes on at once.
    pub now: bool,
}

#[derive(Debug)]
struct State {
    size: u64,
    bytes: u64,
    requests: u64,
    last: u64,
    /// Where to look for what waits for its turn: what is before it has had it.
    cursor: u64,
    waiting: u64,
    oldest: Option<u64>,
    /// What could not be written, and may be there all the same: no client was told that it is.
    failed: BTreeSet<u64>,
    /// Why what waits cannot be read.
    stuck: Option<String>,
    /// It is damaged so that nothing can be written.
    is_unwritable: bool,
}

/// The figures of a spool, shared by all that use it.
#[derive(Debug)]
pub struct Ledger {
    state: Mutex<State>,
    is_closed: AtomicBool,
    waits: Notify,
}

/// What a body takes on the disk, in bytes: about what the store takes for it.
pub fn room(bytes: u64) -> u64 {
    let whole = bytes + BESIDE;
    if whole > PAGE / 2 {
        whole.checked_next_power_of_two().unwrap_or(u64::MAX)
    } else {
        // Pages of small ones are not full.
        whole + whole / 2
    }
}

impl Ledger {
    pub fn new(size: u64, held: Held) -> Self {
        Self {
            state: Mutex::new(State {
                size,
                bytes: held.bytes,
                requests: held.requests,
                last: held.last,
                cursor: 0,
                waiting: held.requests,
                oldest: None,
                failed: BTreeSet::new(),
                stuck: None,
                is_unwritable: false,
            }),
            is_closed: AtomicBool::new(false),
            waits: Notify::new(),
        }
    }

    pub fn resize(&self, size: u64) {
        self.state.lock().size = size;
    }

    /// What is larger than the whole spool has room when nothing else is in it, since it would never have any otherwise.
    pub fn has_room(&self, bytes: u64) -> bool {
        self.state.lock().has_room(bytes)
    }

    /// A place for a body of so many bytes. Whoever comes while others wait for their turn waits, too.
    ///
    /// # Errors
    /// When there is no room, or it would wait behind what cannot be read.
    pub fn enter(&self, bytes: u64, now: bool) -> Result<Entry, Unkept> {
        if self.is_closed() {
            return Err(Unkept::Closed);
        }
        let mut state = self.state.lock();
        if let Some(why) = &state.stuck {
            return Err(Unkept::Stuck(why.clone()));
        }
        if !state.has_room(bytes) {
            return Err(Unkept::Full);
        }
        state.bytes += room(bytes);
        state.requests += 1;
        state.last += 1;
        let id = state.last;
        let now = now && state.waiting == 0;
        if now {
            state.cursor = id + 1;
        } else {
            state.waiting += 1;
        }
        Ok(Entry { id, now })
    }

    /// A request that waits for its turn is on the disk.
    pub fn tell(&self) {
        self.waits.notify_one();
    }

    /// What waits for its turn could not be written.
    pub fn fail(&self, id: u64) {
        let mut state = self.state.lock();
        state.waiting = state.waiting.saturating_sub(1);
        state.failed.insert(id);
    }

    /// It is no longer on the disk.
    pub fn left(&self, id: u64, bytes: u64) {
        let mut state = self.state.lock();
        state.failed.remove(&id);
        state.bytes = state.bytes.saturating_sub(room(bytes));
        state.requests = state.requests.saturating_sub(1);
    }

    /// Until something waits for its turn, perhaps: whoever comes too late for the news has it all the same.
    pub async fn told(&self) {
        self.waits.notified().await;
    }

    /// Where to look for what waits; none: nothing does.
    pub fn cursor(&self) -> Option<u64> {
        let state = self.state.lock();
        (state.waiting > 0).then_some(state.cursor)
    }

    /// Whether it never had a turn: goes on behind it then.
    pub fn skipped(&self, id: u64) -> bool {
        let mut state = self.state.lock();
        let is = state.failed.contains(&id);
        if is {
            state.cursor = id + 1;
        }
        is
    }

    /// What waits cannot be read; none: it can. Whether that is news.
    pub fn stuck(&self, why: Option<String>) -> bool {
        let mut state = self.state.lock();
        let is_news = state.stuck.is_some() != why.is_some();
        state.stuck = why;
        is_news
    }

    /// Whether it is damaged so that nothing can be written.
    pub fn unwritable(&self, is: bool) {
        self.state.lock().is_unwritable = is;
    }

    /// Whether it can go on.
    pub fn is_sound(&self) -> bool {
        let state = self.state.lock();
        state.stuck.is_none() && !state.is_unwritable
    }

    /// It has its turn. False: it has had it, as where two readers saw it as the next in a reload.
    pub fn pass(&self, id: u64) -> bool {
        let mut state = self.state.lock();
        if id < state.cursor {
            return false;
        }
        state.cursor = id + 1;
        state.waiting = state.waiting.saturating_sub(1);
        true
    }

    pub fn bytes(&self) -> u64 {
        self.state.lock().bytes
    }

    /// How many are there, and how many of them wait for their turn.
    pub fn requests(&self) -> (u64, u64) {
        let state = self.state.lock();
        (state.requests, state.waiting)
    }

    /// When the next was received.
    pub fn oldest(&self, at: Option<u64>) {
        self.state.lock().oldest = at;
    }

    pub fn oldest_at(&self) -> Option<u64> {
        self.state.lock().oldest
    }

    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    /// Nothing comes to an end any more.
    pub fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }
}

impl State {
    fn has_room(&self, bytes: u64) -> bool {
        self.requests == 0 || self.bytes.saturating_add(room(bytes)) <= self.size
    }
}
