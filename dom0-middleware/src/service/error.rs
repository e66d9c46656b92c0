//! Why the service does not run.

use std::io;
use std::path::PathBuf;

use proto::id::{DomainUuid, Seid};
use thiserror::Error;

use crate::audit::AuditError;
use crate::card::PinLedgerError;
use crate::card::vicc::ListenError;
use crate::config::{ConfigError, FileProblem};
use crate::mapping::TableError;
use crate::racs::server::BindError;
use crate::socket::SocketError;
use crate::state::{AuditReadError, ChangeError, StateError};

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
    /// The port for users of RACS.
    #[error(transparent)]
    Racs(#[from] BindError),
    /// The record of PIN attempts.
    #[error(transparent)]
    Ledger(#[from] PinLedgerError),
    /// The durable state.
    #[error(transparent)]
    State(#[from] StateError),
    /// A change of the state that is made at start.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The audit cannot be compared with the state.
    #[error(transparent)]
    AuditRead(#[from] AuditReadError),
    /// A file of an earlier version.
    #[error(
        "{}: cannot be taken over into the state; put it right, or move it away: without it each \
         card that is there is taken for the right one, and each PIN file for a new one",
        path.display()
    )]
    Former {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A domain is bound here and there.
    #[error(
        "{domain} is bound in {} and by a command (vm bind): remove its [[binding]]s; to keep them \
         instead, start without them, run `dom0-middleware vm unbind {domain}`, and put them back",
        config.display()
    )]
    BoundTwice {
        /// The domain.
        domain: DomainUuid,
        /// The configuration.
        config: PathBuf,
    },
    /// A binding of the state cannot stand beside those of the configuration.
    #[error(
        "{} and the binding of {domain} to card {seid} that was made by a command (vm bind) \
         exclude each other: {source}",
        config.display()
    )]
    Binding {
        /// The domain of the state's binding.
        domain: DomainUuid,
        /// Its card.
        seid: Seid,
        /// The configuration.
        config: PathBuf,
        /// Why.
        source: TableError,
    },
    /// A card that several domains share, and whose keys raw APDUs may use.
    #[error(
        "card {seid} has raw_key_use = true in {}, and a binding that was made by a command (vm bind \
         --shared) shares it: take one of both away",
        config.display()
    )]
    RawKeyUse {
        /// The card.
        seid: Seid,
        /// The configuration.
        config: PathBuf,
    },
    /// What a binding of the state believes cannot be used any more.
    #[error("the trust of the binding of {domain} to card {seid}, made by a command (vm bind)")]
    Trust {
        /// The domain.
        domain: DomainUuid,
        /// The card.
        seid: Seid,
        /// Why.
        source: FileProblem,
    },
    /// Vchans are wanted and there is no library for them.
    #[error("{0}; {next}, or set vchan.enabled = false", next = .0.cure())]
    Vchan(xen_channel::LibraryError),
    /// The TLS library does not take what it is given: a bug.
    #[error("TLS of channels")]
    Tls(#[source] rustls::Error),
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
