//! The key of an HV in a card made of switches. How a card is driven is tested with the driver.

use std::sync::Arc;

use proto::card::Pin;
use proto::hv::{CertificateError, HvCertificate, PublicKeyError};
use proto::piv::driver::{PinKeeper, PivFault};
use proto::piv::{KeyAlgorithm, Slot, TlvWriter};
use proto::token::SignatureAlgorithm::{self, EdDsa, Es256, Ps256, Rs256};
use rcgen::{CertificateParams, KeyPair};

use crate::fake_card::{FakePivCard, Held, RSA_KEYS};
use crate::fault::KeyFault;
use crate::key::PinRefused;
use crate::opening::{self, KeySource, Opened, Stated, Wanted};
use crate::signing;

const MESSAGE: &[u8] = b"what is signed";

struct Keeper;

impl PinKeeper for Keeper {
    type Error = PinRefused;

    fn pin_to_send(&self) -> Result<Pin, PinRefused> {
        Ok(Pin::new(b"123456").expect("a PIN"))
    }

    fn accepted(&self) -> Result<(), PinRefused> {
        Ok(())
    }
}

fn open(card: &mut FakePivCard, slot: Slot) -> Result<Opened, KeyFault> {
    open_for(card, slot, &Wanted::Certified)
}

fn open_for(card: &mut FakePivCard, slot: Slot, wanted: &Wanted) -> Result<Opened, KeyFault> {
    card.reset();
    opening::open(slot, wanted, &Keeper, |command| Ok(card.transmit(command)))
}

fn sign(
    card: &mut FakePivCard,
    opened: &Opened,
    algorithm: SignatureAlgorithm,
) -> Result<Vec<u8>, KeyFault> {
    card.messages = vec![MESSAGE.to_vec()];
    signing::sign(
        opened,
        algorithm,
        MESSAGE,
        &[0x5A; 64],
        &Keeper,
        |command| Ok(card.transmit(command)),
    )
}

fn p256(slot: Slot) -> FakePivCard {
    FakePivCard::with([(slot, Held::curve(KeyAlgorithm::P256))])
}

fn open_and_sign(
    card: &mut FakePivCard,
    slot: Slot,
    algorithm: SignatureAlgorithm,
) -> Result<Vec<u8>, KeyFault> {
    let opened = open(card, slot)?;
    sign(card, &opened, algorithm)
}

#[test]
fn each_kind_of_key_signs_all_that_its_certificate_allows() {
    let [short, middle, long] = RSA_KEYS.map(Held::rsa_of);
    for (slot, held, algorithms) in [
        (Slot::Signature, short, &[Ps256, Rs256][..]),
        (Slot::KeyManagement, middle, &[Ps256, Rs256]),
        (Slot::Authentication, long, &[Ps256, Rs256]),
        (Slot::Signature, Held::curve(KeyAlgorithm::P256), &[Es256]),
        (
            Slot::KeyManagement,
            Held::curve(KeyAlgorithm::P256),
            &[Es256],
        ),
    ] {
        let certificate = HvCertificate::from_der(&held.certificate).expect("an HV's");
        let mut card = FakePivCard::with([(slot, held)]);
        for (signed, algorithm) in algorithms.iter().enumerate() {
            let signature = open_and_sign(&mut card, slot, *algorithm).expect("signed");
            let verified = certificate.key().verify(*algorithm, MESSAGE, &signature);
            assert_eq!(verified, Ok(()), "{algorithm}");
            assert_eq!(card.count(0x20), signed + 1, "one PIN for each signature");
        }
        assert_eq!(algorithms, certificate.key().algorithms());
    }
}

#[test]
fn an_object_that_cannot_be_read_is_named_before_any_pin() {
    let slot = Slot::Signature;
    let mut card = p256(slot);
    let too_long = vec![0x53; proto::piv::Transfer::MAX_ANSWER + 1];
    for odd in [vec![0x54, 0], too_long] {
        card.odd.insert(slot.certificate(), odd);
        let fault = open(&mut card, slot).expect_err("no certificate");
        assert!(
            matches!(fault, KeyFault::CertificateObject { .. }),
            "{fault}"
        );
    }
    assert_eq!(card.count(0x20), 0);
}

