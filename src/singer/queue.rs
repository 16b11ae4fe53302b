//! The queue between the requests and the writer.
//!
//! To wake the writer's thread for every answer costs 5 % of all work. So it is woken when there is much to write, and
//! when nothing is left to do but wait for answers.

use crate::record::lines::Batch;
use crate::report::run::{Gap, Lacking, Skip};
use crate::singer::state::{Checkpoint, Partition};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use tap_sentry_api::memory::MemoryPermit;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// What the writer is told.
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
    Lacking(Lacking),
    Skip(Skip),
    /// Nothing follows: all lists have come to their end.
    Done,
}

/// The writer is gone: stdout was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

/// The writer is woken when so many KiB wait for it.
const WAKE_AFTER_KIB: usize = 2 * 1024;
/// Events that wait for the writer at most.
pub const QUEUE: usize = 32;

/// Sends the events of the run to the writer. Waits when the writer is behind.
#[derive(Debug, Clone)]
pub struct EventSender {
    events: Sender<Event>,
    /// The last field, so that it wakes the writer after the channel has closed.
    wakeup: WakeOnDrop,
}

/// The writer's end of the queue.
#[derive(Debug)]
pub struct EventReceiver {
    events: Receiver<Event>,
    woken: mpsc::Receiver<()>,
}

/// An empty queue.
pub fn event_queue() -> (EventSender, EventReceiver) {
    let (events, receiver) = channel(QUEUE);
    let (signal, woken) = mpsc::sync_channel(1);
    let wakeup = Arc::new(Wakeup {
        signal,
        pending: AtomicUsize::new(0),
    });
    (
        EventSender {
            events,
            wakeup: WakeOnDrop(wakeup),
        },
        EventReceiver {
            events: receiver,
            woken,
        },
    )
}

impl EventSender {
    /// # Errors
    /// When the writer is gone.
    pub async fn send(&self, event: Event) -> Result<(), Closed> {
        let kib = if let Event::Records(_, Some(memory)) = &event {
            memory.kib()
        } else {
            0
        };
        self.events.send(event).await.map_err(|_| Closed)?;
        self.wakeup.0.sent(kib);
        Ok(())
    }

    /// Returns when the writer is gone.
    pub async fn closed(&self) {
        self.events.closed().await;
    }

    /// To be called whenever nothing but waiting is left to do: what was sent must not wait as well.
    pub fn idle(&self) -> impl Fn() + Send + Sync + 'static {
        let wakeup = Arc::clone(&self.wakeup.0);
        move || wakeup.idle()
    }
}

impl EventReceiver {
    /// The next event, if there is one by now.
    ///
    /// # Errors
    /// When there is none, or none any more.
    pub fn take(&mut self) -> Result<Event, TryRecvError> {
        self.events.try_recv()
    }

    /// Returns when there may be another.
    pub fn wait(&self) {
        // It fails when all senders are gone, which the next `take` finds out.
        let _ = self.woken.recv();
    }

    /// Whether there may be another within that time.
    pub fn wait_for(&self, time: Duration) -> bool {
        self.woken.recv_timeout(time) != Err(RecvTimeoutError::Timeout)
    }
}

/// Wakes the writer. A signal that comes while the writer is at work stays until it waits. All calls come from one
/// thread, so that no event is sent between a look at `pending` and its reset.
#[derive(Debug)]
struct Wakeup {
    signal: mpsc::SyncSender<()>,
    /// What was sent since the last signal: KiB, and one for each event.
    pending: AtomicUsize,
}

impl Wakeup {
    fn sent(&self, kib: usize) {
        let more = kib + 1;
        if self.pending.fetch_add(more, Ordering::Relaxed) + more >= WAKE_AFTER_KIB {
            self.wake();
        }
    }

    fn idle(&self) {
        if self.pending.load(Ordering::Relaxed) > 0 {
            self.wake();
        }
    }

    fn wake(&self) {
        self.pending.store(0, Ordering::Relaxed);
        // One signal that was not taken yet is enough.
        let _ = self.signal.try_send(());
    }
}

/// Wakes the writer on drop, so that it sees the closed channel.
#[derive(Debug, Clone)]
struct WakeOnDrop(Arc<Wakeup>);

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        self.0.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::find;
    use tap_sentry_api::memory::Memory;
    use tokio::time::Instant;

    fn records(memory: MemoryPermit) -> Event {
        Event::Records(
            Box::new(Batch::new(
                find("events").expect("a stream"),
                Instant::now(),
            )),
            Some(memory),
        )
    }

    fn woken(receiver: &EventReceiver) -> bool {
        receiver.woken.try_recv().is_ok()
    }

    #[tokio::test]
    async fn the_writer_is_woken_for_much_when_nothing_else_is_to_do_and_at_the_end() {
        let (sender, mut receiver) = event_queue();
        let idle = sender.idle();
        idle();
        assert!(!woken(&receiver), "nothing was sent");

        sender
            .send(Event::Done)
            .await
            .expect("the receiver is there");
        assert!(!woken(&receiver), "too little");
        idle();
        assert!(woken(&receiver));
        idle();
        assert!(!woken(&receiver), "it was told already");

        let memory = Memory::default();
        memory.learn("events", WAKE_AFTER_KIB / 8 * 1024);
        for _ in 0..3 {
            sender
                .send(records(memory.reserve("events").await))
                .await
                .expect("the receiver is there");
            assert!(!woken(&receiver), "too little");
        }
        sender
            .send(records(memory.reserve("events").await))
            .await
            .expect("the receiver is there");
        assert!(woken(&receiver));

        let other = sender.clone();
        drop((sender, other));
        receiver.wait();
        let events = std::iter::from_fn(|| receiver.take().ok()).count();
        assert_eq!(events, 5);
        assert_eq!(receiver.take().err(), Some(TryRecvError::Disconnected));
    }
}
