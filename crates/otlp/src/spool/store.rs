//! The file of a spool: requests by number.
//!
//! redb 4.6 does not go on after the disk has failed it, even to remove something: it has to be opened again. Who drops it
//! opens it again.
//!
//! It panics where a page is not what was written, unless the whole file is checked first, which takes long: such panics are
//! caught here. One in the middle of a change is caught before the change is undone: otherwise redb would want the whole file
//! sound at the next start.

use crate::signal::Signal;
use crate::spool::error::{Failure, OpenError};
use crate::spool::ledger::{Held, room};
use bytes::Bytes;
use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError,
    TableDefinition, TableError, WriteTransaction,
};
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tap_sentry_serve::caught::caught;

/// Its name in the folder.
const FILE: &str = "spool.redb";

/// What the tables below are.
const VERSION: u64 = 1;

/// `version`.
const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
/// Signal, nanoseconds since 1970, records, bytes of the body.
const OUTLINES: TableDefinition<'_, u64, (u8, u64, u64, u64)> = TableDefinition::new("outlines");
const BODIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("bodies");

/// Of the file so much is kept in memory.
const CACHE: usize = 4 << 20;

/// What is known of a request without its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    pub signal: Signal,
    /// When it was received, in nanoseconds since 1970.
    pub at: u64,
    /// Spans or log records.
    pub records: u64,
    /// Of the body.
    pub bytes: u64,
}

/// A request that is to be written.
#[derive(Debug)]
pub struct Put {
    pub id: u64,
    pub kept: Kept,
    pub body: Bytes,
}

/// What is to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    Whole,
    /// That it was there: its body is on a page that is damaged, or beside one, and stays in the file.
    Outline,
}

/// The file, locked.
#[derive(Debug)]
pub struct Store {
    database: Database,
    file: PathBuf,
}

impl Store {
    /// Opens the file in a folder, or makes both. Only the user of this process may read them.
    ///
    /// # Errors
    /// When it cannot be used; see [`OpenError`].
    pub fn create(folder: &Path) -> Result<Self, OpenError> {
        let file = folder.join(FILE);
        let opened = caught(|| Self::open(folder, file.clone()));
        opened.unwrap_or_else(|why| Err(OpenError::Unreadable { file, why }))
    }

    fn open(folder: &Path, file: PathBuf) -> Result<Self, OpenError> {
        let unusable = |error| OpenError::Unusable {
            file: file.clone(),
            error,
        };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(unusable)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        options.mode(0o600).open(&file).map_err(unusable)?;
        let database = Builder::new()
            .set_cache_size(CACHE)
            .create(&file)
            .map_err(|error| refused(&file, error))?;
        let store = Self { database, file };
        store.prepare()?;
        Ok(store)
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Makes the tables of a new file; refuses those of another version.
    fn prepare(&self) -> Result<(), OpenError> {
        let unreadable = |why| OpenError::Unreadable {
            file: self.file.clone(),
            why,
        };
        let version = self.version().map_err(unreadable)?;
        match version {
            Some(VERSION) => Ok(()),
            Some(other) => Err(OpenError::OtherVersion {
                file: self.file.clone(),
                found: other.to_string(),
                known: VERSION,
            }),
            None => self.make().map_err(unreadable),
        }
    }

    /// None: the file is new.
    fn version(&self) -> Result<Option<u64>, String> {
        let read = self.database.begin_read().map_err(text)?;
        match read.open_table(ABOUT) {
            Ok(about) => {
                let version = about.get("version").map_err(text)?;
                let version = version.ok_or("it has no version")?;
                Ok(Some(version.value()))
            }
            Err(TableError::TableDoesNotExist(_)) => {
                let mut tables = read.list_tables().map_err(text)?;
                match tables.next() {
                    None => Ok(None),
                    Some(_) => Err("it is of another program".to_owned()),
                }
            }
            Err(error) => Err(text(error)),
        }
    }

    fn make(&self) -> Result<(), String> {
        let write = self.database.begin_write().map_err(text)?;
        write.open_table(OUTLINES).map_err(text)?;
        write.open_table(BODIES).map_err(text)?;
        let mut about = write.open_table(ABOUT).map_err(text)?;
        about.insert("version", VERSION).map_err(text)?;
        drop(about);
        write.commit().map_err(text)
    }

    /// What is in it.
    ///
    /// # Errors
    /// When the disk fails, or what is on it is damaged.
    pub fn held(&self) -> Result<Held, String> {
        caught(|| self.counted()).and_then(|counted| counted)
    }

    fn counted(&self) -> Result<Held, String> {
        let read = self.database.begin_read().map_err(text)?;
        let outlines = read.open_table(OUTLINES).map_err(text)?;
        let mut held = Held::default();
        for entry in outlines.iter().map_err(text)? {
            let (id, outline) = entry.map_err(text)?;
            held.requests += 1;
            held.bytes += room(outline.value().3);
            held.last = id.value();
        }
        Ok(held)
    }

    /// Writes requests and removes others; when it returns, the disk has it.
    ///
    /// # Errors
    /// When the disk fails. Whether it was done is not known then, and it has to be opened again. Or when what is on the disk
    /// is damaged.
    pub fn commit(&self, puts: &[Put], removed: &[(u64, Removal)]) -> Result<(), Failure> {
        let done = caught(|| {
            let write = self.database.begin_write().map_err(Failure::of)?;
            let changed = caught(|| change(&write, puts, removed)).map_err(Failure::Damaged);
            match changed.and_then(|changed| changed) {
                Ok(()) => write.commit().map_err(Failure::of),
                Err(why) => {
                    // Why it failed is of more use than what came of that.
                    let _ = write.abort();
                    Err(why)
                }
            }
        });
        done.map_err(Failure::Damaged).and_then(|done| done)
    }

    /// Moves what is in the file together, and gives the rest back to the disk; not where something is damaged, since redb 4.6
    /// panics there in the middle of moving.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn compact(&mut self) -> Result<(), Failure> {
        caught(|| self.read_all()).map_err(Failure::Damaged)??;
        let done = caught(|| self.database.compact());
        let done = done.map_err(Failure::Damaged)?;
        done.map(|_| ()).map_err(Failure::of)
    }

