//! What the agent says.

use std::fmt;

use zeroize::Zeroizing;

use super::error::{FieldError, FieldProblem, MessageError};
use super::field::not;
use super::host_name::is_host_name;
use super::identity_info::identity_name;
use super::value::{Map, Value};
use crate::id::SessionId;
use crate::tls::AlertDescription;

/// The one version of these messages.
pub const PROTOCOL_VERSION: u16 = 1;

/// Most versions in a list of versions.
pub(super) const MAX_VERSIONS: usize = 16;
/// Most protocols in an ALPN list.
const MAX_ALPN: usize = 16;
/// Longest name of one protocol, in bytes (RFC 7301 §3.1).
pub(super) const MAX_PROTOCOL_NAME: usize = 255;
/// Longest token, in bytes.
const MAX_TOKEN: usize = 2_048;
/// Longest text by which an agent names itself, in bytes.
const MAX_AGENT: usize = 128;

/// A message from the agent to dom0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentMessage {
    /// Opens the conversation, or renews the token.
    Hello(Hello),
    /// Asks what the guest may use.
    Identities,
    /// Asks for a handshake.
    Open(Open),
    /// Whole TLS records that the server sent.
    ServerRecords(SessionData),
    /// One whole decrypted NewSessionTicket message.
    PostHandshake(SessionData),
    /// The session is of no more use.
    Close(Close),
    /// Asks for a [`AgentMessage::Pong`] in return.
    Ping,
    /// Answers a ping.
    Pong,
}

impl AgentMessage {
    /// The message as CBOR, without the length of its frame.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let kind = |kind| Map::default().with("type", kind);
        let map = match self {
            Self::Hello(hello) => hello.write(kind("hello")),
            Self::Identities => kind("identities"),
            Self::Open(open) => open.write(kind("open")),
            Self::ServerRecords(data) => data.write(kind("server_records")),
            Self::PostHandshake(data) => data.write(kind("post_handshake")),
            Self::Close(close) => close.write(kind("close")),
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
            "hello" => Ok(Self::Hello(Hello::read(map)?)),
            "identities" => Ok(Self::Identities),
            "open" => in_session(map, Open::read).map(Self::Open),
            "server_records" => in_session(map, SessionData::read).map(Self::ServerRecords),
            "post_handshake" => in_session(map, SessionData::read).map(Self::PostHandshake),
            "close" => in_session(map, Close::read).map(Self::Close),
            "ping" => Ok(Self::Ping),
            "pong" => Ok(Self::Pong),
            _ => Err(unknown_type(map)),
        }
    }
}

/// Opens the conversation.
#[derive(Clone, PartialEq, Eq)]
pub struct Hello {
    /// Versions of these messages that the agent speaks.
    pub versions: Vec<u16>,
    /// The agent's program and version, for dom0's log.
    pub agent: String,
    /// The VM-Auth-Token; empty when there is none.
    pub token: Vec<u8>,
}

impl Hello {
    fn write<'a>(&'a self, map: Map<'a>) -> Map<'a> {
        map.with(
            "versions",
            self.versions.iter().copied().collect::<Value<'_>>(),
        )
        .with("agent", &self.agent)
        .with("token", &self.token)
    }

    fn read(map: &Map<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            versions: map.required("versions", |value| value.list(MAX_VERSIONS, Value::u16))?,
            agent: map
                .required("agent", |value| value.text(MAX_AGENT))?
                .to_owned(),
            token: map
                .required("token", |value| value.bytes(MAX_TOKEN))?
                .to_vec(),
        })
    }
}

impl fmt::Debug for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hello")
            .field("versions", &self.versions)
            .field("agent", &self.agent)
            .field("token", &format_args!("{} bytes", self.token.len()))
            .finish()
    }
}

/// Asks for a handshake over the TCP connection that the guest has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Chosen by the agent, not used before on this connection.
    pub session: SessionId,
    /// The name that the server's certificate must carry; see [`super::is_host_name`].
    pub server_name: String,
    /// The identity to use; the binding's only one if left out.
    pub identity: Option<String>,
    /// Protocols for ALPN, the most wanted first; none: no ALPN extension.
    pub alpn: Vec<String>,
    /// Lowest TLS version, as on the wire; the binding's if left out.
    pub min_version: Option<u16>,
    /// Highest TLS version, as on the wire; the binding's if left out.
    pub max_version: Option<u16>,
    /// Whether an earlier session may be resumed; the binding's rule if left out.
    pub resume: Option<bool>,
    /// Which end of TLS the card takes; `client` if left out.
    pub role: Option<String>,
}

