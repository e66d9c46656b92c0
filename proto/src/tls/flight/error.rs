//! What can be wrong with a flight.

use std::fmt;

use crate::tls::alert::Alert;
use crate::tls::content_type::ContentType;
use crate::tls::error::TlsError;
use crate::tls::handshake::HandshakeType;
use crate::tls::version::ProtocolVersion;

/// A flight that must not be passed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlightError {
    /// The other side ended the handshake, or warned, which we take for the same.
    #[error("{0}")]
    Alert(Alert),
    /// Something stands where the grammar has no place for it.
    #[error("expected {expected}, got {got}")]
    Grammar {
        /// What the grammar allows here.
        expected: &'static str,
        /// What stood there.
        got: FlightItem,
    },
    /// A message or record is malformed.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The flight is longer than allowed.
    #[error("flight of more than {max} bytes")]
    TooLong {
        /// Most bytes allowed, record headers included.
        max: usize,
    },
}

/// What a flight is made of, as far as the grammar sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlightItem {
    /// A record of this type.
    Record(ContentType),
    /// A record without content.
    EmptyRecord(ContentType),
    /// A record with another version than the flight.
    RecordVersion(ProtocolVersion),
    /// A ChangeCipherSpec that is not the one byte 01.
    BadChangeCipherSpec,
    /// A handshake message.
    Message(HandshakeType),
    /// A message cut off by a record of another type, or by the end.
    UnfinishedMessage,
    /// This many bytes in the same record after the message that ends the flight.
    Surplus(usize),
    /// A Certificate message without certificates.
    NoCertificate,
    /// The end of the bytes.
    End,
}

impl fmt::Display for FlightItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(content_type) => write!(f, "a record of type {content_type}"),
            Self::EmptyRecord(content_type) => write!(f, "an empty record of type {content_type}"),
            Self::RecordVersion(version) => write!(f, "a record of {version}"),
            Self::BadChangeCipherSpec => f.write_str("a malformed ChangeCipherSpec"),
            Self::Message(kind) => kind.fmt(f),
            Self::UnfinishedMessage => f.write_str("the end of an unfinished message"),
            Self::Surplus(bytes) => write!(f, "{bytes} bytes more in the last record"),
            Self::NoCertificate => f.write_str("an empty certificate list"),
            Self::End => f.write_str("the end"),
        }
    }
}

/// The error of something that the grammar has no place for.
pub(super) fn grammar(expected: &'static str, got: FlightItem) -> FlightError {
    FlightError::Grammar { expected, got }
}
