//! Whatever bytes a card may send.

use proptest::prelude::*;
use proto::apdu::Aid;
use proto::piv::driver::{
    Inventory, PivFault, PivKey, SignRequest, look as looks, opening as opens, signing as signs,
    verification,
};
use proto::piv::{
    CertificateObject, KeyAlgorithm, PinReference, SignatureForm, SignatureHash, Slot,
};

use super::fake_card::Held;
use super::*;

/// A whole answer now and then, so that tasks get far.
fn answers() -> impl Strategy<Value = Vec<(u16, Vec<u8>)>> {
    let words = vec![
        0x9000, 0x9000, 0x9000, 0x6A82, 0x6982, 0x63C3, 0x63C1, 0x6983, 0x6110, 0x6100, 0x6C05,
        0x9F10, 0x6300,
    ];
    let sw = prop_oneof![4 => prop::sample::select(words), 1 => any::<u16>()];
    let object = CertificateObject {
        der: Held::curve(KeyAlgorithm::P256).certificate,
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

/// A card that answers with these, and is gone after them.
struct Answers<'a> {
    left: std::slice::Iter<'a, (u16, Vec<u8>)>,
    pins: usize,
}

impl<'a> Answers<'a> {
    fn new(answers: &'a [(u16, Vec<u8>)]) -> Self {
        let left = answers.iter();
        Self { left, pins: 0 }
    }

    fn transmit(&mut self, command: &CommandApdu) -> Result<ResponseApdu, PivFault> {
        let (sw, data) = self.left.next().ok_or(PivFault::OtherApplication)?;
        self.pins += usize::from(is_pin(command));
        Ok(response(*sw, data))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_card_makes_an_opening_panic_or_gets_two_pins(answers in answers()) {
        let mut card = Answers::new(&answers);
        let begun = opens::begin(Inventory::all(Aid::PIV));
        let opened = run(begun, &Keeper::default(), |_, command| card.transmit(command));
        prop_assert_eq!(card.pins, 0);
        let pin = opened.map_or(PinReference::Global, |opened| opened.pin);
        let _ = run(verification::begin(pin), &Keeper::default(), |_, command| {
            card.transmit(command)
        });
        prop_assert!(card.pins <= 1);
    }

    #[test]
    fn no_card_makes_a_signature_panic_or_gets_two_pins(
        answers in answers(),
        slot in prop::sample::select(Slot::STANDARD.to_vec()),
        verified: bool,
        extended: bool,
    ) {
        let key = PivKey::of_certificate(slot, &Held::rsa().certificate).expect("a key");
        let form = SignatureForm::Pss(SignatureHash::Sha512);
        let pin = PinReference::Application;
        let request = SignRequest::new(key, pin, form, MESSAGE.to_vec(), &[1; 64]).expect("RSA");
        let request = if verified { request.pin_verified() } else { request };
        let mut card = Answers::new(&answers);
        let begun = signs::begin(request, extended);
        let signed = run(begun, &Keeper::default(), |_, command| card.transmit(command));
        prop_assert!(signed.is_err(), "no signature is in these answers");
        prop_assert!(card.pins <= usize::from(slot.needs_pin()));
    }

    #[test]
    fn no_card_is_sent_a_pin_for_a_look(answers in answers()) {
        let mut card = Answers::new(&answers);
        let begun = looks::begin(PinReference::Application);
        let _ = run(begun, &Keeper::default(), |_, command| card.transmit(command));
        prop_assert_eq!(card.pins, 0);
    }
}
