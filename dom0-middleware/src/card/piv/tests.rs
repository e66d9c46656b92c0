//! The driver against a card made of switches, and against whatever bytes a card may send.

use std::sync::Arc;

use proptest::prelude::*;
use proto::apdu::{CommandApdu, ResponseApdu, StatusWord};
use proto::card::Pin;
use proto::piv::{Discovery, KeyAlgorithm, PinReference, RetiredSlot, Slot};
use rustls::SignatureScheme;

use super::testing::{FakePivCard, Held};
use super::*;
use crate::card::error::{CardError, SessionError};
use crate::card::fault::{CardFault, CardStep};
use crate::card::profile::PivProfile;
use crate::card::session_fault::PolicyFault;

const MESSAGE: &[u8] = b"what is signed";

fn parameters() -> PivParameters {
    PivParameters::new(PivProfile::builtin())
}

fn pin() -> Pin {
    Pin::new(b"123456").expect("a PIN")
}

fn open(card: &mut FakePivCard) -> Result<opening::Opened, CardError> {
    open_as(card, parameters())
}

fn open_as(
    card: &mut FakePivCard,
    parameters: PivParameters,
) -> Result<opening::Opened, CardError> {
    let mut step = opening::begin(parameters)?;
    loop {
        step = match step {
            opening::Step::Transmit(opening, command) => {
                opening.on_response(card.transmit(&command))?
            }
            opening::Step::NeedPin(opening) => opening.with_pin(&pin())?,
            opening::Step::PinAccepted(opening) => opening.proceed()?,
            opening::Step::Opened(opened) => return Ok(opened),
        };
    }
}

fn sign(
    card: &mut FakePivCard,
    opened: &opening::Opened,
    slot: Slot,
    scheme: SignatureScheme,
) -> Result<Vec<u8>, signing::SignError> {
    sign_as(card, opened, slot, scheme, parameters())
}

fn sign_as(
    card: &mut FakePivCard,
    opened: &opening::Opened,
    slot: Slot,
    scheme: SignatureScheme,
    parameters: PivParameters,
) -> Result<Vec<u8>, signing::SignError> {
    card.messages = vec![MESSAGE.to_vec()];
    let request = SignRequest {
        key: opened.key(&slot.to_string()).expect("a key").clone(),
        pin: opened.pin,
        scheme,
        message: MESSAGE.to_vec(),
        salt: [0x5A; 64],
    };
    let mut step = signing::begin(request, parameters)?;
    loop {
        step = match step {
            signing::Step::Transmit(signing, command) => {
                signing.on_response(card.transmit(&command))?
            }
            signing::Step::NeedPin(signing) => signing.with_pin(&pin())?,
            signing::Step::PinAccepted(signing) => signing.proceed()?,
            signing::Step::Signed(signature) => return Ok(signature),
        };
    }
}

fn retired(number: u8) -> Slot {
    Slot::Retired(RetiredSlot::new(number).expect("1 to 20"))
}

#[test]
fn an_opening_finds_the_keys_and_verifies_the_pin_once() {
    let compressed = Held {
        compressed: true,
        ..Held::curve(KeyAlgorithm::P384)
    };
    let mut card = FakePivCard::with([
        (Slot::Authentication, Held::rsa()),
        (Slot::Signature, Held::curve(KeyAlgorithm::P256)),
        (retired(20), compressed),
    ]);
    let opened = open(&mut card).expect("opened");
    let found: Vec<_> = opened
        .keys
        .iter()
        .map(|key| (key.slot(), key.algorithm()))
        .collect();
    let expected = [
        (Slot::Authentication, KeyAlgorithm::Rsa2048),
        (Slot::Signature, KeyAlgorithm::P256),
        (retired(20), KeyAlgorithm::P384),
    ];
    assert_eq!(found, expected);
    for identity in opened.identities() {
        let slot: Slot = identity.name.as_str().parse().expect("a slot");
        assert_eq!(
            identity.certificate.as_ref(),
            Some(&card.slots[&slot].certificate)
        );
        assert!(!identity.schemes.is_empty());
    }
    assert!(opened.chuid.is_some());
    assert_eq!(card.count(0x20), 1);
}

