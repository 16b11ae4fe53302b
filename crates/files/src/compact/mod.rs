//! Few files where there were many, with the last row of each key.
//!
//! Small files are merged, and files with rows that a later one has replaced, or that are gone, are written again without
//! them; so are files that lack columns of later ones. New files have their names before old ones are removed: a reader between the two finds rows twice, of which the
//! views show one, and so does what goes on after a kill.

mod chunk;
mod lines;
pub(crate) mod mark;

use crate::atomic::{self, Temporary};
use crate::error::{At, Error};
use crate::folder::{Folder, RowFile};
use crate::format::Format;
use crate::leaves::Leaves;
use crate::row::Layout;
use crate::schema::own_columns;
use crate::views;
use chunk::{Chunks, Copy};
use rustc_hash::FxHashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::path::PathBuf;

/// Files smaller than that, on the disk, are merged.
const SMALL: u64 = 32 << 20;
/// A new file that is that large, on the disk, is ended.
const LARGE: u64 = 128 << 20;

/// What became of a stream's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compacted {
    pub stream: String,
    pub files_before: usize,
    pub files_after: usize,
    /// Rows that a later one has replaced, or that are gone.
    pub rows_removed: u64,
}

/// Compacts the files of each stream.
///
/// # Errors
/// When a file cannot be read or written. All rows are still there then.
pub fn compact(folder: &mut Folder) -> Result<Vec<Compacted>, Error> {
    let streams: Vec<_> = folder.manifest.streams.keys().cloned().collect();
    let mut all = Vec::new();
    for stream in streams {
        all.push(compact_stream(folder, &stream)?);
    }
    folder.write_manifest()?;
    folder.write_views(&views::render(folder, &[])?)?;
    Ok(all)
}

fn compact_stream(folder: &mut Folder, stream: &str) -> Result<Compacted, Error> {
    let files = folder.files(stream)?;
    let unchanged = Compacted {
        stream: stream.to_owned(),
        files_before: files.len(),
        files_after: files.len(),
        rows_removed: 0,
    };
    let entry = folder.manifest.streams[stream].clone();
    let Some(schema) = folder
        .schema(stream)?
        .filter(|_| !files.is_empty() && !entry.key_properties.is_empty())
    else {
        return Ok(unchanged);
    };
    let layout = Layout {
        stream: stream.to_owned(),
        keys: entry.key_properties,
        columns: own_columns(&schema),
        is_versioned: entry.full_table,
        format: folder.manifest.format,
        compression: folder.manifest.compression,
    };
    let mut kept = Kept::of(&files, &layout, entry.table_version)?;
    let mut old = Vec::new();
    let leaves = if entry.widened && layout.format == Format::Parquet {
        Leaves::of(&files)?
    } else {
        Leaves::default()
    };
    let mut is_needed = false;
    for (i, file) in files.iter().enumerate() {
        let is_small = fs::metadata(&file.path).at(&file.path)?.len() < SMALL;
        let is_changed = kept.removed(i) > 0 || leaves.are_fewer(i);
        if is_small || is_changed {
            old.push(i);
        }
        is_needed |= is_changed;
    }
    let rows_removed = old.iter().map(|file| kept.removed(*file)).sum();
    if old.len() <= 1 && !is_needed {
        return Ok(unchanged);
    }
    // The names of these files may be the last that tell of the greatest number.
    let greatest = files
        .iter()
        .map(|file| file.last)
        .fold(folder.manifest.sequence, i64::max);
    folder.manifest.sequence = greatest;
    folder.write_manifest()?;
    let new = rewrite(folder, &layout, &files, &old, &mut kept)?;
    let old_paths = old.iter().map(|i| files[*i].path.clone());
    let going: Vec<_> = old_paths.filter(|path| !new.contains(path)).collect();
    // What reads by the views must not miss a file that is gone.
    folder.write_views(&views::render(folder, &going)?)?;
    for path in &going {
        atomic::remove(path)?;
    }
    folder.manifest.entry(stream).widened = false;
    folder.write_manifest()?;
    Ok(Compacted {
        files_after: files.len() - old.len() + new.len(),
        rows_removed,
        ..unchanged
    })
}

