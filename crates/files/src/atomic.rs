//! Files that are replaced whole: what reads them sees the old or the new content, also after a crash.

use crate::error::{At, Error};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What names of files under construction begin with. No pattern of a reader such as `*.parquet` matches them.
pub(crate) const UNDER_CONSTRUCTION: &str = ".tmp-";

/// The name of a file until it is whole. The file is removed when this is dropped before: where a disk is full, what is left of
/// a failure must not stay there.
#[derive(Debug)]
pub(crate) struct Temporary {
    path: PathBuf,
    is_renamed: bool,
}

impl Temporary {
    /// For a file that will be called `name` in the folder, or that has something to do with that name.
    pub fn new(folder: &Path, name: &str) -> Self {
        Self {
            path: folder.join(format!("{UNDER_CONSTRUCTION}{name}")),
            is_renamed: false,
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives a whole file its name, for good.
    pub fn rename(mut self, to: &Path) -> Result<(), Error> {
        fs::rename(&self.path, to).at(to)?;
        self.is_renamed = true;
        sync_folder(to.parent().unwrap_or(Path::new(".")))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_renamed {
            // There may be none yet; and what cannot be removed is removed by the next run.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Replaces the file, unless it has this content already.
///
/// # Errors
/// When it cannot be written. It has its old content then.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let (folder, name) = (path.parent(), path.file_name());
    let name = name.unwrap_or_default().to_string_lossy();
    let temporary = Temporary::new(folder.unwrap_or(Path::new(".")), &name);
    File::create(temporary.path())
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .at(path)?;
    temporary.rename(path)
}

/// Removes a file for good.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    fs::remove_file(path).at(path)?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Names of a folder are on the disk only after that.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), Error> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .at(folder)
}
