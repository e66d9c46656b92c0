//! The soft PIV card takes whatever a host sends it.
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
    let card = Box::new(Pki::get().piv_card());
    let mut device = Device::new(card, Timing::None, Vec::new()).speaking(protocol);
    let select = b"\x00\xA4\x04\x00\x09\xA0\x00\x00\x03\x08\x00\x00\x10\x00";
    assert!(matches!(
        respond(&mut device, select)[..],
        [.., 0x90 | 0x61, _]
    ));
    for piece in pieces(input) {
        match piece.kind {
            15 => drop(device.on_request(Request::Reset)),
            _ => {
                let response = respond(&mut device, piece.bytes);
                let longest = match protocol {
                    Protocol::T0 => 256 + 2,
                    Protocol::T1 => 65_536 + 2,
                };
                assert!((2..=longest).contains(&response.len()), "{response:02X?}");
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
