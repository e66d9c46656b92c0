//! A card in somebody else's hand: its link, lent to the thread that wants to speak to it.
//!
//! Borrower and worker share the link, so that an APDU costs no hop between threads and the worker
//! can take the link back from a borrower that does nothing. Only one that is in the middle of an
//! APDU keeps it, until that is over.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use proto::apdu::{Atr, CommandApdu, ResponseApdu};
use proto::id::Seid;
use thiserror::Error;

use super::link::Link;
use crate::card::error::CardError;
use crate::card::job::UseId;
use crate::card::report::WorkerCommand;
use crate::card::transport::TransportError;

/// A card that is lent: nobody else speaks to it. It was reset before, so that nothing of who used it
/// earlier is left in it, and it is reset when it is given back, which dropping this does.
///
/// It can be recalled at any time; what is sent to it from then on is refused.
pub struct LentCard {
    seid: Seid,
    use_id: UseId,
    loan: Arc<Loan>,
    way_back: Sender<WorkerCommand>,
    atr: Atr,
    state: State,
    bound: bool,
}

/// What can be done with a card that is lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Anything.
    InHand,
    /// A reset only: an answer may still be on its way.
    AwaitsReset,
}

/// Why a lent card did not do what it was told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LoanError {
    /// It is not lent any more.
    #[error("the card was recalled")]
    Recalled,
    /// Something failed before, and the card was not reset since.
    #[error("the card failed before and must be reset first")]
    AwaitsReset,
    /// It failed now.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

impl LentCard {
    /// The card's name.
    #[must_use]
    pub fn seid(&self) -> &Seid {
        &self.seid
    }

    /// The answer to reset of the last reset.
    #[must_use]
    pub fn atr(&self) -> &Atr {
        &self.atr
    }

    /// Whether a domain was bound to it when it was lent: then guests use its keys. It is recalled when
    /// a domain is bound to it later.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.bound
    }

    /// The same card, of which this is known. As long as it is not, it counts as bound.
    #[must_use]
    pub(crate) fn with_bound(mut self, bound: bool) -> Self {
        self.bound = bound;
        self
    }

    /// Whether it is not lent any more. Looks without waiting.
    #[must_use]
    pub fn is_recalled(&self) -> bool {
        self.loan.is_recalled() || self.loan.is_removed()
    }

    /// Sends one command and waits for its response, for as long as an APDU may take.
    ///
    /// # Errors
    /// [`LoanError`] when there is no whole response; status words are not errors here. After a
    /// [`LoanError::Transport`] the card takes nothing before it is reset.
    pub fn transmit(&mut self, command: &CommandApdu) -> Result<ResponseApdu, LoanError> {
        if self.state == State::AwaitsReset {
            return Err(LoanError::AwaitsReset);
        }
        let loan = Arc::clone(&self.loan);
        self.with_link(|link| {
            loan.apdus.fetch_add(1, Ordering::Relaxed);
            link.transmit(command)
        })
    }

    /// Takes the card's power away and gives it back; gives its answer to reset.
    ///
    /// # Errors
    /// [`LoanError`] when there is no answer to reset in time.
    pub fn cold_reset(&mut self) -> Result<Atr, LoanError> {
        self.reset(Link::cold_reset)
    }

    /// Resets the card without taking its power away, where its reader can do that.
    ///
    /// # Errors
    /// [`LoanError`] when there is no answer to reset in time.
    pub fn warm_reset(&mut self) -> Result<Atr, LoanError> {
        self.reset(Link::warm_reset)
    }

    fn reset(
        &mut self,
        reset: impl FnOnce(&mut Link) -> Result<(), TransportError>,
    ) -> Result<Atr, LoanError> {
        self.atr = self.with_link(|link| {
            reset(link)?;
            Ok(link.transport.atr().clone())
        })?;
        self.state = State::InHand;
        Ok(self.atr.clone())
    }

    fn with_link<T>(
        &mut self,
        act: impl FnOnce(&mut Link) -> Result<T, TransportError>,
    ) -> Result<T, LoanError> {
        let result = self.loan.with_link(act);
        match &result {
            // The worker is told at once, however long the borrower keeps what is left.
            Err(LoanError::Transport(TransportError::Removed)) => self.give_back(),
            Err(LoanError::Transport(_)) => self.state = State::AwaitsReset,
            Err(LoanError::Recalled | LoanError::AwaitsReset) | Ok(_) => {}
        }
        result
    }

    fn give_back(&self) {
        let use_id = self.use_id;
        // A worker that has ended does not need it: the last to let go of the loan drops the link,
        // which resets the card.
        let _ = self.way_back.send(WorkerCommand::Returned { use_id });
    }
}

