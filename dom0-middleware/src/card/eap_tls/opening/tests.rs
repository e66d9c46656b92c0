//! Opening a card made of switches.

use proptest::collection::vec;
use proptest::prelude::*;
use proto::apdu::{ResponseApdu, StatusWord};
use proto::card::Pin;

use super::{Opened, Step, begin};
use crate::card::eap_tls::DriverParameters;
use crate::card::eap_tls::parameters::{MAX_IDENTITIES, MAX_OPENING_COMMANDS};
use crate::card::eap_tls::testing::{FakeCard, parameters};
use crate::card::error::CardError;
use crate::card::fault::{CardFault, CardStep};

/// Opens `card` with the PIN it was made with, or another.
fn open_with(
    card: &mut FakeCard,
    parameters: DriverParameters,
    pin: &[u8],
) -> Result<Opened, CardError> {
    let mut step = begin(parameters)?;
    loop {
        step = match step {
            Step::Transmit(opening, command) => opening.on_response(card.transmit(&command))?,
            Step::NeedPin(opening) => opening.with_pin(&Pin::new(pin).expect("a PIN"))?,
            Step::PinAccepted(opening) => opening.proceed()?,
            Step::Opened(opened) => return Ok(opened),
        };
    }
}

fn open(card: &mut FakeCard) -> Result<Opened, CardError> {
    open_with(card, parameters(), b"0000")
}

fn names(opened: &Opened) -> Vec<&str> {
    opened
        .identities
        .iter()
        .map(|identity| identity.name.as_str())
        .collect()
}

fn verifies(card: &FakeCard) -> usize {
    card.count(0x20, 0)
}

#[test]
fn a_card_is_opened_with_all_it_holds() {
    let certificate = rcgen::generate_simple_self_signed(vec!["alice".to_owned()])
        .expect("a certificate")
        .cert
        .der()
        .to_vec();
    assert!(certificate.len() > 256, "it takes more than one answer");
    let mut card = FakeCard::default();
    card.identities[0].1 = Some([certificate.as_slice(), &[0; 7]].concat());
    let opened = open(&mut card).expect("an open card");
    assert_eq!(names(&opened), ["alice", "bob"]);
    assert_eq!(opened.identities[0].certificate, Some(certificate));
    assert_eq!(opened.identities[1].certificate, None);
    assert!(opened.capabilities.parameters && opened.capabilities.state);
    assert!(opened.capabilities.can_forget());
    assert_eq!(verifies(&card), 1);
}

#[test]
fn a_card_that_is_verified_gets_no_pin() {
    let mut card = FakeCard {
        getters_need_pin: false,
        ..FakeCard::default()
    };
    // As the drafts have it: getters are free, Set-Identity asks.
    let opened = open(&mut card).expect("an open card");
    assert_eq!(names(&opened), ["alice", "bob"]);
    assert_eq!(verifies(&card), 1, "once, when it was asked for");
}

#[test]
fn the_last_try_is_never_spent() {
    for tries in [0, 1] {
        let mut card = FakeCard {
            tries,
            ..FakeCard::default()
        };
        assert_eq!(open(&mut card), Err(CardError::LastPinTry), "{tries}");
        assert_eq!(verifies(&card), 0);
    }
    let mut card = FakeCard {
        tries: 2,
        ..FakeCard::default()
    };
    assert!(open(&mut card).is_ok());
}

#[test]
fn every_way_to_ask_for_a_pin_is_understood() {
    for (sw, expected) in [
        (0x6983, Err(CardError::PinBlocked)),
        (0x6300, Err(CardError::PinBlocked)),
        (0x63C0, Err(CardError::PinBlocked)),
        (0x9840, Err(CardError::PinBlocked)),
        (0x63C1, Err(CardError::LastPinTry)),
        (0x63C3, Ok(())),
        (0x6982, Ok(())),
        (0x9804, Ok(())),
        (0x6D00, Ok(())),
    ] {
        let mut card = FakeCard {
            answers: Some(Box::new(move |command, usual| match command.ins {
                0x18 => ResponseApdu::new(Vec::new(), StatusWord(sw)),
                _ => usual,
            })),
            ..FakeCard::default()
        };
        let result = open(&mut card).map(|_| ());
        assert_eq!(result, expected, "{sw:04X}");
        assert_eq!(verifies(&card), usize::from(expected.is_ok()), "{sw:04X}");
    }
}

#[test]
fn a_wrong_pin_costs_one_try_and_no_more() {
    let mut card = FakeCard::default();
    assert_eq!(
        open_with(&mut card, parameters(), b"9999"),
        Err(CardError::PinRejected {
            tries_left: Some(2)
        })
    );
    assert_eq!((card.tries, verifies(&card)), (2, 1));
}

#[test]
fn a_card_that_asks_again_after_accepting_gets_no_second_verify() {
    let mut card = FakeCard {
        answers: Some(Box::new(|command, usual| match command.ins {
            0x16 => ResponseApdu::new(Vec::new(), StatusWord(0x6303)),
            _ => usual,
        })),
        ..FakeCard::default()
    };
    assert!(matches!(
        open(&mut card),
        Err(CardError::PinRejected { tries_left: None })
    ));
    assert_eq!(verifies(&card), 1);
}

