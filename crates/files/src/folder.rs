//! The folder: its lock, what its files are called, and what an earlier run has left.

use crate::atomic::{self, UNDER_CONSTRUCTION};
use crate::attachments::Attachments;
use crate::error::{At, Error, OtherSource};
use crate::format::Format;
use crate::manifest::{Manifest, Source};
use chrono::{DateTime, Utc};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const LOCK: &str = ".lock";
const MANIFEST: &str = "manifest.json";
/// The folder of attachments' bodies.
pub(crate) const ATTACHMENTS: &str = "attachments";
const RECENT: &str = ".recent";
/// The folder of the streams' schemas.
pub(crate) const SCHEMAS: &str = "schema";
const STATE: &str = "state.json";
const VIEWS: &str = "views.sql";
/// Only the owner reads what was extracted.
const PRIVATE: u32 = 0o700;

/// A folder that this process alone writes to.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    pub manifest: Manifest,
    /// Held until it is dropped, or the process ends, however it ends.
    _lock: File,
}

/// A file of rows, by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowFile {
    /// The `_sdc_sequence` of its first row.
    pub first: i64,
    /// And of its last.
    pub last: i64,
    pub path: PathBuf,
}

impl Folder {
    /// Opens the folder, or makes one, which its owner alone can read. Files that an earlier run has not finished are removed.
    /// Without `format` it is that of the folder.
    ///
    /// # Errors
    /// When another process holds it, when it has files of another format, or cannot be written to.
    pub fn open(path: &Path, format: Option<Format>) -> Result<Self, Error> {
        if path.exists() && !path.is_dir() {
            return Err(Error::Unusable {
                path: path.to_owned(),
                problem: "it is no folder".to_owned(),
            });
        }
        let mut folder = DirBuilder::new();
        folder.recursive(true).mode(PRIVATE).create(path).at(path)?;
        let folder = Self::held(path, Some(format.unwrap_or_default()))?;
        if format.is_some_and(|format| format != folder.manifest.format) {
            return Err(Error::OtherFormat {
                path: path.to_owned(),
                held: folder.manifest.format,
            });
        }
        Ok(folder)
    }

    /// A version for full-table streams, greater than those before: milliseconds since 1970.
    pub fn next_table_version(&self, now: DateTime<Utc>) -> i64 {
        let versions = self
            .manifest
            .streams
            .values()
            .filter_map(|entry| entry.table_version);
        versions
            .map(|version| version + 1)
            .fold(now.timestamp_millis(), i64::max)
    }

    /// Opens a folder that a run has written to.
    ///
    /// # Errors
    /// As [`Folder::open`]; and when there is none.
    pub fn existing(path: &Path) -> Result<Self, Error> {
        Self::held(path, None)
    }

    /// `format` is that of a new folder.
    fn held(path: &Path, format: Option<Format>) -> Result<Self, Error> {
        let manifest_path = path.join(MANIFEST);
        if format.is_none() && !manifest_path.exists() {
            is_new(path)?;
            return Err(Error::Unusable {
                path: path.to_owned(),
                problem: format!("no run has written here: there is no {MANIFEST}"),
            });
        }
        let lock_path = path.join(LOCK);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(&lock_path).at(&lock_path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(error).at(&lock_path),
        }
        let manifest = match (fs::read(&manifest_path), format) {
            (Err(error), Some(format)) if error.kind() == ErrorKind::NotFound => {
                is_new(path)?;
                Manifest::new(format)
            }
            (text, _) => {
                Manifest::parse(&text.at(&manifest_path)?).map_err(|problem| Error::Unusable {
                    path: manifest_path,
                    problem,
                })?
            }
        };
        if !manifest.format.is_built() {
            return Err(Error::NotBuilt(path.to_owned()));
        }
        let mut folder = Self {
            path: path.to_owned(),
            manifest,
            _lock: lock,
        };
        folder.remove_unfinished()?;
        folder.remove_replaced()?;
        Ok(folder)
    }

    /// Says where the rows of a run come from.
    ///
    /// # Errors
    /// When those that are there come from elsewhere.
    pub fn bind(&mut self, source: Source) -> Result<(), Error> {
        // A first run that read nothing may have been of a mistyped address.
        let held = match self.manifest.source.take() {
            Some(held) if self.holds_something()? => held,
            _ => {
                self.manifest.source = Some(source);
                return Ok(());
            }
        };
        if !held.is_with(&source) {
            return Err(Error::OtherSource(Box::new(OtherSource {
                path: self.path.clone(),
                held,
                now: source,
            })));
        }
        self.manifest.source = Some(held.with(source));
        Ok(())
    }

