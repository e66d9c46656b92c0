//! The audit's file: opened, appended to, replaced by another.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::chain::Chain;
use super::log::{AuditError, Storage, Syncer};
use super::rotation::{self, Rotation};
use super::tail;

/// The file that is written.
pub(super) struct AuditFile {
    path: PathBuf,
    file: File,
    /// How many old files are kept.
    keep: u32,
    /// Length of all whole lines, in bytes.
    length: u64,
    /// Half a line may stand behind them.
    is_torn: bool,
}

/// What was found in a file.
pub(super) struct Found {
    pub(super) file: AuditFile,
    /// What the next line must say.
    pub(super) chain: Chain,
    /// Bytes of a line that was not finished; they were cut off.
    pub(super) torn: u64,
    /// Whether the file has no line yet, although there are old ones.
    pub(super) begins_anew: bool,
}

impl AuditFile {
    /// Opens the file at `path`, creating it with mode 0600, for this process alone.
    pub(super) fn open(path: &Path, rotation: Rotation) -> Result<Found, AuditError> {
        let failed = |source| AuditError::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(AuditError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // Between the two another process may have put another file there.
        let (ours, there) = (
            file.metadata().map_err(failed)?,
            fs::metadata(path).map_err(failed)?,
        );
        if (ours.dev(), ours.ino()) != (there.dev(), there.ino()) {
            return Err(AuditError::InUse(path.to_owned()));
        }
        let not_an_audit = |path: &Path| AuditError::NotAnAudit(path.to_owned());
        let tail = tail::read(&mut file).map_err(failed)?;
        let tail = tail.ok_or_else(|| not_an_audit(path))?;
        if ours.is_file() {
            rotation::repair(path).map_err(failed)?;
            file.set_len(tail.whole).map_err(failed)?;
        }
        let mut chain = tail.chain;
        let mut begins_anew = false;
        if tail.whole == 0
            && let Some((_, newest)) = rotation::old_files(path).map_err(failed)?.first()
        {
            let mut newest_file = File::open(newest).map_err(failed)?;
            let before = tail::read(&mut newest_file).map_err(failed)?;
            chain = before.ok_or_else(|| not_an_audit(newest))?.chain;
            begins_anew = true;
        }
        let file = Self {
            path: path.to_owned(),
            file,
            keep: rotation.keep,
            length: tail.whole,
            is_torn: false,
        };
        Ok(Found {
            file,
            chain,
            torn: tail.torn,
            begins_anew,
        })
    }

    fn next_file(&self, line: &[u8]) -> io::Result<File> {
        let next = rotation::next_file(&self.path);
        match fs::remove_file(&next) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&next)?;
        // Whoever opens it once it is in its place finds it locked.
        file.try_lock().map_err(io::Error::from)?;
        file.write_all(line)?;
        file.sync_all()?;
        Ok(file)
    }
}

impl Storage for AuditFile {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        // Half a line would break the chain for good: nothing is written behind one.
        if self.is_torn {
            self.file.set_len(self.length)?;
            self.is_torn = false;
        }
        let written = self.file.write_all(line);
        match written {
            Ok(()) => self.length += line.len() as u64,
            Err(_) => self.is_torn = self.file.set_len(self.length).is_err(),
        }
        written
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn syncer(&self) -> io::Result<Syncer> {
        let file = self.file.try_clone()?;
        Ok(Box::new(move || file.sync_data()))
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn rotate(&mut self, first_line: &[u8]) -> io::Result<()> {
        let next = self.next_file(first_line);
        let replaced = next.and_then(|file| {
            rotation::replace(&self.path, self.keep)?;
            Ok(file)
        });
        match replaced {
            Ok(file) => {
                self.file = file;
                self.length = first_line.len() as u64;
                self.is_torn = false;
                Ok(())
            }
            Err(error) => {
                // What is there is whole; the next start removes what is left over.
                let _ = rotation::repair(&self.path);
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_behind_half_a_line() {
        // A device that is always full and cannot be cut.
        let file = OpenOptions::new().write(true).open("/dev/full");
        let mut full = AuditFile {
            path: PathBuf::new(),
            file: file.expect("every Linux has it"),
            keep: 1,
            length: 0,
            is_torn: false,
        };
        assert!(full.append(b"line\n").is_err());
        assert!(full.is_torn);
        // The disk has room again, but the half line is still there.
        full.file = OpenOptions::new()
            .write(true)
            .open("/dev/null")
            .expect("there");
        assert!(full.append(b"line\n").is_err());
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("audit");
        fs::write(&path, "whole\nhal").expect("written");
        full.file = OpenOptions::new().append(true).open(&path).expect("there");
        full.length = 6;
        full.append(b"line\n").expect("it can be cut now");
        assert_eq!(fs::read_to_string(&path).expect("there"), "whole\nline\n");
    }
}
