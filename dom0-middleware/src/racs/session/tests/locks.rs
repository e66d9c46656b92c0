//! Who holds an element, and from when to when.

use proto::apdu::{ResponseApdu, StatusWord};

use super::world::{User, World, seid};
use crate::racs::session::{Order, Outcome, RacsRefusal, Step};

fn power_on() -> Order {
    Order::PowerOn(seid("0"))
}

#[test]
fn the_first_apdu_or_reset_takes_a_free_element() {
    for (line, code) in [
        ("APDU 0 00A40400", "+006 001"),
        ("RESET 0 WARM", "+005 001"),
    ] {
        let mut world = World::with_cards(&["0"]);
        let mut user = User::of("user", &["0"]);
        assert_eq!(world.status(&mut user, &[line]), code);
        assert_eq!(world.status(&mut user, &[line]), code);
        assert_eq!(world.orders.len(), 3, "{:?}", world.orders);
        assert_eq!(world.orders.first(), Some(&power_on()));
        let mut other = User::of("other", &["0"]);
        assert_eq!(world.status(&mut other, &["POWERON 0"]), "-708 001");
    }
}

#[test]
fn poweron_of_what_is_held_does_nothing() {
    let mut world = World::with_cards(&["0"]);
    let mut user = User::of("user", &["0"]);
    for _ in 0..3 {
        assert_eq!(world.status(&mut user, &["POWERON 0"]), "+008 001");
    }
    // Whoever has the cards hears each: the user is still there.
    assert_eq!(world.orders, [power_on(), power_on(), power_on()]);
    let again = world.ask(&mut user, &["BEGIN", "POWERON 0", "END"]);
    assert!(again[1].contains("already"), "{again:?}");
    let again = ["BEGIN", "SHUTDOWN 0", "POWERON 0", "END"];
    let again = world.ask(&mut user, &again);
    assert!(again[1].ends_with("has been powered on"), "{again:?}");
}

/// Its state is lost: that is told once, and the element is powered anew only by the next command.
#[test]
fn a_lost_element_is_told_of() {
    for why in [
        RacsRefusal::NotHeld,
        RacsRefusal::PoweredOff,
        RacsRefusal::Absent,
    ] {
        let mut world = World::with_cards(&["0"]);
        let mut user = User::of("user", &["0"]);
        assert_eq!(world.status(&mut user, &["POWERON 0"]), "+008 001");
        world.refuse_next = Some(why);
        let lines = ["APDU 0 00A40400", "APDU 0 0010000001AA"];
        assert!(world.status(&mut user, &lines).starts_with('-'));
        assert_eq!(world.transmitted(), 1);
        assert_eq!(world.status(&mut user, &["APDU 0 00A40400"]), "+006 001");
        assert_eq!(
            world
                .orders
                .iter()
                .filter(|&order| *order == power_on())
                .count(),
            2
        );
    }
}

/// A card that fails once is still the session's; what the host thinks of that, it says next time.
#[test]
fn a_failure_of_the_card_keeps_the_element() {
    let mut world = World::with_cards(&["0"]);
    let mut user = User::of("user", &["0"]);
    assert_eq!(world.status(&mut user, &["POWERON 0"]), "+008 001");
    world.refuse_next = Some(RacsRefusal::Hardware("garbled answer".to_owned()));
    assert_eq!(world.status(&mut user, &["APDU 0 00A40400"]), "-806 001");
    assert_eq!(world.status(&mut user, &["RESET 0"]), "+005 001");
    assert_eq!(
        world
            .orders
            .iter()
            .filter(|&order| *order == power_on())
            .count(),
        1
    );
}

#[test]
fn one_request_may_use_several_elements() {
    let mut world = World::with_cards(&["0", "1"]);
    let mut user = User::of("user", &["0", "1"]);
    let lines = [
        "BEGIN",
        "APDU 0 0010000001AA APPEND",
        "APDU 1 0010000001BB APPEND",
        "SHUTDOWN 0",
        "END",
    ];
    let answer = world.ask(&mut user, &lines);
    let expected = ["BEGIN", "+006 001 AA9000", "+006 002 BB9000"];
    assert_eq!(answer[..3], expected);
    assert_eq!(answer[3], "+007 003 SEID 0 has been powered off");
}

#[test]
fn an_outcome_that_nobody_waits_for_changes_nothing() {
    let mut user = User::of("user", &["0"]);
    let session = &mut user.session;
    session.on_outcome(Outcome::Done);
    session.take(b"BEGIN\r\nPOWERON 0\r\nEND\r\nBEGIN\r\n");
    assert_eq!(session.next_step(), Step::Do(power_on()));
    // The order is given once; until its outcome nothing else is done.
    assert_eq!(session.next_step(), Step::NeedBytes);
    session.on_outcome(Outcome::List(Vec::new()));
    session.on_outcome(Outcome::Done);
    let Step::Respond(response) = session.next_step() else {
        panic!("a response");
    };
    assert!(response.starts_with(b"BEGIN\r\n-908 001 "));
    assert!(!session.is_idle(), "the second request has begun");
    assert_eq!(session.next_step(), Step::NeedBytes);
    session.take(b"END\r\n");
    assert!(matches!(session.next_step(), Step::Respond(_)));
    assert_eq!(session.next_step(), Step::NeedBytes);
    assert!(session.is_idle());
}

#[test]
fn neither_steps_nor_outcomes_show_what_cards_are_told_or_say() {
    let mut user = User::of("user", &["0"]);
    let session = &mut user.session;
    session.take(b"BEGIN\r\nPOWERON 0\r\nAPDU 0 0020008004C0FFEE77\r\nEND\r\n");
    let mut shown = String::new();
    loop {
        let step = session.next_step();
        shown += &format!("{step:?}\n");
        let outcome = match step {
            Step::Do(Order::PowerOn(_)) => Outcome::Powered { bound: false },
            Step::Do(_) => {
                let secret = [0xC0, 0xFF, 0xEE, 0x77].to_vec();
                Outcome::Answer(ResponseApdu::new(secret, StatusWord::SUCCESS))
            }
            Step::Respond(_) => continue,
            Step::NeedBytes | Step::Close => break,
        };
        shown += &format!("{outcome:?}\n");
        session.on_outcome(outcome);
    }
    assert!(shown.contains("Respond(35 bytes)"), "{shown}");
    for secret in ["C0FFEE", "c0ffee", "192, 255", "67, 48, 70"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
