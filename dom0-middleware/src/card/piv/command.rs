//! One command on its way to a complete answer, over chains and 61xx, counted.

use std::collections::VecDeque;

use proto::apdu::{CommandApdu, ResponseApdu};
use proto::card::{Exchange, ExchangeStep, FetchRules};
use proto::piv::PivCommand;

use super::parameters::{MAX_ANSWER, MAX_FETCHES, PivParameters};
use crate::card::answer::Answer;
use crate::card::counter::Counter;
use crate::card::fault::{CardFault, CardStep};

/// A command whose answer is not complete.
#[derive(Debug)]
pub(super) struct Pending {
    step: CardStep,
    /// `None` for a command that must not be repeated.
    exchange: Option<Exchange>,
    /// What is still to go of a chain.
    links: VecDeque<CommandApdu>,
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
        let apdu = command
            .to_apdu()
            .expect("an input of the key's own length fits");
        let mut links = match apdu.is_extended() && !parameters.profile.extended_length {
            true => VecDeque::from(apdu.chained()),
            false => VecDeque::from([apdu]),
        };
        let first = links.pop_front().expect("at least one link");
        Self::send(step, first, links, counter)
    }

    /// Starts a command whose first response is its answer: one that may not be sent twice,
    /// whatever length the card would rather have.
    pub(super) fn start_once(
        step: CardStep,
        command: &PivCommand,
        counter: &mut Counter,
    ) -> Result<(Self, CommandApdu), CardFault> {
        counter.count(step)?;
        let pending = Self {
            step,
            exchange: None,
            links: VecDeque::new(),
        };
        Ok((pending, command.to_apdu().expect("a PIN fits an APDU")))
    }

    fn send(
        step: CardStep,
        command: CommandApdu,
        links: VecDeque<CommandApdu>,
        counter: &mut Counter,
    ) -> Result<(Self, CommandApdu), CardFault> {
        counter.count(step)?;
        let (exchange, command) = Exchange::start(command, &FETCH_RULES);
        let pending = Self {
            step,
            exchange: Some(exchange),
            links,
        };
        Ok((pending, command))
    }

    pub(super) fn on_response(
        self,
        response: ResponseApdu,
        counter: &mut Counter,
    ) -> Result<Progress, CardFault> {
        let Self {
            step,
            exchange,
            mut links,
        } = self;
        let Some(exchange) = exchange else {
            return Ok(Progress::Complete(Answer { step, response }));
        };
        let response = match exchange.on_response(response) {
            Ok(ExchangeStep::Transmit(exchange, command)) => {
                counter.count(step)?;
                let pending = Self {
                    step,
                    exchange: Some(exchange),
                    links,
                };
                return Ok(Progress::Transmit(pending, command));
            }
            Ok(ExchangeStep::Complete(response)) => response,
            Err(source) => return Err(CardFault::Exchange { step, source }),
        };
        let answer = Answer { step, response };
        // A card that refuses a link wants to hear no more of the chain.
        if !answer.is_success() {
            return Ok(Progress::Complete(answer));
        }
        match links.pop_front() {
            None => Ok(Progress::Complete(answer)),
            Some(_) if !answer.data().is_empty() => Err(CardFault::EarlyAnswer { step }),
            Some(next) => {
                let (pending, command) = Self::send(step, next, links, counter)?;
                Ok(Progress::Transmit(pending, command))
            }
        }
    }

    pub(super) fn step(&self) -> CardStep {
        self.step
    }
}

const FETCH_RULES: FetchRules = FetchRules {
    cla: 0x00,
    fetch_ins: 0xC0,
    fallback_get_response: false,
    max_answer: MAX_ANSWER,
    max_steps: MAX_FETCHES,
};
