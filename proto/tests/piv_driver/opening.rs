//! What is found on a card.

use proto::apdu::Aid;
use proto::piv::driver::{
    CertifiedKey, Inventory, KeyError, PivFault, PivKey, PivStep, Step, Unusable, opening as opens,
};
use proto::piv::{Discovery, KeyAlgorithm, ObjectTag, PinReference, Slot, TlvWriter, Transfer};
use rcgen::{CertificateParams, KeyPair};

use super::fake_card::{FakePivCard, Held};
use super::*;

#[test]
fn an_opening_finds_the_keys_and_sends_no_pin() {
    let compressed = Held {
        compressed: true,
        ..Held::curve(KeyAlgorithm::P384)
    };
    let mut card = FakePivCard::with([
        (Slot::Authentication, Held::rsa()),
        (Slot::Signature, Held::curve(KeyAlgorithm::P256)),
        (retired(20), compressed),
    ]);
    let opened = look_into(&mut card, Inventory::all(Aid::PIV)).expect("opened");
    let kind = |held: &CertifiedKey| (held.key.slot(), held.key.algorithm());
    let expected = [
        (Slot::Authentication, KeyAlgorithm::Rsa2048),
        (Slot::Signature, KeyAlgorithm::P256),
        (retired(20), KeyAlgorithm::P384),
    ];
    assert_eq!(opened.keys.iter().map(kind).collect::<Vec<_>>(), expected);
    for CertifiedKey { key, certificate } in &opened.keys {
        assert_eq!(*certificate, card.slots[&key.slot()].certificate);
    }
    assert!(opened.chuid.is_some() && !opened.application.is_empty());
    assert!(card.log.iter().all(|command| command.ins != 0x20));
}

#[test]
fn what_is_not_in_the_inventory_is_not_read() {
    let mut card = FakePivCard::new();
    let opened = look_into(&mut card, Inventory::one(Slot::CardAuthentication)).expect("opened");
    assert_eq!((opened.keys.len(), opened.chuid), (1, None));
    let asked = card.log.iter().filter(|command| command.ins == 0xCB);
    assert_eq!(asked.count(), 2, "discovery object and certificate");
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
    (card.discovery, card.chuid) = (None, None);
    let opened = open(&mut card).expect("opened");
    assert_eq!(
        (opened.pin, opened.chuid),
        (PinReference::Application, None)
    );
}

#[test]
fn what_cannot_be_used_is_set_aside_and_named() {
    let mut card = FakePivCard::with([] as [(Slot, Held); 0]);
    let opened = look_into(&mut card, Inventory::all(Aid::PIV)).expect("opened");
    assert!(opened.keys.is_empty() && opened.unusable.is_empty());
    let mut card = FakePivCard::new();
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let ed25519 = CertificateParams::default().self_signed(&ed25519);
    let ed25519 = ed25519.expect("a certificate").der().to_vec();
    let unreadable = vec![0x30, 0x03, 1, 2, 3];
    let held = [
        (Slot::KeyManagement, &unreadable, KeyError::Unreadable),
        (retired(1), &ed25519, KeyError::Kind),
    ];
    for (slot, certificate, _) in &held {
        let broken = Held {
            certificate: [&certificate[..], &[0; 9]].concat(),
            ..Held::curve(KeyAlgorithm::P256)
        };
        card.slots.insert(*slot, broken.into());
    }
    let opened = look_into(&mut card, Inventory::all(Aid::PIV)).expect("opened");
    assert_eq!(opened.keys.len(), 2);
    let named = held.map(|(slot, certificate, why)| {
        let certificate = certificate.clone();
        (slot, Unusable::Key { certificate, why })
    });
    assert_eq!(opened.unusable, named, "without what the card pads with");
    let slot = Slot::Signature;
    for of in [PivKey::of_certificate, PivKey::of_spki] {
        assert_eq!(of(slot, &[1, 2, 3]), Err(KeyError::Unreadable));
    }
}

#[test]
fn an_odd_object_costs_its_slot_and_no_other() {
    let too_long = vec![0x53; Transfer::MAX_ANSWER + 1];
    let odd = [
        (Slot::Signature, vec![0x54, 0], "data object"),
        (Slot::KeyManagement, vec![0x53, 0x82, 9], "TLV"),
        (retired(3), too_long, "answer of more than 17000 bytes"),
    ];
    let mut card = FakePivCard::new();
    for (slot, answer, _) in &odd {
        card.odd.insert(slot.certificate(), answer.clone());
    }
    let opened = open(&mut card).expect("opened, and its PIN verified");
    let slots: Vec<Slot> = opened.keys.iter().map(|held| held.key.slot()).collect();
    assert_eq!(slots, [Slot::Authentication, Slot::CardAuthentication]);
    assert_eq!(opened.unusable.len(), odd.len());
    for ((slot, why), (expected, _, said)) in opened.unusable.iter().zip(&odd) {
        assert_eq!(slot, expected);
        assert!(why.to_string().contains(said), "{why}");
    }
    // Where that is the only slot that is asked for, it is told no less.
    let opened = look_into(&mut card, Inventory::one(retired(3))).expect("opened");
    assert!(opened.keys.is_empty() && opened.unusable.len() == 1);
}

