//! One command to its complete answer.

use std::fmt;

use zeroize::Zeroizing;

use crate::apdu::{CommandApdu, ResponseApdu, StatusWord};

/// How a card hands out an answer that is longer than one response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchRules {
    /// Class of FETCH and GET RESPONSE.
    pub cla: u8,
    /// Instruction that fetches the next block after `9Fxx`, 12 on known cards.
    pub fetch_ins: u8,
    /// Whether to go over to GET RESPONSE (C0) when the card does not know `fetch_ins`.
    pub fallback_get_response: bool,
    /// The longest answer accepted, in bytes.
    pub max_answer: usize,
    /// The most commands sent behind the first.
    pub max_steps: usize,
}

/// A command whose answer is not complete yet. What was gathered is shown by nothing.
///
/// | Status word | What follows |
/// |---|---|
/// | `61xx` | GET RESPONSE with Le = xx |
/// | `6Cxx` | the command sent last once more, with Le = xx; what came with it does not count |
/// | `91xx` to `9Fxx` | FETCH with Le = xx |
/// | any other | nothing: the answer is complete |
///
/// `9804` and `9840` are answers about a PIN, not announcements. Le of 00 is 256. The data of all
/// responses belongs together.
///
/// Source: specs/eap-tls-card.md §2, §12, §13 point 3.
pub struct Exchange {
    rules: FetchRules,
    /// The command sent last.
    sent: CommandApdu,
    /// Whether that was a FETCH which the card may not know.
    fetching: bool,
    data: Zeroizing<Vec<u8>>,
    steps_left: usize,
}

/// What a response brings.
#[derive(Debug)]
pub enum ExchangeStep {
    /// Send this command and go on.
    Transmit(Exchange, CommandApdu),
    /// All data and the final status word, which may be an error.
    Complete(ResponseApdu),
}

impl Exchange {
    /// Begins with `command`, which is returned to be sent.
    #[must_use]
    pub fn start(command: CommandApdu, rules: &FetchRules) -> (Self, CommandApdu) {
        let exchange = Self {
            rules: *rules,
            sent: command.clone(),
            fetching: false,
            data: Zeroizing::default(),
            steps_left: rules.max_steps,
        };
        (exchange, command)
    }

    /// Takes the response to the command sent last.
    ///
    /// # Errors
    /// [`ExchangeError`] if the card goes on for too long.
    pub fn on_response(mut self, response: ResponseApdu) -> Result<ExchangeStep, ExchangeError> {
        let sw = response.sw;
        match next_of(sw) {
            None if self.does_not_know_fetch(sw) => {
                let le = self.sent.le().unwrap_or(LE_ALL);
                let command = self.get_response(le);
                self.transmit(command, false)
            }
            None => {
                self.gather(response)?;
                Ok(ExchangeStep::Complete(ResponseApdu::new(self.data, sw)))
            }
            Some(Next::Repeat) => {
                let repeated = self.sent.clone().with_le(le(sw));
                let fetching = self.fetching;
                self.transmit(repeated, fetching)
            }
            Some(Next::GetResponse) => {
                self.gather(response)?;
                let command = self.get_response(le(sw));
                self.transmit(command, false)
            }
            Some(Next::Fetch) => {
                self.gather(response)?;
                let FetchRules { cla, fetch_ins, .. } = self.rules;
                let fetch = CommandApdu::new(cla, fetch_ins, 0x00, 0x00).with_le(le(sw));
                self.transmit(fetch, true)
            }
        }
    }

    /// Once it turned out so, GET RESPONSE is used for the rest of this answer.
    fn does_not_know_fetch(&self, sw: StatusWord) -> bool {
        self.fetching
            && self.rules.fallback_get_response
            && self.rules.fetch_ins != INS_GET_RESPONSE
            && sw == UNKNOWN_INS
    }

    fn get_response(&self, le: u32) -> CommandApdu {
        CommandApdu::new(self.rules.cla, INS_GET_RESPONSE, 0x00, 0x00).with_le(le)
    }