    /// Whether there are rows, or a state that says that they need not be read.
    fn holds_something(&self) -> Result<bool, Error> {
        for stream in self.manifest.streams.keys() {
            if !self.files(stream)?.is_empty() {
                return Ok(true);
            }
        }
        let Some(path) = self.state() else {
            return Ok(false);
        };
        let state: Option<serde_json::Value> =
            serde_json::from_slice(&fs::read(&path).at(&path)?).ok();
        let is_empty = |state: &serde_json::Value| {
            let bookmarks = state
                .get("bookmarks")
                .and_then(serde_json::Value::as_object);
            bookmarks.is_some_and(serde_json::Map::is_empty)
        };
        Ok(!state.is_some_and(|state| is_empty(&state)))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn state_path(&self) -> PathBuf {
        self.path.join(STATE)
    }

    /// The state that a run has left, if one has.
    pub fn state(&self) -> Option<PathBuf> {
        Some(self.state_path()).filter(|path| path.exists())
    }

    pub(crate) fn write_state(&self, state: &[u8]) -> Result<(), Error> {
        atomic::replace(&self.state_path(), state)
    }

    pub(crate) fn write_views(&self, views: &str) -> Result<(), Error> {
        atomic::replace(&self.path.join(VIEWS), views.as_bytes())
    }

    pub(crate) fn write_manifest(&self) -> Result<(), Error> {
        atomic::replace(&self.path.join(MANIFEST), &self.manifest.to_bytes())
    }

    /// Where the bodies of attachments are kept.
    pub fn attachments(&self) -> Attachments {
        Attachments::new(self.path.join(ATTACHMENTS))
    }

    /// Where rows are known by that may come again.
    pub(crate) fn recent_path(&self) -> PathBuf {
        self.path.join(RECENT)
    }

    fn schema_path(&self, stream: &str) -> PathBuf {
        self.path.join(SCHEMAS).join(format!("{stream}.json"))
    }

    /// The JSON Schema of a stream's rows, as the last run has left it.
    pub(crate) fn schema(&self, stream: &str) -> Result<Option<serde_json::Value>, Error> {
        let path = self.schema_path(stream);
        match fs::read(&path) {
            Ok(text) => {
                serde_json::from_slice(&text)
                    .map(Some)
                    .map_err(|problem| Error::Unusable {
                        path,
                        problem: problem.to_string(),
                    })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).at(&path),
        }
    }

    pub(crate) fn write_schema(
        &self,
        stream: &str,
        schema: &serde_json::Value,
    ) -> Result<(), Error> {
        let path = self.schema_path(stream);
        let folder = self.path.join(SCHEMAS);
        fs::create_dir_all(&folder).at(&folder)?;
        let mut text = serde_json::to_vec_pretty(schema).expect("a schema is JSON");
        text.push(b'\n');
        atomic::replace(&path, &text)
    }

    /// Where the files of a stream are.
    pub(crate) fn stream_path(&self, stream: &str) -> PathBuf {
        self.path.join(stream)
    }

    /// The files of a stream, oldest rows first, without those that a refresh has replaced.
    pub(crate) fn files(&self, stream: &str) -> Result<Vec<RowFile>, Error> {
        let mut files = self.all_files(stream)?;
        let entry = self.manifest.streams.get(stream);
        let replaced = entry.and_then(|entry| entry.replaced_before);
        files.retain(|file| replaced.is_none_or(|replaced| file.last >= replaced));
        Ok(files)
    }

    /// Removes the files that a refresh has replaced. Where it was killed before, the next run does that.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub(crate) fn remove_replaced(&mut self) -> Result<(), Error> {
        let streams = self.manifest.streams.iter();
        let replaced =
            streams.filter_map(|(stream, entry)| Some((stream.clone(), entry.replaced_before?)));
        let replaced: Vec<_> = replaced.collect();
        if replaced.is_empty() {
            return Ok(());
        }
        for (stream, before) in replaced {
            let mut files = self.all_files(&stream)?;
            files.retain(|file| file.last < before);
            for RowFile { path, .. } in &files {
                atomic::remove(path)?;
            }
            if !files.is_empty() {
                log::info!(target: "files", "{stream}: {} files of before the full refresh are removed", files.len());
            }
            self.manifest.entry(&stream).replaced_before = None;
        }
        self.write_manifest()
    }

    fn all_files(&self, stream: &str) -> Result<Vec<RowFile>, Error> {
        let folder = self.stream_path(stream);
        let mut files = Vec::new();
        for path in entries(&folder)? {
            files.extend(RowFile::of(path, self.manifest.format));
        }
        files.sort();
        Ok(files)
    }

    /// A number that no row has yet, and that is greater than those of all rows. Microseconds since 1970, so that it is also
    /// greater than those of rows whose files were moved elsewhere.
    pub(crate) fn next_sequence(&self) -> Result<i64, Error> {
        let mut last = self.manifest.sequence;
        for stream in self.manifest.streams.keys() {
            last = self
                .all_files(stream)?
                .iter()
                .map(|file| file.last)
                .fold(last, i64::max);
        }
        let now = DateTime::<Utc>::from(SystemTime::now());
        Ok((last + 1).max(now.timestamp_micros()))
    }

    fn remove_unfinished(&self) -> Result<(), Error> {
        let streams = self
            .manifest
            .streams
            .keys()
            .map(|stream| self.stream_path(stream));
        let others = ["", SCHEMAS, ATTACHMENTS].map(|name| self.path.join(name));
        for folder in others.into_iter().chain(streams) {
            for path in entries(&folder)? {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                if name.starts_with(UNDER_CONSTRUCTION) && path.is_file() {
                    fs::remove_file(&path).at(&path)?;
                }
            }
        }
        Ok(())
    }
}

/// What a folder holds; nothing where there is none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.at(folder)?,
    };
    entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .at(folder)
}

impl RowFile {
    /// `None`: it is not one of ours.
    fn of(path: PathBuf, format: Format) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let (stem, ending) = name.split_once('.')?;
        let (first, last) = stem.split_once('-')?;
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        format
            .endings()
            .contains(&ending)
            .then_some(Self { first, last, path })
    }

    /// Names sort as the rows do.
    pub(crate) fn name(first: i64, last: i64, ending: &str) -> String {
        format!("{first:019}-{last:019}.{ending}")
    }
}

/// That a folder without a manifest has nothing else of a run: that is written first, and rows and a state without it would be
/// taken for none.
fn is_new(path: &Path) -> Result<(), Error> {
    let left = [STATE, SCHEMAS]
        .into_iter()
        .find(|name| path.join(name).exists());
    left.map_or(Ok(()), |left| {
        Err(Error::Unusable {
            path: path.to_owned(),
            problem: format!(
                "it has {left} and no {MANIFEST}; choose another folder, or restore that file"
            ),
        })
    })
}
