//! Both machines against a card in software, and against whatever bytes a card may send.

use proptest::prelude::*;
use proto::apdu::{CommandApdu, ResponseApdu, StatusWord};
use proto::card::Pin;
use proto::hv::{CertificateError, HvCertificate, PublicKeyError};
use proto::piv::{CertificateObject, Discovery, PinReference, Slot, TlvWriter};
use proto::token::SignatureAlgorithm::{self, EdDsa, Es256, Ps256, Rs256};
use rcgen::{CertificateParams, KeyPair};

use crate::fault::{CardStep, KeyFault};
use crate::opening::{self, KeySource, Opened, Stated, Wanted};
use crate::signing;
use crate::soft::{RSA_2048, RSA_4096, SoftCard};

const MESSAGE: &[u8] = b"what is signed";

fn pin() -> Pin {
    Pin::new(b"123456").expect("a PIN")
}

fn open(card: &mut SoftCard) -> Result<Opened, KeyFault> {
    open_for(card, Wanted::Certified)
}

fn open_for(card: &mut SoftCard, wanted: Wanted) -> Result<Opened, KeyFault> {
    let mut step = opening::begin(card.slot, wanted);
    loop {
        step = match step {
            opening::Step::Transmit(opening, command) => {
                opening.on_response(card.transmit(&command))?
            }
            opening::Step::Opened(opened) => return Ok(opened),
        };
    }
}

fn sign(
    card: &mut SoftCard,
    opened: &Opened,
    algorithm: SignatureAlgorithm,
) -> Result<Vec<u8>, KeyFault> {
    let mut step = signing::begin(opened, algorithm, MESSAGE, &[0x5A; 64])?;
    loop {
        step = match step {
            signing::Step::Transmit(signing, command) => {
                signing.on_response(card.transmit(&command))?
            }
            signing::Step::NeedPin(signing) => signing.with_pin(&pin()),
            signing::Step::PinAccepted(signing) => signing.proceed(),
            signing::Step::Signed(signature) => return Ok(signature),
        };
    }
}

fn open_and_sign(card: &mut SoftCard, algorithm: SignatureAlgorithm) -> Result<Vec<u8>, KeyFault> {
    let opened = open(card)?;
    sign(card, &opened, algorithm)
}

#[test]
fn each_kind_of_key_signs_all_that_its_certificate_allows() {
    for slot in [Slot::Signature, Slot::Authentication] {
        for (mut card, algorithms) in [
            (SoftCard::rsa(slot, RSA_2048), &[Ps256, Rs256][..]),
            (SoftCard::rsa(slot, RSA_4096), &[Ps256, Rs256]),
            (SoftCard::p256(slot), &[Es256]),
        ] {
            let certificate = card.hv_certificate();
            for (signed, algorithm) in algorithms.iter().enumerate() {
                let signature = open_and_sign(&mut card, *algorithm).expect("signed");
                let verified = certificate.key().verify(*algorithm, MESSAGE, &signature);
                assert_eq!(verified, Ok(()), "{algorithm}");
                assert_eq!(card.pins(), signed + 1, "one PIN for each signature");
            }
            assert_eq!(algorithms, certificate.key().algorithms());
        }
    }
}

#[test]
fn what_the_key_does_not_sign_is_not_asked_for() {
    for (mut card, algorithm) in [
        (SoftCard::p256(Slot::Signature), Ps256),
        (SoftCard::p256(Slot::Signature), EdDsa),
        (SoftCard::rsa(Slot::Signature, RSA_2048), Es256),
    ] {
        let opened = open(&mut card).expect("open");
        let sent = card.log.len();
        let slot = Slot::Signature;
        let refused = Err(KeyFault::Algorithm { slot, algorithm });
        assert_eq!(sign(&mut card, &opened, algorithm), refused);
        assert_eq!(card.log.len(), sent);
    }
}

#[test]
fn the_slot_that_wants_no_pin_gets_none() {
    let mut card = SoftCard::p256(Slot::CardAuthentication);
    card.tries = 0;
    open_and_sign(&mut card, Es256).expect("signed");
    assert!(card.log.iter().all(|command| command.ins != 0x20));
}