#[test]
fn what_the_key_does_not_sign_is_not_asked_for() {
    let slot = Slot::Signature;
    for (mut card, algorithm) in [
        (p256(slot), Ps256),
        (p256(slot), EdDsa),
        (FakePivCard::with([(slot, Held::rsa())]), Es256),
    ] {
        let opened = open(&mut card, slot).expect("open");
        let sent = card.log.len();
        let refused = Err(KeyFault::Algorithm { slot, algorithm });
        assert_eq!(sign(&mut card, &opened, algorithm), refused);
        assert_eq!(card.log.len(), sent);
    }
}

#[test]
fn a_wrong_pin_costs_one_try_and_the_last_one_is_never_spent() {
    let slot = Slot::Signature;
    let mut card = p256(slot);
    card.pin = b"654321".to_vec();
    for left in [2, 1] {
        let tries_left = Some(left);
        let refused = open_and_sign(&mut card, slot, Es256);
        assert_eq!(refused, Err(PivFault::PinRejected { tries_left }.into()));
    }
    for _ in 0..3 {
        let refused = open_and_sign(&mut card, slot, Es256);
        assert_eq!(refused, Err(PivFault::LastPinTry.into()));
    }
    assert_eq!((card.tries, card.count(0x20)), (1, 2));
}

#[test]
fn a_slot_without_a_certificate_of_use_is_named_before_any_pin() {
    let slot = Slot::Signature;
    let mut card = p256(slot);
    let mut opened = |certificate: Option<Vec<u8>>| {
        card.slots.clear();
        if let Some(certificate) = certificate {
            let key = Held::curve(KeyAlgorithm::P256);
            card.slots.insert(slot, Held { certificate, ..key }.into());
        }
        let fault = open(&mut card, slot).expect_err("no key of an HV");
        assert_eq!(card.count(0x20), 0);
        fault
    };
    assert_eq!(opened(None), KeyFault::NoCertificate { slot });
    let unreadable = opened(Some(b"no certificate".to_vec()));
    let source = CertificateError::Unreadable;
    assert_eq!(unreadable, KeyFault::Certificate { slot, source });
    // P-384 signs no tokens (design §3), and no card has Ed25519.
    let of = |algorithm| {
        let pair = KeyPair::generate_for(algorithm).expect("a key");
        let certificate = CertificateParams::default().self_signed(&pair);
        Some(certificate.expect("sound").der().to_vec())
    };
    match opened(of(&rcgen::PKCS_ECDSA_P384_SHA384)) {
        KeyFault::Certificate {
            source: CertificateError::Key(PublicKeyError::Kind(kind)),
            ..
        } => assert!(kind.contains("P-256"), "{kind}"),
        other => panic!("{other:?}"),
    }
    let kind = "Ed25519".to_owned();
    let ed25519 = opened(of(&rcgen::PKCS_ED25519));
    assert_eq!(ed25519, KeyFault::UnfitKey { kind });
}

/// The key on P-256 in 9c, as the operator knows it.
fn stated(card: &FakePivCard) -> Stated {
    let certificate = HvCertificate::from_der(&card.slots[&Slot::Signature].certificate);
    Stated {
        key: certificate.expect("a certificate").key().clone(),
        place: "hv.pub".to_owned(),
    }
}

/// What a YubiKey says of a key with this point.
fn metadata(point: &[u8]) -> Vec<u8> {
    let point = TlvWriter::new().with(0x86, point);
    let public = TlvWriter::new().with(0x01, &[0x11]);
    public.with(0x04, &point.into_bytes()).into_bytes()
}

fn metadata_of(card: &FakePivCard) -> Vec<u8> {
    let spki = stated(card).key.spki_der().to_vec();
    metadata(&spki[spki.len() - 65..])
}

fn without_certificate(card: &mut FakePivCard, slot: Slot) {
    let held = card.slots.get_mut(&slot).and_then(Arc::get_mut);
    held.expect("nobody else has it").certificate.clear();
}