    fn read_all(&self) -> Result<(), Failure> {
        let read = self.database.begin_read().map_err(Failure::of)?;
        let outlines = read.open_table(OUTLINES).map_err(Failure::of)?;
        for entry in outlines.iter().map_err(Failure::of)? {
            entry.map_err(Failure::of)?.1.value();
        }
        let bodies = read.open_table(BODIES).map_err(Failure::of)?;
        for entry in bodies.iter().map_err(Failure::of)? {
            entry.map_err(Failure::of)?.1.value();
        }
        Ok(())
    }

    /// Closes it, as well as that can be done.
    pub fn close(self) {
        // What is damaged is told when it is opened again.
        let _ = caught(|| drop(self));
    }

    /// The first request whose number is not below.
    ///
    /// # Errors
    /// When the disk fails, or what is on it is damaged.
    pub fn first(&self, from: u64) -> Result<Option<(u64, Kept)>, Failure> {
        let first = caught(|| self.found(from)).map_err(Failure::Damaged);
        first.and_then(|first| first)
    }

    fn found(&self, from: u64) -> Result<Option<(u64, Kept)>, Failure> {
        let read = self.database.begin_read().map_err(Failure::of)?;
        let outlines = read.open_table(OUTLINES).map_err(Failure::of)?;
        let mut range = outlines.range(from..).map_err(Failure::of)?;
        let Some(entry) = range.next() else {
            return Ok(None);
        };
        let (id, outline) = entry.map_err(Failure::of)?;
        let (signal, at, records, bytes) = outline.value();
        let unknown = || Failure::Damaged("it holds a signal that is none".to_owned());
        let signal = of(signal).ok_or_else(unknown)?;
        let kept = Kept {
            signal,
            at,
            records,
            bytes,
        };
        Ok(Some((id.value(), kept)))
    }

    /// The body of a request; none: the request is not there.
    ///
    /// # Errors
    /// When the disk fails, or what is on it is damaged.
    pub fn body(&self, id: u64) -> Result<Option<Bytes>, Failure> {
        let body = caught(|| self.got(id)).map_err(Failure::Damaged);
        body.and_then(|body| body)
    }

    fn got(&self, id: u64) -> Result<Option<Bytes>, Failure> {
        let read = self.database.begin_read().map_err(Failure::of)?;
        let bodies = read.open_table(BODIES).map_err(Failure::of)?;
        if let Some(body) = bodies.get(id).map_err(Failure::of)? {
            return Ok(Some(Bytes::copy_from_slice(body.value())));
        }
        let outlines = read.open_table(OUTLINES).map_err(Failure::of)?;
        match outlines.get(id).map_err(Failure::of)? {
            None => Ok(None),
            Some(_) => Err(Failure::Damaged("its body is not there".to_owned())),
        }
    }
}

fn change(
    write: &WriteTransaction,
    puts: &[Put],
    removed: &[(u64, Removal)],
) -> Result<(), Failure> {
    let mut outlines = write.open_table(OUTLINES).map_err(Failure::of)?;
    let mut bodies = write.open_table(BODIES).map_err(Failure::of)?;
    for (id, removal) in removed {
        outlines.remove(id).map_err(Failure::of)?;
        if *removal == Removal::Whole {
            bodies.remove(id).map_err(Failure::of)?;
        }
    }
    for Put { id, kept, body } in puts {
        let outline = (signal(kept.signal), kept.at, kept.records, kept.bytes);
        outlines.insert(id, outline).map_err(Failure::of)?;
        bodies.insert(id, &body[..]).map_err(Failure::of)?;
    }
    Ok(())
}

const fn signal(signal: Signal) -> u8 {
    match signal {
        Signal::Traces => 0,
        Signal::Logs => 1,
    }
}

const fn of(number: u8) -> Option<Signal> {
    match number {
        0 => Some(Signal::Traces),
        1 => Some(Signal::Logs),
        _ => None,
    }
}

fn text(error: impl Into<redb::Error>) -> String {
    error.into().to_string()
}

fn refused(file: &Path, error: DatabaseError) -> OpenError {
    let file = file.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            OpenError::Locked(file)
        }
        DatabaseError::UpgradeRequired(found) => OpenError::OtherVersion {
            file,
            found: format!("redb's file format {found}"),
            known: VERSION,
        },
        DatabaseError::Storage(StorageError::Io(error))
            if error.kind() != std::io::ErrorKind::InvalidData =>
        {
            OpenError::Unusable { file, error }
        }
        other => OpenError::Unreadable {
            file,
            why: other.to_string(),
        },
    }
}
