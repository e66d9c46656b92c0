//! Scripts in the form of [`crate::scripts`].

use super::host::card;
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
fn keys_ask_for_the_pin_as_their_slots_say() {
    run(
        &mut card(),
        "piv-keys",
        include_str!("../scripts/piv-keys.apdu"),
    );
}
