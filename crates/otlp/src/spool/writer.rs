//! The thread that writes: what came while the disk was busy goes in one commit.

use crate::spool::error::{Failure, Unkept};
use crate::spool::ledger::Ledger;
use crate::spool::message::{Append, Message};
use crate::spool::store::{Put, Removal, Store};
use parking_lot::RwLock;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// In one commit there are so many bytes, unless one request has more.
const TOGETHER: usize = 16 << 20;

/// What has come to an end waits so long for something that is written anyway.
const REMOVED_AFTER: Duration = Duration::from_millis(200);

/// After a failure the file is opened again so often.
const OPENED_AGAIN: Duration = Duration::from_millis(500);

/// A disk that fails is told of so often.
const TOLD: Duration = Duration::from_secs(60);

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
    ended: Vec<(u64, u64)>,
    is_last: bool,
}

impl Batch {
    fn add(&mut self, message: Message) {
        match message {
            Message::Append(append) => {
                self.bytes += append.body.len();
                self.appends.push(append);
            }
            Message::Ended { id, bytes } => self.ended.push((id, bytes)),
            Message::End => self.is_last = true,
        }
    }

    fn is_full(&self) -> bool {
        self.is_last || self.bytes >= TOGETHER
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
        let mut until = (!batch.ended.is_empty()).then(|| Instant::now() + REMOVED_AFTER);
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
        let appends = std::mem::take(&mut batch.appends);
        batch.bytes = 0;
        if appends.is_empty() && batch.ended.is_empty() {
            return;
        }
        let removed: Vec<u64> = batch.ended.iter().map(|(id, _)| *id).collect();
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
                for (id, bytes) in batch.ended.drain(..) {
                    self.ledger.left(id, bytes);
                }
                for (entry, _, reply) in replies {
                    if !entry.now {
                        self.ledger.tell();
                    }
                    // Whoever has gone has left a receipt that was dropped.
                    let _ = reply.send(Ok(()));
                }
            }
            Err(why) => {
                for (entry, bytes, reply) in replies {
                    // It may be there all the same, and is removed as soon as that can be done.
                    if !entry.now {
                        self.ledger.fail(entry.id);
                        batch.ended.push((entry.id, bytes));
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
    told: Option<Instant>,
    /// When opening the file failed last, and why.
    opened: Option<(Instant, String)>,
    is_on: bool,
}

impl Trouble {
    fn tell(&mut self, writer: &Writer, why: &str) {
        self.is_on = true;
        let now = Instant::now();
        if self.told.is_none_or(|at| now.duration_since(at) >= TOLD) {
            self.told = Some(now);
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