#[test]
fn a_padded_pin_is_eight_bytes() {
    let mut padded = parameters();
    padded.profile.pin_form = proto::card::PinForm::Padded;
    let mut card = FakeCard {
        pin: b"0000\xFF\xFF\xFF\xFF".to_vec(),
        ..FakeCard::default()
    };
    assert!(open_with(&mut card, padded, b"0000").is_ok());
}

#[test]
fn a_list_that_stands_still_on_t0_is_read_with_a_length() {
    let mut card = FakeCard {
        list_stuck_without_le: true,
        ..FakeCard::default()
    };
    assert_eq!(
        names(&open(&mut card).expect("an open card")),
        ["alice", "bob"]
    );
}

#[test]
fn a_list_of_one_is_a_list_of_one() {
    let mut card = FakeCard::default();
    card.identities.truncate(1);
    assert_eq!(names(&open(&mut card).expect("an open card")), ["alice"]);
}

#[test]
fn a_list_without_end_is_cut_off() {
    let mut number = 0;
    let mut card = FakeCard {
        answers: Some(Box::new(move |command, usual| match command.ins {
            0x17 => {
                number += 1;
                let name = format!("identity {number}").into_bytes();
                ResponseApdu::new(name, StatusWord(0x9000))
            }
            0x16 => ResponseApdu::new(Vec::new(), StatusWord(0x9000)),
            _ => usual,
        })),
        ..FakeCard::default()
    };
    let opened = open(&mut card).expect("an open card");
    assert_eq!(opened.identities.len(), MAX_IDENTITIES);
}

#[test]
fn names_no_one_can_read_are_left_out() {
    let mut card = FakeCard::default();
    card.identities.insert(0, (b"a\nb".to_vec(), None));
    assert_eq!(
        names(&open(&mut card).expect("an open card")),
        ["alice", "bob"]
    );
}

#[test]
fn a_card_without_identities_is_of_no_use() {
    let mut card = FakeCard {
        identities: Vec::new(),
        ..FakeCard::default()
    };
    assert_eq!(open(&mut card), Err(CardError::NoIdentity));
}

#[test]
fn an_identity_that_cannot_be_set_is_left_out() {
    let mut card = FakeCard {
        answers: Some(Box::new(|command, usual| {
            match command.ins == 0x16 && command.data() == b"alice" {
                true => ResponseApdu::new(Vec::new(), StatusWord(0x6985)),
                false => usual,
            }
        })),
        ..FakeCard::default()
    };
    assert_eq!(names(&open(&mut card).expect("an open card")), ["bob"]);
}

#[test]
fn a_card_that_was_reset_is_not_taken_for_one_that_holds_less() {
    let sw = StatusWord(0x6986);
    for (ins, step) in [
        (0x16, CardStep::SetIdentity),
        (0x8A, CardStep::Parameters),
        (0x19, CardStep::State),
    ] {
        let mut card = FakeCard {
            answers: Some(Box::new(move |command, usual| match command.ins == ins {
                true => ResponseApdu::new(Vec::new(), sw),
                false => usual,
            })),
            ..FakeCard::default()
        };
        let refused = CardError::Fault(CardFault::Refused { step, sw });
        assert_eq!(open(&mut card), Err(refused), "{step}");
    }
}

#[test]
fn an_old_card_is_opened_without_what_it_lacks() {
    let mut card = FakeCard {
        has_parameters: false,
        has_state: false,
        has_reset: false,
        ..FakeCard::default()
    };
    let opened = open(&mut card).expect("an open card");
    assert!(!opened.capabilities.parameters && !opened.capabilities.state);
    assert!(!opened.capabilities.can_forget());

    card.has_store_session_id = true;
    let opened = open(&mut card).expect("an open card");
    assert!(opened.capabilities.store_session_id && opened.capabilities.can_forget());
}

#[test]
fn another_application_is_refused() {
    let sw = StatusWord(0x6A82);
    let mut card = FakeCard {
        answers: Some(Box::new(move |_, _| ResponseApdu::new(Vec::new(), sw))),
        ..FakeCard::default()
    };
    assert_eq!(
        open(&mut card),
        Err(CardError::Fault(CardFault::Refused {
            step: CardStep::Select,
            sw
        }))
    );
    assert_eq!(card.log.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_card_may_answer_anything(
        answers in vec((vec(any::<u8>(), 0..20), prop_oneof![
            4 => Just(0x9000),
            1 => Just(0x9F00),
            1 => Just(0x6C03),
            1 => Just(0x6102),
            1 => Just(0x6303),
            1 => any::<u16>(),
        ]), 1..40),
        honest in 0_usize..10,
    ) {
        let mut answers = answers.into_iter().cycle();
        let mut count = 0;
        let mut card = FakeCard {
            answers: Some(Box::new(move |_, usual| {
                count += 1;
                if count <= honest {
                    return usual;
                }
                let (data, sw) = answers.next().expect("it cycles");
                ResponseApdu::new(data, StatusWord(sw))
            })),
            ..FakeCard::default()
        };
        let _either = open(&mut card);
        prop_assert!(card.log.len() <= MAX_OPENING_COMMANDS as usize);
        prop_assert!(verifies(&card) <= 1);
    }
}
