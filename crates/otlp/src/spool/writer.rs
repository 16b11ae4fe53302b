//! The thread that writes: what came while the disk was busy goes in one commit.

use crate::spool::error::{Failure, Unkept};
use crate::spool::ledger::Ledger;
use crate::spool::message::{Append, Message};
use crate::spool::store::{Put, Removal, Store};
use parking_lot::RwLock;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tap_sentry_serve::seldom::Seldom;

/// In one commit there are so many bytes, unless one request has more.
const TOGETHER: usize = 16 << 20;

/// What has come to an end waits so long for something that is written anyway.
const REMOVED_AFTER: Duration = Duration::from_millis(200);

/// While nobody waits so many bytes are removed in one commit: to remove a body the store reads the whole of it, and whoever
/// comes meanwhile waits for all of them.
const REMOVED_ALONE: usize = 4 << 20;

/// With what is written so many times its bytes are removed: more than come in the long run, and little to wait for.
const REMOVED_WITH: usize = 2;

/// What removing takes beside the bytes of a body.
const PAGE: usize = 4 << 10;

/// After a failure the file is opened again so often.
const OPENED_AGAIN: Duration = Duration::from_millis(500);

/// The thread's own.
#[derive(Debug)]
pub struct Writer {
    pub file: PathBuf,
    pub ledger: Arc<Ledger>,
    pub store: Arc<RwLock<Option<Store>>>,
    pub messages: Receiver<Message>,
}

/// What is done together.
#[derive(Debug, Default)]
struct Batch {
    appends: Vec<Append>,
    bytes: usize,
    /// To be removed, with their bytes.
    ended: VecDeque<(u64, u64)>,
    /// There was more to be removed than was to be at a time.
    is_behind: bool,
    /// The disk failed. On a tmpfs of 8 MiB that was full when the program was killed, removing 41 of 63 requests failed each time
    /// for want of room, and removing all 63 did not (redb 4.6.0).
    has_failed: bool,
    is_last: bool,
}

impl Batch {
    fn add(&mut self, message: Message) {
        match message {
            Message::Append(append) => {
                self.bytes += append.body.len();
                self.appends.push(append);
            }
            Message::Ended { id, bytes } => self.ended.push_back((id, bytes)),
            Message::End => self.is_last = true,
        }
    }

    fn is_full(&self) -> bool {
        self.is_last || self.bytes >= TOGETHER
    }

    /// How many of the first to be removed are so with what is written.
    fn removed(&self) -> usize {
        let most = if self.is_last || self.has_failed {
            usize::MAX
        } else if self.appends.is_empty() {
            REMOVED_ALONE
        } else {
            let pages = PAGE * self.appends.len();
            REMOVED_WITH.saturating_mul(self.bytes + pages)
        };
        let bytes = self.ended.iter().scan(0_usize, |sum, (_, bytes)| {
            let bytes = usize::try_from(*bytes).unwrap_or(usize::MAX);
            *sum = sum.saturating_add(bytes).saturating_add(PAGE);
            Some(*sum)
        });
        let fit = bytes.take_while(|sum| *sum <= most).count();
        // One that is larger is removed all the same.
        fit.max(1).min(self.ended.len())
    }
}

impl Writer {
    /// Writes what comes, until the end.
    pub fn run(self) {
        let mut batch = Batch::default();
        let mut trouble = Trouble::default();
        while !batch.is_last {
            self.gather(&mut batch);
            self.write(&mut batch, &mut trouble);
        }
    }

