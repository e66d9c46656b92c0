//! What is recorded.

use std::path::PathBuf;

use proto::agent::RefusalCode;
use proto::id::{DomId, DomainUuid, IdentityName, Seid};
use serde::Serialize;

use super::racs::{RacsClosed, RacsConnected, RacsRefused};
use super::records::{
    Admitted, ChannelClosed, CheckpointProof, CheckpointReason, Closed, Established, IssuedBecause,
    Killed, LeaseEnd, PinOutcome, Refusals, SessionFacts, as_text,
};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum AuditEvent {
    /// The service began to serve.
    ServiceStarted {
        /// Its version.
        version: &'static str,
        /// Channels without TLS and token, by path.
        insecure_channels: Vec<String>,
    },
    /// The service ended in order.
    ServiceStopped,
    /// A line at the end of the file was not complete and was cut off.
    Recovered {
        /// How much was cut off.
        bytes: u64,
    },
    /// The key that signs the checkpoints from here on.
    CheckpointKey {
        /// What checkpoints call it: SHA-256 of its certificate.
        key: String,
        /// Its certificate and those above it, DER in base64.
        certificates: Vec<String>,
    },
    /// Everything up to here was written by the service that has the key.
    Checkpoint {
        /// Why now.
        reason: CheckpointReason,
        /// Its signature.
        #[serde(flatten)]
        proof: CheckpointProof,
    },
    /// The first line of a file that goes on where another one ends.
    FileContinued {
        /// The number of the last line there.
        previous_seq: u64,
        /// Its SHA-256.
        previous_sha256: String,
    },
    /// Records that could not be written, as on a full disk; the log of the service has them.
    RecordsLost {
        /// How many.
        count: u64,
    },
    /// A card is the right one from now on, or its PIN is in another file.
    CardAdopted {
        /// The number of the change.
        change: u64,
        /// Where it is.
        seid: Seid,
        /// What it is known again by: `SHA256:` and 64 hexadecimal digits.
        fingerprint: String,
        /// Where its PIN is, if the operator said so with a command.
        #[serde(skip_serializing_if = "Option::is_none")]
        pin_file: Option<PathBuf>,
    },
    /// A card became usable.
    CardPresent {
        /// The card.
        seid: Seid,
        /// Its answer to reset.
        atr: String,
        /// Its profile.
        profile: String,
        /// What it holds.
        identities: Vec<IdentityName>,
    },
    /// A card is there but cannot be used.
    CardUnusable {
        /// The card.
        seid: Seid,
        /// Why.
        why: String,
    },
    /// A card left.
    CardGone {
        /// The card.
        seid: Seid,
        /// How that was noticed.
        why: String,
    },
    /// A card went to somebody for raw APDUs. Written before it goes.
    CardLent {
        /// The card.
        seid: Seid,
        /// To whom.
        holder: String,
    },
    /// A card that was lent came back, or did not go at all.
    CardReturned {
        /// The card.
        seid: Seid,
        /// Who had it.
        holder: String,
        /// How that ended.
        end: LeaseEnd,
        /// For how long it was held, in milliseconds.
        held_ms: u64,
        /// How many APDUs were sent to it; not known when the service ends first.
        #[serde(skip_serializing_if = "Option::is_none")]
        apdus: Option<u64>,
    },
    /// A card is in maintenance from now on, or is its guests' again.
    CardMaintenance {
        /// The number of the change.
        change: u64,
        /// The card.
        seid: Seid,
        /// Whether it is in maintenance.
        on: bool,
    },
    /// A card presented another certificate than the one it holds by name.
    CardSwapped {
        /// The card.
        seid: Seid,
        /// The identity it was asked for.
        identity: IdentityName,
        /// What it presented.
        why: String,
    },
    /// Something connected as a second card of one SEID and was turned away.
    SecondCardRefused {
        /// The card that was there first.
        seid: Seid,
        /// How many.
        count: usize,
    },
    /// A domain was bound to identities of a card.
    BindingAdded {
        /// The number of the change.
        change: u64,
        /// The domain.
        domain: DomainUuid,
        /// The card.
        seid: Seid,
        /// Further cards, on the same terms.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pool: Vec<Seid>,
        /// The identities, of each card; none for the only one the card holds.
        identities: Vec<IdentityName>,
        /// Whether other domains may use other identities of the card.
        shared: bool,
        /// The servers that may be connected to; none for all that its trust vouches for.
        server_names: Vec<String>,
        /// SHA-256 of the CA certificates, as the operator's file held them.
        trust_sha256: String,
        /// SHA-256 of the list of raw APDUs that the domain may send to the card, one row of mask and
        /// value on a line; absent for none.
        #[serde(skip_serializing_if = "Option::is_none")]
        raw_apdu_sha256: Option<String>,
    },
    /// All bindings of a domain that were made by a command were taken away.
    BindingRemoved {
        /// The number of the change.
        change: u64,
        /// The domain.
        domain: DomainUuid,
        /// What it was bound to.
        bindings: Vec<BoundTo>,
    },
    /// A token does not count any more.
    TokenRevoked {
        /// The number of the change.
        change: u64,
        /// The token's number, in hexadecimal.
        cti: String,
        /// The domain that showed it last, if one did.
        #[serde(skip_serializing_if = "Option::is_none")]
        domain: Option<DomainUuid>,
        /// When it ends anyway, if that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        exp: Option<String>,
    },
    /// Tokens of a domain that were issued earlier do not count any more.
    TokensFromSet {
        /// The number of the change.
        change: u64,
        /// The domain.
        domain: DomainUuid,
        /// The first moment that counts.
        from: String,
    },
    /// A token was issued by the service. Written before anybody has it.
    TokenIssued {
        /// The domain it is for.
        domain: DomainUuid,
        /// Its number, in hexadecimal.
        cti: String,
        /// The channel key it names: `SHA256:` and 64 hexadecimal digits.
        channel_key: String,
        /// When it ends.
        exp: String,
        /// Why.
        because: IssuedBecause,
    },
    /// What earlier versions kept in files of their own was taken over.
    StateImported {
        /// The number of the change.
        change: u64,
        /// How many adopted cards.
        cards: usize,
        /// How many PINs that were not accepted.
        pin_attempts: usize,
    },
    /// The change of this number, which stands before, was not made after all.
    ChangeFailed {
        /// Its number.
        change: u64,
        /// Why.
        reason: String,
    },
    /// The state did not have changes that the audit has, as after an older state was restored.
    StateBehindAudit {
        /// The last change the state had.
        had: u64,
        /// The last change in the audit; the state goes on from here.
        upto: u64,
        /// What was done again.
        again: Vec<String>,
        /// What was not: it has to be done by hand, if it is still wanted.
        missing: Vec<String>,
    },
    /// The audit does not have a line that the state knows to have been in it.
    AuditBehindState {
        /// The number of that line.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// The right of a connection ended: its token was revoked or is over, or a binding was taken
    /// away. What rested on it is ended too.
    RightEnded {
        /// The guest's domid.
        domid: DomId,
        /// The domain.
        domain: DomainUuid,
        /// The code the guest got.
        #[serde(serialize_with = "as_text")]
        code: RefusalCode,
        /// Why.
        reason: String,
        /// How many sessions ended with it: established ones and those in progress.
        sessions: usize,
        /// The established ones: the guest's agent shuts their connections.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        established: Vec<String>,
    },
    /// A domain with open channels ended, or another one has its domid now. Its channels are closed.
    DomainEnded {
        /// The domid it had.
        domid: DomId,
        /// The domain.
        domain: DomainUuid,
        /// What happened.
        reason: String,
        /// How many connections it had.
        connections: usize,
    },
    /// A guest was let in.
    GuestAdmitted(Box<Admitted>),
    /// A connection of a guest that was let in ended.
    ChannelClosed(Box<ChannelClosed>),
    /// A handshake took its card.
    SessionOpened(Box<SessionFacts>),
    /// A guest got the keys of a session. Written before they leave.
    SessionEstablished(Box<Established>),
    /// A session ended: as its guest says, or with its guest's connection.
    SessionClosed(Box<Closed>),
    /// The operator ended a session.
    SessionKilled(Box<Killed>),
    /// Guests were refused.
    SessionRefused(Box<Refusals>),
    /// A user was let in by the RACS server.
    RacsConnected(Box<RacsConnected>),
    /// A user of the RACS server left.
    RacsClosed(Box<RacsClosed>),
    /// Somebody was not let in by the RACS server.
    RacsRefused(Box<RacsRefused>),
    /// A card did not take its PIN, or was not sent it.
    PinFailed {
        /// The card.
        seid: Seid,
        /// What came of it.
        outcome: PinOutcome,
        /// In words.
        why: String,
    },
    /// The operator said that the card that is there is the right one, or that its PIN may be tried
    /// again.
    OperatorReopenedCard {
        /// The card.
        seid: Seid,
        /// Whether it becomes the right one.
        adopt: bool,
        /// Whether its PIN may be tried even though it was tried before.
        retry_pin: bool,
    },
}

/// What a binding was to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BoundTo {
    /// The card.
    pub seid: Seid,
    /// The identity, if the binding named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityName>,
}
