//! The PIN file.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use proto::card::Pin;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

/// Where the user PIN of a card comes from. Read at each use, never kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinSource {
    /// A file whose content is the PIN's digits, white space around them ignored.
    File(PathBuf),
}

impl PinSource {
    /// Reads the PIN.
    ///
    /// # Errors
    /// [`PinSourceError`] when the file cannot be read or holds no PIN.
    pub fn read(&self) -> Result<OfferedPin, PinSourceError> {
        let Self::File(path) = self;
        let unreadable = |error: io::Error| PinSourceError::Unreadable {
            path: path.clone(),
            kind: error.kind(),
        };
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if let Some(mode) = exposed_mode(&metadata) {
            let path = path.clone();
            return Err(PinSourceError::Exposed { path, mode });
        }
        let stamp = PinStamp::of(&metadata);
        // One allocation, so that no copy is left behind by growth.
        let mut content = Zeroizing::new(Vec::with_capacity(MAX_PIN_FILE + 1));
        file.take(MAX_PIN_FILE as u64 + 1)
            .read_to_end(&mut content)
            .map_err(unreadable)?;
        if content.len() > MAX_PIN_FILE {
            return Err(PinSourceError::NotAPin { path: path.clone() });
        }
        let pin = Pin::new(content.trim_ascii());
        let pin = pin.map_err(|_| PinSourceError::NotAPin { path: path.clone() })?;
        Ok(OfferedPin { pin, stamp })
    }
}

/// The mode of a file that others than its owner can open; `None` when nobody else can.
#[must_use]
pub(crate) fn exposed_mode(metadata: &Metadata) -> Option<u32> {
    let mode = metadata.mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// A PIN as the operator gave it, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedPin {
    /// The PIN.
    pub pin: Pin,
    /// Which state of its file it was read from.
    pub stamp: PinStamp,
}

/// One state of a PIN file: another one means that the operator has written it again. Says nothing
/// of what is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinStamp {
    device: u64,
    inode: u64,
    modified_s: i64,
    modified_ns: i64,
}

impl PinStamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            modified_s: metadata.mtime(),
            modified_ns: metadata.mtime_nsec(),
        }
    }
}

/// The longest PIN file read, in bytes: a PIN has at most eight, the rest is white space.
const MAX_PIN_FILE: usize = 64;

/// Why there is no PIN to send.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PinSourceError {
    /// The file cannot be read.
    #[error("cannot read PIN file {path}: {kind}", path = path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// Others than its owner can open it.
    #[error("PIN file {path} has mode {mode:03o}: others can open it; run chmod 600 {path}", path = path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file does not hold four to eight digits.
    #[error("PIN file {path} does not hold 4 to 8 digits", path = path.display())]
    NotAPin {
        /// Which file.
        path: PathBuf,
    },
}

#[cfg(test)]
impl OfferedPin {
    /// A PIN from no file.
    pub(crate) fn for_test(digits: &str) -> Self {
        Self {
            pin: Pin::new(digits.as_bytes()).expect("a valid PIN"),
            stamp: PinStamp {
                device: 1,
                inode: 2,
                modified_s: 3,
                modified_ns: 4,
            },
        }
    }

    /// The same, written again.
    pub(crate) fn written_again(mut self) -> Self {
        self.stamp.modified_ns += 1;
        self
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_pin_file_may_end_with_a_newline_and_must_hold_digits_only() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("pin");
        let source = PinSource::File(path.clone());
        std::fs::write(&path, "0000\n").expect("written");
        let mode = |mode| std::fs::set_permissions(&path, Permissions::from_mode(mode));
        mode(0o640).expect("set");
        assert!(matches!(
            source.read(),
            Err(PinSourceError::Exposed { mode: 0o640, .. })
        ));
        mode(0o600).expect("set");
        assert_eq!(source.read().expect("a PIN").pin.as_bytes(), b"0000");
        for bad in ["", "123", "123456789", "12 34", "abcd"] {
            std::fs::write(&path, bad).expect("written");
            assert!(
                matches!(source.read(), Err(PinSourceError::NotAPin { .. })),
                "{bad:?}"
            );
        }
        std::fs::write(&path, vec![b' '; 100]).expect("written");
        assert!(matches!(source.read(), Err(PinSourceError::NotAPin { .. })));
        std::fs::remove_file(&path).expect("removed");
        assert!(matches!(
            source.read(),
            Err(PinSourceError::Unreadable { .. })
        ));
    }
}
