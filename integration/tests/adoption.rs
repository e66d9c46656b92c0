//! Which card is the right one, as the operator meets it.

use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};

use integration::binaries;
use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::pki::{self, KeyKind, Pki};
use integration::process::Process;
use serde_json::Value;

const NAME: &str = "www.example";

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn error(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Who waits for a card that was opened sees it at the next look of the agent.
fn connect(chain: &Chain, server: &OpensslServer) {
    let session = chain.guest("web01").connect(server.port(), NAME);
    session.expect("a session").close();
}

fn undescribed() -> ChainPlan {
    let card = CardPlan::new("se-00").identity("web01", KeyKind::P256);
    ChainPlan::new()
        .card(card.undescribed())
        .guest(GuestPlan::new("web01").bound("se-00", "web01"))
}

#[test]
fn another_card_in_the_reader_is_refused_until_it_is_adopted() {
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256));
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    connect(&chain, &server);
    let first = json(&chain.admin(&["card", "show", "se-00", "--json"]));

    chain.pull_card();
    chain.wait_card("absent");
    chain.put_other_card_in(&pki, &[]);
    chain.wait_card("unusable");
    let refused = chain.guest("web01").connect(server.port(), NAME);
    assert_eq!(refused.expect_err("another card").code, "no-card");
    let shown = json(&chain.admin(&["card", "show", "se-00", "--json"]));
    assert_eq!(shown["adopted"], first["adopted"]);
    let why = shown["why"].as_str().expect("a reason");
    assert!(why.contains("other identities or certificates"), "{why}");
    let next = shown["next"].as_str().expect("what to do");
    assert!(next.contains("card adopt se-00"), "{next}");

    // The service remembers over a restart which one is right.
    chain.restart_middleware();
    chain.wait_card("unusable");
    let adopted = json(&chain.admin(&["card", "adopt", "se-00", "--json"]));
    assert_eq!(adopted["state"], "present");
    assert_ne!(adopted["adopted"], first["adopted"]);
    chain.issue_tokens();
    chain.restart_agent("web01");
    connect(&chain, &server);
    let audited = chain.audited("card-adopted");
    let fingerprints: Vec<_> = audited
        .iter()
        .map(|record| &record["fingerprint"])
        .collect();
    assert_eq!(fingerprints, [&first["adopted"], &adopted["adopted"]]);
}

#[test]
fn a_card_the_configuration_does_not_describe_waits_for_the_operator() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &undescribed());
    chain.wait_card("unusable");
    let table = String::from_utf8(chain.admin(&["card", "show", "se-00"]).stdout).expect("text");
    assert!(
        table.contains("dom0-middleware card adopt se-00"),
        "{table}"
    );
    assert!(table.contains("pin        no file known"), "{table}");

    let said = error(&chain.admin(&["card", "adopt", "se-00"]), 77);
    assert!(
        said.contains("asks for a PIN and none is configured"),
        "{said}"
    );
    let exposed = pki::write(chain.folder(), "exposed.pin", "1234\n");
    let exposed = exposed.to_str().expect("text");
    let said = error(
        &chain.admin(&["card", "adopt", "se-00", "--pin-file", exposed]),
        77,
    );
    assert!(said.contains("chmod 600"), "{said}");
    assert!(chain.audited("card-adopted").is_empty());

    let pin = chain.pin_file("se-00");
    let pin = pin.to_str().expect("text");
    let adopt = ["card", "adopt", "se-00", "--pin-file", pin, "--json"];
    assert_eq!(json(&chain.admin(&adopt))["state"], "present");
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    connect(&chain, &server);
}

#[test]
fn a_wrong_pin_is_tried_again_only_when_the_operator_says_so() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &undescribed());
    chain.wait_card("unusable");
    let wrong = pki::write_secret(chain.folder(), "wrong.pin", "4321\n");
    let wrong = wrong.to_str().expect("text");
    let adopt = ["card", "adopt", "se-00", "--pin-file", wrong];
    let said = error(&chain.admin(&adopt), 77);
    assert!(said.contains("PIN"), "{said}");
    // Once more, it is not even sent: the card has as many tries left as before.
    let said = error(&chain.admin(&adopt), 77);
    assert!(said.contains("was not accepted"), "{said}");

    let pin = chain.pin_file("se-00");
    let pin = pin.to_str().expect("text");
    let adopt = ["card", "adopt", "se-00", "--pin-file", pin];
    assert!(chain.admin(&adopt).status.success());
    let again = ["card", "pin", "se-00", "--pin-file", wrong];
    let said = error(&chain.admin(&again), 77);
    assert!(said.contains("2 tries left"), "{said}");
    let again = ["card", "pin", "se-00", "--pin-file", pin, "--json"];
    assert_eq!(json(&chain.admin(&again))["state"], "present");
}

#[test]
fn what_cannot_be_done_is_said_with_its_exit_code() {
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256));
    for command in ["show", "adopt"] {
        let said = error(&chain.admin(&["card", command, "se-99"]), 69);
        assert!(said.contains("se-99"), "{said}");
    }
    let other = pki::write_secret(chain.folder(), "other.pin", "1234\n");
    let other = other.to_str().expect("text");
    let said = error(
        &chain.admin(&["card", "pin", "se-00", "--pin-file", other]),
        77,
    );
    assert!(said.contains("change it there"), "{said}");
    chain.pull_card();
    chain.wait_card("absent");
    let said = error(&chain.admin(&["card", "adopt", "se-00"]), 69);
    assert!(said.contains("no card is there"), "{said}");
}

#[test]
fn who_watches_sees_cards_come_and_go() {
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256));
    let mut command = binaries::middleware();
    command.args(["card", "watch", "--json", "--admin"]);
    command.arg(chain.admin_socket()).stdout(Stdio::piped());
    let mut watch = Process::start("card-watch", &mut command, chain.folder());
    let mut lines = BufReader::new(watch.stdout().expect("piped")).lines();
    let mut next = || {
        let line = lines.next().expect("a line").expect("text");
        let card: Value = serde_json::from_str(&line).expect("JSON");
        card["state"].as_str().expect("a state").to_owned()
    };
    assert_eq!(next(), "present");
    chain.pull_card();
    assert_eq!(next(), "absent");
    chain.plug_card_in();
    assert_eq!(next(), "present");
}
