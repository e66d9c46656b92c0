//! Every answer there is to the questions about the PIN.

use proto::apdu::{ResponseApdu, StatusWord};
use proto::card::Pin;

use crate::card::eap_tls::opening::{Step, begin};
use crate::card::eap_tls::testing::parameters;

/// Answers of a card by what is asked.
#[derive(Clone, Copy)]
struct Answers {
    /// To the look at the PIN state, and to what asks for the rest of that answer.
    probe: [u16; 2],
    /// To VERIFY.
    verify: u16,
    /// To everything behind.
    rest: u16,
}

/// Opens a card that answers so; says how often the PIN went out.
fn verifies(answers: Answers) -> usize {
    let mut count = 0;
    let mut probes = answers.probe.into_iter();
    let mut step = begin(parameters());
    loop {
        step = match step {
            Err(_) | Ok(Step::Opened(_)) => return count,
            Ok(Step::NeedPin(opening)) => opening.with_pin(&Pin::new(b"0000").expect("digits")),
            Ok(Step::PinAccepted(opening)) => opening.proceed(),
            Ok(Step::Transmit(opening, command)) => {
                let sw = match command.ins {
                    0xA4 => 0x9000,
                    0x20 => {
                        count += 1;
                        answers.verify
                    }
                    _ if count == 0 => probes.next().unwrap_or(answers.rest),
                    _ => answers.rest,
                };
                opening.on_response(ResponseApdu::new(Vec::new(), StatusWord(sw)))
            }
        };
    }
}

/// Whether a card that says so may have one try left or none (§5.2).
fn may_be_the_last(sw: u16) -> bool {
    matches!(sw, 0x6300 | 0x6301 | 0x63C0 | 0x63C1 | 0x6983 | 0x9840)
}

/// Whether there is more to the answer.
fn goes_on(sw: u16) -> bool {
    let pin = matches!(sw, 0x9804 | 0x9840);
    matches!(sw >> 8, 0x61 | 0x6C | 0x91..=0x9F) && !pin
}

/// What cards say about a PIN, and what else decides.
const TELLING: [u16; 14] = [
    0x9000, 0x6300, 0x6301, 0x6302, 0x6303, 0x630F, 0x63C0, 0x63C1, 0x63C2, 0x6982, 0x6983, 0x9804,
    0x9840, 0x6D00,
];

#[test]
fn no_pin_is_sent_when_one_try_may_be_left_whatever_the_card_says() {
    let mut sent = 0;
    for sw in 0..=u16::MAX {
        let follow_ups: &[u16] = match goes_on(sw) {
            true => &TELLING,
            false => &[0x6D00],
        };
        for follow_up in follow_ups {
            let last = if goes_on(sw) { *follow_up } else { sw };
            let count = verifies(Answers {
                probe: [sw, *follow_up],
                verify: 0x6300,
                rest: 0x6D00,
            });
            let allowed = usize::from(!may_be_the_last(last));
            assert!(count <= allowed, "{sw:04X}, then {follow_up:04X}: {count}");
            sent += count;
        }
    }
    assert_ne!(sent, 0, "some of them let a PIN be sent");
}

#[test]
fn a_pin_is_sent_once_whatever_the_card_says_to_it() {
    for sw in 0..=u16::MAX {
        for rest in [0x6982, 0x6301, 0x6303, 0x6D00] {
            let count = verifies(Answers {
                probe: [0x6303, rest],
                verify: sw,
                rest,
            });
            assert_eq!(count, 1, "{sw:04X} to VERIFY, then {rest:04X}");
        }
    }
}
