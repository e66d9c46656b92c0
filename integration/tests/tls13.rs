//! TLS 1.3 through a card, against OpenSSL.

use std::process::Stdio;

use domu_agent::client::{Ending, Verdict};
use integration::binaries;
use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, request};
use integration::meddler::{Delivery, Meddler};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};
use integration::wait;

use KeyKind::{P256, Rsa2048};

const NAME: &str = "www.example";

/// Suite, key of the server, key of the card.
const ROWS: [(&str, KeyKind, KeyKind); 4] = [
    ("TLS_AES_128_GCM_SHA256", Rsa2048, Rsa2048),
    ("TLS_AES_256_GCM_SHA384", P256, Rsa2048),
    ("TLS_CHACHA20_POLY1305_SHA256", Rsa2048, P256),
    ("TLS_AES_128_GCM_SHA256", P256, P256),
];

#[test]
fn each_suite_works_with_each_key_and_never_resumes() {
    let pki = Pki::new();
    let card = CardPlan::new("se-00")
        .identity("rsa", Rsa2048)
        .identity("p256", P256);
    let guest = GuestPlan::new("web01")
        .bound("se-00", "rsa")
        .bound("se-00", "p256");
    let chain = Chain::start(&pki, &ChainPlan::new().card(card).guest(guest));
    let guest = chain.guest("web01");
    for (suite, server_key, card_key) in ROWS {
        let identity = if card_key == P256 { "p256" } else { "rsa" };
        let credential = pki.server(NAME, server_key);
        let plan = ServerPlan::new(&credential).tls13().cipher(suite);
        let server = OpensslServer::start(&pki, &plan);
        for number in 0..2 {
            let mut wish = request(server.port(), NAME);
            wish.identity = Some(identity.to_owned());
            let mut session = guest.ask(wish).expect(suite);
            assert_eq!(session.established.version, "TLS 1.3");
            assert_eq!(session.established.cipher_suite, suite);
            assert!(!session.established.abbreviated);
            let report = server.report(number);
            assert_eq!(report.cipher, suite);
            assert!(!report.reused);
            assert_eq!(report.client, Some(format!("CN = {identity}")));
            session.send(&payload(20_000));
            assert_eq!(server.receive(20_000), payload(20_000));
            server.send(&payload(40_000));
            assert_eq!(session.read(40_000), payload(40_000));
            session.close();
        }
    }
}

#[test]
fn a_server_bytes_may_come_one_by_one_and_tickets_in_small_records() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &ChainPlan::single(P256));
    let credential = pki.server(NAME, P256);
    let plan = ServerPlan::new(&credential).tls13();
    let server = OpensslServer::start(&pki, &plan.option("-max_send_frag").option("512"));
    let meddler = Meddler::start(server.port(), Delivery::ByteByByte);
    for port in [server.port(), meddler.port()] {
        let mut session = chain.guest("web01").connect(port, NAME).expect("a session");
        server.send(&payload(3_000));
        assert_eq!(session.read(3_000), payload(3_000));
        session.close();
    }
}

#[test]
fn the_protocol_that_the_server_chose_is_told() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &ChainPlan::single(P256));
    let credential = pki.server(NAME, P256);
    let plan = ServerPlan::new(&credential).tls13();
    let server = OpensslServer::start(&pki, &plan.option("-alpn").option("http/1.1"));
    let mut wish = request(server.port(), NAME);
    wish.alpn = vec!["h2".to_owned(), "http/1.1".to_owned()];
    let session = chain.guest("web01").ask(wish).expect("a session");
    assert_eq!(session.established.alpn.as_deref(), Some("http/1.1"));
    session.close();
}

#[test]
fn a_retry_for_another_group_is_carried_through() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &ChainPlan::single(P256));
    let credential = pki.server(NAME, P256);
    let plan = ServerPlan::new(&credential).tls13();
    let server = OpensslServer::start(&pki, &plan.option("-groups").option("P-384"));
    chain.guest("web01").converse(&server, NAME);
}

#[test]
fn a_server_that_updates_its_keys_is_followed() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &ChainPlan::single(P256));
    let credential = pki.server(NAME, P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential).tls13());
    let mut session = chain
        .guest("web01")
        .connect(server.port(), NAME)
        .expect("a session");
    assert!(!server.report(0).reused);
    for and_ours in [false, true, true] {
        server.update_keys(and_ours);
        session.send(&payload(600));
        assert_eq!(server.receive(600), payload(600));
        server.send(&payload(500));
        assert_eq!(session.read(500), payload(500));
    }
    session.close();
}

#[test]
fn a_server_that_cannot_be_trusted_gets_no_session() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &ChainPlan::single(P256));
    let guest = chain.guest("web01");
    for credential in [
        pki.server("other.example", P256),
        pki.foreign_server(NAME, P256),
        pki.expired_server(NAME, P256),
    ] {
        let server = OpensslServer::start(&pki, &ServerPlan::new(&credential).tls13());
        let error = guest.connect(server.port(), NAME).expect_err("not trusted");
        // The card itself checks the chain, not the name; the middleware checks both.
        assert!(
            ["peer-untrusted", "handshake-failed"].contains(&&*error.code),
            "{error}"
        );
    }
    assert_eq!(chain.audited("session-established").len(), 0);
    let credential = pki.server(NAME, P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential).tls13());
    let session = guest
        .connect(server.port(), NAME)
        .expect("the card is free");
    session.close();
}

#[test]
fn a_server_of_both_versions_is_spoken_to_in_the_one_wished_for() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &ChainPlan::single(P256));
    let credential = pki.server(NAME, P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential).both_versions());
    for (max, version) in [
        (None, "TLS 1.3"),
        (Some("1.2"), "TLS 1.2"),
        (None, "TLS 1.3"),
    ] {
        let mut wish = request(server.port(), NAME);
        wish.max_version = max.map(str::to_owned);
        let session = chain.guest("web01").ask(wish).expect("a session");
        assert_eq!(session.established.version, version);
        session.close();
    }
}

#[test]
fn a_server_that_refuses_the_certificate_is_named_to_guest_and_audit() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &ChainPlan::single(P256));
    let credential = pki.server(NAME, P256);
    let plan = ServerPlan::new(&credential).tls13();
    let server = OpensslServer::start(&pki, &plan.clients_of(&pki.foreign));
    let guest = chain.guest("web01");
    let mut session = guest
        .connect(server.port(), NAME)
        .expect("the card is done");
    assert_eq!(session.established.verdict, Some(Verdict::Pending));
    assert!(session.read_to_end().is_empty());
    let ended = guest.client().ended(session.established.session);
    let ended = ended.expect("the agent remembers");
    assert_eq!(ended.how, Ending::CertificateRefused);
    let refused = "the server refused the client certificate: unknown_ca";
    assert_eq!(ended.message, refused);
    let audited = wait::until("dom0 records it", || chain.audited("session-closed").pop());
    assert_eq!(audited["alert"], "unknown_ca");
    assert_eq!(audited["name"], "web01");
    assert_eq!(audited["server_name"], NAME);

    let mut command = binaries::agent();
    let address = format!("127.0.0.1:{}", server.port());
    command.args(["connect", &address, "--server-name", NAME, "--agent"]);
    let output = command
        .arg(guest.socket())
        .stdin(Stdio::null())
        .output()
        .expect("it is there");
    assert_eq!(output.status.code(), Some(77), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(refused), "{said}");
}
