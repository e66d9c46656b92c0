//! One command on its way to a complete answer, over 61xx, 6Cxx and 9Fxx, counted.

use proto::apdu::{CommandApdu, ResponseApdu};
use proto::card::{Exchange, ExchangeStep, FetchRules};

use crate::card::answer::Answer;
use crate::card::counter::Counter;
use crate::card::fault::{CardFault, CardStep};
use crate::card::profile::EapTlsProfile;

/// A command whose answer is not complete.
#[derive(Debug)]
pub(super) struct Pending {
    step: CardStep,
    /// `None` for a command that must not be repeated.
    exchange: Option<Exchange>,
}

/// What a response brings.
#[derive(Debug)]
pub(super) enum Progress {
    /// More of the same answer.
    Transmit(Pending, CommandApdu),
    /// All of it.
    Complete(Answer),
}

impl Pending {
    pub(super) fn start(
        step: CardStep,
        command: CommandApdu,
        profile: &EapTlsProfile,
        counter: &mut Counter,
    ) -> Result<(Self, CommandApdu), CardFault> {
        counter.count(step)?;
        let (exchange, first) = Exchange::start(command, &fetch_rules(profile));
        let pending = Self {
            step,
            exchange: Some(exchange),
        };
        Ok((pending, first))
    }

    /// Starts a command whose first response is its answer: one that may not be sent twice,
    /// whatever length the card would rather have.
    pub(super) fn start_once(step: CardStep, counter: &mut Counter) -> Result<Self, CardFault> {
        counter.count(step)?;
        Ok(Self {
            step,
            exchange: None,
        })
    }

    pub(super) fn on_response(
        self,
        response: ResponseApdu,
        counter: &mut Counter,
    ) -> Result<Progress, CardFault> {
        let step = self.step;
        let Some(exchange) = self.exchange else {
            return Ok(Progress::Complete(Answer { step, response }));
        };
        match exchange.on_response(response) {
            Ok(ExchangeStep::Transmit(exchange, command)) => {
                counter.count(step)?;
                let pending = Self {
                    step,
                    exchange: Some(exchange),
                };
                Ok(Progress::Transmit(pending, command))
            }
            Ok(ExchangeStep::Complete(response)) => {
                Ok(Progress::Complete(Answer { step, response }))
            }
            Err(source) => Err(CardFault::Exchange { step, source }),
        }
    }

    pub(super) fn step(&self) -> CardStep {
        self.step
    }
}

fn fetch_rules(profile: &EapTlsProfile) -> FetchRules {
    FetchRules {
        cla: profile.cla,
        fetch_ins: profile.fetch_ins,
        fallback_get_response: profile.fetch_fallback,
        max_answer: MAX_ANSWER,
        max_steps: MAX_FETCHES,
    }
}

/// CLA INS P1 P2 of the command that fetches what 9Fxx announces.
pub(super) fn fetch_header(profile: &EapTlsProfile) -> [u8; 4] {
    [profile.cla, profile.fetch_ins, 0x00, 0x00]
}

/// The longest answer to one command, in bytes: an EAP packet's length field holds no more.
const MAX_ANSWER: usize = 65_535;

/// Commands spent on one answer: 256 blocks, and some for cards that give less at a time.
const MAX_FETCHES: usize = 1024;
