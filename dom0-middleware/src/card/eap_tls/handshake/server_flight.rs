//! The server's flights: read strictly, checked, and only then given to the card.

use proto::tls::{
    CertificateList, ClientHello, ExpectedFlight, Flight, FlightKind, FlightLimits, FlightProgress,
    FlightReader, RecordReader, ServerHello,
};

use super::client_flight::{ExpectAbbreviatedFlight, ExpectAcceptance, ExpectFullFlight, Session};
use super::context::Context;
use super::machine::{CardState, Next, ServerState};
use super::server_hello;
use super::tls13::Tls13Relay;
use crate::card::eap_tls::resumption::{Offer, OfferedSession};
use crate::card::error::SessionError;
use crate::card::fault::CardStep;
use crate::card::session_fault::{HandshakeFault, ResumptionFault};

/// Awaits ServerHello and what follows up to ServerHelloDone, or up to Finished.
pub(super) struct ExpectFirstFlight {
    flight: FlightInput,
    client_hello: ClientHello,
    offer: Offer,
}

impl ExpectFirstFlight {
    pub(super) fn new(max_bytes: usize, client_hello: ClientHello, offer: Offer) -> Self {
        Self {
            flight: FlightInput::new(RecordReader::new(), ExpectedFlight::First, max_bytes),
            client_hello,
            offer,
        }
    }

    pub(super) fn on_records(
        mut self,
        context: &mut Context,
        bytes: &[u8],
    ) -> Result<Next, SessionError> {
        let Some(flight) = self.flight.push(context, bytes)? else {
            return Ok(Next::AwaitServer(ServerState::FirstFlight(self)));
        };
        match flight.kind {
            FlightKind::Full {
                server_hello,
                certificates,
                certificate_requested,
            } => self.on_full(
                context,
                &flight.bytes,
                server_hello,
                certificates,
                certificate_requested,
            ),
            FlightKind::Abbreviated {
                server_hello,
                new_ticket,
            } => self.on_abbreviated(context, &flight.bytes, server_hello, new_ticket.is_some()),
            FlightKind::Tls13Hello { server_hello } => {
                server_hello::check(context, &self.client_hello, &server_hello)?;
                Tls13Relay::begin(
                    context,
                    self.client_hello,
                    self.flight.records,
                    &flight.bytes,
                    server_hello,
                )
            }
            FlightKind::Last { .. } => unreachable!("a first flight was asked for"),
        }
    }

    /// A full handshake: the server is verified before the card sees a byte of its flight.
    fn on_full(
        self,
        context: &mut Context,
        bytes: &[u8],
        server_hello: ServerHello,
        certificates: CertificateList,
        certificate_requested: bool,
    ) -> Result<Next, SessionError> {
        let shape = server_hello::check(context, &self.client_hello, &server_hello)?;
        context
            .verifier
            .verify_peer(&certificates.0, &context.request.server_name)?;
        // From here on the card may overwrite its session, whatever becomes of the handshake.
        context.session = None;
        let (talk, command) = context.talk_flight(CardStep::FirstFlight, bytes);
        let session = Session {
            server_hello,
            shape,
            peer_certificates: certificates.0,
            abbreviated: false,
        };
        let state = ExpectFullFlight {
            talk,
            session,
            certificate_requested,
            records: self.flight.records,
        };
        Ok(Next::Command(
            CardStep::FirstFlight,
            command,
            CardState::FullFlight(state),
        ))
    }

    /// A resumed session reaches the card only if the record of a checked handshake says so.
    fn on_abbreviated(
        self,
        context: &mut Context,
        bytes: &[u8],
        server_hello: ServerHello,
        new_ticket: bool,
    ) -> Result<Next, SessionError> {
        let shape = server_hello::check(context, &self.client_hello, &server_hello)?;
        let record = self
            .resumable(context, &server_hello)
            .map_err(HandshakeFault::Resumption)?;
        let (talk, command) = context.talk_flight(CardStep::FirstFlight, bytes);
        let session = Session {
            server_hello,
            shape,
            peer_certificates: record.peer_certificates.clone(),
            abbreviated: true,
        };
        let state = ExpectAbbreviatedFlight {
            talk,
            session,
            // A new ticket replaces what the record stands for; only full handshakes write one.
            record: (!new_ticket).then_some(record),
        };
        Ok(Next::Command(
            CardStep::FirstFlight,
            command,
            CardState::AbbreviatedFlight(state),
        ))
    }

