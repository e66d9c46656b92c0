//! One signature, with its PIN.

use std::sync::Arc;

use proto::piv::SignatureForm::{self, Ecdsa, Pkcs1, Pss};
use proto::piv::SignatureHash::{Sha256, Sha384, Sha512};
use proto::piv::driver::{CertifiedKey, PivFault};
use proto::piv::{KeyAlgorithm, Slot};

use super::fake_card::{FakePivCard, Held, RSA_KEYS};
use super::*;

const FORMS: [SignatureForm; 9] = [
    Pss(Sha256),
    Pss(Sha384),
    Pss(Sha512),
    Pkcs1(Sha256),
    Pkcs1(Sha384),
    Pkcs1(Sha512),
    Ecdsa(Sha256),
    Ecdsa(Sha384),
    Ecdsa(Sha512),
];

#[test]
fn every_kind_of_signature_that_a_key_can_make_is_made() {
    let mut card = FakePivCard::with([
        (Slot::KeyManagement, Held::curve(KeyAlgorithm::P256)),
        (retired(3), Held::curve(KeyAlgorithm::P384)),
    ]);
    let places = [Slot::Authentication, retired(1), retired(2)];
    let keys = RSA_KEYS.map(Held::rsa_of).map(Arc::new);
    card.slots.extend(places.into_iter().zip(keys));
    let opened = open(&mut card).expect("opened");
    assert_eq!(opened.keys.len(), KeyAlgorithm::ALL.len());
    for CertifiedKey { key, .. } in &opened.keys {
        let (slot, sent) = (key.slot(), card.log.len());
        let can = |form: &SignatureForm| request(&opened, slot, *form).is_some();
        let forms: Vec<_> = FORMS.into_iter().filter(can).collect();
        let expected = if key.algorithm().modulus_len().is_some() {
            6
        } else {
            1
        };
        assert_eq!((forms.len(), card.log.len()), (expected, sent));
        for form in forms {
            let signature = sign(&mut card, &opened, slot, form).expect("signed");
            assert!(key.verifies(form, MESSAGE, &signature));
            assert!(!key.verifies(form, b"something else", &signature));
        }
    }
    assert_eq!(card.count(0x20), 1, "one PIN for all");
}

#[test]
fn a_long_command_goes_chained_or_extended() {
    let mut card = FakePivCard::new();
    let opened = open(&mut card).expect("opened");
    let mut sent = |extended| {
        card.log.clear();
        let request = request(&opened, Slot::Authentication, Pss(Sha256)).expect("RSA");
        sign_as(&mut card, request.pin_verified(), extended).expect("signed");
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
    assert_eq!(sent(false), chained);
    assert_eq!(sent(true), ["00 87 07 9A (266 bytes) Le 256", fetch]);
}

#[test]
fn slot_9c_gets_its_pin_before_each_signature() {
    let mut card = FakePivCard::with([(Slot::Signature, Held::rsa())]);
    let opened = open(&mut card).expect("opened");
    for pins in 2..4 {
        sign(&mut card, &opened, Slot::Signature, Pkcs1(Sha256)).expect("signed");
        assert_eq!(card.count(0x20), pins);
    }
    // Someone else has used up the tries meanwhile.
    (card.verified, card.tries) = (false, 1);
    let refused = sign(&mut card, &opened, Slot::Signature, Pkcs1(Sha256));
    assert_eq!(refused, Err(PivFault::LastPinTry));
    assert_eq!(card.count(0x20), 3);
}

#[test]
fn slot_9e_gets_none() {
    let mut card = FakePivCard::new();
    card.tries = 0;
    let slot = Slot::CardAuthentication;
    let opened = look_into(&mut card, Inventory::one(slot)).expect("opened");
    let request = request(&opened, slot, Ecdsa(Sha256)).expect("P-256");
    sign_as(&mut card, request, false).expect("signed");
    assert!(card.log.iter().all(|command| command.ins != 0x20));
}

#[test]
fn a_pin_that_may_be_verified_is_looked_at_first() {
    for slot in [Slot::Authentication, Slot::Signature] {
        let mut card = FakePivCard::with([(slot, Held::rsa())]);
        let opened = look_into(&mut card, Inventory::one(slot)).expect("opened");
        let mut signed = || {
            let request = request(&opened, slot, Pss(Sha256)).expect("RSA");
            sign_as(&mut card, request, false).expect("signed");
            card.count(0x20)
        };
        assert_eq!(signed(), 1);
        assert_eq!(signed(), if slot.pin_always() { 2 } else { 1 });
        // A card that says it has the PIN verified and then wants it is not asked twice.
        (card.verified, card.forgets) = (true, 1);
        let sent = card.count(0x20);
        let request = request(&opened, slot, Pss(Sha256)).expect("RSA");
        let refused = sign_as(&mut card, request, false);
        assert_eq!(refused, Err(PivFault::PinRequired { slot }));
        assert_eq!(card.count(0x20), sent + usize::from(slot.pin_always()));
    }
}

#[test]
fn a_card_that_forgot_its_pin_gets_it_once_more() {
    let mut card = FakePivCard::new();
    let opened = open(&mut card).expect("opened");
    let slot = Slot::Authentication;
    card.forgets = 1;
    sign(&mut card, &opened, slot, Pss(Sha256)).expect("signed");
    assert_eq!(card.count(0x20), 2);
    card.forgets = 2;
    let refused = sign(&mut card, &opened, slot, Pss(Sha256));
    assert_eq!(refused, Err(PivFault::PinRequired { slot }));
    assert_eq!(card.count(0x20), 3, "once, not for ever");
    // The key without PIN gets none.
    card.forgets = 1;
    let slot = Slot::CardAuthentication;
    let refused = sign(&mut card, &opened, slot, Ecdsa(Sha256));
    assert_eq!(refused, Err(PivFault::PinRequired { slot }));
    assert_eq!(card.count(0x20), 3);
}

#[test]
fn a_wrong_signature_is_never_given_out() {
    let spoils: [fn(&mut Vec<u8>); 4] = [
        |signature| signature[40] ^= 1,
        Vec::clear,
        |signature| signature.truncate(60),
        |signature| signature.push(0),
    ];
    for spoil in spoils {
        let mut card = FakePivCard::new();
        let opened = open(&mut card).expect("opened");
        card.spoil = Some(spoil);
        for (slot, form) in [
            (Slot::Authentication, Pss(Sha256)),
            (Slot::CardAuthentication, Ecdsa(Sha256)),
        ] {
            let refused = sign(&mut card, &opened, slot, form);
            assert_eq!(refused, Err(PivFault::WrongSignature { slot }));
        }
    }
}
