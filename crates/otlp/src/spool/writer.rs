//! The thread that writes: what came while the disk was busy goes in one commit.

use crate::spool::disk;
use crate::spool::error::{Failure, Unkept};
use crate::spool::ledger::{Ledger, room};
use crate::spool::message::{Append, Message};
use crate::spool::store::{Put, Removal, Store};
use parking_lot::RwLock;
use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};
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

/// So much of the disk stays free: to remove something the store writes pages anew, and those that are free in its file may
/// never have had room on the disk (redb 4.6.0).
const FREE: u64 = 1 << 20;

/// So much may be moved to make the file smaller: whoever reads waits meanwhile, for some seconds at most.
const MOVED: u64 = 256 << 20;

/// And so often.
const MOVED_AGAIN: Duration = Duration::from_secs(10);

/// At the end it is tried so long to remove what has ended.
const AT_THE_END: Duration = Duration::from_secs(2);

/// After a failure the file is opened again so often.
const OPENED_AGAIN: Duration = Duration::from_millis(500);

/// The thread's own.
#[derive(Debug)]
pub struct Writer {
    pub file: PathBuf,
    pub ledger: Arc<Ledger>,
    pub store: Arc<RwLock<Option<Store>>>,
    pub messages: Receiver<Message>,
    /// What is free on the disk of a file, as [`disk::free`] tells.
    pub free: fn(&Path) -> Option<u64>,
    /// Requests that were never written and whose end has not been told yet.
    pub unwritten: HashSet<u64>,
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
    /// Removing failed. It goes alone now, so many at a time at most: all, which may need less than some, or fewer and fewer.
    at_most: Option<usize>,
    is_last: bool,
}

impl Batch {
    /// Whether it was to be written, which is not done then.
    fn takes_back(&mut self, id: u64) -> bool {
        // They come in the order of their numbers.
        let found = self
            .appends
            .binary_search_by_key(&id, |append| append.entry.id);
        let append = found.ok().map(|at| self.appends.remove(at));
        self.bytes -= append.as_ref().map_or(0, |append| append.body.len());
        append.is_some()
    }

    /// So many could not be removed.
    fn fewer(&mut self, count: usize) {
        let fewer = self.at_most.and((count > 1).then_some(count / 2));
        self.at_most = Some(fewer.unwrap_or(usize::MAX));
    }

    /// What was to be removed could be.
    fn more(&mut self) {
        let most = self.at_most.map(|most| most.saturating_mul(2));
        self.at_most = most.filter(|most| *most < self.ended.len());
    }

    fn is_full(&self) -> bool {
        self.is_last || self.bytes >= TOGETHER
    }

    /// How many of the first to be removed are so with what is written.
    fn removed(&self) -> usize {
        let most = if self.is_last || self.at_most.is_some() {
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
        let fit = fit.max(1).min(self.ended.len());
        self.at_most.map_or(fit, |most| most.min(fit))
    }
}

impl Writer {
    /// Writes what comes, until the end.
    pub fn run(mut self) {
        let mut batch = Batch::default();
        let mut trouble = Trouble::default();
        while !batch.is_last {
            self.gather(&mut batch);
            self.write(&mut batch, &mut trouble);
        }
        let until = Instant::now() + AT_THE_END;
        while !batch.ended.is_empty() && Instant::now() < until && self.reopen(&mut trouble).is_ok()
        {
            let count = batch.removed();
            let _ = self.change(&mut batch, count, Vec::new(), &mut trouble);
        }
    }

    fn add(&mut self, batch: &mut Batch, message: Message) {
        match message {
            Message::Append(append) => {
                batch.bytes += append.body.len();
                batch.appends.push(append);
            }
            // It has been told.
            Message::Ended { id, .. } if self.unwritten.remove(&id) => {}
            // The client has gone.
            Message::Ended { id, bytes } if batch.takes_back(id) => self.ledger.left(id, bytes),
            Message::Ended { id, bytes } => batch.ended.push_back((id, bytes)),
            Message::End => batch.is_last = true,
        }
    }

