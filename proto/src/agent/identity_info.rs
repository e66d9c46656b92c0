//! What a guest is told about an identity that it may use.

use super::error::{FieldError, FieldProblem};
use super::field::not;
use super::from_agent::MAX_VERSIONS;
use super::value::{Map, Value};
use crate::id::IdentityName;

/// Most certificates in a chain.
pub(super) const MAX_CERTIFICATES: usize = 10;
/// Longest certificate, in bytes.
pub(super) const MAX_CERTIFICATE: usize = super::MAX_FRAME;

/// One identity of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityInfo {
    /// Its name on the card.
    pub name: IdentityName,
    /// Its certificate chain, leaf first, each as DER; empty if the card does not let it be read.
    pub certificates: Vec<Vec<u8>>,
    /// How the card takes part in a handshake.
    pub door: Door,
    /// TLS versions that a handshake can end in, as on the wire: 0x0303 is TLS 1.2.
    pub versions: Vec<u16>,
    /// Whether the server name reaches the ClientHello.
    pub server_name: bool,
    /// Whether an ALPN list reaches the ClientHello.
    pub alpn: bool,
}

impl IdentityInfo {
    pub(super) fn to_map(&self) -> Map<'_> {
        Map::default()
            .with("name", self.name.as_str())
            .with(
                "certificates",
                self.certificates.iter().collect::<Value<'_>>(),
            )
            .with("door", self.door.as_str())
            .with(
                "versions",
                self.versions.iter().copied().collect::<Value<'_>>(),
            )
            .with("server_name", self.server_name)
            .with("alpn", self.alpn)
    }

    pub(super) fn from_map(map: &Map<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            name: map.required("name", identity_name)?,
            certificates: map.required("certificates", certificates)?,
            door: map.required("door", Door::from_value)?,
            versions: map.required("versions", |value| value.list(MAX_VERSIONS, Value::u16))?,
            server_name: map.required("server_name", Value::bool)?,
            alpn: map.required("alpn", Value::bool)?,
        })
    }
}

/// How a card takes part in a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Door {
    /// The card runs the TLS handshake.
    EapTls,
    /// The card signs; the middleware runs the TLS handshake.
    Piv,
}

impl Door {
    /// The door as it stands in a message.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EapTls => "eap-tls",
            Self::Piv => "piv",
        }
    }

    fn from_value(value: &Value<'_>) -> Result<Self, FieldProblem> {
        match value.text(16)? {
            "eap-tls" => Ok(Self::EapTls),
            "piv" => Ok(Self::Piv),
            _ => Err(not("a door")),
        }
    }
}

/// The name of an identity: 1 to 64 printable ASCII bytes.
pub(super) fn identity_name(value: &Value<'_>) -> Result<IdentityName, FieldProblem> {
    let name = value.text(64)?.parse();
    name.map_err(|_| not("the name of an identity"))
}

/// A chain of certificates.
pub(super) fn certificates(value: &Value<'_>) -> Result<Vec<Vec<u8>>, FieldProblem> {
    value.list(MAX_CERTIFICATES, |der| {
        der.bytes(MAX_CERTIFICATE).map(<[u8]>::to_vec)
    })
}
