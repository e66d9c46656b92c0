//! The audit file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::chain::{AuditHead, Chain};
use super::event::AuditEvent;
use super::tail;
use crate::time::UnixTime;

/// Appends records, in order, all or nothing.
pub struct AuditLog {
    storage: Box<dyn Storage>,
    chain: Chain,
}

impl AuditLog {
    /// Opens the audit at `path`, creating it with mode 0600, and goes on where it ends. A line
    /// that was not finished is cut off, and that is recorded.
    ///
    /// # Errors
    /// [`AuditError`] when the file cannot be used, is in use, or is no audit.
    pub fn open(path: &Path, now: UnixTime) -> Result<Self, AuditError> {
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
        let tail = tail::read(&mut file).map_err(failed)?;
        let tail = tail.ok_or_else(|| AuditError::NotAnAudit(path.to_owned()))?;
        file.set_len(tail.whole).map_err(failed)?;
        let mut log = Self {
            storage: Box::new(AuditFile {
                file,
                length: tail.whole,
                is_torn: false,
            }),
            chain: tail.chain,
        };
        if tail.torn > 0 {
            let recovered = AuditEvent::Recovered { bytes: tail.torn };
            log.append(&recovered, now).map_err(failed)?;
        }
        Ok(log)
    }

    /// An audit that is kept in `storage`, from its first line on.
    #[must_use]
    pub fn new(storage: Box<dyn Storage>) -> Self {
        Self {
            storage,
            chain: Chain::default(),
        }
    }

    /// Writes one record.
    ///
    /// # Errors
    /// An [`io::Error`] when it was not written; the audit is then as before, and the next record
    /// may succeed.
    pub fn append(&mut self, event: &AuditEvent, now: UnixTime) -> io::Result<()> {
        let link = self.chain.link(event, now);
        self.storage.append(&link.line)?;
        self.chain = link.next;
        Ok(())
    }

    /// Waits until everything is on disk.
    ///
    /// # Errors
    /// An [`io::Error`] when that cannot be said.
    pub fn sync(&mut self) -> io::Result<()> {
        self.storage.sync()
    }

    /// The last line; `None` when there is none.
    #[must_use]
    pub fn head(&self) -> Option<AuditHead> {
        self.chain.head()
    }
}

/// Where lines are kept.
pub trait Storage: Send {
    /// Keeps one more line, or none of it.
    ///
    /// # Errors
    /// An [`io::Error`] when the line was not kept.
    fn append(&mut self, line: &[u8]) -> io::Result<()>;

    /// Waits until everything is kept for good.
    ///
    /// # Errors
    /// An [`io::Error`] when that cannot be said.
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct AuditFile {
    file: File,
    /// Length of all whole lines, in bytes.
    length: u64,
    /// Half a line may stand behind them.
    is_torn: bool,
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
}

/// Why the audit cannot be used.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The file cannot be opened, read or written.
    #[error("audit file {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process writes it.
    #[error("audit file {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The file's last line is no record.
    #[error("{} is not an audit file: move it away or name another one", .0.display())]
    NotAnAudit(PathBuf),
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use serde_json::Value;
    use sha2::{Digest, Sha256};

    use super::*;

    fn now() -> UnixTime {
        UnixTime::from_secs(1)
    }

    fn lines(path: &Path) -> Vec<Value> {
        let text = fs::read_to_string(path).expect("readable");
        let mut prev = "0".repeat(64);
        let mut lines = Vec::new();
        for (n, line) in text.lines().enumerate() {
            let value: Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(value["prev"], prev.as_str(), "line {n}");
            assert_eq!(value["seq"], n, "line {n}");
            prev = Sha256::digest(line)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            lines.push(value);
        }
        lines
    }

    #[test]
    fn the_chain_goes_on_over_a_restart() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("audit.jsonl");
        for _ in 0..3 {
            let mut log = AuditLog::open(&path, now()).expect("opened");
            log.append(&AuditEvent::ServiceStopped, now())
                .expect("written");
            log.append(&AuditEvent::ServiceStopped, now())
                .expect("written");
            log.sync().expect("synced");
        }
        assert_eq!(lines(&path).len(), 6);
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_torn_line_is_cut_off_and_recorded() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("audit.jsonl");
        let mut log = AuditLog::open(&path, now()).expect("opened");
        log.append(&AuditEvent::ServiceStopped, now())
            .expect("written");
        drop(log);
        let mut file = OpenOptions::new().append(true).open(&path).expect("opened");
        file.write_all(b"{\"seq\":1,\"ti").expect("written");
        drop(file);
        AuditLog::open(&path, now()).expect("opened again");
        let lines = lines(&path);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1]["event"], "recovered");
        assert_eq!(lines[1]["bytes"], 12);
    }

    #[test]
    fn two_processes_never_write_one_audit() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("audit.jsonl");
        let first = AuditLog::open(&path, now()).expect("opened");
        assert!(matches!(
            AuditLog::open(&path, now()),
            Err(AuditError::InUse(_))
        ));
        drop(first);
        assert!(AuditLog::open(&path, now()).is_ok());
    }

    #[test]
    fn a_file_that_is_no_audit_is_not_touched() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("notes");
        fs::write(&path, "remember the milk\n").expect("written");
        assert!(matches!(
            AuditLog::open(&path, now()),
            Err(AuditError::NotAnAudit(_))
        ));
        assert_eq!(
            fs::read_to_string(&path).expect("there"),
            "remember the milk\n"
        );
    }

    #[test]
    fn nothing_is_written_behind_half_a_line() {
        // A device that is always full and cannot be cut.
        let file = OpenOptions::new().write(true).open("/dev/full");
        let mut full = AuditFile {
            file: file.expect("every Linux has it"),
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

    /// Takes as many lines as it has room for.
    struct Full {
        room: usize,
        lines: std::sync::mpsc::Sender<Vec<u8>>,
    }

    impl Storage for Full {
        fn append(&mut self, line: &[u8]) -> io::Result<()> {
            if self.room == 0 {
                self.room = 1;
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room -= 1;
            self.lines.send(line.to_vec()).map_err(io::Error::other)
        }
    }

    #[test]
    fn a_record_that_was_not_written_leaves_no_hole() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let mut log = AuditLog::new(Box::new(Full {
            room: 1,
            lines: sender,
        }));
        log.append(&AuditEvent::ServiceStopped, now())
            .expect("room");
        assert!(log.append(&AuditEvent::ServiceStopped, now()).is_err());
        log.append(&AuditEvent::ServiceStopped, now())
            .expect("room again");
        let numbers: Vec<Value> = receiver
            .try_iter()
            .map(|line| serde_json::from_slice::<Value>(&line).expect("JSON")["seq"].clone())
            .collect();
        assert_eq!(numbers, [0, 1]);
    }
}