#[test]
fn a_card_whose_keys_want_no_pin_is_asked_for_none() {
    let mut card = FakePivCard::with([(Slot::CardAuthentication, Held::curve(KeyAlgorithm::P256))]);
    (card.tries, card.chuid, card.discovery) = (0, None, None);
    let opened = open(&mut card).expect("opened");
    assert_eq!(opened.chuid, None);
    assert!(card.log.iter().all(|command| command.ins != 0x20));
    let scheme = SignatureScheme::ECDSA_NISTP256_SHA256;
    sign(&mut card, &opened, Slot::CardAuthentication, scheme).expect("signed");
}

#[test]
fn the_global_pin_is_taken_where_the_card_prefers_it() {
    let mut card = FakePivCard::new();
    card.discovery = Some(Discovery {
        methods: 0x60,
        preferred: 0x20,
    });
    assert_eq!(open(&mut card).expect("opened").pin, PinReference::Global);
    let verify = card.log.iter().find(|command| command.ins == 0x20);
    assert_eq!(verify.map(|command| command.p2), Some(0x00));
}

#[test]
fn the_last_try_is_never_spent() {
    for (tries, why) in [(1, CardError::LastPinTry), (0, CardError::PinBlocked)] {
        let mut card = FakePivCard::new();
        card.tries = tries;
        assert_eq!(open(&mut card), Err(why));
        assert_eq!(card.count(0x20), 0);
    }
    // Nor is a PIN sent to a card that does not tell.
    let mut card = FakePivCard::new();
    card.mute_counter = Some(0x6A81);
    let refused = open(&mut card);
    assert!(matches!(
        refused,
        Err(CardError::Fault(CardFault::Refused { .. }))
    ));
    assert_eq!(card.count(0x20), 0);
}

#[test]
fn a_wrong_pin_costs_one_try() {
    let mut card = FakePivCard::new();
    card.pin = b"654321".to_vec();
    let tries_left = Some(2);
    assert_eq!(open(&mut card), Err(CardError::PinRejected { tries_left }));
    assert_eq!((card.tries, card.count(0x20)), (2, 1));
}

#[test]
fn a_card_without_a_key_of_use_is_not_one() {
    assert_eq!(
        open(&mut FakePivCard::with([] as [(Slot, Held); 0])),
        Err(CardError::NoIdentity)
    );
    // A certificate nobody can read does not keep the others from being used.
    let mut card = FakePivCard::new();
    let broken = Held {
        certificate: vec![0x30, 0x03, 1, 2, 3],
        ..Held::curve(KeyAlgorithm::P256)
    };
    card.slots.insert(Slot::KeyManagement, broken.into());
    let opened = open(&mut card).expect("opened");
    assert_eq!(opened.keys.len(), 2);
}

#[test]
fn every_kind_of_signature_that_a_key_can_make_is_made() {
    let mut card = FakePivCard::with([
        (Slot::KeyManagement, Held::curve(KeyAlgorithm::P256)),
        (retired(3), Held::curve(KeyAlgorithm::P384)),
    ]);
    let places = [Slot::Authentication, retired(1), retired(2)];
    let keys = Held::all_rsa().map(Arc::new);
    card.slots.extend(places.into_iter().zip(keys));
    let opened = open(&mut card).expect("opened");
    assert_eq!(opened.keys.len(), KeyAlgorithm::ALL.len());
    for key in opened.keys.clone() {
        for scheme in key.schemes() {
            let signature = sign(&mut card, &opened, key.slot(), *scheme).expect("signed");
            assert!(key.verifies(*scheme, MESSAGE, &signature));
            assert!(!key.verifies(*scheme, b"something else", &signature));
        }
    }
    assert_eq!(card.count(0x20), 1, "one PIN for all");
}

