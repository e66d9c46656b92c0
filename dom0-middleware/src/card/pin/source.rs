//! The PIN file.

use std::env;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use proto::card::{Pin, PinCharacters};
use thiserror::Error;
use zeroize::Zeroizing;

use super::stamp::PinStamp;

/// Where the user PIN of a card comes from. Read at each use, never kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinSource {
    /// A file whose content is the PIN, white space around it ignored.
    File(PathBuf),
}

impl PinSource {
    /// Reads the PIN, for a card that takes these characters.
    ///
    /// # Errors
    /// [`PinSourceError`] when the file cannot be read or holds no such PIN.
    pub fn read(&self, characters: PinCharacters) -> Result<OfferedPin, PinSourceError> {
        self.read_beside(credentials().as_deref(), characters)
    }

    /// The same, where systemd puts the service's credentials into this folder.
    fn read_beside(
        &self,
        credentials: Option<&Path>,
        characters: PinCharacters,
    ) -> Result<OfferedPin, PinSourceError> {
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
        // One allocation, so that no copy is left behind by growth.
        let mut content = Zeroizing::new(Vec::with_capacity(MAX_PIN_FILE + 1));
        file.take(MAX_PIN_FILE as u64 + 1)
            .read_to_end(&mut content)
            .map_err(unreadable)?;
        let no_pin = || PinSourceError::NotAPin {
            path: path.clone(),
            characters,
        };
        if content.len() > MAX_PIN_FILE {
            return Err(no_pin());
        }
        let pin = Pin::of(characters, content.trim_ascii()).map_err(|_| no_pin())?;
        let credential = credentials.and_then(|folder| path.strip_prefix(folder).ok());
        let stamp = match credential {
            Some(name) => PinStamp::of_credential(name, &content),
            None => PinStamp::of_file(&metadata),
        };
        Ok(OfferedPin { pin, stamp })
    }
}

/// Where systemd has put the credentials of this service, if it has any.
pub(crate) fn credentials() -> Option<PathBuf> {
    env::var_os(CREDENTIALS).map(PathBuf::from)
}

/// What systemd names the folder of credentials with.
pub(crate) const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

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
    /// The file does not hold a PIN of that kind.
    #[error("PIN file {path} does not hold {characters}{}", setting(*.characters), path = path.display())]
    NotAPin {
        /// Which file.
        path: PathBuf,
        /// Which characters the card takes, as the configuration says.
        characters: PinCharacters,
    },
}

/// How other characters are allowed.
fn setting(characters: PinCharacters) -> &'static str {
    match characters {
        PinCharacters::PivDigits => {
            "; a PIV token that takes other characters needs pin_characters = \"printable\", in its \
             [[profile]] or in [[hv]]"
        }
        PinCharacters::Digits | PinCharacters::Printable => "",
    }
}

#[cfg(test)]
impl OfferedPin {
    /// A PIN from no file.
    pub(crate) fn for_test(digits: &str) -> Self {
        Self {
            pin: Pin::new(digits.as_bytes()).expect("a valid PIN"),
            stamp: PinStamp::for_test(4),
        }
    }

    /// The same, written again.
    pub(crate) fn written_again(mut self) -> Self {
        self.stamp = PinStamp::for_test(5);
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
            source.read(PinCharacters::Digits),
            Err(PinSourceError::Exposed { mode: 0o640, .. })
        ));
        mode(0o600).expect("set");
        assert_eq!(
            source
                .read(PinCharacters::Digits)
                .expect("a PIN")
                .pin
                .as_bytes(),
            b"0000"
        );
        for bad in ["", "123", "123456789", "12 34", "abcd"] {
            std::fs::write(&path, bad).expect("written");
            assert!(
                matches!(
                    source.read(PinCharacters::Digits),
                    Err(PinSourceError::NotAPin { .. })
                ),
                "{bad:?}"
            );
        }
        std::fs::write(&path, vec![b' '; 100]).expect("written");
        assert!(matches!(
            source.read(PinCharacters::Digits),
            Err(PinSourceError::NotAPin { .. })
        ));
        std::fs::write(&path, "pass w0\n").expect("written");
        for (characters, expected) in [
            (PinCharacters::Digits, "does not hold 4 to 8 digits"),
            (PinCharacters::PivDigits, "does not hold 6 to 8 digits; "),
        ] {
            let said = source.read(characters).expect_err("no digits").to_string();
            assert!(said.contains(expected) && !said.contains("w0"), "{said}");
            let is_piv = characters == PinCharacters::PivDigits;
            assert_eq!(said.contains("pin_characters"), is_piv, "{said}");
        }
        let pin = source.read(PinCharacters::Printable).expect("printable");
        assert_eq!(pin.pin.as_bytes(), b"pass w0");
        std::fs::remove_file(&path).expect("removed");
        assert!(matches!(
            source.read(PinCharacters::Digits),
            Err(PinSourceError::Unreadable { .. })
        ));
    }

    #[test]
    fn a_pin_that_is_too_short_for_a_piv_card_is_not_given_out() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("pin");
        let source = PinSource::File(path.clone());
        std::fs::write(&path, "12345\n").expect("written");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("set");
        assert!(source.read(PinCharacters::Digits).is_ok());
        for characters in [PinCharacters::PivDigits, PinCharacters::Printable] {
            let no = source.read(characters).expect_err("too short");
            assert!(matches!(no, PinSourceError::NotAPin { .. }), "{no}");
        }
    }

    #[test]
    fn a_credential_that_was_only_made_anew_is_the_same() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("hv-pin");
        let source = PinSource::File(path.clone());
        let stamp = |folder: Option<&Path>, content: &str| {
            // As systemd does at each start of a service.
            let _ = std::fs::remove_file(&path);
            std::fs::write(dir.path().join("next"), content).expect("written");
            let only_ours = Permissions::from_mode(0o400);
            std::fs::set_permissions(dir.path().join("next"), only_ours).expect("set");
            std::fs::rename(dir.path().join("next"), &path).expect("renamed");
            let pin = source.read_beside(folder, PinCharacters::Digits);
            pin.expect("a PIN").stamp
        };
        let here = Some(dir.path());
        let first = stamp(here, "123456\n");
        assert_eq!(stamp(here, "123456\n"), first);
        assert_ne!(stamp(here, "654321\n"), first);
        // Whoever says that it is right after all adds an empty line.
        assert_ne!(stamp(here, "123456\n\n"), first);
        let elsewhere = Some(Path::new("/run/credentials/other.service"));
        for folder in [None, elsewhere] {
            assert_ne!(stamp(folder, "123456\n"), stamp(folder, "123456\n"));
        }
    }
}
