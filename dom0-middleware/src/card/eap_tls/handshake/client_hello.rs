//! The card's ClientHello: looked at before it leaves, above all for the session it offers.

use proto::tls::{ClientHello, ProtocolVersion};

use super::context::Context;
use super::machine::{CardState, Next, ServerState};
use super::preparation::forget_and_start_again;
use super::server_flight::ExpectFirstFlight;
use crate::card::answer::Answer;
use crate::card::eap_tls::resumption::Offer;
use crate::card::eap_tls::talk::{Talk, Talked};
use crate::card::error::SessionError;
use crate::card::fault::{CardFault, CardStep};
use crate::card::session_fault::PolicyFault;

/// Awaits the answer to the start packet.
pub(super) struct ExpectClientHello {
    pub(super) talk: Talk,
}

impl ExpectClientHello {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, SessionError> {
        let step = CardStep::Start;
        let bytes = match self.talk.on_answer(answer, &mut context.identifiers)? {
            Talked::Send(talk, command) => {
                let state = CardState::ClientHello(Self { talk });
                return Ok(Next::Command(step, command, state));
            }
            Talked::Flight(bytes) if bytes.is_empty() => {
                return Err(CardFault::NoAnswer { step }.into());
            }
            Talked::Flight(bytes) => bytes,
        };
        let hello = ClientHello::from_records(&bytes).map_err(|error| CardFault::Flight {
            step,
            source: error.into(),
        })?;
        check_version(context, &hello)?;

        let offer = Offer::of(&hello, context.session.as_ref());
        let allowed = match offer {
            Offer::Nothing => true,
            _ if offer.is_stand_in(&context.parameters.forgotten_session_id) => true,
            _ => context.may_resume && context.session.as_ref().is_some_and(|s| s.is(&offer)),
        };
        if !allowed {
            return forget_and_start_again(context);
        }
        context.clear_alerts = Some(hello.version);
        let state = ExpectFirstFlight::new(context.request.max_bytes, hello, offer);
        Ok(Next::SendToServer(
            bytes,
            Box::new(Next::AwaitServer(ServerState::FirstFlight(state))),
        ))
    }
}

/// A card whose newest version is too old for the binding needs no server to find that out.
fn check_version(context: &Context, hello: &ClientHello) -> Result<(), PolicyFault> {
    let got = highest_offered(hello);
    let min = context.request.min_version;
    if got < min {
        return Err(PolicyFault::CardTooOld { got, min });
    }
    Ok(())
}

fn highest_offered(hello: &ClientHello) -> ProtocolVersion {
    hello
        .supported_versions
        .iter()
        .copied()
        .max()
        .unwrap_or(hello.version)
}

/// Whether the ClientHello offers `version`.
pub(super) fn offers_version(hello: &ClientHello, version: ProtocolVersion) -> bool {
    if hello.supported_versions.is_empty() {
        version <= hello.version
    } else {
        hello.supported_versions.contains(&version)
    }
}
