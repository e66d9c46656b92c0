//! The file of the key.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use zeroize::Zeroizing;

use super::key::{ChannelKey, KeyAlgorithm, KeyError, generate};

/// The longest file that is read, in bytes; a key has a few hundred.
const MAX_FILE: usize = 8_192;
const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";
/// Characters in a line of PEM (RFC 7468 §2).
const LINE: usize = 64;

/// Reads a key.
///
/// # Errors
/// [`KeyFileError`], with the path and what to do.
pub(crate) fn read(path: &Path) -> Result<ChannelKey, KeyFileError> {
    let failed = |problem| KeyFileError {
        path: path.to_owned(),
        problem,
    };
    let pem = read_private(path).map_err(failed)?;
    let pkcs8 = decode(&pem).ok_or_else(|| failed(Problem::Key(KeyError::NoKey)))?;
    ChannelKey::from_pkcs8(&pkcs8).map_err(|error| failed(Problem::Key(error)))
}

/// Makes a key in a new file, mode 0600; nothing is ever overwritten.
///
/// # Errors
/// [`KeyFileError`], of the kind [`io::ErrorKind::AlreadyExists`] when there is a file.
pub(crate) fn create(path: &Path, algorithm: KeyAlgorithm) -> Result<ChannelKey, KeyFileError> {
    let failed = |problem| KeyFileError {
        path: path.to_owned(),
        problem,
    };
    let pkcs8 = generate(algorithm).map_err(|error| failed(Problem::Key(error)))?;
    let key = ChannelKey::from_pkcs8(&pkcs8).map_err(|error| failed(Problem::Key(error)))?;
    write_new(path, &encode(&pkcs8)).map_err(|error| failed(Problem::Io(error)))?;
    Ok(key)
}

fn write_new(path: &Path, pem: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let written = file
        .write_all(pem.as_bytes())
        .and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a key is in the way of the next attempt.
        let _ = std::fs::remove_file(path);
    }
    written
}

fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let file = File::open(path)?;
    let mode = file.metadata()?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Problem::Exposed { mode });
    }
    // One allocation, so that no copy is left behind by growth.
    let mut content = Zeroizing::new(Vec::with_capacity(MAX_FILE));
    file.take(MAX_FILE as u64).read_to_end(&mut content)?;
    Ok(content)
}

/// The content of the first block `PRIVATE KEY`.
fn decode(pem: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let pem = str::from_utf8(pem).ok()?;
    let mut lines = pem.lines().map(str::trim_end);
    lines.find(|line| *line == BEGIN)?;
    let mut base64 = Zeroizing::new(String::with_capacity(pem.len()));
    for line in lines {
        if line == END {
            return BASE64_STANDARD
                .decode(base64.as_bytes())
                .ok()
                .map(Zeroizing::new);
        }
        base64.push_str(line);
    }
    None
}

fn encode(pkcs8: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(BASE64_STANDARD.encode(pkcs8));
    let length = BEGIN.len() + END.len() + 3 + base64.len() + base64.len() / LINE + 1;
    let mut pem = Zeroizing::new(String::with_capacity(length));
    pem.push_str(BEGIN);
    for (at, character) in base64.chars().enumerate() {
        if at % LINE == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    for part in ["\n", END, "\n"] {
        pem.push_str(part);
    }
    pem
}

/// Why a file gives no key.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub(crate) struct KeyFileError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("can be read by others than its owner (mode {mode:03o}); run chmod 600 on it")]
    Exposed { mode: u32 },
    #[error("{0}")]
    Key(KeyError),
}

impl KeyFileError {
    /// Whether there is no such file.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(&self.problem, Problem::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }

    /// Whether there is a file already.
    pub(crate) fn is_there_already(&self) -> bool {
        matches!(&self.problem, Problem::Io(error) if error.kind() == io::ErrorKind::AlreadyExists)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_key_is_its_owners_alone_and_is_read_back() {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, algorithm) in [("e", KeyAlgorithm::Ed25519), ("p", KeyAlgorithm::P256)] {
            let path = dir.path().join(name);
            let made = create(&path, algorithm).expect("new");
            let mode = fs::metadata(&path).expect("there").permissions().mode();
            assert_eq!(mode & 0o7777, 0o600);
            let read = read(&path).expect("good");
            assert_eq!(read.public(), made.public());
            let text = fs::read_to_string(&path).expect("there");
            assert!(text.lines().all(|line| line.len() <= LINE), "{algorithm:?}");
            assert!(format!("{made:?}").contains("SHA256:"));

            let again = create(&path, algorithm).expect_err("there already");
            assert!(again.is_there_already(), "{again}");
            assert_eq!(fs::read_to_string(&path).expect("there"), text);
        }
    }

    #[test]
    fn files_that_others_can_read_and_files_of_something_else_are_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("channel.key.pem");
        assert!(read(&path).expect_err("none").is_missing());
        create(&path, KeyAlgorithm::Ed25519).expect("new");
        for mode in [0o640, 0o604, 0o610] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("ours");
            let error = read(&path).expect_err("exposed").to_string();
            assert!(
                error.contains("chmod 600") && error.contains("channel.key.pem"),
                "{error}"
            );
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
        let other = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("P-384");
        for (content, words) in [
            (String::new(), "not a private key"),
            (
                "-----BEGIN PRIVATE KEY-----\n".to_owned(),
                "not a private key",
            ),
            (other.serialize_pem(), "Ed25519 or P-256"),
        ] {
            fs::write(&path, content).expect("writable");
            let error = read(&path).expect_err("no key").to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
