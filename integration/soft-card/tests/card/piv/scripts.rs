//! Scripts in the form of [`crate::scripts`].

use super::host::{Host, PIN, card, card_with, pins};
use crate::scripts::run;

#[test]
fn the_application_and_its_objects_are_those_of_the_standard() {
    let script = include_str!("../scripts/piv-objects.apdu");
    run(&mut card(), "piv-objects", script);
}

#[test]
fn pin_and_puk_behave_as_in_the_standard() {
    run(
        &mut card(),
        "piv-pin",
        include_str!("../scripts/piv-pin.apdu"),
    );
}

#[test]
fn a_card_whose_pin_has_other_characters_takes_any_and_others_take_digits_alone() {
    let mut host = Host::new(card_with(pins(b"pass-w0")));
    assert_eq!(host.verify(b"PASS-W0\xFF"), Err(0x63C2));
    assert_eq!(host.verify(b"12345\n\xFF\xFF"), Err(0x6A80));
    assert_eq!(host.verify(b"pass-\xFF\xFF\xFF"), Err(0x6A80));
    assert_eq!(host.verify(b"pass-w0\xFF"), Ok(vec![]));

    let mut host = Host::new(card());
    assert_eq!(host.verify(b"pass-w0\xFF"), Err(0x6A80));
    assert_eq!(host.verify(b""), Err(0x63C3), "that cost no try");
    assert_eq!(host.verify(PIN), Ok(vec![]));
}

#[test]
fn keys_ask_for_the_pin_as_their_slots_say() {
    run(
        &mut card(),
        "piv-keys",
        include_str!("../scripts/piv-keys.apdu"),
    );
}
