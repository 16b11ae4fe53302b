//! Requests that are safe on the disk and are read again from memory, to make of them what goes out.

use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// So many bytes in all wait for that. They were acknowledged, and what comes of a request can be several times as large as
/// it is: further ones wait on the disk for their turn.
const MOST: usize = 32 << 20;

/// What is being read again by one exporter. Clones share it.
#[derive(Debug, Clone)]
pub struct Readings {
    sum: Arc<Mutex<Sum>>,
    /// One at a time, so that who receives has threads too, and the next is not begun before it is known what came of this.
    pub turn: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Sum {
    bytes: usize,
    records: u64,
}

/// One of them, from before it is on the disk until what came of it has been handed over.
#[derive(Debug)]
pub struct Reading {
    sum: Arc<Mutex<Sum>>,
    bytes: usize,
    records: u64,
}

impl Default for Readings {
    fn default() -> Self {
        Self {
            sum: Arc::default(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Readings {
    /// A place for a request of so many bytes; none: it has to wait. What is larger than all may be is read alone.
    pub fn reserve(&self, bytes: usize) -> Option<Reading> {
        let mut sum = self.sum.lock();
        if sum.bytes > 0 && sum.bytes.saturating_add(bytes) > MOST {
            return None;
        }
        sum.bytes += bytes;
        Some(Reading {
            sum: Arc::clone(&self.sum),
            bytes,
            records: 0,
        })
    }

    /// How many spans and log records are acknowledged and still to be read.
    pub fn records(&self) -> u64 {
        self.sum.lock().records
    }
}

impl Reading {
    /// So many spans or log records are acknowledged.
    pub fn acknowledged(&mut self, records: u64) {
        self.records += records;
        self.sum.lock().records += records;
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut sum = self.sum.lock();
        sum.bytes -= self.bytes;
        sum.records -= self.records;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_waits_to_be_read() {
        let all = Readings::default();
        let mut first = all.reserve(MOST - 1).expect("the first");
        let second = all.reserve(1).expect("it fits");
        assert!(all.reserve(1).is_none());
        first.acknowledged(7);
        assert_eq!(all.records(), 7);
        drop((first, second));
        assert_eq!(all.records(), 0);
        let large = all.reserve(MOST + 1).expect("it is alone");
        assert!(all.reserve(1).is_none());
        drop(large);
        assert!(all.reserve(1).is_some());
    }
}
