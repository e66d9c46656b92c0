//! SELECT, the look at the PIN state, and the one VERIFY.

use proto::apdu::CommandApdu;
use proto::card::{EapCardCommand, Pin, PinHolder, PinStatus};
use sha2::{Digest, Sha256};

use super::inventory::list;
use super::machine::{Context, Next, State};
use crate::card::answer::Answer;
use crate::card::error::CardError;
use crate::card::fault::CardStep;
use crate::card::profile::EapTlsProfile;

/// Awaits the answer to SELECT.
pub(super) struct ExpectSelected;

impl ExpectSelected {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, CardError> {
        if !answer.is_success() {
            return Err(answer.refused().into());
        }
        context.application = Sha256::digest(answer.data()).into();
        if !context.parameters.steps.probe_pin {
            return Ok(Next::NeedPin);
        }
        Ok(Next::Command(
            CardStep::CurrentIdentity,
            context.apdu(&EapCardCommand::CurrentIdentity),
            State::PinProbe(ExpectPinState),
        ))
    }
}

/// Awaits Get-Current-Identity, which a card without verified PIN refuses and so shows its counter
/// (§5.2): 6303 is two or three tries, 6301 one or none.
pub(super) struct ExpectPinState;

impl ExpectPinState {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, CardError> {
        match answer.sw().pin_status() {
            Some(status) => pin_wanted(context, status),
            // Verified, or a card whose getters are free: that one asks later.
            None if answer.is_success() => Ok(list(context)),
            // A card without the command does not show its PIN state; the ledger must do.
            None if answer.is_missing() => Ok(Next::NeedPin),
            None => Err(answer.refused().into()),
        }
    }
}

/// Decides over a card that asks for its PIN.
pub(super) fn pin_wanted(context: &Context, status: PinStatus) -> Result<Next, CardError> {
    match status {
        PinStatus::Blocked | PinStatus::TriesLeft(0) => Err(CardError::PinBlocked),
        PinStatus::TriesLeft(1) => Err(CardError::LastPinTry),
        // Asked again after a VERIFY it accepted: there is no sense in it, and no second one.
        _ if context.verified => Err(CardError::PinRejected { tries_left: None }),
        PinStatus::TriesLeft(_) | PinStatus::Required => Ok(Next::NeedPin),
    }
}

/// Awaits the answer to VERIFY.
pub(super) struct ExpectPinVerified;

impl ExpectPinVerified {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, CardError> {
        if answer.is_success() {
            context.verified = true;
            return Ok(Next::PinAccepted);
        }
        Err(match answer.sw().pin_status() {
            Some(PinStatus::Blocked | PinStatus::TriesLeft(0)) => CardError::PinBlocked,
            Some(PinStatus::TriesLeft(left)) => CardError::PinRejected {
                tries_left: Some(left),
            },
            Some(PinStatus::Required) => CardError::PinRejected { tries_left: None },
            None => answer.refused().into(),
        })
    }
}

/// VERIFY of the user PIN.
pub(super) fn verify_command(profile: &EapTlsProfile, pin: Pin) -> CommandApdu {
    let (holder, form) = (PinHolder::User, profile.pin_form);
    EapCardCommand::VerifyPin { holder, pin, form }
        .to_apdu(profile.cla)
        .expect("a PIN fits an APDU")
}

#[cfg(test)]
#[path = "pin_state_tests.rs"]
mod tests;
