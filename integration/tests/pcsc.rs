//! A card in a reader: a real `pcscd` with the virtual reader of vsmartcard.

use integration::chain::{Chain, ChainPlan};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pcscd::{Pcscd, READER, enter};
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

/// What OpenSC's tool says when it sends commands to the card.
fn opensc(pcscd: &Pcscd, commands: &[&str]) -> String {
    let mut tool = enter(pcscd.id(), "opensc-tool");
    tool.args(["--reader", READER, "--card-driver", "default"]);
    for command in commands {
        tool.args(["--send-apdu", command]);
    }
    let output = tool.output().expect("nsenter is there");
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn nobody_else_reaches_the_card_while_the_service_has_it() {
    const SELECT: &str = "00A4040010A0000000300002FFFFFFFF8931323800";
    let pki = Pki::new();
    let pcscd = Pcscd::start();
    let mut chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256).in_reader(&pcscd));
    chain.wait_card("present");
    let refused = opensc(&pcscd, &[SELECT]);
    assert!(
        refused.contains("in use by another application"),
        "{refused}"
    );

    assert!(chain.middleware().stop().success());
    // Get-Current-Identity without PIN; FETCH and an unknown command behind it.
    let said = opensc(&pcscd, &[SELECT, "A018000000", "A0FF000000"]);
    for (number, words) in [
        "SW1=0x90, SW2=0x00",
        "SW1=0x63, SW2=0x03",
        "SW1=0x6D, SW2=0x00",
    ]
    .into_iter()
    .enumerate()
    {
        let answer = said.split("Received ").nth(number + 1).unwrap_or_default();
        assert!(answer.contains(words), "{number}: {said}");
    }
}

#[test]
fn a_card_may_leave_and_come_back_and_so_may_the_daemon() {
    let pki = Pki::new();
    let mut pcscd = Pcscd::start();
    let mut chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256).in_reader(&pcscd));
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    connect(&chain, &server);

    // Pulled in the middle of a command, the virtual reader is not always to be had again.
    chain.wait_card("present");
    chain.pull_card();
    chain.wait_card("absent");
    let refused = chain.guest("web01").connect(server.port(), NAME);
    assert_eq!(refused.expect_err("no card").code, "no-card");
    pcscd.wait_empty();
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
