//! Servers that a guest must not talk to, and sessions that must not be resumed.

use integration::chain::{Chain, ChainPlan};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki, VALID};

use KeyKind::{P256, Rsa2048};

const NAME: &str = "www.example";

#[test]
fn a_server_that_cannot_be_trusted_gets_no_session_and_the_next_one_does() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &ChainPlan::single(P256));
    let guest = chain.guest("web01");
    let good = OpensslServer::start(&pki, &ServerPlan::new(&pki.server(NAME, P256)));

    let cases = [
        ("wrong name", pki.server("other.example", P256)),
        ("wrong CA", pki.foreign_server(NAME, Rsa2048)),
        ("expired", pki.expired_server(NAME, P256)),
    ];
    for (number, (what, credential)) in cases.iter().enumerate() {
        let server = OpensslServer::start(&pki, &ServerPlan::new(credential));
        let error = guest.connect(server.port(), NAME).expect_err(what);
        assert_eq!(error.code, "peer-untrusted", "{what}: {error}");
        server.wait_alerts(1);
        assert_eq!(server.reports(), [], "{what}: no handshake was completed");
        assert_eq!(
            chain.audited("session-established").len(),
            number,
            "{what}: no key left"
        );

        let mut session = guest.connect(good.port(), NAME).expect("the card is free");
        session.send(&payload(10));
        assert_eq!(good.receive(10), payload(10), "{what}");
        session.close();
    }

    let refusals = chain.audited("session-refused");
    let first = refusals.first().expect("it was recorded");
    assert_eq!(first["code"], "peer-untrusted");
    assert_eq!(first["server_name"], NAME);
    let reason = first["reason"].as_str().expect("text");
    assert!(reason.contains("other.example"), "{reason}");
}

#[test]
fn a_server_that_does_not_take_the_client_is_told_from_one_that_is_not_trusted() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &ChainPlan::single(P256));
    let guest = chain.guest("web01");
    let credential = pki.server(NAME, P256);
    let plan = ServerPlan::new(&credential).clients_of(&pki.foreign);
    let picky = OpensslServer::start(&pki, &plan);
    let error = guest
        .connect(picky.port(), NAME)
        .expect_err("the server says no");
    assert_eq!(error.code, "handshake-failed", "{error}");
    assert_eq!(chain.audited("session-established").len(), 0);

    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    guest
        .connect(server.port(), NAME)
        .expect("the card is free")
        .close();
}

#[test]
fn a_session_is_never_resumed_under_another_name() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &ChainPlan::single(P256));
    let guest = chain.guest("web01");
    // One server, one ticket key, two names: for OpenSSL any of its sessions would do.
    let credential = pki.ca.server(&["a.example", "b.example"], P256, VALID);
    for tickets in [true, false] {
        let plan = ServerPlan::new(&credential);
        let plan = if tickets {
            plan
        } else {
            plan.option("-no_ticket")
        };
        let server = OpensslServer::start(&pki, &plan);
        let story = [
            ("a.example", false),
            ("a.example", true),
            ("b.example", false),
            ("b.example", true),
            ("a.example", false),
        ];
        for (number, (name, resumed)) in story.into_iter().enumerate() {
            let session = guest.connect(server.port(), name).expect(name);
            let what = format!("{number}: {name}, tickets {tickets}");
            assert_eq!(session.established.abbreviated, resumed, "{what}");
            assert_eq!(server.report(number).reused, resumed, "{what}");
            session.close();
        }

        let error = guest
            .connect(server.port(), "c.example")
            .expect_err("not its name");
        assert_eq!(error.code, "peer-untrusted");
        let session = guest
            .connect(server.port(), "a.example")
            .expect("the card is free");
        session.close();
    }
}