#[test]
fn the_pin_that_the_card_prefers_is_the_one_that_is_sent() {
    let mut card = SoftCard::p256(Slot::Signature);
    card.discovery = Some(Discovery {
        methods: 0x60,
        preferred: 0x20,
    });
    assert_eq!(open(&mut card).expect("open").pin, PinReference::Global);
    open_and_sign(&mut card, Es256).expect("signed");
    card.discovery = None;
    assert_eq!(
        open(&mut card).expect("open").pin,
        PinReference::Application
    );
}

#[test]
fn a_wrong_pin_costs_one_try_and_the_last_one_is_never_spent() {
    let mut card = SoftCard::p256(Slot::Signature);
    card.pin = b"654321".to_vec();
    for left in [2, 1] {
        let tries_left = Some(left);
        let refused = open_and_sign(&mut card, Es256);
        assert_eq!(refused, Err(KeyFault::PinRejected { tries_left }));
    }
    for _ in 0..3 {
        let refused = open_and_sign(&mut card, Es256);
        assert_eq!(refused, Err(KeyFault::LastPinTry));
    }
    assert_eq!((card.tries, card.pins()), (1, 2));
    card.tries = 0;
    assert_eq!(open_and_sign(&mut card, Es256), Err(KeyFault::PinBlocked));
    // Nor is a PIN sent to a card that does not tell.
    (card.tries, card.mute_counter) = (3, Some(0x6982));
    let sw = StatusWord(0x6982);
    let refused = open_and_sign(&mut card, Es256);
    assert_eq!(refused, Err(KeyFault::PinUncounted { sw }));
    assert_eq!(card.pins(), 2);
}

#[test]
fn a_slot_without_a_certificate_of_use_is_named_before_any_pin() {
    let slot = Slot::Signature;
    let mut card = SoftCard::p256(slot);
    card.certificate = None;
    assert_eq!(
        open(&mut card).err(),
        Some(KeyFault::NoCertificate { slot })
    );
    card.certificate = Some(b"no certificate".to_vec());
    let unreadable = open(&mut card).err();
    assert!(
        matches!(unreadable, Some(KeyFault::CertificateObject { .. })),
        "{unreadable:?}"
    );
    // P-384 signs no tokens (design §3), and no card has Ed25519.
    let of = |algorithm| {
        let pair = KeyPair::generate_for(algorithm).expect("a key");
        let certificate = CertificateParams::default().self_signed(&pair);
        certificate.expect("sound").der().to_vec()
    };
    card.certificate = Some(of(&rcgen::PKCS_ECDSA_P384_SHA384));
    match open(&mut card) {
        Err(KeyFault::Certificate {
            source: CertificateError::Key(PublicKeyError::Kind(kind)),
            ..
        }) => {
            assert!(kind.contains("P-256"), "{kind}");
        }
        other => panic!("{other:?}"),
    }
    card.certificate = Some(of(&rcgen::PKCS_ED25519));
    let kind = "Ed25519".to_owned();
    assert_eq!(open(&mut card).err(), Some(KeyFault::UnfitKey { kind }));
    assert_eq!(card.pins(), 0);
}

fn stated(card: &SoftCard) -> Stated {
    Stated {
        key: card.hv_certificate().key().clone(),
        place: "hv.pub".to_owned(),
    }
}

/// What a YubiKey says of a key on P-256.
fn metadata(card: &SoftCard) -> Vec<u8> {
    let spki = card.hv_certificate().spki_der().to_vec();
    let point = TlvWriter::new().with(0x86, &spki[spki.len() - 65..]);
    let public = TlvWriter::new().with(0x01, &[0x11]);
    public.with(0x04, &point.into_bytes()).into_bytes()
}

