//! The record of attempts, as the worker sees it.

use proto::id::Seid;
use thiserror::Error;

use super::source::OfferedPin;

/// Remembers which PIN was last sent to which card and not accepted, so that a wrong PIN costs one
/// try and not all.
///
/// An attempt counts as failed until it is recorded as accepted: a crash between the two leaves
/// the card alone. A durable ledger returns from [`record_attempt`](Self::record_attempt) only
/// when the record is on disk; it must not store anything the PIN can be found from.
pub trait PinLedger: Send + Sync {
    /// Whether `pin` may be sent to the card: not when the last attempt, with this same PIN, was
    /// not accepted.
    ///
    /// # Errors
    /// [`PinLedgerError`] when the ledger cannot be read; nothing may be sent then.
    fn may_verify(&self, seid: &Seid, pin: &OfferedPin) -> Result<bool, PinLedgerError>;

    /// Records that `pin` is about to be sent. Called before VERIFY.
    ///
    /// # Errors
    /// [`PinLedgerError`] when that could not be recorded; nothing may be sent then.
    fn record_attempt(&self, seid: &Seid, pin: &OfferedPin) -> Result<(), PinLedgerError>;

    /// Records that the card accepted the PIN of the last attempt.
    ///
    /// # Errors
    /// [`PinLedgerError`] when that could not be recorded; the attempt then counts as failed.
    fn record_accepted(&self, seid: &Seid) -> Result<(), PinLedgerError>;

    /// Records that the card said no to the PIN of the last attempt. Without that it counts as failed
    /// too, and the operator is told that nobody knows.
    ///
    /// # Errors
    /// [`PinLedgerError`] when that could not be recorded.
    fn record_refused(&self, seid: &Seid) -> Result<(), PinLedgerError>;

    /// What came of the last attempt, if that was not accepted.
    ///
    /// # Errors
    /// [`PinLedgerError`] when the ledger cannot be read.
    fn unaccepted(&self, seid: &Seid) -> Result<Option<Unaccepted>, PinLedgerError>;

    /// Lets the same PIN be tried again, because the operator says so.
    ///
    /// # Errors
    /// [`PinLedgerError`] when that could not be recorded.
    fn allow_again(&self, seid: &Seid) -> Result<(), PinLedgerError>;
}

/// What came of an attempt that was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unaccepted {
    /// Nobody knows: card, reader or service ended while the PIN was under way.
    Pending,
    /// The card said no.
    Refused,
}

/// The ledger could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the record of PIN attempts is not available: {0}")]
pub struct PinLedgerError(pub String);
