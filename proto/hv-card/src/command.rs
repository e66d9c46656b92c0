//! A command on its way, named by its step.

use proto::apdu::{CommandApdu, ResponseApdu};
use proto::piv::{PivCommand, Transfer, TransferStep};

use crate::fault::{CardStep, KeyFault};

/// A command whose answer is not complete.
#[derive(Debug)]
pub(crate) struct Pending {
    step: CardStep,
    transfer: Transfer,
}

/// What a response brings.
pub(crate) enum Progress {
    /// More of the same command, or of its answer.
    Transmit(Pending, CommandApdu),
    /// All of it.
    Complete(Answer),
}

/// A complete answer.
pub(crate) struct Answer {
    pub(crate) step: CardStep,
    pub(crate) response: ResponseApdu,
}

impl Pending {
    /// Chained where it is long: every card takes that.
    pub(crate) fn start(step: CardStep, command: &PivCommand) -> (Self, CommandApdu) {
        let started = Transfer::start(command, false);
        let (transfer, command) = started.expect("an input of the key's own length fits");
        (Self { step, transfer }, command)
    }

    /// One that is never repeated, whatever length the card would rather have.
    pub(crate) fn start_once(step: CardStep, command: &PivCommand) -> (Self, CommandApdu) {
        let (transfer, command) = Transfer::start_once(command).expect("a PIN fits an APDU");
        (Self { step, transfer }, command)
    }

    pub(crate) fn on_response(self, response: ResponseApdu) -> Result<Progress, KeyFault> {
        let Self { step, transfer } = self;
        match transfer.on_response(response) {
            Ok(TransferStep::Transmit(transfer, command)) => {
                Ok(Progress::Transmit(Self { step, transfer }, command))
            }
            Ok(TransferStep::Complete(response)) => {
                Ok(Progress::Complete(Answer { step, response }))
            }
            Err(source) => Err(KeyFault::Transfer { step, source }),
        }
    }
}

impl Answer {
    /// Its data, if the card said yes.
    pub(crate) fn success(&self) -> Result<&[u8], KeyFault> {
        match self.response.sw.is_success() {
            true => Ok(self.response.data()),
            false => Err(self.refused()),
        }
    }

    pub(crate) fn refused(&self) -> KeyFault {
        let (step, sw) = (self.step, self.response.sw);
        KeyFault::Refused { step, sw }
    }
}