#[test]
fn a_key_without_certificate_is_the_one_that_somebody_knows() {
    let mut card = SoftCard::p256(Slot::Signature);
    let (stated, metadata) = (stated(&card), metadata(&card));
    let by_certificate = open_for(&mut card, Wanted::Any(None)).expect("open");
    assert_eq!(by_certificate.source, KeySource::Certificate);
    card.certificate = None;
    let slot = Slot::Signature;
    let unknown = open_for(&mut card, Wanted::Any(None)).err();
    assert_eq!(unknown, Some(KeyFault::NoPublicKey { slot }));
    let by_operator = open_for(&mut card, Wanted::Any(Some(stated.clone()))).expect("open");
    assert_eq!(by_operator.source, KeySource::Stated("hv.pub".to_owned()));
    card.metadata = Some(metadata);
    for stated in [None, Some(stated.clone())] {
        let by_card = open_for(&mut card, Wanted::Any(stated)).expect("open");
        assert_eq!(by_card.source, KeySource::Metadata);
        assert_eq!(by_card.key, by_operator.key);
        sign(&mut card, &by_card, Es256).expect("signed");
    }
    // Where a certificate is wanted, nothing else will do.
    assert_eq!(
        open(&mut card).err(),
        Some(KeyFault::NoCertificate { slot })
    );
    // What is no answer is none.
    for garbage in [&b""[..], b"\x04\x05", b"whatever", &[0x04, 2, 0x86, 0]] {
        card.metadata = Some(garbage.to_vec());
        let opened = open_for(&mut card, Wanted::Any(Some(stated.clone()))).expect("open");
        assert_eq!(opened.source, KeySource::Stated("hv.pub".to_owned()));
    }
}

#[test]
fn a_card_that_contradicts_who_states_its_key_gets_no_pin() {
    let mut card = SoftCard::p256(Slot::Signature);
    let own = metadata(&card);
    let other = stated(&SoftCard::p256(Slot::Signature));
    let refused = |card: &mut SoftCard, by| {
        let refused = open_for(card, Wanted::Any(Some(other.clone()))).err();
        let (kind, place) = ("P-256".to_owned(), other.place.clone());
        let stated = KeySource::Stated(place);
        let expected = KeyFault::NotStated { by, kind, stated };
        assert_eq!(refused, Some(expected));
    };
    refused(&mut card, KeySource::Certificate);
    card.metadata = Some(own.clone());
    refused(&mut card, KeySource::Metadata);
    // The certificate of a former key does not count where the card knows better.
    let key = stated(&card).key;
    card.certificate = SoftCard::p256(Slot::Signature).certificate;
    let opened = open_for(&mut card, Wanted::Any(None)).expect("open");
    assert_eq!((opened.key, opened.source), (key, KeySource::Metadata));
    // Nor is a key taken that signs no tokens.
    let point = TlvWriter::new().with(0x86, &[&[4][..], &[7; 96]].concat());
    card.metadata = Some(
        TlvWriter::new()
            .with(0x04, &point.into_bytes())
            .into_bytes(),
    );
    let unfit = open_for(&mut card, Wanted::Any(None)).err();
    assert!(
        matches!(unfit, Some(KeyFault::PublicKey { .. })),
        "{unfit:?}"
    );
    assert_eq!(card.pins(), 0);
}

#[test]
fn a_key_that_is_not_the_one_stated_signs_nothing_that_is_given_out() {
    let mut card = SoftCard::p256(Slot::Signature);
    card.certificate = None;
    let other = stated(&SoftCard::p256(Slot::Signature));
    let opened = open_for(&mut card, Wanted::Any(Some(other))).expect("nobody says otherwise");
    let (slot, by) = (Slot::Signature, KeySource::Stated("hv.pub".to_owned()));
    let refused = sign(&mut card, &opened, Es256);
    assert_eq!(refused, Err(KeyFault::WrongSignature { slot, by }));
    assert_eq!((card.pins(), card.tries), (1, 3));
}

#[test]
fn padding_behind_a_certificate_does_not_matter() {
    let mut card = SoftCard::p256(Slot::Signature);
    let certificate = card.hv_certificate();
    if let Some(held) = &mut card.certificate {
        held.extend([0; 7]);
    }
    let opened = open(&mut card).expect("open");
    assert_eq!(opened.key, *certificate.key());
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
        for (mut card, algorithm) in [
            (SoftCard::p256(Slot::Signature), Es256),
            (SoftCard::rsa(Slot::Signature, RSA_2048), Ps256),
        ] {
            card.spoil = Some(spoil);
            let (slot, by) = (Slot::Signature, KeySource::Certificate);
            let refused = open_and_sign(&mut card, algorithm);
            assert_eq!(refused, Err(KeyFault::WrongSignature { slot, by }));
        }
    }
}