impl Open {
    fn write<'a>(&'a self, map: Map<'a>) -> Map<'a> {
        let alpn = (!self.alpn.is_empty()).then(|| self.alpn.iter().collect::<Value<'_>>());
        map.with("session", self.session.0)
            .with("server_name", &self.server_name)
            .with_some("identity", self.identity.as_ref())
            .with_some("alpn", alpn)
            .with_some("min_version", self.min_version)
            .with_some("max_version", self.max_version)
            .with_some("resume", self.resume)
            .with_some("role", self.role.as_ref())
    }

    fn read(map: &Map<'_>, session: SessionId) -> Result<Self, FieldError> {
        let identity = map.optional("identity", identity_name)?;
        let alpn = map.optional("alpn", |value| value.list(MAX_ALPN, protocol_name))?;
        let role = map.optional("role", |value| value.text(16))?;
        Ok(Self {
            session,
            server_name: map.required("server_name", host_name)?,
            identity: identity.map(|name| name.as_str().to_owned()),
            alpn: alpn.unwrap_or_default(),
            min_version: map.optional("min_version", Value::u16)?,
            max_version: map.optional("max_version", Value::u16)?,
            resume: map.optional("resume", Value::bool)?,
            role: role.map(str::to_owned),
        })
    }
}

/// Bytes that belong to one session.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionData {
    /// The session.
    pub session: SessionId,
    /// The bytes: TLS records, or a handshake message.
    pub data: Vec<u8>,
}

impl SessionData {
    pub(super) fn write<'a>(&'a self, map: Map<'a>) -> Map<'a> {
        map.with("session", self.session.0).with("data", &self.data)
    }

    pub(super) fn read(map: &Map<'_>, session: SessionId) -> Result<Self, FieldError> {
        let data = map
            .required("data", |value| value.bytes(super::MAX_FRAME))?
            .to_vec();
        Ok(Self { session, data })
    }
}

impl fmt::Debug for SessionData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionData")
            .field("session", &self.session.0)
            .field("data", &format_args!("{} bytes", self.data.len()))
            .finish()
    }
}

/// Reads a message that names a session: from then on an error is that session's.
pub(super) fn in_session<'a, T>(
    map: &Map<'a>,
    read: impl FnOnce(&Map<'a>, SessionId) -> Result<T, FieldError>,
) -> Result<T, MessageError> {
    let session = SessionId(map.required("session", Value::u32)?);
    read(map, session).map_err(|error| MessageError::InSession { session, error })
}

/// The session is of no more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close {
    /// Which one.
    pub session: SessionId,
    /// The fatal alert by which the server ended the connection, if it did so after the keys were
    /// handed over. In TLS 1.3 a server refuses the client's certificate this late.
    pub alert: Option<AlertDescription>,
}

impl Close {
    fn write<'a>(self, map: Map<'a>) -> Map<'a> {
        map.with("session", self.session.0)
            .with_some("alert", self.alert.map(|alert| u32::from(alert.0)))
    }

    fn read(map: &Map<'_>, session: SessionId) -> Result<Self, FieldError> {
        let alert = map.optional("alert", Value::u8)?;
        Ok(Self {
            session,
            alert: alert.map(AlertDescription),
        })
    }
}

impl From<SessionId> for Close {
    fn from(session: SessionId) -> Self {
        let alert = None;
        Self { session, alert }
    }
}

/// The error for a `type` that is not known here.
pub(super) fn unknown_type(map: &Map<'_>) -> MessageError {
    let session = map.optional("session", Value::u32).ok().flatten();
    MessageError::UnknownType {
        session: session.map(SessionId),
    }
}

fn host_name(value: &Value<'_>) -> Result<String, FieldProblem> {
    let name = value.text(255)?;
    is_host_name(name)
        .then(|| name.to_owned())
        .ok_or(not("a host name"))
}

/// One entry of an ALPN list: 1 to 255 bytes.
pub(super) fn protocol_name(value: &Value<'_>) -> Result<String, FieldProblem> {
    match value.text(MAX_PROTOCOL_NAME)? {
        "" => Err(not("the name of a protocol")),
        name => Ok(name.to_owned()),
    }
}

#[cfg(test)]
#[path = "from_agent_tests.rs"]
mod tests;
