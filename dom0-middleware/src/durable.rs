//! Small files that are replaced as a whole and are on disk when that returns.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest file that is read, in bytes.
const MAX_FILE: usize = 1 << 20;

/// Replaces the file at `path`, mode 0600, by `content` as JSON, in one step.
///
/// # Errors
/// An [`io::Error`]; the file is then as it was.
pub(crate) fn replace(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let mut name = path.to_owned().into_os_string();
    name.push(".new");
    let new = PathBuf::from(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(&serde_json::to_vec(content)?)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// Reads such a file; `None` when there is none.
///
/// # Errors
/// An [`io::Error`], of kind [`io::ErrorKind::InvalidData`] for a file with something else in it.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut text = Vec::new();
    file.take(MAX_FILE as u64 + 1).read_to_end(&mut text)?;
    if text.len() > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "too long"));
    }
    let content = serde_json::from_slice(&text);
    content
        .map(Some)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_was_written_is_read_and_is_its_owners_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.json");
        assert_eq!(read::<Vec<u8>>(&path).expect("nothing there"), None);
        replace(&path, &vec![1_u8, 2]).expect("written");
        replace(&path, &vec![3_u8]).expect("written again");
        assert_eq!(read(&path).expect("there"), Some(vec![3_u8]));
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_something_else_is_an_error() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.json");
        let long = vec![b'['; MAX_FILE + 1];
        for content in [b"".as_slice(), b"hello", b"[300]", &long] {
            fs::write(&path, content).expect("written");
            let error = read::<Vec<u8>>(&path).expect_err("no such thing");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }
}