#[test]
fn a_key_without_certificate_is_the_one_that_somebody_knows() {
    let slot = Slot::Signature;
    let mut card = p256(slot);
    let (stated, metadata) = (stated(&card), metadata_of(&card));
    let by_certificate = open_for(&mut card, slot, &Wanted::Any(None)).expect("open");
    assert_eq!(by_certificate.source, KeySource::Certificate);
    without_certificate(&mut card, slot);
    let unknown = open_for(&mut card, slot, &Wanted::Any(None)).err();
    assert_eq!(unknown, Some(KeyFault::NoPublicKey { slot }));
    let by_operator = open_for(&mut card, slot, &Wanted::Any(Some(stated.clone()))).expect("open");
    assert_eq!(by_operator.source, KeySource::Stated("hv.pub".to_owned()));
    card.metadata = Some(metadata);
    for stated in [None, Some(stated.clone())] {
        let by_card = open_for(&mut card, slot, &Wanted::Any(stated)).expect("open");
        assert_eq!(by_card.source, KeySource::Metadata);
        assert_eq!(by_card.key, by_operator.key);
        sign(&mut card, &by_card, Es256).expect("signed");
    }
    // Where a certificate is wanted, nothing else will do.
    let uncertified = open(&mut card, slot).err();
    assert_eq!(uncertified, Some(KeyFault::NoCertificate { slot }));
    // What is no answer is none.
    for garbage in [&b""[..], b"\x04\x05", b"whatever", &[0x04, 2, 0x86, 0]] {
        card.metadata = Some(garbage.to_vec());
        let opened = open_for(&mut card, slot, &Wanted::Any(Some(stated.clone()))).expect("open");
        assert_eq!(opened.source, KeySource::Stated("hv.pub".to_owned()));
    }
}

#[test]
fn a_card_that_contradicts_who_states_its_key_gets_no_pin() {
    let slot = Slot::Signature;
    let mut card = p256(slot);
    let (key, own) = (stated(&card).key, metadata_of(&card));
    let other = stated(&p256(slot));
    let refused = |card: &mut FakePivCard, by| {
        let refused = open_for(card, slot, &Wanted::Any(Some(other.clone()))).err();
        let (kind, place) = ("P-256".to_owned(), other.place.clone());
        let stated = KeySource::Stated(place);
        let expected = KeyFault::NotStated { by, kind, stated };
        assert_eq!(refused, Some(expected));
    };
    refused(&mut card, KeySource::Certificate);
    card.metadata = Some(own);
    refused(&mut card, KeySource::Metadata);
    // The certificate of a former key does not count where the card knows better.
    card.slots = p256(slot).slots;
    let opened = open_for(&mut card, slot, &Wanted::Any(None)).expect("open");
    assert_eq!((opened.key, opened.source), (key, KeySource::Metadata));
    // Nor is a key taken that signs no tokens.
    card.metadata = Some(metadata(&[&[4][..], &[7; 96]].concat()));
    let unfit = open_for(&mut card, slot, &Wanted::Any(None)).err();
    let is_unfit = matches!(unfit, Some(KeyFault::PublicKey { .. }));
    assert!(is_unfit, "{unfit:?}");
    assert_eq!(card.count(0x20), 0);
}

#[test]
fn a_key_that_is_not_the_one_stated_signs_nothing_that_is_given_out() {
    let slot = Slot::Signature;
    let mut card = p256(slot);
    without_certificate(&mut card, slot);
    let other = stated(&p256(slot));
    let wanted = Wanted::Any(Some(other));
    let opened = open_for(&mut card, slot, &wanted).expect("nobody says otherwise");
    let by = KeySource::Stated("hv.pub".to_owned());
    let refused = sign(&mut card, &opened, Es256);
    assert_eq!(refused, Err(KeyFault::WrongSignature { slot, by }));
    assert_eq!((card.count(0x20), card.tries), (1, 3));
}

#[test]
fn a_wrong_signature_is_never_given_out() {
    for (slot, algorithm) in [
        (Slot::Authentication, Ps256),
        (Slot::CardAuthentication, Es256),
    ] {
        let mut card = FakePivCard::new();
        card.spoil = Some(|signature| signature[40] ^= 1);
        let refused = open_and_sign(&mut card, slot, algorithm);
        let by = KeySource::Certificate;
        assert_eq!(refused, Err(KeyFault::WrongSignature { slot, by }));
    }
}
