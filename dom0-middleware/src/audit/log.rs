//! The audit: records in, lines out, checkpoints and new files in between.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use thiserror::Error;
use tracing::warn;

use super::chain::{AuditHead, Chain};
use super::checkpoint::{PERIOD, RECORDS, Signing};
use super::event::AuditEvent;
use super::file::{AuditFile, Found};
use super::records::CheckpointReason;
use super::rotation::Rotation;
use super::verify::MAX_LINE;
use crate::channel_key::CheckpointSigner;
use crate::hex::hex;
use crate::time::{Now, UnixTime};

/// Appends records, in order, all or nothing.
pub struct AuditLog {
    storage: Box<dyn Storage>,
    chain: Chain,
    signing: Signing,
    /// Records since the last checkpoint.
    unsigned: u64,
    /// When the next checkpoint is due whatever happens; `None` before the first.
    next_checkpoint: Option<Instant>,
    /// The length at which another file begins, in bytes.
    max_bytes: u64,
    rotate_at: u64,
    /// The last checkpoint that nobody has asked about.
    written: Option<AuditHead>,
    /// Records that were not written and not owned up to.
    lost: u64,
}

impl AuditLog {
    /// Opens the audit at `path`, creating it with mode 0600, and goes on where it ends. A line
    /// that was not finished is cut off, and that is recorded.
    ///
    /// # Errors
    /// [`AuditError`] when the file cannot be used, is in use, or is no audit.
    pub fn open(path: &Path, rotation: Rotation, now: UnixTime) -> Result<Self, AuditError> {
        let failed = |source| AuditError::Io {
            path: path.to_owned(),
            source,
        };
        let Found {
            file,
            chain,
            torn,
            begins_anew,
        } = AuditFile::open(path, rotation)?;
        let mut log = Self::new(Box::new(file));
        log.chain = chain;
        log.max_bytes = rotation.max_bytes;
        log.rotate_at = rotation.max_bytes;
        if begins_anew && let Some(continued) = continued(&log.chain) {
            log.append(&continued, now).map_err(failed)?;
        }
        if torn > 0 {
            let recovered = AuditEvent::Recovered { bytes: torn };
            log.append(&recovered, now).map_err(failed)?;
        }
        Ok(log)
    }

    /// An audit that is kept in `storage`, from its first line on, in one piece.
    #[must_use]
    pub fn new(storage: Box<dyn Storage>) -> Self {
        Self {
            storage,
            chain: Chain::default(),
            signing: Signing::default(),
            unsigned: 0,
            next_checkpoint: None,
            max_bytes: u64::MAX,
            rotate_at: u64::MAX,
            written: None,
            lost: 0,
        }
    }

    /// From now on `signer` signs the checkpoints.
    pub fn sign_with(&mut self, signer: Arc<dyn CheckpointSigner>) {
        self.signing.set(signer);
    }

    /// Writes one record, and what is due with it. Waits for the disk when another file begins, and
    /// not otherwise.
    ///
    /// # Errors
    /// An [`io::Error`] when it was not written; the audit is then as before, and the next record
    /// may succeed.
    pub fn append(&mut self, event: &AuditEvent, now: UnixTime) -> io::Result<()> {
        if self.storage.length() >= self.rotate_at
            && let Err(error) = self.rotate(now)
        {
            warn!(%error, "cannot begin another audit file, this one goes on");
            self.rotate_at = self.storage.length().saturating_add(self.max_bytes / 8);
        }
        if self.lost > 0 {
            self.write(&AuditEvent::RecordsLost { count: self.lost }, now)?;
            self.lost = 0;
        }
        self.write(event, now)?;
        if self.unsigned >= RECORDS
            && let Err(error) = self.write_checkpoint(CheckpointReason::Records, now)
        {
            warn!(%error, "cannot write a checkpoint of the audit");
        }
        Ok(())
    }

    /// As [`Self::append`], of something that happened whether it is recorded or not: that a record
    /// is missing is recorded as soon as that can be done.
    ///
    /// # Errors
    /// The same.
    pub fn append_or_own_up(&mut self, event: &AuditEvent, now: UnixTime) -> io::Result<()> {
        let appended = self.append(event, now);
        if appended.is_err() {
            self.lost = self.lost.saturating_add(1);
        }
        appended
    }

    /// Writes a checkpoint and waits until everything is on disk.
    ///
    /// # Errors
    /// An [`io::Error`] when that was not done.
    pub fn checkpoint(&mut self, reason: CheckpointReason, now: UnixTime) -> io::Result<()> {
        self.write_checkpoint(reason, now)?;
        self.sync()
    }

