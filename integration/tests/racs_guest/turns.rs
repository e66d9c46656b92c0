//! A card that is its guest's for handshakes and for raw APDUs: one after the other.

use std::thread;

use integration::chain::Chain;
use integration::pki::Pki;
use integration::racs_guest::RacsGuest;
use integration::wait;

use super::{LIST, NAME, OK, holder, json, plan, select, server};

fn waiting(chain: &Chain) -> u64 {
    json(chain, &["status"])["waiting"]
        .as_u64()
        .expect("a number")
}

#[test]
fn a_handshake_waits_for_its_guests_apdus_and_then_goes_on() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &plan(LIST));
    let server = server(&pki);
    chain.guest("web01").converse(&server, NAME);
    let mut guest = RacsGuest::start(&chain, "web01");
    assert_eq!(guest.code("POWERON se-00"), "+008 001");
    thread::scope(|scope| {
        let handshake = scope.spawn(|| chain.guest("web01").converse(&server, NAME));
        wait::until("the handshake waits", || {
            (waiting(&chain) == 1).then_some(())
        });
        // Nobody else does.
        let other = self::server(&pki);
        chain.guest("web02").converse(&other, NAME);
        assert_eq!(guest.apdu("se-00", &select()), OK);
        assert_eq!(guest.code("SHUTDOWN se-00"), "+007 001");
        handshake.join().expect("a session");
    });
    // And again, while the connection stands.
    assert_eq!(guest.apdu("se-00", &select()), OK);
}

#[test]
fn connections_of_one_guest_exclude_each_other() {
    let chain = Chain::start(&Pki::new(), &plan(LIST));
    let mut first = RacsGuest::start(&chain, "web01");
    let mut second = RacsGuest::start(&chain, "web01");
    assert_eq!(first.code("POWERON se-00"), "+008 001");
    assert_eq!(second.code("POWERON se-00"), "-708 001");
    assert_eq!(second.code("SHUTDOWN se-00"), "-707 001");
    assert_eq!(second.code("APDU se-00 00A40400"), "-706 001");
    let mut third = RacsGuest::start(&chain, "web01");
    assert_eq!(third.rest(), "");
    let (code, said) = third.ended();
    assert_eq!(code, Some(77), "{said}");
    assert!(said.contains("limit"), "{said}");
    // Whoever dies says no goodbye.
    first.kill();
    wait::until("the card is free", || {
        (second.code("POWERON se-00") == "+008 001").then_some(())
    });
    assert_eq!(second.apdu("se-00", &select()), OK);
}

#[test]
fn a_card_that_nothing_is_done_with_comes_back() {
    let pki = Pki::new();
    let plan = plan(LIST).limit("racs_idle_ms", 200);
    let chain = Chain::start(&pki, &plan);
    let mut guest = RacsGuest::start(&chain, "web01");
    assert_eq!(guest.apdu("se-00", &select()), OK);
    wait::until("the card comes back", || {
        holder(&chain, "se-00").is_none().then_some(())
    });
    chain.guest("web01").converse(&server(&pki), NAME);
    // It is told once, and has it anew with the next command.
    let said = guest.say("APDU se-00 00A40400");
    assert!(said.starts_with("-706 001"), "{said}");
    assert_eq!(guest.apdu("se-00", &select()), OK);
}
