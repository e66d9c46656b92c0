//! The EAP state machine: segments and fragments in, packets out.

use std::sync::Arc;

use proto::apdu::StatusWord;
use proto::card::{CardState, ExportIndex, NextHandshake};
use zeroize::Zeroizing;

use super::exports::Exports;
use super::handshake::{Common, Handshake, Outcome, Wishes};
use super::outbound::Outbound;
use super::packet::{self, Request};
use crate::cost::Operation;
use crate::crypto;
use crate::identity::Identity;
use crate::settings::CardSettings;
use crate::status;

/// What Process-EAP puts out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// 9000 without data: a segment taken, or a packet ignored.
    Silence,
    /// An EAP packet.
    Packet(Vec<u8>),
    /// The first five bytes of the command: how the published card answers a method it knows of
    /// but has no use for.
    Echo,
}

/// The state machine of a card, for the identity in use.
pub(crate) struct Machine {
    settings: CardSettings,
    common: Common,
    eap_id: Option<String>,
    parameters: NextHandshake,
    /// The packet of an open segment chain.
    chain: Vec<u8>,
    /// The flight of an open row of fragments.
    inbound: Vec<u8>,
    outbound: Outbound,
    state: State,
    work: Vec<Operation>,
}

enum State {
    AtRest,
    Failed,
    Handshaking(Handshake),
    Authenticated(Exports),
}

impl Machine {
    pub(crate) fn new(settings: CardSettings) -> Self {
        Self {
            settings,
            common: Common {
                provider: Arc::new(crypto::provider()),
                verifier: Arc::default(),
                credential: Arc::default(),
                sessions: Arc::default(),
                clock: Arc::default(),
            },
            eap_id: None,
            parameters: NextHandshake::default(),
            chain: Vec::new(),
            inbound: Vec::new(),
            outbound: Outbound::default(),
            state: State::AtRest,
            work: Vec::new(),
        }
    }

    /// Set-Identity: the strongest reset there is. The session alone survives.
    pub(crate) fn set_identity(&mut self, identity: &Identity) {
        self.common.verifier.trust(Arc::clone(identity.roots()));
        self.common.credential.activate(identity.credential());
        self.eap_id = Some(identity.eap_id().to_owned());
        self.reset();
    }

    /// SELECT: segment chain and handshake end; identity and session survive.
    pub(crate) fn reset(&mut self) {
        self.chain.clear();
        self.reset_state();
    }

    /// Reset-State: the handshake and its parameters end, an open segment chain does not.
    pub(crate) fn reset_state(&mut self) {
        self.parameters = NextHandshake::default();
        self.rest(State::AtRest);
    }

    /// Power-off: no identity any more. The session survives.
    pub(crate) fn power_off(&mut self) {
        self.eap_id = None;
        self.reset();
    }

    /// Method function C2: the id of the stored session is overwritten. The server will not know
    /// the new one, so the session is of no use any more and is forgotten.
    pub(crate) fn overwrite_session_id(&mut self) {
        self.common.sessions.forget();
    }

    /// Takes the parameters of the next handshake.
    ///
    /// # Errors
    /// 6985 without an identity, 6A80 for a value this card cannot carry; the parameters stay as
    /// they were.
    pub(crate) fn prepare(&mut self, parameters: NextHandshake) -> Result<(), StatusWord> {
        if self.eap_id.is_none() {
            return Err(status::CONDITIONS);
        }
        if Wishes::new(parameters.clone(), self.settings.highest_version).is_none() {
            return Err(status::WRONG_DATA);
        }
        self.parameters = parameters;
        Ok(())
    }

    /// The value of Get-State.
    pub(crate) fn card_state(&self) -> CardState {
        match self.state {
            _ if self.eap_id.is_none() => CardState::IDENTITY_NOT_SET,
            State::AtRest | State::Handshaking(_) => CardState::AUTHENTICATING,
            State::Authenticated(_) => CardState::AUTHENTICATED,
            State::Failed => CardState::NOT_AUTHENTICATED,
        }
    }

    /// Get-Exported-Parameter.
    ///
    /// # Errors
    /// 6985 unless the last handshake succeeded, 6A88 for an index without a value.
    pub(crate) fn export(&self, index: ExportIndex) -> Result<Zeroizing<Vec<u8>>, StatusWord> {
        match &self.state {
            State::Authenticated(exports) => exports.read(index),
            _ => Err(status::CONDITIONS),
        }
    }

    /// What the card had to work for since the last call.
    pub(crate) fn take_work(&mut self) -> Vec<Operation> {
        std::mem::take(&mut self.work)
    }