    fn write_checkpoint(&mut self, reason: CheckpointReason, now: UnixTime) -> io::Result<()> {
        // The key may be renewed in between, but not twice.
        for _ in 0..3 {
            if let Some(key) = self.signing.unknown_key() {
                self.write(&key, now)?;
                self.signing.on_written(&key);
            }
            if let Some(checkpoint) = self.signing.checkpoint(&self.chain, reason, now) {
                self.write(&checkpoint, now)?;
                self.unsigned = 0;
                self.written = self.head();
                return Ok(());
            }
        }
        Err(io::Error::other("the key that signs changes all the time"))
    }

    /// When [`Self::handle_timeout`] must be called.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.next_checkpoint
    }

    /// Writes a checkpoint if one is due. Does not wait for the disk.
    ///
    /// # Errors
    /// An [`io::Error`] when it was not written; the next one is due as if it had been.
    pub fn handle_timeout(&mut self, now: Now) -> io::Result<()> {
        match self.next_checkpoint {
            Some(at) if at <= now.monotonic => {
                self.next_checkpoint = Some(now.monotonic + PERIOD);
                self.write_checkpoint(CheckpointReason::Hour, now.unix)
            }
            _ => Ok(()),
        }
    }

    /// Writes the first checkpoint; from here on one is due at least once an hour.
    ///
    /// # Errors
    /// An [`io::Error`] when it was not written.
    pub fn begin_checkpoints(&mut self, now: Now) -> io::Result<()> {
        self.next_checkpoint = Some(now.monotonic + PERIOD);
        self.checkpoint(CheckpointReason::Start, now.unix)
    }

    /// Waits until everything is on disk.
    ///
    /// # Errors
    /// An [`io::Error`] when that cannot be said.
    pub fn sync(&mut self) -> io::Result<()> {
        self.storage.sync()
    }

    /// A checkpoint that was written since this was last asked: it is to be brought to disk, and the
    /// state should know of it then.
    pub fn take_checkpoint(&mut self) -> Option<WrittenCheckpoint> {
        let head = self.written.take()?;
        match self.storage.syncer() {
            Ok(syncer) => Some(WrittenCheckpoint { head, syncer }),
            Err(error) => {
                warn!(%error, "cannot bring a checkpoint of the audit to disk");
                None
            }
        }
    }

    /// The last line; `None` when there is none.
    #[must_use]
    pub fn head(&self) -> Option<AuditHead> {
        self.chain.head()
    }

    /// Ends the file with a checkpoint and goes on in another one.
    fn rotate(&mut self, now: UnixTime) -> io::Result<()> {
        self.checkpoint(CheckpointReason::Rotation, now)?;
        let Some(continued) = continued(&self.chain) else {
            return Ok(());
        };
        let link = self.chain.link(&continued, now);
        self.storage.rotate(&link.line)?;
        self.chain = link.next;
        self.rotate_at = self.max_bytes;
        self.signing.forget_key();
        Ok(())
    }

    fn write(&mut self, event: &AuditEvent, now: UnixTime) -> io::Result<()> {
        let link = self.chain.link(event, now);
        // A longer one would be read by nobody, the next start included.
        if link.line.len() > MAX_LINE + 1 {
            let length = link.line.len();
            let reason = format!("a record of {length} bytes, longer than {MAX_LINE}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        self.storage.append(&link.line)?;
        self.chain = link.next;
        self.unsigned = self.unsigned.saturating_add(1);
        Ok(())
    }
}

/// The first line of a file that goes on where a chain stands.
fn continued(chain: &Chain) -> Option<AuditEvent> {
    let head = chain.head()?;
    Some(AuditEvent::FileContinued {
        previous_seq: head.seq,
        previous_sha256: hex(&head.hash),
    })
}

/// A checkpoint that may not be on disk yet.
pub struct WrittenCheckpoint {
    head: AuditHead,
    syncer: Syncer,
}

impl WrittenCheckpoint {
    /// Waits until it is on disk; the line that is.
    ///
    /// # Errors
    /// An [`io::Error`] when that cannot be said.
    pub fn sync(self) -> io::Result<AuditHead> {
        (self.syncer)()?;
        Ok(self.head)
    }
}

/// Waits, on any thread, until what was kept before is kept for good.
pub type Syncer = Box<dyn FnOnce() -> io::Result<()> + Send>;

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

    /// As [`Self::sync`], for another thread to do.
    ///
    /// # Errors
    /// An [`io::Error`] when there cannot be one.
    fn syncer(&self) -> io::Result<Syncer> {
        Ok(Box::new(|| Ok(())))
    }

    /// Length of what is kept in the piece that is written, in bytes.
    fn length(&self) -> u64 {
        0
    }

    /// Begins another piece with `first_line`, or goes on as before.
    ///
    /// # Errors
    /// An [`io::Error`] when no other piece was begun.
    fn rotate(&mut self, first_line: &[u8]) -> io::Result<()> {
        let _ = first_line;
        Err(io::ErrorKind::Unsupported.into())
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
#[path = "log_tests.rs"]
mod tests;
