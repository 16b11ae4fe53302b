//! Batches of arrays on their way to the disk.

use crate::error::{At, Error};
use arrow_array::RecordBatch;
use parquet::arrow::ArrowWriter;
use std::fs::File;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SendError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

/// JSON of rows in one row group, in bytes. A row group is in memory, compressed, until it is whole. Each begins with a new
/// compressor for each column.
const ROW_GROUP: usize = 64 << 20;
/// Batches that wait for the thread at most. One more is being encoded, and one is growing.
const QUEUE: usize = 1;

/// Arrays of rows.
pub struct Batch {
    pub rows: RecordBatch,
    /// Their JSON, in bytes.
    pub json: usize,
}

/// Encodes batches. The last one, which most files have alone, is encoded by whoever ends the file; those before it in a thread, so
/// that the next rows become arrays meanwhile.
pub enum Encoder {
    Here(Box<Groups>),
    /// Where it is dropped, the thread ends by itself after the batches that it has; the file has no name by then.
    There(SyncSender<Batch>, Thread),
}

type Thread = JoinHandle<Result<Box<Groups>, Error>>;

/// The row groups of a file.
pub struct Groups {
    path: PathBuf,
    writer: ArrowWriter<File>,
    /// JSON of the rows of the last of them, in bytes.
    json: usize,
}

impl Encoder {
    pub fn new(path: &Path, writer: ArrowWriter<File>) -> Self {
        Self::Here(Box::new(Groups {
            path: path.to_owned(),
            writer,
            json: 0,
        }))
    }

    /// Takes a batch that others may follow.
    ///
    /// # Errors
    /// When this one or one before could not be written.
    pub fn write(self, batch: Batch) -> Result<Self, Error> {
        let (batches, thread) = match self {
            Self::Here(groups) => match groups.in_thread() {
                Ok(there) => there,
                Err(mut groups) => {
                    groups.write(&batch)?;
                    return Ok(Self::Here(groups));
                }
            },
            Self::There(batches, thread) => (batches, thread),
        };
        match batches.send(batch) {
            Ok(()) => Ok(Self::There(batches, thread)),
            // It has failed, and tells why: otherwise it does not end before the sender is dropped.
            Err(_) => joined(thread).map(Self::Here),
        }
    }

    /// Writes the last batch, and returns when all of the file is on the disk.
    ///
    /// # Errors
    /// When this one or one before could not be written.
    pub fn finish(self, last: Option<Batch>) -> Result<(), Error> {
        let mut groups = match self {
            Self::Here(groups) => groups,
            Self::There(batches, thread) => {
                drop(batches);
                joined(thread)?
            }
        };
        if let Some(batch) = last {
            groups.write(&batch)?;
        }
        groups.writer.finish().at(&groups.path)?;
        groups.writer.inner().sync_all().at(&groups.path)
    }
}

impl Groups {
    /// A thread that writes all batches that are sent to it; the groups themselves where the system has no thread to give.
    fn in_thread(self: Box<Self>) -> Result<(SyncSender<Batch>, Thread), Box<Self>> {
        let (sender, batches) = sync_channel::<Batch>(QUEUE);
        // A thread that does not start takes with it what it was to have.
        let (give, given) = sync_channel::<Box<Self>>(1);
        let encode = move || {
            let mut groups = given.recv().expect("it is given at once");
            for batch in batches {
                groups.write(&batch)?;
            }
            Ok(groups)
        };
        match Builder::new().name("encoder".to_owned()).spawn(encode) {
            Ok(thread) => match give.send(self) {
                Ok(()) => Ok((sender, thread)),
                Err(SendError(groups)) => Err(groups),
            },
            Err(_) => Err(self),
        }
    }

    fn write(&mut self, batch: &Batch) -> Result<(), Error> {
        self.writer.write(&batch.rows).at(&self.path)?;
        self.json += batch.json;
        if self.json >= ROW_GROUP {
            self.writer.flush().at(&self.path)?;
            self.json = 0;
        }
        Ok(())
    }
}

fn joined(thread: Thread) -> Result<Box<Groups>, Error> {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parquet::batches;
    use arrow_array::{ArrayRef, StringArray};
    use std::sync::Arc;

    /// Texts that do not compress to what a buffer in memory holds; two batches are a row group.
    fn batch(number: u32) -> Batch {
        let texts = (0..5000).map(|row| format!("{number}.{row}"));
        let column: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        Batch {
            rows: RecordBatch::try_from_iter([("t", column)]).expect("a batch"),
            json: ROW_GROUP / 2,
        }
    }

    fn encoder(path: &Path, file: File) -> Encoder {
        let schema = batch(0).rows.schema();
        Encoder::new(
            path,
            ArrowWriter::try_new(file, schema, None).expect("a writer"),
        )
    }

    #[test]
    fn batches_come_back_in_their_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("f.parquet");
        let mut encoder = encoder(&path, File::create(&path).expect("a file"));
        for number in 0..5 {
            encoder = encoder.write(batch(number)).expect("it is written");
        }
        encoder.finish(Some(batch(5))).expect("it is written");
        let read = batches::read(&path, None).expect("a file");
        let read: Vec<_> = read.map(|batch| batch.expect("rows")).collect();
        let schema = read[0].schema();
        let read = arrow_select::concat::concat_batches(&schema, &read).expect("one batch");
        for number in 0..6 {
            let rows = read.slice(5000 * number as usize, 5000);
            assert_eq!(rows.column(0), batch(number).rows.column(0));
        }
        assert_eq!(read.num_rows(), 30_000);
    }

    #[test]
    fn a_disk_that_is_full_is_told_by_what_follows() {
        let full = || {
            let path = Path::new("/dev/full");
            let file = File::options().write(true).open(path).expect("a device");
            encoder(path, file)
        };
        let refused = |ended: Result<(), Error>| {
            let error = ended.expect_err("there is no room").to_string();
            assert!(
                error.contains("/dev/full") && error.contains("No space"),
                "{error}"
            );
        };
        refused(full().finish(Some(batch(0))));
        let at_first = full().write(batch(0)).expect("it is in the thread");
        let at_second = at_first
            .write(batch(1))
            .expect("it makes the row group whole");
        refused(at_second.finish(None));
        // One is being written, one waits, and the next finds out.
        let mut written = full().write(batch(0));
        for number in 1..5 {
            written = written.and_then(|encoder| encoder.write(batch(number)));
        }
        refused(written.map(drop));
    }
}
