//! The worker's end of its command channel.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use crate::card::report::WorkerCommand;

/// Commands in order; a broker that is gone counts as [`WorkerCommand::Stop`].
pub(in crate::card) struct Inbox {
    receiver: Receiver<WorkerCommand>,
    /// Bytes of server records in the channel, shared with the sender.
    queued: Arc<AtomicUsize>,
}

impl Inbox {
    pub(in crate::card) fn new(
        receiver: Receiver<WorkerCommand>,
        queued: Arc<AtomicUsize>,
    ) -> Self {
        Self { receiver, queued }
    }

    /// The next command, or `None` when none came within `timeout`.
    pub(super) fn wait(&self, timeout: Duration) -> Option<WorkerCommand> {
        match self.receiver.recv_timeout(timeout) {
            Ok(command) => Some(self.taken(command)),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(WorkerCommand::Stop),
        }
    }

    /// The next command, if there is one.
    pub(super) fn poll(&self) -> Option<WorkerCommand> {
        match self.receiver.try_recv() {
            Ok(command) => Some(self.taken(command)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(WorkerCommand::Stop),
        }
    }

    fn taken(&self, command: WorkerCommand) -> WorkerCommand {
        if let WorkerCommand::ServerRecords { data, .. } = &command {
            self.queued.fetch_sub(data.len(), Ordering::AcqRel);
        }
        command
    }
}
