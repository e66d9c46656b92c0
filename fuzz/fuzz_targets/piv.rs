//! A PIV card is opened, and signs, that answers anything.
#![no_main]

use dom0_middleware::card::piv::{form_of, schemes};
use libfuzzer_sys::fuzz_target;
use proto::apdu::Aid;
use proto::piv::driver::{
    CertifiedKey, Inventory, PivFault, SignRequest, opening, run, signing, verification,
};
use tessera_fuzz::piv::{Answers, Keeper};

fuzz_target!(|input: &[u8]| {
    let Some((&choice, input)) = input.split_first() else {
        return;
    };
    let extended = choice & 1 != 0;
    let mut card = Answers::new(input);
    let keeper = Keeper::<PivFault>::default();
    let transmit = |card: &mut Answers<'_>, command: &_| {
        let gone = PivFault::OtherApplication;
        card.transmit(command).ok_or(gone)
    };
    let begun = opening::begin(Inventory::all(Aid::PIV));
    let opened = run(begun, &keeper, |_, command| transmit(&mut card, command));
    assert_eq!(card.pins, 0, "no PIN for an opening");
    let Ok(opened) = opened else {
        return;
    };
    assert!(opened.keys.len() + opened.unusable.len() <= 24);
    let Some(CertifiedKey { key, .. }) = opened.keys.first() else {
        return;
    };
    let slot = key.slot();
    if slot.needs_pin() {
        let begun = verification::begin(opened.pin);
        let verified = run(begun, &keeper, |_, command| transmit(&mut card, command));
        assert!(card.pins <= 1, "the PIN is sent once");
        if verified.is_err() {
            return;
        }
    }
    card.pins = 0;
    let scheme = *schemes(key.algorithm()).first().expect("it signs");
    let form = form_of(scheme).expect("as cards do");
    let message = b"what is signed".to_vec();
    let request = SignRequest::new(key.clone(), opened.pin, form, message, &[7; 64]);
    let request = request.expect("a form of the key").pin_verified();
    let begun = signing::begin(request, extended);
    let signed = run(begun, &keeper, |_, command| transmit(&mut card, command));
    let right = signed.and_then(|signature| Ok(signature.checked()?));
    assert!(right.is_err(), "nobody here has a key");
    assert!(card.pins <= usize::from(slot.needs_pin()));
});
