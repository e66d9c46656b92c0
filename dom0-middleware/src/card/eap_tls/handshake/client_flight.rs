//! The card's flights after a server flight, and its verdict on the server's Finished.

use proto::tls::{CertificateList, ClientFlight, ClientFlightKind, RecordReader, ServerHello};
use sha2::{Digest, Sha256};

use super::context::Context;
use super::export::{Exporting, export};
use super::machine::{CardState, Next, ServerState};
use super::server_flight::ExpectLastFlight;
use super::server_hello::KeyShape;
use crate::card::answer::Answer;
use crate::card::eap_tls::resumption::OfferedSession;
use crate::card::eap_tls::talk::{Talk, Talked};
use crate::card::error::SessionError;
use crate::card::fault::{CardFault, CardStep};
use crate::card::session_fault::HandshakeFault;

/// What ServerHello and the first flight settled.
pub(super) struct Session {
    pub(super) server_hello: ServerHello,
    pub(super) shape: KeyShape,
    pub(super) peer_certificates: Vec<Vec<u8>>,
    pub(super) abbreviated: bool,
}

/// Awaits Certificate .. ChangeCipherSpec, Finished of a full handshake.
pub(super) struct ExpectFullFlight {
    pub(super) talk: Talk,
    pub(super) session: Session,
    pub(super) certificate_requested: bool,
    pub(super) records: RecordReader,
}

impl ExpectFullFlight {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, SessionError> {
        let step = CardStep::FirstFlight;
        let bytes = match self.talk.on_answer(answer, &mut context.identifiers)? {
            Talked::Send(talk, command) => {
                let state = CardState::FullFlight(Self { talk, ..self });
                return Ok(Next::Command(step, command, state));
            }
            Talked::Flight(bytes) => bytes,
        };
        let flight = read(&bytes, ClientFlightKind::Full)?;
        check_certificate(
            flight.certificates.as_ref(),
            self.certificate_requested,
            &context.request.client_certificate_sha256,
        )?;
        // The server understands no clear alert after the client's ChangeCipherSpec.
        context.clear_alerts = None;
        let state = ExpectLastFlight::new(
            context.request.max_bytes,
            self.records,
            self.session,
            flight.finished_record,
        );
        Ok(Next::SendToServer(
            bytes,
            Box::new(Next::AwaitServer(ServerState::LastFlight(state))),
        ))
    }
}

/// Awaits ChangeCipherSpec, Finished of a resumed session.
pub(super) struct ExpectAbbreviatedFlight {
    pub(super) talk: Talk,
    pub(super) session: Session,
    /// What the card may offer again once this has succeeded.
    pub(super) record: Option<OfferedSession>,
}

impl ExpectAbbreviatedFlight {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, SessionError> {
        let bytes = match self.talk.on_answer(answer, &mut context.identifiers)? {
            Talked::Send(talk, command) => {
                let state = CardState::AbbreviatedFlight(Self { talk, ..self });
                return Ok(Next::Command(CardStep::FirstFlight, command, state));
            }
            Talked::Flight(bytes) => bytes,
        };
        let flight = read(&bytes, ClientFlightKind::Abbreviated)?;
        context.clear_alerts = None;
        let exporting = Exporting {
            session: self.session,
            finished_record: flight.finished_record,
            record: self.record,
        };
        let next = export(context, exporting);
        Ok(Next::SendToServer(bytes, Box::new(next)))
    }
}

/// Awaits the empty packet by which the card accepts the server's Finished.
pub(super) struct ExpectAcceptance {
    pub(super) talk: Talk,
    pub(super) session: Session,
    pub(super) finished_record: Vec<u8>,
    pub(super) record: Option<OfferedSession>,
}

impl ExpectAcceptance {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, SessionError> {
        let step = CardStep::LastFlight;
        match self.talk.on_answer(answer, &mut context.identifiers)? {
            Talked::Send(talk, command) => {
                let state = CardState::Acceptance(Self { talk, ..self });
                Ok(Next::Command(step, command, state))
            }
            Talked::Flight(bytes) if bytes.is_empty() => {
                let exporting = Exporting {
                    session: self.session,
                    finished_record: self.finished_record,
                    record: self.record,
                };
                Ok(export(context, exporting))
            }
            Talked::Flight(bytes) => Err(CardFault::SurplusFlight {
                step,
                got: bytes.len(),
            }
            .into()),
        }
    }
}

fn read(bytes: &[u8], kind: ClientFlightKind) -> Result<ClientFlight, CardFault> {
    let step = CardStep::FirstFlight;
    if bytes.is_empty() {
        return Err(CardFault::NoAnswer { step });
    }
    ClientFlight::read(bytes, kind).map_err(|source| CardFault::Flight { step, source })
}

/// The card must present the identity's certificate. It may leave it out only when the server did
/// not ask for one. An empty list is its word that nothing it has fits what the server asks for
/// (RFC 5246 §7.4.6).
fn check_certificate(
    certificates: Option<&CertificateList>,
    requested: bool,
    expected: &[u8; 32],
) -> Result<(), SessionError> {
    let leaf = match certificates.map(|list| list.0.first()) {
        Some(Some(leaf)) => leaf,
        Some(None) if requested => return Err(HandshakeFault::NoSignatureScheme.into()),
        None if requested => return Err(CardFault::NoClientCertificate.into()),
        _ => return Ok(()),
    };
    let got: [u8; 32] = Sha256::digest(leaf).into();
    if got != *expected {
        return Err(SessionError::CardSwapped { got });
    }
    Ok(())
}
