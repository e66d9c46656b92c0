//! What a user may do with which element.

use std::sync::Arc;

use super::world::{User, World, seid};
use crate::racs::session::{ElementRights, RacsRefusal, Rights};

#[test]
fn a_user_without_rights_sees_nothing() {
    let mut world = World::with_cards(&["0", "1"]);
    let mut nobody = User::of("nobody", &[]);
    let list = world.ask(&mut nobody, &["BEGIN", "LIST", "END"]);
    assert_eq!(list, ["BEGIN", "+004 001", "END"]);
    let without = [(seid("0"), ElementRights::default())];
    let mut without = User::with("without", without);
    for user in [&mut nobody, &mut without] {
        for line in [
            "POWERON 0",
            "RESET 0",
            "SHUTDOWN 0",
            "APDU 0 00A40400",
            "SEN 0",
            "GET-SEN 0",
        ] {
            let there = world.ask(user, &["BEGIN", line, "END"]);
            let not_there = world.ask(user, &["BEGIN", &line.replacen(" 0", " 9", 1), "END"]);
            let not_there_at_all =
                world.ask(user, &["BEGIN", &line.replacen(" 0", " x", 1), "END"]);
            assert!(there[1].starts_with("-4"), "{there:?}");
            assert_eq!(there, not_there_at_all);
            assert_eq!(there, not_there);
        }
    }
    assert_eq!(world.orders.len(), 1, "LIST alone");
}

#[test]
fn each_operation_is_a_right_of_its_own() {
    let mut world = World::with_cards(&["list", "power", "apdu", "other"]);
    let none = ElementRights::default();
    let rights = [
        (
            seid("list"),
            ElementRights {
                inventory: true,
                ..none.clone()
            },
        ),
        (
            seid("power"),
            ElementRights {
                power: true,
                ..none.clone()
            },
        ),
        (seid("apdu"), ElementRights { apdu: true, ..none }),
    ];
    let mut user = User::with("user", rights);
    let list = world.ask(&mut user, &["BEGIN", "LIST", "END"]);
    assert_eq!(list[1], "+004 001 list");
    for (line, code) in [
        ("POWERON power", "+008 001"),
        ("RESET power", "+005 001"),
        ("SHUTDOWN power", "+007 001"),
        ("APDU power 00A40400", "-606 001"),
        ("APDU apdu 00A40400", "+006 001"),
        ("POWERON apdu", "-608 001"),
        ("RESET apdu", "-605 001"),
        ("SHUTDOWN apdu", "-607 001"),
        ("POWERON list", "-608 001"),
        ("APDU list 00A40400", "-606 001"),
        ("APDU other 00A40400", "-406 001"),
    ] {
        assert_eq!(world.status(&mut user, &[line]), code, "{line}");
    }
}

#[test]
fn apdus_outside_of_the_allow_list_do_not_reach_the_card() {
    let list = "FFFFFF00 00A40400\nFFFF0000 00140000\n";
    let allow_list = Some(Arc::new(list.parse().expect("a list")));
    let rights = ElementRights {
        allow_list,
        ..ElementRights::all()
    };
    let mut world = World::with_cards(&["0"]);
    let mut user = User::with("user", [(seid("0"), rights)]);
    for (line, code) in [
        ("APDU 0 00A4040005A000000001", "+006 001"),
        ("APDU 0 01A4040005A000000001", "-606 001"),
        ("APDU 0 00A4000002A000", "-606 001"),
        ("APDU 0 0010000001AA", "-606 001"),
        ("APDU 0 00140010", "+006 001"),
        // What FETCH names is an APDU as well, that of MORE alone too.
        ("APDU 0 00140010 MORE=61", "-606 001"),
        ("APDU 0 00140010 MORE=61 FETCH=00C00000", "-606 001"),
        ("APDU 0 00140010 FETCH=00C00000", "+006 001"),
    ] {
        assert_eq!(world.status(&mut user, &[line]), code, "{line}");
    }
    assert_eq!(world.transmitted(), 3);

    let empty = ElementRights {
        allow_list: Some(Arc::default()),
        ..ElementRights::all()
    };
    let mut user = User::with("user", [(seid("0"), empty)]);
    assert_eq!(world.status(&mut user, &["APDU 0 00A40400"]), "-606 001");
}

