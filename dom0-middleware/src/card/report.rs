//! What goes to a worker and what comes back.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use proto::agent::Door;
use proto::apdu::Atr;
use proto::id::{IdentityName, Seid};
use proto::piv::PinLook;
use proto::tls::{Established, ProtocolVersion};
use rustls::SignatureScheme;

use super::error::{CardError, SessionError};
use super::fingerprint::CardFingerprint;
use super::job::{Job, SignJob, UseId};
use super::transport::SourceTrouble;
use super::worker::LendJob;

/// An order to the worker of one card.
///
/// Each [`Start`](Self::Start) is answered by exactly one [`WorkerReport::Established`] or
/// [`WorkerReport::Failed`], then by exactly one [`WorkerReport::Free`]; each [`Sign`](Self::Sign)
/// likewise, with [`WorkerReport::Signed`].
#[derive(Debug)]
pub enum WorkerCommand {
    /// Run a handshake. One at a time: the next only after [`WorkerReport::Free`].
    Start(Box<Job>),
    /// Sign something, at [`Door::Piv`]. One at a time, as with [`Start`](Self::Start).
    Sign(Box<SignJob>),
    /// Bytes from the server, whole TLS records, for the handshake that runs.
    ServerRecords {
        /// Which use they belong to; those of another are dropped.
        use_id: UseId,
        /// One or more whole records.
        data: Vec<u8>,
    },
    /// Give the use up. Ignored when it is over.
    Cancel {
        /// Which use.
        use_id: UseId,
    },
    /// Lend the card. Answered through the job, and when that is over by exactly one
    /// [`WorkerReport::LoanEnded`], then by exactly one [`WorkerReport::Free`].
    Lend(Box<LendJob>),
    /// Take the card back from who has borrowed it. Ignored when that is over.
    Recall {
        /// Which use.
        use_id: UseId,
    },
    /// A borrower has given the card back; only its [`LentCard`](super::LentCard) says so.
    Returned {
        /// Which use.
        use_id: UseId,
    },
    /// Open the card again, once it is not in use; one that is lent is recalled for it. Answered
    /// by one [`WorkerReport::Reopened`].
    Reopen(Reopen),
    /// Look how many PIN tries the card shows. That costs none; an EAP-TLS card is not asked, for it
    /// would.
    LookAtPin(PinInquiry),
    /// Forget whatever could be resumed: the binding changed, or a raw APDU went to the card.
    ForgetSession,
    /// End the worker; a running APDU is finished first.
    Stop,
}

/// Who wants to know how the PIN stands. Dropped without an answer when the card cannot be asked: it is
/// in use, not there, of the other kind, or in other trouble.
pub struct PinInquiry(Box<dyn FnOnce(PinLook) + Send>);

impl PinInquiry {
    /// `answer` is called on the worker's thread and must not block.
    #[must_use]
    pub fn new(answer: impl FnOnce(PinLook) + Send + 'static) -> Self {
        Self(Box::new(answer))
    }

    pub(super) fn answer(self, look: PinLook) {
        (self.0)(look);
    }
}

impl fmt::Debug for PinInquiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinInquiry")
    }
}

/// What the operator says about the card that is there now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reopen {
    /// It is the right one, whatever was there before.
    pub adopt: bool,
    /// Its PIN is in this file from now on.
    pub pin_file: Option<PathBuf>,
    /// Its PIN may be tried once more, even if it was not accepted before.
    pub retry_pin: bool,
}

