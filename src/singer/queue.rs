//! The queue between the walk and the writer.
//!
//! To wake the other thread for every answer costs a twentieth of all work. So the writer is woken when there is much to
//! write, and when the walk has nothing to do but wait.

use crate::record::lines::Batch;
use crate::report::run::{Gap, Skip};
use crate::singer::state::{Checkpoint, Partition};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use tap_sentry_api::memory::MemoryPermit;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// What the walk tells the writer.
#[derive(Debug)]
pub enum Event {
    Records(Box<Batch>, Option<MemoryPermit>),
    /// No bookmark lies beyond this.
    Now(DateTime<Utc>),
    /// The partitions of an incremental stream in this run.
    Plan(&'static str, Vec<Partition>),
    /// Reached together, told by one STATE.
    Checkpoints(Vec<Checkpoint>),
    Gap(Gap),
    Skip(Skip),
    /// The walk came to its end.
    Done,
}

/// The writer is gone: stdout was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

/// So much is worth waking the writer for, in KiB.
const MUCH_KIB: usize = 2 * 1024;
/// Events that wait for the writer at most.
pub const QUEUE: usize = 32;

/// Where the walk puts its events. Waits when the writer is behind.
#[derive(Debug, Clone)]
pub struct Outbox {
    events: Sender<Event>,
    /// The last field: it rings for the last time when no event can follow.
    bell: LastRing,
}

/// Where the writer takes them from.
#[derive(Debug)]
pub struct Inbox {
    events: Receiver<Event>,
    rung: mpsc::Receiver<()>,
}

/// An empty queue.
pub fn outbox() -> (Outbox, Inbox) {
    let (events, receiver) = channel(QUEUE);
    let (bell, rung) = mpsc::sync_channel(1);
    let bell = Arc::new(Bell {
        rope: bell,
        unheard: AtomicUsize::new(0),
    });
    (
        Outbox {
            events,
            bell: LastRing(bell),
        },
        Inbox {
            events: receiver,
            rung,
        },
    )
}

impl Outbox {
    pub async fn send(&self, event: Event) -> Result<(), Closed> {
        let kib = if let Event::Records(_, Some(room)) = &event {
            room.kib()
        } else {
            0
        };
        self.events.send(event).await.map_err(|_| Closed)?;
        self.bell.0.sent(kib);
        Ok(())
    }

    /// Returns when the writer is gone.
    pub async fn closed(&self) {
        self.events.closed().await;
    }

    /// To be called whenever the walk has nothing to do: what it sent must not wait with it.
    pub fn idle(&self) -> impl Fn() + Send + Sync + 'static {
        let bell = Arc::clone(&self.bell.0);
        move || bell.idle()
    }
}

impl Inbox {
    /// The next event, if there is one by now.
    ///
    /// # Errors
    /// When there is none, or none any more.
    pub fn take(&mut self) -> Result<Event, TryRecvError> {
        self.events.try_recv()
    }

    /// Returns when there may be another.
    pub fn wait(&self) {
        // Without a bell there is no outbox any more, which the next look finds out.
        let _ = self.rung.recv();
    }

    /// Whether there may be another within that time.
    pub fn wait_for(&self, time: Duration) -> bool {
        self.rung.recv_timeout(time) != Err(RecvTimeoutError::Timeout)
    }
}

/// Wakes the writer. What is rung while it is at work it hears afterwards. All calls come from the walk's thread, so that
/// none is lost between a look at `unheard` and the next.
#[derive(Debug)]
struct Bell {
    /// Pulled to ring.
    rope: mpsc::SyncSender<()>,
    /// What was sent since it was rung: KiB, and one for each event.
    unheard: AtomicUsize,
}

impl Bell {
    fn sent(&self, kib: usize) {
        let more = kib + 1;
        if self.unheard.fetch_add(more, Ordering::Relaxed) + more >= MUCH_KIB {
            self.ring();
        }
    }

    fn idle(&self) {
        if self.unheard.load(Ordering::Relaxed) > 0 {
            self.ring();
        }
    }

    fn ring(&self) {
        self.unheard.store(0, Ordering::Relaxed);
        // One that was rung and not yet heard is enough.
        let _ = self.rope.try_send(());
    }
}

/// Rings when it is dropped: the writer must find out that nothing follows.
#[derive(Debug, Clone)]
struct LastRing(Arc<Bell>);

impl Drop for LastRing {
    fn drop(&mut self) {
        self.0.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::find;
    use tap_sentry_api::memory::Memory;
    use tokio::time::Instant;

    fn records(room: MemoryPermit) -> Event {
        Event::Records(
            Box::new(Batch::new(
                find("events").expect("a stream"),
                Instant::now(),
                None,
            )),
            Some(room),
        )
    }

    fn rung(inbox: &Inbox) -> bool {
        inbox.rung.try_recv().is_ok()
    }

    #[tokio::test]
    async fn the_writer_is_woken_for_much_when_nothing_else_is_to_do_and_at_the_end() {
        let (outbox, mut inbox) = outbox();
        let idle = outbox.idle();
        idle();
        assert!(!rung(&inbox), "nothing was sent");

        outbox.send(Event::Done).await.expect("the inbox is there");
        assert!(!rung(&inbox), "too little");
        idle();
        assert!(rung(&inbox));
        idle();
        assert!(!rung(&inbox), "it was told already");

        let memory = Memory::default();
        memory.learn("events", MUCH_KIB / 8 * 1024);
        for _ in 0..3 {
            outbox
                .send(records(memory.room("events").await))
                .await
                .expect("the inbox is there");
            assert!(!rung(&inbox), "too little");
        }
        outbox
            .send(records(memory.room("events").await))
            .await
            .expect("the inbox is there");
        assert!(rung(&inbox));

        let other = outbox.clone();
        drop((outbox, other));
        inbox.wait();
        let events = std::iter::from_fn(|| inbox.take().ok()).count();
        assert_eq!(events, 5);
        assert_eq!(inbox.take().err(), Some(TryRecvError::Disconnected));
    }
}
