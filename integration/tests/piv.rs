//! Cards that only sign: the service makes the handshake.

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, request};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};
use integration::rogue_guest::{RogueGuest, open, server_records};
use integration::tls_server::{self, TlsServer, echo};
use integration::wait;
use proto::agent::Dom0Message;
use rustls::ServerConnection;
use rustls::version::{TLS12, TLS13};

use KeyKind::{P256, Rsa2048};

const NAME: &str = "www.example";

/// A connection with that identity; whether it was resumed, and the time of the card in ms.
fn converse(chain: &Chain, port: u16, identity: &str) -> (bool, u64) {
    let mut wish = request(port, NAME);
    wish.identity = Some(identity.to_owned());
    let mut session = chain.guest("web01").ask(wish).expect("a session");
    // It also brings the tickets of TLS 1.3 in.
    session.send(&payload(100));
    assert_eq!(session.read(100), payload(100));
    let established = session.established.clone();
    session.close();
    (established.abbreviated, established.card_ms)
}

fn with_both_keys(pki: &Pki) -> Chain {
    let card = CardPlan::piv("se-00")
        .identity("9a", Rsa2048)
        .identity("9e", P256);
    let guest = GuestPlan::new("web01")
        .bound("se-00", "9a")
        .bound("se-00", "9e");
    Chain::start(pki, &ChainPlan::new().card(card).guest(guest))
}

#[test]
fn sessions_are_made_in_full_and_resumed_with_each_key_and_version() {
    let pki = Pki::new();
    let chain = with_both_keys(&pki);
    for identity in ["9a", "9e"] {
        for version in [&TLS12, &TLS13] {
            let credential = pki.server(NAME, P256);
            let server = TlsServer::start(&pki, &credential, version, echo);
            let (resumed, _) = converse(&chain, server.port(), identity);
            assert!(!resumed, "{identity} {version:?}");
            // The ticket of TLS 1.3 is on its way through the guest.
            wait::until("a session that is resumed", || {
                let (resumed, card_ms) = converse(&chain, server.port(), identity);
                resumed.then(|| assert_eq!(card_ms, 0, "no card is asked"))
            });
        }
    }
    // The card was taken for full handshakes, and nothing else is on record as that.
    let opened = chain.audited("session-opened").len();
    let full = chain.audited("session-established");
    let full = full.iter().filter(|record| record["abbreviated"] == false);
    assert_eq!(opened, full.count());
}

#[test]
fn openssl_sees_the_certificate_of_the_slot_and_resumes() {
    let pki = Pki::new();
    let chain = with_both_keys(&pki);
    let credential = pki.server(NAME, Rsa2048);
    for (identity, key) in [("9a", "RSA"), ("9e", "ECDSA")] {
        let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
        for (number, resumed) in [false, true].into_iter().enumerate() {
            let mut wish = request(server.port(), NAME);
            wish.identity = Some(identity.to_owned());
            let mut session = chain.guest("web01").ask(wish).expect("a session");
            session.send(&payload(10));
            assert_eq!(server.receive(10), payload(10));
            session.close();
            assert_eq!(server.report(number).reused, resumed, "{key}");
        }
        let server = OpensslServer::start(&pki, &ServerPlan::new(&credential).tls13());
        let mut wish = request(server.port(), NAME);
        wish.identity = Some(identity.to_owned());
        let session = chain.guest("web01").ask(wish).expect("a session");
        assert_eq!(session.established.version, "TLS 1.3");
        session.close();
    }
}

#[test]
fn certificates_between_the_cards_and_the_one_that_servers_know_are_sent_along() {
    let pki = Pki::new();
    let card = CardPlan::piv("se-00").identity("9a", P256);
    let guest = GuestPlan::new("web01").bound("se-00", "9a");
    let plan = ChainPlan::new()
        .card(card.below_intermediate())
        .guest(guest);
    let chain = Chain::start(&pki, &plan);
    // It knows the root alone.
    let credential = pki.server(NAME, P256);
    for plan in [
        ServerPlan::new(&credential),
        ServerPlan::new(&credential).tls13(),
    ] {
        let server = OpensslServer::start(&pki, &plan);
        chain.guest("web01").converse(&server, NAME);
    }
}

#[test]
fn a_server_that_is_not_trusted_gets_no_signature() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &ChainPlan::single_piv(P256));
    let foreign = pki.foreign_server(NAME, P256);
    for plan in [ServerPlan::new(&foreign), ServerPlan::new(&foreign).tls13()] {
        let server = OpensslServer::start(&pki, &plan);
        let no = chain.guest("web01").connect(server.port(), NAME);
        let no = no.expect_err("another CA");
        assert_eq!(no.code, "peer-untrusted", "{no}");
    }
    assert!(
        chain.audited("session-opened").is_empty(),
        "the card was asked"
    );
}

