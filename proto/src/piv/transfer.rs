//! One command on its way to a complete answer.

use std::vec;

use super::command::PivCommand;
use crate::apdu::{ApduError, CommandApdu, ResponseApdu};
use crate::card::{Exchange, ExchangeError, ExchangeStep, FetchRules};

/// A command whose answer is not complete: it may go as a chain, and its answer may come in pieces.
#[derive(Debug)]
pub struct Transfer {
    /// `None` for a command that must not be repeated.
    exchange: Option<Exchange>,
    /// What is still to go of a chain.
    links: vec::IntoIter<CommandApdu>,
}

/// What a response brings.
#[derive(Debug)]
pub enum TransferStep {
    /// More of the same command, or of its answer.
    Transmit(Transfer, CommandApdu),
    /// All of it.
    Complete(ResponseApdu),
}

impl Transfer {
    /// The longest answer to one command, in bytes: a certificate's object, and room around it.
    pub const MAX_ANSWER: usize = 17_000;

    /// Commands spent on one answer: some cards give 128 bytes at a time.
    pub const MAX_FETCHES: usize = 160;

    /// Begins with `command`, whose first APDU is returned to be sent. It is chained where it is too
    /// long for a short APDU, unless the card takes extended ones.
    ///
    /// # Errors
    /// [`ApduError`] as [`PivCommand::to_apdu`].
    pub fn start(command: &PivCommand, extended: bool) -> Result<(Self, CommandApdu), ApduError> {
        let apdu = command.to_apdu()?;
        let links = match apdu.is_extended() && !extended {
            true => apdu.chained(),
            false => vec![apdu.clone()],
        };
        let mut links = links.into_iter();
        let first = links.next().unwrap_or(apdu);
        Ok(Self::send(first, links))
    }

    /// Begins a command whose first response is its answer: one that may not be sent twice,
    /// whatever length the card would rather have.
    ///
    /// # Errors
    /// [`ApduError`] as [`PivCommand::to_apdu`].
    pub fn start_once(command: &PivCommand) -> Result<(Self, CommandApdu), ApduError> {
        let transfer = Self {
            exchange: None,
            links: Vec::new().into_iter(),
        };
        Ok((transfer, command.to_apdu()?))
    }

    fn send(command: CommandApdu, links: vec::IntoIter<CommandApdu>) -> (Self, CommandApdu) {
        let (exchange, command) = Exchange::start(command, &FETCH_RULES);
        let exchange = Some(exchange);
        (Self { exchange, links }, command)
    }

    /// The APDUs of a chain that go out behind the one sent last, each if the one before was answered
    /// by 9000.
    #[must_use]
    pub fn following(&self) -> &[CommandApdu] {
        self.links.as_slice()
    }

    /// Takes the response to the APDU sent last.
    ///
    /// # Errors
    /// [`TransferError`] if the card goes on for too long, or answers before it has heard all.
    pub fn on_response(self, response: ResponseApdu) -> Result<TransferStep, TransferError> {
        let Self {
            exchange,
            mut links,
        } = self;
        let Some(exchange) = exchange else {
            return Ok(TransferStep::Complete(response));
        };
        let response = match exchange.on_response(response)? {
            ExchangeStep::Transmit(exchange, command) => {
                let exchange = Some(exchange);
                return Ok(TransferStep::Transmit(Self { exchange, links }, command));
            }
            ExchangeStep::Complete(response) => response,
        };
        // A card that refuses a link wants to hear no more of the chain.
        if !response.sw.is_success() {
            return Ok(TransferStep::Complete(response));
        }
        match links.next() {
            None => Ok(TransferStep::Complete(response)),
            Some(_) if !response.data().is_empty() => Err(TransferError::EarlyAnswer),
            Some(next) => {
                let (transfer, command) = Self::send(next, links);
                Ok(TransferStep::Transmit(transfer, command))
            }
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// It does not come to an end.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// Data came before the last command of a chain was sent.
    #[error("an answer before the whole command")]
    EarlyAnswer,
}

const FETCH_RULES: FetchRules = FetchRules {
    cla: 0x00,
    fetch_ins: 0xC0,
    fallback_get_response: false,
    max_answer: Transfer::MAX_ANSWER,
    max_steps: Transfer::MAX_FETCHES,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apdu::StatusWord;
    use crate::piv::{GeneralAuthenticate, KeyAlgorithm, ObjectTag, PinReference, Slot};

    fn response(sw: u16, data: &[u8]) -> ResponseApdu {
        ResponseApdu::new(data.to_vec(), StatusWord(sw))
    }

    fn sign() -> PivCommand {
        PivCommand::GeneralAuthenticate(GeneralAuthenticate {
            algorithm: KeyAlgorithm::Rsa2048,
            slot: Slot::Signature,
            input: vec![1; 256],
        })
    }

    fn next(step: Result<TransferStep, TransferError>) -> (Transfer, CommandApdu) {
        match step {
            Ok(TransferStep::Transmit(transfer, command)) => (transfer, command),
            other => panic!("one more command: {other:?}"),
        }
    }

    #[test]
    fn a_long_command_goes_link_by_link_and_its_answer_comes_in_pieces() {
        let (transfer, first) = Transfer::start(&sign(), false).expect("fits");
        assert_eq!(format!("{first:?}"), "10 87 07 9C (255 bytes)");
        let following = transfer.following().to_vec();
        let (transfer, last) = next(transfer.on_response(response(0x9000, &[])));
        assert_eq!(format!("{last:?}"), "00 87 07 9C (11 bytes) Le 256");
        assert_eq!(following, [last]);
        assert!(transfer.following().is_empty());
        let (transfer, fetch) = next(transfer.on_response(response(0x6102, &[1])));
        assert_eq!(fetch.ins, 0xC0);
        match transfer.on_response(response(0x9000, &[2, 3])) {
            Ok(TransferStep::Complete(whole)) => assert_eq!(whole.data(), [1, 2, 3]),
            other => panic!("complete: {other:?}"),
        }
        let (_, whole) = Transfer::start(&sign(), true).expect("fits");
        assert_eq!(format!("{whole:?}"), "00 87 07 9C (266 bytes) Le 256");
    }

    #[test]
    fn a_chain_ends_with_a_refusal_and_takes_no_answer_before_its_end() {
        let begin = || Transfer::start(&sign(), false).expect("fits").0;
        let refused = begin().on_response(response(0x6A80, &[]));
        assert!(matches!(refused, Ok(TransferStep::Complete(_))));
        let early = begin().on_response(response(0x9000, &[1]));
        assert!(matches!(early, Err(TransferError::EarlyAnswer)));
    }

    #[test]
    fn what_may_go_once_goes_once() {
        let command = PivCommand::PinStatus(PinReference::Application);
        for sw in [0x6C00, 0x6110, 0x9000] {
            let (transfer, _) = Transfer::start_once(&command).expect("fits");
            let step = transfer.on_response(response(sw, &[]));
            assert!(matches!(step, Ok(TransferStep::Complete(_))), "{sw:04X}");
        }
    }

    #[test]
    fn an_endless_answer_is_stopped() {
        let command = PivCommand::GetData(ObjectTag::CHUID);
        let (mut transfer, _) = Transfer::start(&command, false).expect("fits");
        for _ in 0..=Transfer::MAX_FETCHES {
            match transfer.on_response(response(0x6101, &[0])) {
                Ok(TransferStep::Transmit(more, _)) => transfer = more,
                Err(TransferError::Exchange(_)) => return,
                other => panic!("{other:?}"),
            }
        }
        panic!("it goes on and on");
    }
}