#[test]
fn a_long_command_goes_chained_or_extended() {
    let mut card = FakePivCard::new();
    let opened = open(&mut card).expect("opened");
    let scheme = SignatureScheme::RSA_PSS_SHA256;
    let mut sent = |profile: PivProfile| {
        card.log.clear();
        let parameters = PivParameters::new(profile);
        sign_as(&mut card, &opened, Slot::Authentication, scheme, parameters).expect("signed");
        let log = card.log.iter();
        log.map(|command| format!("{command:?}"))
            .collect::<Vec<_>>()
    };
    let fetch = "00 C0 00 00 Le 8";
    let chained = [
        "10 87 07 9A (255 bytes)",
        "00 87 07 9A (11 bytes) Le 256",
        fetch,
    ];
    assert_eq!(sent(PivProfile::builtin()), chained);
    let extended = PivProfile {
        extended_length: true,
        ..PivProfile::builtin()
    };
    let whole = ["00 87 07 9A (266 bytes) Le 256", fetch];
    assert_eq!(sent(extended), whole);
}

#[test]
fn slot_9c_gets_its_pin_before_each_signature() {
    let mut card = FakePivCard::with([(Slot::Signature, Held::rsa())]);
    let opened = open(&mut card).expect("opened");
    let scheme = SignatureScheme::RSA_PKCS1_SHA256;
    for pins in 2..4 {
        sign(&mut card, &opened, Slot::Signature, scheme).expect("signed");
        assert_eq!(card.count(0x20), pins);
    }
    // Someone else has used up the tries meanwhile.
    (card.verified, card.tries) = (false, 1);
    let refused = sign(&mut card, &opened, Slot::Signature, scheme);
    assert_eq!(refused, Err(signing::SignError::Pin(CardError::LastPinTry)));
    assert_eq!(card.count(0x20), 3);
}

#[test]
fn a_card_that_forgot_its_pin_gets_it_once_more() {
    let mut card = FakePivCard::new();
    let opened = open(&mut card).expect("opened");
    let scheme = SignatureScheme::RSA_PSS_SHA256;
    card.forgets = 1;
    sign(&mut card, &opened, Slot::Authentication, scheme).expect("signed");
    assert_eq!(card.count(0x20), 2);
    card.forgets = 2;
    let refused = sign(&mut card, &opened, Slot::Authentication, scheme);
    assert_eq!(refused, Err(SessionError::PinRequired.into()));
    assert_eq!(card.count(0x20), 3, "once, not for ever");
    // The key without PIN gets none.
    card.forgets = 1;
    let scheme = SignatureScheme::ECDSA_NISTP256_SHA256;
    let refused = sign(&mut card, &opened, Slot::CardAuthentication, scheme);
    assert_eq!(refused, Err(SessionError::PinRequired.into()));
    assert_eq!(card.count(0x20), 3);
}

#[test]
fn a_wrong_signature_is_never_given_out() {
    let spoils: [fn(&mut Vec<u8>); 4] = [
        |signature| signature[0] ^= 1,
        Vec::clear,
        |signature| signature.truncate(200),
        |signature| signature.push(0),
    ];
    for spoil in spoils {
        let mut card = FakePivCard::new();
        let opened = open(&mut card).expect("opened");
        card.spoil = Some(spoil);
        let scheme = SignatureScheme::RSA_PSS_SHA256;
        let slot = Slot::Authentication;
        let refused = sign(&mut card, &opened, slot, scheme);
        assert_eq!(refused, Err(CardFault::WrongSignature { slot }.into()));
    }
}

#[test]
fn a_signature_the_key_cannot_make_is_not_asked_for() {
    let mut card = FakePivCard::new();
    let opened = open(&mut card).expect("opened");
    let sent = card.log.len();
    let scheme = SignatureScheme::ECDSA_NISTP256_SHA256;
    let slot = Slot::Authentication;
    let refused = sign(&mut card, &opened, slot, scheme);
    let fault = PolicyFault::SchemeNotOfKey { slot, scheme };
    assert_eq!(refused, Err(SessionError::Policy(fault).into()));
    assert_eq!(card.log.len(), sent);
}

