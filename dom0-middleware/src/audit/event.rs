//! What is recorded.

use proto::agent::RefusalCode;
use proto::id::{DomId, DomainUuid, IdentityName, Seid};
use serde::Serialize;

use super::records::{
    Admitted, ChannelClosed, Closed, Established, Killed, PinOutcome, Refusals, SessionFacts,
    as_text,
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
    /// A card is the right one from now on.
    CardAdopted {
        /// Where it is.
        seid: Seid,
        /// What it is known again by: `SHA256:` and 64 hexadecimal digits.
        fingerprint: String,
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
    /// A binding was taken away.
    BindingRemoved {
        /// The domain.
        domain: DomainUuid,
        /// The card.
        seid: Seid,
        /// The identity, if the binding named one.
        #[serde(skip_serializing_if = "Option::is_none")]
        identity: Option<IdentityName>,
    },
    /// The right of a connection ended: its token was revoked or is over. What it had is ended too.
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