/// Design §6.
#[test]
fn keys_and_pins_are_nobodys_business() {
    let mut world = World::with_cards(&["0"]);
    world.bound = true;
    let everything = "00000000 00000000".parse().expect("a list");
    let rights = ElementRights {
        allow_list: Some(Arc::new(everything)),
        ..ElementRights::all()
    };
    let mut user = User::with("user", [(seid("0"), rights.clone())]);
    let forbidden = [
        0x16, 0x20, 0x24, 0x2C, 0x60, 0x80, 0x84, 0x86, 0x88, 0x8A, 0xA6, 0xB0, 0xD0, 0xD6, 0x87,
        0x47, 0xDB, 0xFF, 0x21, 0xC2,
    ];
    // The first one finds out what card it is; it holds it, and is refused all the same.
    assert_eq!(
        world.status(&mut user, &["APDU 0 00A40400", "APDU 0 00200080"]),
        "-606 002"
    );
    assert_eq!(world.status(&mut user, &["SHUTDOWN 0"]), "+007 001");
    for ins in forbidden {
        // Logical channels, secure messaging, chaining, proprietary classes.
        for cla in [
            0x00, 0x01, 0x03, 0x0C, 0x10, 0x40, 0x60, 0x80, 0x84, 0xA0, 0xC0, 0xFE,
        ] {
            for apdu in [
                format!("APDU 0 {cla:02x}{ins:02x}0080"),
                format!("APDU 0 {cla:02X}{ins:02X}008001AA CONTINUE=9000 APPEND"),
                format!("APDU 0 {cla:02X}{ins:02X}0080000001AA0000"),
                format!("APDU 0 00140010 MORE=61 FETCH={cla:02X}{ins:02X}0080"),
            ] {
                assert_eq!(world.status(&mut user, &[&apdu]), "-606 001", "{apdu}");
            }
        }
    }
    assert_eq!(world.transmitted(), 1, "SELECT alone");

    let rights = ElementRights {
        raw_key_use: true,
        ..rights
    };
    world.release("user");
    let mut trusted = User::with("trusted", [(seid("0"), rights)]);
    let verify = ["APDU 0 0020008000"];
    assert_eq!(world.status(&mut trusted, &verify), "+006 001");
    world.release("trusted");

    // A card that no guest uses is the user's, until it becomes one of theirs.
    world.bound = false;
    let mut user = User::of("user", &["0"]);
    assert_eq!(world.status(&mut user, &verify), "+006 001");
    world.bound = true;
    world.refuse_next = Some(RacsRefusal::NotHeld);
    assert_eq!(world.status(&mut user, &verify), "-706 001");
    assert_eq!(world.status(&mut user, &verify), "-606 001");
}

#[test]
fn rights_that_change_count_from_the_next_command_on() {
    let mut world = World::with_cards(&["0"]);
    let mut user = User::of("user", &["0"]);
    assert_eq!(world.status(&mut user, &["POWERON 0"]), "+008 001");
    let answer = world.ask(&mut user, &["BEGIN", "APDU 0 00A40400 APPEND"]);
    assert_eq!(answer, [""; 0]);
    user.session.set_rights(Rights::default());
    let answer = world.ask(&mut user, &["APDU 0 00A40400", "END"]);
    assert!(answer[1].starts_with("-406 002"), "{answer:?}");
}

/// Personalisation, PINs, keys: a card of a grid is there for that.
#[test]
fn a_card_that_no_guest_uses_gets_every_instruction() {
    let mut world = World::with_cards(&["0"]);
    let mut user = User::of("user", &["0"]);
    for ins in 0..=0xFF_u8 {
        let line = format!("APDU 0 00{ins:02X}000001AA");
        let code = world.status(&mut user, &[&line]);
        assert_eq!(code, "+006 001", "{line}");
    }
}
