//! EAP and EAP-TLS packets of a card, and flights put together from them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::eap::{EapPacket, EapTls, Reassembled, Reassembly, fragments, segments};
use tessera_fuzz::pieces::pieces;

const MAX_FLIGHT: usize = 4_000;

fuzz_target!(|input: &[u8]| {
    let mut reassembly = Reassembly::new(MAX_FLIGHT);
    let mut gathered = 0;
    for piece in pieces(input) {
        let Ok(packet) = EapPacket::decode(piece.bytes) else {
            continue;
        };
        let again = packet.encode().expect("it was encoded before");
        assert_eq!(EapPacket::decode(&again).expect("just encoded"), packet);
        let Ok(fragment) = EapTls::decode(&packet) else {
            continue;
        };
        gathered += fragment.data.len();
        match reassembly.push(&fragment) {
            Ok(Reassembled::NeedMore) => continue,
            Ok(Reassembled::Flight(flight)) => {
                assert!((1..=MAX_FLIGHT.min(gathered)).contains(&flight.len()));
                cut_again(&flight, piece.kind);
            }
            Ok(Reassembled::Empty) | Err(_) => {}
        }
        gathered = 0;
    }
});

/// What the host cuts a flight into, a card can put together again.
fn cut_again(flight: &[u8], seed: u8) {
    let max_packet = usize::from(seed) * 100;
    let mut reassembly = Reassembly::new(MAX_FLIGHT);
    let mut whole = None;
    for packet in fragments(flight, seed, max_packet) {
        assert_eq!(whole, None, "something behind the last fragment");
        let joined: Vec<u8> = segments(&packet, 7)
            .flat_map(|(_, part)| part.to_vec())
            .collect();
        assert_eq!(joined, packet);
        let packet = EapPacket::decode(&packet).expect("our own packet");
        let fragment = EapTls::decode(&packet).expect("our own fragment");
        match reassembly.push(&fragment).expect("in order") {
            Reassembled::NeedMore => {}
            Reassembled::Flight(flight) => whole = Some(flight),
            Reassembled::Empty => panic!("data became none"),
        }
    }
    assert_eq!(whole.as_deref(), Some(flight));
}