    /// Takes the record of the session the server resumes, if everything about it fits.
    fn resumable(
        &self,
        context: &mut Context,
        server_hello: &ServerHello,
    ) -> Result<OfferedSession, ResumptionFault> {
        if self.offer == Offer::Nothing {
            return Err(ResumptionFault::NotOffered);
        }
        let record = context
            .session
            .as_ref()
            .filter(|session| context.may_resume && session.is(&self.offer))
            .ok_or(ResumptionFault::NoRecord)?;
        let offered_id = &self.client_hello.session_id;
        if !offered_id.is_empty() && *offered_id != server_hello.session_id {
            return Err(ResumptionFault::OtherSession);
        }
        if record.extended_master_secret != server_hello.extended_master_secret {
            return Err(ResumptionFault::ExtendedMasterSecret);
        }
        // Taken now: if the card fails from here on, nobody knows what it keeps.
        context.session.take().ok_or(ResumptionFault::NoRecord)
    }
}

/// Awaits the server's ChangeCipherSpec and Finished of a full handshake.
pub(super) struct ExpectLastFlight {
    flight: FlightInput,
    session: Session,
    finished_record: Vec<u8>,
}

impl ExpectLastFlight {
    pub(super) fn new(
        max_bytes: usize,
        records: RecordReader,
        session: Session,
        finished_record: Vec<u8>,
    ) -> Self {
        let expected = ExpectedFlight::Last(session.server_hello.version);
        Self {
            flight: FlightInput::new(records, expected, max_bytes),
            session,
            finished_record,
        }
    }

    pub(super) fn on_records(
        mut self,
        context: &mut Context,
        bytes: &[u8],
    ) -> Result<Next, SessionError> {
        let Some(flight) = self.flight.push(context, bytes)? else {
            return Ok(Next::AwaitServer(ServerState::LastFlight(self)));
        };
        let FlightKind::Last { new_ticket } = flight.kind else {
            unreachable!("a last flight was asked for");
        };
        let record = OfferedSession::after_full(
            &context.request,
            &self.session.server_hello,
            self.session.peer_certificates.clone(),
            new_ticket.as_deref(),
        );
        let (talk, command) = context.talk_flight(CardStep::LastFlight, &flight.bytes);
        let state = ExpectAcceptance {
            talk,
            session: self.session,
            finished_record: self.finished_record,
            record,
        };
        Ok(Next::Command(
            CardStep::LastFlight,
            command,
            CardState::Acceptance(state),
        ))
    }
}

/// Bytes from the server on their way to a whole flight, counted.
struct FlightInput {
    records: RecordReader,
    reader: FlightReader,
    max_bytes: usize,
}

impl FlightInput {
    fn new(records: RecordReader, expected: ExpectedFlight, max_bytes: usize) -> Self {
        Self {
            records,
            reader: FlightReader::new(expected, FlightLimits { max_bytes }),
            max_bytes,
        }
    }

    /// Takes bytes; the flight once it is complete. Bytes beyond it stay where they are.
    fn push(
        &mut self,
        context: &mut Context,
        bytes: &[u8],
    ) -> Result<Option<Flight>, SessionError> {
        self.records.push(bytes);
        while let Some(record) = self
            .records
            .next_record()
            .map_err(HandshakeFault::ServerRecords)?
        {
            context.consumed = context.consumed.saturating_add(record.bytes().len() as u64);
            self.check_limit(context, 0)?;
            match self
                .reader
                .push(record)
                .map_err(HandshakeFault::ServerFlight)?
            {
                FlightProgress::NeedMore => {}
                FlightProgress::Complete(flight) | FlightProgress::Tls13(flight) => {
                    return Ok(Some(flight));
                }
            }
        }
        self.check_limit(context, self.records.buffered().len())?;
        Ok(None)
    }

    fn check_limit(&self, context: &Context, buffered: usize) -> Result<(), SessionError> {
        let max = self.max_bytes;
        let taken = context.consumed.saturating_add(buffered as u64);
        if taken > max as u64 {
            return Err(SessionError::TooManyBytes { max });
        }
        Ok(())
    }
}
