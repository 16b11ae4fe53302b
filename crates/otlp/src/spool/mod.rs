//! What was acknowledged and has not come to an end, on the disk: it survives a crash.
//!
//! ```text
//! request -> Spool::append -> writer thread: one commit for all that came meanwhile -> answer to the client -> read again
//!                                  ^ Receipt dropped: it has come to an end, and is removed with one of the next commits
//! start, or room in memory again -> Spool::next -> read again
//! ```

pub mod disk;
pub mod error;
pub mod ledger;
pub mod message;
pub mod receipt;
pub mod store;
pub mod writer;

use crate::config::exporter::Spool as Config;
use crate::spool::error::{Failure, OpenError};
use crate::spool::ledger::Ledger;
use crate::spool::message::{Append, Message};
use crate::spool::receipt::Receipt;
use crate::spool::store::{Kept, Store};
use crate::spool::writer::Writer;
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

pub use crate::spool::error::Unkept;

/// The store, unless it failed and has to be opened again.
type Shared = Arc<RwLock<Option<Store>>>;

/// Requests on the disk, in the order in which they came.
#[derive(Debug)]
pub struct Spool {
    pub folder: PathBuf,
    ledger: Arc<Ledger>,
    store: Shared,
    sender: Sender<Message>,
    /// Held while a request gets its number and is sent to the writer.
    order: Mutex<()>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What became of a request that is on the disk now.
#[derive(Debug)]
pub enum Appended {
    /// It goes on at once.
    Now(Arc<Receipt>),
    /// It goes on in its turn, by [`Spool::next`].
    Later,
}

/// A request whose turn it is.
#[derive(Debug)]
pub struct Next {
    pub id: u64,
    pub kept: Kept,
}

impl Spool {
    /// Opens what is in a folder, which is made if it is not there. It is this process's alone.
    ///
    /// # Errors
    /// When another process has it, it is none of this program's or of another version, or the disk fails.
    pub fn open(config: &Config) -> Result<Arc<Self>, OpenError> {
        Self::open_on(config, disk::free)
    }

    /// The same on a disk with so much room.
    fn open_on(config: &Config, free: fn(&Path) -> Option<u64>) -> Result<Arc<Self>, OpenError> {
        let store = Store::create(&config.folder)?;
        let held = store.held().map_err(|why| OpenError::Unreadable {
            file: store.file().to_owned(),
            why,
        })?;
        let ledger = Arc::new(Ledger::new(config.size, held));
        let file = store.file().to_owned();
        let store = Arc::new(RwLock::new(Some(store)));
        let (sender, messages) = channel();
        let writer = Writer {
            file: file.clone(),
            ledger: Arc::clone(&ledger),
            store: Arc::clone(&store),
            messages,
            free,
            unwritten: HashSet::new(),
        };
        let thread = std::thread::Builder::new().name("spool".to_owned());
        let thread = thread.spawn(move || writer.run());
        let thread = thread.map_err(|error| OpenError::Unusable { file, error })?;
        Ok(Arc::new(Self {
            folder: config.folder.clone(),
            ledger,
            store,
            sender,
            order: Mutex::default(),
            writer: Mutex::new(Some(thread)),
        }))
    }

    /// From now on so many bytes may be in it.
    pub fn resize(&self, size: u64) {
        self.ledger.resize(size);
    }

    /// Whether a request of so many bytes has room.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.ledger.has_room(bytes as u64)
    }

    /// Puts a request on the disk. With `now` it goes on at once, unless others wait for their turn.
    ///
    /// # Errors
    /// When there is no room, or the disk fails or is damaged: it is not there then.
    pub async fn append(&self, kept: Kept, body: Bytes, now: bool) -> Result<Appended, Unkept> {
        // In the order of their numbers they reach the disk, too: what waits is looked for from one number on.
        let order = self.order.lock();
        let entry = self.ledger.enter(kept.bytes, now)?;
        // Dropped before the end of this, as when the client goes, it removes the request again.
        let receipt = entry.now.then(|| self.receipt(entry.id, kept.bytes));
        let (reply, answer) = oneshot::channel();
        let append = Append {
            entry,
            kept,
            body,
            reply,
        };
        // The thread ends with the spool.
        let sent = self.sender.send(Message::Append(append));
        drop(order);
        sent.map_err(|_| Unkept::Closed)?;
        answer.await.unwrap_or(Err(Unkept::Closed))?;
        Ok(receipt.map_or(Appended::Later, Appended::Now))
    }

