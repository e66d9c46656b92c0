//! Several guests on one host: each has its own, and nobody else's.

use std::thread;

use domu_agent::client::ClientError;
use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, request};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};

use KeyKind::{P256, Rsa2048};

const NAME: &str = "www.example";

/// Guests A and B, each bound to the identity of its name on a card of its own.
fn two_cards() -> ChainPlan {
    ChainPlan::new()
        .card(CardPlan::new("se-00").identity("web-a", P256))
        .card(CardPlan::new("se-01").identity("web-b", Rsa2048))
        .guest(GuestPlan::new("guest-a").bound("se-00", "web-a"))
        .guest(GuestPlan::new("guest-b").bound("se-01", "web-b"))
}

#[test]
fn guests_with_cards_of_their_own_do_not_disturb_each_other() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &two_cards());
    let credential = pki.server(NAME, P256);
    thread::scope(|scope| {
        for (guest, identity) in [("guest-a", "web-a"), ("guest-b", "web-b")] {
            let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
            let guest = chain.guest(guest);
            scope.spawn(move || {
                for number in 0..8 {
                    let session = guest.connect(server.port(), NAME);
                    let mut session = session.expect("the other one is no hindrance");
                    assert_eq!(session.established.abbreviated, number > 0);
                    session.send(&payload(1_000 + number));
                    assert_eq!(server.receive(1_000 + number), payload(1_000 + number));
                    let client = server.report(number).client;
                    assert_eq!(client, Some(format!("CN = {identity}")));
                    session.close();
                }
            });
        }
    });
    for (domid, seid) in [(1, "se-00"), (2, "se-01")] {
        let records = chain.audited("session-established");
        let own = records.iter().filter(|record| record["domid"] == domid);
        assert!(own.clone().all(|record| record["seid"] == seid));
        assert_eq!(own.count(), 8);
    }
}

#[test]
fn a_guest_sees_and_uses_its_own_identities_only() {
    let pki = Pki::new();
    let plan = two_cards().guest(GuestPlan::new("guest-c"));
    let chain = Chain::start(&pki, &plan);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&pki.server(NAME, P256)));
    for (guest, own, others) in [
        ("guest-a", Some("web-a"), "web-b"),
        ("guest-b", Some("web-b"), "web-a"),
        ("guest-c", None, "web-a"),
    ] {
        let guest = chain.guest(guest);
        match (guest.client().identities(), own) {
            (Ok(seen), Some(own)) => {
                let names: Vec<_> = seen.into_iter().map(|identity| identity.name).collect();
                assert_eq!(names, [own]);
            }
            (Err(ClientError::Refused(error)), None) => assert_eq!(error.code, "not-bound"),
            (answer, own) => panic!("{own:?}: {answer:?}"),
        }

        let mut wish = request(server.port(), NAME);
        wish.identity = Some(others.to_owned());
        let error = guest.ask(wish).expect_err("it belongs to another guest");
        assert_eq!(error.code, "not-bound", "{error}");
        // Whether the other identity exists at all is not told.
        let mut wish = request(server.port(), NAME);
        wish.identity = Some("nobody".to_owned());
        assert_eq!(guest.ask(wish).expect_err("nobody has it"), error);
    }
    let error = chain
        .guest("guest-c")
        .connect(server.port(), NAME)
        .expect_err("not bound");
    assert_eq!(error.code, "not-bound");
    assert_eq!(server.reports(), []);
    assert_eq!(chain.audited("session-established").len(), 0);
}

#[test]
fn guests_that_share_a_card_share_no_session() {
    let pki = Pki::new();
    let card = CardPlan::new("se-00")
        .identity("web-a", P256)
        .identity("web-b", P256);
    let plan = ChainPlan::new()
        .card(card)
        .guest(GuestPlan::new("guest-a").bound("se-00", "web-a"))
        .guest(GuestPlan::new("guest-b").bound("se-00", "web-b"));
    let chain = Chain::start(&pki, &plan);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&pki.server(NAME, P256)));
    let story = [
        ("guest-a", "web-a", false),
        ("guest-a", "web-a", true),
        ("guest-b", "web-b", false),
        ("guest-a", "web-a", false),
    ];
    for (number, (guest, identity, resumed)) in story.into_iter().enumerate() {
        let session = chain
            .guest(guest)
            .connect(server.port(), NAME)
            .expect(guest);
        assert_eq!(session.established.abbreviated, resumed, "{number}");
        let report = server.report(number);
        assert_eq!(report.reused, resumed, "{number}");
        assert_eq!(report.client, Some(format!("CN = {identity}")), "{number}");
        session.close();
    }
}

#[test]
fn guests_that_want_one_card_at_once_all_get_it() {
    let pki = Pki::new();
    let card = CardPlan::new("se-00")
        .identity("web-a", P256)
        .identity("web-b", P256);
    let plan = ChainPlan::new()
        .card(card)
        .guest(GuestPlan::new("guest-a").bound("se-00", "web-a"))
        .guest(GuestPlan::new("guest-b").bound("se-00", "web-b"));
    let chain = Chain::start(&pki, &plan);
    let credential = pki.server(NAME, P256);
    thread::scope(|scope| {
        for guest in ["guest-a", "guest-a", "guest-b", "guest-b"] {
            let (chain, pki, credential) = (&chain, &pki, &credential);
            scope.spawn(move || {
                let server = OpensslServer::start(pki, &ServerPlan::new(credential));
                for _ in 0..3 {
                    let session = chain.guest(guest).connect(server.port(), NAME);
                    session.expect("its turn comes").close();
                }
            });
        }
    });
    assert_eq!(chain.audited("session-established").len(), 12);
}
