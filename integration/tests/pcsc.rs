//! A card in a reader: a real `pcscd` with the virtual reader of vsmartcard.

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::pcscd::{Pcscd, READER, enter};
use integration::pki::{KeyKind, Pki};

const NAME: &str = "www.example";

fn connect(chain: &Chain, server: &OpensslServer) {
    chain.guest("web01").converse(server, NAME);
}

/// TLS 1.2 in full and resumed, and TLS 1.3.
fn connect_in_each_way(pki: &Pki, chain: &Chain) {
    let credential = pki.server(NAME, KeyKind::Rsa2048);
    let server = OpensslServer::start(pki, &ServerPlan::new(&credential));
    for (number, resumed) in [false, true].into_iter().enumerate() {
        connect(chain, &server);
        assert_eq!(server.report(number).reused, resumed);
    }
    let server = OpensslServer::start(pki, &ServerPlan::new(&credential).tls13());
    connect(chain, &server);
}

#[test]
fn a_card_in_a_reader_makes_sessions_full_and_resumed() {
    let pki = Pki::new();
    let pcscd = Pcscd::start();
    let chain = Chain::start(&pki, &ChainPlan::single(KeyKind::Rsa2048).in_reader(&pcscd));
    connect_in_each_way(&pki, &chain);
}

#[test]
fn a_card_that_speaks_t0_makes_sessions_as_well() {
    let pki = Pki::new();
    let pcscd = Pcscd::start();
    let card = CardPlan::new("se-00")
        .identity("web01", KeyKind::Rsa2048)
        .options(&["--protocol", "t0"]);
    let plan = ChainPlan::new()
        .card(card)
        .guest(GuestPlan::new("web01").bound("se-00", "web01"));
    let mut chain = Chain::start(&pki, &plan.in_reader(&pcscd));
    connect_in_each_way(&pki, &chain);

    // Another's hand does the same: the tool follows 6Cxx and 61xx by itself.
    assert!(chain.middleware().stop().success());
    let commands = [SELECT, VERIFY, NEXT_IDENTITY, SET_IDENTITY, START];
    let said = opensc(&pcscd, &commands);
    let client_hello = said.rsplit("Received ").next().unwrap_or_default();
    assert!(said.contains("web01\n"), "{said}");
    assert!(client_hello.contains("02 A5 "), "{said}");
    assert!(client_hello.contains(" 16 03 01 "), "{said}");
}

#[test]
fn another_card_in_the_reader_gets_no_pin_and_is_adopted() {
    let pki = Pki::new();
    let pcscd = Pcscd::start();
    let mut chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256).in_reader(&pcscd));
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    connect(&chain, &server);
    chain.wait_card("present");
    chain.pull_card();
    chain.wait_card("absent");
    pcscd.wait_empty();
    chain.put_other_card_in(&pki, &["--protocol", "t0"]);
    chain.wait_card("unusable");
    let shown = chain.admin(&["card", "show", "se-00"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("another answer to reset"), "{shown}");
    let adopted = chain.admin(&["card", "adopt", "se-00"]);
    assert!(adopted.status.success(), "{adopted:?}");
    chain.issue_tokens();
    chain.restart_agent("web01");
    connect(&chain, &server);
}

/// Commands by hand.
const SELECT: &str = "00A4040010A0000000300002FFFFFFFF8931323800";
const VERIFY: &str = "A02000000431323334";
const NEXT_IDENTITY: &str = "A0170001FF";
const SET_IDENTITY: &str = "A0160080057765623031";
const START: &str = "A08000000601A500060D2000";

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
    let mut pcscd = Pcscd::start();
    let plan = ChainPlan::single(KeyKind::P256).in_reader(&pcscd);
    let (mut chain, server) = Chain::start_with_server(&plan, NAME);
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
