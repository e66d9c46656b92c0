//! The whole chain against GnuTLS, which demands a client certificate.

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, request};
use integration::gnutls::GnutlsServer;
use integration::pki::{KeyKind, Pki};

use KeyKind::{P256, Rsa2048};

const NAME: &str = "www.example";

fn start(pki: &Pki) -> Chain {
    let card = CardPlan::new("se-00")
        .identity("rsa", Rsa2048)
        .identity("p256", P256);
    let guest = GuestPlan::new("web01")
        .bound("se-00", "rsa")
        .bound("se-00", "p256");
    Chain::start(pki, &ChainPlan::new().card(card).guest(guest))
}

/// A connection over which a line goes there and comes back.
fn converse(chain: &Chain, server: &GnutlsServer, identity: &str) -> (String, bool) {
    let mut wish = request(server.port(), NAME);
    wish.identity = Some(identity.to_owned());
    let mut session = chain.guest("web01").ask(wish).expect("a session");
    let line = "a line through the record layer of both\n";
    session.send(line.as_bytes());
    assert_eq!(session.read(line.len()), line.as_bytes());
    let established = session.established.clone();
    session.close();
    (established.version, established.abbreviated)
}

#[test]
fn tls12_is_made_in_full_and_resumed_with_each_key() {
    let pki = Pki::new();
    let chain = start(&pki);
    for (identity, key) in [("rsa", Rsa2048), ("p256", P256)] {
        let server = GnutlsServer::start(&pki, &pki.server(NAME, key), "TLS1.2");
        for (number, resumed) in [false, true].into_iter().enumerate() {
            let made = converse(&chain, &server, identity);
            assert_eq!(made, ("TLS 1.2".to_owned(), resumed));
            let report = server.report(number);
            assert_eq!(report.version, "TLS1.2");
            assert_eq!(report.resumed, resumed, "{report:?}");
            assert_eq!(report.trusted, !resumed, "{report:?}");
            assert_eq!(report.client, Some(format!("CN={identity}")));
        }
    }
}

#[test]
fn tls13_is_made_in_full_with_each_key() {
    let pki = Pki::new();
    let chain = start(&pki);
    for (identity, key) in [("rsa", Rsa2048), ("p256", P256)] {
        let server = GnutlsServer::start(&pki, &pki.server(NAME, key), "TLS1.3");
        for number in 0..2 {
            let made = converse(&chain, &server, identity);
            assert_eq!(made, ("TLS 1.3".to_owned(), false));
            let report = server.report(number);
            assert_eq!(report.version, "TLS1.3");
            assert!(report.trusted && !report.resumed, "{report:?}");
            assert_eq!(report.client, Some(format!("CN={identity}")));
        }
    }
}