    fn transmit(
        mut self,
        command: CommandApdu,
        fetching: bool,
    ) -> Result<ExchangeStep, ExchangeError> {
        let max = self.rules.max_steps;
        self.steps_left = self
            .steps_left
            .checked_sub(1)
            .ok_or(ExchangeError::TooManySteps { max })?;
        if command.ins == INS_GET_RESPONSE && self.fetching {
            self.rules.fetch_ins = INS_GET_RESPONSE;
        }
        self.fetching = fetching;
        self.sent = command.clone();
        Ok(ExchangeStep::Transmit(self, command))
    }

    fn gather(&mut self, response: ResponseApdu) -> Result<(), ExchangeError> {
        let max = self.rules.max_answer;
        let came = response.into_data();
        if came.len() > max.saturating_sub(self.data.len()) {
            return Err(ExchangeError::TooLong { max });
        }
        if self.data.is_empty() {
            self.data = came;
        } else if !came.is_empty() {
            // One allocation of the right size: growing in place could leave a copy behind.
            let mut joined = Zeroizing::new(Vec::with_capacity(self.data.len() + came.len()));
            joined.extend_from_slice(&self.data);
            joined.extend_from_slice(&came);
            self.data = joined;
        }
        Ok(())
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("sent", &self.sent)
            .field("gathered", &self.data.len())
            .field("steps_left", &self.steps_left)
            .finish_non_exhaustive()
    }
}

/// Why an answer does not come to an end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// More data than is accepted.
    #[error("answer of more than {max} bytes")]
    TooLong {
        /// Bytes accepted.
        max: usize,
    },
    /// More announcements than are followed.
    #[error("answer not complete after {max} more commands")]
    TooManySteps {
        /// Commands that were sent behind the first.
        max: usize,
    },
}

enum Next {
    GetResponse,
    Repeat,
    Fetch,
}

fn next_of(sw: StatusWord) -> Option<Next> {
    if sw.pin_status().is_some() {
        return None;
    }
    match sw.sw1() {
        0x61 => Some(Next::GetResponse),
        0x6C => Some(Next::Repeat),
        0x91..=0x9F => Some(Next::Fetch),
        _ => None,
    }
}

/// The length in SW2; 00 stands for 256.
fn le(sw: StatusWord) -> u32 {
    match sw.sw2() {
        0 => LE_ALL,
        length => length.into(),
    }
}

