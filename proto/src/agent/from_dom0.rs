//! What dom0 says.

use zeroize::Zeroizing;

use super::error::{FieldError, FieldProblem, MessageError};
use super::established::EstablishedMessage;
use super::field::not;
use super::from_agent::{SessionData, in_session, unknown_type};
use super::identity_info::IdentityInfo;
use super::refusal::RefusalCode;
use super::value::{Map, Value};
use crate::id::{DomainUuid, SessionId};

/// Most identities in a list.
const MAX_IDENTITIES: usize = 64;
/// Longest line of text with a refusal, in bytes; a longer one is cut when written.
const MAX_LINE: usize = 512;
/// Longest alert to pass on, in bytes.
const MAX_ALERT: usize = 1_024;

/// A message from dom0 to the agent.
#[derive(Debug, PartialEq, Eq)]
pub enum Dom0Message {
    /// The agent is admitted.
    Welcome(Welcome),
    /// What the guest may use.
    Identities(Vec<IdentityInfo>),
    /// The handshake waits for the card.
    Queued(Queued),
    /// Bytes for the server.
    ClientRecords(SessionData),
    /// The handshake is complete.
    Established(Box<EstablishedMessage>),
    /// The answer to a session, or with no session to the whole connection, is no.
    Refused(Refused),
    /// A right ended: everything made with it must end too.
    Revoked {
        /// Which right.
        code: RefusalCode,
    },
    /// Asks for a [`Dom0Message::Pong`] in return.
    Ping,
    /// Answers a ping.
    Pong,
}

impl Dom0Message {
    /// The message as CBOR, without the length of its frame.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let kind = |kind| Map::default().with("type", kind);
        let map = match self {
            Self::Welcome(welcome) => welcome.write(kind("welcome")),
            Self::Identities(list) => {
                let list: Value<'_> = list.iter().map(IdentityInfo::to_map).collect();
                kind("identities").with("identities", list)
            }
            Self::Queued(queued) => queued.write(kind("queued")),
            Self::ClientRecords(data) => data.write(kind("client_records")),
            Self::Established(established) => established.write(kind("established")),
            Self::Refused(refused) => refused.write(kind("refused")),
            Self::Revoked { code } => kind("revoked").with("code", code.as_str()),
            Self::Ping => kind("ping"),
            Self::Pong => kind("pong"),
        };
        map.encode()
    }

    /// Reads the body of one frame.
    ///
    /// # Errors
    /// [`MessageError`], which says how much of the connection it ends.
    pub fn decode(body: &[u8]) -> Result<Self, MessageError> {
        let map = &Map::decode(body)?;
        match map.required("type", |kind| kind.text(usize::MAX))? {
            "welcome" => Ok(Self::Welcome(Welcome::read(map)?)),
            "identities" => Ok(Self::Identities(identities(map)?)),
            "queued" => in_session(map, Queued::read).map(Self::Queued),
            "client_records" => in_session(map, SessionData::read).map(Self::ClientRecords),
            "established" => in_session(map, EstablishedMessage::read)
                .map(|established| Self::Established(Box::new(established))),
            "refused" if map.get("session").is_some() => {
                in_session(map, |map, session| Refused::read(map, Some(session))).map(Self::Refused)
            }
            "refused" => Ok(Self::Refused(Refused::read(map, None)?)),
            "revoked" => Ok(Self::Revoked {
                code: map.required("code", refusal_code)?,
            }),
            "ping" => Ok(Self::Ping),
            "pong" => Ok(Self::Pong),
            _ => Err(unknown_type(map)),
        }
    }
}

/// The agent is admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// The version of these messages from now on, one of those in `hello`.
    pub version: u16,
    /// The domain that the channel belongs to.
    pub domain: DomainUuid,
    /// When the token ends, in seconds since 1970; none without a token.
    pub token_expires: Option<u64>,
    /// What the agent must keep to.
    pub limits: WelcomeLimits,
}

/// Limits of one domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WelcomeLimits {
    /// Handshakes in progress at the same time.
    pub handshakes: u32,
    /// Bytes of one handshake, each way.
    pub handshake_bytes: u64,
    /// Longest frame that dom0 takes, in bytes, without its length.
    pub frame: u32,
}

