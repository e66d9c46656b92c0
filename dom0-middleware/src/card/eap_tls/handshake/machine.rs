//! The outside of a handshake: what a worker feeds it and what it asks for.

use std::fmt;
use std::sync::Arc;

use proto::apdu::{CommandApdu, ResponseApdu};
use proto::tls::Established;

use super::client_flight::{ExpectAbbreviatedFlight, ExpectAcceptance, ExpectFullFlight};
use super::client_hello::ExpectClientHello;
use super::context::Context;
use super::export::{ExpectCipherSuite, ExpectKeyBlock, ExpectState};
use super::following;
use super::preparation::{
    ExpectIdentitySet, ExpectParametersTaken, ExpectSessionOverwritten, ExpectStateReset, prepare,
};
use super::server_flight::{ExpectFirstFlight, ExpectLastFlight};
use super::tls13::{ExpectTls13Answer, ExpectTls13State, Tls13Relay};
use super::tls13_export::{ExpectAlpn, ExpectClientCertificate, ExpectServerCertificates};
use crate::card::eap_tls::command::{Pending, Progress};
use crate::card::eap_tls::parameters::{Capabilities, DriverParameters};
use crate::card::eap_tls::request::HandshakeRequest;
use crate::card::eap_tls::resumption::OfferedSession;
use crate::card::eap_tls::talk::Talk;
use crate::card::error::SessionError;
use crate::card::fault::CardStep;
use crate::card::transport::{ChainLink, Chains};
use crate::card::trust::PeerVerifier;

/// Begins a handshake on an opened card.
///
/// `session` is what an earlier handshake on this card left to be resumed; the outcome, good or
/// bad, holds what is left of it.
///
/// # Errors
/// [`SessionError::Policy`] when the card cannot carry what is asked for. The card is untouched,
/// `session` remains true.
pub fn begin(
    request: HandshakeRequest,
    parameters: DriverParameters,
    capabilities: Capabilities,
    verifier: Arc<dyn PeerVerifier>,
    session: Option<OfferedSession>,
) -> Result<Step, Box<Failure>> {
    let mut context = Box::new(Context::new(
        request,
        parameters,
        capabilities,
        verifier,
        session,
    ));
    let next = prepare(&mut context);
    act(context, next)
}

/// What a handshake wants next.
#[derive(Debug)]
pub enum Step {
    /// Send this command to the card and feed its response to [`AwaitCard::on_response`].
    Transmit(Box<AwaitCard>, CommandApdu),
    /// Send these TLS records to the server, then act on the step within.
    SendToServer(Vec<u8>, Box<Self>),
    /// Feed what the server sends to [`AwaitServer::on_records`].
    AwaitServer(Box<AwaitServer>),
    /// The keys. Nothing follows.
    Finished(Box<Completed>),
}

/// A handshake that waits for its card.
pub struct AwaitCard {
    context: Box<Context>,
    pending: Pending,
    state: CardState,
}

impl AwaitCard {
    /// Takes the response to the command of [`Step::Transmit`].
    ///
    /// # Errors
    /// [`Failure`] when that ends the handshake.
    pub fn on_response(self, response: ResponseApdu) -> Result<Step, Box<Failure>> {
        let Self {
            mut context,
            pending,
            state,
        } = self;
        match pending.on_response(response, &mut context.counter) {
            Ok(Progress::Transmit(pending, command)) => Ok(Step::Transmit(
                Box::new(Self {
                    context,
                    pending,
                    state,
                }),
                command,
            )),
            Ok(Progress::Complete(answer)) => {
                let next = match state {
                    CardState::IdentitySet(state) => state.on_answer(&mut context, &answer),
                    CardState::StateReset(state) => state.on_answer(&mut context, &answer),
                    CardState::SessionOverwritten(state) => state.on_answer(&mut context, &answer),
                    CardState::ParametersTaken(state) => state.on_answer(&mut context, &answer),
                    CardState::ClientHello(state) => state.on_answer(&mut context, &answer),
                    CardState::FullFlight(state) => state.on_answer(&mut context, &answer),
                    CardState::AbbreviatedFlight(state) => state.on_answer(&mut context, &answer),
                    CardState::Acceptance(state) => state.on_answer(&mut context, &answer),
                    CardState::State(state) => state.on_answer(&mut context, &answer),
                    CardState::CipherSuite(state) => state.on_answer(&mut context, &answer),
                    CardState::Tls13Answer(state) => state.on_answer(&mut context, &answer),
                    CardState::Tls13State(state) => state.on_answer(&mut context, &answer),
                    CardState::ServerCertificates(state) => state.on_answer(&mut context, &answer),
                    CardState::ClientCertificate(state) => state.on_answer(&mut context, &answer),
                    CardState::Alpn(state) => state.on_answer(&mut context, &answer),
                    CardState::KeyBlock(state) => state.on_answer(&context, &answer),
                };
                act(context, next)
            }
            Err(fault) => Err(fail(context, fault.into())),
        }
    }

    /// Which command is under way.
    #[must_use]
    pub fn step(&self) -> CardStep {
        self.pending.step()
    }

    /// `command`, which is under way, and those that follow it whatever data the card answers with.
    #[must_use]
    pub fn chain(&self, command: &CommandApdu, chains: Chains) -> Vec<ChainLink> {
        following::chain(&self.state, &self.context, command, chains)
    }

    /// Gives the handshake up because of `error`.
    #[must_use]
    pub fn abandon(self, error: SessionError) -> Box<Failure> {
        fail(self.context, error)
    }
}

/// A handshake that waits for the server's next flight.
pub struct AwaitServer {
    context: Box<Context>,
    state: ServerState,
}

