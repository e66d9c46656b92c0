//! Handshake messages that may come after the handshake.

use super::error::RecordError;
use crate::error::DecodeError;
use crate::tls::error::TlsError;
use crate::tls::handshake::{HandshakeMessage, HandshakeType};
use crate::tls::version::ProtocolVersion;

/// A message that a client accepts after the handshake.
pub(super) enum PostHandshake {
    /// TLS 1.2: the server asks for a new handshake.
    HelloRequest,
    /// TLS 1.3: a ticket. Its content is for whoever ran the handshake.
    NewSessionTicket(HandshakeMessage),
    /// TLS 1.3: the peer's next record is under its next key.
    KeyUpdate { requested: bool },
}

impl PostHandshake {
    /// Sorts a message; everything that only a client who asked for it would get is refused.
    pub(super) fn decode(
        message: HandshakeMessage,
        version: ProtocolVersion,
    ) -> Result<Self, RecordError> {
        let is_tls13 = version == ProtocolVersion::TLS1_3;
        match (message.kind(), message.body()) {
            (HandshakeType::HelloRequest, []) if !is_tls13 => Ok(Self::HelloRequest),
            (HandshakeType::HelloRequest, body) if !is_tls13 => {
                let (what, got) = ("HelloRequest", body.len());
                Err(malformed(DecodeError::TrailingBytes { what, got }))
            }
            (HandshakeType::NewSessionTicket, _) if is_tls13 => Ok(Self::NewSessionTicket(message)),
            (HandshakeType::KeyUpdate, [request @ (0 | 1)]) if is_tls13 => Ok(Self::KeyUpdate {
                requested: *request == 1,
            }),
            (HandshakeType::KeyUpdate, [other]) if is_tls13 => {
                let what = "request_update";
                Err(malformed(DecodeError::Unexpected {
                    what,
                    got: (*other).into(),
                }))
            }
            (HandshakeType::KeyUpdate, body) if is_tls13 => {
                let (what, max, got) = ("KeyUpdate", 1, body.len());
                Err(malformed(DecodeError::TooLong { what, max, got }))
            }
            (got, _) => Err(RecordError::UnexpectedMessage { got }),
        }
    }
}

/// A KeyUpdate message of ours (RFC 8446 §4.6.3).
pub(super) fn key_update(request: bool) -> [u8; 5] {
    [24, 0, 0, 1, request.into()]
}

fn malformed(error: DecodeError) -> RecordError {
    TlsError::Decode(error).into()
}
