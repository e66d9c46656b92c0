//! The handshake against a card made of switches.

mod chains;
mod flights;
mod hostile;
mod keys;
mod policy;
mod resumption;
mod tls13;
mod tolerances;

use std::collections::VecDeque;
use std::sync::Arc;

use proto::apdu::{CommandApdu, ResponseApdu, StatusWord};

use super::{Completed, Failure, Step, begin};
use crate::card::eap_tls::testing::tls::Server;
use crate::card::eap_tls::testing::{
    Answers, FakeCard, all_capabilities, believer, parameters, request,
};
use crate::card::eap_tls::{Capabilities, DriverParameters, HandshakeRequest, OfferedSession};
use crate::card::error::SessionError;
use crate::card::fault::CardFault;
use crate::card::transport::{ChainLink, Chains};
use crate::card::trust::PeerVerifier;

/// One handshake's terms, each to be changed by a test.
struct Rig {
    card: FakeCard,
    request: HandshakeRequest,
    parameters: DriverParameters,
    capabilities: Capabilities,
    verifier: Arc<dyn PeerVerifier>,
    session: Option<OfferedSession>,
    /// What the server sends each time it is waited for.
    flights: Vec<Vec<u8>>,
    /// What went to the server.
    to_server: Vec<Vec<u8>>,
}

impl Rig {
    fn new() -> Self {
        Self::with_server(&Server::default())
    }

    fn with_server(server: &Server) -> Self {
        Self {
            card: FakeCard {
                verified: true,
                ..FakeCard::default()
            },
            request: request(),
            parameters: parameters(),
            capabilities: all_capabilities(),
            verifier: believer(),
            session: None,
            flights: vec![server.full(), server.last()],
            to_server: Vec::new(),
        }
    }

    /// Without INS 8A; what is left to forget by is method function C2.
    fn without_parameters(mut self) -> Self {
        self.card.has_parameters = false;
        self.card.has_store_session_id = true;
        self.capabilities.parameters = false;
        self.capabilities.store_session_id = true;
        self
    }

    fn answering(
        mut self,
        change: impl FnMut(&CommandApdu, ResponseApdu) -> ResponseApdu + Send + 'static,
    ) -> Self {
        self.card.answers = Some(Box::new(change) as Answers);
        self
    }

    /// Runs one handshake.
    fn run(&mut self) -> Result<Completed, Box<Failure>> {
        self.to_server.clear();
        let mut flights = std::mem::take(&mut self.flights).into_iter();
        let mut step = begin(
            self.request.clone(),
            self.parameters.clone(),
            self.capabilities,
            Arc::clone(&self.verifier),
            self.session.take(),
        )?;
        let mut announced = Announced::default();
        loop {
            let next = match step {
                Step::Transmit(handshake, command) => {
                    let must_succeed =
                        announced.take(handshake.chain(&command, Chains::All), &command);
                    let response = self.card.transmit(&command);
                    announced.answered(must_succeed, response.sw);
                    handshake.on_response(response)
                }
                Step::SendToServer(records, then) => {
                    self.to_server.push(records);
                    Ok(*then)
                }
                Step::AwaitServer(handshake) => match flights.next() {
                    Some(flight) => handshake.on_records(&flight),
                    None => return Err(handshake.abandon(SessionError::Cancelled)),
                },
                Step::Finished(completed) => return Ok(*completed),
            };
            step = next?;
        }
    }

    fn error(&mut self) -> SessionError {
        self.run().expect_err("this handshake must fail").error
    }

    fn card_fault(&mut self) -> CardFault {
        match self.error() {
            SessionError::CardFailed(fault) => fault,
            other => panic!("not the card's fault: {other:?}"),
        }
    }

    /// A full handshake whose session may then be resumed.
    fn make_session(&mut self) -> OfferedSession {
        let flights = self.flights.clone();
        let completed = self.run().expect("a full handshake");
        self.flights = flights;
        completed.session.expect("a session to resume")
    }
}

/// The commands that were said to follow, each of which must.
#[derive(Default)]
struct Announced(VecDeque<ChainLink>);

impl Announced {
    /// Takes the chain of the command that is under way; whether that must succeed.
    fn take(&mut self, chain: Vec<ChainLink>, command: &CommandApdu) -> bool {
        assert_eq!(chain[0].command, *command, "the command itself comes first");
        if self.0.is_empty() {
            self.0.extend(chain);
        }
        let link = self.0.pop_front().expect("at least the command itself");
        assert_eq!(link.command, *command, "another command was announced");
        link.must_succeed
    }

    fn answered(&mut self, must_succeed: bool, sw: StatusWord) {
        let is_unfinished = matches!(sw.sw1(), 0x61 | 0x6C | 0x91..=0x9F);
        if is_unfinished || must_succeed && !sw.is_success() {
            self.0.clear();
        }
    }
}

fn status(sw: u16) -> ResponseApdu {
    ResponseApdu::new(Vec::new(), StatusWord(sw))
}

fn success(data: &[u8]) -> ResponseApdu {
    ResponseApdu::new(data.to_vec(), StatusWord(0x9000))
}

/// Whether a command is Process-EAP's last segment, which the answer comes to.
fn ends_packet(command: &CommandApdu) -> bool {
    command.ins == 0x80 && command.p1 & 1 == 0
}
