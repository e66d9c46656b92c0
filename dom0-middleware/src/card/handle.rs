//! The broker's end of a worker.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use proto::id::Seid;
use thiserror::Error;

use super::adopted::AdoptedCards;
use super::job::UseId;
use super::pin::{PinLedger, PinSource};
use super::report::{Reporter, WorkerCommand};
use super::settings::CardSettings;
use super::transport::CardSource;
use super::worker::{Inbox, LendAnswer, LendJob, Worker};

/// The most bytes of server records that may wait for one worker.
const MAX_QUEUED_BYTES: usize = 1 << 20;

/// What is remembered of all cards.
#[derive(Clone)]
pub struct CardRecords {
    /// Which PIN was sent and not accepted.
    pub pins: Arc<dyn PinLedger>,
    /// Which card belongs where.
    pub adopted: Arc<AdoptedCards>,
}

impl CardRecords {
    /// Where the PIN of a card is: the configuration has the first word.
    #[must_use]
    pub fn pin_source(&self, settings: &CardSettings) -> Option<PinSource> {
        let kept = || self.adopted.of(&settings.seid)?.pin_file;
        let configured = settings.pin.clone();
        configured.or_else(|| kept().map(PinSource::File))
    }
}

/// Starts the worker of one card on a thread of its own.
///
/// `report` is called on that thread and must not block.
///
/// # Errors
/// An [`io::Error`] when the system gives no thread.
pub fn spawn_worker(
    settings: CardSettings,
    source: Box<dyn CardSource>,
    records: CardRecords,
    report: Reporter,
) -> io::Result<CardHandle> {
    let (sender, receiver) = mpsc::channel();
    let queued = Arc::new(AtomicUsize::new(0));
    let inbox = Inbox::new(receiver, Arc::clone(&queued));
    let seid = settings.seid.clone();
    let worker = Worker::new(settings, source, records, report);
    let thread = thread::Builder::new()
        .name(format!("card {seid}"))
        .spawn(move || worker.run(inbox))?;
    Ok(CardHandle {
        seid,
        sender,
        queued,
        loan: Mutex::default(),
        thread: Some(thread),
    })
}

/// Sends commands to the worker of one card. Dropping it tells the worker to stop.
#[derive(Debug)]
pub struct CardHandle {
    seid: Seid,
    sender: Sender<WorkerCommand>,
    queued: Arc<AtomicUsize>,
    /// The last loan, and whether it was recalled: a borrower loses the card when that is ordered, not
    /// when the worker hears of it.
    loan: Mutex<Option<(UseId, Arc<AtomicBool>)>>,
    thread: Option<JoinHandle<()>>,
}

impl CardHandle {
    /// The card's name.
    #[must_use]
    pub fn seid(&self) -> &Seid {
        &self.seid
    }

    /// Hands a command over; never waits. After [`WorkerCommand::Recall`] no APDU of that borrower
    /// begins any more.
    ///
    /// # Errors
    /// [`SendError::Overrun`] when more server records wait than a card can want: cancel that use.
    /// [`SendError::Ended`] when the worker is no more.
    pub fn send(&self, command: WorkerCommand) -> Result<(), SendError> {
        if let WorkerCommand::ServerRecords { data, .. } = &command {
            let before = self.queued.fetch_add(data.len(), Ordering::AcqRel);
            if before.saturating_add(data.len()) > MAX_QUEUED_BYTES {
                self.queued.fetch_sub(data.len(), Ordering::AcqRel);
                return Err(SendError::Overrun);
            }
        }
        if let WorkerCommand::Recall { use_id } = command
            && let Some((lent, recalled)) = &*self.loan()
            && *lent == use_id
        {
            recalled.store(true, Ordering::Release);
        }
        self.sender.send(command).map_err(|_| SendError::Ended)
    }

    fn loan(&self) -> MutexGuard<'_, Option<(UseId, Arc<AtomicBool>)>> {
        // Whoever panicked while it was held has left one of two good values.
        self.loan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the card lent: `answer` is called with it, or with why it is not to be had, on the
    /// worker's thread. Never waits.
    ///
    /// # Errors
    /// [`SendError::Ended`] when the worker is no more; nobody is answered then.
    pub fn lend(&self, use_id: UseId, answer: LendAnswer) -> Result<(), SendError> {
        let recalled = Arc::new(AtomicBool::new(false));
        *self.loan() = Some((use_id, Arc::clone(&recalled)));
        self.send(WorkerCommand::Lend(Box::new(LendJob {
            use_id,
            recalled,
            way_back: self.sender.clone(),
            answer,
        })))
    }

    /// Stops the worker and waits for it: at most one APDU and what ends a handshake.
    pub fn stop(mut self) {
        // An error means that it has ended already.
        let _ = self.send(WorkerCommand::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for CardHandle {
    fn drop(&mut self) {
        let _ = self.send(WorkerCommand::Stop);
    }
}

/// Why a command did not reach its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SendError {
    /// Too many server records wait.
    #[error("too many server records wait for the card")]
    Overrun,
    /// The worker has ended.
    #[error("the card's worker has ended")]
    Ended,
}
