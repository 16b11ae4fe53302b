//! Bytes in flight: answers that are awaited or read, and what was made of them and is not yet written.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies and records in memory, in KiB. With the largest page this bounds the memory, however slow
/// the reader of what is made of them is.
const MAX_KIB: usize = 8 * 1024;
/// What an answer of an endpoint that has not answered yet is taken to hold. Bytes.
const UNKNOWN: usize = 256 << 10;

/// A part of the memory for answers, given back when dropped.
#[derive(Debug)]
pub struct MemoryPermit(OwnedSemaphorePermit);

impl MemoryPermit {
    /// How much it stands for.
    pub fn kib(&self) -> usize {
        self.0.num_permits()
    }
}

/// How much may be in memory at once, and how much the answers of each endpoint take.
#[derive(Debug)]
pub struct Memory {
    free: Arc<Semaphore>,
    /// The size of an endpoint's latest answer. Bytes.
    sizes: Mutex<HashMap<&'static str, usize>>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            free: Arc::new(Semaphore::new(MAX_KIB)),
            sizes: Mutex::default(),
        }
    }
}

impl Memory {
    /// Waits for memory for an answer of the endpoint and what is made of it, which is about as much again.
    pub async fn reserve(&self, endpoint: &'static str) -> MemoryPermit {
        let size = self.sizes.lock().get(endpoint).copied().unwrap_or(UNKNOWN);
        let kib = u32::try_from((size * 2 / 1024).clamp(16, MAX_KIB / 2)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.free).acquire_many_owned(kib).await;
        MemoryPermit(permit.expect("the semaphore is never closed"))
    }

    /// An answer of the endpoint had so many bytes.
    pub fn learn(&self, endpoint: &'static str, bytes: usize) {
        self.sizes.lock().insert(endpoint, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_is_as_large_as_the_latest_answer_needs_and_is_given_back() {
        let memory = Memory::default();
        assert_eq!(memory.reserve("events").await.kib(), 512);
        memory.learn("events", 1 << 20);
        let first = memory.reserve("events").await;
        assert_eq!(first.kib(), 2048);
        assert_eq!(memory.reserve("teams").await.kib(), 512, "another endpoint");
        memory.learn("events", 1 << 30);
        assert_eq!(
            memory.reserve("events").await.kib(),
            MAX_KIB / 2,
            "one page must always fit"
        );
        memory.learn("events", 0);
        assert_eq!(memory.reserve("events").await.kib(), 16);
        drop(first);
        assert_eq!(memory.free.available_permits(), MAX_KIB);
    }
}
