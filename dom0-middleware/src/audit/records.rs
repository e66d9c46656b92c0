//! What the longer records hold.

use proto::agent::RefusalCode;
use proto::id::{DomId, DomainUuid, IdentityName, Seid};
use serde::{Serialize, Serializer};

use crate::hex::hex;
use crate::mapping::VerifiedToken;

/// Why a checkpoint was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckpointReason {
    /// The service starts.
    Start,
    /// There were enough records.
    Records,
    /// An hour is over.
    Hour,
    /// The file ends here and another one goes on.
    Rotation,
    /// The service ends.
    Stop,
}

/// What a checkpoint proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum CheckpointProof {
    /// That the holder of the key wrote it.
    Signed {
        /// The key, by the SHA-256 of its certificate.
        key: String,
        /// ECDSA with P-256 and SHA-256, DER in base64.
        signature: String,
    },
    /// Nothing: the service has no key.
    Unsigned {
        /// True.
        unsigned: bool,
    },
}

/// Why a token was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssuedBecause {
    /// The one before ends soon.
    Renewed,
    /// The operator has approved its key.
    Approved,
}

impl IssuedBecause {
    /// For people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Renewed => "renewed",
            Self::Approved => "approved",
        }
    }
}

/// Why a card has no PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinOutcome {
    /// The card refused it.
    Rejected,
    /// It was sent before and never accepted, so it was not sent again.
    NotSentAgain,
    /// One try is left, so it was not sent.
    LastTryKept,
    /// The card takes none any more.
    Blocked,
}

/// How it ended that a card was lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeaseEnd {
    /// It was given back.
    Returned,
    /// It was taken back.
    Recalled,
    /// It left its reader.
    Removed,
    /// It did not come up, so that nobody had it.
    Failed,
    /// The service ended.
    ServiceStopped,
}

/// A guest that was let in, once or several times with the same token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Admitted {
    /// Its domid, as its channel proves it.
    pub domid: DomId,
    /// Its UUID.
    pub domain: DomainUuid,
    /// Its name.
    pub name: String,
    /// What it was let in with.
    pub token: TokenRecord,
    /// How many times since the last such record.
    pub count: u64,
}

/// What a guest was let in with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum TokenRecord {
    /// A token.
    Token {
        /// Its number, 32 hexadecimal digits.
        cti: String,
        /// Who issued it.
        iss: String,
        /// When it ends, as in RFC 3339.
        exp: String,
    },
    /// None was asked for: `insecure-development`.
    SwitchedOff(&'static str),
}

/// What is said of a channel on which no token is asked for.
const INSECURE: &str = "insecure-development";

impl From<Option<&VerifiedToken>> for TokenRecord {
    fn from(token: Option<&VerifiedToken>) -> Self {
        match token {
            None => Self::SwitchedOff(INSECURE),
            Some(token) => Self::Token {
                cti: hex(&token.cti),
                iss: token.iss.to_string(),
                exp: token.exp.to_string(),
            },
        }
    }
}

/// Connections of one guest that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelClosed {
    /// The guest's domid.
    pub domid: DomId,
    /// Its UUID.
    pub domain: DomainUuid,
    /// Why the last of them ended.
    pub by: ChannelEnd,
    /// How many since the last such record.
    pub count: u64,
    /// Established sessions that nothing was heard of until the end, and nothing will be: those of
    /// which it is not known that they ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<String>,
    /// How many more there were than are listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_sessions: u64,
}

/// Why a connection of a guest ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelEnd {
    /// The guest closed it, or it broke.
    Lost,
    /// The guest gave no sign of life.
    Silent,
    /// The guest was refused; the reason has its own record.
    Refused,
    /// It spoke RACS, and its right to that ended; the reason has its own record.
    RightEnded,
    /// The domain ended.
    DomainEnded,
    /// The service ends.
    Stopping,
}

/// Which session: whose, on which card, with which server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionFacts {
    /// Its number, as `session list` shows it: connection and session.
    pub session: String,
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
}

/// A session whose keys a guest got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Established {
    /// Which session.
    #[serde(flatten)]
    pub facts: SessionFacts,
    /// The number of the token it rests on, 32 hexadecimal digits; absent where none is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cti: Option<String>,
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

/// A session that ended. That it did is the guest's word, or follows from the end of its connection;
/// whose session it was is ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Closed {
    /// Which session.
    #[serde(flatten)]
    pub facts: SessionFacts,
    /// Whether the guest had its keys.
    pub established: bool,
    /// Who ended it.
    pub by: ClosedBy,
    /// The server's alert, by its name in the registry. In TLS 1.3 this is how a server refuses the
    /// client's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// How long it lasted, in milliseconds: from its keys, or from `open` if it never had any.
    pub lasted_ms: u64,
}

/// Who ended a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClosedBy {
    /// The guest.
    Guest,
    /// The server, by an alert.
    ServerAlert,
    /// The connection of its guest ended while it was at its card.
    ConnectionLost,
}

/// A session that the operator ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Killed {
    /// Its number.
    pub session: String,
    /// The guest's domid.
    pub domid: DomId,
    /// Its UUID.
    pub domain: DomainUuid,
    /// The card, if one was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seid: Option<Seid>,
    /// The identity, if one was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityName>,
    /// The server.
    pub server_name: String,
    /// Whether the guest has its keys. Those it may keep; its agent shuts the connection.
    pub established: bool,
    /// How long it lasted, in milliseconds.
    pub lasted_ms: u64,
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

pub(super) fn as_text<S: Serializer>(code: &RefusalCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.as_str())
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}