    /// Waits for something to do, and takes all that is there.
    fn gather(&self, batch: &mut Batch) {
        // What could not be removed before is tried again.
        let wait = if batch.is_behind {
            Duration::ZERO
        } else {
            REMOVED_AFTER
        };
        let mut until = (!batch.ended.is_empty()).then(|| Instant::now() + wait);
        while batch.appends.is_empty() && !batch.is_full() {
            let received = match until {
                None => self
                    .messages
                    .recv()
                    .map_err(|_| RecvTimeoutError::Disconnected),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    self.messages.recv_timeout(left)
                }
            };
            match received {
                Ok(message) => batch.add(message),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => batch.is_last = true,
            }
            until = until.or_else(|| Some(Instant::now() + REMOVED_AFTER));
        }
        while !batch.is_full()
            && let Ok(message) = self.messages.try_recv()
        {
            batch.add(message);
        }
    }

    fn write(&self, batch: &mut Batch, trouble: &mut Trouble) {
        let count = batch.removed();
        let appends = std::mem::take(&mut batch.appends);
        batch.bytes = 0;
        batch.is_behind = false;
        if appends.is_empty() && batch.ended.is_empty() {
            return;
        }
        let removed = batch.ended.iter().take(count);
        let removed: Vec<u64> = removed.map(|(id, _)| *id).collect();
        let (puts, replies): (Vec<Put>, Vec<_>) = appends
            .into_iter()
            .map(
                |Append {
                     entry,
                     kept,
                     body,
                     reply,
                 }| {
                    let put = Put {
                        id: entry.id,
                        kept,
                        body,
                    };
                    (put, (entry, kept.bytes, reply))
                },
            )
            .unzip();
        match self.commit(&puts, &removed, trouble) {
            Ok(()) => {
                for (id, bytes) in batch.ended.drain(..count) {
                    self.ledger.left(id, bytes);
                }
                batch.is_behind = !batch.ended.is_empty();
                batch.has_failed = false;
                for (entry, _, reply) in replies {
                    if !entry.now {
                        self.ledger.tell();
                    }
                    // Whoever has gone has left a receipt that was dropped.
                    let _ = reply.send(Ok(()));
                }
            }
            Err(why) => {
                batch.has_failed = true;
                for (entry, bytes, reply) in replies {
                    // It may be there all the same, and is removed as soon as that can be done.
                    if !entry.now {
                        self.ledger.fail(entry.id);
                        batch.ended.push_back((entry.id, bytes));
                    }
                    let _ = reply.send(Err(Unkept::Failed(why.clone())));
                }
            }
        }
    }

    fn commit(&self, puts: &[Put], removed: &[u64], trouble: &mut Trouble) -> Result<(), String> {
        if self.store.read().is_none() {
            self.open(trouble)?;
        }
        // A body on a damaged page cannot be removed, and holds nothing up where it is.
        let done = match self.attempt(puts, removed, Removal::Whole) {
            Err(Failure::Damaged(_)) if !removed.is_empty() => {
                self.attempt(puts, removed, Removal::Outline)
            }
            done => done,
        };
        let is_damaged = matches!(done, Err(Failure::Damaged(_)));
        self.ledger.unwritable(is_damaged);
        done.map(|()| trouble.over(self)).map_err(|failure| {
            let store = self.store.write().take();
            store.into_iter().for_each(Store::close);
            let why = failure.to_string();
            trouble.tell(self, &why);
            why
        })
    }

    fn attempt(&self, puts: &[Put], removed: &[u64], removal: Removal) -> Result<(), Failure> {
        let removed: Vec<_> = removed.iter().map(|id| (*id, removal)).collect();
        match self.store.read().as_ref() {
            Some(store) => store.commit(puts, &removed),
            None => Err(Failure::Passing("it is closed".to_owned())),
        }
    }

    fn open(&self, trouble: &mut Trouble) -> Result<(), String> {
        let now = Instant::now();
        if let Some((at, why)) = &trouble.opened
            && now.duration_since(*at) < OPENED_AGAIN
        {
            return Err(why.clone());
        }
        let folder = self.file.parent().unwrap_or(&self.file);
        match Store::create(folder) {
            Ok(store) => {
                *self.store.write() = Some(store);
                trouble.opened = None;
                Ok(())
            }
            Err(error) => {
                let why = error.to_string();
                trouble.tell(self, &why);
                trouble.opened = Some((now, why.clone()));
                Err(why)
            }
        }
    }
}

/// A disk that fails.
#[derive(Debug, Default)]
struct Trouble {
    told: Seldom,
    /// When opening the file failed last, and why.
    opened: Option<(Instant, String)>,
    is_on: bool,
}

impl Trouble {
    fn tell(&mut self, writer: &Writer, why: &str) {
        self.is_on = true;
        if self.told.is_due() {
            let file = writer.file.display();
            log::error!(
                "the spool {file} cannot be written, and nothing is taken that would have to be: {why}; this is said once a minute at most"
            );
        }
    }

    fn over(&mut self, writer: &Writer) {
        if std::mem::take(&mut self.is_on) {
            log::info!("the spool {} can be written again", writer.file.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Signal;
    use crate::spool::ledger::Entry;
    use crate::spool::store::Kept;
    use bytes::Bytes;
    use rstest::rstest;

    const BODY: usize = 1 << 20;

    fn append() -> Message {
        let entry = Entry { id: 100, now: true };
        let kept = Kept {
            signal: Signal::Traces,
            at: 0,
            records: 1,
            bytes: BODY as u64,
        };
        let (reply, _) = tokio::sync::oneshot::channel();
        Message::Append(Append {
            entry,
            kept,
            body: Bytes::from(vec![0; BODY]),
            reply,
        })
    }

    /// Ten requests have ended.
    #[rstest]
    #[case::alone(BODY, 0, 3)]
    #[case::with_one(BODY, 1, 2)]
    #[case::with_two(BODY, 2, 4)]
    #[case::small(100, 1, 10)]
    #[case::larger_than_what_is_written(5 * BODY, 1, 1)]
    fn what_ended_leaves_in_portions(
        #[case] bytes: usize,
        #[case] written: usize,
        #[case] expected: usize,
    ) {
        let mut batch = Batch::default();
        for id in 0..10 {
            let bytes = bytes as u64;
            batch.add(Message::Ended { id, bytes });
        }
        (0..written).for_each(|_| batch.add(append()));
        assert_eq!(batch.removed(), expected);
        batch.has_failed = true;
        assert_eq!(batch.removed(), 10);
        batch.has_failed = false;
        batch.add(Message::End);
        assert_eq!(batch.removed(), 10);
        batch.ended.clear();
        assert_eq!(batch.removed(), 0);
    }
}
