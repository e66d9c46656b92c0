//! The HV key as a file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use proto::hv::{KeyError, SoftwareHvKey};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::card::exposed_mode;

/// Where the HV key is. Read each time it signs, and not kept in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HvKeyFile {
    path: PathBuf,
    passphrase: Option<PathBuf>,
}

impl HvKeyFile {
    /// A PKCS#8 PEM file, and the file with its passphrase if it is encrypted.
    #[must_use]
    pub fn new(path: PathBuf, passphrase: Option<PathBuf>) -> Self {
        Self { path, passphrase }
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the key.
    ///
    /// # Errors
    /// [`HvKeyFileError`] when a file cannot be read, others than its owner can read it, or it holds
    /// no HV key.
    pub fn load(&self) -> Result<SoftwareHvKey, HvKeyFileError> {
        let passphrase = self.passphrase.as_deref().map(|path| {
            let in_file = |error| HvKeyFileError::Passphrase {
                path: path.to_owned(),
                source: Box::new(error),
            };
            read_secret(path).map_err(in_file)
        });
        let passphrase = passphrase.transpose()?;
        let pem = read_secret(&self.path)?;
        // The line's end is the editor's.
        let passphrase = passphrase.as_ref().map(|text| trim_line_end(text));
        Ok(SoftwareHvKey::from_pem(&pem, passphrase)?)
    }
}

fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, HvKeyFileError> {
    let file = File::open(path)?;
    if let Some(mode) = exposed_mode(&file.metadata()?) {
        return Err(HvKeyFileError::Exposed { mode });
    }
    // One allocation, so that no copy is left behind by growth.
    let mut content = Zeroizing::new(Vec::with_capacity(MAX_FILE + 1));
    file.take(MAX_FILE as u64 + 1).read_to_end(&mut content)?;
    match content.len() > MAX_FILE {
        true => Err(HvKeyFileError::TooLong),
        false => Ok(content),
    }
}

fn trim_line_end(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_suffix(b"\r").unwrap_or(text)
}

/// The longest key file that is read, in bytes; RSA of 8192 bits takes less than half.
const MAX_FILE: usize = 16 << 10;

/// Why there is no HV key to sign with. Nothing of it is in here.
#[derive(Debug, Error)]
pub enum HvKeyFileError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// Others than its owner can open it.
    #[error("can be read by others than its owner (mode {mode:03o}); run chmod 600 on it")]
    Exposed {
        /// Its permission bits.
        mode: u32,
    },
    /// Too long for a key.
    #[error("longer than {MAX_FILE} bytes")]
    TooLong,
    /// It holds no HV key, or the passphrase does not fit.
    #[error("{0}; see hv.passphrase_file if it is encrypted")]
    Key(#[from] KeyError),
    /// The file with the passphrase.
    #[error("passphrase in {}", path.display())]
    Passphrase {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<Self>,
    },
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_a_file_of_its_owner_alone_is_read_and_only_so_far() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("hv.key.pem");
        let load = || {
            HvKeyFile::new(path.clone(), None)
                .load()
                .err()
                .expect("no key")
        };
        assert!(matches!(load(), HvKeyFileError::Read(_)));
        fs::write(&path, [b'a'; MAX_FILE + 1]).expect("writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("ours");
        assert!(load().to_string().contains("mode 640"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
        assert!(matches!(load(), HvKeyFileError::TooLong));
        fs::write(&path, "no key").expect("writable");
        assert!(matches!(load(), HvKeyFileError::Key(_)));
    }

    #[test]
    fn a_passphrase_is_all_of_its_line() {
        for (file, passphrase) in [
            ("a b\n", "a b"),
            ("a \r\n", "a "),
            ("a", "a"),
            ("\n\n", "\n"),
        ] {
            assert_eq!(trim_line_end(file.as_bytes()), passphrase.as_bytes());
        }
    }
}
