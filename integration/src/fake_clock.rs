//! A calendar for one program that a test sets as it likes, by Debian's `libfaketime`.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::pki;

/// The calendar. The monotonic clock goes on as it is.
#[derive(Debug)]
pub struct FakeClock {
    library: PathBuf,
    folder: TempDir,
}

impl FakeClock {
    /// A clock that is right; `None` where the library is not installed, which is then said.
    ///
    /// # Panics
    /// When no file can be written.
    #[must_use]
    pub fn new() -> Option<Self> {
        let Some(library) = library() else {
            eprintln!("NOT TESTED: no libfaketime here: make deps");
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = Self { library, folder };
        clock.set("+0");
        Some(clock)
    }

    /// Sets it: `+3600` is an hour ahead, `-2d` two days behind.
    ///
    /// # Panics
    /// When no file can be written.
    pub fn set(&self, offset: &str) {
        // In one step: the program may look at any time.
        let next = pki::write(self.folder.path(), "next", &format!("{offset}\n"));
        fs::rename(next, self.file()).expect("one folder");
    }

    /// The command, with its first arguments, that starts a program with this clock.
    #[must_use]
    pub fn starter(&self) -> Vec<String> {
        vec![
            "env".to_owned(),
            format!("LD_PRELOAD={}", self.library.display()),
            format!("FAKETIME_TIMESTAMP_FILE={}", self.file().display()),
            "FAKETIME_NO_CACHE=1".to_owned(),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
        ]
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("clock")
    }
}

fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?;
    let mut libraries = folders.filter_map(|folder| {
        let path = folder
            .ok()?
            .path()
            .join(Path::new("faketime/libfaketimeMT.so.1"));
        path.is_file().then_some(path)
    });
    libraries.next()
}
