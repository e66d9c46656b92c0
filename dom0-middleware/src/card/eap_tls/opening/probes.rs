//! Which optional commands a card has. Each probe leaves the card as it was, but for the stored
//! session, which no record stands for after an opening.

use proto::apdu::CommandApdu;
use proto::card::{EapCardCommand, NextHandshake};
use proto::tls::ProtocolVersion;

use super::machine::{Context, Next, State};
use crate::card::answer::Answer;
use crate::card::error::CardError;
use crate::card::fault::CardStep;

/// Begins the probes, with an identity set.
pub(super) fn probe(context: &Context) -> Next {
    if context.parameters.profile.probe_parameters {
        let command = CommandApdu::new(context.parameters.profile.cla, 0x8A, 0x00, 0x00)
            .with_data(&NO_FLAGS)
            .expect("three bytes fit an APDU");
        let state = State::ParametersProbe(ExpectParametersProbe);
        return Next::Command(CardStep::Parameters, command, state);
    }
    probe_state(context)
}

/// The flags of INS 8A with none set: says nothing about the next handshake (§9.3a).
const NO_FLAGS: [u8; 3] = [0x04, 0x01, 0x00];

/// Awaits INS 8A. A card that has it takes the flags or finds fault with them.
pub(super) struct ExpectParametersProbe;

impl ExpectParametersProbe {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, CardError> {
        const WRONG_DATA: u16 = 0x6A80;
        if answer.is_unselected() {
            return Err(answer.refused().into());
        }
        context.capabilities.parameters = answer.is_success() || answer.sw().0 == WRONG_DATA;
        if !context.capabilities.parameters {
            return Ok(probe_state(context));
        }
        let only_tls13 = NextHandshake {
            versions: Some((ProtocolVersion::TLS1_3.0, ProtocolVersion::TLS1_3.0)),
            ..NextHandshake::default()
        };
        let command = context.apdu(&EapCardCommand::NextHandshake(only_tls13));
        let state = State::VersionsProbe(ExpectVersionsProbe);
        Ok(Next::Command(CardStep::Parameters, command, state))
    }
}

/// Awaits INS 8A with TLS 1.3 alone. Each handshake says its versions anew, so nothing is left of
/// it.
pub(super) struct ExpectVersionsProbe;

impl ExpectVersionsProbe {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, CardError> {
        if answer.is_unselected() {
            return Err(answer.refused().into());
        }
        context.capabilities.tls13 = answer.is_success();
        Ok(probe_state(context))
    }
}

fn probe_state(context: &Context) -> Next {
    if context.parameters.profile.draft26_states {
        let command = context.apdu(&EapCardCommand::State);
        return Next::Command(
            CardStep::State,
            command,
            State::GetStateProbe(ExpectStateProbe),
        );
    }
    probe_session_id(context)
}

/// Awaits Get-State.
pub(super) struct ExpectStateProbe;

impl ExpectStateProbe {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, CardError> {
        if answer.is_unselected() {
            return Err(answer.refused().into());
        }
        context.capabilities.state = answer.is_success() && answer.data().len() == 1;
        Ok(probe_session_id(context))
    }
}

/// Whether the card can be made to forget has to be known before a handshake that must not resume
/// touches it. A card with INS 8A is told that way; another is tried here, once.
fn probe_session_id(context: &Context) -> Next {
    if context.capabilities.parameters || !context.parameters.profile.store_session_id {
        return Next::Opened;
    }
    let stand_in = context.parameters.forgotten_session_id.to_vec();
    Next::Command(
        CardStep::StoreSessionId,
        context.apdu(&EapCardCommand::StoreSessionId(stand_in)),
        State::SessionIdProbe(ExpectSessionIdProbe),
    )
}

/// Awaits method function C2.
pub(super) struct ExpectSessionIdProbe;

impl ExpectSessionIdProbe {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, CardError> {
        context.capabilities.store_session_id = answer.is_success();
        Ok(Next::Opened)
    }
}
