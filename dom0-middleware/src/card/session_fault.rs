//! What ends a handshake that is not the card's fault: the server's flights, and policy.

use proto::piv::Slot;
use proto::tls::{CipherSuite, FlightError, ProtocolVersion, TlsError};
use rustls::SignatureScheme;
use thiserror::Error;

use super::fault::CardStep;

/// What server and card could not agree on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HandshakeFault {
    /// The server's flight breaks the protocol, or is an alert.
    #[error("{}", server_flight(.0))]
    ServerFlight(#[from] FlightError),
    /// The server's bytes are not TLS records.
    #[error("server bytes: {0}")]
    ServerRecords(TlsError),
    /// The card refused a server flight. Cards say no more than this.
    #[error("the card refused the {step}")]
    RefusedByCard {
        /// Which flight.
        step: CardStep,
    },
    /// ServerHello selects a version that was not offered or is not allowed.
    #[error("the server chose {got}")]
    Version {
        /// The version.
        got: ProtocolVersion,
    },
    /// ServerHello selects a suite that the card did not offer.
    #[error("the server chose {got}, which was not offered")]
    SuiteNotOffered {
        /// The suite.
        got: CipherSuite,
    },
    /// ServerHello selects a suite whose KeyBlock is not known here.
    #[error("the server chose {got}, whose key block is not known")]
    SuiteUnknown {
        /// The suite.
        got: CipherSuite,
    },
    /// ServerHello selects an ALPN protocol that was not offered.
    #[error("the server chose an application protocol that was not offered")]
    Alpn,
    /// The server takes no signature that the card can make.
    #[error("the server takes no signature that the card's key can make")]
    NoSignatureScheme,
    /// The TLS engine of this service gives the handshake up.
    #[error("{reason}")]
    Engine {
        /// Why, in its words.
        reason: String,
    },
    /// The server resumes a session that may not be resumed.
    #[error("the server resumes a session that {0}")]
    Resumption(ResumptionFault),
}

/// What an application can read of it: an alert is the server's verdict, the rest a broken rule.
fn server_flight(error: &FlightError) -> String {
    match error {
        FlightError::Alert(alert) if alert.description.refuses_certificate() => {
            let verdict = alert.description;
            format!("the server refused the client certificate: {verdict}")
        }
        FlightError::Alert(alert) => format!("the server ended the handshake: {alert}"),
        broken => format!("server flight: {broken}"),
    }
}

/// Why a resumed session is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ResumptionFault {
    /// Nothing was offered.
    #[error("was not offered")]
    NotOffered,
    /// No record of a checked handshake for this domain, identity, server and trust fits.
    #[error("no checked handshake of this domain stands behind")]
    NoRecord,
    /// The server echoes another session id than the one offered.
    #[error("is not the one offered")]
    OtherSession,
    /// Extended master secret was negotiated once and not the other time (RFC 7627 §5.3).
    #[error("differs in extended master secret")]
    ExtendedMasterSecret,
}

/// What is not allowed, or cannot be carried by the card.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyFault {
    /// ALPN was asked for and the card takes none.
    #[error("the card cannot carry application protocols")]
    AlpnNotCarried,
    /// A version range was asked for and the card takes none.
    #[error("the card cannot carry a version range")]
    VersionRangeNotCarried,
    /// No version of the range can be run through a card.
    #[error("no version from {min} to {max} can be run through a card")]
    NoVersion {
        /// The lowest version asked for.
        min: ProtocolVersion,
        /// The highest version asked for.
        max: ProtocolVersion,
    },
    /// The card offers nothing at or above the lowest version allowed.
    #[error("the card offers {got} at most, {min} is required")]
    CardTooOld {
        /// The highest version the card offers.
        got: ProtocolVersion,
        /// The lowest allowed.
        min: ProtocolVersion,
    },
    /// Resumption must not happen and the card cannot be made to forget its session.
    #[error("the card cannot be made to forget its session")]
    CannotForget,
    /// A server name or protocol list the card's command has no room for.
    #[error("the handshake parameters are too long for the card")]
    ParametersTooLong,
    /// The card says no to the handshake parameters.
    #[error("the card refuses the handshake parameters")]
    ParametersRefused,
    /// A kind of signature that the key of the identity cannot make.
    #[error("the key in slot {slot} cannot sign with {scheme:?}")]
    SchemeNotOfKey {
        /// Where the key is.
        slot: Slot,
        /// What was asked for.
        scheme: SignatureScheme,
    },
    /// An identity that the card does not hold, or not any more.
    #[error("the card holds no identity of that name")]
    NoSuchIdentity,
}

#[cfg(test)]
mod tests {
    use proto::tls::{Alert, AlertDescription};

    use super::*;

    #[test]
    fn a_verdict_on_the_certificate_is_told_from_other_alerts() {
        let said = |description| {
            let alert = Alert::fatal(description);
            HandshakeFault::from(FlightError::Alert(alert)).to_string()
        };
        assert_eq!(
            said(AlertDescription::UNKNOWN_CA),
            "the server refused the client certificate: unknown_ca"
        );
        assert_eq!(
            said(AlertDescription::PROTOCOL_VERSION),
            "the server ended the handshake: fatal alert protocol_version"
        );
    }
}
