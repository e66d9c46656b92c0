//! What all states of one handshake share.

use std::sync::Arc;

use proto::apdu::CommandApdu;
use proto::tls::{Alert, ProtocolVersion};

use crate::card::alert;
use crate::card::counter::Counter;
use crate::card::eap_tls::parameters::{Capabilities, DriverParameters, MAX_COMMANDS};
use crate::card::eap_tls::request::HandshakeRequest;
use crate::card::eap_tls::resumption::OfferedSession;
use crate::card::eap_tls::talk::{Identifiers, Sizes, Talk};
use crate::card::error::SessionError;
use crate::card::fault::CardStep;
use crate::card::trust::PeerVerifier;

/// The fixed terms of a handshake and what was learned on the way.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) request: HandshakeRequest,
    pub(super) parameters: DriverParameters,
    pub(super) capabilities: Capabilities,
    pub(super) verifier: Arc<dyn PeerVerifier>,
    pub(super) counter: Counter,
    pub(super) identifiers: Identifiers,
    /// The record of the card's session; taken away when the card may have overwritten it.
    pub(super) session: Option<OfferedSession>,
    /// Whether `session` fits this request, so that the card may offer it.
    pub(super) may_resume: bool,
    /// How often the card was made to forget already.
    pub(super) forgetting: Forgetting,
    /// The 8A command of this handshake, if the card takes one.
    pub(super) next_handshake: Option<CommandApdu>,
    /// Handshake bytes taken from the server.
    pub(super) consumed: u64,
    /// Handshake bytes of the card that went to the server.
    pub(super) relayed: usize,
    /// The version of a clear alert record, while one can still be understood by the server.
    pub(super) clear_alerts: Option<ProtocolVersion>,
}

/// Whether the card has been told to forget its session in this handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forgetting {
    NotYet,
    /// It goes (or went) along with the preparation.
    Told,
}

impl Context {
    pub(super) fn new(
        request: HandshakeRequest,
        parameters: DriverParameters,
        capabilities: Capabilities,
        verifier: Arc<dyn PeerVerifier>,
        session: Option<OfferedSession>,
    ) -> Self {
        let may_resume = request.resume
            && session.as_ref().is_some_and(|session| {
                session.fits(&request)
                    && verifier
                        .verify_peer(&session.peer_certificates, &request.server_name)
                        .is_ok()
            });
        Self {
            identifiers: Identifiers::from(parameters.first_identifier),
            counter: Counter::new(MAX_COMMANDS),
            request,
            parameters,
            capabilities,
            verifier,
            session,
            may_resume,
            forgetting: Forgetting::NotYet,
            next_handshake: None,
            consumed: 0,
            relayed: 0,
            clear_alerts: None,
        }
    }

    pub(super) fn cla(&self) -> u8 {
        self.parameters.profile.cla
    }

    fn sizes(&self) -> Sizes {
        let left = self.request.max_bytes.saturating_sub(self.relayed);
        Sizes::of(&self.parameters.profile, left)
    }

    pub(super) fn talk_start(&mut self) -> (Talk, CommandApdu) {
        let unix_time = self.parameters.unix_time;
        Talk::start(self.sizes(), &mut self.identifiers, unix_time)
    }

    pub(super) fn talk_flight(&mut self, step: CardStep, flight: &[u8]) -> (Talk, CommandApdu) {
        Talk::flight(step, self.sizes(), &mut self.identifiers, flight)
    }

    /// The alert the server should still get for `error`, as a record.
    pub(super) fn alert_for(&self, error: &SessionError) -> Option<Vec<u8>> {
        let version = self.clear_alerts?;
        let description = alert::description(error)?;
        Some(
            Alert::fatal(description)
                .encode_plain_record(version)
                .to_vec(),
        )
    }
}
