//! What a run writes, in the order that keeps the state true: rows, whole files, the manifest and the views, the state.

use crate::column::Column;
use crate::error::Error;
use crate::folder::{ATTACHMENTS, Folder, SCHEMAS};
use crate::recent::Recent;
use crate::row::{Layout, Row};
use crate::schema::{keep_members, keeps_types, lacks_any, missing, own_columns, with_added};
use crate::stream::{Counts, Stream, StreamFiles};
use crate::views;
use rustc_hash::FxHashMap;
use xxhash_rust::xxh3::xxh3_64;

/// JSON of rows in one file, in bytes.
const FILE: u64 = 128 << 20;
/// Folders of other things, which no stream can be called.
const TAKEN: [&str; 2] = [SCHEMAS, ATTACHMENTS];

/// Where a run begins to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// Where the last one has ended.
    GoOn,
    /// Elsewhere, as the user says: what is known of the files counts for nothing.
    Elsewhere,
    /// At the begin: files of streams that come whole are removed at its end, but for those that it has written.
    Refresh,
}

/// Writes the rows of a run.
pub struct Writer {
    folder: Folder,
    streams: Vec<StreamFiles>,
    versions: Vec<Option<i64>>,
    index: FxHashMap<String, usize>,
    next_sequence: i64,
    /// The first `_sdc_sequence` of this run.
    first_sequence: i64,
    /// This run reads everything anew, and older files of streams that come whole go with its end.
    is_refresh: bool,
    recent: Recent,
}

impl Writer {
    /// Begins a run of these streams.
    ///
    /// # Errors
    /// When a column has another type than in the files that there are, or the folder cannot be written to.
    pub fn begin(mut folder: Folder, streams: &[Stream], begin: Begin) -> Result<Self, Error> {
        for stream in streams {
            if TAKEN.contains(&stream.name.as_str()) {
                return Err(Error::Unusable {
                    path: folder.stream_path(&stream.name),
                    problem: format!("no stream can be called `{}` here; rename it", stream.name),
                });
            }
            keeps_types(&folder, stream)?;
        }
        let next_sequence = folder.next_sequence()?;
        let mut files = Vec::new();
        let mut schemas = Vec::new();
        for stream in streams {
            let mut schema = with_added(stream);
            let before = folder.schema(&stream.name)?;
            if let Some(before) = &before {
                let unselected = missing(&schema, before);
                let entry = folder.manifest.entry(&stream.name);
                // Once, in the run that drops them.
                if unselected > std::mem::replace(&mut entry.unselected, unselected) {
                    log::warn!(target: "files", "{}: {unselected} columns that the folder has are not selected any more: they are null in rows that come now", stream.name);
                }
                keep_members(&mut schema, before);
            }
            let is_empty = folder.files(&stream.name)?.is_empty();
            let widens = before
                .is_some_and(|before| lacks_any(&Column::all(&before), &Column::all(&schema)))
                && !is_empty;
            let is_versioned = stream.table_version.is_some();
            let entry = folder.manifest.entry(&stream.name);
            entry.widened |= widens;
            entry.key_properties.clone_from(&stream.key_properties);
            entry.full_table = is_versioned;
            if !is_versioned {
                entry.table_version = None;
            }
            if !is_versioned || is_empty || begin != Begin::GoOn {
                entry.content = None;
            }
            files.push(StreamFiles::new(
                folder.stream_path(&stream.name),
                Layout {
                    stream: stream.name.clone(),
                    keys: stream.key_properties.clone(),
                    columns: own_columns(&schema),
                    is_versioned,
                    format: folder.manifest.format,
                    compression: folder.manifest.compression,
                },
            ));
            schemas.push(schema);
        }
        // That older files lack columns is known before the schema has them.
        folder.write_manifest()?;
        for (stream, schema) in streams.iter().zip(&schemas) {
            folder.write_schema(&stream.name, schema)?;
        }
        let recent = Recent::take(&folder.recent_path())?;
        let mut writer = Self {
            folder,
            // A row that the new files of a refresh do not have is not among those that replace the old ones.
            recent: if begin == Begin::GoOn {
                recent
            } else {
                Recent::default()
            },
            index: streams
                .iter()
                .map(|stream| stream.name.clone())
                .zip(0..)
                .collect(),
            versions: streams.iter().map(|stream| stream.table_version).collect(),
            streams: files,
            next_sequence,
            first_sequence: next_sequence,
            is_refresh: begin == Begin::Refresh,
        };
        writer.write_views()?;
        Ok(writer)
    }