#[test]
fn an_odd_discovery_object_is_none_unless_the_pin_would_be_a_guess() {
    let mut card = FakePivCard::new();
    let answers = |card: &mut FakePivCard, answer: &[u8]| {
        card.odd.insert(ObjectTag::DISCOVERY, answer.to_vec());
        open(card)
    };
    let opened = answers(&mut card, &[0x53, 1, 0]).expect("opened");
    assert_eq!(opened.pin, PinReference::Application);
    let guess = answers(&mut card, &[0x7E, 4, 0x5F, 0x2F, 1, 0x60]);
    let is_refused = |result: &Result<Opened, PivFault>| match result {
        Err(PivFault::Malformed { step, .. } | PivFault::Transfer { step, .. }) => {
            *step == PivStep::Discovery
        }
        _ => false,
    };
    assert!(is_refused(&guess), "{guess:?}");
    let endless = answers(&mut card, &vec![0; Transfer::MAX_ANSWER + 1]);
    assert!(is_refused(&endless), "{endless:?}");
    // The number of the card, by which it is known again.
    let mut card = FakePivCard::new();
    let endless = vec![0; Transfer::MAX_ANSWER + 1];
    card.odd.insert(ObjectTag::CHUID, endless);
    let step = PivStep::Chuid;
    assert!(matches!(open(&mut card), Err(PivFault::Transfer { step: at, .. }) if at == step));
}

#[test]
fn a_card_that_says_what_key_it_has_is_asked_for_nothing_more() {
    let slot = Slot::CardAuthentication;
    let mut card = FakePivCard::new();
    let inventory = Inventory {
        metadata: Some(slot),
        ..Inventory::all(Aid::PIV)
    };
    for garbage in [None, Some(&[][..]), Some(&[4, 5]), Some(&[4, 2, 0x86, 0])] {
        card.metadata = garbage.map(<[u8]>::to_vec);
        let opened = look_into(&mut card, inventory.clone()).expect("opened");
        assert_eq!((opened.metadata, opened.keys.len()), (None, 2));
    }
    let point = TlvWriter::new().with(0x86, &[&[4][..], &[7; 64]].concat());
    let public = TlvWriter::new().with(0x04, &point.into_bytes());
    card.metadata = Some(public.into_bytes());
    let opened = look_into(&mut card, inventory).expect("opened");
    assert!(opened.metadata.is_some() && opened.keys.is_empty());
    let key = PivKey::of_spki(slot, &opened.metadata.unwrap_or_default());
    let algorithm = key.map(|key| (key.slot(), key.algorithm()));
    assert_eq!(algorithm, Ok((slot, KeyAlgorithm::P256)));
}

#[test]
fn padding_behind_a_certificate_does_not_matter() {
    let mut held = Held::rsa();
    let certificate = held.certificate.clone();
    held.certificate.extend([0; 7]);
    let mut card = FakePivCard::with([(Slot::Signature, held)]);
    let opened = look_into(&mut card, Inventory::one(Slot::Signature)).expect("opened");
    assert_eq!(opened.keys[0].certificate, certificate);
}

#[test]
fn a_card_of_another_kind_is_told_so() {
    let answer = |sw, data: &[u8]| match opens::begin(Inventory::one(Slot::Signature)) {
        Ok(Step::Transmit(opening, _)) => opening.on_response(response(sw, data)).err(),
        _ => panic!("SELECT"),
    };
    let sw = StatusWord(0x6A82);
    assert_eq!(answer(0x6A82, &[]), Some(PivFault::NotPiv { sw }));
    let other = [0x61, 4, 0x4F, 2, 1, 2];
    assert_eq!(answer(0x9000, &other), Some(PivFault::OtherApplication));
    assert_eq!(answer(0x9000, &[]), None, "some say nothing of themselves");
}

#[test]
fn an_endless_card_is_stopped() {
    let mut sent = 0;
    let begun = opens::begin(Inventory::all(Aid::PIV));
    let stopped = run(begun, &Keeper::default(), |_, _| {
        sent += 1;
        Ok(response(0x6108, &[0; 8]))
    });
    let is_select = matches!(
        stopped,
        Err(PivFault::Transfer {
            step: PivStep::Select,
            ..
        })
    );
    assert!(is_select && sent < 200);
}
