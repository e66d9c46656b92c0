//! The programs as a user of the guest and an operator of the host meet them.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Output, Stdio};

use integration::binaries;
use integration::chain::{CardPlan, Chain, ChainPlan, Guest, GuestPlan};
use integration::openssl::{Mode, OpensslServer, ServerPlan};
use integration::pki::{KeyKind, Pki};
use serde_json::Value;

const NAME: &str = "www.example";

fn start() -> (Pki, Chain) {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256));
    (pki, chain)
}

/// Runs the agent's program against a guest's agent.
fn agent(guest: &Guest, arguments: &[&str], stdin: &str) -> Output {
    let mut command = binaries::agent();
    command.args(arguments).arg("--agent").arg(guest.socket());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("it is there");
    // It may have ended without reading.
    let _ = child
        .stdin
        .take()
        .expect("piped")
        .write_all(stdin.as_bytes());
    child.wait_with_output().expect("it ends")
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn connect_fetches_a_page_and_says_what_it_did() {
    let (pki, chain) = start();
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential).mode(Mode::Page));
    let address = format!("127.0.0.1:{}", server.port());
    let connect = ["connect", &address, "--server-name", NAME];
    for state in ["New", "Reused"] {
        let output = agent(chain.guest("web01"), &connect, "GET / HTTP/1.0\r\n\r\n");
        assert!(output.status.success(), "{output:?}");
        let page = text(&output.stdout);
        assert!(page.starts_with("HTTP/1.0 200 ok"), "{page}");
        assert!(
            page.contains(&format!("{state}, TLSv1.2, Cipher is ECDHE-ECDSA")),
            "{page}"
        );
        assert!(
            page.contains("CN=web01") || page.contains("CN = web01"),
            "{page}"
        );
        let said = text(&output.stderr);
        assert!(
            said.starts_with("established TLS 1.2 TLS_ECDHE_ECDSA_WITH_AES"),
            "{said}"
        );
        assert!(said.contains(" card ") && said.contains(" wait "), "{said}");
    }
}

#[test]
fn connect_says_no_with_the_reason_and_its_own_exit_code() {
    let (pki, chain) = start();
    let credential = pki.server("other.example", KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    let address = format!("127.0.0.1:{}", server.port());
    let connect = ["connect", &address, "--server-name", NAME];
    let output = agent(chain.guest("web01"), &connect, "secret");
    assert_eq!(output.status.code(), Some(77), "{output:?}");
    assert_eq!(text(&output.stdout), "");
    let said = text(&output.stderr);
    assert!(
        said.contains("peer-untrusted") && said.contains(NAME),
        "{said}"
    );
}

#[test]
fn the_guest_sees_what_it_may_use_and_how_it_is_doing() {
    let (pki, chain) = start();
    let guest = chain.guest("web01");
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    guest
        .connect(server.port(), NAME)
        .expect("a session")
        .close();
    guest
        .connect(server.port(), "other.example")
        .expect_err("not its name");

    let identities = json(&agent(guest, &["identities", "--json"], ""));
    assert_eq!(identities[0]["name"], "web01");
    assert_eq!(identities[0]["door"], "eap-tls");
    assert_eq!(
        identities[0]["versions"],
        serde_json::json!(["TLS 1.2", "TLS 1.3"])
    );
    let chain_len = identities[0]["certificates"].as_array().map(Vec::len);
    assert_eq!(chain_len, Some(1));
    let table = text(&agent(guest, &["identities"], "").stdout);
    assert!(table.contains("web01"), "{table}");

    let status = json(&agent(guest, &["status", "--json"], ""));
    assert_eq!(status["dom0"]["connected"], true);
    let sessions = &status["sessions"];
    assert_eq!(
        (&sessions["established"], &sessions["failed"]),
        (&1.into(), &1.into())
    );
    let report = text(&agent(guest, &["status"], "").stdout);
    assert!(report.contains("1 established and 1 failed"), "{report}");
}

#[test]
fn the_operator_sees_cards_and_status() {
    let (pki, chain) = start();
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    chain
        .guest("web01")
        .connect(server.port(), NAME)
        .expect("a session")
        .close();

    let cards = json(&chain.admin(&["card", "list", "--json"]));
    assert_eq!(cards.as_array().map(Vec::len), Some(1));
    assert_eq!(cards[0]["seid"], "se-00");
    assert_eq!(cards[0]["state"], "present");
    assert_eq!(cards[0]["identities"][0]["name"], "web01");
    let table = text(&chain.admin(&["card", "list"]).stdout);
    assert!(
        table.contains("se-00") && table.contains("present"),
        "{table}"
    );

    let status = json(&chain.admin(&["status", "--json"]));
    assert_eq!(status["counters"]["established"], 1);
    assert_eq!(status["connections"][0]["admitted"], true);
    assert_eq!(status["channels"][0]["insecure_development"], false);
    let report = text(&chain.admin(&["status"]).stdout);
    assert!(!report.contains("insecure_development"), "{report}");
}

#[test]
fn a_channel_without_tls_is_warned_of_and_shown() {
    let plan = ChainPlan::new()
        .card(CardPlan::new("se-00").identity("web01", KeyKind::P256))
        .guest(GuestPlan::new("web01").bound("se-00", "web01").insecure());
    let mut chain = Chain::start(&Pki::new(), &plan);
    let status = json(&chain.admin(&["status", "--json"]));
    assert_eq!(status["channels"][0]["insecure_development"], true);
    let report = text(&chain.admin(&["status"]).stdout);
    assert!(report.contains("insecure_development"), "{report}");
    let said = chain.middleware().log();
    let warned = said
        .lines()
        .any(|line| line.contains("WARN") && line.contains("TLS"));
    assert!(warned, "{said}");
}

#[test]
fn the_configuration_that_runs_is_good_and_a_mistake_is_named() {
    let (_pki, chain) = start();
    let check = |file: &std::path::Path| {
        let mut command = binaries::middleware();
        command
            .arg("check-config")
            .arg(file)
            .output()
            .expect("it is there")
    };
    let good = check(&chain.config_file());
    assert_eq!(good.status.code(), Some(0), "{good:?}");

    let config = std::fs::read_to_string(chain.config_file()).expect("written before");
    let bad = chain.folder().join("bad.toml");
    std::fs::write(&bad, config.replace("pin_file", "pin_fiel")).expect("a writable folder");
    let output = check(&bad);
    assert_eq!(output.status.code(), Some(78));
    let said = text(&output.stderr);
    assert!(
        said.contains("bad.toml") && said.contains("pin_fiel"),
        "{said}"
    );
}

#[test]
fn nobody_else_can_use_the_sockets_or_read_the_audit() {
    let (_pki, chain) = start();
    for (name, expected) in [
        ("admin.sock", 0o600),
        ("se-00.vicc.sock", 0o600),
        ("audit.jsonl", 0o600),
        ("web01.agent.sock", 0o660),
    ] {
        let meta = chain.folder().join(name).metadata().expect(name);
        assert_eq!(meta.permissions().mode() & 0o777, expected, "{name}");
    }
}
