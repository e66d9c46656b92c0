//! Every row of specs/racs.md §6 that applies.

use proto::racs::{Label, VERSION};

use super::world::{User, World};
use crate::racs::session::RacsRefusal;

fn alone() -> (World, User) {
    (
        World::with_cards(&["0"]),
        User::of("client", &["0", "empty"]),
    )
}

#[test]
fn every_mistake_in_a_line_has_its_code() {
    let (mut world, mut user) = alone();
    for (line, code) in [
        ("", "-100 001"),
        ("FOO", "-100 001"),
        ("ECHO\tx", "-100 001"),
        ("GET-CERT 0", "-100 001"),
        ("SET-VERSION 0.1", "-403 001"),
        ("SET-VERSION", "-503 001"),
        ("RESET nope", "-405 001"),
        ("RESET", "-505 001"),
        ("APDU nope 00A40400", "-406 001"),
        ("APDU 0", "-506 001"),
        ("APDU 0 00A4", "-506 001"),
        ("SHUTDOWN nope", "-407 001"),
        ("SHUTDOWN", "-507 001"),
        ("POWERON nope", "-408 001"),
        ("POWERON ../../etc", "-408 001"),
        ("POWERON", "-508 001"),
        ("ECHO", "-509 001"),
        ("SEN nope", "-410 001"),
        ("SEN", "-510 001"),
        ("SEN 0 name", "-210 001"),
        ("GET-SEN nope", "-411 001"),
        ("GET-SEN", "-511 001"),
        ("GET-SEN 0", "-211 001"),
    ] {
        assert_eq!(world.status(&mut user, &[line]), code, "{line:?}");
        assert!(!user.closed);
    }
    assert!(world.orders.is_empty(), "no card was troubled");
}

#[test]
fn every_success_has_its_code() {
    let (mut world, mut user) = alone();
    for (line, code) in [
        ("GET-VERSION", "+002 001"),
        ("SET-VERSION 0.3", "+003 001"),
        ("SET-VERSION 0.2", "+003 001"),
        ("LIST", "+004 001"),
        ("POWERON 0", "+008 001"),
        ("RESET 0", "+005 001"),
        ("RESET 0 WARM", "+005 001"),
        ("APDU 0 00a4040005a000000001", "+006 001"),
        ("SHUTDOWN 0", "+007 001"),
        ("SHUTDOWN 0", "+007 001"),
        ("ECHO x", "+009 001"),
        ("XEND", "+012 001"),
    ] {
        assert_eq!(world.status(&mut user, &[line]), code, "{line}");
    }
    assert!(user.closed);
    assert_eq!(VERSION, "0.3");
}

#[test]
fn what_cards_and_hosts_refuse_has_its_class() {
    let refusals = [
        (RacsRefusal::Absent, '4'),
        (RacsRefusal::NotHeld, '7'),
        (RacsRefusal::InUse, '7'),
        (RacsRefusal::PoweredOff, '7'),
        (RacsRefusal::Hardware("no answer in time".to_owned()), '8'),
        (RacsRefusal::System("PC/SC is gone".to_owned()), '9'),
        (RacsRefusal::Limit, '9'),
    ];
    let lines = [
        ("RESET 0", "05"),
        ("APDU 0 00A40400", "06"),
        ("SHUTDOWN 0", "07"),
        ("POWERON 0", "08"),
    ];
    for (why, class) in refusals {
        for (line, number) in lines {
            let (mut world, mut user) = alone();
            world.refuse_next = Some(why.clone());
            let code = world.status(&mut user, &[line]);
            assert_eq!(code, format!("-{class}{number} 001"), "{line}");
        }
        let (mut world, mut user) = alone();
        world.refuse_next = Some(why);
        assert!(world.status(&mut user, &["LIST"]).starts_with('-'));
    }
}

/// As if there were no such name: in the user's row, without a card.
#[test]
fn an_element_without_a_card_does_not_exist() {
    let (mut world, mut user) = alone();
    let text = |answer: Vec<String>| answer[1].split_once(' ').map(|(_, text)| text.to_owned());
    let absent = world.ask(&mut user, &["BEGIN", "POWERON empty", "END"]);
    let unknown = world.ask(&mut user, &["BEGIN", "POWERON nope", "END"]);
    assert_eq!(absent, unknown);
    assert_eq!(text(absent), Some("001 invalid SEID".to_owned()));
}

#[test]
fn labels_are_echoed_up_to_63_characters() {
    let (mut world, mut user) = alone();
    let longest = "x".repeat(Label::MAX_LEN);
    let begin = format!("BEGIN {longest}");
    assert_eq!(world.ask(&mut user, &[&begin, "END"])[0], begin);
    assert_eq!(world.ask(&mut user, &["BEGIN x APPEND", "END"])[0], "BEGIN");
    let malformed = world.ask(&mut user, &["BEGIN \x07", "ECHO x", "END"]);
    assert!(malformed[1].starts_with("-501 000"), "{malformed:?}");
    let too_long = world.ask(&mut user, &[&format!("{begin}x")]);
    assert!(too_long[1].starts_with("-302 000"), "{too_long:?}");
    assert!(user.closed);
}
