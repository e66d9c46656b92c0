//! What the server is told, in clear, about a handshake that ends.

use proto::tls::{AlertDescription, FlightError};

use super::error::SessionError;
use super::session_fault::HandshakeFault;
use super::trust::TrustError;

/// What a fatal alert for the server should say about `error`; nothing when the server needs none.
pub(crate) fn description(error: &SessionError) -> Option<AlertDescription> {
    Some(match error {
        SessionError::PeerUntrusted(TrustError::Expired { .. }) => {
            AlertDescription::CERTIFICATE_EXPIRED
        }
        SessionError::PeerUntrusted(TrustError::NoTrustFor { .. } | TrustError::UnknownIssuer) => {
            AlertDescription::UNKNOWN_CA
        }
        SessionError::PeerUntrusted(_) => AlertDescription::BAD_CERTIFICATE,
        SessionError::HandshakeFailed(fault) => match fault {
            HandshakeFault::ServerFlight(FlightError::Alert(_)) => return None,
            HandshakeFault::ServerFlight(_) => AlertDescription::UNEXPECTED_MESSAGE,
            HandshakeFault::ServerRecords(_) => AlertDescription::DECODE_ERROR,
            HandshakeFault::Version { .. } => AlertDescription::PROTOCOL_VERSION,
            HandshakeFault::SuiteNotOffered { .. }
            | HandshakeFault::Alpn
            | HandshakeFault::Resumption(_) => AlertDescription::ILLEGAL_PARAMETER,
            HandshakeFault::SuiteUnknown { .. }
            | HandshakeFault::RefusedByCard { .. }
            | HandshakeFault::NoSignatureScheme
            | HandshakeFault::Engine { .. } => AlertDescription::HANDSHAKE_FAILURE,
        },
        SessionError::Cancelled | SessionError::Stopped | SessionError::Timeout { .. } => {
            return None;
        }
        _ => AlertDescription::INTERNAL_ERROR,
    })
}
