//! What is recorded.

use proto::agent::RefusalCode;
use proto::id::{DomId, DomainUuid, IdentityName, Seid};
use serde::{Serialize, Serializer};

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
    /// A guest got the keys of a session. Written before they leave.
    SessionEstablished(Box<Established>),
    /// A server ended a session by an alert after the guest had got its keys, as the guest says.
    SessionEndedByServer(Box<EndedByServer>),
    /// Guests were refused.
    SessionRefused(Box<Refusals>),
}

/// A session whose keys a guest got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Established {
    /// The guest's domid.
    pub domid: DomId,
    /// Its UUID.
    pub domain: DomainUuid,
    /// Its name.
    pub name: String,
    /// The card.
    pub seid: Seid,
    /// The identity used.
    pub identity: IdentityName,
    /// The server.
    pub server_name: String,
    /// TLS version.
    pub version: String,
    /// Cipher suite.
    pub cipher_suite: String,
    /// Whether an earlier session was resumed.
    pub abbreviated: bool,
    /// SHA-256 of the server's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_sha256: Option<String>,
    /// Time the card worked, in microseconds.
    pub card_us: u64,
    /// Time the session waited for the card, in microseconds.
    pub wait_us: u64,
}

/// A session that the server ended by an alert. In TLS 1.3 this is how a server refuses the
/// client's certificate. That it happened is the guest's word; whose session it was is ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndedByServer {
    /// The guest's domid.
    pub domid: DomId,
    /// Its UUID.
    pub domain: DomainUuid,
    /// Its name.
    pub name: String,
    /// The card.
    pub seid: Seid,
    /// The identity used.
    pub identity: IdentityName,
    /// The server.
    pub server_name: String,
    /// The alert, by its name in the registry.
    pub alert: String,
}

/// Refusals of one domain with one code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusals {
    /// The guest's domid, as its channel proves it.
    pub domid: DomId,
    /// The domain the channel was made for; absent when that could not be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<DomainUuid>,
    /// The code the guest got.
    #[serde(serialize_with = "as_text")]
    pub code: RefusalCode,
    /// How many since the last such record.
    pub count: u64,
    /// The full reason of the last one.
    pub reason: String,
    /// The card, if one was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seid: Option<Seid>,
    /// The server asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
}

fn as_text<S: Serializer>(code: &RefusalCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.as_str())
}
