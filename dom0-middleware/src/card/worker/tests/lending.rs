//! A card in a borrower's hand: reset before and behind it, taken back at any time, never lost.

use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use proto::apdu::{CommandApdu, ResponseApdu, StatusWord};

use super::bench::Bench;
use crate::card::eap_tls::testing::FakeCard;
use crate::card::error::{CardError, SessionError};
use crate::card::job::UseId;
use crate::card::report::{LoanEnd, Reopen, WorkerCommand, WorkerReport};
use crate::card::transport::TransportError;
use crate::card::worker::{LentCard, LoanError};

/// The longest a test waits for what must come.
const LONG: Duration = Duration::from_secs(20);

impl Bench {
    /// Asks for the card; the answer comes when the worker has it.
    fn ask_for_loan(&mut self) -> (UseId, Receiver<Result<LentCard, CardError>>) {
        let use_id = UseId(self.next_use);
        self.next_use += 1;
        let (sender, answer) = mpsc::channel();
        let lend = move |lent| {
            // The test may have ended.
            let _ = sender.send(lent);
        };
        self.handle.lend(use_id, Box::new(lend)).expect("a worker");
        (use_id, answer)
    }

    fn borrow(&mut self) -> (UseId, LentCard) {
        let (use_id, answer) = self.ask_for_loan();
        let lent = answer.recv_timeout(LONG).expect("an answer");
        (use_id, lent.expect("lent"))
    }

