//! Requests that are safe on the disk and are read again from memory, to make of them what goes out.

use parking_lot::Mutex;
use std::sync::Arc;

/// Of so many bytes in all this is still to be done. What comes of a request can be several times as large as it is, and was
/// acknowledged already: further ones wait on the disk for their turn, which comes when memory has room for what came before.
const MOST: usize = 32 << 20;

/// What is being read again by one exporter. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Readings(Arc<Mutex<Sum>>);

#[derive(Debug, Default)]
struct Sum {
    bytes: usize,
    records: u64,
}

/// One of them, until what came of it has been handed over.
#[derive(Debug)]
pub struct Reading {
    all: Readings,
    bytes: usize,
    records: u64,
}

impl Readings {
    /// A place for a request of so many bytes; none: it has to wait. What is larger than all may be is read alone.
    pub fn reserve(&self, bytes: usize) -> Option<Reading> {
        let mut sum = self.0.lock();
        if sum.bytes > 0 && sum.bytes.saturating_add(bytes) > MOST {
            return None;
        }
        sum.bytes += bytes;
        Some(Reading {
            all: self.clone(),
            bytes,
            records: 0,
        })
    }

    /// How many spans and log records are acknowledged and still to be read.
    pub fn records(&self) -> u64 {
        self.0.lock().records
    }
}

impl Reading {
    /// So many spans or log records are acknowledged.
    pub fn acknowledged(&mut self, records: u64) {
        self.records += records;
        self.all.0.lock().records += records;
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut sum = self.all.0.lock();
        sum.bytes -= self.bytes;
        sum.records -= self.records;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_read_at_a_time() {
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
