//! When a PIN is sent, and what becomes of it.

use proto::apdu::Aid;
use proto::piv::driver::{self, AwaitCard, Inventory, PivFault, Step, verification};
use proto::piv::{PinLook, PinReference, Slot};

use super::fake_card::FakePivCard;
use super::*;

type Verifying = Step<verification::Verification>;

fn waiting(step: Result<Verifying, PivFault>) -> AwaitCard<verification::Verification> {
    match step {
        Ok(Step::Transmit(waiting, _)) => waiting,
        Ok(_) => panic!("a command was expected"),
        Err(fault) => panic!("{fault}"),
    }
}

fn look(sw: u16) -> Result<Verifying, PivFault> {
    let begun = verification::begin(PinReference::Application);
    waiting(begun).on_response(response(sw, &[]))
}

#[test]
fn a_pin_is_sent_only_where_two_tries_are_seen() {
    assert!(matches!(look(0x9000), Ok(Step::Done(()))));
    for sw in [0x63C2, 0x63C3, 0x63CA, 0x63CF] {
        assert!(matches!(look(sw), Ok(Step::NeedPin(_))), "{sw:04X}");
    }
    assert_eq!(look(0x63C1).err(), Some(PivFault::LastPinTry));
    for sw in [0x63C0, 0x6983] {
        assert_eq!(look(sw).err(), Some(PivFault::PinBlocked), "{sw:04X}");
    }
    for sw in [0x6300, 0x6303, 0x6982, 0x6700, 0x6A88, 0x6D00] {
        let silent = PivFault::PinUncounted { sw: StatusWord(sw) };
        assert_eq!(look(sw).err(), Some(silent));
    }
}

#[test]
fn a_refused_pin_tells_the_tries_and_is_not_repeated_for_another_length() {
    let verified = |sw| -> Option<PivFault> {
        let Ok(Step::NeedPin(pin)) = look(0x63C3) else {
            panic!("it may be sent");
        };
        let sent = waiting(pin.verify(&Keeper::default()));
        match sent.on_response(response(sw, &[])) {
            Ok(Step::PinAccepted(_)) => None,
            Ok(_) => panic!("{sw:04X}: nothing more is sent"),
            Err(fault) => Some(fault),
        }
    };
    let rejected = |tries_left| Some(PivFault::PinRejected { tries_left });
    assert_eq!(verified(0x9000), None);
    assert_eq!(verified(0x63C2), rejected(Some(2)));
    for sw in [0x63C0, 0x6983] {
        assert_eq!(verified(sw), Some(PivFault::PinBlocked));
    }
    for sw in [0x6300, 0x6982] {
        assert_eq!(verified(sw), rejected(None));
    }
    for sw in [0x6A80, 0x6C05, 0x6110] {
        let refused = matches!(verified(sw), Some(PivFault::Refused { .. }));
        assert!(refused, "{sw:04X}");
    }
}

#[test]
fn the_last_try_is_never_spent() {
    for (tries, why) in [(1, PivFault::LastPinTry), (0, PivFault::PinBlocked)] {
        let mut card = FakePivCard::new();
        card.tries = tries;
        assert_eq!(open(&mut card), Err(why));
        assert_eq!(card.count(0x20), 0);
    }
    // Nor is a PIN sent to a card that does not tell.
    let mut card = FakePivCard::new();
    card.mute_counter = Some(0x6A81);
    let sw = StatusWord(0x6A81);
    assert_eq!(open(&mut card), Err(PivFault::PinUncounted { sw }));
    assert_eq!(card.count(0x20), 0);
}

#[test]
fn a_wrong_pin_costs_one_try() {
    let mut card = FakePivCard::new();
    card.pin = b"654321".to_vec();
    let tries_left = Some(2);
    assert_eq!(open(&mut card), Err(PivFault::PinRejected { tries_left }));
    assert_eq!((card.tries, card.count(0x20)), (2, 1));
}

#[test]
fn an_attempt_is_on_record_before_it_is_made_and_what_came_of_it_after() {
    for (right, account) in [
        (true, &["attempt", "accepted"][..]),
        (false, &["attempt"][..]),
    ] {
        let mut card = FakePivCard::new();
        let opened = look_into(&mut card, Inventory::all(Aid::PIV)).expect("opened");
        if !right {
            card.pin = b"654321".to_vec();
        }
        let keeper = Keeper::default();
        let begun = verification::begin(opened.pin);
        let verified: Result<(), PivFault> = run(begun, &keeper, |_, command| {
            assert_eq!(keeper.account.borrow().len(), usize::from(is_pin(command)));
            Ok(card.transmit(command))
        });
        assert_eq!(verified.is_ok(), right);
        assert_eq!(*keeper.account.borrow(), account);
    }
}

#[test]
fn a_keeper_that_says_no_keeps_the_pin_from_the_card() {
    struct Stern;
    impl PinKeeper for Stern {
        type Error = PivFault;
        fn pin_to_send(&self) -> Result<Pin, PivFault> {
            Err(PivFault::LastPinTry)
        }
        fn accepted(&self) -> Result<(), PivFault> {
            panic!("nothing was sent")
        }
    }
    let mut card = FakePivCard::new();
    let opened = look_into(&mut card, Inventory::one(Slot::Authentication)).expect("opened");
    let begun = verification::begin(opened.pin);
    let refused: Result<(), PivFault> = run(begun, &Stern, |_, command| Ok(card.transmit(command)));
    assert_eq!(refused, Err(PivFault::LastPinTry));
    assert_eq!(card.count(0x20), 0);
}

#[test]
fn a_look_shows_the_tries_and_costs_none() {
    let mut card = FakePivCard::new();
    let opened = open(&mut card).expect("a good card");
    let seen = |card: &mut FakePivCard| {
        let begun = driver::look::begin(opened.pin);
        let looked = run(begun, &Keeper::default(), |_, command| {
            Ok::<_, PivFault>(card.transmit(command))
        });
        looked.expect("a word of the standard")
    };
    assert_eq!(seen(&mut card), PinLook::Verified);
    card.verified = false;
    for (tries, shown) in [
        (3, PinLook::Tries(3)),
        (1, PinLook::Tries(1)),
        (0, PinLook::Blocked),
    ] {
        card.tries = tries;
        assert_eq!(seen(&mut card), shown);
        assert_eq!(card.tries, tries);
    }
    card.mute_counter = Some(0x6D00);
    assert_eq!(seen(&mut card), PinLook::Silent);
}
