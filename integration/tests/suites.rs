//! Every suite with every kind of key, full and resumed, as the server sees it.

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, request};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};

use KeyKind::{P256, Rsa2048};

const NAME: &str = "www.example";

/// Key of the server, suite, key of the card: each pair of any two columns is there.
const PAIRS: [(KeyKind, &str, KeyKind); 6] = [
    (Rsa2048, "ECDHE-RSA-AES128-GCM-SHA256", Rsa2048),
    (Rsa2048, "ECDHE-RSA-AES256-GCM-SHA384", P256),
    (Rsa2048, "ECDHE-RSA-CHACHA20-POLY1305", Rsa2048),
    (P256, "ECDHE-ECDSA-AES128-GCM-SHA256", P256),
    (P256, "ECDHE-ECDSA-AES256-GCM-SHA384", Rsa2048),
    (P256, "ECDHE-ECDSA-CHACHA20-POLY1305", P256),
];

/// The name that the registry has for OpenSSL's name of a suite.
fn registered(cipher: &str) -> String {
    let name = cipher
        .replace("AES128", "AES_128")
        .replace("AES256", "AES_256")
        .replace("POLY1305", "POLY1305_SHA256")
        .replace('-', "_");
    let name = name.replacen("_AES", "_WITH_AES", 1);
    format!("TLS_{}", name.replacen("_CHACHA", "_WITH_CHACHA", 1))
}

#[test]
fn each_suite_works_with_each_key_full_and_resumed() {
    let pki = Pki::new();
    let card = CardPlan::new("se-00")
        .identity("rsa", Rsa2048)
        .identity("p256", P256);
    let guest = GuestPlan::new("web01")
        .bound("se-00", "rsa")
        .bound("se-00", "p256");
    let chain = Chain::start(&pki, &ChainPlan::new().card(card).guest(guest));
    let guest = chain.guest("web01");

    for (server_key, cipher, card_key) in PAIRS {
        let identity = if card_key == P256 { "p256" } else { "rsa" };
        let credential = pki.server(NAME, server_key);
        let server = OpensslServer::start(&pki, &ServerPlan::new(&credential).cipher(cipher));
        for (number, resumed) in [false, true, true].into_iter().enumerate() {
            let mut wish = request(server.port(), NAME);
            wish.identity = Some(identity.to_owned());
            let mut session = guest.ask(wish).expect(cipher);
            assert_eq!(session.established.version, "TLS 1.2");
            assert_eq!(session.established.cipher_suite, registered(cipher));
            assert_eq!(
                session.established.abbreviated, resumed,
                "{cipher} {number}"
            );

            let report = server.report(number);
            assert_eq!(report.cipher, cipher);
            assert_eq!(report.reused, resumed, "{cipher} {number}");
            assert_eq!(report.client, Some(format!("CN = {identity}")));

            session.send(&payload(100));
            assert_eq!(server.receive(100), payload(100), "{cipher} {number}");
            server.send(&payload(200));
            assert_eq!(session.read(200), payload(200), "{cipher} {number}");
            session.close();
        }
    }

    let records = chain.audited("session-established");
    let resumed = records
        .iter()
        .filter(|record| record["abbreviated"] == true)
        .count();
    assert_eq!((records.len(), resumed), (3 * PAIRS.len(), 2 * PAIRS.len()));
}

#[test]
fn a_wish_not_to_resume_is_granted() {
    let (chain, server) = Chain::start_with_server(&ChainPlan::single(P256), NAME);
    for number in 0..2 {
        let mut wish = request(server.port(), NAME);
        wish.resume = Some(false);
        let session = chain.guest("web01").ask(wish).expect("a session");
        assert!(!session.established.abbreviated);
        assert!(!server.report(number).reused);
        session.close();
    }
}
