//! What can go wrong in the record layer.

use crate::tls::alert::AlertDescription;
use crate::tls::cipher_suite::CipherSuite;
use crate::tls::content_type::ContentType;
use crate::tls::error::TlsError;
use crate::tls::handshake::HandshakeType;
use crate::tls::version::ProtocolVersion;

/// An error of the record layer. Those of [`open`](super::RecordLayer::open) are final for the
/// direction; [`alert`](Self::alert) is what the peer should be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The suite does not belong to the version, or is not one of AES-GCM and ChaCha20-Poly1305.
    #[error("{version} with {cipher_suite} has no record layer here")]
    Unsupported {
        /// The version asked for.
        version: ProtocolVersion,
        /// The suite asked for.
        cipher_suite: CipherSuite,
    },
    /// A key block for TLS 1.3, or traffic secrets for TLS 1.2.
    #[error("keys of another version than {version}")]
    WrongKeys {
        /// The version asked for.
        version: ProtocolVersion,
    },
    /// A traffic secret that is not as long as the hash of its suite.
    #[error("traffic secret of {got} bytes, the cipher suite needs {need}")]
    SecretLength {
        /// Bytes the suite needs.
        need: usize,
        /// Bytes given.
        got: usize,
    },
    /// Sequence numbers other than those right after a handshake.
    #[error("sequence numbers {client} and {server} are not those after a handshake")]
    SequenceNumbers {
        /// That of the client.
        client: u64,
        /// That of the server.
        server: u64,
    },
    /// TLS 1.2 GCM without the explicit nonce to go on from.
    #[error("no explicit nonce to go on from")]
    MissingExplicitNonce,
    /// A malformed record, alert or post-handshake message.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A record with another version in its header than the connection.
    #[error("a record of {got}")]
    RecordVersion {
        /// The version in the header.
        got: ProtocolVersion,
    },
    /// More content in a record than allowed, padding included.
    #[error("record with {got} bytes, at most {max} are allowed")]
    Overflow {
        /// Most bytes allowed.
        max: usize,
        /// Bytes there were.
        got: usize,
    },
    /// The record was not made with the peer's key, for this place, or was changed on its way.
    #[error("record does not decrypt")]
    Decrypt,
    /// A TLS 1.3 record of padding only.
    #[error("record without a content type")]
    NoContentType,
    /// A record of a type that has no place after the handshake.
    #[error("unexpected record of type {got}")]
    UnexpectedRecord {
        /// Its type.
        got: ContentType,
    },
    /// A record of another type between the parts of a handshake message.
    #[error("record of type {got} inside a handshake message")]
    Interleaved {
        /// Its type.
        got: ContentType,
    },
    /// A handshake message that has no place after the handshake.
    #[error("unexpected {got}")]
    UnexpectedMessage {
        /// What it is.
        got: HandshakeType,
    },
    /// Bytes in a record after a KeyUpdate: a message may not span a change of keys.
    #[error("{got} bytes after a KeyUpdate in one record")]
    AfterKeyUpdate {
        /// Bytes there were.
        got: usize,
    },
    /// The peer repeats something without sending data.
    #[error("more than {max} {what} in a row")]
    TooMany {
        /// What it repeats.
        what: &'static str,
        /// Most allowed.
        max: u32,
    },
    /// The key has protected as many records as it may: close the connection.
    #[error("key is used up")]
    LimitReached,
    /// Reading after the peer's close_notify or after an error.
    #[error("the peer's direction is closed")]
    ReadClosed,
    /// Writing after our close_notify or fatal alert.
    #[error("our direction is closed")]
    WriteClosed,
}

impl RecordError {
    /// The alert that tells the peer; nothing where the peer is not at fault.
    #[must_use]
    pub fn alert(&self) -> Option<AlertDescription> {
        Some(match self {
            Self::Unsupported { .. }
            | Self::WrongKeys { .. }
            | Self::SecretLength { .. }
            | Self::SequenceNumbers { .. }
            | Self::MissingExplicitNonce
            | Self::LimitReached
            | Self::ReadClosed
            | Self::WriteClosed => return None,
            Self::Tls(TlsError::Decode(_)) => AlertDescription::DECODE_ERROR,
            Self::Tls(TlsError::NotTls { .. }) | Self::RecordVersion { .. } => {
                AlertDescription::PROTOCOL_VERSION
            }
            Self::Tls(TlsError::RecordTooLong { .. }) | Self::Overflow { .. } => {
                AlertDescription::RECORD_OVERFLOW
            }
            Self::Tls(_)
            | Self::NoContentType
            | Self::UnexpectedRecord { .. }
            | Self::Interleaved { .. }
            | Self::UnexpectedMessage { .. }
            | Self::AfterKeyUpdate { .. }
            | Self::TooMany { .. } => AlertDescription::UNEXPECTED_MESSAGE,
            Self::Decrypt => AlertDescription::BAD_RECORD_MAC,
        })
    }
}
