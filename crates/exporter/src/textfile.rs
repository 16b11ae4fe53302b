//! A file of metrics for `node_exporter`'s textfile collector, which is never seen half written.

use std::fs::Permissions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file that is replaced whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFile(PathBuf);

/// Why a file was not written; the one before stays.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct TextFileError {
    path: PathBuf,
    source: io::Error,
}

impl TextFile {
    /// # Errors
    /// When `node_exporter` would pass the file over.
    pub fn new(path: PathBuf) -> Result<Self, &'static str> {
        let has_name = path.file_stem().is_some_and(|stem| !stem.is_empty());
        if has_name && path.extension().is_some_and(|end| end == "prom") {
            Ok(Self(path))
        } else {
            Err("must end in .prom: node_exporter reads no other file")
        }
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Puts the text in the file's place: what reads it sees the text before or this one, and nothing between.
    ///
    /// # Errors
    /// When there is no such folder, or it cannot be written to.
    pub fn replace(&self, text: &str) -> Result<(), TextFileError> {
        self.written(text).map_err(|source| TextFileError {
            path: self.0.clone(),
            source,
        })
    }

    fn written(&self, text: &str) -> io::Result<()> {
        let folder = match self.0.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        // In the same folder, so that it can take the place; with another ending, so that it is not read.
        let mut new = tempfile::Builder::new()
            .prefix(".sentry-exporter-")
            .suffix(".tmp")
            .tempfile_in(folder)?;
        new.write_all(text.as_bytes())?;
        // node_exporter is another user, whatever the umask of this one.
        if let Some(readable) = readable() {
            new.as_file().set_permissions(readable)?;
        }
        new.as_file().sync_all()?;
        new.persist(&self.0).map_err(|error| error.error)?;
        Ok(())
    }
}

#[cfg(unix)]
#[expect(
    clippy::unnecessary_wraps,
    reason = "other systems have no such permissions"
)]
fn readable() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable() -> Option<Permissions> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("sentry.prom", true)]
    #[case("/var/lib/node_exporter/sentry.prom", true)]
    #[case("sentry.txt", false)]
    #[case("sentry.prom.tmp", false)]
    #[case("sentry", false)]
    #[case(".prom", false)]
    fn only_what_node_exporter_reads(#[case] path: &str, #[case] good: bool) {
        assert_eq!(TextFile::new(path.into()).is_ok(), good);
    }

    #[test]
    fn a_file_is_replaced_whole_and_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sentry.prom");
        let file = TextFile::new(path.clone()).expect("a name");
        for text in ["a 1\n", "a 2\n"] {
            file.replace(text).expect("written");
            assert_eq!(std::fs::read_to_string(&path).expect("a file"), text);
        }
        let files = std::fs::read_dir(folder.path()).expect("a folder");
        assert_eq!(files.count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path)
                .expect("a file")
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o644);
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("nowhere").join("sentry.prom");
        let error = TextFile::new(path.clone())
            .expect("a name")
            .replace("a 1\n")
            .expect_err("no folder");
        assert!(error.to_string().contains(&path.display().to_string()));
    }

    #[test]
    fn what_cannot_take_the_place_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sentry.prom");
        std::fs::create_dir(&path).expect("a folder in its place");
        assert!(
            TextFile::new(path)
                .expect("a name")
                .replace("a 1\n")
                .is_err()
        );
        let left = std::fs::read_dir(folder.path()).expect("a folder");
        assert_eq!(left.count(), 1);
    }
}
