//! PIV cards in a reader: a real `pcscd`, keys of every kind, and cards that fail.

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, request};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pcscd::Pcscd;
use integration::pki::{KeyKind, Pki};
use integration::wiretap::Wiretap;
use serde_json::{Value, json};

const NAME: &str = "www.example";

/// A slot of each kind (PIN once, before each signature, never) and a key of each kind.
const SLOTS: [(&str, KeyKind, &str); 5] = [
    ("9a", KeyKind::Rsa4096, "RSA-4096"),
    ("9c", KeyKind::P256, "P-256"),
    ("9d", KeyKind::Rsa3072, "RSA-3072"),
    ("9e", KeyKind::P384, "P-384"),
    ("82", KeyKind::Rsa2048, "RSA-2048"),
];

/// A connection of `web01` with the key in that slot; the server asks for a signature.
fn connect(chain: &Chain, server: &OpensslServer, slot: &str) {
    let mut wish = request(server.port(), NAME);
    wish.identity = Some(slot.to_owned());
    let session = chain.guest("web01").ask(wish);
    let mut session = session.unwrap_or_else(|refused| panic!("{slot}: {refused}"));
    session.send(&payload(10));
    assert_eq!(server.receive(10), payload(10), "{slot}");
    assert!(!session.established.abbreviated, "{slot}");
    session.close();
}

/// Every key signs in TLS 1.2 and 1.3, whichever protocol the card speaks.
fn every_key_makes_sessions(protocol: &str) {
    let pki = Pki::new();
    let pcscd = Pcscd::start();
    let mut card = CardPlan::piv("se-00").options(&["--protocol", protocol]);
    let mut guest = GuestPlan::new("web01");
    for (slot, key, _) in SLOTS {
        card = card.identity(slot, key);
        guest = guest.bound("se-00", slot);
    }
    let plan = ChainPlan::new().card(card).guest(guest).in_reader(&pcscd);
    let chain = Chain::start(&pki, &plan);
    let shown = chain.admin(&["card", "show", "se-00"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let credential = pki.server(NAME, KeyKind::P256);
    for (slot, _, key) in SLOTS {
        let mut lines = shown.lines();
        let is_its = |line: &str| line.trim_start().starts_with(slot) && line.contains(key);
        assert!(lines.any(is_its), "{slot}: {shown}");
        for plan in [
            ServerPlan::new(&credential),
            ServerPlan::new(&credential).tls13(),
        ] {
            connect(&chain, &OpensslServer::start(&pki, &plan), slot);
        }
        assert_eq!(pin_status(&chain)["state"], "verified", "{slot}");
    }
}

/// What `card show` says of the PIN.
fn pin_status(chain: &Chain) -> Value {
    let output = chain.admin(&["card", "show", "se-00", "--json"]);
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    shown["pin_status"].clone()
}

/// The tries are those that the card shows through a real reader, and a look costs none.
#[test]
fn a_card_in_a_reader_shows_its_tries() {
    let pki = Pki::new();
    for protocol in ["t0", "t1"] {
        let pcscd = Pcscd::start();
        let card = CardPlan::piv("se-00").identity("9a", KeyKind::P256);
        let card = card.options(&["--protocol", protocol]);
        let guest = GuestPlan::new("web01").bound("se-00", "9a");
        let plan = ChainPlan::new().card(card).guest(guest).in_reader(&pcscd);
        let chain = Chain::start(&pki, &plan);
        assert_eq!(pin_status(&chain)["state"], "verified");
        let pin = chain.pin_file("se-00");
        std::fs::write(&pin, "654321\n").expect("writable");
        let pin = pin.to_str().expect("UTF-8");
        let output = chain.admin(&["card", "pin", "se-00", "--pin-file", pin]);
        assert_eq!(output.status.code(), Some(77), "{output:?}");
        for _ in 0..3 {
            let tries = json!({"state": "tries", "left": 2});
            assert_eq!(pin_status(&chain), tries, "{protocol}");
        }
    }
}

#[test]
fn every_key_makes_sessions_over_t1() {
    every_key_makes_sessions("t1");
}

#[test]
fn every_key_makes_sessions_over_t0() {
    every_key_makes_sessions("t0");
}

/// The lengths of what the card has answered so far: on the way to its reader each answer is behind two
/// bytes of length. The daemon asks for the answer to reset now and then, which is no answer to an APDU.
fn answers(wiretap: &Wiretap) -> Vec<usize> {
    const TO_RESET: usize = 11;
    let bytes = wiretap.bytes();
    let mut rest = bytes.as_slice();
    let mut lengths = Vec::new();
    while let [high, low, behind @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(behind) = behind.get(length..) else {
            break;
        };
        rest = behind;
        lengths.push(length);
    }
    lengths.retain(|length| *length != TO_RESET);
    lengths
}

#[test]
fn an_extended_apdu_reaches_a_card_in_a_reader_whole() {
    let pki = Pki::new();
    // A block of 512 bytes to sign: in one APDU, or in three, two of which are answered by SW1 SW2
    // alone. The signature comes in pieces either way.
    let signed = [258, 258, 10];
    for (is_extended, links) in [(true, &[][..]), (false, &[2, 2])] {
        let pcscd = Pcscd::start();
        let wiretap = Wiretap::start(pcscd.port());
        let card = CardPlan::piv("se-00").identity("9a", KeyKind::Rsa4096);
        let card = card.options(&["--protocol", "t1"]);
        let card = match is_extended {
            true => card.extended_length(),
            false => card,
        };
        let guest = GuestPlan::new("web01").bound("se-00", "9a");
        let plan = ChainPlan::new().card(card).guest(guest);
        let chain = Chain::start(&pki, &plan.in_reader_through(&pcscd, &wiretap));
        let credential = pki.server(NAME, KeyKind::P256);
        for plan in [
            ServerPlan::new(&credential),
            ServerPlan::new(&credential).tls13(),
        ] {
            let before = answers(&wiretap).len();
            connect(&chain, &OpensslServer::start(&pki, &plan), "9a");
            let answers = &answers(&wiretap)[before..];
            assert_eq!(answers, [links, &signed].concat(), "{is_extended}");
        }
    }
}

/// A chain whose card is in slot `9a`, with this fault at its first signature.
fn chain_with(pki: &Pki, key: KeyKind, fault: &str) -> Chain {
    let card = CardPlan::piv("se-00").identity("9a", key);
    let card = card.options(&["--fault", fault]);
    let guest = GuestPlan::new("web01").bound("se-00", "9a");
    Chain::start(pki, &ChainPlan::new().card(card).guest(guest))
}

#[test]
fn a_card_that_forgets_its_pin_is_given_it_again() {
    let pki = Pki::new();
    let chain = chain_with(&pki, KeyKind::P256, "pin-forgotten@1");
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    connect(&chain, &server, "9a");
}

#[test]
fn a_wrong_signature_reaches_no_server_and_the_card_serves_on() {
    let pki = Pki::new();
    for key in [KeyKind::Rsa2048, KeyKind::P256] {
        let chain = chain_with(&pki, key, "wrong-signature@1");
        let credential = pki.server(NAME, KeyKind::P256);
        let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
        let refused = chain.guest("web01").connect(server.port(), NAME);
        assert_eq!(refused.expect_err("a wrong signature").code, "card-failed");
        chain.wait_card("present");
        connect(&chain, &server, "9a");
    }
}