    /// The number of a stream, for [`Writer::append`].
    pub fn stream(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    /// Appends a row, unless the last one of its key holds the same.
    ///
    /// # Errors
    /// When a file cannot be written to.
    pub fn append(&mut self, stream: usize, row: &Row<'_>) -> Result<(), Error> {
        let files = &mut self.streams[stream];
        if !files.layout.is_versioned {
            let key = row.key(&files.layout);
            if !self.recent.is_new(key, xxh3_64(row.text())) {
                files.counts.known += 1;
                return Ok(());
            }
        }
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        files.append(row, sequence, FILE)
    }

    /// A stream has come whole: of a full-table stream, what is not among this run's rows is gone.
    ///
    /// # Errors
    /// When its files cannot be ended.
    pub fn whole(&mut self, stream: usize) -> Result<(), Error> {
        let files = &mut self.streams[stream];
        let name = files.layout.stream.clone();
        if let Some(version) = self.versions[stream] {
            let content = Some(files.content.to_string());
            let entry = self.folder.manifest.entry(&name);
            if entry.content == content {
                files.discard();
                return Ok(());
            }
            forget_content(&mut self.folder, &name)?;
            self.streams[stream].commit()?;
            let entry = self.folder.manifest.entry(&name);
            (entry.table_version, entry.content) = (Some(version), content);
        }
        if self.is_refresh {
            self.folder.manifest.entry(&name).replaced_before = Some(self.first_sequence);
        }
        Ok(())
    }

    /// Makes everything so far durable, and then the state that covers it.
    ///
    /// # Errors
    /// When something cannot be written. The state is the old one then.
    pub fn commit(&mut self, state: &[u8]) -> Result<(), Error> {
        for files in &mut self.streams {
            // A list that is read whole is no progress before its end, where it is compared with the last.
            if !files.layout.is_versioned {
                files.commit()?;
            }
        }
        self.settle()?;
        self.folder.write_state(state)
    }

    /// After the last commit, at the end of a run, whole or not: lists that were read whole get their files, and files that
    /// this run has replaced are removed.
    ///
    /// # Errors
    /// When something cannot be written.
    pub fn finish(&mut self) -> Result<(), Error> {
        for files in self.streams.iter_mut().filter(|files| files.is_waiting()) {
            // Rows of a list that has not come whole: newer than those before, which stay.
            forget_content(&mut self.folder, &files.layout.stream)?;
            files.commit()?;
        }
        self.settle()?;
        self.folder.remove_replaced()?;
        self.write_views()?;
        let sum = |count: fn(&Counts) -> u64| -> u64 {
            self.streams.iter().map(|files| count(&files.counts)).sum()
        };
        let (rows, files, known) = (sum(|c| c.rows), sum(|c| c.files), sum(|c| c.known));
        log::info!(target: "files", "new: {rows} rows in {files} files; {known} rows were there already");
        self.recent.leave(&self.folder.recent_path())
    }

    fn settle(&mut self) -> Result<(), Error> {
        if self.next_sequence > self.first_sequence {
            self.folder.manifest.sequence = self.next_sequence - 1;
        }
        self.folder.write_manifest()?;
        self.write_views()
    }

    fn write_views(&mut self) -> Result<(), Error> {
        self.folder.write_views(&views::render(&self.folder, &[])?)
    }
}

/// Before rows of another version can be seen: whoever goes on after a kill must not take the list for the one before.
fn forget_content(folder: &mut Folder, stream: &str) -> Result<(), Error> {
    if folder.manifest.entry(stream).content.take().is_none() {
        return Ok(());
    }
    folder.write_manifest()
}
