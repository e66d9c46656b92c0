//! The files of one audit: the one that is written, and those before it.
//!
//! `audit.jsonl` is written; `audit.jsonl.1` ends where it begins, `audit.jsonl.2` where that one
//! does. A rotation does the following, and whatever it is interrupted at, the chain is whole and
//! [`repair`] makes the folder as it must be:
//!
//! 1. the next file is written as `audit.jsonl.new`, with its first line, and synced;
//! 2. old files move up by one, the last first; the oldest goes when there are too many;
//! 3. `audit.jsonl` becomes `audit.jsonl.1` too;
//! 4. `audit.jsonl.new` takes the place of `audit.jsonl`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How large the file may grow, and how many old ones are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes of one file; a checkpoint's worth more in practice.
    pub max_bytes: u64,
    /// How many old files are kept, at least one.
    pub keep: u32,
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            keep: 8,
        }
    }
}

/// The old files of the audit at `path`, the newest first, with their numbers. Numbers may be
/// missing. A second name of the file itself is none of them.
///
/// # Errors
/// An [`io::Error`] when the folder cannot be read.
pub(crate) fn old_files(path: &Path) -> io::Result<Vec<(u32, PathBuf)>> {
    let Some(name) = path.file_name() else {
        return Ok(Vec::new());
    };
    let current = fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
    let mut prefix = name.to_owned();
    prefix.push(".");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder(path))? {
        let entry = entry?;
        let Some(number) = number_of(&entry.file_name(), &prefix) else {
            continue;
        };
        let meta = entry.metadata()?;
        if Some((meta.dev(), meta.ino())) != current {
            files.push((number, entry.path()));
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// `12` of `audit.jsonl.12`.
fn number_of(name: &OsString, prefix: &OsString) -> Option<u32> {
    let name = name.to_str()?.strip_prefix(prefix.to_str()?)?;
    let number: u32 = name.parse().ok()?;
    (number > 0 && number.to_string() == name).then_some(number)
}

/// The name of an old file.
pub(super) fn numbered(path: &Path, number: u32) -> PathBuf {
    with_suffix(path, &number.to_string())
}

/// The name of a file that is not in its place yet.
pub(super) fn next_file(path: &Path) -> PathBuf {
    with_suffix(path, "new")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Puts `path.new` in the place of `path`, which becomes the newest of the old files.
pub(super) fn replace(path: &Path, keep: u32) -> io::Result<()> {
    make_room(path, keep)?;
    fs::hard_link(path, numbered(path, 1))?;
    fs::rename(next_file(path), path)?;
    sync_folder(path)
}

/// Frees the number 1; files beyond `keep` go.
fn make_room(path: &Path, keep: u32) -> io::Result<()> {
    let files = old_files(path)?;
    // Only those in an unbroken row from 1 have to move.
    let row = (1..).zip(&files);
    let row: Vec<u32> = row
        .take_while(|(n, (number, _))| n == number)
        .map(|(n, _)| n)
        .collect();
    for number in row.into_iter().rev() {
        if number < keep {
            fs::rename(numbered(path, number), numbered(path, number + 1))?;
        }
    }
    for (number, file) in files {
        if number > keep {
            fs::remove_file(file)?;
        }
    }
    // With one old file to be kept it is still there.
    match fs::remove_file(numbered(path, 1)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Ends what an interrupted rotation has left half done. Only for who has the file locked.
pub(super) fn repair(path: &Path) -> io::Result<()> {
    let gone = |result: io::Result<()>| match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    gone(fs::remove_file(next_file(path)))?;
    let first = numbered(path, 1);
    if is_same_file(path, &first) {
        gone(fs::remove_file(&first))?;
    }
    for (n, (number, file)) in (1..).zip(old_files(path)?) {
        if n != number {
            fs::rename(file, numbered(path, n))?;
        }
    }
    sync_folder(path)
}

/// Whether two names mean one file.
pub(super) fn is_same_file(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
    id(one).is_some_and(|one| Some(one) == id(other))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(path: &Path) -> Vec<u32> {
        let files = old_files(path).expect("readable");
        files.into_iter().map(|(number, _)| number).collect()
    }

    #[test]
    fn only_numbers_are_old_files() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("audit");
        for name in [
            "audit",
            "audit.2",
            "audit.10",
            "audit.new",
            "audit.01",
            "audit.0",
            "audit.x",
            "other.1",
        ] {
            fs::write(dir.path().join(name), name).expect("written");
        }
        assert_eq!(numbers(&path), [2, 10]);
    }

    #[test]
    fn the_oldest_goes_only_beyond_those_to_be_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("audit");
        fs::write(&path, "0").expect("written");
        for round in 1..=5 {
            fs::write(next_file(&path), round.to_string()).expect("written");
            replace(&path, 3).expect("replaced");
            let kept: Vec<u32> = (1..=round.min(3)).collect();
            assert_eq!(numbers(&path), kept, "round {round}");
        }
        let contents = |number| fs::read_to_string(numbered(&path, number)).expect("there");
        assert_eq!([1, 2, 3].map(contents), ["4", "3", "2"]);
        // Fewer are to be kept from now on.
        fs::write(next_file(&path), "6").expect("written");
        replace(&path, 1).expect("replaced");
        assert_eq!(numbers(&path), [1]);
        assert_eq!(contents(1), "5");
    }

    #[test]
    fn gaps_and_leftovers_are_repaired() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("audit");
        fs::write(&path, "now").expect("written");
        fs::hard_link(&path, numbered(&path, 1)).expect("linked");
        for number in [2, 5] {
            fs::write(numbered(&path, number), number.to_string()).expect("written");
        }
        fs::write(next_file(&path), "half").expect("written");
        assert_eq!(numbers(&path), [2, 5], "its second name is no old file");
        repair(&path).expect("repaired");
        assert_eq!(numbers(&path), [1, 2]);
        assert_eq!(fs::read_to_string(numbered(&path, 2)).expect("there"), "5");
        assert!(!next_file(&path).exists());
    }
}
