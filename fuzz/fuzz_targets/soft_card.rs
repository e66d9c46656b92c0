//! The soft EAP-TLS card takes whatever a host sends it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::apdu::Protocol;
use soft_card::device::{Device, Then};
use soft_card::timing::Timing;
use soft_card::vpcd::Request;
use tessera_fuzz::partners::Pki;
use tessera_fuzz::pieces::pieces;
use zeroize::Zeroizing;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, input)) = input.split_first() else {
        return;
    };
    let protocol = match choice & 1 {
        0 => Protocol::T1,
        _ => Protocol::T0,
    };
    let card = Pki::get().card(choice & 2 != 0);
    let mut device = Device::new(Box::new(card), Timing::None, Vec::new()).speaking(protocol);
    if choice & 4 == 0 {
        for command in OPEN {
            let [.., 0x90, 0x00] = respond(&mut device, command)[..] else {
                panic!("{command:02X?} is refused");
            };
        }
    }
    for piece in pieces(input) {
        match piece.kind {
            15 => drop(device.on_request(Request::Reset)),
            _ => {
                let response = respond(&mut device, piece.bytes);
                assert!((2..=258).contains(&response.len()), "{response:02X?}");
            }
        }
    }
});

fn respond(device: &mut Device, command: &[u8]) -> Zeroizing<Vec<u8>> {
    let request = Request::Command(Zeroizing::new(command.to_vec()));
    match device.on_request(request).then {
        Then::Respond(response) => response,
        other => panic!("{other:?}"),
    }
}

/// SELECT, VERIFY, Set-Identity.
const OPEN: [&[u8]; 3] = [
    b"\x00\xA4\x04\x00\x10\xA0\x00\x00\x00\x30\x00\x02\xFF\xFF\xFF\xFF\x89128\x00",
    b"\xA0\x20\x00\x00\x040000",
    b"\xA0\x16\x00\x80\x05alice",
];
