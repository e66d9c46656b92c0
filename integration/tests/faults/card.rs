//! A card that misbehaves, or whose PIN is not what it should be.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use domu_agent::client::AppError;
use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, request};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};
use integration::wait;
use serde_json::Value;

use KeyKind::P256;

use crate::NAME;

/// Fault, the command from which on it happens, and what the operator reads of it. The last two make
/// the middleware send a thousand commands before it gives up.
const FAULTS: [(&str, u32, &[&str]); 10] = [
    ("wrong-eap-id", 120, &["identifier"]),
    ("wrong-eap-length", 240, &["EAP"]),
    ("wrong-eap-type", 360, &["method 04 instead of EAP-TLS"]),
    ("nak", 480, &["NAK, no identity is set"]),
    // A card that goes step by step answers like this as well, and is asked on.
    (
        "empty-9000",
        601,
        &[
            "success",
            "the card refused",
            "no flight",
            "does not export",
            "bytes needed",
        ],
    ),
    ("short-key-block", 720, &["a key block of"]),
    ("other-suite", 840, &["the card reports"]),
    (
        "other-certificate",
        960,
        &["another certificate than the identity's"],
    ),
    ("endless-9f", 1_080, &["not complete after"]),
    ("loop-61", 2_400, &["not complete after"]),
];

#[test]
fn each_way_to_misbehave_is_named_and_costs_one_session_of_tls12() {
    misbehave(false);
}

#[test]
fn each_way_to_misbehave_is_named_and_costs_one_session_of_tls13() {
    misbehave(true);
}

fn misbehave(is_tls13: bool) {
    let pki = Pki::new();
    let mut card = CardPlan::new("se-00")
        .identity("web-a", P256)
        .identity("spare", P256);
    for (fault, at, _) in FAULTS {
        card = card.options(&["--fault", &format!("{fault}@{at}")]);
    }
    let plan = ChainPlan::new()
        .card(card)
        .card(CardPlan::new("se-01").identity("web-b", P256))
        .guest(GuestPlan::new("guest-a").bound("se-00", "web-a"))
        .guest(GuestPlan::new("guest-b").bound("se-01", "web-b"));
    let chain = Chain::start(&pki, &plan);
    let credential = pki.server(NAME, P256);
    let plan = ServerPlan::new(&credential);
    let server = OpensslServer::start(&pki, &if is_tls13 { plan.tls13() } else { plan });
    let connect = |guest: &str| -> Result<(), AppError> {
        let mut wish = request(server.port(), NAME);
        wish.resume = Some(false);
        chain.guest(guest).ask(wish).map(|session| session.close())
    };
    for (fault, _, reasons) in FAULTS {
        let error = (0..2_000).find_map(|_| connect("guest-a").err());
        let error = error.unwrap_or_else(|| panic!("{fault} did not happen"));
        let reason = last_refusal(&chain);
        let is_blamed = error.code == "card-failed" || fault == "empty-9000";
        assert!(is_blamed, "{fault}: {error}: {reason}");
        assert!(
            reasons.iter().any(|part| reason.contains(part)),
            "{fault}: {reason}"
        );

        connect("guest-b").expect("its card is well");
        wait::until("the card is back", || connect("guest-a").ok());
    }
    connect("guest-a").expect("no fault is left");
    assert!(!chain.audit().is_empty());
}

/// Kinds that can befall any command.
const ANYWHERE: [&str; 4] = ["garbage", "truncated", "wrong-sw", "reset"];
/// Commands from one fault to the next. That is no multiple of what a session takes, so they come at
/// one step after the other; and enough for the card to be ready again before the next.
const STRIDE: usize = 101;
/// Faults of each kind.
const EACH: usize = 24;

#[test]
fn at_whatever_command_a_card_fails_the_next_session_works_in_tls12() {
    fail_anywhere(false);
}

#[test]
fn at_whatever_command_a_card_fails_the_next_session_works_in_tls13() {
    fail_anywhere(true);
}

fn fail_anywhere(is_tls13: bool) {
    let pki = Pki::new();
    let mut card = CardPlan::new("se-00").identity("web01", P256);
    let kinds = ANYWHERE.iter().cycle().take(ANYWHERE.len() * EACH);
    for (number, kind) in (1..).zip(kinds) {
        card = card.options(&["--fault", &format!("{kind}@{}", number * STRIDE)]);
    }
    let guest = GuestPlan::new("web01").bound("se-00", "web01");
    let mut chain = Chain::start(&pki, &ChainPlan::new().card(card).guest(guest));
    let credential = pki.server(NAME, P256);
    let plan = ServerPlan::new(&credential);
    let server = OpensslServer::start(&pki, &if is_tls13 { plan.tls13() } else { plan });
    let happened = |chain: &mut Chain| {
        let [card] = chain.cards() else {
            panic!("one card")
        };
        card.log().matches(" fault ").count()
    };
    let connect = |chain: &Chain| {
        let mut wish = request(server.port(), NAME);
        wish.resume = Some(false);
        chain.guest("web01").ask(wish)
    };
    while happened(&mut chain) < ANYWHERE.len() * EACH {
        let before = happened(&mut chain);
        match connect(&chain) {
            Ok(mut session) if happened(&mut chain) == before => {
                session.send(&payload(20));
                assert_eq!(server.receive(20), payload(20));
                session.close();
            }
            // It may have come when the keys were out, or made keys that are none.
            Ok(_) => {}
            Err(no) => {
                let is_named = ["card-failed", "handshake-failed"].contains(&&*no.code);
                assert!(is_named, "{no}: {}", last_refusal(&chain));
            }
        }
        wait::until("the card works", || connect(&chain).ok()).close();
    }
    assert_eq!(tries(&chain), 3);
    assert!(!chain.audit().is_empty());
}

