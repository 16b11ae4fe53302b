//! The bodies of attachments: `DIR/attachments/<project id>/<event id>/<attachment id>`, never by a name that a client chose.

use crate::atomic::{self, Temporary};
use crate::error::{At, Error};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How many this process has begun: no two of them have one temporary file.
static BEGUN: AtomicU64 = AtomicU64::new(0);

/// Where the bodies of attachments are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachments {
    folder: PathBuf,
}

/// The body of an attachment, while it comes.
#[derive(Debug)]
pub struct Attachment {
    pub file: File,
    temporary: Temporary,
    path: PathBuf,
}

impl Attachments {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the body of an attachment belongs. `None`: an id is not one that a path can carry.
    pub fn path(&self, project: &str, event: &str, attachment: &str) -> Option<PathBuf> {
        let ids = [project, event, attachment];
        ids.iter().all(|id| is_plain(id)).then(|| {
            ids.iter()
                .fold(self.folder.clone(), |path, id| path.join(id))
        })
    }

    /// Begins the body that belongs there. `None`: it is there already.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn begin(&self, path: PathBuf) -> Result<Option<Attachment>, Error> {
        if path.exists() {
            return Ok(None);
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).at(folder)?;
        // All in one folder, where the next run finds what is left of a killed one.
        let number = BEGUN.fetch_add(1, Ordering::Relaxed);
        let temporary = Temporary::new(&self.folder, &number.to_string());
        let file = File::create(temporary.path()).at(&path)?;
        Ok(Some(Attachment {
            file,
            temporary,
            path,
        }))
    }
}

impl Attachment {
    /// The failure of a write.
    pub fn failed(&self, source: io::Error) -> Error {
        Error::Io {
            path: self.path.clone(),
            source,
        }
    }

    /// All of it has come. What is there already, whoever has written it, is not replaced.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> Result<(), Error> {
        self.file.sync_all().at(&self.path)?;
        match fs::hard_link(self.temporary.path(), &self.path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
            // Not every file system has hard links; nobody else writes here.
            Err(_) => return self.temporary.rename(&self.path),
            Ok(()) => {}
        }
        // Of the event, of the project, of attachments, and that of rows.
        let mut folders = self.path.ancestors().skip(1).take(4);
        folders.try_for_each(atomic::sync_folder)
    }
}

/// Ids are numbers, or hexadecimal with or without hyphens.
fn is_plain(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&id.len()) && id.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::io::Write;

    #[test]
    fn a_body_has_its_name_when_it_is_whole_and_replaces_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let attachments = Attachments::new(folder.path().to_owned());
        let path = attachments.path("7", "ab", "12").expect("plain ids");
        let begin = || {
            attachments
                .begin(path.clone())
                .expect("it can be written to")
        };
        let mut body = begin().expect("it is not there");
        body.file.write_all(b"half").expect("it is written");
        drop(body);
        assert!(!path.exists());
        let (mut body, mut other) = (begin().expect("still not"), begin().expect("nor now"));
        body.file.write_all(b"whole").expect("it is written");
        body.finish().expect("it is named");
        other.file.write_all(b"other").expect("it is written");
        other.finish().expect("it comes too late");
        assert_eq!(fs::read(&path).expect("it is there"), b"whole");
        assert!(begin().is_none());
        let names = fs::read_dir(path.parent().expect("a folder")).expect("it is there");
        assert_eq!(names.count(), 1);
        let names = fs::read_dir(folder.path()).expect("it is there");
        assert_eq!(names.count(), 1, "nothing else is left");
    }

    #[rstest]
    #[case("")]
    #[case("..")]
    #[case("a/b")]
    #[case("a.png")]
    fn an_id_that_is_none_is_no_path(#[case] id: &str) {
        let attachments = Attachments::new(PathBuf::from("x"));
        assert_eq!(attachments.path("7", "ab", id), None);
        assert_eq!(attachments.path(id, "ab", "1"), None);
    }
}
