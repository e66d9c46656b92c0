//! Whether there is a new token.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

/// How often the token's file is looked at.
pub(super) const LOOK: Duration = Duration::from_secs(2);

/// One state of a file: another one means that it was written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileStamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl FileStamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// Knows which state of the token's file was shown to dom0, or could not be.
#[derive(Debug)]
pub(super) struct TokenWatch {
    path: Option<PathBuf>,
    shown: Option<FileStamp>,
}

impl TokenWatch {
    pub(super) const fn new(path: Option<PathBuf>) -> Self {
        Self { path, shown: None }
    }

    /// This state is done with.
    pub(super) const fn on_shown(&mut self, stamp: Option<FileStamp>) {
        self.shown = stamp;
    }

    /// The state of the file now.
    pub(super) fn look(&self) -> Option<FileStamp> {
        let metadata = fs::metadata(self.path.as_ref()?).ok()?;
        Some(FileStamp::of(&metadata))
    }

    /// Whether there is something to show. A file that was taken away is nothing new.
    pub(super) fn is_new(&self, now: Option<FileStamp>) -> bool {
        now.is_some() && now != self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_new_when_it_comes_is_written_or_replaced_and_not_when_it_goes() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("token");
        let mut watch = TokenWatch::new(Some(path.clone()));
        assert!(!watch.is_new(watch.look()));

        fs::write(&path, "one").expect("writable");
        assert!(watch.is_new(watch.look()));
        watch.on_shown(watch.look());
        assert!(!watch.is_new(watch.look()));

        fs::write(&path, "longer").expect("writable");
        assert!(watch.is_new(watch.look()));
        watch.on_shown(watch.look());

        // As long and as old as before, but another file.
        let modified = fs::metadata(&path)
            .and_then(|m| m.modified())
            .expect("there");
        let other = dir.path().join("other");
        fs::write(&other, "better").expect("writable");
        let file = fs::File::options().write(true).open(&other).expect("ours");
        file.set_modified(modified).expect("ours");
        fs::rename(&other, &path).expect("ours");
        assert!(watch.is_new(watch.look()));
        watch.on_shown(watch.look());

        fs::remove_file(&path).expect("there");
        assert!(!watch.is_new(watch.look()));
    }

    #[test]
    fn without_a_file_there_is_never_anything_new() {
        let watch = TokenWatch::new(None);
        assert!(!watch.is_new(watch.look()));
    }
}