#[test]
fn keys_of_other_kinds_are_named_and_not_used() {
    use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
    let pair = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
    let parameters = CertificateParams::new(Vec::new()).expect("no names");
    let certificate = parameters.self_signed(&pair).expect("a certificate");
    let slot = Slot::Authentication;
    assert_eq!(PivKey::new(slot, certificate.der()), Err(KeyError::Kind));
    assert_eq!(PivKey::new(slot, &[1, 2, 3]), Err(KeyError::Unreadable));
    let good = Held::rsa().certificate;
    let padded = [&good[..], &[0; 9]].concat();
    let key = PivKey::new(slot, &padded).expect("a certificate with padding");
    assert_eq!(key.certificate(), good);
}

/// A whole answer now and then, so that machines get far.
fn answers() -> impl Strategy<Value = Vec<(u16, Vec<u8>)>> {
    let words = vec![
        0x9000, 0x9000, 0x9000, 0x6A82, 0x6982, 0x63C3, 0x63C1, 0x6983, 0x6110, 0x6100, 0x6C05,
        0x9F10, 0x6300,
    ];
    let sw = prop_oneof![4 => prop::sample::select(words), 1 => any::<u16>()];
    let certificate = Held::curve(KeyAlgorithm::P256).certificate;
    let object = proto::piv::CertificateObject {
        der: certificate,
        compressed: false,
    };
    let whole = Slot::Authentication.certificate().wrap(&object.encode());
    let data = prop_oneof![
        2 => Just(Vec::new()),
        1 => Just(whole),
        2 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec((sw, data), 0..60)
}

fn response((sw, data): &(u16, Vec<u8>)) -> ResponseApdu {
    ResponseApdu::new(data.clone(), StatusWord(*sw))
}

/// How many of these commands carry a PIN.
fn pins(sent: &[CommandApdu]) -> usize {
    let is_pin = |command: &&CommandApdu| command.ins == 0x20 && !command.data().is_empty();
    sent.iter().filter(is_pin).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_card_makes_an_opening_panic_or_gets_two_pins(answers in answers()) {
        let mut sent = Vec::new();
        let mut step = opening::begin(parameters());
        for answer in &answers {
            step = match step {
                Ok(opening::Step::Transmit(opening, command)) => {
                    sent.push(command);
                    opening.on_response(response(answer))
                }
                Ok(opening::Step::NeedPin(opening)) => opening.with_pin(&pin()),
                Ok(opening::Step::PinAccepted(opening)) => opening.proceed(),
                Ok(opening::Step::Opened(_)) | Err(_) => break,
            };
        }
        prop_assert!(pins(&sent) <= 1);
    }

    #[test]
    fn no_card_makes_a_signature_panic_or_gets_two_pins(
        answers in answers(), slot in prop::sample::select(Slot::STANDARD.to_vec()),
    ) {
        let key = PivKey::new(slot, &Held::rsa().certificate).expect("a key");
        let request = SignRequest {
            key,
            pin: PinReference::Application,
            scheme: SignatureScheme::RSA_PSS_SHA512,
            message: MESSAGE.to_vec(),
            salt: [1; 64],
        };
        let mut sent = Vec::new();
        let mut step = signing::begin(request, parameters());
        for answer in &answers {
            step = match step {
                Ok(signing::Step::Transmit(signing, command)) => {
                    sent.push(command);
                    signing.on_response(response(answer))
                }
                Ok(signing::Step::NeedPin(signing)) => signing.with_pin(&pin()),
                Ok(signing::Step::PinAccepted(signing)) => signing.proceed(),
                Ok(signing::Step::Signed(_)) => panic!("no signature is in these answers"),
                Err(_) => break,
            };
        }
        prop_assert!(pins(&sent) <= usize::from(slot.needs_pin()));
    }
}

#[test]
fn an_endless_card_is_stopped() {
    let mut step = opening::begin(parameters());
    let mut sent = 0;
    while let Ok(opening::Step::Transmit(opening, _)) = step {
        sent += 1;
        step = opening.on_response(ResponseApdu::new(vec![0; 8], StatusWord(0x6108)));
    }
    let stopped = matches!(
        step,
        Err(CardError::Fault(CardFault::Exchange {
            step: CardStep::Select,
            ..
        }))
    );
    assert!(stopped && sent < 200);
}
