//! TLS 1.3: the card takes the server's records one by one, and says itself when it is done.
//!
//! From ServerHello on everything is encrypted under keys that only the card has. So the strict
//! reading of flights ends there; what remains is that records are whole, of the three types that
//! may come, and bounded. Whom the card has verified is asked for afterwards, before the keys.
//!
//! Source: specs/eap-tls-card.md §9.3; RFC 8446 §5, §4.1.4.

use std::collections::VecDeque;

use proto::card::{CardState as EapState, EapCardCommand};
use proto::tls::{
    Alert, ClientHello, ContentType, ExpectedFlight, FlightError, FlightItem, FlightKind,
    FlightLimits, FlightProgress, FlightReader, Record, RecordReader, ServerHello,
};

use super::client_flight::Session;
use super::context::Context;
use super::export::{Exporting, ask_suite, state_of};
use super::machine::{CardState, Next, ServerState};
use super::server_hello;
use crate::card::answer::Answer;
use crate::card::eap_tls::talk::{Talk, Talked};
use crate::card::error::SessionError;
use crate::card::fault::{CardFault, CardStep};
use crate::card::session_fault::HandshakeFault;

/// Carries records from the server to the card.
pub(super) struct Tls13Relay {
    client_hello: ClientHello,
    /// What came from the server and was not looked at.
    records: RecordReader,
    /// What the card gets next, one record at a time.
    for_card: VecDeque<Vec<u8>>,
    hello: Hello,
}

/// How far the server's choice is known.
enum Hello {
    /// ServerHello.
    Chosen(ServerHello),
    /// HelloRetryRequest; ServerHello must choose the same suite.
    Retried {
        retry: ServerHello,
        reader: Box<FlightReader>,
    },
}

impl Tls13Relay {
    /// Begins with the records that held `server_hello`, which was checked.
    pub(super) fn begin(
        context: &mut Context,
        client_hello: ClientHello,
        records: RecordReader,
        bytes: &[u8],
        server_hello: ServerHello,
    ) -> Result<Next, SessionError> {
        // What the card keeps of this handshake nobody knows; and an alert in clear means nothing
        // to the server from here on.
        context.session = None;
        context.clear_alerts = None;
        let mut relay = Box::new(Self {
            client_hello,
            records,
            for_card: VecDeque::new(),
            hello: after(server_hello, context.request.max_bytes),
        });
        relay.pass_on(bytes)?;
        relay.next(context)
    }

    /// Takes bytes from the server.
    pub(super) fn on_records(
        mut self: Box<Self>,
        context: &mut Context,
        bytes: &[u8],
    ) -> Result<Next, SessionError> {
        self.records.push(bytes);
        self.next(context)
    }

    /// The next record for the card, or the next wait for the server.
    fn next(mut self: Box<Self>, context: &mut Context) -> Result<Next, SessionError> {
        let max = context.request.max_bytes;
        loop {
            if let Some(record) = self.for_card.pop_front() {
                let (talk, command) = context.talk_flight(CardStep::ServerRecord, &record);
                let state = CardState::Tls13Answer(ExpectTls13Answer { talk, relay: self });
                return Ok(Next::Command(CardStep::ServerRecord, command, state));
            }
            let record = self.records.next_record();
            let record = record.map_err(HandshakeFault::ServerRecords)?;
            let taken = record.as_ref().map_or(0, |record| record.bytes().len());
            context.consumed = context.consumed.saturating_add(taken as u64);
            let buffered = match record {
                Some(_) => 0,
                None => self.records.buffered().len() as u64,
            };
            if context.consumed.saturating_add(buffered) > max as u64 {
                return Err(SessionError::TooManyBytes { max });
            }
            match record {
                Some(record) => self.admit(context, record)?,
                None => return Ok(Next::AwaitServer(ServerState::Tls13Record(self))),
            }
        }
    }

