//! The procedures of T=0: one direction at a time, and lengths that must be right.

use proto::apdu::ResponseApdu;
use zeroize::Zeroizing;

use crate::applet::{Answer, Applet};
use crate::cost::Operation;

/// What a card with T=0 keeps between two commands.
///
/// | Command | Answer |
/// |---|---|
/// | with data, and there is an answer to it | `61xx`; GET RESPONSE brings it |
/// | without data, Le not the length of the answer | `6Cxx`; repeated with Le = xx it goes on where it stopped |
/// | GET RESPONSE with another Le | `6Cxx` |
///
/// Length 00 is 256. A command that is repeated after `6Cxx` is not carried out twice, as on cards
/// whose system holds the application at the point where it says how much it sends.
///
/// Source: ISO/IEC 7816-3 §10.3 and §12.2; EAP-TLS card specification §2.
#[derive(Default)]
pub(crate) struct T0 {
    waiting: Option<Waiting>,
}

/// An answer that has not been taken yet.
struct Waiting {
    /// The header without P3 that takes it.
    header: [u8; 4],
    response: ResponseApdu,
}

impl T0 {
    /// Forgets everything: power-off.
    pub(crate) fn reset(&mut self) {
        self.waiting = None;
    }

    /// Carries out one command.
    pub(crate) fn transmit(&mut self, card: &mut dyn Applet, command: &[u8]) -> Answer {
        let (header, p3, data) = match command {
            [cla, ins, p1, p2, p3, data @ ..] => ([*cla, *ins, *p1, *p2], *p3, data),
            _ => return answer(status(WRONG_LENGTH), Vec::new()),
        };
        if !data.is_empty() && data.len() != usize::from(p3) {
            return answer(status(WRONG_LENGTH), Vec::new());
        }
        let is_taken_by = |waiting: &Waiting| match header {
            [_, INS_GET_RESPONSE, 0, 0] => waiting.header[1] == INS_GET_RESPONSE,
            header => waiting.header == header,
        };
        let waiting = self.waiting.take().filter(is_taken_by);
        let (response, cost) = match waiting {
            Some(waiting) if data.is_empty() => (waiting.response, Vec::new()),
            _ => {
                let done = card.transmit(command);
                match ResponseApdu::decode(&done.response) {
                    Ok(response) => (response, done.cost),
                    Err(_) => return done,
                }
            }
        };
        let length = response.data().len();
        let announced = u8::try_from(length).unwrap_or(LENGTH_256);
        if !data.is_empty() && length > 0 {
            let header = [header[0], INS_GET_RESPONSE, 0, 0];
            self.waiting = Some(Waiting { header, response });
            return answer(status([0x61, announced]), cost);
        }
        if length > 0 && announced != p3 {
            self.waiting = Some(Waiting { header, response });
            return answer(status([0x6C, announced]), cost);
        }
        answer(response.encode(), cost)
    }
}

fn status(sw: [u8; 2]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(sw.to_vec())
}

fn answer(response: Zeroizing<Vec<u8>>, mut cost: Vec<Operation>) -> Answer {
    cost.push(Operation::Bytes(response.len()));
    Answer { response, cost }
}

const INS_GET_RESPONSE: u8 = 0xC0;
const WRONG_LENGTH: [u8; 2] = [0x67, 0x00];
/// 256 as a length.
const LENGTH_256: u8 = 0;
