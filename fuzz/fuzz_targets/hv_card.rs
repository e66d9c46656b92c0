//! A card with the HV key is opened, and signs, that answers anything.
#![no_main]

use hv_card::opening::{self, Wanted};
use hv_card::{KeyFault, LinkError, PinRefused, signing};
use libfuzzer_sys::fuzz_target;
use proto::piv::Slot;
use tessera_fuzz::piv::{Answers, Keeper};

fuzz_target!(|input: &[u8]| {
    let Some((&choice, input)) = input.split_first() else {
        return;
    };
    let slot = Slot::all()
        .nth(usize::from(choice) % 24)
        .expect("24 of them");
    let mut card = Answers::new(input);
    let keeper = Keeper::<PinRefused>::default();
    let removed = || KeyFault::Link(LinkError::Removed);
    // Twice the slots: their keys have a certificate, or need none.
    let wanted = match usize::from(choice) / 24 % 2 {
        0 => Wanted::Certified,
        _ => Wanted::Any(None),
    };
    let opened = opening::open(slot, &wanted, &keeper, |command| {
        card.transmit(command).ok_or_else(removed)
    });
    assert_eq!(card.pins, 0, "no PIN for an opening");
    let Ok(opened) = opened else {
        return;
    };
    let Some(algorithm) = opened.key.algorithms().first() else {
        return;
    };
    let message = b"what is signed";
    let signed = signing::sign(&opened, *algorithm, message, &[7; 64], &keeper, |command| {
        card.transmit(command).ok_or_else(removed)
    });
    assert!(signed.is_err(), "nobody here has a key");
    assert!(card.pins <= usize::from(slot.needs_pin()));
});
