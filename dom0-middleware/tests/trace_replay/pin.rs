//! PIN refusals: one VERIFY in an opening, none when the card shows less than two tries.

use dom0_middleware::card::CardError;

use crate::trace_support::{Rig, Trace};

/// Opens the card of `trace`; the result, and how often the PIN was sent.
fn open(trace: Trace, probe_pin: bool, pin: &str) -> (Result<(), CardError>, usize) {
    let mut rig = Rig::of_old_card(trace, "");
    rig.steps.probe_pin = probe_pin;
    let result = rig.open(pin).map(|_| ());
    assert!(rig.replay.is_over(), "all that was recorded was sent");
    (result, rig.verifies)
}

fn picked(notes: &[&str]) -> Trace {
    Trace::load("a05-t1-pin.txt").pick(notes)
}

fn rejected(tries_left: u8) -> Result<(), CardError> {
    Err(CardError::PinRejected {
        tries_left: Some(tries_left),
    })
}

#[test]
fn a_wrong_pin_is_sent_once_and_its_answer_tells_the_tries_left() {
    let first = picked(&["select", "verify wrong PIN 1"]);
    assert_eq!(open(first, false, "1111"), (rejected(2), 1));
    // 6303 after one wrong PIN: two or three are left, so one may go.
    let second = picked(&["select", "status after 1 wrong", "verify wrong PIN 2"]);
    assert_eq!(open(second, true, "1111"), (rejected(1), 1));
}

#[test]
fn a_card_that_shows_6301_is_never_sent_a_pin() {
    for status in ["status after 2 wrong", "status after 3 wrong"] {
        let trace = picked(&["select", status]);
        assert_eq!(
            open(trace, true, "0000"),
            (Err(CardError::LastPinTry), 0),
            "{status}"
        );
    }
}

#[test]
fn a_blocked_card_says_so_to_the_wrong_pin_and_to_the_right_one() {
    for (verify, pin) in [
        ("verify wrong PIN 3", "1111"),
        ("verify right PIN while blocked", "0000"),
    ] {
        let trace = picked(&["select", verify]);
        assert_eq!(
            open(trace, false, pin),
            (Err(CardError::PinBlocked), 1),
            "{verify}"
        );
    }
}

#[test]
fn a_card_unblocked_by_its_operator_opens_again() {
    let status = picked(&["PIN state after that"]);
    // Another VERIFY of the right PIN comes before, while the card is blocked.
    let after = Trace::load("a05-t1-pin.txt").scene("select again", None);
    let opening = after.pick(&["select again"]);
    let verify = after.pick(&["verify right PIN"]);
    assert_eq!(
        open(opening.then(&status).then(&verify), true, "0000"),
        (Ok(()), 1)
    );
}

#[test]
fn a_changed_pin_is_the_one_that_opens() {
    let trace = picked(&["select again", "verify new PIN"]);
    assert_eq!(open(trace, false, "4321"), (Ok(()), 1));
}

#[test]
fn the_card_behind_t0_refuses_in_the_same_way() {
    let trace = Trace::load("a05-t0-personalise.txt");
    let wrong = trace.pick(&[
        "select by AID",
        "get current identity before PIN",
        "verify user PIN, wrong value",
    ]);
    assert_eq!(open(wrong, true, "1234"), (rejected(2), 1));
    let right = trace.pick(&["select by AID", "verify user PIN 0000, 4 bytes"]);
    assert_eq!(open(right, false, "0000"), (Ok(()), 1));

    let padded = trace.pick(&["select by AID", "verify user PIN 0000, 8 bytes"]);
    let mut rig = Rig::of_old_card(padded, "");
    rig.profile.pin_form = proto::card::PinForm::Padded;
    assert!(rig.open("0000").is_ok());
    assert!(rig.replay.is_over());
}

#[test]
fn the_other_recorded_cards_open_with_one_verify() {
    for (file, select, verify) in [
        ("a05-t1-identity-and-edges.txt", "select", "PIN"),
        ("a05-t1-errors.txt", "select", "PIN"),
        ("a05-t1-errors-chain.txt", "select", "PIN"),
        ("a05-t0-loose-parsing.txt", "select", "verify user PIN"),
        ("a05-t0-full-and-resume.txt", "select", "verify user PIN"),
        (
            "a05-t0-session-shared-by-identities.txt",
            "select",
            "verify user PIN",
        ),
        ("a11-t1-personalise.txt", "select", "PIN"),
    ] {
        let trace = Trace::load(file).pick(&[select, verify]);
        assert_eq!(open(trace, false, "0000"), (Ok(()), 1), "{file}");
    }
}
