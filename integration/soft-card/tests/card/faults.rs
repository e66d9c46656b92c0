//! Faults on demand, at the command they were asked for.

use std::time::Duration;

use soft_card::CardSettings;
use soft_card::device::{Device, Then};
use soft_card::timing::Timing;
use soft_card::vpcd::Request;
use zeroize::Zeroizing;

use crate::pki::Ca;

const SELECT: &[u8] =
    b"\x00\xA4\x04\x00\x10\xA0\x00\x00\x00\x30\x00\x02\xFF\xFF\xFF\xFF\x89128\x00";
const VERIFY: &[u8] = b"\xA0\x20\x00\x00\x040000";
const NEXT_IDENTITY: &[u8] = b"\xA0\x17\x00\x01\x00";

fn device(faults: &[&str]) -> Device {
    let faults = faults
        .iter()
        .map(|fault| fault.parse().expect("a known fault"))
        .collect();
    Device::new(
        Box::new(Ca::new().card(CardSettings::default())),
        Timing::None,
        faults,
    )
}

fn command(device: &mut Device, bytes: &[u8]) -> (Duration, Then) {
    let reaction = device.on_request(Request::Command(Zeroizing::new(bytes.to_vec())));
    (reaction.delay, reaction.then)
}

/// The response, which must come at once.
fn response(device: &mut Device, bytes: &[u8]) -> Vec<u8> {
    match command(device, bytes) {
        (Duration::ZERO, Then::Respond(response)) => response.to_vec(),
        other => panic!("no response at once: {other:?}"),
    }
}

#[test]
fn power_and_atr_count_as_no_command() {
    let mut device = device(&["wrong-sw@2"]);
    for request in [Request::PowerOn, Request::Reset] {
        assert!(matches!(device.on_request(request).then, Then::Nothing));
    }
    match device.on_request(Request::Atr).then {
        Then::Respond(atr) => assert_eq!(*atr, soft_card::ATR),
        other => panic!("no ATR: {other:?}"),
    }
    assert_eq!(response(&mut device, SELECT), [0x90, 0]);
    assert_eq!(response(&mut device, VERIFY), [0x6F, 0]);
    assert_eq!(
        response(&mut device, NEXT_IDENTITY),
        *b"alice\x90\x00",
        "the PIN was taken"
    );
}

#[test]
fn the_atr_is_well_formed() {
    let [ts, t0, td1, historical @ .., tck] = soft_card::ATR;
    assert_eq!(
        (ts, t0 & 0xF0, td1),
        (0x3B, 0x80, 0x01),
        "direct, TD1 follows, T=1"
    );
    assert_eq!(usize::from(t0 & 0x0F), historical.len());
    let check = soft_card::ATR[1..].iter().fold(0, |sum, byte| sum ^ byte);
    assert_eq!(check, 0, "check byte {tck:02X}");
}

#[test]
fn each_fault_comes_once_and_at_its_command() {
    let mut device = device(&[
        "mute@2",
        "slow@3",
        "garbage@4",
        "truncated@5",
        "truncated@6",
    ]);
    assert_eq!(response(&mut device, SELECT), [0x90, 0]);
    assert!(matches!(
        command(&mut device, VERIFY),
        (Duration::ZERO, Then::Nothing)
    ));
    match command(&mut device, NEXT_IDENTITY) {
        (late, Then::Respond(response)) => {
            assert!(late >= Duration::from_secs(10));
            assert_eq!(*response, *b"alice\x90\x00");
        }
        other => panic!("no late response: {other:?}"),
    }
    assert_eq!(
        response(&mut device, NEXT_IDENTITY),
        [!b'b', !b'o', !b'b', 0x90, 0]
    );
    assert_eq!(response(&mut device, NEXT_IDENTITY), *b"al\x90\x00");
    assert_eq!(response(&mut device, VERIFY), [0x90]);
    assert_eq!(response(&mut device, NEXT_IDENTITY), *b"bob\x90\x00");
}

#[test]
fn what_goes_on_ends_with_the_power() {
    for (fault, answer) in [
        ("endless-9f@2", [&[0xA5; 16][..], &[0x9F, 0x10]].concat()),
        ("loop-61@2", vec![0x61, 0x10]),
    ] {
        let mut device = device(&[fault]);
        assert_eq!(response(&mut device, SELECT), [0x90, 0]);
        for _ in 0..100 {
            assert_eq!(response(&mut device, NEXT_IDENTITY), answer, "{fault}");
        }
        device.on_request(Request::Reset);
        assert_eq!(response(&mut device, SELECT), [0x90, 0], "{fault}");
    }
}

#[test]
fn a_fault_waits_for_a_command_that_it_can_befall() {
    let mut device = device(&["empty-9000@1", "nak@1"]);
    for command in [SELECT, VERIFY] {
        assert_eq!(
            response(&mut device, command),
            [0x90, 0],
            "no data to leave out"
        );
    }
    assert_eq!(response(&mut device, NEXT_IDENTITY), [0x90, 0]);
    assert_eq!(
        response(&mut device, NEXT_IDENTITY),
        *b"bob\x90\x00",
        "no EAP packet"
    );
}

#[test]
fn a_reset_card_has_lost_selection_and_pin() {
    let mut device = device(&["reset@3"]);
    assert_eq!(response(&mut device, SELECT), [0x90, 0]);
    assert_eq!(response(&mut device, VERIFY), [0x90, 0]);
    assert_eq!(response(&mut device, NEXT_IDENTITY), [0x69, 0x86]);
    assert_eq!(response(&mut device, SELECT), [0x90, 0]);
    assert_eq!(response(&mut device, NEXT_IDENTITY), [0x63, 0x03]);
}

#[test]
fn a_removed_card_leaves_and_comes_back_without_power() {
    let mut device = device(&["removed@2"]);
    assert_eq!(response(&mut device, SELECT), [0x90, 0]);
    assert!(matches!(command(&mut device, VERIFY), (_, Then::Leave)));
    device.on_reader_gone();
    assert_eq!(response(&mut device, VERIFY), [0x69, 0x86]);
}

#[test]
fn the_paper_model_delays_the_answer() {
    let card = Ca::new().card(CardSettings::default());
    let mut device = Device::new(Box::new(card), Timing::Paper, Vec::new());
    let (delay, _) = command(&mut device, SELECT);
    assert_eq!(delay, Duration::from_micros(170) * 23, "21 bytes in, 2 out");
}