/// Why the first guest was told no, in full.
fn last_refusal(chain: &Chain) -> String {
    let output = chain.admin(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let refusals = status["refusals"].as_array().expect("a list");
    let own = refusals.iter().find(|refusal| refusal["domid"] == 1);
    let reason = own.and_then(|refusal| refusal["reason"].as_str());
    reason.expect("there was one").to_owned()
}

/// What a chain of one card and one guest is told when it asks for a session.
fn no(chain: &Chain, port: u16) -> AppError {
    let no = chain.guest("web01").connect(port, NAME);
    no.expect_err("the card cannot be used")
}

#[test]
fn a_wrong_pin_file_costs_one_try_however_often_the_service_starts() {
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &ChainPlan::single(P256));
    let server = OpensslServer::start(&pki, &ServerPlan::new(&pki.server(NAME, P256)));
    let right = fs::read_to_string(chain.pin_file("se-00")).expect("it was written");
    fs::write(chain.pin_file("se-00"), "4321\n").expect("a writable folder");
    for _ in 0..3 {
        chain.restart_middleware();
        chain.wait_card("unusable");
        let error = wait::until("the guest is told", || {
            let no = no(&chain, server.port());
            eprintln!("{no}");
            (no.code == "pin-required").then_some(no)
        });
        assert_eq!(tries(&chain), 2, "{error}");
        assert_eq!(pin_status(&chain), "failed");
    }
    chain.middleware().kill();
    chain.restart_after_kill();
    chain.wait_card("unusable");
    assert_eq!(tries(&chain), 2, "not after kill -9 either");

    fs::write(chain.pin_file("se-00"), right).expect("a writable folder");
    chain.wait_card("present");
    let session = wait::until("the card works", || {
        chain.guest("web01").connect(server.port(), NAME).ok()
    });
    session.close();
    assert_eq!(tries(&chain), 3);
    assert_eq!(pin_status(&chain), "ok");
}

#[test]
fn the_last_try_of_a_pin_is_not_spent_and_a_blocked_one_not_tried() {
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &ChainPlan::single(P256));
    let server = OpensslServer::start(&pki, &ServerPlan::new(&pki.server(NAME, P256)));
    for left in [1, 0] {
        chain.pull_card();
        set_tries(&chain, left);
        chain.plug_card_in();
        chain.wait_card("unusable");
        let error = wait::until("the guest is told", || {
            let no = no(&chain, server.port());
            (no.code == "pin-blocked").then_some(no)
        });
        assert_eq!(tries(&chain), left, "{error}");
    }
    chain.pull_card();
    set_tries(&chain, 3);
    chain.plug_card_in();
    let session = wait::until("the card works", || {
        chain.guest("web01").connect(server.port(), NAME).ok()
    });
    session.close();
}

/// What `card show` says of the PIN. To an EAP-TLS card VERIFY without a PIN would cost a try, so all
/// tests of its counter show that there was none.
fn pin_status(chain: &Chain) -> String {
    let output = chain.admin(&["card", "show", "se-00", "--json"]);
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let state = shown["pin_status"]["state"].as_str();
    state.unwrap_or_else(|| panic!("{shown}")).to_owned()
}

fn tries(chain: &Chain) -> u64 {
    chain.pin_tries("se-00")
}

fn set_tries(chain: &Chain, left: u64) {
    let before = format!("tries = {}", tries(chain));
    let text = fs::read_to_string(pins(chain)).expect("a card has it");
    // The operator PIN has ten.
    let text = text.replace(&format!("{before}\n"), &format!("tries = {left}\n"));
    fs::write(pins(chain), text).expect("nobody uses it");
    assert_eq!(tries(chain), left);
}

fn pins(chain: &Chain) -> PathBuf {
    chain.folder().join("se-00.card").join("pins.toml")
}

#[test]
fn a_card_that_is_reset_while_it_is_opened_is_opened_again() {
    /// A card with one identity takes fewer.
    const COMMANDS: usize = 14;
    let pki = Pki::new();
    let interrupted = AtomicUsize::new(0);
    thread::scope(|scope| {
        for first in 1..=2 {
            let (pki, interrupted) = (&pki, &interrupted);
            scope.spawn(move || {
                let mut chain = Chain::start(pki, &ChainPlan::single(P256));
                for at in (first..=COMMANDS).step_by(2) {
                    chain.pull_card();
                    chain.wait_card("absent");
                    chain.plug_card_in_with(&["--fault", &format!("reset@{at}")]);
                    let is_present = wait::until("the card is opened, or needs somebody", || {
                        let output = chain.admin(&["card", "list", "--json"]);
                        let cards: Value = serde_json::from_slice(&output.stdout).ok()?;
                        let why = cards[0]["why"].as_str().unwrap_or_default();
                        match why.contains("not tried again") {
                            true => Some(false),
                            false => (cards[0]["state"] == "present").then_some(true),
                        }
                    });
                    if !is_present {
                        interrupted.fetch_add(1, Ordering::SeqCst);
                        assert_eq!(pin_status(&chain), "pending");
                        let pin = chain.pin_file("se-00");
                        let pin = pin.to_str().expect("UTF-8");
                        let output = chain.admin(&["card", "pin", "se-00", "--pin-file", pin]);
                        assert!(output.status.success(), "{output:?}");
                        chain.wait_card("present");
                    }
                    assert_eq!(tries(&chain), 3);
                }
            });
        }
    });
    let interrupted = interrupted.into_inner();
    assert_eq!(
        interrupted, 1,
        "VERIFY alone leaves it open what became of the PIN"
    );
}