    fn receipt(&self, id: u64, bytes: u64) -> Arc<Receipt> {
        Arc::new(Receipt::new(id, bytes, &self.ledger, &self.sender))
    }

    /// The next that waits for its turn, as soon as there is one. It stays the next until [`Spool::passed`].
    ///
    /// # Errors
    /// When the disk fails, or what is on it is damaged.
    pub async fn next(&self) -> Result<Next, Failure> {
        loop {
            if let Some(next) = self.peek()? {
                self.ledger.oldest(Some(next.kept.at));
                return Ok(next);
            }
            self.ledger.told().await;
        }
    }

    fn peek(&self) -> Result<Option<Next>, Failure> {
        while let Some(from) = self.ledger.cursor() {
            let store = self.store.read();
            let found = store.as_ref().ok_or_else(reopened)?.first(from)?;
            self.unstick();
            match found {
                Some((id, _)) if self.ledger.skipped(id) => {}
                found => return Ok(found.map(|(id, kept)| Next { id, kept })),
            }
        }
        self.ledger.oldest(None);
        Ok(None)
    }

    /// The body of a request; none: the request has come to its end meanwhile.
    ///
    /// # Errors
    /// When the disk fails, or what is on it is damaged.
    pub fn body(&self, id: u64) -> Result<Option<Bytes>, Failure> {
        let store = self.store.read();
        store.as_ref().ok_or_else(reopened)?.body(id)
    }

    /// What waits cannot go on. Nothing is taken until it can, since it would wait behind it.
    pub fn stick(&self, why: &str) {
        if self.ledger.stuck(Some(why.to_owned())) {
            log::error!(
                "the spool {} is stuck, and nothing is taken that would have to wait behind what is in it: {why}; if it stays so, stop the program and move the folder away, with what is in it",
                self.folder.display()
            );
        }
    }

    fn unstick(&self) {
        if self.ledger.stuck(None) {
            log::info!("the spool {} can be read again", self.folder.display());
        }
    }

    /// Whether it can go on: it is not damaged in a way that holds up everything.
    pub fn is_sound(&self) -> bool {
        self.ledger.is_sound()
    }

    /// What was the next goes on: what follows it is the next. None: another reader has it.
    pub fn passed(&self, next: &Next) -> Option<Arc<Receipt>> {
        let is_first = self.ledger.pass(next.id);
        is_first.then(|| self.receipt(next.id, next.kept.bytes))
    }

    /// What is in it, in bytes as they count for its size.
    pub fn bytes(&self) -> u64 {
        self.ledger.bytes()
    }

    /// How many requests are in it, and how many of these wait for their turn.
    pub fn requests(&self) -> (u64, u64) {
        self.ledger.requests()
    }

    /// When the oldest that waits for its turn was received, in nanoseconds since 1970.
    pub fn oldest_at(&self) -> Option<u64> {
        self.ledger.oldest_at()
    }

    /// What has not come to an end stays, whatever is dropped from now on; nothing is taken any more. The folder is free
    /// then. How many requests stay.
    pub fn close(&self) -> u64 {
        self.ledger.close();
        // It may have ended by itself.
        let _ = self.sender.send(Message::End);
        if let Some(writer) = self.writer.lock().take() {
            // A panic there has said why.
            let _ = writer.join();
        }
        if let Some(store) = self.store.write().take() {
            store.close();
        }
        self.ledger.requests().0
    }
}

fn reopened() -> Failure {
    Failure::Passing("it is being opened again".to_owned())
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests;