/// What the worker of one card has to say.
#[derive(Debug)]
pub enum WorkerReport {
    /// The card is there, open and ready.
    Present {
        /// Its answer to reset.
        atr: Atr,
        /// The name of its profile.
        profile: String,
        /// What it holds.
        identities: Vec<CardIdentity>,
        /// What it can carry.
        features: CardFeatures,
        /// What it is known again by.
        fingerprint: CardFingerprint,
        /// Whether it was adopted just now.
        adopted: bool,
    },
    /// The card was opened again, as the operator said; what came of it was reported before.
    Reopened {
        /// Why it cannot be used, if so.
        result: Result<(), CardError>,
    },
    /// Whether a card could come has changed.
    Trouble {
        /// Why none can; `None` when one only has to be put in.
        trouble: Option<SourceTrouble>,
    },
    /// The card is there but cannot be used until something changes.
    Unusable {
        /// Why.
        why: CardError,
    },
    /// The card left.
    Gone {
        /// How that was noticed.
        why: CardError,
    },
    /// Something connected as a second card of the same SEID and was turned away.
    SurplusRefused {
        /// How many at once.
        count: usize,
    },
    /// The card is held and waits for the server's next flight, through the guest. Said each time
    /// it has used up what came, so also in the middle of a flight.
    AwaitingServer {
        /// Which use.
        use_id: UseId,
        /// How long it has waited for this flight already; zero when the wait begins.
        waited: Duration,
        /// How many bytes of [`WorkerCommand::ServerRecords`] the use has had. More may have been
        /// sent before this was heard; then the card is not waiting any more.
        taken: usize,
    },
    /// Whole TLS records for the server.
    ClientRecords {
        /// Which use.
        use_id: UseId,
        /// The records.
        data: Vec<u8>,
    },
    /// The handshake succeeded and its keys are here.
    Established {
        /// Which use.
        use_id: UseId,
        /// The keys and what is known of the session.
        session: Box<CardSession>,
    },
    /// The card signed, and the signature is that of the identity's key. It went where the job said;
    /// that it is right is said there after this.
    Signed {
        /// Which use.
        use_id: UseId,
        /// Time spent in APDUs for it.
        card_time: Duration,
    },
    /// The handshake, or the signature, failed.
    Failed {
        /// Which use.
        use_id: UseId,
        /// Why.
        error: SessionError,
        /// An alert record the guest must still send to the server, in clear.
        alert: Option<Vec<u8>>,
    },
    /// The card is not lent any more, or was not at all; it has still to come to rest.
    LoanEnded {
        /// Which use.
        use_id: UseId,
        /// How many APDUs were sent to it.
        apdus: u64,
        /// How it ended.
        end: LoanEnd,
    },
    /// A borrower does not return from a call for longer than an APDU may take. It has lost the card,
    /// which is of no use to anybody before the call returns.
    LoanOverdue {
        /// Which use.
        use_id: UseId,
    },
    /// The use is over, the card is back at rest or lost, and the next job may come.
    Free {
        /// Which use.
        use_id: UseId,
        /// Time spent in APDUs for this use, its end included.
        card_time: Duration,
    },
}

/// How a loan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoanEnd {
    /// The borrower gave it back.
    Returned,
    /// It was taken back.
    Recalled,
    /// The card left.
    Removed,
    /// It never began: the card did not come up.
    NotLent,
}

/// One identity of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardIdentity {
    /// Its friendly name.
    pub name: IdentityName,
    /// Its certificate, DER; `None` when the card does not let it be read.
    pub certificate: Option<Vec<u8>>,
    /// How its key can sign for TLS, best first; empty at [`Door::EapTls`], where the card chooses.
    pub schemes: Vec<SignatureScheme>,
}

/// What a card can carry besides a plain handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardFeatures {
    /// Which part of a handshake it takes.
    pub door: Door,
    /// A server name can be given to it, to be sent as SNI.
    pub server_name: bool,
    /// ALPN protocols can be given to it.
    pub alpn: bool,
    /// A version range can be given to it.
    pub version_range: bool,
    /// It can be made to forget its stored session.
    pub forget: bool,
    /// The highest TLS version this service runs through it.
    pub max_version: ProtocolVersion,
}

impl CardFeatures {
    /// At the door where the service makes the handshake: whatever TLS carries.
    pub const PIV: Self = Self {
        door: Door::Piv,
        server_name: true,
        alpn: true,
        version_range: true,
        forget: true,
        max_version: ProtocolVersion::TLS1_3,
    };
}

/// A finished handshake. Holds keys: no `Debug` of their content, wiped when dropped.
pub struct CardSession {
    /// The keys and counters the record layer starts from.
    pub keys: Established,
    /// Whether an earlier session was resumed.
    pub abbreviated: bool,
    /// RFC 7627, from ServerHello.
    pub extended_master_secret: bool,
    /// RFC 7366, from ServerHello.
    pub encrypt_then_mac: bool,
    /// How many of the bytes given by [`WorkerCommand::ServerRecords`] belong to the handshake.
    pub consumed: u64,
    /// The ALPN protocol the server chose.
    pub alpn: Option<Vec<u8>>,
    /// The server's certificates, leaf first, as checked; after a resumption those of the full
    /// handshake before it.
    pub peer_certificates: Vec<Vec<u8>>,
    /// Time spent in APDUs until now.
    pub card_time: Duration,
}

impl fmt::Debug for CardSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CardSession")
            .field("version", &self.keys.version)
            .field("cipher_suite", &self.keys.cipher_suite)
            .field("abbreviated", &self.abbreviated)
            .field("consumed", &self.consumed)
            .field("card_time", &self.card_time)
            .finish_non_exhaustive()
    }
}

/// Takes a worker's reports; called on the worker's thread, must not block.
pub type Reporter = Box<dyn Fn(Seid, WorkerReport) + Send>;
