//! The message that carries the keys.

use std::fmt;

use zeroize::Zeroizing;

use super::error::{FieldError, FieldProblem};
use super::field::not;
use super::from_agent::protocol_name;
use super::identity_info::certificates;
use super::value::{Map, Value};
use crate::id::SessionId;
use crate::tls::{
    CipherSuite, Established, KeyBlock, ProtocolVersion, SessionKeys, TrafficSecrets,
};

/// Longest key block, in bytes; the longest of any suite is 192.
const MAX_KEY_BLOCK: usize = 256;
/// Longest hash of any suite, in bytes.
const MAX_SECRET: usize = 64;

/// The handshake is complete; the guest's record layer takes over.
///
/// The keys are wiped when this is dropped, and by whoever takes them with [`Self::into_keys`].
#[derive(PartialEq, Eq)]
pub struct EstablishedMessage {
    /// The session.
    pub session: SessionId,
    /// Version, suite, keys, and where the two directions stand.
    pub keys: Established,
    /// How the handshake went.
    pub flags: EstablishedFlags,
    /// How many bytes of the records sent up with `server_records` belong to the handshake. What
    /// came after them is the record layer's.
    pub consumed: u64,
    /// The protocol that the server chose.
    pub alpn: Option<String>,
    /// The server's certificate chain, leaf first, each as DER; a long chain is cut to its leaf.
    pub peer_certificates: Vec<Vec<u8>>,
    /// Time that the card worked, in milliseconds.
    pub card_ms: u64,
    /// Time that the session waited for the card, in milliseconds.
    pub wait_ms: u64,
}

/// How a handshake went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EstablishedFlags {
    /// An earlier session was resumed.
    pub abbreviated: bool,
    /// RFC 7627.
    pub extended_master_secret: bool,
    /// RFC 7366.
    pub encrypt_then_mac: bool,
}

impl EstablishedMessage {
    /// Takes what the record layer starts from.
    pub fn into_keys(self) -> Established {
        self.keys
    }

    pub(super) fn write<'a>(&'a self, map: Map<'a>) -> Map<'a> {
        let nonce = self.keys.client_explicit_nonce.as_ref();
        let certificates: Value<'_> = self.peer_certificates.iter().collect();
        map.with("session", self.session.0)
            .with("version", self.keys.version.0)
            .with("cipher_suite", self.keys.cipher_suite.0)
            .with("keys", keys_to_map(&self.keys.keys))
            .with("client_sequence", self.keys.client_sequence)
            .with("server_sequence", self.keys.server_sequence)
            .with_some("client_explicit_nonce", nonce.map(|nonce| &nonce[..]))
            .with("flags", self.flags.to_map())
            .with("consumed", self.consumed)
            .with_some("alpn", self.alpn.as_ref())
            .with("peer_certificates", certificates)
            .with("card_ms", self.card_ms)
            .with("wait_ms", self.wait_ms)
    }

    pub(super) fn read(map: &Map<'_>, session: SessionId) -> Result<Self, FieldError> {
        let version = ProtocolVersion(map.required("version", Value::u16)?);
        let nonce = map.optional("client_explicit_nonce", explicit_nonce)?;
        let keys = Established {
            version,
            cipher_suite: CipherSuite(map.required("cipher_suite", Value::u16)?),
            keys: map.required("keys", |keys| session_keys(keys, version))?,
            client_sequence: map.required("client_sequence", Value::u64)?,
            server_sequence: map.required("server_sequence", Value::u64)?,
            client_explicit_nonce: nonce,
        };
        Ok(Self {
            session,
            keys,
            flags: EstablishedFlags::from_map(map.required("flags", Value::map)?)?,
            consumed: map.required("consumed", Value::u64)?,
            alpn: map.optional("alpn", protocol_name)?,
            peer_certificates: map.required("peer_certificates", certificates)?,
            card_ms: map.required("card_ms", Value::u64)?,
            wait_ms: map.required("wait_ms", Value::u64)?,
        })
    }
}

impl fmt::Debug for EstablishedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EstablishedMessage")
            .field("session", &self.session.0)
            .field("version", &format_args!("{}", self.keys.version))
            .field("cipher_suite", &format_args!("{}", self.keys.cipher_suite))
            .field("flags", &self.flags)
            .field("consumed", &self.consumed)
            .field("alpn", &self.alpn)
            .field("card_ms", &self.card_ms)
            .field("wait_ms", &self.wait_ms)
            .finish_non_exhaustive()
    }
}

impl EstablishedFlags {
    fn to_map<'a>(self) -> Map<'a> {
        Map::default()
            .with("abbreviated", self.abbreviated)
            .with("extended_master_secret", self.extended_master_secret)
            .with("encrypt_then_mac", self.encrypt_then_mac)
    }

    fn from_map(map: &Map<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            abbreviated: map.required("abbreviated", Value::bool)?,
            extended_master_secret: map.required("extended_master_secret", Value::bool)?,
            encrypt_then_mac: map.required("encrypt_then_mac", Value::bool)?,
        })
    }
}

fn keys_to_map(keys: &SessionKeys) -> Map<'_> {
    match keys {
        SessionKeys::KeyBlock(block) => Map::default().with("key_block", block.as_bytes()),
        SessionKeys::TrafficSecrets(secrets) => {
            let secrets = Map::default()
                .with("client", secrets.client.as_slice())
                .with("server", secrets.server.as_slice());
            Map::default().with("traffic_secrets", secrets)
        }
    }
}

/// The one kind of keys that the version has.
fn session_keys(keys: &Value<'_>, version: ProtocolVersion) -> Result<SessionKeys, FieldProblem> {
    let keys = keys.map()?;
    if version == ProtocolVersion::TLS1_3 {
        let secrets = keys.get("traffic_secrets").ok_or(NOT_KEYS)?.map()?;
        let secret = |name| secrets.get(name).ok_or(NOT_KEYS)?.bytes(MAX_SECRET);
        Ok(SessionKeys::TrafficSecrets(TrafficSecrets {
            client: Zeroizing::new(secret("client")?.to_vec()),
            server: Zeroizing::new(secret("server")?.to_vec()),
        }))
    } else {
        let block = keys
            .get("key_block")
            .ok_or(NOT_KEYS)?
            .bytes(MAX_KEY_BLOCK)?;
        Ok(SessionKeys::KeyBlock(KeyBlock::new(block.to_vec())))
    }
}

fn explicit_nonce(value: &Value<'_>) -> Result<[u8; 8], FieldProblem> {
    let nonce = value.bytes(8)?.try_into();
    nonce.map_err(|_| not("eight bytes"))
}

const NOT_KEYS: FieldProblem = not("the keys of the version");
