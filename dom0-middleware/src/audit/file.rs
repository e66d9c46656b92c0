//! The audit's file: opened, appended to, replaced by another.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    disk: Disk,
}

/// What brings the file to disk on other threads.
struct Disk {
    /// The file, opened by itself: the kernel tells of a write that failed once for each opening, and what
    /// one thread is told must not be kept from another.
    file: File,
    /// Some line has not reached the disk. The kernel does not try again, and does not say so again.
    has_failed: Arc<AtomicBool>,
}

impl Disk {
    /// The file at `path`, which is `file`.
    fn open(path: &Path, file: &File) -> io::Result<Self> {
        let again = File::open(path)?;
        let (ours, there) = (file.metadata()?, again.metadata()?);
        if (ours.dev(), ours.ino()) != (there.dev(), there.ino()) {
            return Err(io::Error::other("another file was put in its place"));
        }
        Ok(Self {
            file: again,
            has_failed: Arc::default(),
        })
    }
}

/// Waits until `file` is on disk, if nothing of it was ever lost on the way.
fn sync(file: &File, has_failed: &AtomicBool) -> io::Result<()> {
    if has_failed.load(Ordering::Acquire) {
        return Err(io::Error::other(
            "lines that were written before have not reached the disk: see to the disk, then restart \
             the service",
        ));
    }
    let synced = file.sync_data();
    if synced.is_err() {
        has_failed.store(true, Ordering::Release);
    }
    synced
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
            disk: Disk::open(path, &file).map_err(failed)?,
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

    fn next_file(&self, line: &[u8]) -> io::Result<(File, Disk)> {
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
        let disk = Disk::open(&next, &file)?;
        Ok((file, disk))
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
        sync(&self.file, &self.disk.has_failed)
    }

    fn syncer(&self) -> io::Result<Syncer> {
        let file = self.disk.file.try_clone()?;
        let has_failed = Arc::clone(&self.disk.has_failed);
        Ok(Box::new(move || sync(&file, &has_failed)))
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn rotate(&mut self, first_line: &[u8]) -> io::Result<()> {
        let next = self.next_file(first_line);
        let replaced = next.and_then(|next| {
            rotation::replace(&self.path, self.keep)?;
            Ok(next)
        });
        match replaced {
            Ok((file, disk)) => {
                self.file = file;
                self.disk = disk;
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
        let disk = Disk {
            file: File::open("/dev/full").expect("every Linux has it"),
            has_failed: Arc::default(),
        };
        let mut full = AuditFile {
            path: PathBuf::new(),
            disk,
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

    #[test]
    fn what_did_not_reach_the_disk_once_is_never_said_to_be_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("audit");
        let found = AuditFile::open(&path, Rotation::default()).expect("opened");
        let mut audit = found.file;
        audit.append(b"line\n").expect("room");
        let before = audit.syncer().expect("a syncer");
        before().expect("on disk");
        audit.sync().expect("on disk");
        let later = audit.syncer().expect("a syncer");
        // A device cannot be synced, nor can a disk that has failed.
        audit.disk.file = File::open("/dev/null").expect("every Linux has it");
        let failing = audit.syncer().expect("a syncer");
        assert!(failing().is_err());
        for synced in [later(), audit.sync()] {
            let error = synced.expect_err("a line may be missing").to_string();
            assert!(error.contains("restart the service"), "{error}");
        }
        // Another file begins anew.
        audit.rotate(b"first\n").expect("another file");
        audit.sync().expect("on disk");
        let syncer = audit.syncer().expect("a syncer");
        syncer().expect("on disk");
    }
}
