//! All that an operator can do about a PIN, in every order, with a card in every state of its PIN.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use proto::apdu::{Atr, CommandApdu, ResponseApdu};
use proto::card::PinCharacters;
use proto::id::Seid;
use proto::piv::{self, KeyAlgorithm};

use super::bench::write_pin;
use crate::card::eap_tls::testing::{FakeCard, parameters};
use crate::card::error::CardError;
use crate::card::pin::{MemoryPinLedger, PinLedger, PinSource};
use crate::card::piv::testing::{FakePivCard, Held};
use crate::card::profile::PivProfile;
use crate::card::transport::{CardTransport, TransportError};
use crate::card::worker::link::Link;
use crate::card::worker::opening::{Driver, Expected, open};

/// What happens between two openings of the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    Nothing,
    /// The PIN file is written again with the PIN it had.
    SamePin,
    /// It is written with the other PIN: right after wrong, wrong after right.
    OtherPin,
    /// The operator lets the PIN be tried again.
    Allowed,
}

const ALL: [Between; 4] = [
    Between::Nothing,
    Between::SamePin,
    Between::OtherPin,
    Between::Allowed,
];

/// Openings in one sequence.
const LENGTH: u32 = 4;

#[test]
fn in_every_order_a_pin_costs_one_try_and_never_the_last() {
    all_sequences(|tries| {
        AnyCard::EapTls(Box::new(FakeCard {
            tries,
            pin: digits(true).into(),
            ..FakeCard::default()
        }))
    });
}

#[test]
fn so_it_is_with_piv_cards() {
    let key = Arc::new(Held::curve(KeyAlgorithm::P256));
    all_sequences(|tries| {
        let mut card = FakePivCard::with([(piv::Slot::KeyManagement, Arc::clone(&key))]);
        (card.tries, card.pin) = (tries, digits(true).into());
        AnyCard::Piv(Box::new(card))
    });
}

fn all_sequences(card: impl Fn(u8) -> AnyCard) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("pin");
    let mut opened = 0;
    for sequence in 0..ALL.len().pow(LENGTH) {
        let between = |at| ALL[sequence / ALL.len().pow(at) % ALL.len()];
        let sequence: Vec<Between> = (0..LENGTH).map(between).collect();
        for tries in 0..=3 {
            for begins_right in [true, false] {
                opened += run(card(tries), &file, &sequence, tries, begins_right);
            }
        }
    }
    assert_ne!(opened, 0, "the right PIN opens a card");
}

/// Opens the card before each event and after the last; says how often it opened.
fn run(card: AnyCard, file: &Path, sequence: &[Between], tries: u8, begins_right: bool) -> usize {
    let context = format!("{tries} tries, right at first: {begins_right}, {sequence:?}");
    let card = Slot(Arc::new(Mutex::new(card)));
    let ledger = MemoryPinLedger::new().expect("randomness");
    let seid: Seid = "se-00".parse().expect("a SEID");
    let source = PinSource::File(file.to_owned());
    let expected = Expected {
        seid: &seid,
        pin: Some(&source),
        pin_characters: PinCharacters::PivDigits,
        fingerprint: None,
    };
    let mut is_right = begins_right;
    // Whether this PIN was refused since the operator last did something about it.
    let mut is_refused = false;
    let mut opened = 0;
    write_pin(file, digits(is_right));
    for between in sequence {
        let tries = card.lock().tries();
        let sent_before = verifies(&card);
        card.lock().reset();
        let transport = SlotTransport {
            card: card.clone(),
            atr: Atr::decode(&[0x3B, 0x00]).expect("an ATR"),
        };
        let mut link = Link::new(Box::new(transport), Duration::from_secs(1));
        let driver = card.lock().driver();
        let result = open(&mut link, driver, &expected, &ledger);
        let sent = verifies(&card) - sent_before;
        assert!(sent <= 1, "sent {sent} times: {context}");
        assert!(sent == 0 || tries >= 2, "the last try was spent: {context}");
        assert!(
            sent == 0 || !is_refused,
            "refused, and sent again: {context}"
        );
        match result {
            Ok(_) => opened += 1,
            Err(error) if sent == 1 => {
                let expected = CardError::PinRejected {
                    tries_left: Some(tries - 1),
                };
                assert_eq!(error, expected, "{context}");
                is_refused = true;
            }
            Err(error) => {
                let refused = [CardError::LastPinTry, CardError::PinSpent];
                let blocked = tries == 0 && error == CardError::PinBlocked;
                assert!(blocked || refused.contains(&error), "{error}: {context}");
            }
        }
        match between {
            Between::Nothing => continue,
            Between::SamePin => write_pin(file, digits(is_right)),
            Between::OtherPin => {
                is_right = !is_right;
                write_pin(file, digits(is_right));
                is_refused = false;
            }
            Between::Allowed => {
                ledger.allow_again(&seid).expect("recorded");
                is_refused = false;
            }
        }
    }
    opened
}

fn digits(is_right: bool) -> &'static str {
    if is_right { "000000" } else { "471147" }
}

fn verifies(card: &Slot) -> usize {
    match &*card.lock() {
        AnyCard::EapTls(card) => card.count(0x20, 0),
        AnyCard::Piv(card) => card.count(0x20),
    }
}

/// A card at either door.
enum AnyCard {
    EapTls(Box<FakeCard>),
    Piv(Box<FakePivCard>),
}

impl AnyCard {
    fn tries(&self) -> u8 {
        match self {
            Self::EapTls(card) => card.tries,
            Self::Piv(card) => card.tries,
        }
    }

    fn driver(&self) -> Driver {
        match self {
            Self::EapTls(_) => Driver::EapTls(parameters()),
            Self::Piv(_) => Driver::Piv(PivProfile::builtin()),
        }
    }

    fn reset(&mut self) {
        match self {
            Self::EapTls(card) => card.reset(),
            Self::Piv(card) => card.reset(),
        }
    }

    fn transmit(&mut self, command: &CommandApdu) -> ResponseApdu {
        match self {
            Self::EapTls(card) => card.transmit(command),
            Self::Piv(card) => card.transmit(command),
        }
    }
}

#[derive(Clone)]
struct Slot(Arc<Mutex<AnyCard>>);

impl Slot {
    fn lock(&self) -> MutexGuard<'_, AnyCard> {
        self.0.lock().expect("no panic under the lock")
    }
}

struct SlotTransport {
    card: Slot,
    atr: Atr,
}

impl CardTransport for SlotTransport {
    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn transmit(
        &mut self,
        command: &CommandApdu,
        _: Instant,
    ) -> Result<ResponseApdu, TransportError> {
        Ok(self.card.lock().transmit(command))
    }

    fn cold_reset(&mut self, _: Instant) -> Result<Atr, TransportError> {
        self.card.lock().reset();
        Ok(self.atr.clone())
    }

    fn check_present(&mut self) -> Result<(), TransportError> {
        Ok(())
    }
}
