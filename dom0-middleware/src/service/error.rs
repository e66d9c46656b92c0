//! Why the service does not run.

use std::io;

use thiserror::Error;

use crate::audit::AuditError;
use crate::card::vicc::ListenError;
use crate::card::{AdoptionError, PinLedgerError};
use crate::config::ConfigError;
use crate::socket::SocketError;

/// Why the service does not start, or stopped.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// A file that the configuration names.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The audit file.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The first record of a run could not be written.
    #[error("cannot write the audit")]
    AuditWrite(#[source] io::Error),
    /// A socket for guests or the operator.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// A place where virtual cards connect.
    #[error("card {seid}")]
    Reader {
        /// Its card.
        seid: String,
        /// Why.
        source: ListenError,
    },
    /// The record of PIN attempts.
    #[error(transparent)]
    Ledger(#[from] PinLedgerError),
    /// The record of adopted cards.
    #[error(transparent)]
    Adoption(#[from] AdoptionError),
    /// The system does not give what the service needs.
    #[error("starting")]
    System(#[source] io::Error),
    /// The thread of a card has ended: a bug.
    #[error("the thread of card {seid} has ended")]
    WorkerEnded {
        /// The card.
        seid: String,
    },
}
