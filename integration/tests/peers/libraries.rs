//! Sessions with each library, in full and resumed.

use integration::peer::{Peer, PeerPlan, PeerReport, Program};
use integration::pki::{KeyKind, Pki};

use crate::NAME;
use crate::door::{self, DOORS};
use crate::outcome::Outcome;
use KeyKind::{P256, Rsa2048};

/// Key of the server, key of the card.
type Keys = [(KeyKind, KeyKind); 2];

const OTHER_KEYS: Keys = [(Rsa2048, P256), (P256, Rsa2048)];
const SAME_KEYS: Keys = [(Rsa2048, Rsa2048), (P256, P256)];

#[test]
fn wolfssl_sees_the_certificate_and_resumes_tls12() {
    sessions(Program::WolfSsl, "1.2", SAME_KEYS);
}

#[test]
fn wolfssl_sees_the_certificate_and_resumes_tls13() {
    sessions(Program::WolfSsl, "1.3", OTHER_KEYS);
}

#[test]
fn mbedtls_sees_the_certificate_and_resumes_tls12() {
    sessions(Program::MbedTls, "1.2", OTHER_KEYS);
}

#[test]
fn tlslite_ng_sees_the_certificate_and_resumes_tls12() {
    sessions(Program::TlsliteNg, "1.2", OTHER_KEYS);
}

#[test]
fn tlslite_ng_sees_the_certificate_and_resumes_tls13() {
    sessions(Program::TlsliteNg, "1.3", OTHER_KEYS);
}

/// In TLS 1.2 a wolfSSL server with an ECDSA key asks for nothing but ECDSA.
#[test]
fn a_server_that_takes_no_key_of_this_kind_is_told_from_a_card_that_fails() {
    let pki = Pki::new();
    let chain = door::start(&pki);
    let credential = pki.server(NAME, P256);
    let peer = Peer::start(&PeerPlan::new(Program::WolfSsl, &pki, &credential, "1.2"));
    for door in &DOORS {
        let outcome = Outcome::of(door, &chain, door.ask(&chain, peer.port(), Rsa2048));
        let message = "the server takes no signature that the card's key can make";
        assert_eq!(outcome, Outcome::handshake_failed(message));
        assert!(!door.converse(&chain, peer.port(), P256).abbreviated);
    }
}

/// At each door with each key: in full, then resumed where the door does that.
fn sessions(program: Program, version: &'static str, keys: Keys) {
    if !program.is_there() {
        return;
    }
    let pki = Pki::new();
    let chain = door::start(&pki);
    for (door, (server_key, card_key)) in door::each(keys) {
        let credential = pki.server(NAME, server_key);
        let peer = Peer::start(&PeerPlan::new(program, &pki, &credential, version));
        let port = peer.port();
        let full = PeerReport {
            version: format!("TLSv{version}"),
            resumed: false,
            client: Some(door.certificate(&chain, card_key)),
        };

        let made = door.converse(&chain, port, card_key);
        assert_eq!(made.version, format!("TLS {version}"));
        assert!(!made.abbreviated);
        assert_eq!(peer.report(0), full);
        assert_eq!(peer.line("closed", 0), "in order");

        match version {
            "1.2" => assert!(door.converse(&chain, port, card_key).abbreviated),
            _ if door.resumes_tls13 => door.converse_until_resumed(&chain, port, card_key),
            _ => {
                assert!(!door.converse(&chain, port, card_key).abbreviated);
                assert_eq!(peer.report(1), full);
                continue;
            }
        }
        let resumed = peer.reports().pop().expect("just made");
        assert!(resumed.resumed, "{resumed:?}");
        assert_eq!(resumed.version, full.version);
        // Not every library keeps it; none sees another one.
        assert!(resumed.client.is_none() || resumed.client == full.client);
    }
}
