//! A card in a reader: a real `pcscd` with the virtual reader of vsmartcard.

use integration::chain::{Chain, ChainPlan};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pcscd::Pcscd;
use integration::pki::{KeyKind, Pki};

const NAME: &str = "www.example";

fn connect(chain: &Chain, server: &OpensslServer) {
    let mut session = chain
        .guest("web01")
        .connect(server.port(), NAME)
        .expect("a session");
    session.send(&payload(100));
    assert_eq!(server.receive(100), payload(100));
    session.close();
}

#[test]
fn a_card_in_a_reader_makes_sessions_full_and_resumed() {
    let pki = Pki::new();
    let pcscd = Pcscd::start();
    let chain = Chain::start(&pki, &ChainPlan::single(KeyKind::Rsa2048).in_reader(&pcscd));
    let credential = pki.server(NAME, KeyKind::Rsa2048);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    for (number, resumed) in [false, true].into_iter().enumerate() {
        connect(&chain, &server);
        assert_eq!(server.report(number).reused, resumed);
    }
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential).tls13());
    connect(&chain, &server);
}

#[test]
fn a_card_may_leave_and_come_back_and_so_may_the_daemon() {
    let pki = Pki::new();
    let mut pcscd = Pcscd::start();
    let mut chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256).in_reader(&pcscd));
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    connect(&chain, &server);

    chain.pull_card();
    chain.wait_card("absent");
    let refused = chain.guest("web01").connect(server.port(), NAME);
    assert_eq!(refused.expect_err("no card").code, "no-card");
    chain.plug_card_in();
    chain.wait_card("present");
    connect(&chain, &server);

    let keeper = chain.middleware().id();
    pcscd.kill();
    chain.wait_card("absent");
    pcscd.start_again(keeper);
    chain.wait_card("present");
    connect(&chain, &server);
    assert_eq!(chain.audited("card-gone").len(), 2);
}
