//! The one owner of stdout and of the outgoing state: the only file that prints messages.
//!
//! Events come in order through one bounded channel. A checkpoint stands behind the records that it covers, so
//! writing in order is all that keeps STATE true.

use crate::message::{ActivateVersionMessage, Announced, StateMessage, line};
use crate::record::Batch;
use crate::report::{Gap, Report};
use crate::state::{Bookmarks, Checkpoint, Partition};
use rustc_hash::FxHashMap;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use tokio::time::Instant;
use tokio::sync::mpsc::{Receiver, Sender, channel, error::TryRecvError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What the walk tells the writer.
#[derive(Debug)]
pub enum Event {
    Records(Batch, Option<OwnedSemaphorePermit>),
    /// The partitions of an incremental stream in this run.
    Plan(&'static str, Vec<Partition>),
    Checkpoint(Checkpoint),
    Gap(Gap),
    /// The walk came to its end.
    Done,
}

/// The writer is gone: stdout was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

/// Bodies and records that are read and not yet written, in KiB. With the largest page this bounds the memory,
/// however slow the reader of stdout is.
const ROOM_KIB: usize = 12 * 1024;
/// Events that wait for the writer at most.
const QUEUE: usize = 32;

/// Where the walk puts its events. Waits when the writer is behind.
#[derive(Debug, Clone)]
pub struct Outbox {
    events: Sender<Event>,
    room: Arc<Semaphore>,
}

/// A channel to a writer.
pub fn outbox() -> (Outbox, Receiver<Event>) {
    let (events, receiver) = channel(QUEUE);
    (Outbox { events, room: Arc::new(Semaphore::new(ROOM_KIB)) }, receiver)
}

impl Outbox {
    pub async fn send(&self, event: Event) -> Result<(), Closed> {
        self.events.send(event).await.map_err(|_| Closed)
    }

    /// Room for an answer of about that many bytes, taken before it is asked for and given back when its records
    /// have been written.
    pub async fn room(&self, bytes: usize) -> OwnedSemaphorePermit {
        let kib = u32::try_from((bytes / 1024).clamp(16, ROOM_KIB / 2)).unwrap_or(u32::MAX);
        Arc::clone(&self.room).acquire_many_owned(kib).await.expect("the semaphore is never closed")
    }
}

/// Records of this run, by identity. Two generations of bounded size: a repetition within the last 100,000 records
/// is always seen, memory stays flat, and what is forgotten is at worst written twice.
#[derive(Debug, Default)]
struct Written {
    young: FxHashMap<u128, Version>,
    old: FxHashMap<u128, Version>,
}

/// What was written of a record.
#[derive(Debug, Clone, Copy)]
struct Version {
    content: u64,
    sent: Instant,
}

impl Written {
    const GENERATION: usize = 100_000;

    /// Whether the record is new, or differs from the one written before and is no older: answers overtake one another.
    fn admits(&mut self, key: u128, content: u64, sent: Instant) -> bool {
        let known = self.young.get(&key).or_else(|| self.old.get(&key));
        if known.is_some_and(|known| known.content == content || sent < known.sent) {
            return false;
        }
        if self.young.len() >= Self::GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, Version { content, sent });
        true
    }
}

/// Writes events as messages.
pub struct Writer<W: Write> {
    out: BufWriter<W>,
    bookmarks: Bookmarks,
    report: Arc<Report>,
    written: Written,
    withheld: Vec<(&'static str, Partition)>,
    /// The bookmarks have moved since the last STATE.
    dirty: bool,
}

impl<W: Write> Writer<W> {
    pub fn new(out: W, bookmarks: Bookmarks, report: Arc<Report>) -> Self {
        Self { out: BufWriter::with_capacity(128 << 10, out), bookmarks, report, written: Written::default(), withheld: Vec::new(), dirty: false }
    }

    /// Writes until the last outbox is gone, then a last STATE.
    ///
    /// # Errors
    /// When stdout cannot be written to.
    pub fn run(mut self, streams: &[Announced], mut events: Receiver<Event>) -> io::Result<()> {
        for Announced { schema, .. } in streams {
            self.out.write_all(&line(schema))?;
        }
        // Some targets switch to a version when it is announced, others when it ends; in a first run both are safe.
        if self.bookmarks == Bookmarks::default() {
            self.activate(streams)?;
        }
        self.out.flush()?;
        loop {
            let event = match events.try_recv() {
                Ok(event) => event,
                Err(TryRecvError::Disconnected) => break,
                // Nothing to do: what is buffered should not wait for the next answer.
                Err(TryRecvError::Empty) => {
                    self.state()?;
                    self.out.flush()?;
                    match events.blocking_recv() {
                        Some(event) => event,
                        None => break,
                    }
                }
            };
            match event {
                Event::Records(batch, room) => {
                    // Checkpoints that follow one another make one STATE.
                    self.state()?;
                    self.records(&batch)?;
                    drop(room);
                }
                Event::Plan(stream, partitions) => self.bookmarks.plan(stream, partitions),
                Event::Checkpoint(checkpoint) => {
                    if !self.is_withheld(&checkpoint) && self.bookmarks.apply(&checkpoint) {
                        self.dirty = true;
                        if let Some(start) = self.bookmarks.least(checkpoint.stream) {
                            self.report.bookmark(checkpoint.stream, start.to_owned());
                        }
                    }
                }
                Event::Done => self.activate(streams)?,
                Event::Gap(gap) => {
                    log::error!(target: gap.streams[0], "{} could not be extracted: {}", gap.partition, gap.reason);
                    self.withheld.extend(gap.streams.iter().map(|stream| (*stream, gap.partition.clone())));
                    self.report.gap(gap);
                }
            }
        }
        self.dirty = true;
        self.state()
    }

    /// Announces that what is not of this version is gone; never for a stream that has a gap.
    fn activate(&mut self, streams: &[Announced]) -> io::Result<()> {
        for Announced { schema, version } in streams {
            let Some(version) = version.filter(|_| !self.withheld.iter().any(|(stream, _)| *stream == schema.stream)) else { continue };
            self.out.write_all(&line(&ActivateVersionMessage { stream: schema.stream.clone(), version }))?;
        }
        Ok(())
    }

    fn records(&mut self, batch: &Batch) -> io::Result<()> {
        let (mut records, mut errors, mut from, mut start) = (0, 0, 0, 0);
        for row in &batch.rows {
            if self.written.admits(row.key, row.content, batch.sent) {
                records += 1;
                errors += u64::from(row.counted);
            } else {
                self.out.write_all(&batch.lines[from..start])?;
                from = row.end;
            }
            start = row.end;
        }
        self.out.write_all(&batch.lines[from..])?;
        if let Some(project) = &batch.project {
            self.report.errors(project, errors);
        }
        self.report.written(batch.stream, records, batch.notes.clone());
        Ok(())
    }

    fn state(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.dirty) {
            self.out.write_all(&line(&StateMessage { value: self.bookmarks.to_value() }))?;
            self.out.flush()?;
        }
        Ok(())
    }

    /// A gap of a partition or of one that contains it holds the bookmark back for the rest of the run.
    fn is_withheld(&self, checkpoint: &Checkpoint) -> bool {
        self.withheld.iter().any(|(stream, partition)| *stream == checkpoint.stream && checkpoint.partition.0.starts_with(&partition.0))
    }
}
