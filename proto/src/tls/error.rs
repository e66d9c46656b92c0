//! What can be wrong with TLS bytes.

use super::content_type::ContentType;
use super::handshake::HandshakeType;
use super::version::ProtocolVersion;
use crate::error::DecodeError;

/// Bytes that are not the TLS they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A field is truncated, too long or holds a value that the format does not allow.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// What should be a record is of no version of TLS: the other side speaks something else.
    #[error("not TLS: {got} where the version of a record should be")]
    NotTls {
        /// What stood there.
        got: ProtocolVersion,
    },
    /// A record that announces more than any version allows (RFC 5246 §6.2.3).
    #[error("record of {got} bytes, at most {max} are allowed")]
    RecordTooLong {
        /// Most bytes allowed after the header.
        max: usize,
        /// Bytes announced.
        got: usize,
    },
    /// A record of another type than the place allows.
    #[error("expected {expected}, got a record of type {got}")]
    UnexpectedRecord {
        /// What the place allows.
        expected: &'static str,
        /// What stood there.
        got: ContentType,
    },
    /// A handshake message other than the place allows.
    #[error("expected {expected}, got {got}")]
    UnexpectedMessage {
        /// What the place allows.
        expected: &'static str,
        /// What stood there.
        got: HandshakeType,
    },
    /// A handshake record without content (forbidden by RFC 5246 §6.2.1 and RFC 8446 §5.1).
    #[error("empty handshake record")]
    EmptyHandshakeRecord,
    /// One extension twice in a hello (RFC 5246 §7.4.1.4).
    #[error("extension {extension} twice")]
    DuplicateExtension {
        /// Its code.
        extension: u16,
    },
    /// A key block shorter than the cipher suite needs.
    #[error("key block of {got} bytes, the cipher suite needs {need}")]
    ShortKeyBlock {
        /// Bytes the suite needs.
        need: usize,
        /// Bytes given.
        got: usize,
    },
}
