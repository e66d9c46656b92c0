//! Before the start packet: what the card cannot carry is refused, then identity, state and
//! parameters are set.

use std::net::IpAddr;

use proto::apdu::CommandApdu;
use proto::card::{EapCardCommand, NextHandshake};
use proto::tls::ProtocolVersion;

use super::client_hello::ExpectClientHello;
use super::context::{Context, Forgetting};
use super::machine::{CardState, Next};
use crate::card::answer::Answer;
use crate::card::eap_tls::parameters::MIN_VERSION;
use crate::card::error::SessionError;
use crate::card::fault::{CardFault, CardStep};
use crate::card::session_fault::PolicyFault;

/// Refuses what the card cannot carry, then sets the identity. No command has gone out before the
/// last refusal.
pub(super) fn prepare(context: &mut Context) -> Result<Next, SessionError> {
    let can_take_parameters = context.capabilities.parameters;
    let request = &context.request;
    if !can_take_parameters && !request.alpn.is_empty() {
        return Err(PolicyFault::AlpnNotCarried.into());
    }
    if !can_take_parameters && request.version_wish {
        return Err(PolicyFault::VersionRangeNotCarried.into());
    }
    check_range(context)?;
    if !request.resume && !context.capabilities.can_forget() {
        return Err(PolicyFault::CannotForget.into());
    }
    // A card that takes parameters is told at once, which saves a start it would have to repeat.
    // One that does not is only told when it must, since it then offers a stand-in each time.
    let forget = !context.may_resume && (can_take_parameters || !context.request.resume);
    set_out(context, forget)
}

/// Goes through the preparation, making the card forget its session on the way if so told.
pub(super) fn set_out(context: &mut Context, forget: bool) -> Result<Next, SessionError> {
    if forget {
        context.forgetting = Forgetting::Told;
    }
    context.next_handshake = match context.capabilities.parameters {
        true => Some(parameters_command(context, forget)?),
        false => None,
    };
    // Not true any more once the handshake has begun.
    if std::mem::take(&mut context.parameters.at_rest) {
        return Ok(after_reset(context));
    }
    if context.parameters.steps.set_identity {
        let command = EapCardCommand::SetIdentity(context.request.identity.clone());
        return Ok(Next::Command(
            CardStep::SetIdentity,
            apdu(&command, context),
            CardState::IdentitySet(ExpectIdentitySet),
        ));
    }
    Ok(after_identity(context))
}

/// Awaits the answer to Set-Identity.
pub(super) struct ExpectIdentitySet;

impl ExpectIdentitySet {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, SessionError> {
        answer.success()?;
        Ok(after_identity(context))
    }
}

pub(super) fn after_identity(context: &mut Context) -> Next {
    if context.parameters.steps.reset_state && context.parameters.profile.reset_state {
        return Next::Command(
            CardStep::ResetState,
            apdu(&EapCardCommand::ResetState, context),
            CardState::StateReset(ExpectStateReset),
        );
    }
    after_reset(context)
}

/// Awaits the answer to Reset-State. A card without the command does not need it (§5.4).
pub(super) struct ExpectStateReset;

impl ExpectStateReset {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, SessionError> {
        if !answer.is_success() && !answer.is_missing() {
            return Err(answer.failure());
        }
        Ok(after_reset(context))
    }
}

pub(super) fn after_reset(context: &mut Context) -> Next {
    if context.forgetting == Forgetting::Told && context.next_handshake.is_none() {
        let stand_in = context.parameters.forgotten_session_id.to_vec();
        return Next::Command(
            CardStep::StoreSessionId,
            apdu(&EapCardCommand::StoreSessionId(stand_in), context),
            CardState::SessionOverwritten(ExpectSessionOverwritten),
        );
    }
    after_forgetting(context)
}

/// Awaits the answer to method function C2, which stores a session id over the card's own.
pub(super) struct ExpectSessionOverwritten;

impl ExpectSessionOverwritten {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, SessionError> {
        if answer.is_missing() || answer.sw().0 == FUNCTION_SWITCHED_OFF {
            return Err(PolicyFault::CannotForget.into());
        }
        answer.success()?;
        context.session = None;
        Ok(after_forgetting(context))
    }
}

pub(super) fn after_forgetting(context: &mut Context) -> Next {
    match context.next_handshake.take() {
        Some(command) => Next::Command(
            CardStep::Parameters,
            command,
            CardState::ParametersTaken(ExpectParametersTaken),
        ),
        None => start(context),
    }
}

/// Awaits the answer to INS 8A.
pub(super) struct ExpectParametersTaken;

impl ExpectParametersTaken {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, SessionError> {
        if answer.sw().0 == WRONG_DATA {
            return Err(PolicyFault::ParametersRefused.into());
        }
        answer.success()?;
        if context.forgetting == Forgetting::Told {
            context.session = None;
        }
        Ok(start(context))
    }
}

pub(super) fn start(context: &mut Context) -> Next {
    let (talk, command) = context.talk_start();
    Next::Command(
        CardStep::Start,
        command,
        CardState::ClientHello(ExpectClientHello { talk }),
    )
}

fn check_range(context: &Context) -> Result<(), PolicyFault> {
    let (min, max) = (context.request.min_version, context.request.max_version);
    let (lowest, highest) = effective_range(context);
    if lowest > highest || min > max {
        return Err(PolicyFault::NoVersion { min, max });
    }
    Ok(())
}

/// The versions a handshake may end with. A card that can be told is told 1.2 at least; another
/// offers what it was built for, down to what the binding allows.
fn effective_range(context: &Context) -> (ProtocolVersion, ProtocolVersion) {
    let request = &context.request;
    let lowest = match context.capabilities.parameters {
        true => request.min_version.max(MIN_VERSION),
        false => request.min_version,
    };
    let highest = context.capabilities.max_version();
    (lowest, request.max_version.min(highest))
}

fn parameters_command(context: &Context, forget: bool) -> Result<CommandApdu, SessionError> {
    let request = &context.request;
    let (lowest, highest) = effective_range(context);
    // RFC 6066 §3 allows no addresses in SNI.
    let is_address = request.server_name.parse::<IpAddr>().is_ok();
    let next = NextHandshake {
        server_name: (!is_address).then(|| request.server_name.clone()),
        alpn: request.alpn.clone(),
        versions: Some((lowest.0, highest.0)),
        forget_session: forget,
    };
    EapCardCommand::NextHandshake(next)
        .to_apdu(context.cla())
        .map_err(|_| PolicyFault::ParametersTooLong.into())
}

fn apdu(command: &EapCardCommand, context: &Context) -> CommandApdu {
    command
        .to_apdu(context.cla())
        .expect("a name or session id fits an APDU")
}

/// Command not allowed: the card's method functions are off.
const FUNCTION_SWITCHED_OFF: u16 = 0x6986;
/// The data field is malformed or holds an unsupported value.
const WRONG_DATA: u16 = 0x6A80;

/// What a card that goes on offering its session leaves to do: once more, or nothing.
pub(super) fn forget_and_start_again(context: &mut Context) -> Result<Next, SessionError> {
    if context.forgetting == Forgetting::Told {
        return Err(CardFault::StillOffersSession.into());
    }
    if !context.capabilities.can_forget() {
        return Err(PolicyFault::CannotForget.into());
    }
    context.may_resume = false;
    set_out(context, true)
}
