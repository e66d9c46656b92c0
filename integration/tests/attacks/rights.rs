//! Keys and connections after the right to them has ended.

use std::io::Read;
use std::time::{Duration, Instant};

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use integration::fake_clock::FakeClock;
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};
use integration::rogue_guest::{RogueGuest, server_records};
use integration::wait;
use proto::agent::{Dom0Message, RefusalCode};
use proto::token::decode;

use crate::{NAME, admin};

/// A guest that only the test binds, and a neighbour on the same card.
fn host(pki: &Pki) -> Chain {
    let card = CardPlan::new("se-00")
        .identity("rogue", KeyKind::P256)
        .identity("neighbour", KeyKind::P256);
    let plan = ChainPlan::new()
        .card(card)
        .guest(
            GuestPlan::new("rogue")
                .bound("se-00", "rogue")
                .not_yet_bound(),
        )
        .guest(GuestPlan::new("neighbour").bound("se-00", "neighbour"));
    Chain::start(pki, &plan)
}

fn bind(chain: &Chain) {
    let trust = chain.folder().join("ca.pem");
    let trust = trust.to_str().expect("text");
    let bind = [
        "vm",
        "bind",
        "rogue",
        "--card",
        "se-00",
        "--identity",
        "rogue",
    ];
    admin(
        chain,
        &[&bind[..], &["--trust", trust, "--shared"]].concat(),
    );
    wait::until("the guest is let in", || {
        let dom0 = chain.guest("rogue").client().status().ok()?.dom0;
        dom0.connected.then_some(())
    });
}

fn server(pki: &Pki) -> OpensslServer {
    OpensslServer::start(pki, &ServerPlan::new(&pki.server(NAME, KeyKind::P256)))
}

#[test]
fn a_binding_removed_in_a_handshake_gives_no_key() {
    let pki = Pki::new();
    let chain = host(&pki);
    bind(&chain);
    let mut rogue = RogueGuest::admitted(&chain.door("rogue"));
    let _ = rogue.start_handshake(1, NAME);
    admin(&chain, &["vm", "unbind", "rogue"]);
    let mut refused = false;
    let mut revoked = false;
    while !(refused && revoked) {
        match rogue.receive().expect("it stays connected") {
            Dom0Message::Refused(no) => {
                assert_eq!(no.code, RefusalCode::NotBound);
                refused = true;
            }
            Dom0Message::Revoked { code } => {
                assert_eq!(code, RefusalCode::NotBound);
                revoked = true;
            }
            Dom0Message::Ping => {}
            other => panic!("{other:?}"),
        }
    }
    // What the server says now comes to nothing.
    rogue.send(&server_records(1, &[0x16, 3, 3, 0, 1, 2]));
    assert!(chain.audited("session-established").is_empty());
    chain.guest("neighbour").converse(&server(&pki), NAME);
}

#[test]
fn revoking_a_token_ends_the_connections_made_with_it_at_once_and_no_others() {
    let pki = Pki::new();
    let chain = host(&pki);
    bind(&chain);
    let (other, server) = (server(&pki), server(&pki));
    let mut standing = chain
        .guest("neighbour")
        .connect(other.port(), NAME)
        .expect("a session");
    let mut times = Vec::new();
    for _ in 0..5 {
        let mut session = chain
            .guest("rogue")
            .connect(server.port(), NAME)
            .expect("a session");
        let token = chain.door("rogue").token;
        let (_, claims) = decode(&token).expect("it was issued");
        let cti: String = claims
            .cti
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let begun = Instant::now();
        admin(&chain, &["token", "revoke", &cti]);
        let mut bytes = Vec::new();
        // Cut off, in one way or the other.
        let _ = session.stream.read_to_end(&mut bytes);
        times.push(begun.elapsed());
        let no = chain
            .guest("rogue")
            .connect(server.port(), NAME)
            .expect_err("no right");
        assert_eq!(no.code, "token-revoked", "{no}");
        chain.issue_tokens();
        wait::until("the agent shows its new token", || {
            chain
                .guest("rogue")
                .connect(server.port(), NAME)
                .ok()
                .map(drop)
        });
    }
    println!("from the command to the end of the connection: {times:?}");
    standing.send(&payload(10));
    assert_eq!(other.receive(10), payload(10), "what stands goes on");
    let ended = chain.audited("right-ended");
    assert_eq!(ended.len(), 5, "{ended:?}");
    let slowest = times.iter().max().expect("five");
    // The bound is 100 ms; a test machine may be busy.
    assert!(*slowest < Duration::from_secs(5), "{times:?}");
}

#[test]
fn unbinding_ends_connections_and_says_so_to_the_application() {
    let pki = Pki::new();
    let chain = host(&pki);
    bind(&chain);
    let server = server(&pki);
    let mut session = chain
        .guest("rogue")
        .connect(server.port(), NAME)
        .expect("a session");
    admin(&chain, &["vm", "unbind", "rogue"]);
    let mut bytes = Vec::new();
    let _ = session.stream.read_to_end(&mut bytes);
    let ended = chain
        .guest("rogue")
        .client()
        .ended(session.established.session);
    let ended = ended.expect("the agent remembers");
    assert!(format!("{ended:?}").contains("not-bound"), "{ended:?}");
    bind(&chain);
    chain.guest("rogue").converse(&server, NAME);
}

#[test]
fn a_token_whose_time_is_over_ends_what_was_made_with_it() {
    let Some(clock) = FakeClock::new() else {
        return;
    };
    let pki = Pki::new();
    let plan = ChainPlan::single(KeyKind::P256).started_by(&clock.starter());
    let chain = Chain::start(&pki, &plan);
    let server = server(&pki);
    let mut session = chain
        .guest("web01")
        .connect(server.port(), NAME)
        .expect("a session");
    // A token is good for thirty days unless somebody says otherwise.
    clock.set("+31d");
    let no = chain.guest("web01").connect(server.port(), NAME);
    assert_eq!(no.expect_err("its time is over").code, "token-expired");
    let mut bytes = Vec::new();
    let _ = session.stream.read_to_end(&mut bytes);
    // The agent ends it as soon as it hears the no.
    let ended = wait::until("the end of the right on record", || {
        let ended = chain.audited("right-ended");
        (!ended.is_empty()).then_some(ended)
    });
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(ended[0]["code"], "token-expired");
    clock.set("+0");
    chain.guest("web01").converse(&server, NAME);
}