#[test]
fn guests_that_share_a_card_resume_their_own_sessions_only() {
    let pki = Pki::new();
    let card = CardPlan::piv("se-00")
        .identity("9a", P256)
        .identity("9d", P256);
    let plan = ChainPlan::new()
        .card(card)
        .guest(GuestPlan::new("web01").bound("se-00", "9a"))
        .guest(GuestPlan::new("web02").bound("se-00", "9d"));
    let chain = Chain::start(&pki, &plan);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&pki.server(NAME, P256)));
    for (number, (guest, resumed)) in [
        ("web01", false),
        ("web02", false),
        ("web01", true),
        ("web02", true),
    ]
    .into_iter()
    .enumerate()
    {
        chain.guest(guest).converse(&server, NAME);
        assert_eq!(server.report(number).reused, resumed, "{guest}");
    }
}

#[test]
fn a_card_that_was_away_has_nothing_to_resume() {
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &ChainPlan::single_piv(P256));
    let server = OpensslServer::start(&pki, &ServerPlan::new(&pki.server(NAME, P256)));
    chain.guest("web01").converse(&server, NAME);
    chain.pull_card();
    chain.wait_card("absent");
    let no = chain.guest("web01").connect(server.port(), NAME);
    assert_eq!(no.expect_err("no card").code, "no-card");
    chain.plug_card_in();
    chain.wait_card("present");
    chain.guest("web01").converse(&server, NAME);
    let reused: Vec<bool> = server
        .reports()
        .iter()
        .map(|report| report.reused)
        .collect();
    assert_eq!(reused.last(), Some(&false));
}

#[test]
fn a_pool_of_cards_serves_on_when_one_of_them_leaves() {
    let pki = Pki::new();
    let plan = ChainPlan::new()
        .card(CardPlan::piv("se-00").identity("9a", P256))
        .card(CardPlan::piv("se-01").identity("9a", P256))
        .guest(
            GuestPlan::new("web01")
                .bound("se-00", "9a")
                .bound("se-01", "9a"),
        );
    let mut chain = Chain::start(&pki, &plan);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&pki.server(NAME, P256)));
    chain.guest("web01").converse(&server, NAME);
    let used = |chain: &Chain| {
        let records = chain.audited("session-established");
        let seids = records.iter().map(|record| record["seid"].to_string());
        seids.collect::<Vec<String>>()
    };
    let first = used(&chain)[0].clone();
    // The card that was used is in the first reader or in the second.
    let number = usize::from(first.contains("se-01"));
    chain.cards()[number].kill();
    wait::until("the other card is used", || {
        let session = chain.guest("web01").connect(server.port(), NAME).ok()?;
        session.close();
        used(&chain).last().filter(|last| **last != first).map(drop)
    });
}

/// More than the threads that a runtime lends for what waits, unless it is told otherwise.
const CROWD: u32 = 560;

#[test]
fn a_crowd_that_waits_for_one_card_stops_no_handshake_of_another() {
    let pki = Pki::new();
    let slow = CardPlan::piv("se-00").identity("9a", P256);
    let slow = slow.options(&["--timing", "paper"]);
    let idle = CardPlan::piv("se-01").identity("9a", P256);
    let plan = ChainPlan::new().card(slow).card(idle);
    let plan = plan.guest(GuestPlan::new("crowd").bound("se-00", "9a"));
    let plan = plan.guest(GuestPlan::new("web01").bound("se-01", "9a"));
    let places = u64::from(CROWD) + 10;
    let plan = plan.limit("queue_per_card", places);
    let plan = plan.limit("handshakes_per_domain", places);
    let chain = Chain::start(&pki, &plan.limit("sessions_per_domain", places));

    let config = tls_server::config(&pki, &pki.server(NAME, P256), &TLS12);
    let config = std::sync::Arc::new(config);
    let mut crowd = RogueGuest::admitted(&chain.door("crowd"));
    for session in 1..=CROWD {
        crowd.send(&open(session, NAME));
        let hello = loop {
            match crowd.receive() {
                Some(Dom0Message::ClientRecords(records)) if records.session.0 == session => {
                    break records.data;
                }
                // Of those that are ahead of it.
                Some(Dom0Message::ClientRecords(_) | Dom0Message::Queued(_)) => {}
                other => panic!("no ClientHello: {other:?}"),
            }
        };
        let mut server = ServerConnection::new(config.clone()).expect("a good configuration");
        server
            .read_tls(&mut hello.as_slice())
            .expect("a ClientHello");
        server.process_new_packets().expect("a good one");
        let mut flight = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut flight).expect("room");
        }
        crowd.send(&server_records(session, &flight));
    }
    let waiting = || {
        let shown = chain.admin(&["queue", "show", "--json"]);
        let queues: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("JSON");
        let queues = queues.as_array().expect("one for each card").clone();
        let slow = queues.into_iter().find(|queue| queue["seid"] == "se-00");
        slow.expect("the slow card")["waiting"]
            .as_array()
            .expect("a list")
            .len()
    };
    wait::until("all of them at the card", || {
        (waiting() > 520).then_some(())
    });
    let server = TlsServer::start(&pki, &pki.server(NAME, P256), &TLS12, echo);
    for _ in 0..3 {
        let mut wish = request(server.port(), NAME);
        wish.resume = Some(false);
        chain.guest("web01").ask(wish).expect("a session").close();
    }
    assert!(waiting() > 512, "they had to wait all the time");
    // The guest leaves, and nobody waits any more.
    drop(crowd);
    wait::until("an empty queue", || (waiting() == 0).then_some(()));
}
