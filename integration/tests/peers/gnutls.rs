//! Sessions with GnuTLS, in full and resumed.

use integration::chain::Chain;
use integration::gnutls::GnutlsServer;
use integration::pki::{KeyKind, Pki};
use integration::wait;

use crate::NAME;
use crate::door::{self, Door};
use KeyKind::{P256, Rsa2048};

/// A connection over which a line goes there and comes back: what it is, and whether resumed.
fn converse(chain: &Chain, server: &GnutlsServer, door: &Door, key: KeyKind) -> (String, bool) {
    let mut session = door.ask(chain, server.port(), key).expect("a session");
    // This server echoes lines alone.
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
    let chain = door::start(&pki);
    for (door, key) in door::each([Rsa2048, P256]) {
        let server = GnutlsServer::start(&pki, &pki.server(NAME, key), "TLS1.2");
        for (number, resumed) in [false, true].into_iter().enumerate() {
            let made = converse(&chain, &server, door, key);
            assert_eq!(made, ("TLS 1.2".to_owned(), resumed));
            let report = server.report(number);
            assert_eq!(report.version, "TLS1.2");
            assert_eq!(report.resumed, resumed, "{report:?}");
            assert_eq!(report.trusted, !resumed, "{report:?}");
            assert_eq!(report.client, Some(format!("CN={}", door.identity(key))));
        }
    }
}

#[test]
fn tls13_is_made_in_full_with_each_key_and_resumed_where_the_card_only_signs() {
    let pki = Pki::new();
    let chain = door::start(&pki);
    for (door, key) in door::each([Rsa2048, P256]) {
        let server = GnutlsServer::start(&pki, &pki.server(NAME, key), "TLS1.3");
        let mut number = 0;
        let mut converse = || {
            let (version, resumed) = converse(&chain, &server, door, key);
            assert_eq!(version, "TLS 1.3");
            let report = server.report(number);
            number += 1;
            assert_eq!(report.version, "TLS1.3");
            assert_eq!(report.resumed, resumed, "{report:?}");
            assert_eq!(report.trusted, !resumed, "{report:?}");
            assert_eq!(report.client, Some(format!("CN={}", door.identity(key))));
            resumed
        };
        assert!(!converse());
        match door.resumes_tls13 {
            // The tickets take their way through the guest.
            true => wait::until("a session that is resumed", || converse().then_some(())),
            false => assert!(!converse()),
        }
    }
}