impl Drop for LentCard {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl fmt::Debug for LentCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LentCard")
            .field("seid", &self.seid)
            .field("use_id", &self.use_id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// What borrower and worker share.
pub(super) struct Loan {
    /// `None` once the worker has it again.
    link: Mutex<Option<Link>>,
    recalled: Arc<AtomicBool>,
    /// The card has left.
    removed: AtomicBool,
    apdus: AtomicU64,
    /// APDUs and resets that were begun.
    calls: AtomicU64,
}

impl Loan {
    pub(super) fn new(link: Link, recalled: Arc<AtomicBool>) -> Self {
        Self {
            link: Mutex::new(Some(link)),
            recalled,
            removed: AtomicBool::new(false),
            apdus: AtomicU64::new(0),
            calls: AtomicU64::new(0),
        }
    }

    /// What goes to the borrower.
    pub(super) fn lent(self: &Arc<Self>, seid: Seid, atr: Atr, job: &LendJob) -> LentCard {
        LentCard {
            seid,
            use_id: job.use_id,
            loan: Arc::clone(self),
            way_back: job.way_back.clone(),
            atr,
            state: State::InHand,
            bound: true,
        }
    }

    fn with_link<T>(
        &self,
        act: impl FnOnce(&mut Link) -> Result<T, TransportError>,
    ) -> Result<T, LoanError> {
        let mut link = self.lock();
        if self.is_removed() {
            return Err(TransportError::Removed.into());
        }
        // Under the lock: after the worker has taken the link nothing more gets through.
        let link = link.as_mut().filter(|_| !self.is_recalled());
        let link = link.ok_or(LoanError::Recalled)?;
        self.calls.fetch_add(1, Ordering::Relaxed);
        let result = act(link);
        if matches!(result, Err(TransportError::Removed)) {
            self.removed.store(true, Ordering::Release);
        }
        Ok(result?)
    }

    /// Whether the card has left, as far as anybody has noticed.
    pub(super) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Acquire)
    }

    /// Looks whether it has, unless an APDU runs, which will notice by itself.
    pub(super) fn look_for_card(&self) {
        if let Ok(mut link) = self.link.try_lock()
            && let Some(link) = link.as_mut()
            && link.transport.check_present().is_err()
        {
            self.removed.store(true, Ordering::Release);
        }
    }

    fn is_recalled(&self) -> bool {
        self.recalled.load(Ordering::Acquire)
    }

    pub(super) fn recall(&self) {
        self.recalled.store(true, Ordering::Release);
    }

    /// Takes the link if no APDU runs on it; never waits.
    pub(super) fn take(&self) -> Option<Link> {
        match self.link.try_lock() {
            Ok(mut link) => link.take(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().take(),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Whether something runs on it; which call that is.
    pub(super) fn running(&self) -> Option<u64> {
        let is_busy = matches!(self.link.try_lock(), Err(TryLockError::WouldBlock));
        is_busy.then(|| self.calls.load(Ordering::Relaxed))
    }

    /// APDUs that were sent.
    pub(super) fn apdus(&self) -> u64 {
        self.apdus.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Link>> {
        // A borrower that panicked in an APDU leaves a link that is reset before it is used.
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the borrower is told: it has the card, or why it has not. Called on the worker's thread, must
/// not block.
pub type LendAnswer = Box<dyn FnOnce(Result<LentCard, CardError>) + Send>;

/// All a worker needs to lend its card; [`CardHandle::lend`](crate::card::CardHandle::lend) makes it.
pub struct LendJob {
    pub(in crate::card) use_id: UseId,
    /// Set as soon as it is recalled.
    pub(in crate::card) recalled: Arc<AtomicBool>,
    pub(in crate::card) way_back: Sender<WorkerCommand>,
    pub(in crate::card) answer: LendAnswer,
}

impl fmt::Debug for LendJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LendJob")
            .field("use_id", &self.use_id)
            .finish_non_exhaustive()
    }
}