impl Welcome {
    fn write<'a>(&self, map: Map<'a>) -> Map<'a> {
        let limits = Map::default()
            .with("handshakes", self.limits.handshakes)
            .with("handshake_bytes", self.limits.handshake_bytes)
            .with("frame", self.limits.frame);
        map.with("version", self.version)
            .with("domain", self.domain.to_string())
            .with_some("token_expires", self.token_expires)
            .with("limits", limits)
    }

    fn read(map: &Map<'_>) -> Result<Self, FieldError> {
        let limits = map.required("limits", Value::map)?;
        Ok(Self {
            version: map.required("version", Value::u16)?,
            domain: map.required("domain", domain)?,
            token_expires: map.optional("token_expires", Value::u64)?,
            limits: WelcomeLimits {
                handshakes: limits.required("handshakes", Value::u32)?,
                handshake_bytes: limits.required("handshake_bytes", Value::u64)?,
                frame: limits.required("frame", Value::u32)?,
            },
        })
    }
}

/// The handshake waits for the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queued {
    /// The session.
    pub session: SessionId,
    /// How many handshakes are served before this one, the running one included.
    pub place: u32,
    /// How long that is expected to take, in milliseconds.
    pub expected_ms: u64,
}

impl Queued {
    fn write<'a>(&self, map: Map<'a>) -> Map<'a> {
        map.with("session", self.session.0)
            .with("place", self.place)
            .with("expected_ms", self.expected_ms)
    }

    fn read(map: &Map<'_>, session: SessionId) -> Result<Self, FieldError> {
        Ok(Self {
            session,
            place: map.required("place", Value::u32)?,
            expected_ms: map.required("expected_ms", Value::u64)?,
        })
    }
}

/// A no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The session, or none: the whole connection.
    pub session: Option<SessionId>,
    /// The code.
    pub code: RefusalCode,
    /// One line for people.
    pub message: String,
    /// TLS records that the agent must still send to the server.
    pub alert: Option<Vec<u8>>,
    /// When to try again, in milliseconds, if trying again can help.
    pub retry_after_ms: Option<u64>,
}

impl Refused {
    fn write<'a>(&'a self, map: Map<'a>) -> Map<'a> {
        let line = &self.message[..self.message.floor_char_boundary(MAX_LINE)];
        map.with_some("session", self.session.map(|session| session.0))
            .with("code", self.code.as_str())
            .with("message", line)
            .with_some("alert", self.alert.as_ref())
            .with_some("retry_after_ms", self.retry_after_ms)
    }

    fn read(map: &Map<'_>, session: Option<SessionId>) -> Result<Self, FieldError> {
        let alert = map.optional("alert", |value| value.bytes(MAX_ALERT))?;
        Ok(Self {
            session,
            code: map.required("code", refusal_code)?,
            message: map
                .required("message", |value| value.text(MAX_LINE))?
                .to_owned(),
            alert: alert.map(<[u8]>::to_vec),
            retry_after_ms: map.optional("retry_after_ms", Value::u64)?,
        })
    }
}

fn identities(map: &Map<'_>) -> Result<Vec<IdentityInfo>, FieldError> {
    let list = map.required("identities", |list| match list {
        Value::Array(list) if list.len() <= MAX_IDENTITIES => Ok(list),
        _ => Err(not("a list of at most 64 identities")),
    })?;
    list.iter()
        .map(|identity| {
            let identity = identity.map().map_err(|problem| FieldError {
                field: "identities",
                problem,
            })?;
            IdentityInfo::from_map(identity)
        })
        .collect()
}

fn refusal_code(value: &Value<'_>) -> Result<RefusalCode, FieldProblem> {
    let code = value.text(32)?.parse();
    code.map_err(|_| not("a refusal code"))
}

fn domain(value: &Value<'_>) -> Result<DomainUuid, FieldProblem> {
    let uuid = value.text(36)?.parse();
    uuid.map_err(|_| not("a UUID"))
}

#[cfg(test)]
#[path = "from_dom0_tests.rs"]
mod tests;
