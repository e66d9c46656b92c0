//! Who has a card, from when to when.

use integration::wait;
use proto::card::EapCardCommand;

use super::{Grid, OK, VERIFY, of, select};

#[test]
fn a_card_is_one_users_at_a_time() {
    let grid = Grid::start(&["se-00", "se-01"], "", &["one", "two"]);
    let (mut one, mut two) = (grid.user("one"), grid.user("two"));
    assert_eq!(one.code("POWERON se-00"), "+008 001");
    assert_eq!(one.code("POWERON se-00"), "+008 001");
    assert_eq!(two.code("POWERON se-00"), "-708 001");
    assert_eq!(two.code("RESET se-00"), "-705 001");
    assert_eq!(two.code("APDU se-00 00A40400"), "-706 001");
    assert_eq!(
        two.code("SHUTDOWN se-00"),
        "-707 001",
        "not somebody else's"
    );
    assert_eq!(one.apdu("se-00", &select()), OK, "undisturbed");
    // Several cards in one hand.
    assert_eq!(one.apdu("se-01", &select()), OK);
    let output = grid.chain.admin(&["status"]);
    let status = String::from_utf8(output.stdout).expect("text");
    assert!(status.contains("holds se-00 for "), "{status}");
    assert!(status.contains(", se-01 for "), "{status}");

    assert_eq!(one.code("SHUTDOWN se-00"), "+007 001");
    assert_eq!(one.code("SHUTDOWN se-00"), "+007 001", "as it was");
    assert_eq!(two.code("POWERON se-00"), "+008 001");
    let lent = grid.chain.audited("card-lent");
    assert_eq!(lent.len(), 3);
    assert_eq!(lent[2]["holder"], "RACS user two");
}

#[test]
fn who_comes_back_has_the_card_again_at_once() {
    let grid = Grid::start(&["se-00"], "", &["one", "two"]);
    for round in 0..20 {
        let name = if round % 4 < 2 { "one" } else { "two" };
        let mut user = grid.user(name);
        match name {
            "one" if round % 4 == 1 => assert_eq!(user.code("POWERON se-00"), "+008 001"),
            // The other user's connection has ended, and the server may be about to notice.
            _ => wait::until("the card is free", || {
                (user.code("POWERON se-00") == "+008 001").then_some(())
            }),
        }
        assert_eq!(user.apdu("se-00", &select()), OK);
        match round % 2 {
            0 => user.leave(),
            _ => drop(user),
        }
    }
}

#[test]
fn a_reset_and_a_new_user_find_nothing_of_the_one_before() {
    let grid = Grid::start(&["se-00"], "", &["one", "two"]);
    let next = of(&EapCardCommand::NextIdentity);
    let mut user = grid.user("one");
    let verify = |user: &mut integration::racs_user::RacsUser| {
        assert_eq!(user.apdu("se-00", &select()), OK);
        assert!(!user.apdu("se-00", &next).ends_with(OK), "no PIN yet");
        assert_eq!(user.apdu("se-00", VERIFY), OK);
        assert!(user.apdu("se-00", &next).ends_with(OK), "with the PIN");
    };
    for reset in ["RESET se-00", "RESET se-00 WARM"] {
        verify(&mut user);
        assert_eq!(user.code(reset), "+005 001");
        assert!(!user.apdu("se-00", &next).ends_with(OK), "{reset}");
        assert_eq!(user.apdu("se-00", &select()), OK);
        assert!(!user.apdu("se-00", &next).ends_with(OK), "{reset}");
    }
    verify(&mut user);
    user.leave();
    let mut other = grid.user("two");
    wait::until("the card is free", || {
        (other.code("POWERON se-00") == "+008 001").then_some(())
    });
    verify(&mut other);
    assert_eq!(other.ask(&["SHUTDOWN se-00", "POWERON se-00"]).len(), 1);
    verify(&mut other);
}

#[test]
fn a_lock_that_is_not_used_goes_to_who_wants_it() {
    let grid = Grid::start(&["se-00"], "idle_lock_ms = 150", &["one", "two"]);
    let (mut one, mut two) = (grid.user("one"), grid.user("two"));
    assert_eq!(one.code("POWERON se-00"), "+008 001");
    wait::until("the lock is released", || {
        (two.code("POWERON se-00") == "+008 001").then_some(())
    });
    let said = one.say("APDU se-00 00A40400");
    assert!(said.starts_with("-706 001 powered off"), "{said}");
    wait::until("the other's too", || {
        (one.code("POWERON se-00") == "+008 001").then_some(())
    });
}
