//! One command on its way to a complete answer, counted, and named by its step.

use proto::apdu::{CommandApdu, ResponseApdu};
use proto::piv::{PivCommand, Transfer, TransferError, TransferStep};

use super::parameters::PivParameters;
use crate::card::answer::Answer;
use crate::card::counter::Counter;
use crate::card::fault::{CardFault, CardStep};

/// A command whose answer is not complete.
#[derive(Debug)]
pub(super) struct Pending {
    step: CardStep,
    transfer: Transfer,
}

/// What a response brings.
#[derive(Debug)]
pub(super) enum Progress {
    /// More of the same command, or of its answer.
    Transmit(Pending, CommandApdu),
    /// All of it.
    Complete(Answer),
}

impl Pending {
    pub(super) fn start(
        step: CardStep,
        command: &PivCommand,
        parameters: &PivParameters,
        counter: &mut Counter,
    ) -> Result<(Self, CommandApdu), CardFault> {
        counter.count(step)?;
        let started = Transfer::start(command, parameters.profile.extended_length);
        let (transfer, command) = started.expect("an input of the key's own length fits");
        Ok((Self { step, transfer }, command))
    }

    /// Starts a command whose first response is its answer: one that may not be sent twice,
    /// whatever length the card would rather have.
    pub(super) fn start_once(
        step: CardStep,
        command: &PivCommand,
        counter: &mut Counter,
    ) -> Result<(Self, CommandApdu), CardFault> {
        counter.count(step)?;
        let (transfer, command) = Transfer::start_once(command).expect("a PIN fits an APDU");
        Ok((Self { step, transfer }, command))
    }

    pub(super) fn on_response(
        self,
        response: ResponseApdu,
        counter: &mut Counter,
    ) -> Result<Progress, CardFault> {
        let Self { step, transfer } = self;
        match transfer.on_response(response) {
            Ok(TransferStep::Transmit(transfer, command)) => {
                counter.count(step)?;
                Ok(Progress::Transmit(Self { step, transfer }, command))
            }
            Ok(TransferStep::Complete(response)) => {
                Ok(Progress::Complete(Answer { step, response }))
            }
            Err(TransferError::Exchange(source)) => Err(CardFault::Exchange { step, source }),
            Err(TransferError::EarlyAnswer) => Err(CardFault::EarlyAnswer { step }),
        }
    }

    pub(super) fn step(&self) -> CardStep {
        self.step
    }
}
