//! What may happen to a signature.

use std::time::Duration;

use ring::digest;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use soft_card::device::{Device, Then};
use soft_card::timing::Timing;
use soft_card::vpcd::Request;
use zeroize::Zeroizing;

use super::host::{P256_PUBLIC, card, from_hex};

const SELECT: &[u8] = b"\x00\xA4\x04\x00\x09\xA0\x00\x00\x03\x08\x00\x00\x10\x00\x00";
const VERIFY: &[u8] = b"\x00\x20\x00\x80\x08123456\xFF\xFF";

/// A card that is open, with this fault from its third command on.
fn device(fault: &str) -> Device {
    let faults = vec![fault.parse().expect("a known fault")];
    let mut device = Device::new(Box::new(card()), Timing::None, faults);
    assert!(response(&mut device, SELECT).ends_with(&[0x90, 0]));
    assert_eq!(response(&mut device, VERIFY), [0x90, 0]);
    device
}

fn response(device: &mut Device, command: &[u8]) -> Vec<u8> {
    let reaction = device.on_request(Request::Command(Zeroizing::new(command.to_vec())));
    match (reaction.delay, reaction.then) {
        (Duration::ZERO, Then::Respond(response)) => response.to_vec(),
        other => panic!("no response at once: {other:?}"),
    }
}

/// Asks for a signature with the key in 9C.
fn sign() -> Vec<u8> {
    let hash = digest::digest(&digest::SHA256, b"sample");
    let head = [
        0x00, 0x87, 0x11, 0x9C, 0x26, 0x7C, 0x24, 0x82, 0, 0x81, 0x20,
    ];
    [&head[..], hash.as_ref(), &[0]].concat()
}

/// Whether the response holds a signature that is right.
fn is_right(response: &[u8]) -> bool {
    // 7C and 82 with their lengths in front of it, the status word behind.
    let signature = &response[4..response.len() - 2];
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, from_hex(P256_PUBLIC));
    key.verify(b"sample", signature).is_ok()
}

#[test]
fn a_wrong_signature_is_given_once() {
    let mut device = device("wrong-signature@1");
    let wrong = response(&mut device, &sign());
    assert!(wrong.ends_with(&[0x90, 0]));
    assert!(!is_right(&wrong));
    assert_eq!(response(&mut device, VERIFY), [0x90, 0]);
    assert!(is_right(&response(&mut device, &sign())));
}

#[test]
fn a_forgotten_pin_is_asked_for_again() {
    let mut device = device("pin-forgotten@1");
    assert_eq!(response(&mut device, &sign()), [0x69, 0x82]);
    assert_eq!(response(&mut device, &[0, 0x20, 0, 0x80]), [0x63, 0xC3]);
    assert_eq!(response(&mut device, VERIFY), [0x90, 0]);
    assert!(response(&mut device, &sign()).ends_with(&[0x90, 0]));
}

#[test]
fn the_other_faults_happen_to_this_card_as_well() {
    for (fault, answer) in [
        ("wrong-sw@3", &[0x6F, 0x00][..]),
        ("empty-9000@3", &[0x90, 0x00]),
        ("loop-61@3", &[0x61, 0x10]),
        ("reset@3", &[0x69, 0x86]),
    ] {
        assert_eq!(response(&mut device(fault), &sign()), answer, "{fault}");
    }
}