    /// Process-EAP: one segment of a packet; `more`: others follow.
    ///
    /// # Errors
    /// 6985: the handshake failed, or there is none to go on with.
    pub(crate) fn process(&mut self, more: bool, segment: &[u8]) -> Result<Reaction, StatusWord> {
        if self.chain.len() + segment.len() > MAX_CHAIN {
            self.chain.clear();
            return Err(self.fail());
        }
        self.chain.extend_from_slice(segment);
        if more {
            return Ok(Reaction::Silence);
        }
        let packet = std::mem::take(&mut self.chain);
        let (identifier, request) = packet::read(&packet);
        let eap_id = match (&request, &self.eap_id) {
            (Request::Nothing, _) => return Ok(Reaction::Silence),
            (_, None) => return Ok(Reaction::Packet(packet::nak(identifier))),
            (_, Some(eap_id)) => eap_id,
        };
        match request {
            Request::Nothing => Ok(Reaction::Silence),
            Request::ForeignMethod => Ok(Reaction::Echo),
            Request::Identity => {
                let response = packet::identity(identifier, eap_id);
                self.rest(State::AtRest);
                Ok(Reaction::Packet(response))
            }
            Request::Start { unix_time } => self.start(identifier, unix_time),
            Request::Data { more, data } => self.on_data(identifier, more, data),
        }
    }

    fn start(&mut self, identifier: u8, unix_time: Option<u32>) -> Result<Reaction, StatusWord> {
        // Without a time the published card uses stale bytes; this one uses a stale time.
        if let Some(unix_time) = unix_time {
            self.common.clock.set(unix_time);
        }
        self.rest(State::AtRest);
        let parameters = std::mem::take(&mut self.parameters);
        let Some(wishes) = Wishes::new(parameters, self.settings.highest_version) else {
            return Err(self.fail());
        };
        match Handshake::start(&self.common, wishes) {
            Ok((handshake, hello)) => {
                self.state = State::Handshaking(handshake);
                Ok(self.send(identifier, hello))
            }
            Err(err) => Err(self.fail_with(&err)),
        }
    }

    fn on_data(&mut self, identifier: u8, more: bool, data: &[u8]) -> Result<Reaction, StatusWord> {
        if !self.outbound.is_empty() {
            // The host asks for the next fragment with an empty packet; nothing else fits here.
            if more || !data.is_empty() {
                return Err(self.fail());
            }
            return Ok(Reaction::Packet(self.outbound.next_packet(identifier)));
        }
        if !matches!(self.state, State::Handshaking(_)) {
            return Err(status::CONDITIONS);
        }
        if self.inbound.len() + data.len() > MAX_FLIGHT {
            return Err(self.fail());
        }
        self.inbound.extend_from_slice(data);
        if more || self.inbound.is_empty() {
            return Ok(Reaction::Packet(packet::empty(identifier)));
        }
        let message = std::mem::take(&mut self.inbound);
        let State::Handshaking(handshake) = std::mem::replace(&mut self.state, State::Failed)
        else {
            return Err(status::CONDITIONS);
        };
        self.feed(identifier, handshake, &message)
    }

    fn feed(
        &mut self,
        identifier: u8,
        handshake: Handshake,
        message: &[u8],
    ) -> Result<Reaction, StatusWord> {
        let private = self.common.credential.private_key_operations();
        let public = self.common.verifier.verifications();
        let outcome = handshake.feed(&self.common, message);
        let private = self
            .common
            .credential
            .private_key_operations()
            .wrapping_sub(private);
        let public = self.common.verifier.verifications().wrapping_sub(public);
        self.work
            .extend((0..private).map(|_| Operation::PrivateKey));
        self.work.extend((0..public).map(|_| Operation::PublicKey));
        match outcome {
            Ok(Outcome::Continues(handshake, flight)) => {
                self.state = State::Handshaking(handshake);
                Ok(self.send(identifier, flight))
            }
            Ok(Outcome::Finished(exports, flight)) => {
                self.work.push(Operation::KeySchedule);
                self.state = State::Authenticated(exports);
                Ok(self.send(identifier, flight))
            }
            Err(err) => Err(self.fail_with(&err)),
        }
    }

    fn send(&mut self, identifier: u8, flight: Vec<u8>) -> Reaction {
        self.outbound = Outbound::new(flight, self.settings.max_eap_packet);
        Reaction::Packet(self.outbound.next_packet(identifier))
    }

    fn rest(&mut self, state: State) {
        self.inbound.clear();
        self.outbound = Outbound::default();
        self.state = state;
    }

    fn fail(&mut self) -> StatusWord {
        self.rest(State::Failed);
        status::CONDITIONS
    }

    /// The host learns 6985 and no more; the reason is for whoever runs the card.
    fn fail_with(&mut self, err: &rustls::Error) -> StatusWord {
        tracing::info!("handshake failed: {err}");
        self.fail()
    }
}

/// The longest chain of segments, bytes: an EAP packet has a length field of two bytes, and a
/// start packet carries four more.
const MAX_CHAIN: usize = 65_535 + 4;
/// The longest server flight, bytes.
const MAX_FLIGHT: usize = 256 * 1024;
