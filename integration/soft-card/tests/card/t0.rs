//! The procedures of T=0.

use proto::apdu::{Atr, Protocol};
use soft_card::device::{Device, Then};
use soft_card::timing::Timing;
use soft_card::vpcd::Request;
use soft_card::{ATR_T0, CardSettings};
use zeroize::Zeroizing;

use crate::pki::Ca;

fn device() -> Device {
    let card = Ca::new().card(CardSettings::default());
    Device::new(Box::new(card), Timing::None, Vec::new()).speaking(Protocol::T0)
}

fn response(device: &mut Device, bytes: &[u8]) -> Vec<u8> {
    let command = Zeroizing::new(bytes.to_vec());
    match device.on_request(Request::Command(command)).then {
        Then::Respond(response) => response.to_vec(),
        other => panic!("no response: {other:?}"),
    }
}

const SELECT: &[u8] =
    b"\x00\xA4\x04\x00\x10\xA0\x00\x00\x00\x30\x00\x02\xFF\xFF\xFF\xFF\x89\x31\x32\x38\x00";
const VERIFY: &[u8] = b"\xA0\x20\x00\x00\x040000";

#[test]
fn its_answer_to_reset_offers_t0_alone() {
    let atr = Atr::decode(&ATR_T0).expect("an ATR");
    assert_eq!(Protocol::first_offered(&atr), Some(Protocol::T0));
    match device().on_request(Request::Atr).then {
        Then::Respond(response) => assert_eq!(*response, ATR_T0),
        other => panic!("no ATR: {other:?}"),
    }
}

#[test]
fn a_wrong_length_is_corrected_and_the_command_not_done_twice() {
    let mut device = device();
    assert_eq!(response(&mut device, SELECT), [0x90, 0]);
    assert_eq!(response(&mut device, VERIFY), [0x90, 0]);
    // With any other length than 00 the pointer moves on: each name comes once.
    let next = |le: u8| [0xA0, 0x17, 0x00, 0x01, le];
    assert_eq!(response(&mut device, &next(0xFF)), [0x6C, 5]);
    assert_eq!(response(&mut device, &next(5)), *b"alice\x90\x00");
    assert_eq!(response(&mut device, &next(0xFF)), [0x6C, 3]);
    assert_eq!(response(&mut device, &next(3)), *b"bob\x90\x00");
    // The length was right at once.
    assert_eq!(response(&mut device, &next(5)), *b"alice\x90\x00");
}

#[test]
fn an_answer_to_data_is_fetched() {
    let mut device = device();
    response(&mut device, SELECT);
    response(&mut device, VERIFY);
    assert_eq!(
        response(&mut device, b"\xA0\x16\x00\x80\x05alice"),
        [0x90, 0]
    );
    let identity_request = b"\xA0\x80\x00\x00\x05\x01\xA5\x00\x05\x01";
    let [0x61, length] = response(&mut device, identity_request)[..] else {
        panic!("the answer is fetched");
    };
    let get = |le: u8| [0xA0, 0xC0, 0x00, 0x00, le];
    assert_eq!(response(&mut device, &get(0)), [0x6C, length]);
    let got = response(&mut device, &get(length));
    assert_eq!(got[..2], [0x02, 0xA5]);
    assert_eq!(got[got.len() - 2..], [0x90, 0]);
    // It is gone then, and with any other command in between.
    assert_ne!(response(&mut device, &get(length)), got);
    response(&mut device, identity_request);
    response(&mut device, b"\xA0\x18\x00\x00\x00");
    assert_ne!(response(&mut device, &get(length)), got);
}

#[test]
fn a_command_of_another_length_is_refused() {
    let mut device = device();
    let with_le = [SELECT, &[0]].concat();
    for bad in [&SELECT[..4], &SELECT[..20], b"", &with_le] {
        assert_eq!(response(&mut device, bad), [0x67, 0x00]);
    }
}