impl AwaitServer {
    /// Takes bytes from the server: whole records or parts, of this flight or of what follows.
    ///
    /// # Errors
    /// [`Failure`] when that ends the handshake; no byte of the flight has reached the card.
    pub fn on_records(self, bytes: &[u8]) -> Result<Step, Box<Failure>> {
        let Self { mut context, state } = self;
        let next = match state {
            ServerState::FirstFlight(state) => state.on_records(&mut context, bytes),
            ServerState::LastFlight(state) => state.on_records(&mut context, bytes),
            ServerState::Tls13Record(state) => state.on_records(&mut context, bytes),
        };
        act(context, next)
    }

    /// Gives the handshake up because of `error`.
    #[must_use]
    pub fn abandon(self, error: SessionError) -> Box<Failure> {
        fail(self.context, error)
    }
}

/// A handshake that succeeded. Holds keys: no `Debug` of their content.
pub struct Completed {
    /// What the record layer starts from.
    pub keys: Established,
    /// Whether an earlier session was resumed.
    pub abbreviated: bool,
    /// RFC 7627, from ServerHello.
    pub extended_master_secret: bool,
    /// RFC 7366, from ServerHello.
    pub encrypt_then_mac: bool,
    /// How many of the server's bytes belong to the handshake; what follows is ciphertext.
    pub consumed: u64,
    /// The ALPN protocol the server chose.
    pub alpn: Option<Vec<u8>>,
    /// The server's certificates, leaf first, as verified; after a resumption those of the full
    /// handshake before it.
    pub peer_certificates: Vec<Vec<u8>>,
    /// What the card may offer next time.
    pub session: Option<OfferedSession>,
}

/// A handshake that failed.
#[derive(Debug)]
pub struct Failure {
    /// Why.
    pub error: SessionError,
    /// An alert record for the server, in clear.
    pub alert: Option<Vec<u8>>,
    /// What the card may still offer next time.
    pub session: Option<OfferedSession>,
}

/// A state in which the card has the word.
pub(super) enum CardState {
    IdentitySet(ExpectIdentitySet),
    StateReset(ExpectStateReset),
    SessionOverwritten(ExpectSessionOverwritten),
    ParametersTaken(ExpectParametersTaken),
    ClientHello(ExpectClientHello),
    FullFlight(ExpectFullFlight),
    AbbreviatedFlight(ExpectAbbreviatedFlight),
    Acceptance(ExpectAcceptance),
    State(ExpectState),
    Tls13Answer(ExpectTls13Answer),
    Tls13State(ExpectTls13State),
    CipherSuite(ExpectCipherSuite),
    ServerCertificates(ExpectServerCertificates),
    ClientCertificate(ExpectClientCertificate),
    Alpn(ExpectAlpn),
    KeyBlock(ExpectKeyBlock),
}

impl CardState {
    /// The message of which the card has a part.
    pub(super) fn talk(&self) -> Option<&Talk> {
        match self {
            Self::ClientHello(state) => Some(&state.talk),
            Self::FullFlight(state) => Some(&state.talk),
            Self::AbbreviatedFlight(state) => Some(&state.talk),
            Self::Acceptance(state) => Some(&state.talk),
            Self::Tls13Answer(state) => Some(&state.talk),
            _ => None,
        }
    }
}

/// A state in which the server has the word.
pub(super) enum ServerState {
    FirstFlight(ExpectFirstFlight),
    LastFlight(ExpectLastFlight),
    Tls13Record(Box<Tls13Relay>),
}

/// What a state decides: a [`Step`] before its command is counted and started.
pub(super) enum Next {
    Command(CardStep, CommandApdu, CardState),
    SendToServer(Vec<u8>, Box<Self>),
    AwaitServer(ServerState),
    Finished(Box<Completed>),
}

fn act(mut context: Box<Context>, next: Result<Next, SessionError>) -> Result<Step, Box<Failure>> {
    match next {
        Ok(Next::Command(step, command, state)) => {
            let started = Pending::start(
                step,
                command,
                &context.parameters.profile,
                &mut context.counter,
            );
            match started {
                Ok((pending, command)) => Ok(Step::Transmit(
                    Box::new(AwaitCard {
                        context,
                        pending,
                        state,
                    }),
                    command,
                )),
                Err(fault) => Err(fail(context, fault.into())),
            }
        }
        Ok(Next::SendToServer(records, then)) => {
            context.relayed = context.relayed.saturating_add(records.len());
            let then = act(context, Ok(*then))?;
            Ok(Step::SendToServer(records, Box::new(then)))
        }
        Ok(Next::AwaitServer(state)) => {
            Ok(Step::AwaitServer(Box::new(AwaitServer { context, state })))
        }
        Ok(Next::Finished(completed)) => Ok(Step::Finished(completed)),
        Err(error) => Err(fail(context, error)),
    }
}

fn fail(context: Box<Context>, error: SessionError) -> Box<Failure> {
    Box::new(Failure {
        alert: context.alert_for(&error),
        error,
        session: context.session,
    })
}

impl fmt::Debug for AwaitCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwaitCard({})", self.step())
    }
}

impl fmt::Debug for AwaitServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            ServerState::FirstFlight(_) => "AwaitServer(first flight)",
            ServerState::LastFlight(_) => "AwaitServer(last flight)",
            ServerState::Tls13Record(_) => "AwaitServer(record)",
        })
    }
}

impl fmt::Debug for Completed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completed")
            .field("version", &self.keys.version)
            .field("cipher_suite", &self.keys.cipher_suite)
            .field("abbreviated", &self.abbreviated)
            .field("consumed", &self.consumed)
            .finish_non_exhaustive()
    }
}