    /// Waits for something to do, and takes all that is there.
    fn gather(&mut self, batch: &mut Batch) {
        // What could not be removed before is tried again.
        let wait = if batch.is_behind {
            Duration::ZERO
        } else {
            REMOVED_AFTER
        };
        let has_to_do = !batch.ended.is_empty() || self.store.read().is_none();
        let mut until = has_to_do.then(|| Instant::now() + wait);
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
                Ok(message) => self.add(batch, message),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => batch.is_last = true,
            }
            until = until.or_else(|| Some(Instant::now() + REMOVED_AFTER));
        }
        while !batch.is_full()
            && let Ok(message) = self.messages.try_recv()
        {
            self.add(batch, message);
        }
    }

    fn write(&mut self, batch: &mut Batch, trouble: &mut Trouble) {
        batch.is_behind = false;
        let together = batch.removed();
        let appends = std::mem::take(&mut batch.appends);
        batch.bytes = 0;
        if let Err(why) = self.reopen(trouble) {
            self.decline(appends, &why);
            return;
        }
        if appends.is_empty() || batch.at_most.is_none() && self.shortage(&appends).is_none() {
            // Whoever waits has been told.
            let _ = self.change(batch, together, appends, trouble);
            return;
        }
        // What is removed first may make room for what comes.
        let alone = batch.removed();
        let removed = self.change(batch, alone, Vec::new(), trouble);
        let room = removed.and_then(|()| self.make_room(&appends, trouble));
        match room {
            Ok(()) => {
                let _ = self.change(batch, 0, appends, trouble);
            }
            Err(why) => self.decline(appends, &why),
        }
    }

    /// What the disk lacks for what came, in words.
    fn shortage(&self, appends: &[Append]) -> Option<String> {
        let needed = needed(appends);
        let free = (self.free)(&self.file)?;
        (free < needed).then(|| {
            format!("the disk has {free} bytes left, and {needed} are wanted for what comes and for removing what has ended")
        })
    }

    /// Gives room that the file does not need back to the disk, where what came lacks it.
    fn make_room(&self, appends: &[Append], trouble: &mut Trouble) -> Result<(), String> {
        if self.shortage(appends).is_some() {
            // What comes is in it already.
            let used = self.ledger.bytes();
            let spare = disk::taken(&self.file).saturating_sub(used.saturating_mul(2));
            let moved = trouble.moved.map(|at| at.elapsed());
            let may_move = used <= MOVED && moved.is_none_or(|since| since >= MOVED_AGAIN);
            if may_move && spare >= needed(appends) {
                self.compact(trouble)?;
            }
        }
        match self.shortage(appends) {
            None => Ok(()),
            Some(why) => {
                trouble.tell(self, &why);
                Err(why)
            }
        }
    }

    fn compact(&self, trouble: &mut Trouble) -> Result<(), String> {
        trouble.moved = Some(Instant::now());
        let compacted = match self.store.write().as_mut() {
            Some(store) => store.compact(),
            None => return Ok(()),
        };
        compacted.map_err(|failure| self.fail(&failure, trouble))
    }

    /// Closes it, to be opened again. What went wrong, in words.
    fn fail(&self, failure: &Failure, trouble: &mut Trouble) -> String {
        let store = self.store.write().take();
        store.into_iter().for_each(Store::close);
        let why = failure.to_string();
        trouble.tell(self, &why);
        why
    }

    /// Removes so many that have ended and writes what came, in one commit.
    fn change(
        &self,
        batch: &mut Batch,
        count: usize,
        appends: Vec<Append>,
        trouble: &mut Trouble,
    ) -> Result<(), String> {
        if appends.is_empty() && count == 0 {
            return Ok(());
        }
        let removed = batch.ended.iter().take(count);
        let removed: Vec<u64> = removed.map(|(id, _)| *id).collect();
        let puts: Vec<Put> = appends
            .iter()
            .map(|append| Put {
                id: append.entry.id,
                kept: append.kept,
                body: append.body.clone(),
            })
            .collect();
        if let Err(why) = self.commit(&puts, &removed, trouble) {
            if count > 0 {
                batch.fewer(count);
            }
            for Append {
                entry, kept, reply, ..
            } in appends
            {
                // It may be there all the same, and is removed as soon as that can be done.
                if !entry.now {
                    self.ledger.fail(entry.id);
                    batch.ended.push_back((entry.id, kept.bytes));
                }
                let _ = reply.send(Err(Unkept::Failed(why.clone())));
            }
            return Err(why);
        }
        for (id, bytes) in batch.ended.drain(..count) {
            self.ledger.left(id, bytes);
        }
        if count > 0 {
            batch.more();
        }
        batch.is_behind = !batch.ended.is_empty();
        if !appends.is_empty() {
            trouble.over(self);
        }
        for Append { entry, reply, .. } in appends {
            if !entry.now {
                self.ledger.tell();
            }
            // Whoever has gone has left a receipt that was dropped.
            let _ = reply.send(Ok(()));
        }
        Ok(())
    }

    /// Tells that requests are not kept, none of which the disk has seen.
    fn decline(&mut self, appends: Vec<Append>, why: &str) {
        for Append {
            entry, kept, reply, ..
        } in appends
        {
            if entry.now {
                // The end of its receipt is still to be told.
                self.unwritten.insert(entry.id);
            } else {
                self.ledger.fail(entry.id);
            }
            self.ledger.left(entry.id, kept.bytes);
            let _ = reply.send(Err(Unkept::Failed(why.to_owned())));
        }
    }

    fn commit(&self, puts: &[Put], removed: &[u64], trouble: &mut Trouble) -> Result<(), String> {
        // A body on a damaged page cannot be removed, and holds nothing up where it is.
        let done = match self.attempt(puts, removed, Removal::Whole) {
            Err(Failure::Damaged(_)) if !removed.is_empty() => {
                self.attempt(puts, removed, Removal::Outline)
            }
            done => done,
        };
        let is_damaged = matches!(done, Err(Failure::Damaged(_)));
        self.ledger.unwritable(is_damaged);
        done.map_err(|failure| self.fail(&failure, trouble))
    }

    fn attempt(&self, puts: &[Put], removed: &[u64], removal: Removal) -> Result<(), Failure> {
        let removed: Vec<_> = removed.iter().map(|id| (*id, removal)).collect();
        match self.store.read().as_ref() {
            Some(store) => store.commit(puts, &removed),
            None => Err(Failure::Passing("it is closed".to_owned())),
        }
    }

    /// Opens it after a failure.
    fn reopen(&self, trouble: &mut Trouble) -> Result<(), String> {
        if self.store.read().is_some() {
            return Ok(());
        }
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

/// The room that the disk must have for what came, in bytes.
fn needed(appends: &[Append]) -> u64 {
    let bytes = appends.iter().map(|append| room(append.kept.bytes));
    bytes.sum::<u64>().saturating_add(FREE)
}

/// A disk that fails.
#[derive(Debug, Default)]
struct Trouble {
    told: Seldom,
    /// When opening the file failed last, and why.
    opened: Option<(Instant, String)>,
    /// When the file was made smaller last.
    moved: Option<Instant>,
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

    fn append(id: u64) -> Append {
        let kept = Kept {
            signal: Signal::Traces,
            at: 0,
            records: 1,
            bytes: BODY as u64,
        };
        let (reply, _) = tokio::sync::oneshot::channel();
        Append {
            entry: Entry { id, now: true },
            kept,
            body: Bytes::from(vec![0; BODY]),
            reply,
        }
    }

    /// Ten requests of so many bytes have ended, and so many are to be written.
    fn batch(bytes: usize, written: u64) -> Batch {
        Batch {
            appends: (100..100 + written).map(append).collect(),
            bytes: BODY * usize::try_from(written).expect("a few"),
            ended: (0..10).map(|id| (id, bytes as u64)).collect(),
            ..Batch::default()
        }
    }

    #[rstest]
    #[case::alone(BODY, 0, 3)]
    #[case::with_one(BODY, 1, 2)]
    #[case::with_two(BODY, 2, 4)]
    #[case::small(100, 1, 10)]
    #[case::larger_than_what_is_written(5 * BODY, 1, 1)]
    fn what_ended_leaves_in_portions(
        #[case] bytes: usize,
        #[case] written: u64,
        #[case] expected: usize,
    ) {
        let mut batch = batch(bytes, written);
        assert_eq!(batch.removed(), expected);
        batch.is_last = true;
        assert_eq!(batch.removed(), 10);
        batch.ended.clear();
        assert_eq!(batch.removed(), 0);
    }

    #[test]
    fn after_a_failure_all_is_removed_or_less_and_less() {
        let mut batch = batch(BODY, 0);
        let mut tried = Vec::new();
        for _ in 0..7 {
            tried.push(batch.removed());
            batch.fewer(batch.removed());
        }
        assert_eq!(tried, [3, 10, 5, 2, 1, 10, 5]);
        let mut done = Vec::new();
        while !batch.ended.is_empty() {
            done.push(batch.removed());
            batch.ended.drain(..batch.removed());
            batch.more();
        }
        assert_eq!(done, [2, 4, 3, 1]);
        assert_eq!(batch.at_most, None);
    }

    #[test]
    fn what_is_taken_back_is_not_written() {
        let mut batch = batch(BODY, 3);
        assert!(batch.takes_back(101));
        assert!(!batch.takes_back(101));
        assert!(!batch.takes_back(5));
        let ids = batch.appends.iter().map(|append| append.entry.id);
        assert_eq!(ids.collect::<Vec<_>>(), [100, 102]);
        assert_eq!(batch.bytes, 2 * BODY);
    }

    #[test]
    fn what_comes_leaves_the_last_of_the_disk_free() {
        // A body that has a byte beside it has twice its pages.
        assert_eq!(needed(&[append(1), append(2)]), 2 * (2 << 20) + FREE);
        assert_eq!(needed(&[]), FREE);
    }
}
