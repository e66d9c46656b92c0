//! The grammar of server flights as states, each named for what it waits for.

use super::error::{FlightError, FlightItem, grammar};
use super::progress::FlightKind;
use crate::tls::certificate::CertificateList;
use crate::tls::handshake::{HandshakeMessage, HandshakeType};
use crate::tls::hello::ServerHello;
use crate::tls::session_ticket;
use crate::tls::version::ProtocolVersion;

/// Where in a flight the server is.
pub(super) enum State {
    /// At the start of the first flight.
    ExpectServerHello,
    /// After ServerHello: the next thing tells a full handshake from an abbreviated one.
    ExpectCertificateOrCcs { server_hello: ServerHello },
    /// After Certificate: optional messages in order, `last` being the one seen last.
    ExpectServerHelloDone {
        server_hello: ServerHello,
        certificates: CertificateList,
        certificate_requested: bool,
        last: HandshakeType,
    },
    /// At the start of the last flight.
    ExpectTicketOrCcs,
    /// After NewSessionTicket.
    ExpectCcs {
        server_hello: Option<ServerHello>,
        new_ticket: Option<Vec<u8>>,
    },
    /// After ChangeCipherSpec: the server's Finished, which nobody but the card can read.
    ExpectEncrypted {
        server_hello: Option<ServerHello>,
        new_ticket: Option<Vec<u8>>,
    },
    /// After the flight, or after an error.
    Ended,
}

/// What follows from one item of a flight.
pub(super) enum Next {
    State(State),
    Complete(FlightKind),
    Tls13(FlightKind),
}

impl State {
    pub(super) fn first() -> Self {
        Self::ExpectServerHello
    }

    pub(super) fn last() -> Self {
        Self::ExpectTicketOrCcs
    }

    /// What may stand here, for error messages.
    pub(super) fn expected(&self) -> &'static str {
        match self {
            Self::ExpectServerHello => "ServerHello",
            Self::ExpectCertificateOrCcs { .. } => {
                "Certificate, NewSessionTicket or ChangeCipherSpec"
            }
            Self::ExpectServerHelloDone { .. } => {
                "ServerHelloDone or what may precede it, in order"
            }
            Self::ExpectTicketOrCcs => "NewSessionTicket or ChangeCipherSpec",
            Self::ExpectCcs { .. } => "ChangeCipherSpec",
            Self::ExpectEncrypted { .. } => "an encrypted handshake record",
            Self::Ended => "nothing more",
        }
    }

    /// A whole handshake message in records of `record_version`.
    pub(super) fn on_message(
        self,
        message: &HandshakeMessage,
        record_version: ProtocolVersion,
    ) -> Result<Next, FlightError> {
        use HandshakeType as Kind;
        match (self, message.kind()) {
            (Self::ExpectServerHello, Kind::ServerHello) => {
                on_server_hello(message, record_version)
            }
            (Self::ExpectCertificateOrCcs { server_hello }, Kind::Certificate) => {
                let certificates =
                    CertificateList::decode(message.body()).map_err(FlightError::Tls)?;
                if certificates.0.is_empty() {
                    return Err(grammar("a server certificate", FlightItem::NoCertificate));
                }
                Ok(Next::State(Self::ExpectServerHelloDone {
                    server_hello,
                    certificates,
                    certificate_requested: false,
                    last: Kind::Certificate,
                }))
            }
            (Self::ExpectCertificateOrCcs { server_hello }, Kind::NewSessionTicket) => {
                on_new_session_ticket(Some(server_hello), message)
            }
            (Self::ExpectTicketOrCcs, Kind::NewSessionTicket) => {
                on_new_session_ticket(None, message)
            }
            (
                Self::ExpectServerHelloDone {
                    server_hello,
                    certificates,
                    certificate_requested,
                    last,
                },
                kind,
            ) if order(kind) > order(last) => match kind {
                Kind::ServerHelloDone if message.body().is_empty() => {
                    Ok(Next::Complete(FlightKind::Full {
                        server_hello,
                        certificates,
                        certificate_requested,
                    }))
                }
                Kind::ServerHelloDone => {
                    let surplus = FlightItem::Surplus(message.body().len());
                    Err(grammar("an empty ServerHelloDone", surplus))
                }
                _ => Ok(Next::State(Self::ExpectServerHelloDone {
                    server_hello,
                    certificates,
                    certificate_requested: certificate_requested
                        || kind == Kind::CertificateRequest,
                    last: kind,
                })),
            },
            (state, kind) => Err(grammar(state.expected(), FlightItem::Message(kind))),
        }
    }

    /// A well-formed ChangeCipherSpec.
    pub(super) fn on_change_cipher_spec(self) -> Result<Next, FlightError> {
        let (server_hello, new_ticket) = match self {
            Self::ExpectCertificateOrCcs { server_hello } => (Some(server_hello), None),
            Self::ExpectTicketOrCcs => (None, None),
            Self::ExpectCcs {
                server_hello,
                new_ticket,
            } => (server_hello, new_ticket),
            state => {
                use crate::tls::content_type::ContentType::ChangeCipherSpec;
                return Err(grammar(
                    state.expected(),
                    FlightItem::Record(ChangeCipherSpec),
                ));
            }
        };
        Ok(Next::State(Self::ExpectEncrypted {
            server_hello,
            new_ticket,
        }))
    }

    /// A handshake record with content after ChangeCipherSpec.
    pub(super) fn on_encrypted(self) -> Result<Next, FlightError> {
        match self {
            Self::ExpectEncrypted {
                server_hello: Some(server_hello),
                new_ticket,
            } => Ok(Next::Complete(FlightKind::Abbreviated {
                server_hello,
                new_ticket,
            })),
            Self::ExpectEncrypted {
                server_hello: None,
                new_ticket,
            } => Ok(Next::Complete(FlightKind::Last { new_ticket })),
            state => {
                use crate::tls::content_type::ContentType::Handshake;
                Err(grammar(state.expected(), FlightItem::Record(Handshake)))
            }
        }
    }
}

fn on_server_hello(
    message: &HandshakeMessage,
    record_version: ProtocolVersion,
) -> Result<Next, FlightError> {
    let server_hello = ServerHello::decode(message.body())?;
    if server_hello.version.on_records() != record_version {
        let expected = "records of the version in ServerHello";
        return Err(grammar(expected, FlightItem::RecordVersion(record_version)));
    }
    if server_hello.version == ProtocolVersion::TLS1_3 {
        return Ok(Next::Tls13(FlightKind::Tls13Hello { server_hello }));
    }
    Ok(Next::State(State::ExpectCertificateOrCcs { server_hello }))
}

fn on_new_session_ticket(
    server_hello: Option<ServerHello>,
    message: &HandshakeMessage,
) -> Result<Next, FlightError> {
    let new_ticket = session_ticket::decode(message.body())?;
    Ok(Next::State(State::ExpectCcs {
        server_hello,
        new_ticket,
    }))
}

/// The place of a message between Certificate and ServerHelloDone (RFC 5246 §7.3, RFC 6066 §8).
/// Others have none and come before all.
fn order(kind: HandshakeType) -> u8 {
    match kind {
        HandshakeType::Certificate => 1,
        HandshakeType::CertificateStatus => 2,
        HandshakeType::ServerKeyExchange => 3,
        HandshakeType::CertificateRequest => 4,
        HandshakeType::ServerHelloDone => 5,
        _ => 0,
    }
}
