//! Bits that flip, connections that are cut.

use domu_agent::client::Ending;
use integration::meddler::{Delivery, Meddler};

use super::page::{LIMITS, Outcome, blames_the_server, fetch, fetch_through, page_server};
use crate::world::World;

/// So many bytes of a server are the handshake and the first data behind it.
const BYTES: usize = 4_000;

#[test]
fn a_bit_that_is_flipped_never_goes_unnoticed_in_tls12() {
    flip_bits(false);
}

#[test]
fn a_bit_that_is_flipped_never_goes_unnoticed_in_tls13() {
    flip_bits(true);
}

fn flip_bits(is_tls13: bool) {
    let world = World::start(&LIMITS, &[]);
    let server = page_server(&world, is_tls13);
    for (offset, bit) in (0..BYTES).step_by(29).zip((0..8).cycle()) {
        let what = format!("bit {bit} of byte {offset}");
        let meddler = Meddler::start(server.port(), Delivery::FlippedBit { offset, bit });
        match fetch_through(&world, &meddler) {
            Outcome::Refused(no) => assert!(blames_the_server(&no), "{what}: {no}"),
            Outcome::Ended(Ending::BadRecord | Ending::CutShort, _) => {}
            // The version of a record means nothing any more (RFC 8446 §5.1).
            Outcome::Unharmed if is_tls13 && meddler.flipped_place() == Some(2) => {}
            other => panic!(
                "{what}, in its record {:?}: {other:?}",
                meddler.flipped_place()
            ),
        }
        world.exchange("rogue", &what);
    }
    world.exchange("neighbour", "flipped bits");
    world.finish();
}

#[test]
fn a_connection_that_is_cut_anywhere_is_told_from_one_that_ends() {
    let world = World::start(&LIMITS, &[]);
    for is_tls13 in [false, true] {
        let server = page_server(&world, is_tls13);
        for count in (0..BYTES).step_by(97) {
            let what = format!("cut after {count} bytes, TLS 1.3 {is_tls13}");
            match fetch(&world, &server, &Delivery::CutAfter(count)) {
                Outcome::Refused(no) => assert_eq!(no.code, "handshake-failed", "{what}: {no}"),
                Outcome::Ended(Ending::CutShort, _) => {}
                other => panic!("{what}: {other:?}"),
            }
            world.exchange("rogue", &what);
        }
    }
    world.finish();
}
