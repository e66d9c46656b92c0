//! Guests that share a card over vchans, one of which opens sessions without end and finishes none.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use integration::at_end::AtEnd;
use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::pki::{KeyKind, Pki};
use integration::plain_vchan::PlainVchan;
use integration::wait;
use integration::xenstored::Xenstored;

const NAME: &str = "www.example";

/// How long a card waits for the flooding guest while another one wants it, in milliseconds.
const PEER_WAIT: u64 = 500;

/// Applications of the flooding guest, each with one session after the other.
const FLOOD: usize = 12;

fn status(chain: &Chain, key: &str) -> u64 {
    let output = chain.admin(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    status[key].as_u64().expect("a number")
}

#[test]
fn a_guest_that_opens_sessions_without_end_leaves_the_other_its_share_of_the_card() {
    let (xenstored, vchan, pki) = (Xenstored::start(), PlainVchan::new(), Pki::new());
    let card = CardPlan::new("se-00")
        .identity("rogue", KeyKind::P256)
        .identity("quiet", KeyKind::P256);
    let plan = ChainPlan::new()
        .card(card)
        .guest(GuestPlan::new("rogue").bound("se-00", "rogue"))
        .guest(GuestPlan::new("quiet").bound("se-00", "quiet"))
        .limit("peer_wait_ms", PEER_WAIT)
        .limit("peer_wait_alone_ms", PEER_WAIT)
        .as_domains_of(&xenstored)
        .over_vchan(&vchan);
    let mut chain = Chain::start(&pki, &plan);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&pki.server(NAME, KeyKind::P256)));
    // The kernel takes every connection, and nobody ever says a word.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let silent_port = silent.local_addr().expect("bound").port();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        // Also when something fails.
        let end = AtEnd(&is_over);
        let chain = &chain;
        for _ in 0..FLOOD {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    let refused = chain.guest("rogue").connect(silent_port, NAME);
                    assert!(refused.is_err(), "the server says nothing");
                }
            });
        }
        wait::until("the card is held, and the rest of the flood waits", || {
            let waits = status(chain, "waiting") >= FLOOD as u64 / 2;
            (waits && status(chain, "running") == 1).then_some(())
        });
        for _ in 0..4 {
            let begun = Instant::now();
            chain.guest("quiet").converse(&server, NAME);
            println!("a session beside the flood: {:?}", begun.elapsed());
        }
        drop(end);
    });

    // Each session had its turn after one of the flood's: the one that held the card when it came.
    let records = chain.audited("session-established");
    let quiet = records.iter().filter(|record| record["name"] == "quiet");
    let waits: Vec<u64> = quiet
        .map(|record| record["wait_us"].as_u64().expect("a number") / 1_000)
        .collect();
    assert_eq!(waits.len(), 4);
    for wait in &waits {
        assert!(*wait < 3 * PEER_WAIT, "waited {waits:?} ms");
    }
    chain.guest("rogue").converse(&server, NAME);
    chain.middleware().expect_running();
}
