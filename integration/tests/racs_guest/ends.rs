//! How a guest's connection ends: by its right, by the operator, by itself.

use integration::chain::Chain;
use integration::chain::{CardPlan, ChainPlan, GuestPlan};
use integration::pki::{KeyKind, Pki};
use integration::racs_guest::RacsGuest;
use integration::wait;
use integration::xenstored::uuid;

use super::{LIST, NAME, OK, holder, plan, run, select, server};

/// Takes a right away in the middle of a conversation; the code that the guest hears.
fn taken(chain: &Chain, deed: &[&str], code: &str) {
    let mut guest = RacsGuest::start(chain, "web01");
    assert_eq!(guest.apdu("se-00", &select()), OK);
    run(chain, deed, 0);
    let rest = guest.rest();
    assert!(
        rest.starts_with(&format!("BEGIN\r\n-600 000 {code}: ")),
        "{rest}"
    );
    assert!(rest.ends_with("END\r\n"), "{rest}");
    let (exit, said) = guest.ended();
    assert_eq!(exit, Some(77), "{said}");
    assert!(said.contains(code), "{said}");
    let why = wait::until("its end is on record", || {
        let closed = chain.audited("racs-closed").pop()?;
        closed["why"].as_str().map(str::to_owned)
    });
    let expected = format!("this host ended it: {code}: ");
    assert!(why.starts_with(&expected), "{why}");
    wait::until("the card is back", || {
        holder(chain, "se-00").is_none().then_some(())
    });
    let again = RacsGuest::start(chain, "web01").ended();
    assert_eq!(again.0, Some(77), "{}", again.1);
}

#[test]
fn a_revoked_token_ends_it_at_once() {
    let chain = Chain::start(&Pki::new(), &plan(LIST));
    let deed = ["token", "revoke", "--vm", "web01"];
    taken(&chain, &deed, "token-revoked");
}

#[test]
fn unbinding_ends_it_at_once_and_binding_again_begins_anew() {
    let pki = Pki::new();
    let plan = ChainPlan::new()
        .card(CardPlan::new("se-00").identity("web01", KeyKind::P256))
        .guest(
            GuestPlan::new("web01")
                .bound("se-00", "web01")
                .not_yet_bound(),
        );
    let chain = Chain::start(&pki, &plan);
    let list = integration::pki::write(chain.folder(), "list.apdus", LIST);
    let ca = chain.folder().join("ca.pem");
    let (list, ca) = (list.to_str().expect("UTF-8"), ca.to_str().expect("UTF-8"));
    let bind = [
        "vm",
        "bind",
        "web01",
        "--card",
        "se-00",
        "--identity",
        "web01",
        "--trust",
        ca,
    ];
    let raw = [&bind[..], &["--raw-apdu", list]].concat();
    chain.wait_card("present");
    run(&chain, &raw, 0);
    taken(&chain, &["vm", "unbind", "web01"], "not-bound");
    // Without a list there is no RACS, and a binding more ends what there was.
    run(&chain, &bind, 0);
    let (exit, said) = RacsGuest::start(&chain, "web01").ended();
    assert_eq!(exit, Some(77), "{said}");
    assert!(said.contains("policy"), "{said}");
    run(&chain, &["vm", "unbind", "web01"], 0);
    run(&chain, &raw, 0);
    let mut guest = RacsGuest::start(&chain, "web01");
    assert_eq!(guest.apdu("se-00", &select()), OK);
    let added = chain.audited("binding-added").pop();
    let added = added.expect("on record");
    assert_eq!(added["raw_apdu_sha256"].as_str().map(str::len), Some(64));
}

#[test]
fn maintenance_takes_the_card_and_gives_it_back() {
    let chain = Chain::start(&Pki::new(), &plan(LIST));
    let mut guest = RacsGuest::start(&chain, "web01");
    assert_eq!(guest.apdu("se-00", &select()), OK);
    run(&chain, &["card", "maintenance", "se-00", "on"], 0);
    let said = guest.say("APDU se-00 00A40400");
    assert!(said.starts_with("-706 001"), "{said}");
    assert_eq!(guest.code("POWERON se-00"), "-708 001");
    run(&chain, &["card", "maintenance", "se-00", "off"], 0);
    wait::until("the card is the guest's again", || {
        (guest.code("POWERON se-00") == "+008 001").then_some(())
    });
}

#[test]
fn a_guest_that_dies_leaves_its_card_for_its_handshakes() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &plan(LIST));
    let server = server(&pki);
    for _ in 0..3 {
        let mut guest = RacsGuest::start(&chain, "web01");
        assert_eq!(guest.apdu("se-00", &select()), OK);
        guest.send(b"BEGIN\r\nAPDU se-").expect("it reads");
        guest.kill();
        chain.guest("web01").converse(&server, NAME);
    }
}

#[test]
fn when_the_service_ends_the_guest_hears_it() {
    let mut chain = Chain::start(&Pki::new(), &plan(LIST));
    let mut guest = RacsGuest::start(&chain, "web01");
    assert_eq!(guest.apdu("se-00", &select()), OK);
    assert!(chain.middleware().stop().success());
    let rest = guest.rest();
    let expected = "BEGIN\r\n-900 000 internal: the service is ending\r\n";
    assert!(rest.starts_with(expected), "{rest}");
    assert_ne!(guest.ended().0, Some(0));
    let returned = chain.audited("card-returned");
    let own = format!("guest {}", uuid(1));
    assert!(
        returned.iter().any(|record| record["holder"] == own),
        "{returned:?}"
    );
    let closed = chain.audited("racs-closed");
    let [closed] = &closed[..] else {
        panic!("not one: {closed:?}")
    };
    assert_eq!(
        (&closed["user"], &closed["why"]),
        (
            &"web01".into(),
            &"this host ended it: internal: the service is ending".into()
        )
    );
}
