//! Keys that are soon used up, over the whole chain at both doors.

use std::io::{Read, Write};
use std::sync::mpsc;

use domu_agent::client::{Ending, was_cut_short};
use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};
use integration::tls_server::TlsServer;
use rustls::version::TLS12;

use KeyKind::P256;

const NAME: &str = "www.example";
/// After so many records a key is used up.
const RECORDS: usize = 64;
/// More than such a key can seal.
const TOO_MUCH: usize = 3 * RECORDS * 16_384;

/// A host whose guests have short-lived keys: one with an EAP-TLS card, one with a PIV card.
fn start(pki: &Pki) -> Chain {
    let short_lived = |name: &str, seid: &str, identity: &str| {
        let guest = GuestPlan::new(name).bound(seid, identity);
        guest.agent_config(&format!("records_per_key = {RECORDS}\n"))
    };
    let plan = ChainPlan::new()
        .card(CardPlan::new("se-00").identity("web01", P256))
        .card(CardPlan::piv("se-01").identity("9a", P256))
        .guest(short_lived("web01", "se-00", "web01"))
        .guest(short_lived("web02", "se-01", "9a"));
    Chain::start(pki, &plan)
}

#[test]
fn openssl_follows_every_change_of_keys_and_makes_those_it_is_asked_for() {
    let pki = Pki::new();
    let chain = start(&pki);
    let credential = pki.server(NAME, P256);
    for guest in ["web01", "web02"] {
        let server = OpensslServer::start(&pki, &ServerPlan::new(&credential).tls13());
        let session = chain.guest(guest).connect(server.port(), NAME);
        let mut session = session.expect("a session");
        let data = payload(TOO_MUCH);
        session.send(&data);
        assert!(server.receive(TOO_MUCH) == data, "{guest}");
        // One record each way at a time: a server hears in time that its key is nearly used up.
        for _ in 0..2 * RECORDS {
            server.send(&payload(40));
            assert_eq!(session.read(40), payload(40), "{guest}");
            session.send(&payload(20));
            assert_eq!(server.receive(20), payload(20), "{guest}");
        }
        session.close();
    }
}

#[test]
fn tls12_ends_in_order_before_its_limit_and_the_application_learns_why() {
    let pki = Pki::new();
    let chain = start(&pki);
    let (tell, told) = mpsc::channel();
    let credential = pki.server(NAME, P256);
    let server = TlsServer::start(&pki, &credential, &TLS12, move |connection| {
        let mut got = Vec::new();
        // An end without close_notify is an error here.
        let end = connection.read_to_end(&mut got).map(drop);
        tell.send((got, end)).expect("the test waits");
        Ok(())
    });
    for guest in ["web01", "web02"] {
        let guest = chain.guest(guest);
        let mut session = guest.connect(server.port(), NAME).expect("a session");
        let data = payload(TOO_MUCH);
        session.stream.write_all(&data).expect_err("one key only");
        assert!(session.read_to_end().is_empty());
        assert!(was_cut_short(&session.stream));
        let ended = guest.client().ended(session.established.session);
        let ended = ended.expect("the agent remembers");
        assert_eq!(ended.how, Ending::KeyUsedUp, "{}", ended.message);
        let (got, end) = told.recv().expect("the server's word");
        end.expect("close_notify");
        assert!(!got.is_empty() && data.starts_with(&got), "{}", got.len());
        // With the keys of its own the next one begins anew.
        let mut session = guest.connect(server.port(), NAME).expect("a session");
        session.send(b"on");
        session.close();
        assert_eq!(told.recv().expect("the server's word").0, b"on");
    }
}
