//! Cards: how they are reached, driven through a TLS handshake, and kept apart.
//!
//! One card has one worker: a thread that owns the transport and the driver. The driver
//! ([`eap_tls`], [`proto::piv::driver`]) is sans-IO: it says which APDU to send next and takes the
//! response. The worker moves the APDUs, keeps the time, and speaks to the broker through
//! [`WorkerCommand`] and [`WorkerReport`].
//!
//! | Module | Holds |
//! |---|---|
//! | [`eap_tls`] | the driver of EAP-TLS cards: opening a card, one handshake, its end |
//! | [`piv`] | PIV cards, as TLS wants them |
//! | [`pcsc`] | cards in readers, through PC/SC |
//! | [`racs`] | cards that are plugged into another host's grid |
//! | [`vicc`] | virtual cards that connect over a socket (vpcd protocol) |
//! | `answer`, `counter` | what the EAP-TLS driver makes of an answer, and how long it goes on |
//! | `transport` | the traits a reader implements |
//! | `trust` | whom a binding believes to be its server |
//! | `adopted`, `fingerprint` | which card belongs where, and what it is known again by |
//! | `pin` | where a PIN is and how often it is tried: once |
//! | `worker` | the thread of one card |

pub mod eap_tls;
pub mod pcsc;
pub mod piv;
pub mod racs;
pub mod vicc;

mod adopted;
mod alert;
mod answer;
mod counter;
mod error;
mod fault;
mod fingerprint;
mod handle;
mod job;
mod pin;
mod profile;
mod report;
mod session_fault;
mod settings;
mod transport;
mod trust;
mod worker;

/// Which part of a handshake a card takes (design §2).
pub use proto::agent::Door;

pub use self::adopted::{AdoptedCard, AdoptedCards, AdoptionError, KeepCard};
pub(crate) use self::alert::description as alert_for;
pub use self::error::{CardError, SessionError, server_alert};
pub(crate) use self::error::{SET_PIN_WITH_PUK, WHERE_TOOLS_WORK};
pub use self::fault::{CardFault, CardStep, EapProblem};
pub use self::fingerprint::{CardFingerprint, Difference, Sight};
pub use self::handle::{CardHandle, CardRecords, SendError, spawn_worker};
pub use self::job::{Job, SignJob, SignatureNews, SignatureSlot, UseId};
pub(crate) use self::pin::{CREDENTIALS, credentials, exposed_mode};
pub use self::pin::{
    MemoryPinLedger, OfferedPin, PinLedger, PinLedgerError, PinSource, PinSourceError, PinStamp,
    Unaccepted,
};
pub use self::profile::{CardProfile, EapTlsProfile, ExportCommand, PivProfile};
pub use self::report::{
    CardFeatures, CardIdentity, CardSession, LoanEnd, PinInquiry, Reopen, Reporter, WorkerCommand,
    WorkerReport,
};
pub use self::session_fault::{HandshakeFault, PolicyFault, ResumptionFault};
pub use self::settings::CardSettings;
pub use self::transport::{
    CardSource, CardTransport, ChainLink, Chained, Chains, SourceTrouble, TransportError,
};
pub use self::trust::{
    Believed, Judge, PeerVerifier, ServerCheck, Trust, TrustError, TrustSetupError,
};
pub use self::worker::{LendAnswer, LendJob, LentCard, LoanError};
