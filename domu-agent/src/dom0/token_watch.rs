//! Where the token is, and whether there is a new one.

use std::fmt;
use std::fs::{self, Metadata};
use std::future::pending;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use super::stored_token::{self, StoredToken};
use super::token;

/// How often the token is looked at.
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

/// Where the token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenPlace {
    /// There is none: `insecure_development`.
    Nowhere,
    /// In a file.
    File(PathBuf),
    /// In xenstore, where dom0 puts it.
    Xenstore,
}

impl fmt::Display for TokenPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => f.write_str("nowhere"),
            Self::File(path) => path.display().fmt(f),
            Self::Xenstore => write!(f, "xenstore, {}", stored_token::NODE),
        }
    }
}

/// One state of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenStamp {
    File(FileStamp),
    Xenstore(u64),
}

/// Reads the token, and knows which state of it was shown to dom0, or could not be.
#[derive(Debug)]
pub(super) struct TokenWatch {
    source: Source,
    shown: Option<TokenStamp>,
}

#[derive(Debug)]
enum Source {
    Nowhere,
    File(PathBuf),
    Xenstore(StoredToken),
}

impl TokenWatch {
    /// Begins to follow xenstore, if that is where the token is.
    pub(super) fn new(place: &TokenPlace) -> Self {
        let source = match place {
            TokenPlace::Nowhere => Source::Nowhere,
            TokenPlace::File(path) => Source::File(path.clone()),
            TokenPlace::Xenstore => Source::Xenstore(StoredToken::follow()),
        };
        Self {
            source,
            shown: None,
        }
    }

    /// The token as it is now. This state of it is done with then.
    pub(super) async fn read(&mut self) -> io::Result<Vec<u8>> {
        let (stamp, token) = match &mut self.source {
            Source::Nowhere => (None, Ok(Vec::new())),
            Source::File(path) => {
                let (stamp, token) = token::read(path);
                (stamp.map(TokenStamp::File), token)
            }
            Source::Xenstore(stored) => {
                let (stamp, token) = stored.read().await;
                (stamp.map(TokenStamp::Xenstore), token)
            }
        };
        self.shown = stamp;
        token
    }

    /// Whether there is something to show. A token that was taken away is nothing new.
    pub(super) fn is_new(&self) -> bool {
        let now = self.look();
        now.is_some() && now != self.shown
    }

    fn look(&self) -> Option<TokenStamp> {
        match &self.source {
            Source::Nowhere => None,
            Source::File(path) => {
                let metadata = fs::metadata(path).ok()?;
                Some(TokenStamp::File(FileStamp::of(&metadata)))
            }
            Source::Xenstore(stored) => stored.stamp().map(TokenStamp::Xenstore),
        }
    }

    /// Waits until the token may be another one: for ever, where only looking tells.
    pub(super) async fn changed(&mut self) {
        match &mut self.source {
            Source::Nowhere | Source::File(_) => pending().await,
            Source::Xenstore(stored) => stored.changed().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_new_when_it_comes_is_written_or_replaced_and_not_when_it_goes() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("token");
        let mut watch = TokenWatch::new(&TokenPlace::File(path.clone()));
        assert!(!watch.is_new());

        fs::write(&path, "one").expect("writable");
        assert!(watch.is_new());
        let _ = watch.read().await;
        assert!(!watch.is_new());

        fs::write(&path, "longer").expect("writable");
        assert!(watch.is_new());
        let _ = watch.read().await;

        // As long and as old as before, but another file.
        let modified = fs::metadata(&path)
            .and_then(|m| m.modified())
            .expect("there");
        let other = dir.path().join("other");
        fs::write(&other, "better").expect("writable");
        let file = fs::File::options().write(true).open(&other).expect("ours");
        file.set_modified(modified).expect("ours");
        fs::rename(&other, &path).expect("ours");
        assert!(watch.is_new());
        let _ = watch.read().await;

        fs::remove_file(&path).expect("there");
        assert!(!watch.is_new());
    }

    #[tokio::test]
    async fn without_a_token_there_is_never_anything_new() {
        let mut watch = TokenWatch::new(&TokenPlace::Nowhere);
        assert!(!watch.is_new());
        assert!(watch.read().await.expect("nothing").is_empty());
        assert!(!watch.is_new());
    }
}