const INS_GET_RESPONSE: u8 = 0xC0;
const UNKNOWN_INS: StatusWord = StatusWord(0x6D00);
const LE_ALL: u32 = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: FetchRules = FetchRules {
        cla: 0xA0,
        fetch_ins: 0x12,
        fallback_get_response: true,
        max_answer: 1000,
        max_steps: 8,
    };

    fn command() -> CommandApdu {
        CommandApdu::new(0xA0, 0x80, 0, 0)
            .with_data(&[1])
            .expect("fits")
    }

    type Ending = Result<(u16, Vec<u8>), ExchangeError>;

    /// Plays `answers`; returns what was sent and how it ended.
    fn play(answers: &[(u16, &[u8])]) -> (Vec<Vec<u8>>, Ending) {
        let (mut exchange, first) = Exchange::start(command(), &RULES);
        let mut sent = vec![first.encode().to_vec()];
        for (sw, data) in answers {
            match exchange.on_response(ResponseApdu::new(data.to_vec(), StatusWord(*sw))) {
                Ok(ExchangeStep::Transmit(next, command)) => {
                    sent.push(command.encode().to_vec());
                    exchange = next;
                }
                Ok(ExchangeStep::Complete(answer)) => {
                    return (sent, Ok((answer.sw.0, answer.data().to_vec())));
                }
                Err(error) => return (sent, Err(error)),
            }
        }
        panic!("not complete after {answers:02X?}");
    }

    #[test]
    fn a_plain_answer_is_complete() {
        let (sent, answer) = play(&[(0x9000, &[7])]);
        assert_eq!(answer, Ok((0x9000, vec![7])));
        assert_eq!(sent.len(), 1);
    }

    #[test]
    fn an_announced_answer_is_fetched_block_by_block() {
        let block = [5; 256];
        let (sent, answer) = play(&[(0x9F00, &[]), (0x9F10, &block), (0x9000, &[6; 16])]);
        assert_eq!(answer, Ok((0x9000, [&block[..], &[6; 16]].concat())));
        assert_eq!(sent[1], [0xA0, 0x12, 0, 0, 0]);
        assert_eq!(sent[2], [0xA0, 0x12, 0, 0, 0x10]);
    }

    #[test]
    fn t0_answers_are_got_and_wrong_lengths_corrected() {
        let (sent, answer) = play(&[
            (0x6C05, &[]),
            (0x6105, &[]),
            (0x6C03, &[]),
            (0x9000, &[1, 2, 3]),
        ]);
        assert_eq!(answer, Ok((0x9000, vec![1, 2, 3])));
        assert_eq!(sent[1], [0xA0, 0x80, 0, 0, 1, 1, 5]);
        assert_eq!(sent[2], [0xA0, 0xC0, 0, 0, 5]);
        assert_eq!(sent[3], [0xA0, 0xC0, 0, 0, 3]);
    }

    #[test]
    fn a_card_without_fetch_is_asked_with_get_response_from_then_on() {
        let (sent, answer) = play(&[
            (0x9F02, &[]),
            (0x6D00, &[]),
            (0x9F01, &[1, 2]),
            (0x9000, &[3]),
        ]);
        assert_eq!(answer, Ok((0x9000, vec![1, 2, 3])));
        let instructions: Vec<u8> = sent.iter().map(|command| command[1]).collect();
        assert_eq!(instructions, [0x80, 0x12, 0xC0, 0xC0]);
        assert_eq!(sent[2], [0xA0, 0xC0, 0, 0, 2]);
    }

    #[test]
    fn an_unknown_command_is_no_reason_to_fetch() {
        let (sent, answer) = play(&[(0x6D00, &[])]);
        assert_eq!(answer, Ok((0x6D00, vec![])));
        assert_eq!(sent.len(), 1);
    }

    #[test]
    fn answers_about_a_pin_announce_nothing() {
        for sw in [0x9804, 0x9840, 0x6302] {
            assert_eq!(play(&[(sw, &[])]).1, Ok((sw, vec![])));
        }
    }

    #[test]
    fn an_error_in_the_middle_ends_it() {
        let (_, answer) = play(&[(0x9F00, &[]), (0x6985, &[])]);
        assert_eq!(answer, Ok((0x6985, vec![])));
    }

    #[test]
    fn endless_cards_are_stopped() {
        for sw in [0x6100, 0x6C00, 0x9F00, 0x9100] {
            let (sent, answer) = play(&[(sw, &[][..]); 20]);
            assert_eq!(answer, Err(ExchangeError::TooManySteps { max: 8 }));
            assert_eq!(sent.len(), 9);
        }
        let (_, answer) = play(&[(0x9F00, &[0; 256][..]); 20]);
        assert_eq!(answer, Err(ExchangeError::TooLong { max: 1000 }));
    }

    #[test]
    fn debug_shows_no_data() {
        let (exchange, _) = Exchange::start(command(), &RULES);
        let response = ResponseApdu::new(vec![0xAB; 8], StatusWord(0x9F08));
        let step = exchange.on_response(response).expect("goes on");
        let shown = format!("{step:?}");
        assert!(
            !shown.contains("171") && !shown.to_uppercase().contains("AB, AB"),
            "{shown}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn every_card_comes_to_an_end(
            answers in prop::collection::vec((any::<u16>(), 0..300usize), 0..20),
        ) {
            let (mut exchange, _) = Exchange::start(command(), &RULES);
            let mut steps = 0;
            for (sw, len) in answers {
                let response = ResponseApdu::new(vec![0; len], StatusWord(sw));
                match exchange.on_response(response) {
                    Ok(ExchangeStep::Transmit(next, _)) => exchange = next,
                    Ok(ExchangeStep::Complete(answer)) => {
                        prop_assert!(answer.data().len() <= RULES.max_answer);
                        break;
                    }
                    Err(_) => break,
                }
                steps += 1;
                prop_assert!(steps <= RULES.max_steps);
            }
        }
    }
}
