//! Which commands follow whatever the card answers, for transports that send several at once.
//!
//! Nothing here decides anything: the driver asks for each of these commands by itself when it gets the
//! answer to the one before it, and is given the answers one by one.

use proto::apdu::CommandApdu;

use super::context::Context;
use super::export::exports;
use super::machine::{CardState, Next};
use super::preparation::{after_forgetting, after_identity, after_reset, start};
use crate::card::eap_tls::command::fetch_header;
use crate::card::transport::{ChainLink, Chains};

/// The commands of a card's turn that may go together, `command` being the one that `state` awaits the
/// answer to.
pub(super) fn chain(
    state: &CardState,
    context: &Context,
    command: &CommandApdu,
    chains: Chains,
) -> Vec<ChainLink> {
    let exports = exports(state, context);
    if !exports.is_empty() {
        return match chains.may_answer() {
            true => row_of_exports(command, exports, context),
            false => Vec::new(),
        };
    }
    match chains.may_depend() {
        true => row(state, context, command),
        false => Vec::new(),
    }
}

/// What is read at the end of a handshake: the card says no to each if it is not through, whether it said
/// so before or not.
fn row_of_exports(
    command: &CommandApdu,
    exports: Vec<CommandApdu>,
    context: &Context,
) -> Vec<ChainLink> {
    let commands = std::iter::once(command.clone()).chain(exports);
    let mut chain = ChainLink::independent(commands);
    if let Some(last) = chain.last_mut() {
        last.fetch = Some(fetch_header(&context.parameters.profile));
    }
    chain
}

/// Those whose answers say nothing but yes or no, except the last one's.
fn row(state: &CardState, context: &Context, command: &CommandApdu) -> Vec<ChainLink> {
    let mut chain = Vec::new();
    if let Some(talk) = state.talk() {
        let segments = std::iter::once(command.clone()).chain(talk.following());
        chain = ChainLink::in_row(segments);
    } else {
        // As the states of the preparation go on, on a copy of what they change.
        let mut context = context.clone();
        let mut command = command.clone();
        let mut next = prepared(state, &mut context);
        loop {
            chain.push(ChainLink {
                command,
                // A card may lack these two, and its answer tells.
                must_succeed: !matches!(next, Some((_, Tolerance::Any))),
                fetch: None,
            });
            let Some((Next::Command(_, following, state), _)) = next else {
                break;
            };
            command = following;
            next = prepared(&state, &mut context);
        }
    }
    // What the last one's answer must be, the driver says. It is the one that may be long.
    if let Some(last) = chain.last_mut() {
        last.must_succeed = false;
        last.fetch = Some(fetch_header(&context.parameters.profile));
    }
    chain
}

/// Which status of a command lets the next one go.
enum Tolerance {
    Success,
    Any,
}

/// What follows a state of the preparation, and after which status.
fn prepared(state: &CardState, context: &mut Context) -> Option<(Next, Tolerance)> {
    Some(match state {
        CardState::IdentitySet(_) => (after_identity(context), Tolerance::Success),
        CardState::StateReset(_) => (after_reset(context), Tolerance::Any),
        CardState::SessionOverwritten(_) => (after_forgetting(context), Tolerance::Any),
        CardState::ParametersTaken(_) => (start(context), Tolerance::Success),
        _ => return None,
    })
}