    /// Lets a record through to the card if one of its kind may come now.
    fn admit(&mut self, context: &Context, record: Record) -> Result<(), SessionError> {
        match (record.content_type(), &mut self.hello) {
            (ContentType::Alert, _) => {
                let alert = Alert::decode(record.payload()).map_err(FlightError::Tls);
                let error = alert.map_or_else(|error| error, FlightError::Alert);
                Err(HandshakeFault::ServerFlight(error).into())
            }
            (ContentType::ChangeCipherSpec, _) if record.payload() == [1] => {
                self.for_card.push_back(record.into_bytes());
                Ok(())
            }
            (ContentType::ApplicationData, Hello::Chosen(_)) => {
                self.for_card.push_back(record.into_bytes());
                Ok(())
            }
            (ContentType::Handshake, Hello::Retried { retry, reader }) => {
                let progress = reader.push(record).map_err(HandshakeFault::ServerFlight)?;
                let flight = match progress {
                    FlightProgress::NeedMore => return Ok(()),
                    FlightProgress::Complete(flight) | FlightProgress::Tls13(flight) => flight,
                };
                let FlightKind::Tls13Hello { server_hello } = flight.kind else {
                    let got = self.client_hello.version;
                    return Err(HandshakeFault::Version { got }.into());
                };
                server_hello::check(context, &self.client_hello, &server_hello)?;
                if server_hello.is_retry || server_hello.cipher_suite != retry.cipher_suite {
                    let got = FlightItem::Message(proto::tls::HandshakeType::ServerHello);
                    let expected = "ServerHello with the suite of HelloRetryRequest";
                    let error = FlightError::Grammar { expected, got };
                    return Err(HandshakeFault::ServerFlight(error).into());
                }
                self.hello = Hello::Chosen(server_hello);
                self.pass_on(&flight.bytes)
            }
            (other, _) => {
                let error = FlightError::Grammar {
                    expected: "an encrypted record",
                    got: FlightItem::Record(other),
                };
                Err(HandshakeFault::ServerFlight(error).into())
            }
        }
    }

    /// Puts whole records in line for the card.
    fn pass_on(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        let records = Record::decode_all(bytes).map_err(HandshakeFault::ServerRecords)?;
        let records = records.into_iter().map(Record::into_bytes);
        self.for_card.extend(records);
        Ok(())
    }
}

fn after(server_hello: ServerHello, max_bytes: usize) -> Hello {
    match server_hello.is_retry {
        false => Hello::Chosen(server_hello),
        true => Hello::Retried {
            retry: server_hello,
            reader: Box::new(FlightReader::new(
                ExpectedFlight::First,
                FlightLimits { max_bytes },
            )),
        },
    }
}

/// Awaits what the card says to a record: nothing yet, or records for the server.
pub(super) struct ExpectTls13Answer {
    pub(super) talk: Talk,
    relay: Box<Tls13Relay>,
}

impl ExpectTls13Answer {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, SessionError> {
        let step = CardStep::ServerRecord;
        let bytes = match self.talk.on_answer(answer, &mut context.identifiers)? {
            Talked::Send(talk, command) => {
                let state = CardState::Tls13Answer(Self { talk, ..self });
                return Ok(Next::Command(step, command, state));
            }
            Talked::Flight(bytes) if bytes.is_empty() => return self.relay.next(context),
            Talked::Flight(bytes) => bytes,
        };
        check_card_records(&bytes)?;
        // An answer says nothing about the end; Get-State does.
        let command = EapCardCommand::State
            .to_apdu(context.cla())
            .expect("Get-State has no data");
        let state = CardState::Tls13State(ExpectTls13State(self.relay));
        let ask = Next::Command(CardStep::State, command, state);
        Ok(Next::SendToServer(bytes, Box::new(ask)))
    }
}

/// The card's records go to the server unread, but they must be records.
fn check_card_records(bytes: &[u8]) -> Result<(), CardFault> {
    let step = CardStep::ServerRecord;
    let malformed = |source| CardFault::Flight { step, source };
    let records = Record::decode_all(bytes).map_err(|error| malformed(error.into()))?;
    for record in records {
        match record.content_type() {
            ContentType::Handshake
            | ContentType::ChangeCipherSpec
            | ContentType::ApplicationData => {}
            other => {
                return Err(malformed(FlightError::Grammar {
                    expected: "a handshake record",
                    got: FlightItem::Record(other),
                }));
            }
        }
    }
    Ok(())
}

/// Awaits Get-State: 02 while the handshake goes on, 03 at its end.
pub(super) struct ExpectTls13State(Box<Tls13Relay>);

impl ExpectTls13State {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, SessionError> {
        match (state_of(answer)?, self.0.hello) {
            (EapState::AUTHENTICATING, hello) => {
                let relay = Tls13Relay { hello, ..*self.0 };
                Box::new(relay).next(context)
            }
            (EapState::AUTHENTICATED, Hello::Chosen(server_hello)) => {
                let client_hello = &self.0.client_hello;
                let shape = server_hello::check(context, client_hello, &server_hello)?;
                let session = Session {
                    server_hello,
                    shape,
                    peer_certificates: Vec::new(),
                    abbreviated: false,
                };
                let exporting = Exporting {
                    session,
                    finished_record: Vec::new(),
                    record: None,
                };
                Ok(ask_suite(context, exporting))
            }
            (EapState(got), _) => Err(CardFault::NotAuthenticated { got }.into()),
        }
    }
}