/// Which rows of which files are kept.
struct Kept {
    /// The file of each row that is kept, by `_sdc_sequence`.
    files: FxHashMap<i64, usize>,
    /// How many rows of each file are not kept.
    removed: Vec<u64>,
}

impl Kept {
    fn of(files: &[RowFile], layout: &Layout, version: Option<i64>) -> Result<Self, Error> {
        let mut last: FxHashMap<u128, (i64, usize)> = FxHashMap::default();
        let mut removed = vec![0; files.len()];
        for (i, file) in files.iter().enumerate() {
            for chunk in Chunks::keys(&file.path, layout)? {
                for mark in chunk?.marks(layout, &file.path)? {
                    if mark.table_version < version {
                        removed[i] += 1;
                        continue;
                    }
                    match last.entry(mark.key) {
                        Entry::Vacant(entry) => {
                            entry.insert((mark.sequence, i));
                        }
                        Entry::Occupied(mut entry) if entry.get().0 < mark.sequence => {
                            removed[entry.insert((mark.sequence, i)).1] += 1;
                        }
                        Entry::Occupied(_) => removed[i] += 1,
                    }
                }
            }
        }
        Ok(Self {
            files: last.into_values().collect(),
            removed,
        })
    }

    fn removed(&self, file: usize) -> u64 {
        self.removed[file]
    }

    /// Whether the row of this file is kept; each is once.
    fn take(&mut self, sequence: i64, file: usize) -> bool {
        self.files.get(&sequence) == Some(&file) && self.files.remove(&sequence).is_some()
    }
}

/// Writes what is kept of the old files to new ones, which have their names then.
fn rewrite(
    folder: &Folder,
    layout: &Layout,
    files: &[RowFile],
    old: &[usize],
    kept: &mut Kept,
) -> Result<Vec<PathBuf>, Error> {
    struct Open {
        copy: Copy,
        temporary: Temporary,
        first: i64,
        last: i64,
    }
    let path = folder.stream_path(&layout.stream);
    let ending = layout.format.ending(layout.compression);
    let mut new = Vec::new();
    let mut open: Option<Open> = None;
    for i in old {
        for chunk in Chunks::whole(&files[*i].path, layout)? {
            let chunk = chunk?;
            let sequences = chunk.sequences(&files[*i].path)?;
            let keep: Vec<bool> = sequences
                .iter()
                .map(|sequence| kept.take(*sequence, *i))
                .collect();
            let of_kept = || {
                sequences
                    .iter()
                    .zip(&keep)
                    .filter_map(|(one, keep)| keep.then_some(*one))
            };
            let (Some(first), Some(last)) = (of_kept().min(), of_kept().max()) else {
                continue;
            };
            let file = match &mut open {
                Some(file) => file,
                none => {
                    let temporary = Temporary::new(&path, &format!("compact-{first}"));
                    none.insert(Open {
                        copy: Copy::create(temporary.path(), layout)?,
                        temporary,
                        first,
                        last,
                    })
                }
            };
            file.copy.append(&chunk, &keep)?;
            (file.first, file.last) = (file.first.min(first), file.last.max(last));
            if file.copy.size()? >= LARGE
                && let Some(file) = open.take()
            {
                file.copy.finish()?;
                new.push((file.temporary, RowFile::name(file.first, file.last, ending)));
            }
        }
    }
    if let Some(file) = open {
        file.copy.finish()?;
        new.push((file.temporary, RowFile::name(file.first, file.last, ending)));
    }
    let mut named = Vec::new();
    for (temporary, name) in new {
        temporary.rename(&path.join(&name))?;
        named.push(path.join(name));
    }
    Ok(named)
}
