//! Servers that do not trust the card's certificate: the application is told so, and the audit.

use domu_agent::client::Ending;
use integration::chain::Chain;
use integration::gnutls::GnutlsServer;
use integration::openssl::{OpensslServer, ServerPlan};
use integration::peer::{Peer, PeerPlan, Program};
use integration::pki::{KeyKind, Pki};
use integration::wait;
use serde_json::Value;

use crate::NAME;
use crate::door::{self, DOORS, Door};
use crate::outcome::Outcome;
use KeyKind::P256;

/// In TLS 1.2 a server says it within the handshake, in TLS 1.3 after `established`.
fn expect_refusal(chain: &Chain, door: &Door, port: u16, version: &str, alert: &str) {
    let verdict = format!("the server refused the client certificate: {alert}");
    let outcome = Outcome::of(door, chain, door.ask(chain, port, P256));
    if version == "1.2" {
        assert_eq!(outcome, Outcome::handshake_failed(&verdict));
        let refused = record(chain, "session-refused", |record| {
            record["seid"] == door.seid && record["reason"] == verdict
        });
        assert_eq!(refused["code"], "handshake-failed");
        assert_eq!(refused["server_name"], NAME);
    } else {
        assert_eq!(
            outcome,
            Outcome::ended(Ending::CertificateRefused, &verdict)
        );
        let closed = record(chain, "session-closed", |record| {
            record["identity"] == door.identity(P256)
        });
        assert_eq!(closed["alert"], alert);
        assert_eq!(closed["server_name"], NAME);
    }
}

/// Waits for that record in the audit.
fn record(chain: &Chain, event: &str, is: impl Fn(&Value) -> bool) -> Value {
    wait::until("dom0 records it", || {
        chain.audited(event).into_iter().find(&is)
    })
}

#[test]
fn openssl_says_so_in_both_versions() {
    let pki = Pki::new();
    let chain = door::start(&pki);
    let credential = pki.server(NAME, P256);
    let plan = ServerPlan::new(&credential).clients_of(&pki.foreign);
    for door in &DOORS {
        for (plan, version) in [(plan.clone(), "1.2"), (plan.clone().tls13(), "1.3")] {
            let server = OpensslServer::start(&pki, &plan);
            expect_refusal(&chain, door, server.port(), version, "unknown_ca");
        }
        door.expect_free(&chain, &pki);
    }
}

#[test]
fn wolfssl_says_so_in_both_versions() {
    says_so(Program::WolfSsl, &["1.2", "1.3"]);
}

#[test]
fn mbedtls_says_so() {
    says_so(Program::MbedTls, &["1.2"]);
}

fn says_so(program: Program, versions: &[&'static str]) {
    let pki = Pki::new();
    let chain = door::start(&pki);
    let credential = pki.server(NAME, P256);
    for door in &DOORS {
        for version in versions {
            let plan = PeerPlan::new(program, &pki, &credential, version);
            let peer = Peer::start(&plan.clients_of(&pki.foreign));
            expect_refusal(&chain, door, peer.port(), version, "unknown_ca");
            assert!(!peer.line("failed", 0).is_empty());
        }
        door.expect_free(&chain, &pki);
    }
}

#[test]
fn gnutls_says_so_in_both_versions() {
    let pki = Pki::new();
    let chain = door::start(&pki);
    let credential = pki.server(NAME, P256);
    for door in &DOORS {
        for version in ["1.2", "1.3"] {
            let server =
                GnutlsServer::start_for(&pki.foreign, &credential, &format!("TLS{version}"));
            expect_refusal(&chain, door, server.port(), version, "access_denied");
        }
        door.expect_free(&chain, &pki);
    }
}
