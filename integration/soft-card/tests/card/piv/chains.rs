//! Whatever a host sends, the card answers it; and what a host with T=0 sees.

use proptest::collection::vec;
use proptest::prelude::*;
use proto::apdu::{Atr, Protocol};
use soft_card::device::{Device, Then};
use soft_card::timing::Timing;
use soft_card::vpcd::Request;
use soft_card::{ATR_PIV, ATR_PIV_T0};
use zeroize::Zeroizing;

use super::host::{Host, card};

#[test]
fn its_answers_to_reset_are_well_formed() {
    let t1 = Atr::decode(&ATR_PIV).expect("an ATR");
    assert_eq!(Protocol::first_offered(&t1), Some(Protocol::T1));
    let check = ATR_PIV[1..].iter().fold(0, |sum, byte| sum ^ byte);
    assert_eq!(check, 0);
    let t0 = Atr::decode(&ATR_PIV_T0).expect("an ATR");
    assert_eq!(Protocol::first_offered(&t0), Some(Protocol::T0));
}

#[test]
fn a_chain_is_bounded_and_a_broken_one_forgotten() {
    let mut host = Host::new(card());
    let link = [&[0x10, 0x87, 0x07, 0x9A, 255][..], &[7; 255]].concat();
    let refused = (0..100).find(|_| host.transmit(&link).1 != 0x9000);
    assert_eq!(refused, Some(16), "16 links are 4,080 bytes, 4,160 fit");
    assert_eq!(host.transmit(&[0x00, 0x20, 0x00, 0x80]).1, 0x63C3);
}

/// With T=0 an answer to data is always fetched, and each piece says how much is left.
#[test]
fn a_signature_is_fetched_with_t0() {
    let mut device = Device::new(Box::new(card()), Timing::None, vec![]).speaking(Protocol::T0);
    let mut transmit = |command: &[u8]| {
        let command = Request::Command(Zeroizing::new(command.to_vec()));
        match device.on_request(command).then {
            Then::Respond(response) => response.to_vec(),
            other => panic!("no response: {other:?}"),
        }
    };
    let select = b"\x00\xA4\x04\x00\x09\xA0\x00\x00\x03\x08\x00\x00\x10\x00";
    assert_eq!(transmit(select), [0x61, 38]);
    assert_eq!(transmit(&[0, 0xC0, 0, 0, 38])[38..], [0x90, 0]);
    assert_eq!(transmit(&[0, 0x20, 0, 0x80, 0]), [0x63, 0xC3]);
    assert_eq!(transmit(b"\x00\x20\x00\x80\x08123456\xFF\xFF"), [0x90, 0]);
    let template = [
        &[0x7C, 0x82, 1, 6, 0x82, 0, 0x81, 0x82, 1, 0][..],
        &[0; 255],
        &[1],
    ]
    .concat();
    let (first, last) = template.split_at(255);
    let link = [&[0x10, 0x87, 0x07, 0x9A, 255], first].concat();
    assert_eq!(transmit(&link), [0x90, 0]);
    let link = [&[0x00, 0x87, 0x07, 0x9A, 11], last].concat();
    assert_eq!(transmit(&link), [0x61, 0]);
    let piece = transmit(&[0, 0xC0, 0, 0, 0]);
    assert_eq!((piece.len(), &piece[256..]), (258, &[0x61, 8][..]));
    assert_eq!(
        transmit(&[0, 0xC0, 0, 0, 8]),
        [0, 0, 0, 0, 0, 0, 0, 1, 0x90, 0]
    );
}

/// Commands that lead somewhere, more often than bytes that do not.
fn command() -> impl Strategy<Value = Vec<u8>> {
    let cla = prop::sample::select(vec![0x00, 0x00, 0x00, 0x10, 0x80]);
    let ins = prop::sample::select(vec![0x20, 0x24, 0x2C, 0x47, 0x87, 0xA4, 0xC0, 0xCB, 0xDB]);
    let p1 = prop::sample::select(vec![0x00, 0x03, 0x04, 0x07, 0x11, 0x14, 0x3F, 0xFF]);
    let p2 = prop::sample::select(vec![0x00, 0x80, 0x81, 0x82, 0x9A, 0x9B, 0x9C, 0x9E, 0xFF]);
    let data = prop_oneof![
        vec(any::<u8>(), 0..=255),
        Just(b"\x5C\x03\x5F\xC1\x02".to_vec()),
        Just(b"\x7C\x02\x80\x00".to_vec()),
        Just(b"\x7C\x02\x81\x00".to_vec()),
        Just(b"\xAC\x03\x80\x01\x11".to_vec()),
        vec(any::<u8>(), 1..60).prop_map(|hash| {
            let length = u8::try_from(hash.len()).expect("short");
            [&[0x7C, length + 4, 0x82, 0, 0x81, length], &hash[..]].concat()
        }),
    ];
    let le = prop::option::of(any::<u8>());
    let well_formed = (cla, ins, p1, p2, data, le).prop_map(|(cla, ins, p1, p2, data, le)| {
        let mut command = vec![cla, ins, p1, p2];
        if let Ok(length @ 1..) = u8::try_from(data.len()) {
            command.push(length);
            command.extend_from_slice(&data);
        }
        command.extend(le);
        command
    });
    prop_oneof![4 => well_formed, 1 => vec(any::<u8>(), 0..300)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_commands_get_an_answer_each(commands in vec(command(), 1..60)) {
        let mut host = Host::open(card());
        for command in commands {
            let response = host.card.transmit(&command).response;
            prop_assert!((2..=65_538).contains(&response.len()), "{:02X?}", response);
        }
    }
}
