//! Commands that go to the card together: what it sees and what comes of it are the same.

use proto::apdu::{ResponseApdu, StatusWord};

use super::bench::Bench;
use crate::card::error::SessionError;
use crate::card::fault::{CardFault, CardStep};
use crate::card::report::WorkerReport;
use crate::card::transport::TransportError;

const SET_IDENTITY: u8 = 0x16;
const PROCESS_EAP: u8 = 0x80;
const GET_STATE: u8 = 0x19;
const READ: u8 = 0x86;
const GET_RESPONSE: u8 = 0xC0;

/// INS P1 P2 of what a handshake has sent, and how many round trips were spared. Identifiers, times and the
/// length of the server's certificate differ from one to the next.
fn commands(chains: bool) -> (Vec<[u8; 3]>, usize) {
    let mut bench = Bench::new();
    bench.await_present();
    {
        let mut shared = bench.slot.lock();
        shared.chains = chains;
        shared.card.log.clear();
    }
    bench.full();
    let shared = bench.slot.lock();
    let log = shared.card.log.iter();
    let sent = log.map(|sent| [sent.ins, sent.p1, sent.p2]);
    let chained: usize = shared.chained.iter().map(|count| count - 1).sum();
    (sent.collect(), chained)
}

#[test]
fn a_card_sees_the_same_commands_in_the_same_order() {
    let (alone, none) = commands(false);
    let (together, spared) = commands(true);
    assert_eq!(alone, together);
    assert_eq!(none, 0);
    assert!(
        spared >= 7,
        "{spared} round trips spared of {}",
        alone.len()
    );
}

/// Fails the first command `ins` of a handshake whose commands go together.
fn failing(ins: u8, at: usize, sw: u16, hides_status: bool) -> SessionError {
    let mut bench = Bench::new();
    bench.await_present();
    {
        let mut shared = bench.slot.lock();
        shared.chains = true;
        shared.hides_status = hides_status;
        let mut seen = 0;
        shared.card.answers = Some(Box::new(move |command, answer| {
            if command.ins != ins {
                return answer;
            }
            seen += 1;
            match seen - 1 == at {
                true => ResponseApdu::new(Vec::new(), StatusWord(sw)),
                false => answer,
            }
        }));
    }
    let use_id = bench.start();
    loop {
        match bench.next() {
            WorkerReport::AwaitingServer { .. } => {
                let flight = bench.server.full();
                bench.answer(use_id, flight);
            }
            WorkerReport::Failed { error, .. } => {
                bench.await_free(use_id);
                // The card is there for the next one.
                bench.slot.lock().card.answers = None;
                bench.full();
                return error;
            }
            _ => {}
        }
    }
}

#[test]
fn a_failure_in_the_middle_is_that_of_its_command() {
    let error = failing(SET_IDENTITY, 0, 0x6A88, false);
    let expected = CardFault::Refused {
        step: CardStep::SetIdentity,
        sw: StatusWord(0x6A88),
    };
    assert_eq!(error, SessionError::CardFailed(expected));
    let error = failing(SET_IDENTITY, 0, 0x6A88, true);
    let expected = CardFault::Transport {
        step: CardStep::SetIdentity,
        source: TransportError::StatusUnseen,
    };
    assert_eq!(error, SessionError::CardFailed(expected));
    // The second segment of the server's flight.
    let error = failing(PROCESS_EAP, 2, 0x6F00, false);
    let expected = CardFault::Refused {
        step: CardStep::FirstFlight,
        sw: StatusWord(0x6F00),
    };
    assert_eq!(error, SessionError::CardFailed(expected));
}

/// Makes a handshake with a good server that fails; why.
fn error_at_the_end(bench: &mut Bench) -> SessionError {
    let mut flights = vec![bench.server.last(), bench.server.full()];
    let use_id = bench.start();
    let error = loop {
        match bench.next() {
            WorkerReport::AwaitingServer { .. } => {
                let flight = flights.pop().expect("the card is through");
                bench.answer(use_id, flight);
            }
            WorkerReport::Failed { error, .. } => break error,
            WorkerReport::Established { .. } => panic!("it was to fail"),
            _ => {}
        }
    };
    bench.await_free(use_id);
    error
}

#[test]
fn a_card_that_is_not_through_gives_no_keys_in_a_chain_either() {
    let mut bench = Bench::new();
    bench.await_present();
    {
        let mut shared = bench.slot.lock();
        shared.chains = true;
        shared.card.answers = Some(Box::new(|command, answer| match command.ins {
            GET_STATE if command.p1 == 0 => ResponseApdu::new(vec![0x02], StatusWord(0x9000)),
            _ => answer,
        }));
    }
    let error = error_at_the_end(&mut bench);
    let expected = CardFault::NotAuthenticated { got: 0x02 };
    assert_eq!(error, SessionError::CardFailed(expected));
    bench.slot.lock().card.answers = None;
    bench.full();
}

#[test]
fn a_card_that_must_be_asked_again_is_asked_alone_from_then_on() {
    let mut bench = Bench::new();
    bench.await_present();
    {
        let mut shared = bench.slot.lock();
        shared.chains = true;
        let mut held = None;
        // As by T=0, whatever its answer to reset says.
        shared.card.answers = Some(Box::new(move |command, answer| match command.ins {
            READ if answer.sw.is_success() => {
                let length = u16::try_from(answer.data().len()).expect("short");
                held = Some(answer);
                ResponseApdu::new(Vec::new(), StatusWord(0x6100 | length))
            }
            GET_RESPONSE => held.take().unwrap_or(answer),
            _ => answer,
        }));
    }
    let error = error_at_the_end(&mut bench);
    assert!(error.to_string().contains("sent ahead"), "{error}");
    bench.full();
}

#[test]
fn a_card_without_reset_state_goes_on_in_a_chain_too() {
    let mut bench = Bench::new();
    bench.await_present();
    {
        let mut shared = bench.slot.lock();
        shared.chains = true;
        shared.card.has_reset = false;
    }
    bench.full();
    assert!(!bench.slot.lock().chained.is_empty());
}