    fn await_loan_end(&self, expected: UseId) -> (u64, LoanEnd) {
        match self.next() {
            WorkerReport::LoanEnded { use_id, apdus, end } => {
                assert_eq!(use_id, expected);
                (apdus, end)
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Get-Current-Identity, which needs no PIN.
fn harmless() -> CommandApdu {
    CommandApdu::new(0xA0, 0x18, 0x00, 0x00)
}

fn say(lent: &mut LentCard) -> Result<ResponseApdu, LoanError> {
    lent.transmit(&harmless())
}

#[test]
fn a_loan_is_between_two_resets_and_handshakes_go_on_behind_it() {
    let mut bench = Bench::new();
    bench.await_present();
    bench.full();
    let (use_id, mut lent) = bench.borrow();
    assert_eq!(lent.seid().as_str(), "se-00");
    assert_eq!(bench.slot.lock().resets, 1);
    for _ in 0..3 {
        say(&mut lent).expect("an answer");
    }
    assert!(!lent.is_recalled());
    drop(lent);
    assert_eq!(bench.await_loan_end(use_id), (3, LoanEnd::Returned));
    bench.await_free(use_id);
    assert_eq!(bench.slot.lock().resets, 2);
    // What it kept of the handshake before is not offered again.
    assert!(!bench.full().abbreviated);
}

#[test]
fn a_borrower_finds_neither_pin_nor_handshake_of_a_guest() {
    let mut bench = Bench::new();
    bench.await_present();
    bench.full();
    let (_, mut lent) = bench.borrow();
    for (ins, p1, p2) in [(0x82, 0x00, 0x00), (0xA6, 0x00, 0x00), (0x16, 0x00, 0x00)] {
        let command = CommandApdu::new(0xA0, ins, p1, p2).with_le(256);
        let answer = lent.transmit(&command).expect("an answer");
        assert_ne!(answer.sw, StatusWord::SUCCESS, "{ins:02X}");
    }
}

#[test]
fn an_idle_borrower_loses_the_card_at_once() {
    let mut bench = Bench::new();
    bench.await_present();
    let (use_id, mut lent) = bench.borrow();
    bench.send(WorkerCommand::Recall { use_id: UseId(99) });
    say(&mut lent).expect("still lent");
    bench.send(WorkerCommand::Recall { use_id });
    // Whether the worker has heard of it or not.
    assert_eq!(say(&mut lent), Err(LoanError::Recalled));
    assert_eq!(bench.await_loan_end(use_id), (1, LoanEnd::Recalled));
    bench.await_free(use_id);
    assert!(lent.is_recalled());
    assert_eq!(say(&mut lent), Err(LoanError::Recalled));
    assert_eq!(lent.cold_reset(), Err(LoanError::Recalled));
    bench.full();
    // It says so only now, and disturbs nobody.
    drop(lent);
    bench.full();
}

#[test]
fn a_borrower_that_panics_gives_the_card_back() {
    let mut bench = Bench::new();
    bench.await_present();
    let (use_id, lent) = bench.borrow();
    let borrower = thread::spawn(move || {
        let _lent = lent;
        panic!("on purpose");
    });
    assert!(borrower.join().is_err());
    assert_eq!(bench.await_loan_end(use_id), (0, LoanEnd::Returned));
    bench.await_free(use_id);
    bench.full();
}

#[test]
fn a_borrower_that_went_away_before_it_had_the_card_does_not_keep_it() {
    let mut bench = Bench::new();
    bench.await_present();
    let (use_id, answer) = bench.ask_for_loan();
    drop(answer);
    assert_eq!(bench.await_loan_end(use_id), (0, LoanEnd::Returned));
    bench.await_free(use_id);
    bench.full();
}

#[test]
fn a_card_that_leaves_its_borrower_is_gone_and_may_come_back() {
    let mut bench = Bench::new();
    bench.await_present();
    let removed = LoanError::Transport(TransportError::Removed);
    for notices_first in [true, false] {
        let (use_id, mut lent) = bench.borrow();
        bench.slot.lock().present = false;
        if notices_first {
            assert_eq!(say(&mut lent), Err(removed.clone()));
        }
        let (_, end) = bench.await_loan_end(use_id);
        assert_eq!(end, LoanEnd::Removed);
        assert!(matches!(bench.next(), WorkerReport::Gone { .. }));
        bench.await_free(use_id);
        assert!(lent.is_recalled());
        assert_eq!(say(&mut lent), Err(removed.clone()));
        assert_eq!(lent.cold_reset(), Err(removed.clone()));
        bench.insert();
        bench.await_present();
        bench.full();
        drop(lent);
        bench.full();
    }
}

#[test]
fn after_a_failure_only_a_reset_makes_the_card_take_apdus_again() {
    let mut bench = Bench::new();
    bench.await_present();
    let (_, mut lent) = bench.borrow();
    bench.slot.lock().fault = Some(TransportError::TimedOut);
    let late = LoanError::Transport(TransportError::TimedOut);
    assert_eq!(say(&mut lent), Err(late));
    assert_eq!(say(&mut lent), Err(LoanError::AwaitsReset));
    let atr = lent.warm_reset().expect("an answer to reset");
    assert_eq!(&atr, lent.atr());
    say(&mut lent).expect("an answer");
}

#[test]
fn a_card_that_guests_cannot_use_is_lent_and_gets_no_pin_for_it() {
    let card = FakeCard {
        pin: b"4711".to_vec(),
        ..FakeCard::default()
    };
    let mut bench = Bench::with(card, |_| {});
    let why = bench.await_unusable();
    assert!(matches!(why, CardError::PinRejected { .. }), "{why:?}");
    let tries = bench.slot.lock().card.tries;
    let (use_id, mut lent) = bench.borrow();
    say(&mut lent).expect("an answer");
    drop(lent);
    assert_eq!(bench.await_loan_end(use_id), (1, LoanEnd::Returned));
    bench.await_free(use_id);
    let start = bench.start();
    assert_eq!(bench.await_failure(start).0, SessionError::PinRequired);
    bench.await_free(start);
    assert_eq!(bench.slot.lock().card.tries, tries);
}

#[test]
fn while_a_card_is_lent_nobody_else_gets_it() {
    let mut bench = Bench::new();
    bench.await_present();
    let (use_id, mut lent) = bench.borrow();
    let start = bench.start();
    assert_eq!(bench.await_failure(start).0, SessionError::Busy);
    bench.await_free(start);
    let (second, answer) = bench.ask_for_loan();
    let refused = answer.recv_timeout(LONG).expect("an answer");
    assert_eq!(refused.expect_err("lent"), CardError::InUse);
    assert_eq!(bench.await_loan_end(second), (0, LoanEnd::NotLent));
    bench.await_free(second);
    say(&mut lent).expect("an answer");
    drop(lent);
    assert_eq!(bench.await_loan_end(use_id), (1, LoanEnd::Returned));
}

#[test]
fn no_card_is_not_lent() {
    let mut bench = Bench::new();
    bench.await_present();
    bench.slot.lock().present = false;
    let (use_id, answer) = bench.ask_for_loan();
    let refused = answer.recv_timeout(LONG).expect("an answer");
    assert_eq!(
        refused.expect_err("gone"),
        CardError::Transport(TransportError::Removed)
    );
    let reports = [bench.next(), bench.next(), bench.next()];
    let is_free = |report: &WorkerReport| matches!(report, WorkerReport::Free { use_id: of, .. } if *of == use_id);
    let is_gone = |report: &WorkerReport| matches!(report, WorkerReport::Gone { .. });
    assert!(reports.iter().any(is_gone), "{reports:?}");
    assert!(reports.last().is_some_and(is_free), "{reports:?}");
}

#[test]
fn the_operator_has_the_first_word() {
    let mut bench = Bench::new();
    bench.await_present();
    let (use_id, lent) = bench.borrow();
    bench.send(WorkerCommand::Reopen(Reopen::default()));
    assert_eq!(bench.await_loan_end(use_id), (0, LoanEnd::Recalled));
    bench.await_free(use_id);
    assert!(lent.is_recalled());
    bench.await_present();
    let report = bench.next();
    assert!(
        matches!(report, WorkerReport::Reopened { result: Ok(()) }),
        "{report:?}"
    );
}

#[test]
fn a_call_that_hangs_is_told_and_costs_the_borrower_the_card() {
    let mut bench = Bench::with(FakeCard::default(), |settings| {
        settings.apdu_timeout = Duration::from_millis(1);
    });
    bench.await_present();
    let (use_id, mut lent) = bench.borrow();
    // The slot is the card's reader: it answers nothing while the test holds it.
    let slot = bench.slot.clone();
    let hold = slot.lock();
    let borrower = thread::spawn(move || (say(&mut lent), say(&mut lent)));
    let report = bench.next();
    assert!(
        matches!(report, WorkerReport::LoanOverdue { use_id: of } if of == use_id),
        "{report:?}"
    );
    drop(hold);
    let (_, second) = borrower.join().expect("no panic");
    assert_eq!(second, Err(LoanError::Recalled));
    assert_eq!(bench.await_loan_end(use_id), (1, LoanEnd::Recalled));
    bench.await_free(use_id);
}

#[test]
fn a_worker_that_stops_does_not_wait_for_its_borrower() {
    let mut bench = Bench::new();
    bench.await_present();
    let (_, mut lent) = bench.borrow();
    let Bench { handle, .. } = bench;
    handle.stop();
    assert!(lent.is_recalled());
    assert_eq!(say(&mut lent), Err(LoanError::Recalled));
}
