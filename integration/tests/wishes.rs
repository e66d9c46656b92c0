//! What a guest may wish for, and what a server may.

use integration::chain::{Chain, ChainPlan, request};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::pki::{KeyKind, Pki};

const NAME: &str = "www.example";

fn start(options: &[&str]) -> (Chain, OpensslServer) {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256));
    let credential = pki.server(NAME, KeyKind::P256);
    let mut plan = ServerPlan::new(&credential);
    for option in options {
        plan = plan.option(option);
    }
    (chain, OpensslServer::start(&pki, &plan))
}

#[test]
fn the_protocol_that_the_server_chose_is_told() {
    let (chain, server) = start(&["-alpn", "http/1.1"]);
    for (number, (wish, chosen)) in [(vec!["h2", "http/1.1"], Some("http/1.1")), (vec![], None)]
        .into_iter()
        .enumerate()
    {
        let mut request = request(server.port(), NAME);
        request.alpn = wish.into_iter().map(str::to_owned).collect();
        request.resume = Some(false);
        let session = chain.guest("web01").ask(request).expect("a session");
        assert_eq!(session.established.alpn.as_deref(), chosen);
        assert!(!server.report(number).reused);
        session.close();
    }
}

#[test]
fn a_version_wish_reaches_the_server() {
    let (chain, server) = start(&[]);
    let guest = chain.guest("web01");
    let mut wish = request(server.port(), NAME);
    wish.min_version = Some("1.3".to_owned());
    let error = guest.ask(wish).expect_err("the server speaks TLS 1.2");
    assert_eq!(error.code, "handshake-failed", "{error}");
    let mut wish = request(server.port(), NAME);
    wish.max_version = Some("1.1".to_owned());
    let error = guest.ask(wish).expect_err("the binding wants TLS 1.2");
    assert_eq!(error.code, "policy", "{error}");

    let mut wish = request(server.port(), NAME);
    wish.min_version = Some("1.2".to_owned());
    wish.max_version = Some("1.2".to_owned());
    guest.ask(wish).expect("that it does").close();
    assert!(!server.report(0).reused);
    assert_eq!(server.reports().len(), 1, "one handshake was complete");
    assert_eq!(chain.audited("session-refused").len(), 2);
}

#[test]
fn a_server_that_asks_to_renegotiate_is_told_no() {
    let (chain, server) = start(&[]);
    let guest = chain.guest("web01");
    let mut session = guest.connect(server.port(), NAME).expect("a session");
    assert!(!server.report(0).reused);
    server.renegotiate();
    // For OpenSSL that is the end of the connection.
    assert!(session.read_to_end().is_empty());
    server.wait_logged("no renegotiation");
    drop(session);

    guest
        .connect(server.port(), NAME)
        .expect("the next one")
        .close();
    assert!(server.report(1).reused);
    assert_eq!(server.reports().len(), 2, "nothing was renegotiated");
}