#[test]
fn a_card_of_another_kind_is_told_so() {
    let answer = |sw| {
        let opening::Step::Transmit(opening, _) =
            opening::begin(Slot::Signature, Wanted::Certified)
        else {
            panic!("SELECT");
        };
        opening.on_response(ResponseApdu::new(Vec::new(), StatusWord(sw)))
    };
    let sw = StatusWord(0x6A82);
    assert_eq!(answer(0x6A82).err(), Some(KeyFault::NotPiv { sw }));
    assert!(
        answer(0x9000).is_ok(),
        "some cards say nothing of themselves"
    );
}

#[test]
fn an_endless_card_is_stopped() {
    let mut step = Ok(opening::begin(Slot::Signature, Wanted::Certified));
    let mut sent = 0;
    while let Ok(opening::Step::Transmit(opening, _)) = step {
        sent += 1;
        step = opening.on_response(ResponseApdu::new(vec![0; 8], StatusWord(0x6108)));
    }
    let is_select = matches!(
        step,
        Err(KeyFault::Transfer {
            step: CardStep::Select,
            ..
        })
    );
    assert!(is_select && sent < 200);
}

/// A whole answer now and then, so that machines get far.
fn answers(certificate: &HvCertificate) -> impl Strategy<Value = Vec<(u16, Vec<u8>)>> + use<> {
    let words = vec![
        0x9000, 0x9000, 0x9000, 0x6A82, 0x6982, 0x63C3, 0x63C1, 0x6983, 0x6110, 0x6100, 0x6C05,
        0x6300,
    ];
    let sw = prop_oneof![4 => prop::sample::select(words), 1 => any::<u16>()];
    let object = CertificateObject {
        der: certificate.der().to_vec(),
        compressed: false,
    };
    let whole = Slot::Signature.certificate().wrap(&object.encode());
    let data = prop_oneof![
        2 => Just(Vec::new()),
        1 => Just(whole),
        2 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec((sw, data), 0..40)
}

fn response((sw, data): &(u16, Vec<u8>)) -> ResponseApdu {
    ResponseApdu::new(data.clone(), StatusWord(*sw))
}

fn pins(sent: &[CommandApdu]) -> usize {
    let is_pin = |command: &&CommandApdu| command.ins == 0x20 && !command.data().is_empty();
    sent.iter().filter(is_pin).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_card_makes_it_panic_or_gets_two_pins_for_a_signature(
        answers in answers(&SoftCard::rsa(Slot::Signature, RSA_2048).hv_certificate()),
        is_certified: bool,
    ) {
        let opened = open(&mut SoftCard::rsa(Slot::Signature, RSA_2048)).expect("open");
        let wanted = match is_certified {
            true => Wanted::Certified,
            false => Wanted::Any(None),
        };
        let mut step = Ok(opening::begin(Slot::Signature, wanted));
        for answer in &answers {
            step = match step {
                Ok(opening::Step::Transmit(opening, command)) => {
                    prop_assert_ne!(command.ins, 0x20);
                    opening.on_response(response(answer))
                }
                Ok(opening::Step::Opened(_)) | Err(_) => break,
            };
        }
        let mut sent = Vec::new();
        let mut step = signing::begin(&opened, Ps256, MESSAGE, &[1; 64]);
        for answer in &answers {
            step = match step {
                Ok(signing::Step::Transmit(signing, command)) => {
                    sent.push(command);
                    signing.on_response(response(answer))
                }
                Ok(signing::Step::NeedPin(signing)) => Ok(signing.with_pin(&pin())),
                Ok(signing::Step::PinAccepted(signing)) => Ok(signing.proceed()),
                Ok(signing::Step::Signed(_)) => panic!("no signature is in these answers"),
                Err(_) => break,
            };
        }
        prop_assert!(pins(&sent) <= 1);
    }
}
