//! When a PIN is sent: never without two tries, never without an account of it, never twice.

use super::fault::PivFault;
use super::frame::{Answer, Frame, PinTerms, Step, Task};
use crate::card::Pin;
use crate::piv::{PinLook, PinReference, PivCommand};

/// Who has the PIN of a card, and keeps account of it.
pub trait PinKeeper {
    /// Why none is sent.
    type Error;

    /// The PIN, which is about to be sent: the attempt is on record when this returns, where there is
    /// a record.
    ///
    /// # Errors
    /// When there is none, or it must not be sent.
    fn pin_to_send(&self) -> Result<Pin, Self::Error>;

    /// The card accepted it.
    ///
    /// # Errors
    /// When that cannot be recorded; the task ends there.
    fn accepted(&self) -> Result<(), Self::Error>;
}

/// Leave to send the PIN once, to a card that has two tries or more. It comes of a look at the card and
/// of nothing else, and is used up by the VERIFY that it allows.
pub struct AwaitPin<T> {
    frame: Box<Frame<T>>,
    reference: PinReference,
}

impl<T: Task> AwaitPin<T> {
    /// Sends the keeper's PIN, once its account has the attempt.
    ///
    /// # Errors
    /// What the keeper says, or [`PivFault`] when the task has used up its commands.
    pub fn verify<K, E>(self, keeper: &K) -> Result<Step<T>, E>
    where
        K: PinKeeper + ?Sized,
        E: From<PivFault> + From<K::Error>,
    {
        let command = PivCommand::VerifyPin(self.reference, keeper.pin_to_send()?);
        Ok(self.frame.verify(&command)?)
    }
}

/// A task whose PIN was accepted.
pub struct Verified<T> {
    frame: Box<Frame<T>>,
    answer: Answer,
}

impl<T: Task> Verified<T> {
    /// Has the keeper record that, and goes on.
    ///
    /// # Errors
    /// What the keeper says, or [`PivFault`] when the task has used up its commands.
    pub fn proceed<K, E>(self, keeper: &K) -> Result<Step<T>, E>
    where
        K: PinKeeper + ?Sized,
        E: From<PivFault> + From<K::Error>,
    {
        keeper.accepted()?;
        Ok(self.frame.proceed(&self.answer)?)
    }
}

/// Reads the answer to VERIFY without a PIN.
pub(super) fn on_look<T: Task>(
    frame: Box<Frame<T>>,
    terms: PinTerms,
    answer: &Answer,
) -> Result<Step<T>, PivFault> {
    let sw = answer.sw();
    match PinLook::of(sw) {
        PinLook::Verified if !terms.anew => frame.proceed(answer),
        PinLook::Verified | PinLook::Tries(2..) => {
            let reference = terms.reference;
            Ok(Step::NeedPin(AwaitPin { frame, reference }))
        }
        PinLook::Tries(_) => Err(PivFault::LastPinTry),
        PinLook::Blocked => Err(PivFault::PinBlocked),
        PinLook::Silent => Err(PivFault::PinUncounted { sw }),
    }
}

/// Reads the answer to VERIFY.
pub(super) fn on_verify<T: Task>(
    frame: Box<Frame<T>>,
    answer: Answer,
) -> Result<Step<T>, PivFault> {
    let sw = answer.sw();
    match (PinLook::of(sw), sw.pin_status()) {
        (PinLook::Verified, _) => Ok(Step::PinAccepted(Verified { frame, answer })),
        (PinLook::Blocked, _) => Err(PivFault::PinBlocked),
        (PinLook::Tries(left), _) => Err(PivFault::PinRejected {
            tries_left: Some(left),
        }),
        (_, Some(_)) => Err(PivFault::PinRejected { tries_left: None }),
        (_, None) => Err(answer.refused()),
    }
}
