//! What went wrong, in the words of the other door.

use proto::tls::{Alert, AlertDescription, FlightError, FlightItem, Record, ServerHello};
use rustls::{Error, InvalidMessage, PeerIncompatible};

use crate::card::{HandshakeFault, SessionError};

/// What ended a handshake.
#[derive(Debug)]
pub(super) enum Fault {
    /// rustls did, and may have an alert for the server.
    Tls(Error),
    /// We did.
    Own(SessionError),
}

impl<E: Into<SessionError>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Own(error.into())
    }
}

impl Fault {
    /// The same, in the words of the other door where it is about a `record` without content, which is
    /// forbidden but for data (RFC 5246 §6.2.1, RFC 8446 §5.1). `hello` is the server's choice, if it
    /// came so far.
    pub(super) fn at(self, record: &Record, hello: Option<&ServerHello>) -> Self {
        match self {
            Self::Tls(Error::InvalidMessage(InvalidMessage::InvalidEmptyPayload)) => {
                let expected = match hello {
                    None => "ServerHello",
                    Some(_) => "the rest of the server's handshake",
                };
                let got = FlightItem::EmptyRecord(record.content_type());
                HandshakeFault::ServerFlight(FlightError::Grammar { expected, got }).into()
            }
            other => other,
        }
    }

    /// As it is told. `hello` is the server's choice, if it came so far.
    pub(super) fn into_error(self, hello: Option<&ServerHello>) -> SessionError {
        match self {
            Self::Own(error) => error,
            Self::Tls(error) => of_rustls(&error, hello),
        }
    }
}

/// Our own mistake, or the machine's.
pub(super) fn internal(reason: impl Into<String>) -> SessionError {
    let reason = reason.into();
    SessionError::Internal { reason }
}

pub(super) fn of_rustls(error: &Error, hello: Option<&ServerHello>) -> SessionError {
    match (error, hello) {
        (Error::AlertReceived(description), _) => {
            let alert = Alert::fatal(AlertDescription(u8::from(*description)));
            HandshakeFault::ServerFlight(FlightError::Alert(alert)).into()
        }
        (
            Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ),
            Some(hello),
        ) => HandshakeFault::Version { got: hello.version }.into(),
        (
            Error::General(_)
            | Error::FailedToGetCurrentTime
            | Error::FailedToGetRandomBytes
            | Error::EncryptError
            | Error::HandshakeNotComplete
            | Error::BadMaxFragmentSize
            | Error::InconsistentKeys(_),
            _,
        ) => internal(format!("TLS: {error}")),
        // rustls says no more of it: both are a check that failed under the handshake's keys.
        (Error::DecryptError, _) => HandshakeFault::Engine {
            reason: "the server's Finished is wrong, or a record was changed on its way".to_owned(),
        }
        .into(),
        _ => {
            let mut reason = error.to_string();
            // A server's certificate may be quoted in it.
            reason.truncate(reason.floor_char_boundary(MAX_REASON));
            HandshakeFault::Engine { reason }.into()
        }
    }
}

/// Bytes of a reason that a server has a say in.
const MAX_REASON: usize = 300;

#[cfg(test)]
mod tests {
    use rustls::PeerMisbehaved;

    use super::*;
    use crate::card::server_alert;

    #[test]
    fn an_alert_of_the_server_has_its_name() {
        let error = Error::AlertReceived(rustls::AlertDescription::UnknownCA);
        let error = of_rustls(&error, None);
        let alert = server_alert(&error).expect("the server's");
        assert_eq!(*alert, Alert::fatal(AlertDescription::UNKNOWN_CA));
    }

    #[test]
    fn what_the_server_did_is_not_our_fault_and_the_other_way_round() {
        let peer = of_rustls(&PeerMisbehaved::SelectedUnofferedCipherSuite.into(), None);
        assert!(matches!(
            peer,
            SessionError::HandshakeFailed(HandshakeFault::Engine { .. })
        ));
        let ours = of_rustls(&Error::FailedToGetRandomBytes, None);
        assert!(matches!(ours, SessionError::Internal { .. }));
    }
}
