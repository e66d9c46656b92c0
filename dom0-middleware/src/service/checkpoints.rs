//! Checkpoints of the audit, brought to disk where nobody waits for that.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use tracing::{error, warn};

use crate::audit::WrittenCheckpoint;
use crate::state::State;

/// A thread that brings checkpoints to disk and tells the state. Dropping this waits for it.
pub(super) struct Checkpoints(Option<(SyncSender<WrittenCheckpoint>, JoinHandle<()>)>);

impl Checkpoints {
    pub(super) fn start(state: State) -> io::Result<Self> {
        // One that waits is brought to disk with those that come after it: it has no need of company.
        let (sender, receiver) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("checkpoints".to_owned())
            .spawn(move || keep(&receiver, &state))?;
        Ok(Self(Some((sender, thread))))
    }

    /// Takes one that was written; never waits. One that there is no room for is covered by the next.
    pub(super) fn keep(&self, written: WrittenCheckpoint) {
        if let Some((sender, _)) = &self.0
            && sender.try_send(written).is_err()
        {
            warn!("the disk is slow: a checkpoint of the audit waits for the next one");
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.0.take() {
            drop(sender);
            // It can only have ended by a panic, which is in the log.
            let _ = thread.join();
        }
    }
}

fn keep(written: &Receiver<WrittenCheckpoint>, state: &State) {
    for written in written {
        match written.sync() {
            // A change of the state may have noted a later line by now.
            Ok(head) => {
                if let Err(error) = state.advance_audit_head(head) {
                    error!(%error, "cannot write the state");
                }
            }
            Err(error) => error!(%error, "cannot bring a checkpoint of the audit to disk"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{AuditEvent, AuditLog, Rotation};
    use crate::time::UnixTime;

    const NOW: UnixTime = UnixTime::from_secs(1);

    fn write(audit: &mut AuditLog, records: usize) {
        for _ in 0..records {
            audit
                .append(&AuditEvent::ServiceStopped, NOW)
                .expect("room");
        }
    }

    #[test]
    fn the_state_knows_of_each_when_it_is_on_disk_and_never_goes_back() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = State::open(&dir.path().join("state.db")).expect("made");
        let path = dir.path().join("audit.jsonl");
        let mut audit = AuditLog::open(&path, Rotation::default(), NOW).expect("opened");
        write(&mut audit, 999);
        assert!(audit.take_checkpoint().is_none(), "it is not due yet");
        write(&mut audit, 1);
        let first = audit.take_checkpoint().expect("written");
        let at_first = audit.head();
        assert!(audit.take_checkpoint().is_none(), "it was taken");
        let checkpoints = Checkpoints::start(state.clone()).expect("a thread");
        checkpoints.keep(first);
        drop(checkpoints);
        assert_eq!(state.audit_head().expect("read"), at_first);
        write(&mut audit, 1_000);
        let second = audit.take_checkpoint().expect("written");
        write(&mut audit, 1);
        let later = audit.head().expect("not empty");
        state.note_audit_head(later).expect("noted");
        let checkpoints = Checkpoints::start(state.clone()).expect("a thread");
        checkpoints.keep(second);
        drop(checkpoints);
        assert_eq!(state.audit_head().expect("read"), Some(later));
    }
}
