//! `kill -9` of the middleware at any moment, while guests ask for one session after the other.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use integration::at_end::AtEnd;
use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, request};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::pki::{KeyKind, Pki};
use integration::wait;
use rand::Rng;
use serde_json::Value;

use crate::NAME;

/// How often, unless [`KILLS`] says otherwise.
const FEW: usize = 10;
/// An environment variable; `.ci/run` asks for a hundred.
const KILLS: &str = "TESSERA_KILLS";
/// The longest that a middleware lives: it dies while cards are opened and verified, and in all
/// states of a handshake.
const LIFE: Duration = Duration::from_millis(250);
/// Each has a card and a guest of its own.
const NAMES: [&str; 3] = ["web-a", "web-b", "web-c"];

#[test]
fn killed_at_any_moment_it_comes_up_again_and_nothing_is_lost() {
    let kills = std::env::var(KILLS).map_or(FEW, |text| text.parse().expect("a number"));
    let pki = Pki::new();
    let plan = NAMES.iter().fold(ChainPlan::new(), |plan, name| {
        let card = CardPlan::new(&format!("se-{name}")).identity(name, KeyKind::P256);
        let guest = GuestPlan::new(name).bound(&format!("se-{name}"), name);
        plan.card(card).guest(guest)
    });
    let mut chain = Chain::start(&pki, &plan);
    let credential = pki.server(NAME, KeyKind::P256);
    let clients = NAMES.map(|name| chain.guest(name).client().clone());
    let done = AtomicBool::new(false);
    let sessions = NAMES.map(|_| AtomicUsize::new(0));
    let mut unsure = 0;
    thread::scope(|scope| {
        for (client, sessions) in clients.iter().zip(&sessions) {
            let (pki, credential, done) = (&pki, &credential, &done);
            scope.spawn(move || {
                let server =
                    OpensslServer::start(pki, &ServerPlan::new(credential).both_versions());
                while !done.load(Ordering::SeqCst) {
                    let mut wish = request(server.port(), NAME);
                    wish.resume = Some(false);
                    match client.connect(wish) {
                        Ok(_) => drop(sessions.fetch_add(1, Ordering::SeqCst)),
                        // It is down, or was killed in the middle.
                        Err(_) => thread::park_timeout(Duration::from_millis(2)),
                    }
                }
            });
        }
        let _end = AtEnd(&done);
        for kill in 0..kills {
            let life = LIFE.mul_f64(rand::thread_rng().r#gen::<f64>());
            // Any moment will do; there is nothing to wait for.
            thread::park_timeout(life);
            chain.middleware().kill();
            chain.restart_after_kill();
            if kill % 5 == 4 {
                unsure += all_work(&mut chain, &sessions);
            }
        }
        unsure += all_work(&mut chain, &sessions);
    });
    chain.middleware().expect_running();

    let records = chain.audit();
    let count = |event: &str| {
        records
            .iter()
            .filter(|record| record["event"] == event)
            .count()
    };
    assert!(count("service-started") <= kills + 1);
    for name in NAMES {
        let tries = chain.pin_tries(&format!("se-{name}"));
        assert_eq!(tries, 3, "{name}: no wrong PIN was tried");
    }
    let made: usize = sessions
        .iter()
        .map(|sessions| sessions.load(Ordering::SeqCst))
        .sum();
    assert!(
        count("session-established") >= made,
        "no key left without a record"
    );
    eprintln!(
        "{kills} kills, {made} sessions, {} lines torn, {unsure} times card pin",
        count("recovered")
    );
}

/// Waits until each guest has made one more session, and how often the operator was needed: a card
/// whose VERIFY the kill has interrupted is not sent its PIN again before somebody says so.
fn all_work(chain: &mut Chain, sessions: &[AtomicUsize]) -> usize {
    let before: Vec<usize> = sessions.iter().map(|n| n.load(Ordering::SeqCst)).collect();
    let mut unsure = 0;
    wait::until("all guests get sessions again", || {
        chain.middleware().expect_running();
        let output = chain.admin(&["card", "list", "--json"]);
        let cards: Value = serde_json::from_slice(&output.stdout).ok()?;
        for card in cards.as_array().expect("a list") {
            let is_spent = |why: &Value| {
                why.as_str()
                    .is_some_and(|why| why.contains("not tried again"))
            };
            if is_spent(&card["why"]) {
                let seid = card["seid"].as_str().expect("a name");
                let file = chain.pin_file(seid);
                let arguments = [
                    "card",
                    "pin",
                    seid,
                    "--pin-file",
                    file.to_str().expect("UTF-8"),
                ];
                unsure += usize::from(chain.admin(&arguments).status.success());
            }
        }
        let now = sessions.iter().map(|n| n.load(Ordering::SeqCst));
        before
            .iter()
            .zip(now)
            .all(|(before, now)| *before < now)
            .then_some(())
    });
    unsure
}
