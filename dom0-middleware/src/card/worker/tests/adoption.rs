//! Which card is the right one.

use std::path::PathBuf;

use proto::agent::Door;
use proto::apdu::Atr;

use super::bench::{Bench, write_pin};
use crate::card::eap_tls::testing::FakeCard;
use crate::card::error::CardError;
use crate::card::fingerprint::Difference;
use crate::card::report::{Reopen, WorkerCommand, WorkerReport};
use crate::card::transport::TransportError;

impl Bench {
    /// A card that the configuration does not describe.
    fn undescribed() -> Self {
        Self::with(FakeCard::default(), |settings| {
            settings.configured = false;
            settings.pin = None;
        })
    }

    fn adopt(&self, pin_file: Option<PathBuf>) {
        self.send(WorkerCommand::Reopen(Reopen {
            adopt: true,
            pin_file,
            retry_pin: false,
        }));
    }

    fn retry_pin(&self) {
        self.send(WorkerCommand::Reopen(Reopen {
            adopt: false,
            pin_file: Some(self.pin_file.clone()),
            retry_pin: true,
        }));
    }

    fn await_adopted(&self, expected: bool) {
        match self.next() {
            WorkerReport::Present { adopted, .. } => assert_eq!(adopted, expected),
            other => panic!("{other:?}"),
        }
    }

    fn await_reopened(&self) -> Result<(), CardError> {
        match self.next() {
            WorkerReport::Reopened { result } => result,
            other => panic!("{other:?}"),
        }
    }

    /// How often a PIN was sent.
    fn pins_sent(&self) -> usize {
        self.slot.lock().card.count(0x20, 0)
    }

    fn is_recorded(&self) -> bool {
        let seid = "se-00".parse().expect("a SEID");
        self.adopted.of(&seid).is_some()
    }
}

#[test]
fn the_first_card_of_a_described_reader_is_adopted_and_known_again() {
    let mut bench = Bench::new();
    bench.await_adopted(true);
    assert!(bench.is_recorded());
    bench.swap(|_| {});
    bench.await_adopted(false);
    bench.full();
}

#[test]
fn a_card_that_looks_different_gets_no_pin() {
    let bench = Bench::new();
    bench.await_present();
    let sent = bench.pins_sent();
    bench.swap(|shared| shared.atr = Atr::decode(&[0x3B, 0x00]).expect("an ATR"));
    bench.await_unknown(Difference::Atr);
    assert_eq!(bench.pins_sent(), sent);
    // The right one comes back.
    bench.swap(|shared| shared.atr = Atr::decode(&[0x3B, 0x80, 0x01, 0x81]).expect("an ATR"));
    bench.await_adopted(false);
    assert_eq!(bench.pins_sent(), sent + 1);
}

#[test]
fn another_application_gets_no_pin() {
    let bench = Bench::new();
    bench.await_present();
    let sent = bench.pins_sent();
    bench.swap(|shared| {
        shared.card.answers = Some(Box::new(|command, answer| match command.ins {
            0xA4 => proto::apdu::ResponseApdu::decode(&[0x6F, 0x00, 0x90, 0x00]).expect("one"),
            _ => answer,
        }));
    });
    bench.await_unknown(Difference::Application);
    assert_eq!(bench.pins_sent(), sent);
}

#[test]
fn a_card_with_other_identities_is_reset_and_not_tried_again() {
    let bench = Bench::new();
    bench.await_present();
    bench.swap(|shared| shared.card.identities[0].0 = b"carol".to_vec());
    bench.await_unknown(Difference::Identities);
    let (sent, verified) = (bench.pins_sent(), bench.slot.lock().card.verified);
    assert!(!verified, "the reset took the PIN back");
    // Only the operator can help. What is asked next was done after at least one look at the card.
    bench.retry_pin();
    bench.await_unknown(Difference::Identities);
    assert!(bench.await_reopened().is_err());
    assert_eq!(bench.pins_sent(), sent + 1);
    bench.adopt(None);
    bench.await_adopted(true);
    assert_eq!(bench.await_reopened(), Ok(()));
}

#[test]
fn a_card_nobody_described_gets_no_pin_until_it_is_adopted() {
    let mut bench = Bench::undescribed();
    let why = bench.await_unusable();
    assert!(matches!(why, CardError::NotAdopted { .. }), "{why:?}");
    let next = why.next_step(bench.handle.seid(), Door::EapTls);
    assert!(next.contains("card adopt se-00"), "{next}");
    assert!(bench.slot.lock().card.log.is_empty(), "nothing was sent");

    bench.adopt(None);
    assert_eq!(bench.await_unusable(), CardError::PinMissing);
    assert_eq!(bench.await_reopened(), Err(CardError::PinMissing));
    assert!(!bench.is_recorded());

    bench.adopt(Some(bench.pin_file.clone()));
    bench.await_adopted(true);
    assert_eq!(bench.await_reopened(), Ok(()));
    bench.full();
    // It is known again, and its PIN with it.
    bench.swap(|_| {});
    bench.await_adopted(false);
}

#[test]
fn a_card_that_refuses_the_pin_is_not_adopted() {
    let bench = Bench::undescribed();
    bench.await_unusable();
    write_pin(&bench.pin_file, "1111");
    bench.adopt(Some(bench.pin_file.clone()));
    let refused = bench.await_unusable();
    assert!(matches!(refused, CardError::PinRejected { .. }));
    assert_eq!(bench.await_reopened(), Err(refused));
    assert!(!bench.is_recorded());
    // The same PIN costs no second try.
    bench.adopt(Some(bench.pin_file.clone()));
    assert_eq!(bench.await_unusable(), CardError::PinSpent);
    assert_eq!(bench.await_reopened(), Err(CardError::PinSpent));
    assert_eq!(bench.pins_sent(), 1);
}

#[test]
fn a_pin_is_tried_again_when_the_operator_says_so() {
    let card = FakeCard {
        pin: b"4711".to_vec(),
        tries: 3,
        ..FakeCard::default()
    };
    let bench = Bench::with(card, |_| {});
    assert!(matches!(
        bench.await_unusable(),
        CardError::PinRejected { .. }
    ));
    // The card was given the PIN of the file: the file is as it was.
    bench.slot.lock().card.pin = b"0000".to_vec();
    bench.retry_pin();
    bench.await_adopted(true);
    assert_eq!(bench.await_reopened(), Ok(()));
    assert_eq!(bench.pins_sent(), 2);
}

#[test]
fn without_a_card_there_is_nothing_to_adopt() {
    let bench = Bench::new();
    bench.await_present();
    bench.slot.lock().present = false;
    assert!(matches!(bench.next(), WorkerReport::Gone { .. }));
    bench.adopt(None);
    let removed = CardError::Transport(TransportError::Removed);
    assert_eq!(bench.await_reopened(), Err(removed));
}

#[test]
fn a_card_in_use_is_opened_again_afterwards() {
    let mut bench = Bench::new();
    bench.await_present();
    let use_id = bench.start();
    bench.await_hello(use_id);
    bench.adopt(None);
    bench.answer(use_id, bench.server.full());
    assert!(matches!(bench.next(), WorkerReport::ClientRecords { .. }));
    bench.await_wait();
    bench.answer(use_id, bench.server.last());
    assert!(matches!(bench.next(), WorkerReport::Established { .. }));
    bench.await_free(use_id);
    bench.await_adopted(false);
    assert_eq!(bench.await_reopened(), Ok(()));
    bench.full();
}
